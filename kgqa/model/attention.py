"""The multi-hop attention reader over memory slots (Sukhbaatar et al. 2015, end-to-end memory networks).

For read hops k = 1..K, u_0 from the question:

    a_k = softmax over the row's slots of <W_k u_{k-1}, slot_i> / sqrt(d)      o_k = sum_i a_ki slot_i
    u_k = u_{k-1} + tanh(O_k o_k)

and a correction for each entity i, added to its path score:  v . relu(P slot_i + Q u_K + r f_i), slot_i the one that it
has, for itself or with others, f_i the log-odds of its path score; v starts at zero, so that training starts from the
path scores.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch_geometric.utils import softmax

from kgqa.model.config import ModelConfig


class SlotReader(nn.Module):
    """Reads slots in several attention hops. Formula: see the module's text."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        slot, state = config.slot_dim, config.state_dim
        self.start = nn.Linear(2 * state, slot)
        self.ask = nn.ModuleList(nn.Linear(slot, slot, bias=False) for _ in range(config.read_hops))
        self.take = nn.ModuleList(nn.Linear(slot, slot) for _ in range(config.read_hops))
        self.from_slot = nn.Linear(slot, slot)
        self.from_read = nn.Linear(slot, slot, bias=False)
        self.from_score = nn.Linear(1, slot, bias=False)
        self.out = nn.Linear(slot, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(
        self,
        slots: Float[Tensor, "S D"],
        row: Int[Tensor, " S"],
        odds: Float[Tensor, " M"],
        question: Float[Tensor, "B S2"],
        of: Int[Tensor, " M"] | None = None,
    ) -> tuple[Float[Tensor, " M"], Float[Tensor, "K S"]]:
        """Corrections of M entities, and the slots' attention weights at the K read hops (each sums to 1 over a row).

        Args:
            row: of each slot. of: the slot of each entity; None: each has its own, in the same order.
        """
        read = self.start(question)  # [B, D]
        weights = []
        for ask, take in zip(self.ask, self.take, strict=True):
            scores = (ask(read)[row] * slots).sum(-1) / slots.shape[-1] ** 0.5
            weight = softmax(scores, row, num_nodes=len(read))
            weights.append(weight)
            got = torch.zeros_like(read).index_add(0, row, weight.unsqueeze(-1) * slots)
            read = read + torch.tanh(take(got))
        said = self.from_slot(slots) + self.from_read(read)[row]
        hidden = (said if of is None else said[of]) + self.from_score(odds.unsqueeze(-1) / 10)
        return self.out(torch.relu(hidden)).squeeze(-1), torch.stack(weights)
