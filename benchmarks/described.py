"""Do vectors on nodes answer what no fact says? Films by what they are about, asked for by genre.

    python benchmarks/described.py MetaQA --seeds 0 1 2 --json benchmarks/results/described.jsonl

The graph is MetaQA's films that have both genres and tags, without these. A film's tags ("murder, ghost, bd-r") become
its vector, the text encoder's embedding of them, so what it is about is known of it and no fact says so. People with at
least ``FILMS`` films, of which a genre fits some and not others, are asked for them by genre ("which Comedy films did X
direct"); the answers are those of has_genre, which no reader sees. No person is in two parts (8:1:1 by seed).

The same reader is trained with vectors in its slots, without vectors, and without slots. What a film is about tells its
genre only so far; "by chance" is what is to be expected of whoever picks one of a person's films.

With --namesakes all films have one title, so that the answers are told from a person's other films by their slots
alone: they have the same name, and the same relation to the topic.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from graph_schema import Batch, Entity, Fact, Schema
from kgqa.answering import Answerer
from kgqa.cli.common import script
from kgqa.data import Question
from kgqa.data.sets import open_set
from kgqa.evaluation.accuracy import evaluate
from kgqa.evaluation.record import Recorder, Row, append
from kgqa.linking import split_brackets
from kgqa.model.encoder import Encoder
from kgqa.stores import EmbeddedStore
from kgqa.stores.snapshot import Snapshot
from kgqa.training.config import TrainConfig
from kgqa.training.session import train

TAGS, GENRE = "has_tags", "has_genre"
FILMS = 4  # of a person, at least
TITLE = "The Film"  # of all films, if they are namesakes
OFTEN = 100  # people who can be asked for a genre, at least
EDGES = 2000  # that a question may expand at one hop in training: each entity reached brings a vector
ASKED = {
    "directed_by": ("which {genre} films did [{who}] direct", "the {genre} movies directed by [{who}]"),
    "starred_actors": ("which {genre} films did [{who}] act in", "the {genre} movies starring [{who}]"),
    "written_by": ("which {genre} films did [{who}] write", "the {genre} movies written by [{who}]"),
}
VECTORS = {"vector_property": "about", "vector_dim": 384}
VARIANTS: dict[str, dict[str, object]] = {
    "vectors": VECTORS, "no vectors": {}, "no slots": {"slots": False},
}  # fmt: skip
METRICS = ("hits_at_1", "precision", "recall", "f1", "exact")


@dataclass(frozen=True)
class Described:
    """The graph, and the questions of each part."""

    snapshot: Snapshot
    parts: dict[str, list[Question]]


def described(data: Path, encoder: Encoder, seed: int, scratch: Path, *, namesakes: bool = False) -> Described:
    """MetaQA's graph with vectors instead of genres and tags, and questions by genre.

    Args:
        namesakes: all films have the same title.
    """
    facts = list(open_set("metaqa", data).graph().all_facts())
    tags, genres = (_tails(facts, relation) for relation in (TAGS, GENRE))
    texts = [", ".join(sorted(tags[film])) for film in sorted(tags)]
    about = [vector for at in range(0, len(texts), 256) for vector in encoder.embed(texts[at : at + 256]).tolist()]
    vectors = dict(zip(sorted(tags), about, strict=True))
    films = tags.keys() & genres.keys()
    left = [fact for fact in facts if fact.head in films and fact.relation not in (TAGS, GENRE)]
    ids = sorted({end for fact in left for end in (fact.head, fact.tail)})
    told = {film: {"about": tuple(vector)} for film, vector in vectors.items()}
    store = EmbeddedStore(scratch / "films.db", create=True)
    try:
        store.migrate(Schema())
        names = dict.fromkeys(films, TITLE) if namesakes else {}
        store.write(Batch([Entity(id_, names.get(id_, id_), properties=told.get(id_, {})) for id_ in ids], left))
        store.finish()
        snapshot = Snapshot.build(store)
    finally:
        store.close()
    asked = list(_questions(left, genres, random.Random(seed)))
    people = sorted({question.topics[0] for question in asked})
    random.Random(f"people {seed}").shuffle(people)
    tenth = len(people) // 10
    part_of = {who: "test" if at < tenth else "dev" if at < 2 * tenth else "train" for at, who in enumerate(people)}
    parts: dict[str, list[Question]] = {"train": [], "dev": [], "test": []}
    for question in asked:
        parts[part_of[question.topics[0]]].append(question)
    return Described(snapshot, parts)


def _tails(facts: Sequence[Fact], relation: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for fact in facts:
        if fact.relation == relation:
            found[fact.head].add(fact.tail)
    return found


def _questions(facts: Sequence[Fact], genres: dict[str, set[str]], rng: random.Random) -> Iterator[Question]:
    """One of each person, relation and genre that fits some of their films and not others."""
    of: dict[tuple[str, str], set[str]] = defaultdict(set)
    for fact in facts:
        if fact.relation in ASKED:
            of[fact.tail, fact.relation].add(fact.head)
    some: dict[str, list[tuple[str, str, set[str]]]] = defaultdict(list)
    for (who, relation), own in sorted(of.items()):
        if len(own) < FILMS:
            continue
        for genre in sorted({genre for film in own for genre in genres[film]}):
            fitting = {film for film in own if genre in genres[film]}
            if fitting != own:
                some[genre].append((who, relation, fitting))
    for genre, asked in sorted(some.items()):
        if len(asked) < OFTEN:
            continue
        for who, relation, fitting in asked:
            wording = rng.choice(ASKED[relation]).format(genre=genre, who=who)
            yield Question(*split_brackets(wording), tuple(sorted(fitting)), part="by genre")


def by_chance(questions: Sequence[Question], snapshot: Snapshot) -> float:
    """Hits@1 of whoever picks one of a person's films by chance."""
    heads: dict[tuple[str, str], set[str]] = defaultdict(set)
    for fact in snapshot.all_facts():
        heads[fact.tail, fact.relation].add(fact.head)
    total = 0.0
    for question in questions:
        whole = [own for relation in ASKED if (own := heads[question.topics[0], relation]) >= set(question.answers)]
        total += len(question.answers) / min(map(len, whole))
    return total / max(1, len(questions))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="MetaQA's directory")
    parser.add_argument("--split", choices=("dev", "test"), default="dev")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--namesakes", action="store_true", help="give all films one title")
    parser.add_argument("--encoder", help="text encoder: a directory or a model's name")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="append the figures to this file")
    given = parser.parse_args()

    torch.set_num_threads(given.threads)
    encoder = Encoder(given.encoder)
    for seed in given.seeds:
        with TemporaryDirectory(prefix="kgqa-described-") as scratch:
            made = described(given.data, encoder, seed, Path(scratch), namesakes=given.namesakes)
            asked = made.parts[given.split]
            recorder = Recorder(given.split, seed, "cpu", {"topics": "brackets", "namesakes": given.namesakes})
            rows: list[Row] = [
                recorder.row("described", "hits_at_1", by_chance(asked, made.snapshot), len(asked), variant="by chance")
            ]
            for variant, model in VARIANTS.items():
                settings = {"model": model, "seed": seed, "steps": given.steps, "budget_edges": EDGES}
                config = TrainConfig.model_validate(settings)
                run = Path(scratch) / variant.replace(" ", "-")
                checkpoint = train(config, encoder, made.snapshot, made.parts["train"], made.parts["dev"], run)
                scores = evaluate(Answerer(made.snapshot, checkpoint, encoder), asked, made.snapshot).scores
                means = scores.means(torch.ones(len(asked), dtype=torch.bool))
                rows += [recorder.row("described", name, means[name], len(asked), variant=variant) for name in METRICS]
        for row in rows:
            print(f"seed {seed}  {row.config['variant']:12} {row.metric:10} {row.value:.4f}  {row.n:,}", flush=True)
        if given.json:
            append(given.json, rows)


if __name__ == "__main__":
    script(main)
