"""Sets of facts as sorted 64-bit keys: three row keys packed into one int, searched and merged many at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from graph_schema.errors import StoreError
from graph_schema.types import Int64s
from kgqa.stores.csr import ranges

BITS = 62  # of a key; one more is needed where a direction goes in beside the relation
ENTITY_BITS, RELATION_BITS = 26, 10  # as long as they suffice: 67 million entities, 1,023 relations
NONE: Int64s = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class Layout:
    """How many bits of a key are an entity's (twice), and how many the relation's; keys sort by near, relation, far.

    The same facts have keys in the same order whatever the layout.
    """

    entity: int = ENTITY_BITS
    relation: int = RELATION_BITS

    @classmethod
    def fitting(cls, entities: int, relations: int) -> Layout:
        """For row keys up to these.

        Raises:
            StoreError: they don't fit into a key.
        """
        need, kinds = entities.bit_length(), relations.bit_length()
        if need <= ENTITY_BITS and kinds <= RELATION_BITS:
            return cls()
        if 2 * need + kinds > BITS:
            raise StoreError(
                f"{entities:,} entities and {relations:,} relations are more than an embedded store can hold",
                fix="Use Neo4j",
            )
        spare = (BITS - 2 * need - kinds) // 3
        return cls(need + spare, kinds + spare)

    def pack(self, near: Int64s, relation: Int64s, far: Int64s) -> Int64s:
        packed: Int64s = (((near << self.relation) | relation) << self.entity) | far
        return packed

    def near(self, keys: Int64s) -> Int64s:
        return keys >> (self.relation + self.entity)

    def kind(self, keys: Int64s) -> Int64s:
        return (keys >> self.entity) & ((1 << self.relation) - 1)

    def far(self, keys: Int64s) -> Int64s:
        return keys & ((1 << self.entity) - 1)

    def repacked(self, keys: Int64s, old: Layout) -> Int64s:
        """Keys of another layout as keys of this one."""
        return keys if old == self else self.pack(old.near(keys), old.kind(keys), old.far(keys))

    def triples(self, keys: Int64s) -> list[tuple[int, int, int]]:
        """The row keys of each fact, as Python ints."""
        columns = (self.near(keys), self.kind(keys), self.far(keys))
        return list(zip(*(column.tolist() for column in columns), strict=True))

    def around(self, nodes: Int64s) -> tuple[Int64s, Int64s]:
        """Where the keys of each near row key begin and end."""
        shift = self.entity + self.relation
        return nodes << shift, (nodes + 1) << shift

    def turned(self, keys: Int64s) -> Int64s:
        """The same facts from their other ends: near and far changed places; not sorted."""
        return self.pack(self.far(keys), self.kind(keys), self.near(keys))


class KeySet:
    """A set of keys: a sorted base, perhaps memory-mapped, less what was removed of it, and sorted runs added to it.

    Runs are merged so that each is at least twice as long as the next: a key is moved a few times, and a search looks
    into few of them. Arrays are never changed, so a copy is cheap and stays as it is.
    """

    __slots__ = ("_base", "_removed", "_runs")

    def __init__(self, base: Int64s = NONE) -> None:
        self._base = base
        self._removed = NONE
        self._runs: list[Int64s] = []

    def copy(self) -> KeySet:
        made = KeySet(self._base)
        made._removed, made._runs = self._removed, list(self._runs)
        return made

    def __len__(self) -> int:
        return len(self._base) - len(self._removed) + sum(map(len, self._runs))

    @property
    def pristine(self) -> bool:
        """Whether it is the base and nothing else."""
        return not self._runs and not len(self._removed)

    def contains(self, keys: Int64s) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """For each of these keys, ascending, whether it is in the set."""
        found = _held(self._base, keys)
        if len(self._removed):
            found &= ~_held(self._removed, keys)
        for run in self._runs:
            found |= _held(run, keys)
        return found

    def add(self, keys: Int64s) -> Int64s:
        """Add keys, ascending and distinct; returns those that weren't there."""
        new = keys[~self.contains(keys)]
        self.add_new(new)
        return new

    def add_new(self, keys: Int64s) -> None:
        """Add keys, ascending and distinct, none of which is there."""
        if len(self._removed):
            back = _held(self._removed, keys)
            self._removed = _without(self._removed, keys[back])
            keys = keys[~back]
        while self._runs and len(self._runs[-1]) < 2 * len(keys):
            keys = _merged(self._runs.pop(), keys)
        if len(keys):
            self._runs.append(keys)

    def discard(self, keys: Int64s) -> Int64s:
        """Take out keys, ascending and distinct, as far as they are there; returns those that were."""
        there = keys[self.contains(keys)]
        if len(there):
            self._runs = [run for run in (_without(run, there) for run in self._runs) if len(run)]
            self._removed = _merged(self._removed, _without(there[_held(self._base, there)], self._removed))
        return there

    def between(self, low: Int64s, high: Int64s) -> tuple[Int64s, Int64s]:
        """The keys in each [low, high): (position of the interval, key), in no promised order."""
        owners, found = [], []
        for keys in (self._base, *self._runs):
            starts = np.searchsorted(keys, low)
            counts = np.searchsorted(keys, high) - starts
            places = ranges(starts, counts)
            part = np.asarray(keys[places])
            owner = np.repeat(np.arange(len(low)), counts)
            if keys is self._base and len(self._removed):
                kept = ~_held(self._removed, part)
                part, owner = part[kept], owner[kept]
            owners.append(owner)
            found.append(part)
        return np.concatenate(owners), np.concatenate(found)

    def count(self, low: Int64s, high: Int64s) -> Int64s:
        """How many keys are in each [low, high)."""
        total = np.zeros(len(low), np.int64)
        for keys, sign in ((self._base, 1), (self._removed, -1), *((run, 1) for run in self._runs)):
            total += sign * (np.searchsorted(keys, high) - np.searchsorted(keys, low))
        return total

    def all(self) -> Int64s:
        """Every key, ascending. What was in several arrays is in one from then on."""
        if not self.pristine:
            keys = _without(self._base, self._removed)
            for run in reversed(self._runs):
                keys = _merged(keys, run)
            if not len(self._base):
                self._runs = [keys]
            return keys
        return self._base


def distinct(keys: Int64s) -> Int64s:
    """Ascending, each once."""
    keys = np.sort(keys)
    if len(keys) > 1:
        first = np.empty(len(keys), bool)
        first[0] = True
        np.not_equal(keys[1:], keys[:-1], out=first[1:])
        if not first.all():
            return keys[first]
    return keys


def _held(keys: Int64s, asked: Int64s) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    if not len(keys):
        return np.zeros(len(asked), bool)
    places = np.searchsorted(keys, asked)
    np.minimum(places, len(keys) - 1, out=places)
    held: np.ndarray[tuple[int], np.dtype[np.bool_]] = keys[places] == asked
    return held


def _without(keys: Int64s, gone: Int64s) -> Int64s:
    if not len(gone) or not len(keys):
        return keys
    if len(gone) < len(keys):
        places = np.searchsorted(keys, gone)
        places = places[np.minimum(places, len(keys) - 1) == places]
        places = places[_held(gone, keys[places])]
        return np.delete(keys, places)
    return keys[~_held(gone, keys)]


def _merged(left: Int64s, right: Int64s) -> Int64s:
    if not len(right):
        return left
    if not len(left):
        return right
    keys = np.concatenate((left, right))
    keys.sort(kind="stable")  # finds the two sorted runs and merges them
    return keys
