"""Memory slots: one for each entity a row has reached, written by message passing through a read and a write gate.

A group g is one (source entity, directed relation) of a row's frontier with weight w_g; its edges end in entities v:

    message_g = relu(W_s slot_source + W_r key_relation + W_h s_t)
    m_v = sum_{g -> v} w_g message_g / sum_{g -> v} w_g
    read  = sigmoid(W [slot_v, m_v, s_t])        write = sigmoid(U [slot_v, m_v, s_t])
    slot_v <- read * slot_v + write * tanh(m_v)

with s_t the controller's state at this hop, and slot_v = 0 where v was not reached before.

With a budget of n slots a row, the n - 1 entities that the most mass came to keep a slot each, and all others share the
last one, the mean of theirs by mass (``compressed``). They still have a path score each. Message passing after Gilmer
et al. 2017; a gate that forgets and one that writes after Hochreiter & Schmidhuber 1997 and gated graph networks
(Li et al. 2016).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch_geometric.nn import MessagePassing

from kgqa.model.config import ModelConfig


@dataclass(frozen=True)
class Gates:
    """How far each written slot was kept and overwritten at one hop; [V, D] each, in [0, 1]."""

    read: Float[Tensor, "V D"]
    write: Float[Tensor, "V D"]


def gated(
    old: Float[Tensor, "V D"],
    said: Float[Tensor, "V D"],
    written: Float[Tensor, "V D"],
    gates: nn.Linear,
    by_state: Float[Tensor, "V D2"],
    config: ModelConfig,
) -> tuple[Float[Tensor, "V D"], Gates]:
    """read * old + write * written; the gates come from what was there, what is ``said``, and a state, or are 1."""
    read, write = (gates(torch.cat([old, said], -1)) + by_state).sigmoid().chunk(2, -1)
    if not config.read_gate:
        read = torch.ones_like(read)
    if not config.write_gate:
        write = torch.ones_like(write)
    return read * old + write * written, Gates(read, write)


@dataclass(frozen=True)
class Memory:
    """S memory slots.

    Attributes:
        slots: [S, D]. row: [S], the row of each, ascending. of: [M], the slot of each entity reached.
    """

    slots: Float[Tensor, "S D"]
    row: Int[Tensor, " S"]
    of: Int[Tensor, " M"]


def compressed(memory: Memory, weight: Float[Tensor, " M"], rank: Int[Tensor, " M"], budget: int) -> Memory:
    """A memory in which each entity has its own slot, brought down to at most ``budget`` slots a row.

    Args:
        weight: which entities keep their own slots, the heaviest; of those equal to 5 digits, the ones of lowest rank.
    """
    slots, row, weight = memory.slots, memory.row, weight.detach()
    count = torch.bincount(row)
    first = count.cumsum(0) - count
    place = torch.arange(len(row), device=row.device) - first[row]
    large = torch.nonzero(count[row] > budget).squeeze(-1)  # only these rows are put in order
    # By weight, then by rank, in one number: weights of 5 digits have 17 bits.
    by = ((1 - weight[large].clamp(0, 1)) * 1e5).round().long() << 32 | rank[large]
    order = large[torch.sort(by).indices]
    order = order[torch.sort(row[order], stable=True).indices]
    place[order] = place[large]
    of_row = count.clamp(max=budget)
    of = (of_row.cumsum(0) - of_row)[row] + place.clamp(max=budget - 1)
    shared = (place >= budget - 1) & (count[row] > budget)
    kept = slots.new_zeros(int(of_row.sum()), slots.shape[1])
    kept = kept.index_add(0, of[~shared], slots[~shared])
    share, at = weight[shared] + 1e-12, of[shared]
    total = share.new_zeros(len(kept)).index_add(0, at, share)
    kept = kept.index_add(0, at, (share / total[at]).unsqueeze(-1) * slots[shared])
    return Memory(kept, torch.repeat_interleave(torch.arange(len(count), device=row.device), of_row), of)


class SlotWriter(MessagePassing):  # type: ignore[misc]  # torch-geometric ships no types
    """Writes one hop's frontier into slots. Formula: see the module's text."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(aggr="add")
        slot, state = config.slot_dim, config.state_dim
        self.config = config
        self.topic = nn.Parameter(torch.randn(slot) * 0.1)
        self.from_slot = nn.Linear(slot, slot, bias=False)
        self.from_relation = nn.Linear(config.relation_dim, slot)
        self.from_state = nn.Linear(state, slot, bias=False)
        self.gates = nn.Linear(2 * slot, 2 * slot)
        self.gates_state = nn.Linear(state, 2 * slot, bias=False)

    def forward(
        self,
        source: Float[Tensor, "G D"],
        key: Float[Tensor, "G K"],
        group_row: Int[Tensor, " G"],
        weight: Float[Tensor, " G"],
        edge_group: Int[Tensor, " M"],
        edge_target: Int[Tensor, " M"],
        old: Float[Tensor, "V D"],
        target_row: Int[Tensor, " V"],
        state: Float[Tensor, "B S"],
    ) -> tuple[Float[Tensor, "V D"], Gates]:
        """Slots of the V entities reached at this hop.

        Args:
            source: slots of the groups' source entities.
            key: keys of the groups' relations.
            group_row, target_row: the row in the batch of each group and of each reached entity.
            weight: mass that goes over each edge of a group.
            edge_group, edge_target: for each edge, its group and the reached entity, as positions.
            old: slots of the reached entities before this hop, 0 where there were none.
            state: the controller's states at this hop.
        """
        by_row = self.from_state(state)
        message = torch.relu(self.from_slot(source) + self.from_relation(key) + by_row[group_row])
        # One extra column carries the weights themselves, so that one pass sums both numerator and denominator.
        carried = torch.cat([message, message.new_ones(len(message), 1)], -1) * weight.unsqueeze(-1)
        summed = self.propagate(torch.stack([edge_group, edge_target]), x=(carried, old), size=(len(carried), len(old)))
        mean = summed[:, :-1] / summed[:, -1:].clamp(min=1e-6)
        by_row = self.gates_state(state)[target_row]
        return gated(old, mean, torch.tanh(mean), self.gates, by_row, self.config)

    def message(self, x_j: Tensor) -> Tensor:
        """What goes over one edge: its group's weighted message (called by ``propagate``)."""
        return x_j
