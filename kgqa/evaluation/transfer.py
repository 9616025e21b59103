"""Few-shot curves: how well a reader of some graphs does on another, after 0, 10, 50 ... questions of it.

target: PQ-2H                 # the set that is measured; see docs/reference/question-sets.md
by: path                      # how it is split by seed; left out: the official split, or random
split: dev
sources:                      # the sets that are trained on first, together
  - {set: metaqa, questions: 6000}
  - {set: WC-1H, by: random}
shots: [0, 10, 50, 200]       # questions of the target's train split that are gone on with, drawn by seed
seeds: [0, 1, 2]
train: {steps: 1500}          # on the sources; see kgqa.training.config
tune: {steps: 150}            # on the shots, beginning with the sources' weights
alone: {steps: 300}           # on the shots, beginning with nothing: what the sources are worth is told from this

Fewer shots are among the more of the same seed. No dev questions of the target are used: what is best,
and the calibration, are chosen on the shots themselves.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from graph_schema import InputError
from kgqa.data.leakage import Kind
from kgqa.data.sets import NAMES
from kgqa.evaluation.experiment import Seeds
from kgqa.model.config import ModelConfig
from kgqa.training.config import TrainConfig

FROM_SOURCES, ALONE = "from sources", "alone"


class Source(BaseModel):
    """A set to train on first, or some of its training questions."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    set: str
    by: Kind | None = None
    questions: int | None = Field(None, gt=0)


class Transfer(BaseModel):
    """See the module's text. Frozen; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: str
    by: Kind | None = None
    split: Literal["dev", "test"]
    sources: tuple[Source, ...] = Field(min_length=1)
    shots: tuple[int, ...] = Field(min_length=1)
    seeds: Seeds
    model: dict[str, Any] = {}
    train: dict[str, Any] = {}
    tune: dict[str, Any] = {}
    alone: dict[str, Any] = {}

    @model_validator(mode="after")
    def _can_be_run(self) -> Transfer:
        for name in (self.target, *(source.set for source in self.sources)):
            if name not in NAMES:
                raise ValueError(f"no set is called {name!r}, only {', '.join(NAMES)}")
        if self.target in {source.set for source in self.sources}:
            raise ValueError(f"{self.target} is the target and a source")
        if min(self.shots) < 0 or list(self.shots) != sorted(set(self.shots)):
            raise ValueError("shots: numbers of questions, ascending")
        ModelConfig.model_validate(self.model)
        for stage in ("train", "tune", "alone"):
            if "model" in getattr(self, stage):
                raise ValueError(f"{stage}.model: one model is for all, given as model")
            self.config(stage, 0)
        return self

    @classmethod
    def load(cls, path: Path) -> Transfer:
        """Read a few-shot experiment.

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

    def config(self, stage: str, seed: int) -> TrainConfig:
        """Training settings of "train", "tune" or "alone"."""
        return TrainConfig.model_validate({**getattr(self, stage), "model": self.model, "seed": seed})
