"""What one pass of questions through the network leaves behind, and how its scores are put in order."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from kgqa.linking.topics import Linked
from kgqa.model.controller import Plan
from kgqa.model.decision import DIGITS, Calibration
from kgqa.model.encoder import TokenStates
from kgqa.model.network import Reading
from kgqa.retrieval.expander import Expander
from kgqa.retrieval.scores import Scores
from kgqa.retrieval.walk import Walk


class Stopwatch:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.add(name, time.perf_counter() - began)

    def add(self, name: str, seconds: float) -> None:
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds

    def share(self, among: int) -> None:
        """Divide all by the size of a batch, in place."""
        for name in self.seconds:
            self.seconds[name] /= among


@dataclass(frozen=True)
class Run:
    """One pass of Q questions through the network; rows are (question, topic) pairs."""

    linked: Sequence[Linked]
    row_question: Tensor
    tokens: TokenStates
    plan: Plan
    reached: Walk
    reading: Reading
    scores: Scores
    expander: Expander


@dataclass(frozen=True)
class Ranked:
    """Scores in their final order, on the CPU: by question, then best first. ``place``: 0-based within the question."""

    question: Tensor
    node: Tensor
    score: Tensor
    place: Tensor


def rank(scores: Scores, expander: Expander, calibration: Calibration, guesses: Calibration | None = None) -> Ranked:
    """Order by score, those that are equal in ``DIGITS`` digits by entity id.

    A score is the calibrated probability of being an answer.

    Args:
        calibration, guesses: see ``Scores.probability``.
    """
    return in_order(scores.question, scores.node, scores.probability(calibration, guesses), expander)


def in_order(question: Tensor, node: Tensor, score: Tensor, expander: Expander) -> Ranked:
    """Scored entities of questions as ``rank`` puts them in order; [N] each, on the expander's device."""
    tie = expander.rank(node)
    order = torch.arange(len(score), device=score.device)
    for by in (tie, -(score * 10**DIGITS).round(), question):
        order = order[torch.sort(by[order], stable=True).indices]
    asked = question[order]
    place = torch.arange(len(order), device=order.device) - torch.searchsorted(asked, asked)
    return Ranked(asked.cpu(), node[order].cpu(), score[order].cpu(), place.cpu())
