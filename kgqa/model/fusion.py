"""Fusion of what the question alone says with what the graph says.

    logit_i = graph_i + softplus(w) question_i

graph_i: log-odds of the path score plus the slot reader's correction. question_i = <A q, mean over the relations around
entity i of B key_r>: how well the kind of thing that i is (told by the relations it has) fits the kind of answer that
the question's words ask for. The form output = model(input) + knowledge(input), with w learned.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from kgqa.model.config import ModelConfig


class Fusion(nn.Module):
    """Adds the two sides. Formula: see the module's text."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.question_side, self.graph_side = config.question_side, config.graph_side
        width = config.slot_dim
        self.asked = nn.Linear(2 * config.state_dim, width)
        self.kind = nn.Linear(config.relation_dim, width)
        self.raw_weight = nn.Parameter(torch.tensor(-1.0))

    @property
    def weight(self) -> Tensor:
        """Weight of the question's side; the graph's side has 1."""
        weight: Tensor = functional.softplus(self.raw_weight)
        return weight

    def fit(self, question: Float[Tensor, "B S2"], keys: Float[Tensor, "D K"]) -> Float[Tensor, "B D"]:
        """How well each directed relation fits the kind of answer that a question asks for: <A q, B key_r>."""
        kinds = self.kind(keys)  # [D, W]
        fit: Tensor = self.asked(question) @ kinds.T / kinds.shape[-1] ** 0.5
        return fit

    def prior(
        self,
        fit: Float[Tensor, "B D"],
        row: Int[Tensor, " M"],
        owner: Int[Tensor, " G"],
        relation: Int[Tensor, " G"],
    ) -> Float[Tensor, " M"]:
        """question_i of M entities; their relations are given as G pairs (owner: position in M, directed relation).

        The inner product with each relation is taken before the mean: [B, D] instead of [G, W].
        """
        total = fit.new_zeros(len(row)).index_add(0, owner, fit[row[owner], relation])
        count = fit.new_zeros(len(row)).index_add(0, owner, fit.new_ones(len(owner)))
        mean: Tensor = total / count.clamp(min=1)
        return mean

    def forward(self, graph: Float[Tensor, " M"], question: Float[Tensor, " M"]) -> Float[Tensor, " M"]:
        """Logits of M entities from both sides; a side that is switched off counts 0."""
        logits = torch.zeros_like(graph)
        if self.graph_side:
            logits = logits + graph
        if self.question_side:
            logits = logits + self.weight * question
        return logits
