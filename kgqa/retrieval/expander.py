"""Where the walk gets its facts: the same two calls, answered by a snapshot's arrays or by a live store.

Nodes are int64 tensors of dense indices that mean something to one expander only.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from graph_schema import GraphReader, Group
from kgqa.stores.snapshot import Snapshot


@dataclass(frozen=True)
class Groups:
    """(node, directed relation) pairs on a frontier of F nodes.

    Attributes:
        owner: [G], position in the frontier, ascending. relation: [G], directed relation, ascending within an owner.
        count: [G], facts in the group. handle: [G], what ``expand`` is to be given for the group.
    """

    owner: Int[Tensor, " G"]
    relation: Int[Tensor, " G"]
    count: Int[Tensor, " G"]
    handle: Int[Tensor, " G"]


@runtime_checkable
class Expander(Protocol):
    """Answers a walk's questions about the graph. ``seconds`` is the time spent answering."""

    seconds: float

    @property
    def relations(self) -> tuple[str, ...]: ...

    @property
    def device(self) -> torch.device: ...

    def nodes(self, ids: Sequence[str]) -> Int[Tensor, " F"]:
        """Nodes of entity ids that the store is known to have."""

    def offer(self, node: Int[Tensor, " F"]) -> Groups:
        """The relations around each node; nodes may repeat."""

    def expand(
        self, handle: Int[Tensor, " G"], limit: Int[Tensor, " G"]
    ) -> tuple[Int[Tensor, " M"], Int[Tensor, " M"]]:
        """The first ``limit`` neighbours, by ascending entity id, of each group: (position in ``handle``, node)."""

    def rank(self, node: Int[Tensor, " F"]) -> Int[Tensor, " F"]:
        """Numbers that order nodes as their entity ids do."""

    def ids(self, node: Int[Tensor, " F"]) -> list[str]:
        """Entity ids of nodes."""


def ragged(start: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """Positions start_i .. start_i + count_i - 1 of all i, joined: (which i, position), both [sum count]."""
    owner = torch.repeat_interleave(torch.arange(len(count), device=count.device), count)
    before = count.cumsum(0) - count
    return owner, (start - before)[owner] + torch.arange(len(owner), device=count.device)


class SnapshotExpander:
    """Answers from a snapshot's arrays, on any device, without a Python loop over nodes."""

    def __init__(self, snapshot: Snapshot, device: str | torch.device = "cpu") -> None:
        self.snapshot = snapshot
        self.seconds = 0.0
        self._device = torch.device(device)

        def load(array: np.ndarray) -> Tensor:
            # A copy: the arrays may be memory-mapped read-only, which torch can't hold.
            return torch.from_numpy(np.array(array)).to(self._device)

        self.group_start, self.group_relation = load(snapshot.group_start), load(snapshot.group_relation).long()
        self.edge_start, self.edge_target = load(snapshot.edge_start), load(snapshot.edge_target)

    @property
    def relations(self) -> tuple[str, ...]:
        return self.snapshot.relations()

    @property
    def device(self) -> torch.device:
        return self._device

    def nodes(self, ids: Sequence[str]) -> Int[Tensor, " F"]:
        return torch.from_numpy(self.snapshot.index_of(ids)).to(self._device)

    def offer(self, node: Int[Tensor, " F"]) -> Groups:
        began = time.perf_counter()
        start = self.group_start[node]
        owner, handle = ragged(start, self.group_start[node + 1] - start)
        count = self.edge_start[handle + 1] - self.edge_start[handle]
        found = Groups(owner, self.group_relation[handle], count, handle)
        self.seconds += time.perf_counter() - began
        return found

    def expand(
        self, handle: Int[Tensor, " G"], limit: Int[Tensor, " G"]
    ) -> tuple[Int[Tensor, " M"], Int[Tensor, " M"]]:
        began = time.perf_counter()
        start = self.edge_start[handle]
        group, position = ragged(start, torch.minimum(self.edge_start[handle + 1] - start, limit))
        found = group, self.edge_target[position].long()
        self.seconds += time.perf_counter() - began
        return found

    def rank(self, node: Int[Tensor, " F"]) -> Int[Tensor, " F"]:
        return node

    def ids(self, node: Int[Tensor, " F"]) -> list[str]:
        return self.snapshot.ids_of(node.cpu().numpy())


class LiveExpander:
    """Answers from a store, one call of the store for each call here. Nodes are numbered as they are met."""

    def __init__(self, reader: GraphReader) -> None:
        self.reader = reader
        self.seconds = 0.0
        self.relations = reader.relations()
        self.device = torch.device("cpu")
        self._ids: list[str] = []
        self._node: dict[str, int] = {}
        self._offered_node: list[int] = []
        self._offered_relation: list[int] = []

    def nodes(self, ids: Sequence[str]) -> Int[Tensor, " F"]:
        """Nodes of these entity ids, numbered now if they are new."""
        known, listed = self._node, self._ids
        out = []
        for entity in ids:
            node = known.get(entity)
            if node is None:
                node = known[entity] = len(listed)
                listed.append(entity)
            out.append(node)
        return torch.tensor(out, dtype=torch.int64)

    def offer(self, node: Int[Tensor, " F"]) -> Groups:
        began = time.perf_counter()
        unique, inverse = torch.unique(node, return_inverse=True)
        found = self.reader.offer(self.ids(unique))
        # The store answers for distinct nodes; each asking position gets a copy of its node's groups.
        owner, relation, count = (torch.from_numpy(a) for a in (found.owner, found.relation, found.count))
        handle = torch.arange(len(owner)) + len(self._offered_node)
        self._offered_node += unique[owner].tolist()
        self._offered_relation += relation.tolist()
        per_node = torch.bincount(owner, minlength=len(unique))
        position, group = ragged((per_node.cumsum(0) - per_node)[inverse], per_node[inverse])
        groups = Groups(position, relation[group], count[group], handle[group])
        self.seconds += time.perf_counter() - began
        return groups

    def expand(
        self, handle: Int[Tensor, " G"], limit: Int[Tensor, " G"]
    ) -> tuple[Int[Tensor, " M"], Int[Tensor, " M"]]:
        began = time.perf_counter()
        asked = [
            Group(
                self._ids[self._offered_node[h]],
                self.relations[self._offered_relation[h] // 2],
                bool(self._offered_relation[h] % 2),
                n,
            )
            for h, n in zip(handle.tolist(), limit.tolist(), strict=True)
        ]
        found = self.reader.expand(asked)
        result = torch.from_numpy(found.group), self.nodes(found.entities)
        self.seconds += time.perf_counter() - began
        return result

    def rank(self, node: Int[Tensor, " F"]) -> Int[Tensor, " F"]:
        unique, inverse = torch.unique(node, return_inverse=True)
        ids = self.ids(unique)
        order = sorted(range(len(ids)), key=ids.__getitem__)
        ranks = torch.empty(len(unique), dtype=torch.int64)
        ranks[torch.tensor(order, dtype=torch.int64)] = torch.arange(len(unique))
        return ranks[inverse]

    def ids(self, node: Int[Tensor, " F"]) -> list[str]:
        return [self._ids[n] for n in node.tolist()]
