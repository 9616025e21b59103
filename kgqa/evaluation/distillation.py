"""What distillation costs and brings: large teachers, a small student that learns from them, and the same one alone.

Of several teachers the first is measured, and what all of them say together (``kgqa.evaluation.ensemble``).

set: PQ-2H                    # see docs/reference/question-sets.md
by: path                      # how it is split by seed; left out: the official split, or random
questions: 500                # of the train split, with their answers; left out: all
unlabelled: 700               # of the rest of it, without: only the teachers answer them
split: dev
seeds: [0, 1, 2]
teachers: 3
train: {steps: 600}           # settings of all; see kgqa.training.config
teacher: {model: {state_dim: 256}}    # changes of them for the teachers
student: {model: {state_dim: 64}}     # and for the student
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from graph_schema import InputError
from kgqa.answering import Answerer
from kgqa.data import Question
from kgqa.data.leakage import Kind
from kgqa.data.sets import NAMES
from kgqa.evaluation.experiment import Seeds, merged
from kgqa.evaluation.record import Recorder, Row
from kgqa.evaluation.speed import batched
from kgqa.model.checkpoint import WEIGHTS
from kgqa.stores.snapshot import Snapshot
from kgqa.training.config import TrainConfig

TEACHER, ENSEMBLE, STUDENT, ALONE = "teacher", "ensemble of teachers", "student", "student without teachers"


class Distillation(BaseModel):
    """See the module's text. Frozen; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    set: str
    by: Kind | None = None
    questions: int | None = Field(None, gt=0)
    unlabelled: int = Field(0, ge=0)
    split: Literal["dev", "test"]
    seeds: Seeds
    teachers: int = Field(1, gt=0)
    train: dict[str, Any] = {}
    teacher: dict[str, Any] = {}
    student: dict[str, Any] = {}

    @model_validator(mode="after")
    def _can_be_run(self) -> Distillation:
        if self.set not in NAMES:
            raise ValueError(f"set: no set is called {self.set!r}, only {', '.join(NAMES)}")
        if self.unlabelled and not self.questions:
            raise ValueError("unlabelled: of the rest of the training questions, so say how many have answers")
        for who in (TEACHER, STUDENT):
            self.config(who, 0)
        return self

    @classmethod
    def load(cls, path: Path) -> Distillation:
        """Read a distillation.

        Raises:
            InputError: the file can't be read or isn't one; every fault is named.
        """
        try:
            return cls.model_validate(yaml.safe_load(path.read_text("utf-8")))
        except OSError as error:
            raise InputError(f"can't read the experiment: {error.strerror}", where=str(path)) from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise InputError(f"not valid YAML: {' '.join(str(error).split())}", where=str(path)) from error
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, f['loc']))}: {f['msg']}" for f in error.errors())
            raise InputError(faults, where=str(path)) from error

    def config(self, who: str, seed: int) -> TrainConfig:
        """Training settings of "teacher" or "student"."""
        return TrainConfig.model_validate({**merged(self.train, getattr(self, who)), "seed": seed})


def cost_rows(
    name: str,
    answerers: Sequence[Answerer],
    questions: list[Question],
    snapshot: Snapshot,
    recorder: Recorder,
    batch: int = 128,
) -> Iterator[Row]:
    """How large a reader is, how long it was trained, and how many questions it answers a second in batches.

    Args:
        answerers: one reader, or those of an ensemble, whose sizes and training times are added up.
    """
    trained = [one.checkpoint.config.trained for one in answerers]
    yield recorder.row(name, "parameters", float(sum(one["parameters"] for one in trained)), 1)
    size = sum((Path(one.checkpoint.path) / WEIGHTS).stat().st_size for one in answerers)
    yield recorder.row(name, "weights_mib", size / 2**20, 1)
    yield recorder.row(name, "train_seconds", sum(float(one["seconds"]) for one in trained), trained[0]["questions"])
    first, *others = answerers
    for metric, value in batched(first, questions, snapshot, batch, others).items():
        yield recorder.row(name, metric, value, len(questions), batch=batch)
