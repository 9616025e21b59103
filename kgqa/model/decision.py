"""Which of the scored entities are the answers: the set that is expected to be the best, which may be empty.

Let p_1 >= p_2 >= ... be the probabilities of a question's entities, P their sum, and take them for independent. The set
of the k best is expected to have

    F1_k = 2 (p_1 + ... + p_k) / (k + P)

(the ratio of expectations, as in Lewis 1995 and Jansche 2007), and saying nothing is right, F1 = 1, with probability

    none = (1 - p_1) (1 - p_2) ...

The best of all these is said. A single entity is thus an answer from 0.41 on, and beside others that are sure from 0.5
on; no number of answers and no threshold is given.

For this the probabilities have to be right. They are calibrated by three numbers, fitted on dev: the logit of each is
scaled and shifted (Platt 1999; Guo et al. 2017), and none is surer than ``most``, for a walk that has lost its way ends
at a single entity as often as one that hasn't: where facts are missing, what is surest is not always right.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Int
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor
from torch.nn import functional

DIGITS = 5  # of a probability that count
_SUREST = 7.0  # the logit of ``most`` that is begun with: nothing is surer than 0.999
_FLOOR = -30.0  # of a log probability: what is less likely counts no less


class Calibration(BaseModel):
    """p' = ``most`` sigmoid(``scale`` logit + ``shift``). Frozen; kept in the checkpoint."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scale: float = Field(1.0, gt=0)
    shift: float = 0.0
    most: float = Field(1.0, gt=0, le=1)

    def __call__(self, log_probability: Float[Tensor, " N"]) -> Float[Tensor, " N"]:
        """Calibrated log probabilities, in the order that they had."""
        return functional.logsigmoid(self.scale * _logit(log_probability) + self.shift) + math.log(self.most)


def _logit(log_probability: Tensor) -> Tensor:
    sure = log_probability.clamp(_FLOOR, -1e-7)
    return sure - torch.log(-torch.expm1(sure))


def fit_calibration(
    log_probability: Float[Tensor, " N"], gold: Bool[Tensor, " N"], weight: Float[Tensor, " N"]
) -> Calibration:
    """The calibration under which what was found, each entity by its weight, is likeliest; by L-BFGS.

    A little weight on scale 1 and shift 0 keeps them finite where all are told apart, and one on ``most`` 1 keeps it
    there where nothing speaks against it.
    """
    logit, right, weight = _logit(log_probability.double()), gold.double(), weight.double()
    total = max(float(weight.sum()), 1.0)
    at = torch.tensor([0.0, 0.0, _SUREST], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([at], max_iter=200, tolerance_grad=1e-9, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        said = functional.logsigmoid(at[0].exp() * logit + at[1]) + functional.logsigmoid(at[2])
        wrong = torch.log1p(-said.exp().clamp(max=1 - 1e-12))
        away = at[0] ** 2 + at[1] ** 2 + 1e-2 * (at[2] - _SUREST) ** 2
        value: Tensor = -(weight * torch.where(right > 0, said, wrong)).sum() / total + 5e-4 * away
        value.backward()  # type: ignore[no-untyped-call]
        return value

    with torch.enable_grad():
        optimizer.step(loss)  # type: ignore[no-untyped-call]
    scale, shift, most = (
        round(float(value), 6) for value in (at[0].detach().exp(), at[1].detach(), at[2].detach().sigmoid())
    )
    return Calibration(scale=max(scale, 1e-6), shift=shift, most=most)


def decide(
    question: Int[Tensor, " N"], probability: Float[Tensor, " N"], questions: int
) -> tuple[Bool[Tensor, " N"], Float[Tensor, " Q"]]:
    """Which entities are answers, and for each question the probability that it has none.

    Args:
        question: the question of each entity, ascending. probability: calibrated, best first within a question.
        questions: how many questions, Q, there are.
    """
    # Rounded, so that no store, device or batch makes a difference.
    probability = (probability.double() * 10**DIGITS).round().div(10**DIGITS).clamp(max=1 - 1e-12)
    zero = probability.new_zeros(questions)
    total = zero.index_add(0, question, probability)
    none = zero.index_add(0, question, torch.log1p(-probability)).exp()
    start = torch.searchsorted(question, torch.arange(questions, device=question.device))
    place = torch.arange(len(question), device=question.device) - start[question]
    summed = probability.cumsum(0)
    before = torch.cat([summed.new_zeros(1), summed])[start]
    expected = 2 * (summed - before[question]) / (place + 1 + total[question])
    best = zero.scatter_reduce(0, question, expected, "amax")
    # The last place that is as good as the best, within rounding, so that equal entities are said together or not.
    reaches = (expected >= best[question] - 1e-9) & (best >= none)[question]
    last = torch.full((questions,), -1, device=question.device).scatter_reduce(
        0, question[reaches], place[reaches], "amax"
    )
    return place <= last[question], none
