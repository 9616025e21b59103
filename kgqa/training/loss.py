"""The loss: from answers alone, no gold paths.

For a question with scored entities i of probability p_i and gold answers A:

    loss = -log( sum_{i in A} p_i / sum_i p_i )  +  1/2 BCE

the first pulls the mass to the answers, wherever they are (it finds the paths by itself), the second makes each p_i a
probability, so that a set can be decided. BCE is the mean over the entities with p_i > 0.001 and the answers. A
question made unanswerable has no gold answers and only the second term.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from kgqa.retrieval.scores import Scores
from kgqa.retrieval.walk import make_key

_TINY = 1e-6
_COUNTED = 1e-3


def gold_of(
    key: Int[Tensor, " N"], gold_question: Int[Tensor, " A"], gold_node: Int[Tensor, " A"]
) -> Bool[Tensor, " N"]:
    """Which (question, node) keys are gold answers."""
    return torch.isin(key, make_key(gold_question, gold_node))


def mass_loss(
    question: Int[Tensor, " M"], mass: Float[Tensor, " M"], gold: Bool[Tensor, " M"], questions: int
) -> Float[Tensor, " Q"]:
    """The first term, of what M entities of Q questions have got."""
    zero = mass.new_zeros(questions)
    total = zero.index_add(0, question, mass)
    right = zero.index_add(0, question[gold], mass[gold])
    return torch.log(total + _TINY) - torch.log(right + _TINY)


def answer_loss(
    scores: Scores,
    gold_question: Int[Tensor, " A"],
    gold_node: Int[Tensor, " A"],
    answerable: Bool[Tensor, " Q"],
) -> Float[Tensor, ""]:
    """Mean loss over Q questions; gold answers as (question, node) pairs.

    A question that reached none of its answers costs the most the first term can, and teaches by its second.
    """
    gold = gold_of(make_key(scores.question, scores.node), gold_question, gold_node)
    probability = scores.log_probability.exp()
    zero = probability.new_zeros(len(answerable))
    pulled = mass_loss(scores.question, probability, gold, len(answerable)) * answerable

    counted = gold | (probability.detach() > _COUNTED)
    log_not = torch.log((1 - probability[counted]).clamp(min=_TINY))
    each = torch.where(gold[counted], -scores.log_probability[counted].clamp(min=-14.0), -log_not)
    question = scores.question[counted]
    number = zero.index_add(0, question, torch.ones_like(each)).clamp(min=1)
    set_loss = zero.index_add(0, question, each) / number
    return (pulled + 0.5 * set_loss).mean()
