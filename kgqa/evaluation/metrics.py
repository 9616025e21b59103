"""Metrics over every question: one that wasn't linked or found nothing counts as wrong, never as left out.

For a question with gold answers A, decided set S and ranking r_1, r_2, ... (docs/reference/json.md names them all):

hits_at_1    1 if r_1 is in A (Hits@1 *in set*, as most of the literature reports it)
listed_at_1  1 if r_1 is the one answer that the set lists first (what IRN, Zhou et al. 2018, may report); sets that
             list none have no such figure
mrr          1 / (place of the first of A in r), 0 if none is ranked (Voorhees, TREC-8 1999)
precision    |S & A| / |S|, 0 if S is empty
recall       |S & A| / |A|
f1           2 |S & A| / (|S| + |A|)
exact        1 if S = A

A question without gold answers is right if and only if S is empty: all of these are then 1, else 0 (as SQuAD 2.0,
Rajpurkar et al. 2018, scores questions without an answer); listed_at_1 is not defined for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan

import torch
from jaxtyping import Bool, Float64, Int
from torch import Tensor

from kgqa.answering.run import Ranked
from kgqa.retrieval.keys import make_key

METRICS = ("hits_at_1", "listed_at_1", "mrr", "precision", "recall", "f1", "exact")


@dataclass(frozen=True)
class QuestionScores:
    """Per question, [Q] each, in [0, 1]; see the module's text. ``listed_at_1`` is nan where the set lists no answer.

    ``confidence``: the best score in the ranking, 0 if nothing is ranked: how sure the reader is of its first answer,
    and of there being one.
    """

    hits_at_1: Float64[Tensor, " Q"]
    listed_at_1: Float64[Tensor, " Q"]
    mrr: Float64[Tensor, " Q"]
    precision: Float64[Tensor, " Q"]
    recall: Float64[Tensor, " Q"]
    f1: Float64[Tensor, " Q"]
    exact: Float64[Tensor, " Q"]
    confidence: Float64[Tensor, " Q"]

    def means(self, chosen: Bool[Tensor, " Q"]) -> dict[str, float]:
        """Means over the questions ``chosen``; ``listed_at_1`` over those that list an answer, if any does."""
        found = {name: float(getattr(self, name)[chosen].nanmean()) for name in METRICS}
        return {name: value for name, value in found.items() if name != "listed_at_1" or not isnan(value)}


def score_questions(
    ranked: Ranked,
    said: Bool[Tensor, " N"],
    gold_question: Int[Tensor, " A"],
    gold_node: Int[Tensor, " A"],
    gold_count: Int[Tensor, " Q"],
    listed_node: Int[Tensor, " Q"] | None = None,
) -> QuestionScores:
    """Compare rankings with gold answers.

    Args:
        ranked: scored entities in their final order. said: which of them are given as answers.
        gold_question, gold_node: gold answers that are in the graph. gold_count: all gold answers of each question.
        listed_node: the answer that the set lists first; -1: it isn't in the graph, -2: the set lists none. None: no
            question lists one.
    """
    questions = len(gold_count)
    gold = torch.isin(make_key(ranked.question, ranked.node), make_key(gold_question, gold_node))
    first = ranked.place == 0
    zero = torch.zeros(questions, dtype=torch.float64)

    def count(of: Tensor) -> Tensor:
        return zero.index_add(0, ranked.question[of], torch.ones(int(of.sum()), dtype=torch.float64))

    number, right = count(said), count(said & gold)
    reciprocal = zero.scatter_reduce(0, ranked.question[gold], 1 / (ranked.place[gold] + 1).double(), "amax")
    listed = torch.full_like(gold_count, -2) if listed_node is None else listed_node
    confidence = zero.index_add(0, ranked.question[first], ranked.score[first].double())
    none = gold_count == 0
    silent = (number == 0).double()

    def score(value: Tensor) -> Tensor:
        return torch.where(none, silent, value)

    return QuestionScores(
        hits_at_1=score(count(gold & first)),
        listed_at_1=count(first & (ranked.node == listed[ranked.question])).masked_fill(listed == -2, torch.nan),
        mrr=score(reciprocal),
        precision=score(right / number.clamp(min=1)),
        recall=score(right / gold_count.clamp(min=1)),
        f1=score(2 * right / (number + gold_count).clamp(min=1)),
        exact=score(((right == number) & (right == gold_count)).double()),
        confidence=confidence,
    )
