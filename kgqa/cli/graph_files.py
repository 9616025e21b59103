"""What a training reads: stores, each with its files of questions."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from graph_schema import InputError
from kgqa.data import Question, read_questions, split_dev


class GraphFiles(BaseModel):
    """One graph to train on: its store, files of questions and, unless a tenth is to be held out, of dev questions.

    ``limit``: train on so many of the questions, drawn by seed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    store: str
    questions: list[Path] = Field(min_length=1)
    dev: list[Path] = []
    limit: int | None = Field(None, ge=2)

    def read(self, seed: int) -> tuple[list[Question], list[Question]]:
        """Training and dev questions.

        Raises:
            InputError: see ``read_questions`` and ``split_dev``.
        """
        training = [question for path in self.questions for question in read_questions(path, path.stem)]
        held = [question for path in self.dev for question in read_questions(path, path.stem)]
        if not self.dev:
            training, held = split_dev(training, seed)
        return drawn(training, self.limit, seed), held


def read_graphs(path: Path) -> list[GraphFiles]:
    """Several graphs from a YAML file: a list of mappings, ``store``, ``questions``, maybe ``dev`` and ``limit``.

    Raises:
        InputError: it can't be read, or something in it is wrong; every fault is named.
    """
    fix = "See docs/reference/training.md for the file"
    try:
        found = TypeAdapter(list[GraphFiles]).validate_python(yaml.safe_load(path.read_text("utf-8")))
    except OSError as error:
        raise InputError(f"can't read the graphs: {error.strerror}", where=str(path)) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"not valid YAML: {' '.join(str(error).split())}", where=str(path)) from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, f['loc'])) or 'the file'}: {f['msg']}" for f in error.errors())
        raise InputError(faults, where=str(path), fix=fix) from error
    if not found:
        raise InputError("no graphs in the file", where=str(path), fix=fix)
    return found


def drawn(questions: list[Any], limit: int | None, seed: int) -> list[Any]:
    """``limit`` of the questions, in the order a seeded shuffle gives; all of them if None."""
    shuffled = list(questions)
    random.Random(seed).shuffle(shuffled)
    return shuffled[:limit]
