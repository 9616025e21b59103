"""What lies around an entity, from arrays: ids, names of relations and a ``Csr``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from graph_schema.ports import Group, Neighbours, Offer, Step
from graph_schema.types import Fact, Int32s, Int64s
from kgqa.stores.csr import Csr
from kgqa.stores.strings import HashedStrings


class Adjacency:
    """Entity index = rank of the id by code point; relation index = rank of the relation's name. Never changes."""

    def __init__(self, ids: HashedStrings, relations: Sequence[str], csr: Csr) -> None:
        self.ids = ids
        self.relations = tuple(relations)
        self.csr = csr
        self._relation_index = {name: index for index, name in enumerate(self.relations)}

    def index_of(self, ids: Sequence[str]) -> Int64s:
        """Dense index of each id, int64; -1 for unknown ones."""
        return self.ids.find(ids)

    def ids_of(self, indices: npt.NDArray[np.integer[Any]]) -> list[str]:
        """Ids of dense indices."""
        return self.ids.take(indices)

    def directed(self, relation: str, *, inverse: bool = False) -> int:
        """Directed relation index of a name; -1 if no fact has it."""
        found = self._relation_index.get(relation)
        return -1 if found is None else 2 * found + inverse

    def offer(self, ids: Sequence[str]) -> Offer:
        return self._around(self.index_of(ids))

    def expand(self, groups: Sequence[Group]) -> Neighbours:
        group, far = self._far(groups)
        return Neighbours(group, self.ids_of(far))

    def step(self, groups: Sequence[Group]) -> Step:
        group, far = self._far(groups)
        reached = np.unique(far).astype(np.int64)  # dense indices ascend as ids do
        return Step(Neighbours(group, self.ids_of(far)), tuple(self.ids_of(reached)), self._around(reached))

    def edge_at(self, facts: Sequence[Fact]) -> Int64s:
        """Where each fact stands in ``csr.edge_target``, as an edge of its head; int64, -1 if it isn't there."""
        heads = self.index_of([fact.head for fact in facts])
        tails = self.index_of([fact.tail for fact in facts]).tolist()
        directed = np.fromiter((self.directed(fact.relation) for fact in facts), np.int64, len(facts))
        places = np.full(len(facts), -1, np.int64)
        for at, (group, tail) in enumerate(zip(self.csr.group_at(heads, directed).tolist(), tails, strict=True)):
            if group >= 0 and tail >= 0:
                start, end = int(self.csr.edge_start[group]), int(self.csr.edge_start[group + 1])
                place = start + int(np.searchsorted(self.csr.edge_target[start:end], tail))
                if place < end and int(self.csr.edge_target[place]) == tail:
                    places[at] = place
        return places

    def holds(self, facts: Sequence[Fact]) -> list[bool]:
        held: list[bool] = (self.edge_at(facts) >= 0).tolist()
        return held

    def _around(self, nodes: Int64s) -> Offer:
        owner, groups = self.csr.groups_of(nodes)
        count = self.csr.edge_start[groups + 1] - self.csr.edge_start[groups]
        return Offer(owner, self.csr.group_relation[groups].astype(np.int64), count, self.relations)

    def _far(self, groups: Sequence[Group]) -> tuple[Int64s, Int32s]:
        """The far ends of groups: (position in ``groups``, dense index)."""
        nodes = self.index_of([group.entity for group in groups])
        directed = np.fromiter((self.directed(g.relation, inverse=g.inverse) for g in groups), np.int64, len(groups))
        limit = np.fromiter((group.limit for group in groups), np.int64, len(groups))
        return self.csr.edges_of(self.csr.group_at(nodes, directed), limit)
