"""Vectors that nodes have (of a text, a picture, anything) join their memory slots.

With x_i the vector of entity i, of length 1, and 0 where it has none:

    slot_i <- slot_i + W x_i            correction_i += <V q, W x_i> / sqrt(d)

so that the slot reader attends to them as to all else that is in a slot, and the question can ask for them directly. An
entity that shares its slot with others adds its part of the mean. W and V belong to no entity, so what was never seen
in training is read as well.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from kgqa.model.config import ModelConfig
from kgqa.model.slots import Memory


class NodeVectors(nn.Module):
    """Formula: see the module's text."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.to_slot = nn.Linear(config.vector_dim, config.slot_dim, bias=False)
        self.ask = nn.Linear(2 * config.state_dim, config.slot_dim)

    def forward(
        self,
        memory: Memory,
        vectors: Float[Tensor, "M X"],
        question: Float[Tensor, "B S2"],
        row: Int[Tensor, " M"],
    ) -> tuple[Memory, Float[Tensor, " M"]]:
        """The memory with the vectors of its M entities, and what these add to their corrections."""
        said = self.to_slot(functional.normalize(vectors, dim=-1))  # [M, D]
        number = torch.bincount(memory.of, minlength=len(memory.slots)).clamp(min=1)
        slots = memory.slots.index_add(0, memory.of, said / number[memory.of].unsqueeze(-1))
        fit = (self.ask(question)[row] * said).sum(-1) / said.shape[-1] ** 0.5
        return Memory(slots, memory.row, memory.of), fit
