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
from kgqa.retrieval.expander import Expander, Groups, ragged
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
    expander: Expander,
    kind: Float[Tensor, "D D"],
    node: Int[Tensor, " P"],
    asked: Int[Tensor, " Q"],
    start: Int[Tensor, " P"] | None = None,
    more: Int[Tensor, " X"] | None = None,
    length: int = STEPS,
    most: int = CANDIDATES,
) -> Surroundings:
    """Walk around the nodes of Q queries, and find candidates for the other end of what they ask.

    Args:
        asked: the directed relation at whose other end the candidates stand.
        start: the query of each node, ascending; None: each has one, in order, and whoever stands there already, as
            far as the graph says, is no candidate.
        more: (query, node) keys of candidates however likely, ascending.
        length: steps of the walks. most: candidates of a query, the likeliest.
    """
    device = node.device
    own = expander.offer(node)
    by = torch.arange(len(node), device=device) if start is None else start
    key = make_key(by, node)
    mass = 1 / torch.bincount(by, minlength=len(asked))[by].float()
    position = torch.arange(len(node), device=device)
    steps: list[Step] = []
    keys: list[Tensor] = []
    masses: list[Tensor] = []
    for _ in range(length):
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
    topics = make_key(by, node)
    gone = torch.cat([topics, _known(expander, own, asked)]) if start is None else topics
    every, total = _met(keys, masses, gone)
    every = _candidates(expander, kind, asked, every, total, most, node.new_zeros(0) if more is None else more)
    found = torch.full((len(keys), len(every)), -1, device=device)
    for number, reached in enumerate(keys):
        if len(reached):
            place = torch.searchsorted(reached, every).clamp(max=len(reached) - 1)
            found[number] = torch.where(reached[place] == every, place, -1)
    query, other = key_row(every), key_node(every)
    facts = _facts(expander, other, asked[query] ^ 1)
    return Surroundings(asked, by, tuple(steps), query, other, found, facts, by[own.owner], own.relation)


def _known(expander: Expander, own: Groups, asked: Tensor) -> Tensor:
    """(query, node) keys of who stands at the other end of what is asked, as far as the graph says."""
    same = own.relation == asked[own.owner]
    edge, known = expander.expand(own.handle[same], own.count[same])
    return make_key(own.owner[same][edge], known)


def _met(keys: list[Tensor], masses: list[Tensor], gone: Tensor) -> tuple[Tensor, Tensor]:
    """Who was met, but for those at the keys ``gone``, and with how much mass at all steps together."""
    every, at = torch.unique(torch.cat(keys), return_inverse=True)
    total = masses[0].new_zeros(len(every)).index_add(0, at, torch.cat(masses))
    good = ~torch.isin(every, gone)
    return every[good], total[good]


def _candidates(
    expander: Expander, kind: Tensor, asked: Tensor, every: Tensor, total: Tensor, most: int, more: Tensor
) -> Tensor:
    """The likeliest of those met that are of a kind to stand at the other end of what is asked, and ``more``."""
    nodes, back = torch.unique(key_node(every), return_inverse=True)
    fits = fitting(expander, kind, nodes)[back, asked[key_row(every)] ^ 1]
    every, total = every[fits], total[fits]
    every = every[likeliest(key_row(every), total, most)]
    return torch.unique(torch.cat([every, more])) if len(more) else every


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
