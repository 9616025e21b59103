"""What lies around a node, from which a fact that the graph lacks can be guessed.

For each query (a node u and a directed relation d: who is at the other end?) a random walk goes out from u over
whatever relations there are: from a node it takes each of its relations, and one of that relation's facts evenly. With
c_{t-1} the chances to be somewhere after t - 1 steps,

    c_t,v = sum over edges (x, r, v) of c_{t-1},x / |facts of r at x|

(the path features of Lao & Cohen 2010, "relational retrieval using a combination of path-constrained random walks",
before relations are told apart). It is bounded: hubs are sampled, and only the likeliest nodes are gone on from.
Candidates are nodes that were met, that are of a kind to stand at the other end of d, and of which the graph doesn't
say already that they do.

What is of a kind is learned from the graph: of the nodes that have relation a, which share has b as well?
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from kgqa.model.links import STEPS, Step, Surroundings
from kgqa.retrieval.expander import Expander, ragged
from kgqa.retrieval.keys import key_node, key_row, make_key

FANOUT = 50  # facts of one relation at one node that are looked at, the first ones by entity id
KEPT = 200  # nodes of a query that are gone on from, the likeliest
CANDIDATES = 128  # of a query, the likeliest
KIND = 0.3  # a node is of a kind to have a relation if this share of those that have one of its own has it


def kinds(group_start: Int[Tensor, " N1"], group_relation: Int[Tensor, " G"], directed: int) -> Float[Tensor, "D D"]:
    """Of the nodes that have directed relation a, the share that has b; [a, b]."""
    count = group_start.diff()
    first, at = ragged(torch.repeat_interleave(group_start[:-1], count), torch.repeat_interleave(count, count))
    both = torch.bincount(group_relation[first] * directed + group_relation[at], minlength=directed * directed)
    both = both.view(directed, directed).float()
    return both / both.diagonal().clamp(min=1).unsqueeze(1)


def fitting(expander: Expander, kind: Float[Tensor, "D D"], node: Int[Tensor, " F"]) -> Bool[Tensor, "F D"]:
    """Which directed relations each node is of a kind to have."""
    groups = expander.offer(node)
    most = kind.new_zeros(len(node), len(kind))
    most.scatter_reduce_(0, groups.owner.unsqueeze(1).expand(-1, len(kind)), kind[groups.relation], "amax")
    return most >= KIND


def surroundings(
    expander: Expander, kind: Float[Tensor, "D D"], node: Int[Tensor, " Q"], asked: Int[Tensor, " Q"]
) -> Surroundings:
    """Walk around the nodes of Q queries, and find candidates for the other end of what they ask."""
    device = node.device
    own = expander.offer(node)
    key = make_key(torch.arange(len(node), device=device), node)
    mass = torch.ones(len(node), device=device)
    position = torch.arange(len(node), device=device)
    steps: list[Step] = []
    keys: list[Tensor] = []
    masses: list[Tensor] = []
    for _ in range(STEPS):
        groups = own if not steps else expander.offer(key_node(key))
        edge, target = expander.expand(groups.handle, groups.count.clamp(max=FANOUT))
        owner = groups.owner[edge]
        chance = 1 / groups.count[edge].float()
        reached, at = torch.unique(make_key(key_row(key)[owner], target), return_inverse=True)
        steps.append(Step(position[owner], at, groups.relation[edge], chance, key_row(key)[owner], len(reached)))
        keys.append(reached)
        masses.append(mass.new_zeros(len(reached)).index_add(0, at, mass[owner] * chance))
        position = likeliest(key_row(reached), masses[-1], KEPT)
        key, mass = reached[position], masses[-1][position]
    query, node_, found = _candidates(expander, kind, node, asked, keys, masses)
    facts = _facts(expander, node_, asked[query] ^ 1)
    return Surroundings(asked, tuple(steps), query, node_, found, facts, own.owner, own.relation)


def _candidates(
    expander: Expander, kind: Tensor, node: Tensor, asked: Tensor, keys: list[Tensor], masses: list[Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    every, at = torch.unique(torch.cat(keys), return_inverse=True)
    total = masses[0].new_zeros(len(every)).index_add(0, at, torch.cat(masses))
    good = key_node(every) != node[key_row(every)]
    groups = expander.offer(node)
    same = groups.relation == asked[groups.owner]
    edge, known = expander.expand(groups.handle[same], groups.count[same])
    good &= ~torch.isin(every, make_key(groups.owner[same][edge], known))
    every, total = every[good], total[good]
    nodes, back = torch.unique(key_node(every), return_inverse=True)
    fits = fitting(expander, kind, nodes)[back, asked[key_row(every)] ^ 1]
    every, total = every[fits], total[fits]
    every = every[likeliest(key_row(every), total, CANDIDATES)]
    found = torch.full((len(keys), len(every)), -1, device=node.device)
    for number, reached in enumerate(keys):
        if len(reached):
            place = torch.searchsorted(reached, every).clamp(max=len(reached) - 1)
            found[number] = torch.where(reached[place] == every, place, -1)
    return key_row(every), key_node(every), found


def likeliest(query: Tensor, mass: Tensor, most: int) -> Tensor:
    """Positions of each query's ``most`` heaviest, ascending."""
    order = torch.sort(mass, descending=True, stable=True).indices
    order = order[torch.sort(query[order], stable=True).indices]
    ordered = query[order]
    place = torch.arange(len(order), device=order.device) - torch.searchsorted(ordered, ordered)
    return order[place < most].sort().values


def _facts(expander: Expander, node: Tensor, relation: Tensor) -> Tensor:
    """How many facts of a directed relation each node has."""
    groups = expander.offer(node)
    same = groups.relation == relation[groups.owner]
    return groups.count.new_zeros(len(node)).index_add(0, groups.owner[same], groups.count[same])
