"""Metrics over every question: one that wasn't linked or found nothing counts as wrong, never as left out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from kgqa.answering.run import Ranked
from kgqa.retrieval.walk import make_key


@dataclass(frozen=True)
class QuestionScores:
    """Per question, [Q] each, in [0, 1].

    ``hits_at_1``: whether the best-ranked entity is a gold answer; precision, recall and F1 of the decided set;
    ``exact``: whether that set is the gold one.
    """

    hits_at_1: Tensor
    precision: Tensor
    recall: Tensor
    f1: Tensor
    exact: Tensor

    def means(self, chosen: Bool[Tensor, " Q"]) -> dict[str, float]:
        """Means over the questions ``chosen``."""
        names = ("hits_at_1", "precision", "recall", "f1", "exact")
        return {name: float(getattr(self, name)[chosen].mean()) for name in names}


def score_questions(
    ranked: Ranked,
    threshold: float,
    gold_question: Int[Tensor, " A"],
    gold_node: Int[Tensor, " A"],
    gold_count: Int[Tensor, " Q"],
) -> QuestionScores:
    """Compare rankings with gold answers.

    Args:
        ranked: scored entities in their final order. threshold: from which probability on one is an answer.
        gold_question, gold_node: gold answers that are in the graph. gold_count: all gold answers of each question.

    An empty set has precision 0 (no question here has an empty gold set).
    """
    questions = len(gold_count)
    gold = torch.isin(make_key(ranked.question, ranked.node), make_key(gold_question, gold_node))
    said = ranked.score >= threshold
    zero = torch.zeros(questions, dtype=torch.float64)

    def count(of: Tensor) -> Tensor:
        return zero.index_add(0, ranked.question[of], torch.ones(int(of.sum()), dtype=torch.float64))

    number, right = count(said), count(said & gold)
    precision = right / number.clamp(min=1)
    recall = right / gold_count.clamp(min=1)
    f1 = 2 * right / (number + gold_count).clamp(min=1)
    exact = ((right == number) & (right == gold_count)).double()
    return QuestionScores(count(gold & (ranked.place == 0)), precision, recall, f1, exact)
