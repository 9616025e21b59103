"""PathQuestion (Zhou et al., COLING 2018: An Interpretable Reasoning Network for Multi-Relation Question Answering).

Question TAB answer(answer/answer/...) TAB topic#relation#entity#relation#entity, in the PQ files with #<end>#entity
after it. What stands before the brackets is the answer that the path ends in; the brackets hold all of them. Names hold
brackets too. No split is given.
"""

from __future__ import annotations

import re
from pathlib import Path

from graph_schema import InputError
from kgqa.data.questions import GoldPath, Question, read_lines
from kgqa.data.sets.base import QuestionSet

FILES = {
    "PQ-2H": ("PQ-2H.txt", "2H-kb.txt"),
    "PQ-3H": ("PQ-3H.txt", "3H-kb.txt"),
    "PQL-2H": ("PQL-2H.txt", "PQL2-KB.txt"),
    "PQL-3H": ("PQL-3H.txt", "PQL3-KB.txt"),
    "PQL-3H-more": ("PQL-3H_more.txt", "PQL3-KB.txt"),
}
END = "<end>"


def open_pathquestion(name: str, directory: Path) -> QuestionSet:
    """One of ``FILES`` from the directory that holds them all.

    Raises:
        InputError: a file is missing, or a line is none of the set's.
    """
    questions, facts = FILES[name]
    path = directory / questions
    return QuestionSet(name, directory / facts, [_question(path, *line) for line in read_lines(path)])


def _question(path: Path, number: int, line: str) -> Question:
    fields = line.split("\t")
    try:
        text, answers, way = fields
        steps = way.split("#")
        steps = steps[: steps.index(END)] if END in steps else steps
        listed = steps[-1]
        if len(steps) < 3 or len(steps) % 2 == 0 or not (answers.startswith(f"{listed}(") and answers.endswith(")")):
            raise ValueError
        gold = tuple(filter(None, answers[len(listed) + 1 : -1].split("/")))
        plain = text.strip()
        spans = mark(plain, steps[:1])
    except ValueError as error:
        raise InputError(
            "no line of PathQuestion", where=f"{path}:{number}", fix="Give the files as released"
        ) from error
    relations = tuple((relation, False) for relation in steps[1::2])
    return Question(plain, spans, gold, f"{len(relations)}-hop", listed, (GoldPath(steps[0], relations),))


def mark(plain: str, names: list[str]) -> tuple[tuple[int, int], ...]:
    """Where names stand in a text as words of their own, each at its first place, in the order they stand in.

    Raises:
        ValueError: one doesn't.
    """
    found = [re.search(rf"(?<!\S){re.escape(name)}(?!\S)", plain) for name in names]
    if not all(found):
        raise ValueError(f"{names} don't stand in {plain!r}")
    return tuple(sorted({match.span() for match in found if match}))
