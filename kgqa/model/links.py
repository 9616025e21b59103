"""Guessing facts that the graph lacks, from memory slots written on what lies around a node.

For a query (node u, directed relation d) and the random walks around u (``kgqa.retrieval.surroundings``), with key_r
of each relation's words as in ``kgqa.model.relations``, C channels count the walks, each by its own kind of path:

    phi_t(r, d) = softplus(V_t tanh(W key_r + U key_d))                                   [C]
    c_0 = 1 at u        c_t,v = sum over edges (x, r, v) of chance * phi_t(r, d) * c_{t-1},x

Each candidate v has a slot, which is written after each step through the same two gates as those of the frontier:

    x_t,v = tanh(X log(eps + c_t,v))
    slot_v <- read * slot_v + write * x_t,v,        read, write = sigmoid(W' [slot_v, x_t,v, key_d])

and the slots of a query are read by the multi-hop attention reader (``kgqa.model.attention``), whose question is key_d
with the mean key of the relations that u has; it gives the logit of (u, d, v) being a fact.

Path counts with learned weights of relations, generalised by message passing: Zhu et al. 2021 (neural Bellman-Ford
networks); inductive, for nothing is learned of an entity or a relation's id (Teru et al. 2020).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional
from torch_geometric.nn import MessagePassing

from kgqa.model.attention import SlotReader
from kgqa.model.config import ModelConfig
from kgqa.model.relations import directed_keys
from kgqa.model.slots import gated

STEPS = 3  # of the walks around a node whose missing facts are guessed
_LEAST = 1e-4  # a chance that counts as none


@dataclass(frozen=True)
class Step:
    """One step of the random walks of Q queries, over E edges, to V (query, node) pairs.

    Attributes:
        source: [E], position among the pairs of the step before (of the nodes walked from, at the first step).
        target: [E], position among those of this one. relation: [E], directed.
        chance: [E], 1 / facts of that relation at the source. query: [E]. size: V.
    """

    source: Int[Tensor, " E"]
    target: Int[Tensor, " E"]
    relation: Int[Tensor, " E"]
    chance: Float[Tensor, " E"]
    query: Int[Tensor, " E"]
    size: int


@dataclass(frozen=True)
class Surroundings:
    """What lies around the nodes of Q queries, and the C candidates that were met there.

    Attributes:
        asked: [Q], directed relation of each query. start: [P], the query that each node walked from belongs to.
        steps: of the walks.
        query: [C], ascending, the query of each candidate. node: [C].
        found: [T, C], position of each candidate among the pairs of each step, -1 where it wasn't met.
        facts: [C], how many facts it has of the relation asked, seen from its end.
        own_query, own_relation: [O], the relations around each query's own node.
    """

    asked: Int[Tensor, " Q"]
    start: Int[Tensor, " P"]
    steps: tuple[Step, ...]
    query: Int[Tensor, " C"]
    node: Int[Tensor, " C"]
    found: Int[Tensor, "T C"]
    facts: Int[Tensor, " C"]
    own_query: Int[Tensor, " O"]
    own_relation: Int[Tensor, " O"]


class AroundReader(MessagePassing):  # type: ignore[misc]  # torch-geometric ships no types
    """Scores candidates around nodes by slots written on the walks that met them. Formula: see the module's text.

    Args:
        told: how many numbers are told of each candidate beside its walks. steps: of the walks.
    """

    def __init__(self, config: ModelConfig, told: int, steps: int) -> None:
        super().__init__(aggr="add")
        key, slot, channels = config.relation_dim, config.slot_dim, config.link_channels
        self.config = config
        self.forward_key = nn.Linear(config.encoder_dim, key)
        self.inverse_key = nn.Linear(config.encoder_dim, key)
        self.walked = nn.Linear(key, key)
        self.asked = nn.Linear(key, key, bias=False)
        self.width = channels
        self.channels = nn.ModuleList(nn.Linear(key, channels) for _ in range(steps))
        self.taken = nn.ModuleList(nn.Linear(channels + told, slot) for _ in range(steps))
        self.gates = nn.Linear(2 * slot, 2 * slot)
        self.gates_state = nn.Linear(key, 2 * slot, bias=False)
        self.reader = SlotReader(config.model_copy(update={"state_dim": key}))
        self.usual = nn.Linear(key, 1)

    def keys(self, text: Float[Tensor, "D E"]) -> Float[Tensor, "D K"]:
        """Keys of the directed relations of one graph, from their texts."""
        return directed_keys(self.forward_key, self.inverse_key, text)

    def score(
        self,
        keys: Float[Tensor, "D K"],
        sought: Float[Tensor, "S K"],
        of_query: Int[Tensor, " Q"],
        around: Surroundings,
        told: Float[Tensor, "C N"],
        odds: Float[Tensor, " C"],
    ) -> Float[Tensor, " C"]:
        """Logits of the C candidates of Q queries.

        Args:
            keys: see ``keys``. sought: what is sought, as keys of relations are. of_query: which of it by each query.
            odds: what the candidates' log-odds are without what is around.
        """
        mixed = torch.tanh(self.walked(keys).unsqueeze(0) + self.asked(sought).unsqueeze(1))  # [S, D, K]
        asked = sought[of_query]
        by_query = self.gates_state(asked)
        count = keys.new_ones(len(asked), self.width)[around.start]
        slot = keys.new_zeros(len(around.query), self.gates.in_features // 2)
        for number, step in enumerate(around.steps):
            phi = functional.softplus(self.channels[number](mixed))[of_query[step.query], step.relation]
            count = self.propagate(
                torch.stack([step.source, step.target]),
                x=(count, None),
                phi=phi * step.chance.unsqueeze(-1),
                size=(len(count), step.size),
            )
            # One more row, of zeros, for candidates that this step didn't meet.
            here = torch.cat([count, count.new_zeros(1, count.shape[1])])[around.found[number]]
            new = torch.tanh(self.taken[number](torch.cat([torch.log(here / _LEAST + 1), told], -1) / 4))
            slot, _ = gated(slot, new, new, self.gates, by_query[around.query], self.config)
        own = keys.new_zeros(len(asked), keys.shape[1]).index_add(0, around.own_query, keys[around.own_relation])
        own = own / torch.bincount(around.own_query, minlength=len(asked)).clamp(min=1).unsqueeze(-1)
        correction, _ = self.reader(slot, around.query, odds, torch.cat([asked, own], -1))
        logits: Tensor = self.usual(asked)[around.query].squeeze(-1) + correction
        return logits

    def message(self, x_j: Tensor, phi: Tensor) -> Tensor:
        """What goes over one edge (called by ``propagate``)."""
        return x_j * phi


class LinkPredictor(AroundReader):
    """Scores candidates for missing facts: what is sought is who is at the other end of a directed relation."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config, told=1, steps=STEPS)

    def forward(self, keys: Float[Tensor, "D K"], around: Surroundings) -> Float[Tensor, " C"]:
        """Logits of the C candidates being facts. ``keys``: see ``keys``."""
        kinds, of_query = torch.unique(around.asked, return_inverse=True)
        told = torch.log1p(around.facts.to(keys.dtype)).unsqueeze(-1)
        nothing = keys.new_zeros(len(told))  # no path score: what speaks for a candidate is in its slot
        return self.score(keys, keys[kinds], of_query, around, told, nothing)
