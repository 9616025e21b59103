"""Experiments: a YAML file that says what is trained and measured, with the figures that are expected.

set: metaqa                   # see docs/reference/question-sets.md
by: path                      # how a set is split by seed; left out: the official split, or random
shares: [0.7, 0.1, 0.2]       # of train, dev and test, where it is split by seed; left out: 8:1:1
questions: 38000              # of the train split, drawn by seed; left out: all
conjunctions: 3000            # made from the graph and added to them ("films by X that Y starred in"); left out: none
split: dev
keep: 0.5                     # of each relation's facts, drawn by seed; left out: all
told: {hold: 0.5}             # add what the training questions' answers tell (as kgqa facts does); left out: nothing
seeds: [0]
also: [slices, evidence, abstention]
note: reconstructed train split       # goes into the model card
start: general                # begin with a reader that ships, whose model it is then; left out: with nothing
adapt: {runs: 3}              # begin with one adapted to the training graph (as by kgqa adapt), for each seed
train: {steps: 1500}          # see kgqa.training.config
variants:                     # changes of the settings, by name; "full" has none
  full: {}
  no-slots: {model: {slots: false}}
expected:                     # by variant, part and metric, of the mean over the seeds: at least (ece, aurc: at most)
  full:
    1-hop: {hits_at_1: 0.97}
    all: {evidence_precision: 0.98, evidence_holds: 0.99}       # with "evidence" in ``also``
    facts removed: {abstention_auroc: 0.95, abstained: 0.8}     # with "abstention"; other kinds likewise
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from graph_schema import InputError
from kgqa.data.leakage import SHARES, Kind
from kgqa.data.sets import NAMES
from kgqa.data.sets.registry import DIRECTORY
from kgqa.evaluation.abstention import KINDS
from kgqa.evaluation.figures import ABSTENTION, EVIDENCE, LESS_IS_BETTER, MEASURED
from kgqa.evaluation.measure import Also
from kgqa.training.config import TrainConfig

# Parts of the public sets; those of a directory are what its files say.
PARTS = ("1-hop", "2-hop", "3-hop", "conjunction", "all")


def _distinct(seeds: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(seeds)) < len(seeds):
        raise ValueError("a seed twice is one run twice, and would count as two")
    return seeds


Seeds = Annotated[tuple[int, ...], Field(min_length=1), AfterValidator(_distinct)]


class Adapting(BaseModel):
    """How a reader is adapted to the training graph before: see ``kgqa adapt``. Frozen; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int = Field(10_000, ge=100)
    way_steps: int = Field(700, ge=0)
    steps: int = Field(10, gt=0)
    runs: int = Field(3, gt=0, le=50)


class TellingFacts(BaseModel):
    """Facts that training questions tell (``kgqa.told``) join the graph. Frozen; unknown keys are refused.

    Attributes:
        reader: which of the readers that ship reads the questions. hold: the share of the training questions, drawn by
            seed, that tell the training graph nothing: it lacks facts, as the graph that is asked does.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    reader: Literal["general", "films"] = "general"
    hold: float = Field(0.5, ge=0, lt=1)


class Experiment(BaseModel):
    """See the module's text. Frozen; unknown keys are refused, also where they name what is expected."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    set: str
    by: Kind | None = None
    shares: tuple[float, float, float] = SHARES
    questions: int | None = Field(None, gt=0)
    conjunctions: int = Field(0, ge=0)
    split: Literal["dev", "test"]
    keep: float | None = Field(None, gt=0, lt=1)
    told: TellingFacts | None = None
    seeds: Seeds
    also: tuple[Also, ...] = ()
    note: str = ""
    start: Literal["general", "films"] | None = None
    adapt: Adapting | None = None
    train: dict[str, Any] = {}
    variants: dict[str, dict[str, Any]] = {"full": {}}
    expected: dict[str, dict[str, dict[str, float]]] = {}

    @model_validator(mode="after")
    def _names_are_known(self) -> Experiment:
        if self.set not in NAMES:
            raise ValueError(f"set: no set is called {self.set!r}, only {', '.join(NAMES)}")
        unknown = sorted(set(self.expected) - set(self.variants))
        if unknown:
            raise ValueError(f"expected of variants that there are not: {', '.join(unknown)}")
        if self.start and self.adapt:
            raise ValueError("start and adapt both say what is begun with; leave one of them out")
        for variant, parts in self.expected.items():
            for part, metrics in parts.items():
                for metric in metrics:
                    if fault := self._fault(part, metric):
                        raise ValueError(f"expected.{variant}.{part}.{metric}: {fault}")
        return self

    def _fault(self, part: str, metric: str) -> str:
        """Why nothing can be expected of a metric of a part, in words; empty if it can."""
        parts: tuple[str, ...] = PARTS
        also: Also | None = None
        if metric in ABSTENTION:
            parts, also = KINDS, "abstention"
        elif metric in EVIDENCE:
            parts, also = ("all",), "evidence"
        elif metric not in MEASURED:
            return f"no such metric, only {', '.join((*MEASURED, *EVIDENCE, *ABSTENTION))}"
        if part not in parts and not (self.set == DIRECTORY and also is None):
            return f"that is measured of {', '.join(parts)}"
        return f"that is measured only with {also} in also" if also and also not in self.also else ""

    @classmethod
    def load(cls, path: Path) -> Experiment:
        """Read an experiment.

        Raises:
            InputError: the file can't be read or isn't an experiment; every fault is named.
        """
        try:
            experiment = cls.model_validate(yaml.safe_load(path.read_text("utf-8")))
            for variant in experiment.variants:
                experiment.config(variant, 0)
        except OSError as error:
            raise InputError(f"can't read the experiment: {error.strerror}", where=str(path)) from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise InputError(f"not valid YAML: {' '.join(str(error).split())}", where=str(path)) from error
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, f['loc']))}: {f['msg']}" for f in error.errors())
            raise InputError(faults, where=str(path)) from error
        return experiment

    def config(self, variant: str, seed: int, model: Mapping[str, Any] | None = None) -> TrainConfig:
        """Training settings of one variant and seed.

        Args:
            model: settings of the model where the experiment says nothing of it.
        """
        settings = merged({"model": dict(model or {})}, merged(self.train, self.variants[variant]))
        return TrainConfig.model_validate({**settings, "seed": seed})

    def shortfalls(self, variant: str, means: Mapping[str, Mapping[str, float]]) -> list[str]:
        """Where figures (by part and metric) stay below what is expected of a variant, in words."""
        short = []
        for part, metrics in self.expected.get(variant, {}).items():
            for metric, bound in metrics.items():
                found = means.get(part, {}).get(metric)
                worse = metric in LESS_IS_BETTER
                if found is None:
                    short.append(f"{variant}, {part}: nothing measured {metric}")
                elif found > bound if worse else found < bound:
                    most = "most" if worse else "least"
                    short.append(f"{variant}, {part}: {metric} is {found:.4f}, expected at {most} {bound}")
        return short


def merged(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Nested settings with some of them changed."""
    made = dict(base)
    for key, value in change.items():
        own = made.get(key)
        made[key] = merged(own, value) if isinstance(value, dict) and isinstance(own, dict) else value
    return made
