"""MetaQA (Zhang et al., AAAI 2018: Variational Reasoning for Question Answering with Knowledge Graph).

N-hop/vanilla/qa_{train,dev,test}.txt, and 1-hop/ntm for machine paraphrases; N-hop/qa_{...}_qtype.txt says which way
each question takes ("movie_to_actor_to_movie"), from which the gold paths are made. They never return to the topic. At
one hop the official answers keep films of one name apart, which the graph doesn't, so about 5 % of these sets differ
from what the path reaches.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from graph_schema import InputError
from kgqa.data.questions import HOPS, GoldPath, Question, metaqa_file, read_lines, read_questions
from kgqa.data.sets.base import PARTS, QuestionSet

FACTS = "kb.txt"
KINDS = ("vanilla", "ntm")
OF_FILM = {
    "actor": "starred_actors",
    "director": "directed_by",
    "genre": "has_genre",
    "imdbrating": "has_imdb_rating",
    "imdbvotes": "has_imdb_votes",
    "language": "in_language",
    "tag": "has_tags",
    "tags": "has_tags",
    "writer": "written_by",
    "year": "release_year",
}


def open_metaqa(directory: Path, kind: str = "vanilla", hops: tuple[int, ...] = HOPS) -> QuestionSet:
    """The official layout; of the paraphrases ("ntm") there are dev and test only, at one hop.

    Raises:
        InputError: the directory hasn't MetaQA's layout.
    """
    if not directory.is_dir():
        raise InputError(
            "no such directory", where=str(directory), fix="Give the directory that holds 1-hop, 2-hop ..."
        )
    if kind not in KINDS:
        raise InputError(f"{kind!r} is no kind of MetaQA's questions", fix=f"Use {' or '.join(KINDS)}")
    parts, lengths = (PARTS, hops) if kind == "vanilla" else (PARTS[1:], (1,))
    official = {part: [q for n in lengths for q in _read(directory, part, n, kind)] for part in parts}
    return QuestionSet("metaqa" if kind == "vanilla" else f"metaqa-{kind}", directory / FACTS, official=official)


def _read(directory: Path, part: str, hops: int, kind: str) -> list[Question]:
    path = metaqa_file(directory, part, hops, kind)
    questions = read_questions(path, f"{hops}-hop")
    types = directory / f"{hops}-hop" / f"qa_{part}_qtype.txt"
    if not types.exists():
        return questions
    said = read_lines(types)
    if len(said) != len(questions):
        raise InputError(f"{len(said)} types of {len(questions)} questions", where=str(types))
    return [_with_path(q, kind_, f"{types}:{n}") for q, (n, kind_) in zip(questions, said, strict=True)]


def _with_path(question: Question, said: str, where: str) -> Question:
    ends = said.strip().split("_to_")
    try:
        steps = tuple(
            (OF_FILM[far], False) if near == "movie" else (OF_FILM[near], True) for near, far in pairwise(ends)
        )
    except KeyError as error:
        raise InputError(f"{said.strip()!r} is no type of MetaQA's questions", where=where) from error
    topic = question.plain[slice(*question.spans[0])] if question.spans else ""
    return replace(question, paths=(GoldPath(topic, steps, no_return=True),) if topic else ())
