"""Experiments: a YAML file that says what is trained and measured, with the figures that are expected.

set: metaqa
questions: 38000              # of the train split, drawn by seed
split: dev
seeds: [0]
train: {steps: 1500}          # see kgqa.training.config
variants:                     # changes of the settings, by name; "full" has none
  full: {}
  no-slots: {model: {slots: false}}
expected:                     # lower bounds by variant, part and metric
  full: {1-hop: {hits_at_1: 0.97}}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from graph_schema import InputError
from kgqa.training.config import TrainConfig

Part = Literal["1-hop", "2-hop", "3-hop"]
Metric = Literal["hits_at_1", "precision", "recall", "f1", "exact"]


class Experiment(BaseModel):
    """See the module's text. Frozen; unknown keys are refused, also where they name what is expected."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    set: Literal["metaqa"]
    questions: int = Field(gt=0)
    split: Literal["dev", "test"]
    seeds: tuple[int, ...]
    train: dict[str, Any] = {}
    variants: dict[str, dict[str, Any]] = {"full": {}}
    expected: dict[str, dict[Part, dict[Metric, float]]] = {}

    @model_validator(mode="after")
    def _expected_of_variants(self) -> Experiment:
        unknown = sorted(set(self.expected) - set(self.variants))
        if unknown:
            raise ValueError(f"expected of variants that there are not: {', '.join(unknown)}")
        return self

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

    def config(self, variant: str, seed: int) -> TrainConfig:
        """Training settings of one variant and seed."""
        merged = _merge(self.train, self.variants[variant])
        return TrainConfig.model_validate({**merged, "seed": seed})

    def shortfalls(self, variant: str, means: Mapping[str, Mapping[str, float]]) -> list[str]:
        """Where figures (by part and metric) stay below what is expected of a variant, in words."""
        return [
            f"{variant}, {part}: {metric} is {means[part][metric]:.4f}, expected at least {least}"
            for part, metrics in self.expected.get(variant, {}).items()
            for metric, least in metrics.items()
            if means[part][metric] < least
        ]

    def runs(self) -> Iterator[tuple[str, int]]:
        """Variant and seed of each training."""
        return ((variant, seed) for variant in self.variants for seed in self.seeds)


def _merge(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in change.items():
        own = merged.get(key)
        merged[key] = _merge(own, value) if isinstance(value, dict) and isinstance(own, dict) else value
    return merged
