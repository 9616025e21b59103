"""The arrays beside an embedded store's file: what its log says as of one row, made to be searched.

Entities have two numbers here: the row key that the file knows them by, and the rank of their id, which is what the
``Csr`` is in. Likewise relations.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from graph_schema.errors import StoreError
from graph_schema.types import Int64s
from kgqa.stores import embedded_sql as sql
from kgqa.stores.adjacency import Adjacency
from kgqa.stores.csr import Csr
from kgqa.stores.embedded_log import BROUGHT, TAKEN_OUT, FactIndex, row_keys, row_lines
from kgqa.stores.keys import KeySet, Layout
from kgqa.stores.snapshot_files import REBUILD, read_arrays, write_arrays
from kgqa.stores.strings import HashedStrings

LINE_BITS = 40  # a mark is origin << 40 | line
NO_MARK = -1
IDS = 50_000  # read at a time
KEYS = 1_000_000  # turned into ranks at a time
Array = npt.NDArray[Any]


class EmbeddedArrays:
    """Opened, memory-mapped.

    Attributes:
        source: identity of the file that they belong to.
        seq: the last row of the log that they know of.
        adjacency: what lies around an entity.
        rank: int32, by row key of an entity, the rank of its id; -1: it wasn't there.
        forward, backward: int64 [F], the facts as keys of ``layout``, from head and from tail, ascending.
    """

    def __init__(self, arrays: dict[str, Array], manifest: dict[str, Any]) -> None:
        self.source = str(manifest["source"])
        self.seq = int(manifest["seq"])
        self._last_row = int(manifest["last_row"])
        self._sum = _sum_of_row if "log_sum" in manifest else _sum_as_text
        self.layout = Layout(*manifest["layout"])
        ids = HashedStrings(*(arrays[f"id_{part}"] for part in ("text", "offset", "hash", "at")))
        csr = Csr(*(arrays[name] for name in ("group_start", "group_relation", "edge_start", "edge_target")))
        self.adjacency = Adjacency(ids, manifest["relations"], csr)
        self.rank: npt.NDArray[np.int32] = arrays["rank"]
        self.forward: Int64s = arrays["forward"]
        self.backward: Int64s = arrays["backward"]
        self._mark: Int64s = arrays["mark"]
        self._more_at: Int64s = arrays["more_at"]
        self._more_mark: Int64s = arrays["more_mark"]

    @classmethod
    def open(cls, directory: Path) -> EmbeddedArrays:
        """Open those in force.

        Raises:
            StoreError: nothing there, or it is damaged.
        """
        arrays, manifest = read_arrays(directory)
        try:
            return cls(arrays, manifest)
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError("the arrays are damaged", where=str(directory), fix=REBUILD) from error

    def fits(self, connection: sqlite3.Connection, source: str) -> bool:
        """Whether they belong to this file, and to its past: after a power cut it may have lost what they know."""
        return (
            self.source == source
            and connection.execute(sql.LAST_SEQ).fetchone()[0] >= self.seq
            and self._sum(connection, self.seq) in (self._last_row, 0)
        )

    def index(self) -> FactIndex:
        """The facts as of ``seq``, to be kept up to date."""
        return FactIndex(self.layout, KeySet(self.forward), KeySet(self.backward), self.seq)

    def marks(self, keys: Int64s) -> Iterator[tuple[int, int, int]]:
        """Marks of facts, ascending: (position in ``keys``, origin, line)."""
        if not len(self.forward):
            return
        places = np.minimum(np.searchsorted(self.forward, keys), len(self.forward) - 1)
        for at in np.flatnonzero(self.forward[places] == keys).tolist():
            place = int(places[at])
            start, end = np.searchsorted(self._more_at, (place, place + 1)).tolist()
            for mark in (int(self._mark[place]), *self._more_mark[start:end].tolist()):
                yield at, mark >> LINE_BITS, mark & ((1 << LINE_BITS) - 1)


def write(connection: sqlite3.Connection, index: FactIndex, directory: Path, source: str) -> None:
    """Make the arrays for ``index``, which is as of the transaction that the caller holds.

    Raises:
        StoreError: the disk is full, the directory can't be written, or there are more than 2^31 - 1 entities.
    """
    relations = connection.execute(sql.RELATIONS).fetchall()
    manifest = {
        "source": source,
        "seq": index.seq,
        "last_row": _sum_of_row(connection, index.seq),
        "log_sum": 2,  # how that sum is made; arrays made before this had a number have it of the row as text
        "layout": [index.layout.entity, index.layout.relation],
        "relations": [name for _, name in relations],
    }
    write_arrays(directory, _arrays(connection, index, [key for key, _ in relations]), manifest)


def _sum_of_row(connection: sqlite3.Connection, seq: int) -> int:
    """A checksum of a row of the log; 0 if it is gone, taken back with its origin."""
    row = connection.execute(sql.LOG_ROW, (seq,)).fetchone()
    if not row:
        return 0
    kind, origin, *blobs = row
    total = zlib.crc32(repr((kind, origin, *map(len, blobs))).encode())
    for blob in blobs:
        total = zlib.crc32(blob, total)
    return total or 1


def _sum_as_text(connection: sqlite3.Connection, seq: int) -> int:
    """The same as it was made before."""
    row = connection.execute(sql.LOG_ROW, (seq,)).fetchone()
    return zlib.crc32(repr(row).encode()) or 1 if row else 0


def _arrays(connection: sqlite3.Connection, index: FactIndex, relations: list[int]) -> Iterator[tuple[str, Array]]:
    """One after the other, so that few are in memory at a time."""
    keys: list[Int64s] = []
    ids = HashedStrings.of_parts(_ids(connection, keys))
    for part in ("text", "offset", "hash", "at"):
        yield f"id_{part}", getattr(ids, part)
    row_key = np.concatenate([np.zeros(0, np.int64), *keys])
    del ids, keys
    rank = np.full(int(row_key.max(initial=0)) + 1, -1, np.int32)
    rank[row_key] = np.arange(len(row_key), dtype=np.int32)
    yield "rank", rank
    relation_rank = np.zeros(max(relations, default=0) + 1, np.int64)
    relation_rank[relations] = np.arange(len(relations))

    forward = index.forward.all()
    yield "forward", forward
    yield from _marks(connection, forward, index.layout)
    edges = Layout(index.layout.entity, index.layout.relation + 1)
    packed = np.empty(2 * len(forward), np.int64)
    for start in range(0, len(forward), KEYS):
        some = forward[start : start + KEYS]
        head = rank[index.layout.near(some)].astype(np.int64)
        relation = relation_rank[index.layout.kind(some)] * 2
        tail = rank[index.layout.far(some)].astype(np.int64)
        packed[2 * start : 2 * start + len(some)] = edges.pack(head, relation, tail)
        packed[2 * start + len(some) : 2 * start + 2 * len(some)] = edges.pack(tail, relation + 1, head)
    del forward
    packed.sort()
    csr = Csr.of_keys(packed, edges.entity, edges.relation, len(row_key))
    del packed
    for name in ("group_start", "group_relation", "edge_start", "edge_target"):
        yield name, getattr(csr, name)
    del csr
    yield "backward", index.backward.all()


def _ids(connection: sqlite3.Connection, keys: list[Int64s]) -> Iterator[list[str]]:
    """Ids ascending, in parts; their row keys go into ``keys``."""
    rows = connection.execute(sql.IDS_ASCENDING)
    while part := rows.fetchmany(IDS):
        keys.append(np.fromiter((key for _, key in part), np.int64, len(part)))
        yield [id_ for id_, _ in part]


def _marks(connection: sqlite3.Connection, forward: Int64s, layout: Layout) -> Iterator[tuple[str, Array]]:
    """One mark of each fact, and beside it those that facts have more."""
    mark = np.full(len(forward), NO_MARK, np.int64)
    more: list[Int64s] = []  # [place, mark] each
    for kind, origin, heads, relations, tails, lines in connection.execute(sql.MARKS_AFTER, (0,)):
        if kind not in (BROUGHT, TAKEN_OUT) or not len(forward):
            continue
        row = row_keys(heads, relations, tails, layout)
        places = np.minimum(np.searchsorted(forward, row), len(forward) - 1)
        there = forward[places] == row
        places = places[there]
        if kind == TAKEN_OUT:
            mark[places] = NO_MARK
            more = [part[:, ~np.isin(part[0], places)] for part in more]
            continue
        marks = (origin << LINE_BITS) | row_lines(lines, len(row))[there]
        further = mark[places] != NO_MARK
        mark[places[~further]] = marks[~further]
        if further.any():
            more.append(np.stack((places[further], marks[further])))
    yield "mark", mark
    del mark
    at, marks = np.concatenate([np.zeros((2, 0), np.int64), *more], axis=1)
    order = np.lexsort((marks, at))
    yield "more_at", at[order]
    yield "more_mark", marks[order]
