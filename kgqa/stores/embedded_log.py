"""The log of facts in the embedded store's file, and sets of facts kept up to date from it.

A row of the log has many facts, column by column, as they were written together. Nothing in the file says where a fact
is; that is for ``FactIndex``, in memory and in the arrays beside the file.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from graph_schema.types import Int64s
from kgqa.stores import embedded_sql as sql
from kgqa.stores.keys import KeySet, Layout, distinct

BROUGHT, TAKEN_OUT, TAKEN_BACK = 0, 1, 2
NO_ORIGIN = -1
ROW_FACTS = 100_000  # at most, in a row of the log
GATHERED = 1_000_000  # facts that are taken up at once
INT32 = np.dtype("<i4")
INT64 = np.dtype("<i8")
_CONTROLS = bytes(set(range(32)) - {ord("\n")})


def log_rows(kind: int, origin: int, keys: Int64s, layout: Layout, lines: Int64s | None) -> Iterator[Sequence[object]]:
    """Facts as rows to add to the log."""
    for start in range(0, len(keys), ROW_FACTS):
        part = keys[start : start + ROW_FACTS]
        columns = (layout.near(part), layout.kind(part), layout.far(part))
        kept = b""
        if lines is not None and (some := lines[start : start + ROW_FACTS]).any():
            kept = some.astype(INT64).tobytes()
        yield (kind, origin, *(column.astype(INT32).tobytes() for column in columns), kept)


def row_keys(heads: bytes, relations: bytes, tails: bytes, layout: Layout) -> Int64s:
    """The facts of a row as keys, in its order."""
    near, kind, far = (np.frombuffer(blob, INT32).astype(np.int64) for blob in (heads, relations, tails))
    return layout.pack(near, kind, far)


def row_lines(lines: bytes, count: int) -> Int64s:
    return np.frombuffer(lines, INT64).astype(np.int64) if lines else np.zeros(count, np.int64)


class FactIndex:
    """Which facts are there as of one row of the log: by head (``forward``) and, once asked for, by tail.

    Args:
        base: facts by head and by tail as of row ``seq``, ascending, as keys of ``layout``.
    """

    def __init__(
        self, layout: Layout | None = None, forward: KeySet | None = None, backward: KeySet | None = None, seq: int = 0
    ) -> None:
        self.layout = layout or Layout()
        self.forward = KeySet() if forward is None else forward  # an emptied set is not no set
        self._backward = backward
        self.seq = seq

    def copy(self) -> FactIndex:
        backward = None if self._backward is None else self._backward.copy()
        return FactIndex(self.layout, self.forward.copy(), backward, self.seq)

    @property
    def backward(self) -> KeySet:
        """The same facts with near and far changed places."""
        if self._backward is None:
            keys = self.layout.turned(self.forward.all())
            keys.sort()
            self._backward = KeySet(keys)
        return self._backward

    def catch_up(self, connection: sqlite3.Connection) -> bool:
        """Take up what the log has beyond; returns whether something was taken out since. In a transaction."""
        entities, relations = connection.execute(sql.LAST_ROW_KEYS).fetchone()
        self.fit(entities, relations)
        cursor = connection.execute(sql.LOG_AFTER, (self.seq,))
        out = False
        for kind, keys, seq in gathered(cursor, self.layout):
            if kind == BROUGHT:
                self.add(distinct(keys))
            else:
                self.discard(distinct(keys))
                out = True
            self.seq = seq
        return out

    def fit(self, entities: int, relations: int) -> None:
        """See that row keys up to these fit into the layout."""
        if entities >> self.layout.entity or relations >> self.layout.relation:
            wanted = Layout.fitting(entities, relations)
            self.forward = KeySet(wanted.repacked(self.forward.all(), self.layout))
            self._backward = None
            self.layout = wanted

    def add(self, keys: Int64s) -> None:
        """Facts that may be there already; ascending and distinct."""
        self.add_new(keys[~self.forward.contains(keys)])

    def add_new(self, keys: Int64s) -> None:
        """Facts that aren't there yet; ascending and distinct."""
        self.forward.add_new(keys)
        if self._backward is not None:
            self._backward.add_new(np.sort(self.layout.turned(keys)))

    def discard(self, keys: Int64s) -> None:
        gone = self.forward.discard(keys)
        if self._backward is not None:
            self._backward.discard(np.sort(self.layout.turned(gone)))


def gathered(rows: Iterable[tuple[int, int, bytes, bytes, bytes]], layout: Layout) -> Iterator[tuple[int, Int64s, int]]:
    """Rows (seq, kind, heads, relations, tails) as (kind, keys, last seq), neighbours of one kind joined."""
    waiting: list[tuple[bytes, bytes, bytes]] = []
    kind, seq, size = BROUGHT, 0, 0
    for number, what, *blobs in rows:
        if waiting and (what != kind or size >= GATHERED):
            yield kind, _joined(waiting, layout), seq
            waiting, size = [], 0
        kind, seq = what, number
        waiting.append((blobs[0], blobs[1], blobs[2]))
        size += len(blobs[0]) // INT32.itemsize
    if waiting:
        yield kind, _joined(waiting, layout), seq


def _joined(rows: list[tuple[bytes, bytes, bytes]], layout: Layout) -> Int64s:
    heads, relations, tails = (b"".join(column) for column in zip(*rows, strict=True))
    return row_keys(heads, relations, tails, layout)


def origin_set(connection: sqlite3.Connection, origin: int, layout: Layout) -> KeySet:
    """The facts that have a mark of this origin."""
    found = KeySet()
    for kind, keys, _ in gathered(connection.execute(sql.MARKS_OF, (origin,)), layout):
        if kind == BROUGHT:
            found.add(distinct(keys))
        else:
            found.discard(distinct(keys))
    return found


def text_list(texts: Sequence[str]) -> str:
    """Texts as a JSON list, to be given to a statement."""
    joined = "\n".join(texts)
    encoded = joined.encode()
    if joined.count("\n") != len(texts) - 1 or len(encoded.translate(None, _CONTROLS)) < len(encoded):
        return json.dumps(texts)
    escaped = joined.replace("\\", "\\\\").replace('"', '\\"')
    return '["' + escaped.replace("\n", '","') + '"]'


def key_list(values: npt.NDArray[np.int64]) -> str:
    """Ints as a JSON list, to be given to a statement."""
    return "[" + ",".join(map(str, values.tolist())) + "]"
