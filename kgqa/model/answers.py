"""Guessing an answer from what lies around the topic, where neither facts nor a chain of guessed facts lead to one.

What a whole way leads to is often implied though no hop of it is there: of a film whose director isn't known, the
genres of its director's other films are likely its own. So the slots of ``kgqa.model.links`` are read once more, with
the planned way as what is sought instead of a single relation,

    sought = sum_t going_t P_t sum_r softmax_r(logit_t(r)) key_r

(logit_t(r): how well directed relation r fits hop t of the question's plan; going_t: the probability that this hop is
taken; P_t: learned, one for each place), and of each candidate v beside its walks

    how many facts of the last relation lead to it, whatever the question, and the reader's log-odds of it: by facts,
    and with guessed facts (of one that wasn't reached: those of ``LEAST``).

The walks go two steps further than the longest way of a question: round a hop that is missing, over three that aren't.
Inductive, as the link predictor is: nothing is learned of an entity or a relation's id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from kgqa.model.config import ModelConfig
from kgqa.model.links import AroundReader, Surroundings

LEAST = -12.0  # log probability from which on one counts, and that of what wasn't reached
DETOUR = 2  # steps of the walks beyond a question's longest way
_MOST = -1e-4  # above, none is told apart


@dataclass(frozen=True)
class Sought:
    """What Q questions seek around their topics.

    Attributes:
        logits: [Q, T, D], how well each directed relation fits each hop. going: [Q, T], probability of each hop.
        last: [Q], the directed relation that the likeliest hop to be the last one most likely follows.
        topic_query, topic_node: [P], the topics, by question, ascending.
        key: [X], (question, node) of the entities that were reached, ascending. facts, guesses: [X], their log
            probabilities by facts, and with guessed facts.
    """

    logits: Float[Tensor, "Q T D"]
    going: Float[Tensor, "Q T"]
    last: Int[Tensor, " Q"]
    topic_query: Int[Tensor, " P"]
    topic_node: Int[Tensor, " P"]
    key: Int[Tensor, " X"]
    facts: Float[Tensor, " X"]
    guesses: Float[Tensor, " X"]


class AnswerPredictor(AroundReader):
    """Scores candidates for an answer. Formula: see the module's text.

    Attributes:
        taught: 1 once it has learned; before, nothing may be guessed by it. [], kept with the weights.
    """

    taught: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config, told=3, steps=config.max_hops + DETOUR)
        key = config.relation_dim
        self.register_buffer("taught", torch.zeros(()))
        self.place = nn.ModuleList(nn.Linear(key, key, bias=False) for _ in range(config.max_hops))

    def forward(
        self, keys: Float[Tensor, "D K"], around: Surroundings, sought: Sought, candidate: Int[Tensor, " C"]
    ) -> Float[Tensor, " C"]:
        """Logits of the C candidates being answers.

        Args:
            keys: see ``AroundReader.keys``. candidate: their (question, node) keys.
        """
        meant = sought.logits.softmax(-1) @ keys  # [Q, T, K]
        hops: Sequence[Tensor] = [
            going.unsqueeze(-1) * place(key)
            for going, place, key in zip(sought.going.unbind(1), self.place, meant.unbind(1), strict=True)
        ]
        way = torch.stack(list(hops)).sum(0)
        facts, guesses = (_odds(sought.key, found, candidate) for found in (sought.facts, sought.guesses))
        told = torch.stack([torch.log1p(around.facts.to(keys.dtype)), facts / 3, guesses / 3], -1)
        return self.score(keys, way, torch.arange(len(way), device=way.device), around, told, guesses)


def _odds(key: Tensor, log_probability: Tensor, wanted: Tensor) -> Tensor:
    """Log-odds of the (question, node) keys wanted, from the log probabilities of those at ascending keys."""
    found = log_probability.new_full((len(wanted),), LEAST)
    if len(key):
        place = torch.searchsorted(key, wanted).clamp(max=len(key) - 1)
        found = torch.where(key[place] == wanted, log_probability[place].clamp(LEAST, _MOST), found)
    return found - torch.log(-torch.expm1(found))
