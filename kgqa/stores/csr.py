"""A graph as arrays: two-level compressed sparse rows (node → groups of one relation and direction → neighbours).

Index spaces: entities are dense ints, the rank of their id; a directed relation is ``2 r`` (head to tail) or
``2 r + 1`` (tail to head). N entities, F facts, G groups; each fact is two edges, a self-loop too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from graph_schema.errors import StoreError
from graph_schema.types import Int32s, Int64s

PART = 1_000_000


@dataclass(frozen=True, slots=True)
class Csr:
    """The arrays.

    Attributes:
        group_start: int64 [N + 1], groups of node i are ``group_start[i]:group_start[i + 1]``.
        group_relation: int32 [G], directed relation of each group, ascending within a node.
        edge_start: int64 [G + 1], edges of group g are ``edge_start[g]:edge_start[g + 1]``, never none.
        edge_target: int32 [2 F], the far end of each edge, ascending within a group.
    """

    group_start: Int64s
    group_relation: Int32s
    edge_start: Int64s
    edge_target: Int32s

    @classmethod
    def build(cls, head: Int64s, relation: Int64s, tail: Int64s, entities: int) -> Csr:
        """From F distinct facts as dense ints (int64 [F] each), in any order.

        Raises:
            StoreError: more than 2^31 - 1 entities.
        """
        if entities > np.iinfo(np.int32).max:
            raise StoreError(f"{entities:,} entities are more than a snapshot can hold", fix="Use the store itself")
        source = np.concatenate((head, tail))
        directed = np.concatenate((2 * relation, 2 * relation + 1))
        target = np.concatenate((tail, head))
        order = np.lexsort((target, directed, source))
        source, directed, target = source[order], directed[order], target[order]
        first = np.ones(len(source), dtype=bool)
        first[1:] = (source[1:] != source[:-1]) | (directed[1:] != directed[:-1])
        starts = np.flatnonzero(first)
        groups_of_node = np.bincount(source[starts], minlength=entities)
        return cls(
            group_start=np.concatenate((np.zeros(1, np.int64), np.cumsum(groups_of_node, dtype=np.int64))),
            group_relation=directed[starts].astype(np.int32),
            edge_start=np.append(starts, len(source)).astype(np.int64),
            edge_target=target.astype(np.int32),
        )

    @classmethod
    def of_keys(cls, keys: Int64s, entity_bits: int, relation_bits: int, entities: int) -> Csr:
        """From both edges of each fact, packed: near in the upper bits, then the directed relation, then far.

        Args:
            keys: int64 [2 F], ascending.

        Raises:
            StoreError: more than 2^31 - 1 entities.
        """
        if entities > np.iinfo(np.int32).max:
            raise StoreError(f"{entities:,} entities are more than arrays can hold", fix="Use Neo4j")
        first = np.ones(len(keys), dtype=bool)
        target = np.empty(len(keys), np.int32)
        for part in _parts(len(keys)):
            target[part] = keys[part] & ((1 << entity_bits) - 1)
            groups = keys[max(part.start - 1, 0) : part.stop] >> entity_bits
            first[max(part.start, 1) : part.stop] = groups[1:] != groups[:-1]
        starts = np.flatnonzero(first)
        del first
        relation = np.empty(len(starts), np.int32)
        groups_of_node = np.zeros(entities + 1, np.int64)  # one place later, so that their sums are where groups start
        for part in _parts(len(starts)):
            groups = keys[starts[part]] >> entity_bits
            relation[part] = groups & ((1 << relation_bits) - 1)
            nodes = groups >> relation_bits
            groups_of_node[nodes[0] + 1 : nodes[-1] + 2] += np.bincount(nodes - nodes[0])
        return cls(
            group_start=np.cumsum(groups_of_node),
            group_relation=relation,
            edge_start=np.append(starts, len(keys)),
            edge_target=target,
        )

    def groups_of(self, nodes: Int64s) -> tuple[Int64s, Int64s]:
        """All groups of each node: (position in ``nodes``, group), both int64, ascending; -1 nodes have none."""
        known = np.maximum(nodes, 0)
        starts = self.group_start[known]
        counts = np.where(nodes >= 0, self.group_start[known + 1] - starts, 0) if len(self.group_start) > 1 else 0
        counts = np.broadcast_to(counts, nodes.shape)
        return np.repeat(np.arange(len(nodes)), counts), ranges(starts, counts)

    def group_at(self, nodes: Int64s, directed: Int64s) -> Int64s:
        """The group of each (node, directed relation), int64; -1 where there is none. Binary search, all at once."""
        if not len(self.group_relation):
            return np.full(len(nodes), -1, np.int64)
        known = np.maximum(nodes, 0)
        low = self.group_start[known]
        end = np.where((nodes >= 0) & (directed >= 0), self.group_start[known + 1], low)
        high = end.copy()
        while (open_ := low < high).any():
            middle = (low + high) // 2
            below = open_ & (self.group_relation[np.minimum(middle, len(self.group_relation) - 1)] < directed)
            low = np.where(below, middle + 1, low)
            high = np.where(open_ & ~below, middle, high)
        found = (low < end) & (self.group_relation[np.minimum(low, len(self.group_relation) - 1)] == directed)
        return np.where(found, low, -1)

    def edges_of(self, groups: Int64s, limit: Int64s) -> tuple[Int64s, Int32s]:
        """The first ``limit`` far ends of each group: (position in ``groups``, far end); -1 groups have none."""
        known = np.maximum(groups, 0)
        if not len(self.group_relation):
            return np.zeros(0, np.int64), np.zeros(0, np.int32)
        starts = self.edge_start[known]
        counts = np.where(groups >= 0, np.minimum(self.edge_start[known + 1] - starts, np.maximum(limit, 0)), 0)
        return np.repeat(np.arange(len(groups)), counts), self.edge_target[ranges(starts, counts)]


def _parts(length: int) -> Iterator[slice]:
    """What is worked on at a time, so that what is needed on the way stays small."""
    return (slice(start, min(start + PART, length)) for start in range(0, length, PART))


def ranges(starts: Int64s, counts: Int64s) -> Int64s:
    """``starts[i], starts[i] + 1, ...``, ``counts[i]`` of them, one range after the other.

    >>> ranges(np.array([7, 3]), np.array([2, 3])).tolist()
    [7, 8, 3, 4, 5]
    """
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) + np.repeat(starts - ends + counts, counts)
