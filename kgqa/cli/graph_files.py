"""What a training reads: stores, each with its files of questions."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from graph_schema import ConfigError, InputError
from kgqa.cli import common
from kgqa.config import Settings
from kgqa.data import Question, read_questions, split_dev
from kgqa.data.questions import read_unlabelled
from kgqa.stores.snapshot import Snapshot


class GraphFiles(BaseModel):
    """One graph to train on: its store, files of questions and, unless a tenth is to be held out, of dev questions.

    ``limit``: train on so many of the questions, drawn by seed. ``unlabelled``: files of questions that only
    teachers answer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    store: str
    questions: list[Path] = Field(min_length=1)
    dev: list[Path] = []
    limit: int | None = Field(None, ge=2)
    unlabelled: list[Path] = []

    def read(self, seed: int) -> tuple[list[Question], list[Question], list[Question]]:
        """Training questions, dev questions, and training questions without answers.

        Raises:
            InputError: see ``read_questions`` and ``split_dev``.
        """
        training = [question for path in self.questions for question in read_questions(path, path.stem)]
        held = [question for path in self.dev for question in read_questions(path, path.stem)]
        if not self.dev:
            training, held = split_dev(training, seed)
        without = [question for path in self.unlabelled for question in read_unlabelled(path)]
        return drawn(training, self.limit, seed), held, without


def read_graphs(path: Path) -> list[GraphFiles]:
    """Several graphs from a YAML file: a list of mappings, ``store``, ``questions``, maybe ``dev``, ``limit`` ...

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


def wanted_graphs(
    graphs: Path | None,
    store: str | None,
    own_store: str,
    questions: list[Path],
    dev: list[Path],
    limit: int | None,
    unlabelled: list[Path],
) -> list[GraphFiles]:
    """The graphs of a command line: those of a file, or one.

    Args:
        store: as given on the command line. own_store: by all settings.

    Raises:
        ConfigError: both, or neither. InputError: see ``read_graphs``.
    """
    if graphs is None:
        if not questions:
            raise ConfigError("no files of questions", fix="Give some, or several stores with theirs by --graphs")
        return [GraphFiles(store=own_store, questions=questions, dev=dev, limit=limit, unlabelled=unlabelled)]
    if questions or dev or limit or unlabelled or store:
        raise ConfigError(
            "the file says where the questions are",
            where="--graphs",
            fix="Leave QUESTIONS, --dev, --limit, --unlabelled and --store out",
        )
    return read_graphs(graphs)


def read_all(
    wanted: list[GraphFiles], chosen: Settings, seed: int
) -> list[tuple[Snapshot, list[Question], list[Question], list[Question]]]:
    """Of each graph its snapshot, training questions, dev questions and questions without answers.

    Raises:
        InputError: see ``GraphFiles.read``. StoreError: a store can't be read.
    """
    read = [one.read(seed) for one in wanted]
    snapshots = []
    for one in wanted:
        with common.opened(chosen.model_copy(update={"store": one.store})) as opened:
            snapshots.append(Snapshot.build(opened))
    return [(snapshot, *parts) for snapshot, parts in zip(snapshots, read, strict=True)]


def drawn(questions: list[Any], limit: int | None, seed: int) -> list[Any]:
    """``limit`` of the questions, in the order a seeded shuffle gives; all of them if None."""
    shuffled = list(questions)
    random.Random(seed).shuffle(shuffled)
    return shuffled[:limit]
