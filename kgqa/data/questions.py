"""Questions with answers, one a line: ``question TAB answer|answer|...``, topics in [brackets] where they are known.

This is the layout of MetaQA (Zhang et al. 2018), which ``kgqa train`` takes from anybody.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from graph_schema import InputError, QuestionError
from kgqa.linking import split_brackets

HOPS = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its gold answers.

    Attributes:
        plain: the text without brackets. spans: characters of it that stood in brackets.
        answers: names (or ids) of the gold answers, as written. part: what the figures are told apart by ("2-hop").
    """

    plain: str
    spans: tuple[tuple[int, int], ...]
    answers: tuple[str, ...]
    part: str = ""


def read_questions(path: Path, part: str = "") -> list[Question]:
    """Read one file of questions.

    Raises:
        InputError: missing, a directory, not UTF-8, empty, or a line without question or answers (file and line named).
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except OSError as error:
        raise InputError(f"can't read the questions: {error.strerror}", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise InputError("not UTF-8 text", where=str(path), fix="Save the file as UTF-8") from error
    questions = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        text, tab, rest = line.partition("\t")
        answers = tuple(dict.fromkeys(answer.strip() for answer in rest.split("|") if answer.strip()))
        if not tab or not answers:
            raise InputError(
                "no answers", where=f"{path}:{number}", fix="Write one question a line: question TAB answer|answer"
            )
        try:
            plain, spans = split_brackets(text)
        except QuestionError as error:
            raise InputError(error.what, where=f"{path}:{number}", fix=error.fix) from error
        questions.append(Question(plain, spans, answers, part))
    if not questions:
        raise InputError("no questions in the file", where=str(path))
    return questions


def metaqa_file(directory: Path, split: str, hops: int, kind: str = "vanilla") -> Path:
    """Where the official layout keeps one file of questions."""
    return directory / f"{hops}-hop" / kind / f"qa_{split}.txt"


def read_metaqa(directory: Path, split: str, hops: Iterable[int] = HOPS, kind: str = "vanilla") -> Sequence[Question]:
    """One split of MetaQA; ``part`` of each question is "1-hop", "2-hop" or "3-hop".

    Raises:
        InputError: the directory hasn't MetaQA's layout.
    """
    if not directory.is_dir():
        raise InputError(
            "no such directory", where=str(directory), fix="Give the directory that holds 1-hop, 2-hop ..."
        )
    return [q for n in hops for q in read_questions(metaqa_file(directory, split, n, kind), f"{n}-hop")]


def split_dev(questions: Sequence[Question], seed: int) -> tuple[list[Question], list[Question]]:
    """Hold out a tenth (at least one question) for dev, by seed.

    Raises:
        InputError: fewer than two questions.
    """
    if len(questions) < 2:
        raise InputError(
            f"{len(questions)} question can't be split into training and dev questions",
            fix="Give more questions, or dev questions of their own with --dev",
        )
    shuffled = list(questions)
    random.Random(seed).shuffle(shuffled)
    held = max(1, len(shuffled) // 10)
    return shuffled[held:], shuffled[:held]
