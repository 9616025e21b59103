"""Where the walk gets its facts: the same two calls, answered by a snapshot's arrays or by a live store.

Nodes are int64 tensors of dense indices that mean something to one expander only.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from graph_schema import Entity, GraphReader, Group, InputError, Offer
from kgqa.stores.snapshot import Snapshot

if TYPE_CHECKING:
    from kgqa.retrieval.guesses import Guesser


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
    """Answers a walk's questions about the graph.

    Attributes:
        seconds: the time spent answering. changes: the store's change counter as of which ``relations`` are; None if
            it wasn't told. guesser: what says which facts the graph may lack; None: only what it has counts.
        part: [D], the graph that each directed relation is of, where several are side by side; None: they are of one.
    """

    seconds: float
    changes: int | None
    guesser: Guesser | None
    part: Int[Tensor, " D"] | None

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

    def vectors(self, node: Int[Tensor, " F"], name: str, width: int) -> Float[Tensor, "F X"]:
        """The vectors that nodes have as a property; 0 where one has none.

        Raises:
            InputError: one isn't a list of ``width`` numbers.
        """


def ragged(start: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """Positions start_i .. start_i + count_i - 1 of all i, joined: (which i, position), both [sum count]."""
    owner = torch.repeat_interleave(torch.arange(len(count), device=count.device), count)
    before = count.cumsum(0) - count
    return owner, (start - before)[owner] + torch.arange(len(owner), device=count.device)


def vectors_of(entities: Iterable[Entity | None], name: str, width: int) -> Float[Tensor, "F X"]:
    """One row for each entity: its property ``name``, or 0; see ``Expander.vectors``."""
    rows: list[tuple[float, ...]] = []
    for entity in entities:
        value = entity.properties.get(name) if entity is not None else None
        if value is None:
            rows.append((0.0,) * width)
        elif isinstance(value, tuple) and len(value) == width and all(isinstance(x, (int, float)) for x in value):
            rows.append(tuple(float(x) for x in value if isinstance(x, (int, float))))
        else:
            raise InputError(
                f"{name!r} is no list of {width} numbers, as the reader was trained with",
                where=f"entity {entity.id!r}" if entity is not None else "",
                fix="Mend it in the graph, or use a reader that was trained on such vectors",
            )
    return torch.tensor(rows).reshape(len(rows), width)


class SnapshotExpander:
    """Answers from a snapshot's arrays, on any device, without a Python loop over nodes."""

    def __init__(self, snapshot: Snapshot, device: str | torch.device = "cpu") -> None:
        self.snapshot = snapshot
        self.seconds = 0.0
        self.changes: int | None = None  # the snapshot's is not needed: the schema is the store's, which may be newer
        self.guesser: Guesser | None = None
        self._device = torch.device(device)

        def load(array: np.ndarray) -> Tensor:
            # A copy: the arrays may be memory-mapped read-only, which torch can't hold.
            return torch.from_numpy(np.array(array)).to(self._device)

        self.group_start, self.group_relation = load(snapshot.group_start), load(snapshot.group_relation).long()
        self.edge_start, self.edge_target = load(snapshot.edge_start), load(snapshot.edge_target)
        self.part = None if snapshot.part is None else load(snapshot.part.repeat(2))
        self._vectors: dict[tuple[str, int], Tensor] = {}

    def keeping(self, edges: Bool[Tensor, " M"]) -> SnapshotExpander:
        """The same graph with only some of its edges; of a fact, which is two edges, both are to be kept or none."""
        kept = copy(self)
        count = torch.cat([edges.new_zeros(1, dtype=torch.int64), edges.cumsum(0)])
        start = count[self.edge_start]
        some = start.diff() > 0
        number = torch.cat([some.new_zeros(1, dtype=torch.int64), some.cumsum(0)])
        kept.group_start, kept.group_relation = number[self.group_start], self.group_relation[some]
        kept.edge_start = torch.cat([start[:-1][some], start[-1:]])
        kept.edge_target = self.edge_target[edges]
        return kept

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

    def vectors(self, node: Int[Tensor, " F"], name: str, width: int) -> Float[Tensor, "F X"]:
        if (name, width) not in self._vectors:  # of all nodes, once
            self._vectors[name, width] = vectors_of(self.snapshot.all_entities(), name, width).to(self._device)
        return self._vectors[name, width][node]


class LiveExpander:
    """Answers from a store, for one question or a few. Nodes are numbered as they are met.

    What leads on from where a hop arrives is fetched with the hop (``GraphReader.step``), so that an offer seldom
    costs a round trip of its own. It is a ``linking.Names``, too: names looked up here bring along what lies around
    their bearers.

    All of a question is told in the relations that its first answer from the store named. One that appears while the
    question is being answered is left out, for its words haven't been read.
    """

    def __init__(self, reader: GraphReader) -> None:
        self.reader = reader
        self.seconds = 0.0
        self.device = torch.device("cpu")
        self.guesser: Guesser | None = None
        self.part: Int[Tensor, " D"] | None = None
        self.changes: int | None = None  # the store's change counter as of which ``relations`` are; None: not told
        self._relations: tuple[str, ...] | None = None
        self._ids: list[str] = []
        self._node: dict[str, int] = {}
        # Groups are listed as they become known; a node's are the ``_groups[node]`` ones from ``_first[node]`` on.
        self._first: list[int] = []
        self._groups: list[int] = []  # -1: nobody has looked yet
        self._group_node: list[int] = []
        self._group_relation: list[int] = []
        self._group_count: list[int] = []

    @property
    def relations(self) -> tuple[str, ...]:
        if self._relations is None:
            self._relations = self.reader.relations()
        return self._relations

    def lookup(self, keys: Sequence[str]) -> dict[str, tuple[Entity, ...]]:
        """Who bears these keys, see ``GraphReader.lookup``; to be called before all else, or not at all."""
        began = time.perf_counter()
        found = self.reader.start(keys)
        self._relations, self.changes = found.offer.relations, found.changes
        self._learn(found.ids, found.offer)
        self.seconds += time.perf_counter() - began
        return found.named

    def nodes(self, ids: Sequence[str]) -> Int[Tensor, " F"]:
        """Nodes of these entity ids, numbered now if they are new."""
        return torch.tensor(self._numbered(ids), dtype=torch.int64)

    def offer(self, node: Int[Tensor, " F"]) -> Groups:
        began = time.perf_counter()
        nodes = node.tolist()
        missing = [self._ids[n] for n in dict.fromkeys(nodes) if self._groups[n] < 0]
        if missing:
            self._learn(missing, self.reader.offer(missing))
        first = torch.tensor([self._first[n] for n in nodes], dtype=torch.int64)
        owner, handle = ragged(first, torch.tensor([self._groups[n] for n in nodes], dtype=torch.int64))
        relation, count = (torch.tensor(c, dtype=torch.int64) for c in (self._group_relation, self._group_count))
        groups = Groups(owner, relation[handle], count[handle], handle)
        self.seconds += time.perf_counter() - began
        return groups

    def expand(
        self, handle: Int[Tensor, " G"], limit: Int[Tensor, " G"]
    ) -> tuple[Int[Tensor, " M"], Int[Tensor, " M"]]:
        began = time.perf_counter()
        asked = [
            Group(
                self._ids[self._group_node[h]],
                self.relations[self._group_relation[h] // 2],
                bool(self._group_relation[h] % 2),
                n,
            )
            for h, n in zip(handle.tolist(), limit.tolist(), strict=True)
        ]
        if not asked:
            return handle, handle
        found = self.reader.step(asked)
        self._learn(found.ids, found.offer)
        result = torch.from_numpy(found.neighbours.group), self.nodes(found.neighbours.entities)
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

    def vectors(self, node: Int[Tensor, " F"], name: str, width: int) -> Float[Tensor, "F X"]:
        began = time.perf_counter()
        ids = self.ids(node)
        known = self.reader.entities(sorted(set(ids))) if ids else {}
        self.seconds += time.perf_counter() - began
        return vectors_of(map(known.get, ids), name, width)

    def _numbered(self, ids: Sequence[str]) -> list[int]:
        known, listed = self._node, self._ids
        out = []
        for entity in ids:
            node = known.get(entity)
            if node is None:
                node = known[entity] = len(listed)
                listed.append(entity)
                self._first.append(0)
                self._groups.append(-1)
            out.append(node)
        return out

    def _learn(self, ids: Sequence[str], offer: Offer) -> None:
        """Keep the groups around these entities; of those known already, what was first said stays."""
        relation = offer.relation.tolist()
        if offer.relations != self.relations:
            position = {name: at for at, name in enumerate(self.relations)}
            there = [position.get(name, -1) for name in offer.relations]
            relation = [2 * there[r // 2] + r % 2 if there[r // 2] >= 0 else -1 for r in relation]
        bounds = np.searchsorted(offer.owner, np.arange(len(ids) + 1)).tolist()
        count = offer.count.tolist()
        for node, begin, end in zip(self._numbered(ids), bounds[:-1], bounds[1:], strict=True):
            if self._groups[node] < 0:
                kept = [at for at in range(begin, end) if relation[at] >= 0]
                self._first[node], self._groups[node] = len(self._group_node), len(kept)
                self._group_node += [node] * len(kept)
                self._group_relation += [relation[at] for at in kept]
                self._group_count += [count[at] for at in kept]
