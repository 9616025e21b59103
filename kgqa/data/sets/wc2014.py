"""WorldCup2014 (Zhang et al. 2016: Gaussian Attention Model and Its Application to Knowledge Base Embedding and QA).

Question TAB answer TAB path TAB all answers, each with / behind it TAB facts around the topic [TAB topics]. A path is
topic#relation#entity..., maybe with #<end>#entity after it; a conjunction has two, with * between them. No split is
given.
"""

from __future__ import annotations

from pathlib import Path

from graph_schema import InputError
from kgqa.data.questions import GoldPath, Question, read_lines
from kgqa.data.sets.base import QuestionSet
from kgqa.data.sets.pathquestion import END, mark

FILES = {"WC-1H": "WC-P1.txt", "WC-2H": "WC-P2.txt", "WC-mixed": "WC-P.txt", "WC-C": "WC-C.txt"}
FACTS = "WC2014.txt"


def open_wc2014(name: str, directory: Path) -> QuestionSet:
    """One of ``FILES`` from the directory that holds them all.

    Raises:
        InputError: a file is missing, or a line is none of the set's.
    """
    path = directory / FILES[name]
    return QuestionSet(name, directory / FACTS, [_question(path, *line) for line in read_lines(path)])


def _question(path: Path, number: int, line: str) -> Question:
    try:
        text, listed, ways, answers = line.split("\t")[:4]
        paths = tuple(map(_path, ways.split("*")))
        gold = tuple(dict.fromkeys(filter(None, answers.split("/"))))
        if listed not in gold:
            raise ValueError
        plain = text.strip()
        spans = mark(plain, [way.topic for way in paths])
    except ValueError as error:
        raise InputError("no line of WC2014", where=f"{path}:{number}", fix="Give the files as released") from error
    part = "conjunction" if len(paths) > 1 else f"{len(paths[0].steps)}-hop"
    return Question(plain, spans, gold, part, listed, paths)


def _path(text: str) -> GoldPath:
    steps = text.split("#")
    steps = steps[: steps.index(END)] if END in steps else steps
    if len(steps) < 3 or len(steps) % 2 == 0:
        raise ValueError(text)
    return GoldPath(steps[0], tuple((relation, False) for relation in steps[1::2]))
