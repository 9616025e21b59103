"""From an answer back to a topic: the chain of facts that carried the most mass.

An answer's last hop is the one that gave it the most, argmax_t stop_t mass_t. From there back, each step takes the edge
that brought the most mass; of edges equal to 5 digits, the one whose source comes first by entity id, then by relation.
That rule doesn't depend on the store or on the batch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from kgqa.model.controller import Plan
from kgqa.retrieval.expander import Expander
from kgqa.retrieval.keys import key_node, key_row
from kgqa.retrieval.walk import Hop, Walk


@dataclass(frozen=True)
class Chains:
    """One chain of facts for each of A answers, on the CPU.

    Attributes:
        length: [A], hops of each chain, 0 if none leads there.
        source, relation, target: [A, T], node, directed relation, node of each step; step 0 leaves the topic.
        weight: [A, T], weight of the step's relation at its hop.
        guessed: [A, T], whether the step's fact is a guess.
    """

    length: Int[Tensor, " A"]
    source: Int[Tensor, "A T"]
    relation: Int[Tensor, "A T"]
    target: Int[Tensor, "A T"]
    weight: Float[Tensor, "A T"]
    guessed: Bool[Tensor, "A T"]

    def only(self, some: Bool[Tensor, " A"]) -> Chains:
        """Those of ``some``; the others have none."""
        return replace(self, length=torch.where(some, self.length, 0))


@torch.no_grad()
def trace(reached: Walk, plan: Plan, expander: Expander, key: Int[Tensor, " A"], *, supposed: bool = False) -> Chains:
    """Chains of the (row, node) pairs ``key``, traced back through the hops of a walk.

    Args:
        supposed: let chains lead over guessed facts; else what is reached by those alone has none.
    """
    count, hops = len(key), len(reached.hops)
    best = torch.zeros(count, device=key.device)
    length = torch.zeros(count, dtype=torch.int64, device=key.device)
    for number, hop in enumerate(reached.hops):
        if not len(hop.key):
            continue
        at, there = _find(hop.key, key)
        if not supposed:
            there &= hop.proven[at]
        gain = torch.where(there, plan.stop[key_row(key), number] * hop.mass[at], 0.0)
        # A later hop has to be better by more than rounding.
        better = gain > best + 1e-6
        best, length = torch.where(better, gain, best), torch.where(better, number + 1, length)

    steps = [torch.zeros(count, max(hops, 1), dtype=torch.int64, device=key.device) for _ in range(3)]
    weight = torch.zeros(count, max(hops, 1), device=key.device)
    guessed = torch.zeros(count, max(hops, 1), dtype=torch.bool, device=key.device)
    here = key.clone()
    for number in reversed(range(hops)):
        hop = reached.hops[number]
        active = torch.nonzero(length > number).squeeze(-1)
        if not len(active):
            continue
        at, _ = _find(hop.key, here[active])
        group = hop.edge_group[_best_edges(hop, expander, at, supposed=supposed)]
        source = hop.source_key[group]
        steps[0][active, number] = key_node(source)
        steps[1][active, number] = hop.relation[group]
        steps[2][active, number] = key_node(here[active])
        guessed[active, number] = hop.guessed[group]
        weight[active, number] = hop.weights[key_row(source), hop.relation[group]]
        here[active] = source
    return Chains(length.cpu(), steps[0].cpu(), steps[1].cpu(), steps[2].cpu(), weight.cpu(), guessed.cpu())


def _find(keys: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Positions of ``wanted`` in ascending ``keys``, of which there is one at least, and whether they are there."""
    at = torch.searchsorted(keys, wanted).clamp(max=len(keys) - 1)
    return at, keys[at] == wanted


def _best_edges(hop: Hop, expander: Expander, at: Tensor, *, supposed: bool) -> Tensor:
    """For each reached position, the edge that brought the most."""
    wanted = torch.zeros(len(hop.key), dtype=torch.bool, device=at.device)
    wanted[at] = True
    counted = wanted[hop.edge_target]
    if not supposed:
        counted &= hop.proving[hop.edge_group]
    edges = torch.nonzero(counted).squeeze(-1)
    group = hop.edge_group[edges]
    rank = expander.rank(key_node(hop.source_key[group]))
    order = torch.arange(len(edges), device=at.device)
    for by in (hop.relation[group], rank, -(hop.weight[group] * 1e5).round(), hop.edge_target[edges]):
        order = order[torch.sort(by[order], stable=True).indices]
    ordered = hop.edge_target[edges[order]]
    return edges[order[torch.searchsorted(ordered, at)]]
