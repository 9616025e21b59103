"""Questions with answers, and the files they stand in, one a line.

Text files: ``question TAB answer|answer|...``, topics in [brackets] where they are known. This is the layout of MetaQA
(Zhang et al. 2018), which ``kgqa train`` takes from anybody.

Files that end in .jsonl: one object a line, with ``question`` and ``answers`` (none: the graph doesn't answer it), and,
where known, ``part``, ``listed`` and ``paths``, each of these with ``topic``, ``steps`` (``relation`` and, where walked
from tail to head, ``inverse``) and ``no_return``. See docs/reference/question-sets.md.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from graph_schema import InputError, QuestionError
from kgqa.linking import split_brackets

HOPS = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class GoldPath:
    """The way from a topic to the answers: from all entities reached so far over one relation to all of the next.

    Attributes:
        topic: name or id of the entity it starts from.
        steps: (relation, inverse) of each hop; inverse: walked from tail to head.
        no_return: whether the topic itself is dropped wherever the way comes back to it (MetaQA's paths).
    """

    topic: str
    steps: tuple[tuple[str, bool], ...]
    no_return: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its gold answers.

    Attributes:
        plain: the text without brackets. spans: characters of it that stood in brackets.
        answers: names (or ids) of the gold answers, as written; none: the graph doesn't answer it.
        part: what the figures are told apart by ("2-hop").
        listed: the one answer that the set names first, where it does; one of ``answers``.
        paths: gold paths where the set has them, one for each topic; the answers are what all of them reach.

    Nothing is trained on ``listed`` and ``paths``, so they stay out of the text that tells one training from another.
    """

    plain: str
    spans: tuple[tuple[int, int], ...]
    answers: tuple[str, ...]
    part: str = ""
    listed: str = field(default="", repr=False)
    paths: tuple[GoldPath, ...] = field(default=(), repr=False)

    @property
    def topics(self) -> tuple[str, ...]:
        """Names of the topics: where the paths start, else what is marked in the text."""
        if self.paths:
            return tuple(dict.fromkeys(path.topic for path in self.paths))
        return tuple(dict.fromkeys(self.plain[start:end] for start, end in self.spans))

    @property
    def hops(self) -> int:
        """Hops of the longest gold path; 0: not known."""
        return max((len(path.steps) for path in self.paths), default=0)


def read_lines(path: Path) -> list[tuple[int, str]]:
    """The lines of a file of questions that aren't blank, with their numbers.

    Raises:
        InputError: missing, a directory, not UTF-8, or without any such line.
    """
    try:
        lines = path.read_text("utf-8-sig").split("\n")
    except OSError as error:
        raise InputError(f"can't read the questions: {error.strerror}", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise InputError("not UTF-8 text", where=str(path), fix="Save the file as UTF-8") from error
    found = [(number, line.rstrip("\r")) for number, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise InputError("no questions in the file", where=str(path))
    return found


def read_questions(path: Path, part: str = "") -> list[Question]:
    """Read one file of questions, as JSON if it ends in .jsonl.

    Args:
        part: of the questions that don't say it themselves.

    Raises:
        InputError: missing, a directory, not UTF-8, empty, or a line without question or answers (file and line named).
    """
    read = _from_json if path.suffix == ".jsonl" else _from_text
    questions = []
    for number, line in read_lines(path):
        try:
            questions.append(read(line, part))
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, f['loc'])) or 'the line'}: {f['msg']}" for f in error.errors())
            fix = "See docs/reference/question-sets.md for the keys"
            raise InputError(faults, where=f"{path}:{number}", fix=fix) from error
        except (InputError, QuestionError) as error:
            raise InputError(error.what, where=f"{path}:{number}", fix=error.fix) from error
    return questions


def read_unlabelled(path: Path) -> list[Question]:
    """Questions without their answers, one a line as in ``read_questions``; what stands there of answers isn't used.

    Raises:
        InputError: see ``read_questions``.
    """
    if path.suffix == ".jsonl":
        return [Question(q.plain, q.spans, (), q.part) for q in read_questions(path)]
    found = []
    for number, line in read_lines(path):
        try:
            found.append(Question(*split_brackets(line.partition("\t")[0]), ()))
        except QuestionError as error:
            raise InputError(error.what, where=f"{path}:{number}", fix=error.fix) from error
    return found


def as_json(question: Question) -> dict[str, Any]:
    """A question as a line of a .jsonl file has it; reading it gives the same question again."""
    said: dict[str, Any] = {"question": bracketed(question), "answers": list(question.answers)}
    if question.part:
        said["part"] = question.part
    if question.listed:
        said["listed"] = question.listed
    if question.paths:
        said["paths"] = [
            {
                "topic": path.topic,
                "steps": [
                    {"relation": r, "inverse": True} if inverse else {"relation": r} for r, inverse in path.steps
                ],
                **({"no_return": True} if path.no_return else {}),
            }
            for path in question.paths
        ]
    return said


def bracketed(question: Question) -> str:
    """The question with its topics in brackets again."""
    text = question.plain
    for start, end in reversed(question.spans):
        text = f"{text[:start]}[{text[start:end]}]{text[end:]}"
    return text


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Step(_Part):
    relation: str = Field(min_length=1)
    inverse: bool = False


class _Path(_Part):
    topic: str = Field(min_length=1)
    steps: list[_Step] = Field(min_length=1)
    no_return: bool = False


class _Line(_Part):
    question: str
    answers: list[str]
    part: str | None = None
    listed: str = ""
    paths: list[_Path] = []

    @model_validator(mode="after")
    def _listed_is_an_answer(self) -> _Line:
        if self.listed and self.listed not in self.answers:
            raise ValueError("listed is none of the answers")
        return self


def _from_json(line: str, part: str) -> Question:
    said = _Line.model_validate_json(line)
    plain, spans = split_brackets(said.question)
    return Question(
        plain,
        spans,
        tuple(dict.fromkeys(said.answers)),
        part if said.part is None else said.part,
        said.listed,
        tuple(GoldPath(p.topic, tuple((s.relation, s.inverse) for s in p.steps), p.no_return) for p in said.paths),
    )


def _from_text(line: str, part: str) -> Question:
    text, tab, rest = line.partition("\t")
    answers = tuple(dict.fromkeys(answer.strip() for answer in rest.split("|") if answer.strip()))
    if not tab or not answers:
        raise InputError("no answers", fix="Write one question a line: question TAB answer|answer")
    return Question(*split_brackets(text), answers, part)


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
