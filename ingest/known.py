"""Which nodes there are: those that this load has declared, and those of the store. Finds what contradicts them.

What a load has declared is kept exactly, in bounded memory: what is beyond ``HELD`` ids goes to a temporary file.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from struct import Struct
from typing import Self

from graph_schema import Entity, Value
from graph_schema.texts import distinct
from graph_schema.types import DEFAULT_LABEL
from ingest.records import EntityRows, Fault, Mapped, Reason, Triples
from ingest.twice import still_twice, twice

HELD = 500_000
_ASKED = 10_000
_NOTHING = hash(None)
_STORED = b"\0"
"""Before an owner's id, which has none: it is the store that says so."""

Lookup = Callable[[Sequence[str]], Mapping[str, Entity]]
"""``GraphReader.entities``."""

Values = Callable[[str, str], Iterable[tuple[str, Value]]]
"""By label and name of a property: which nodes of the store have it, and its values; as ``LoadLedger.values``."""


class Spilled:
    """A dict from texts to bytes of which at most ``HELD`` are in memory, and the others in a temporary file.

    The texts hold no NUL and no half surrogate pair.

    Args:
        held: instead of ``HELD``.
    """

    def __init__(self, held: int | None = None) -> None:
        self._most = held
        self._held: dict[str, bytes] = {}
        self._file: sqlite3.Connection | None = None

    def update(self, pairs: Mapping[str, bytes]) -> None:
        self._held.update(pairs)
        if len(self._held) <= (HELD if self._most is None else self._most):
            return
        if self._file is None:
            self._file = sqlite3.connect("", isolation_level=None)
            self._file.execute("PRAGMA journal_mode = OFF")
            self._file.execute("CREATE TABLE held (key TEXT PRIMARY KEY, what BLOB) WITHOUT ROWID")
        self._file.execute("BEGIN")
        self._file.executemany("INSERT OR REPLACE INTO held VALUES (?, ?)", sorted(self._held.items()))
        self._file.execute("COMMIT")
        self._held.clear()

    def get(self, keys: Collection[str]) -> dict[str, bytes]:
        """What is held for these keys; unknown ones are left out."""
        held = self._held
        found = {key: held[key] for key in keys if key in held}
        if self._file is not None and len(found) < len(keys):
            asked = json.dumps([key for key in keys if key not in found])
            found.update(
                self._file.execute("SELECT key, what FROM held WHERE key IN (SELECT value FROM json_each(?))", (asked,))
            )
        return found

    def items(self) -> Iterator[tuple[str, bytes]]:
        """All of it, each once; to be drawn before anything is changed."""
        yield from self._held.items()
        if self._file is not None:
            rows = self._file.execute("SELECT key, what FROM held")
            yield from ((key, what) for key, what in rows if key not in self._held)

    def drop(self, keys: Iterable[str]) -> None:
        keys = [*keys]
        for key in keys:
            self._held.pop(key, None)
        if self._file is not None:
            self._file.executemany("DELETE FROM held WHERE key = ?", ((key,) for key in keys))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


@dataclass(frozen=True, slots=True)
class _Shape:
    """What is the same for all nodes of a part: where they come from, and which values are kept of them, as hashes."""

    label: str
    source: str
    values: tuple[str, ...]

    @property
    def struct(self) -> Struct:
        return _struct(len(self.values))


@cache
def _struct(values: int) -> Struct:
    return Struct(f"<HQ{values}q")  # number of the shape, line, values


class Known:
    """Checks each block against what is known, and adds to it what the block declares.

    Args:
        store: looks ids up in the store; None: nothing is there.
        values: which values of a property the store has; None: it has none. Called once for each that is unique.
    """

    def __init__(self, store: Lookup | None = None, values: Values | None = None) -> None:
        self._store = store
        self._stored_values = values
        self._learned: set[tuple[str, str]] = set()
        self._nodes = Spilled()
        self._ahead = Spilled()
        self._values = Spilled()
        self._labels: dict[str, str] = {}  # of ids that are ends of facts, as far as they came lately
        self._shapes: dict[_Shape, int] = {}
        self._by_number: list[_Shape] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for spilled in (self._nodes, self._ahead, self._values):
            spilled.close()

    def expect(self, block: Mapped) -> None:
        """These nodes will be declared later in the load, so facts may speak of them before."""
        for part in block.entities:
            self._ahead.update(self._signatures(part))

    def check(self, block: Mapped) -> dict[int, Fault]:
        """What is wrong with rows of a block, by their position in it.

        What the other rows declare is known from then on; what faulty ones declare isn't expected any more.
        """
        if not block.entities and all(self._ends_fit(part) for part in block.facts):
            return {}
        if block.entities or any(part.ends is not None and part.ends.create for part in block.facts):
            self._labels.clear()
        faults = dict(still_twice(block, self._store)) if block.twice and self._store else {}
        declared: dict[str, bytes] = {}
        for part in block.entities:
            self._check_nodes(part, declared, faults)
        parts = [part for part in block.facts if part.ends is not None]
        there = self._there({*_ends(parts)}.difference(declared))
        before = -1
        while before < len(faults):  # a row set aside takes its nodes with it, and so may fault others of the block
            before = len(faults)
            here = {id_: part.label for part in block.entities for row, id_ in _rows(part) if row not in faults}
            labels = {**there, **here}
            for facts in parts:
                _check_ends(facts, labels, faults)
        if faults:
            lost = {id_ for part in block.entities for _, id_ in _rows(part)}.difference(here)
            self._ahead.drop(lost)
            declared = {id_: signature for id_, signature in declared.items() if id_ in here}
        self._nodes.update(declared)
        for part in block.entities:
            self._keep_values(part, faults)
        for facts in parts:
            self._keep_created(facts, {**there, **here}, faults)
        return faults

    def _ends_fit(self, part: Triples) -> bool:
        """Whether the ends of all facts are known to be as they should be, so that there is nothing to learn either."""
        if part.ends is None:
            return True
        labels = self._labels
        for column, wanted in ((part.heads, part.ends.head), (part.tails, part.ends.tail)):
            if wanted == DEFAULT_LABEL and part.ends.create:
                continue
            ids = distinct(column)
            found = {*map(labels.get, ids)}
            if None in found:
                if len(labels) > HELD:
                    labels.clear()
                labels.update(self._there(ids.difference(labels)))
                found = {*map(labels.get, ids)}
            fitting = {wanted} if part.ends.create else {wanted, DEFAULT_LABEL}
            if None in found or (wanted != DEFAULT_LABEL and not found <= fitting):
                return False
        return True

    def _check_nodes(self, part: EntityRows, declared: dict[str, bytes], faults: dict[int, Fault]) -> None:
        """Ids that were declared before with another label or other values; and values that must be unique."""
        known = self._nodes.get(part.ids)
        signatures = self._signatures(part)
        if known or declared or faults or len(signatures) < len(part.ids):
            for (row, id_), signature in zip(_rows(part), self._signed(part), strict=True):
                if row in faults:
                    continue
                before = declared.get(id_) or known.get(id_)
                fault = before and self._contradiction(id_, before, signature, merge=part.merge)
                if fault:
                    faults.setdefault(row, fault)
                else:
                    declared[id_] = self._combined(before, signature)
        else:
            declared.update(signatures)
        for name in part.unique:
            self._check_unique(part, name, declared, faults)

    def _contradiction(self, id_: str, before: bytes, after: bytes, *, merge: bool) -> Fault | None:
        (old, line, old_values), (new, _, new_values) = self._read(before), self._read(after)
        where = f"at {old.source}:{line}" if line else f"in {old.source}"
        if DEFAULT_LABEL not in (old.label, new.label) and old.label != new.label:
            what = f"{id_!r} is {old.label} {where}, {new.label} here"
            return Fault(Reason.WRONG_LABEL, what, "Give ids of different labels different texts, as label/{id}")
        if merge:
            return None
        other = [name for name, value in new_values.items() if name in old_values and old_values[name] != value]
        if not other:
            return None
        return twice(id_, where, other)

    def _combined(self, before: bytes | None, after: bytes) -> bytes:
        """What is known of a node after two declarations that don't contradict each other."""
        if before is None or len(before) < len(after):
            return after
        if before[:2] != after[:2]:
            return before
        shape = self._by_number[int.from_bytes(before[:2], "little")]
        number, line, *old = shape.struct.unpack(before)
        _, _, *new = shape.struct.unpack(after)
        return shape.struct.pack(number, line, *(b if a == _NOTHING else a for a, b in zip(old, new, strict=True)))

    def _read(self, signature: bytes) -> tuple[_Shape, int, dict[str, int]]:
        shape = self._by_number[int.from_bytes(signature[:2], "little")]
        _, line, *values = shape.struct.unpack(signature)
        return shape, line, {n: v for n, v in zip(shape.values, values, strict=True) if v != _NOTHING}

    def _number(self, shape: _Shape) -> int:
        if shape not in self._shapes:
            self._shapes[shape] = len(self._by_number)
            self._by_number.append(shape)
        return self._shapes[shape]

    def _signatures(self, part: EntityRows) -> dict[str, bytes]:
        return dict(zip(part.ids, self._signed(part), strict=True))

    def _signed(self, part: EntityRows) -> Iterator[bytes]:
        """By row, what is kept of a node: its label, where it is declared, and if it must not change, its values."""
        columns: dict[str, Sequence[object]] = {}
        if not part.merge:
            if part.names is not None:
                columns["name"] = [None if n == i else n for n, i in zip(part.names, part.ids, strict=True)]
            columns.update(part.properties)
        shape = _Shape(part.label, part.source, tuple(columns))
        number, pack = self._number(shape), shape.struct.pack
        if not columns:
            return (pack(number, line) for line in part.lines)
        hashes = zip(*(map(hash, column) for column in columns.values()), strict=True)
        return (pack(number, line, *values) for line, values in zip(part.lines, hashes, strict=True))

    def _check_unique(
        self, part: EntityRows, name: str, declared: Mapping[str, bytes], faults: dict[int, Fault]
    ) -> None:
        self._learn_values(part.label, name)
        keys = [_value_key(part.label, name, value) for value in part.properties[name]]
        owners = self._values.get({*keys})
        for (row, id_), key, value in zip(_rows(part), keys, part.properties[name], strict=True):
            if value is None or row in faults:
                continue
            owner = owners.setdefault(key, id_.encode())
            other = owner.removeprefix(_STORED).decode()
            if other == id_:
                continue
            stored = owner.startswith(_STORED)
            if stored and self._has_another(other, name, value, declared):
                owners[key] = id_.encode()
                continue
            what = f"{name} {value!r} is that of {other!r}{' in the store' * stored}, too"
            faults[row] = Fault(Reason.NOT_UNIQUE, what, "Mend one of them, or take unique out")

    def _learn_values(self, label: str, name: str) -> None:
        """What the store has of a property that is unique, once."""
        if self._stored_values is None or (label, name) in self._learned:
            return
        self._learned.add((label, name))
        stored = iter(self._stored_values(label, name))
        while part := [*islice(stored, _ASKED)]:
            self._values.update({_value_key(label, name, value): _STORED + id_.encode() for id_, value in part})

    def _has_another(self, id_: str, name: str, value: Value, declared: Mapping[str, bytes]) -> bool:
        """Whether this load has declared a node with another value than the store's, which it thus gave up."""
        signature = declared.get(id_) or self._nodes.get([id_]).get(id_)
        return signature is not None and self._read(signature)[2].get(name, hash(value)) != hash(value)

    def _keep_values(self, part: EntityRows, faults: Mapping[int, Fault]) -> None:
        for name in part.unique:
            values = zip(_rows(part), part.properties[name], strict=True)
            self._values.update(
                {
                    _value_key(part.label, name, value): id_.encode()
                    for (row, id_), value in values
                    if value is not None and row not in faults
                }
            )

    def _keep_created(self, part: Triples, labels: Mapping[str, str], faults: Mapping[int, Fault]) -> None:
        """Ends that a fact makes nodes of have their label from then on."""
        if part.ends is None or not part.ends.create:
            return
        for column, label in ((part.heads, part.ends.head), (part.tails, part.ends.tail)):
            if label != DEFAULT_LABEL:
                shape = _Shape(label, part.source, ())
                number, pack = self._number(shape), shape.struct.pack
                self._nodes.update(
                    {
                        id_: pack(number, line)
                        for row, id_, line in zip(part.places, column, part.lines, strict=True)
                        if row not in faults and labels.get(id_, DEFAULT_LABEL) == DEFAULT_LABEL
                    }
                )

    def _there(self, ids: Collection[str]) -> dict[str, str]:
        """The labels of these ids, as far as this load or the store knows them."""
        found = self._nodes.get(ids)
        found.update(self._ahead.get([id_ for id_ in ids if id_ not in found]))
        labels = {id_: self._by_number[int.from_bytes(what[:2], "little")].label for id_, what in found.items()}
        if self._store is None:
            return labels
        unknown = sorted(id_ for id_ in ids if id_ not in labels)
        shape_of: dict[str, bytes] = {}
        for start in range(0, len(unknown), _ASKED):
            for id_, entity in self._store(unknown[start : start + _ASKED]).items():
                labels[id_] = entity.label
                shape = _Shape(entity.label, "the store", ())
                shape_of[id_] = shape.struct.pack(self._number(shape), 0)
        self._nodes.update(shape_of)
        return labels


def _value_key(label: str, name: str, value: Value | None) -> str:
    return f"{label}\x1f{name}\x1f{value!r}"


def _rows(part: EntityRows) -> Iterator[tuple[int, str]]:
    return zip(part.places, part.ids, strict=True)


def _ends(parts: Iterable[Triples]) -> Iterator[str]:
    """Ends that must be there, or must have a label if they are."""
    for part in parts:
        if part.ends is not None:
            for column, label in ((part.heads, part.ends.head), (part.tails, part.ends.tail)):
                if label != DEFAULT_LABEL or not part.ends.create:
                    yield from column


def _check_ends(part: Triples, labels: dict[str, str], faults: dict[int, Fault]) -> None:
    """Whether the ends of each fact are there, with the right labels; an end that is made is in ``labels`` then."""
    if part.ends is None:
        return
    sides = (("head", part.heads, part.ends.head), ("tail", part.tails, part.ends.tail))
    if part.ends.create:
        for pair in zip(part.heads, part.tails, strict=True):
            for id_, (_, _, made) in zip(pair, sides, strict=True):
                labels.setdefault(id_, made)
    for side, column, wanted in sides:
        bad: dict[str, Fault] = {}
        for id_ in {*column}:
            label = labels.get(id_)
            if label is None and not part.ends.create:
                named = "node" if wanted == DEFAULT_LABEL else wanted
                fix = f"Load the {named} first, mend the id, or say dangling: create in the mapping"
                bad[id_] = Fault(Reason.DANGLING, f"the {side} {id_!r} is no {named}", fix)
            elif label is not None and DEFAULT_LABEL not in (wanted, label) and label != wanted:
                fix = "Mend the id, or the label of this end in the mapping"
                bad[id_] = Fault(Reason.WRONG_LABEL, f"the {side} {id_!r} is {label}, not {wanted}", fix)
        if bad:
            for row, id_ in zip(part.places, column, strict=True):
                if id_ in bad:
                    faults.setdefault(row, bad[id_])
