"""The mean over seeds, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import mean, stdev

from scipy.special import stdtrit


@dataclass(frozen=True)
class Interval:
    """A mean over ``n`` seeds, and half the width of its confidence interval; None for a single seed."""

    mean: float
    half: float | None
    n: int

    def __str__(self) -> str:
        return f"{self.mean:.4f}" if self.half is None else f"{self.mean:.4f} ± {self.half:.4f}"


def mean_interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """Student's t-interval for the mean: mean ± t_{(1 + level) / 2, n - 1} s / sqrt(n), s the sample's deviation.

    It takes the seeds for independent draws from one normal distribution (Student 1908), which few seeds can't show.

    Raises:
        ValueError: no values.
    """
    n = len(values)
    if not n:
        raise ValueError("no values to take the mean of")
    half = None if n == 1 else float(stdtrit(n - 1, (1 + level) / 2)) * stdev(values) / sqrt(n)
    return Interval(mean(values), half, n)
