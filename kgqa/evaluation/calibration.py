"""How far a confidence can be trusted: calibration, what is gained by keeping silent, telling unanswerable questions.

Everything is over Q questions with a confidence c_i in [0, 1]; order and ties never matter.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float64, Int
from torch import Tensor

BINS = 15


@dataclass(frozen=True)
class Reliability:
    """M bins of equal width over (0, 1]; 0 belongs to the first. Means are nan in a bin without questions."""

    count: Int[Tensor, " M"]
    confidence: Float64[Tensor, " M"]
    accuracy: Float64[Tensor, " M"]


def reliability(confidence: Float64[Tensor, " Q"], right: Float64[Tensor, " Q"], bins: int = BINS) -> Reliability:
    """What a reliability diagram shows: in each bin the mean confidence and the share of right answers."""
    edges = torch.linspace(0, 1, bins + 1, dtype=torch.float64)[1:-1]
    bin_ = torch.bucketize(confidence, edges)  # bin m holds edges[m - 1] < c <= edges[m]
    count = torch.bincount(bin_, minlength=bins)
    zero = torch.zeros(bins, dtype=torch.float64)
    return Reliability(
        count, zero.index_add(0, bin_, confidence) / count, zero.index_add(0, bin_, right.double()) / count
    )


def expected_calibration_error(
    confidence: Float64[Tensor, " Q"], right: Float64[Tensor, " Q"], bins: int = BINS
) -> float:
    """ECE = sum_m |B_m| / Q * |accuracy(B_m) - confidence(B_m)| over bins of equal width; 0 is best.

    Guo et al. 2017 (On Calibration of Modern Neural Networks), equation 3, with their 15 bins.
    """
    found = reliability(confidence, right, bins)
    gap = (found.accuracy - found.confidence).abs().nan_to_num()
    return float((found.count * gap).sum() / max(1, len(confidence)))


def risk_coverage(confidence: Float64[Tensor, " Q"], right: Float64[Tensor, " Q"]) -> Float64[Tensor, " Q"]:
    """Selective risk at coverages 1/Q, 2/Q ... 1: the share of wrong answers among the k most confident ones.

    El-Yaniv and Wiener 2010 (On the Foundations of Noise-free Selective Classification). Among equal confidences the
    wrong ones are spread evenly, which is the mean over all orders of them.
    """
    value, group, size = torch.unique(confidence, return_inverse=True, return_counts=True)
    wrong = torch.zeros(len(value), dtype=torch.float64).index_add(0, group, 1 - right.double())
    each: Tensor = (wrong / size).flip(0).repeat_interleave(size.flip(0))
    return each.cumsum(0) / torch.arange(1, len(confidence) + 1)


def area_under_risk_coverage(confidence: Float64[Tensor, " Q"], right: Float64[Tensor, " Q"]) -> float:
    """AURC: mean of ``risk_coverage`` over all coverages; 0 is best.

    Geifman, Uziel and El-Yaniv 2019 (Bias-Reduced Uncertainty Estimation for Deep Neural Classifiers), section 2.
    """
    return float(risk_coverage(confidence, right).mean()) if len(confidence) else 0.0


def auroc(confidence: Float64[Tensor, " Q"], positive: Bool[Tensor, " Q"]) -> float:
    """Probability that a positive has a higher confidence than a negative, ties counting one half; nan without either.

    The Mann-Whitney statistic, U / (n_1 n_0) with U = sum of the positives' mean ranks - n_1 (n_1 + 1) / 2
    (Hanley and McNeil 1982). For abstention the positives are the questions that have an answer.
    """
    _, group, size = torch.unique(confidence, return_inverse=True, return_counts=True)
    rank = size.cumsum(0) - (size - 1) / 2
    ones, zeros = int(positive.sum()), int((~positive).sum())
    if not ones or not zeros:
        return float("nan")
    return (float(rank[group][positive].double().sum()) - ones * (ones + 1) / 2) / (ones * zeros)
