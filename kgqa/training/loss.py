"""The loss: from answers alone, no gold paths.

For a question with scored entities i of probability p_i and gold answers A:

    loss = log( sum_i p_i ) - log( sum_{i in A} p_i )  +  1/2 BCE

the first pulls the mass to the answers, wherever they are (it finds the paths by itself), the second makes each p_i a
probability, so that a set can be decided. BCE is the mean over the entities with p_i > 0.001 and the answers. A
question made unanswerable has no gold answers and only the second term, and so has one that reached none of its own.

Both are taken of log p_i (log-sum-exp; the answers' part of the BCE is log p_i itself), so that they pull no less where
every p_i is next to nothing: an epsilon in the logarithms, or a floor under log p_i, would make it free to say nothing
at all, and a reader that comes from another graph would end there. For the same reason log (1 - p) has no floor: what
is surely wrong would be pulled at by nothing.

And where an answer was reached,

    - 0.2 sum_t going_t log(1 - none_t)

with going_t = stop_t + stop_t+1 + ..., not learned through, and none_t what "none of these" takes at hop t. All else
compares the entities of one question, and the slots can make up for mass that all of them lack. So without this, "none
of these" is only ever pushed up, by the questions that have no answer, and ends up taking nearly everything everywhere:
answers then have no path that carries any weight, and what the graph lacks can't be told from what it has.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from kgqa.retrieval.keys import make_key
from kgqa.retrieval.scores import Scores

_SURE = 1e-30  # least -log p: below, log (1 - p) isn't finite
_COUNTED = 1e-3


def gold_of(
    key: Int[Tensor, " N"], gold_question: Int[Tensor, " A"], gold_node: Int[Tensor, " A"]
) -> Bool[Tensor, " N"]:
    """Which (question, node) keys are gold answers."""
    return torch.isin(key, make_key(gold_question, gold_node))


def mass_loss(
    question: Int[Tensor, " M"], log_mass: Float[Tensor, " M"], gold: Bool[Tensor, " M"], questions: int
) -> tuple[Float[Tensor, " Q"], Bool[Tensor, " Q"]]:
    """The first term, of what M entities of Q questions have got, and which questions have reached a gold answer.

    It is 0 for the others. ``log_mass`` is finite.
    """
    found = torch.zeros(questions, dtype=torch.bool, device=question.device)
    found[question[gold]] = True
    whole = log_sum_exp(question, log_mass, questions)
    right = log_sum_exp(question[gold], log_mass[gold], questions)
    return torch.where(found, whole - right, 0.0), found


def log_sum_exp(question: Int[Tensor, " M"], value: Float[Tensor, " M"], questions: int) -> Float[Tensor, " Q"]:
    """log sum exp over each question's values; 0 where there are none."""
    some = torch.bincount(question, minlength=questions) > 0
    most = value.new_zeros(questions).scatter_reduce(0, question, value.detach(), "amax", include_self=False)
    total = value.new_zeros(questions).index_add(0, question, torch.exp(value - most[question]))
    return torch.log(torch.where(some, total, 1.0)) + most


def answer_loss(
    scores: Scores,
    gold_question: Int[Tensor, " A"],
    gold_node: Int[Tensor, " A"],
    answerable: Bool[Tensor, " Q"],
) -> Float[Tensor, ""]:
    """Mean loss over Q questions; gold answers as (question, node) pairs."""
    gold = gold_of(make_key(scores.question, scores.node), gold_question, gold_node)
    probability = scores.log_probability.exp()
    zero = probability.new_zeros(len(answerable))
    pulled, _ = mass_loss(scores.question, scores.log_probability, gold, len(answerable))

    counted = gold | (probability.detach() > _COUNTED)
    log_p = scores.log_probability[counted]
    log_not = torch.log(-torch.expm1(log_p.clamp(max=-_SURE)))
    each = torch.where(gold[counted], -log_p, -log_not)
    question = scores.question[counted]
    number = zero.index_add(0, question, torch.ones_like(each)).clamp(min=1)
    set_loss = zero.index_add(0, question, each) / number
    return (pulled * answerable + 0.5 * set_loss).mean()


def none_loss(
    going: Float[Tensor, "B T"], taken: Sequence[Float[Tensor, " B"]], answered: Bool[Tensor, " B"]
) -> Float[Tensor, ""]:
    """The last term without its weight: the mean over B rows of what "none of these" costs the answered ones.

    Args:
        going: probability that hop t is taken at all. taken: 1 - none_t of each hop that was; 0 in rows without it.
    """
    going = going.detach()
    total = going.new_zeros(())
    for hop, heard in enumerate(taken):
        counted = answered & (heard > _SURE)
        total = total - (going[counted, hop] * heard[counted].log()).sum()
    return total / max(len(going), 1)
