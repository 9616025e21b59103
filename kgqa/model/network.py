"""The whole reader network, put together: controller, relation scorer, slot writer, slot reader, fusion.

It takes tensors and gives tensors; the walk over a graph that feeds it hop by hop is ``kgqa.retrieval.walk``.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from kgqa.model.answers import AnswerPredictor
from kgqa.model.attention import SlotReader
from kgqa.model.config import ModelConfig
from kgqa.model.controller import Controller, Plan, softened
from kgqa.model.encoder import TokenStates
from kgqa.model.fusion import Fusion
from kgqa.model.links import LinkPredictor
from kgqa.model.relations import RelationScorer, RelationTable
from kgqa.model.slots import Memory, SlotWriter
from kgqa.model.topic import TopicScorer
from kgqa.model.vectors import NodeVectors

EPSILON = 1e-6


def log_odds(mass: Tensor) -> Tensor:
    """log(m / (1 - m)) for m in [0, 1], finite at both ends (about +-13.8)."""
    return torch.log(mass + EPSILON) - torch.log1p(EPSILON - mass)


@dataclass(frozen=True)
class Reading:
    """Scores of M reached entities.

    Attributes:
        logits: [M], fused; their sigmoid is the probability of being an answer.
        path: [M], log-odds of the path score. graph: [M], the graph's side: that and what the slots make of it.
        question: [M], the question's side, before its weight. fit: [B, D], how well each directed relation fits the
            kind of answer asked for; D = 0 without the question's side.
        attention: [K, S], the slot reader's weights at each read hop; K = 0 without slots.
        of_kind: [M], whether each is of the kind of thing that is asked for: 1, or -1, or 0 if that isn't known;
            None: no question says what it asks for.
    """

    logits: Float[Tensor, " M"]
    path: Float[Tensor, " M"]
    graph: Float[Tensor, " M"]
    question: Float[Tensor, " M"]
    fit: Float[Tensor, "B D"]
    attention: Float[Tensor, "K S"]
    of_kind: Int[Tensor, " M"] | None = None


class ReaderNetwork(nn.Module):
    """All that is learned. No parameter belongs to an entity or to a relation's id."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.controller = Controller(config)
        self.relations = RelationScorer(config)
        self.writer = SlotWriter(config)
        self.reader = SlotReader(config)
        self.fusion = Fusion(config)
        self.topic = TopicScorer(config)
        self.links = LinkPredictor(config) if config.guesses else None
        self.answers = AnswerPredictor(config) if config.guesses and config.around else None
        self.vectors = NodeVectors(config) if config.vector_dim else None

    @property
    def device(self) -> torch.device:
        return self.relations.cosine_weight.device

    def plan(self, tokens: TokenStates) -> Plan:
        """What the question alone says; see ``Controller``.

        Args:
            tokens: with words by themselves as the network reads them, see ``Encoder.reading``.
        """
        plan: Plan = self.controller(tokens.states, tokens.mask, tokens.words)
        return plan

    def follow(
        self,
        plan: Plan,
        hop: int,
        table: RelationTable,
        offered: Bool[Tensor, "B D"],
        part: Int[Tensor, " D"] | None = None,
        frozen: Bool[Tensor, " B"] | None = None,
        *,
        soften: bool = False,
    ) -> Float[Tensor, "B D"]:
        """Weights of the directed relations on each row's frontier at hop ``hop``.

        They and the weight of "none of these", which isn't returned, sum to 1. In ``frozen`` rows, how relations score
        isn't learned, only when to take none. With ``soften``, the weights are spread, see ``softened``. ``part``: see
        ``RelationScorer.choose``.
        """
        logits = self.relations(plan, hop, table)
        if frozen is not None:
            scores = torch.where(frozen.unsqueeze(-1), logits[:, :-1].detach(), logits[:, :-1])
            logits = torch.cat([scores, logits[:, -1:]], -1)
        logits, allowed = self.relations.choose(logits, offered, part)
        if soften:
            logits = softened(logits, allowed)
        weights: Tensor = logits.masked_fill(~allowed, float("-inf")).softmax(-1)
        return weights[:, :-1]

    def read(
        self,
        plan: Plan,
        table: RelationTable,
        row: Int[Tensor, " M"],
        mass: Float[Tensor, " M"],
        memory: Memory | None,
        owner: Int[Tensor, " G"],
        relation: Int[Tensor, " G"],
        vectors: Float[Tensor, "M X"] | None = None,
    ) -> Reading:
        """Score the M entities that B rows have reached.

        Args:
            row: the row of each reached entity. mass: its path score in [0, 1]. memory: the slots; None without.
            owner, relation: the relations around each reached entity (position in M, directed relation).
            vectors: those that the entities have, 0 where one has none; for a network that reads them.
        """
        question = torch.cat([plan.pooled, plan.state[:, -1]], -1)
        odds = log_odds(mass)
        graph, attention = odds, odds.new_zeros(0, len(odds))
        if memory is not None:
            if self.vectors is not None and vectors is not None:
                memory, fit = self.vectors(memory, vectors, question, row)
                graph = graph + fit
            correction, attention = self.reader(memory.slots, memory.row, odds, question, memory.of)
            graph = graph + correction
        prior, kind = torch.zeros_like(odds), question.new_zeros(len(question), 0)
        if self.config.question_side:
            kind = self.fusion.fit(question, table.key)
            prior = self.fusion.prior(kind, row, owner, relation)
        return Reading(self.fusion(graph, prior), odds, graph, prior, kind, attention)
