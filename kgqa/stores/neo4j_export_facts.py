"""Facts of a scratch store as CSV files of relationships."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
from pyarrow import csv

from graph_schema.types import Int64s, Properties
from kgqa.stores import embedded_sql as sql
from kgqa.stores.embedded_log import BROUGHT, TAKEN_BACK, row_lines
from kgqa.stores.heard import FACTS, Heard, settled
from kgqa.stores.keys import Layout
from kgqa.stores.neo4j_csv import OURS, Tables, Written, field_of, quoted, sayable, types_of
from kgqa.stores.neo4j_later import later_fact
from kgqa.stores.neo4j_values import MARKS, ORIGIN, SAID
from kgqa.stores.neo4j_write import kept_fact
from kgqa.stores.properties import decoded, together

MARKS_AT_ONCE = 8_000_000  # about 300 MB
FACTS_FILE = "facts"
Columns = tuple[Int64s, Int64s, Int64s, Int64s]
"""Heads, relations, tails, marks, of the same length."""


def export_facts(connection: sqlite3.Connection, folder: Path, delimiter: str, numbers: Int64s) -> Written:
    """Write all of them, in parts by their heads, so that each part fits into memory.

    Args:
        delimiter: of lists.
        numbers: of entities in the files, by row key.
    """
    return _Facts(connection, delimiter, numbers).write(folder)


class _Facts:
    def __init__(self, connection: sqlite3.Connection, delimiter: str, numbers: Int64s) -> None:
        self._connection = connection
        self._delimiter = delimiter
        self._numbers = numbers
        self._names: dict[int, str] = {key: name for name, key in connection.execute(sql.RELATION_KEYS)}
        (self._last,) = connection.execute(sql.MAX_ENTITY).fetchone()
        self._layout = Layout.fitting(self._last, max(self._names, default=0))
        self._tables = Tables(FACTS_FILE, (":START_ID", ":END_ID", ":TYPE", *OURS))
        self._written = Written()

    def write(self, folder: Path) -> Written:
        query = "SELECT head, relation, tail, origin, properties FROM fact_property ORDER BY head, relation, tail"
        for fact, told in _grouped(self._connection.execute(query)):
            properties, _ = sayable(kept_fact(Heard((), None, together(told))))
            self._tables.plan(self._names[fact[1]], types_of(properties))
        (marks,) = self._connection.execute("SELECT coalesce(sum(length(heads) / 4), 0) FROM log").fetchone()
        parts = max(1, -(-marks // MARKS_AT_ONCE))
        bounds = [self._last * part // parts + (part > 0) for part in range(parts)] + [self._last + 1]
        told_of = _Lookahead(_grouped(self._connection.execute(query)))
        name = f"{FACTS_FILE}-0.csv"
        with ExitStack() as stack:
            self._written.files = (name, *self._tables.open(folder, stack))
            plain = stack.enter_context((folder / name).open("wb"))
            plain.write(f":START_ID,:END_ID,:TYPE,{OURS[0]}\n".encode())
            for low, high in pairwise(bounds):
                self._part(low, high, plain, told_of)
        self._written.multiline |= any(set(name) & {"\n", "\r"} for name in self._names.values())
        return self._written

    def _part(self, low: int, high: int, plain: BinaryIO, told_of: _Lookahead) -> None:
        """The facts whose heads are in [low, high)."""
        heads, relations, tails, marks = _live(self._connection, low, high)
        keys = self._layout.pack(heads, relations, tails)
        del heads, relations, tails
        order = np.argsort(keys, kind="stable")  # of one fact, in the order in which the marks came
        keys, marks = keys[order], marks[order]
        first = np.ones(len(keys), bool)
        np.not_equal(keys[1:], keys[:-1], out=first[1:])
        starts = np.flatnonzero(first)
        counts = np.diff(np.append(starts, len(keys)))
        facts, marked = keys[starts], marks[starts]
        self._written.count += len(facts)
        rich = np.zeros(len(facts), bool)
        for place, told in told_of.among(facts, self._layout):
            rich[place] = True
            self._fact(facts[place : place + 1], marks[starts[place] : starts[place] + counts[place]], told)
        for place in np.flatnonzero(~rich & (counts > 1)).tolist():
            self._fact(facts[place : place + 1], marks[starts[place] : starts[place] + counts[place]], {})
        usual = ~rich & (counts == 1)
        if not usual.all():
            facts, marked = facts[usual], marked[usual]
        names = [self._names.get(kind, "") for kind in range(max(self._names, default=0) + 1)]
        types = pa.array(names, pa.string()).take(pa.array(self._layout.kind(facts)))
        ends = (pa.array(self._numbers[end]) for end in (self._layout.near(facts), self._layout.far(facts)))
        table = pa.table([*ends, types, pa.array(marked)], names=["head", "tail", "type", "mark"])
        csv.write_csv(table, plain, csv.WriteOptions(include_header=False, batch_size=65_536))

    def _fact(self, key: Int64s, marks: Int64s, told: Mapping[int, Properties]) -> None:
        """One that has properties or several marks."""
        ((head, relation, tail),) = self._layout.triples(key)
        said = {origin: properties for origin, properties in told.items() if properties}
        kept = kept_fact(settled(FACTS, tuple(marks.tolist()), said, together(said), {}))
        ours = [kept.pop(MARKS), kept.pop(SAID, None)]
        properties, rest = sayable(kept)
        name = self._names[relation]
        if rest:
            self._written.later.append(later_fact(self._id(head), name, self._id(tail), rest))
        table = self._tables.find(name, types_of(properties))
        values = (*ours, *(properties.get(column) for column in table.types))
        fields = (field_of(value, self._delimiter) for value in values)
        self._written.put(table, ",".join((str(self._numbers[head]), str(self._numbers[tail]), quoted(name), *fields)))

    def _id(self, key: int) -> str:
        return str(self._connection.execute("SELECT id FROM entity WHERE key = ?", (key,)).fetchone()[0])


class _Lookahead:
    """What is said of facts, ascending, found for facts that are asked about in ascending parts."""

    def __init__(self, said: Iterator[tuple[tuple[int, int, int], dict[int, Properties]]]) -> None:
        self._said = said
        self._next = next(said, None)

    def among(self, facts: Int64s, layout: Layout) -> Iterator[tuple[int, dict[int, Properties]]]:
        """The position of each of which something is said, and what; ``facts`` are ascending keys."""
        if not len(facts):
            return
        (last,) = layout.triples(facts[-1:])
        waiting = []
        while self._next is not None and self._next[0] <= last:
            waiting.append(self._next)
            self._next = next(self._said, None)
        if not waiting:
            return
        heads, relations, tails = (
            np.array(column, np.int64) for column in zip(*(fact for fact, _ in waiting), strict=True)
        )
        asked = layout.pack(heads, relations, tails)
        places = np.searchsorted(facts, asked)  # none is beyond the last
        for place, there, (_, told) in zip(places.tolist(), (facts[places] == asked).tolist(), waiting, strict=True):
            if there:
                yield place, told


def _grouped(
    rows: Iterable[tuple[int, int, int, int, str]],
) -> Iterator[tuple[tuple[int, int, int], dict[int, Properties]]]:
    """What each origin said of each fact; ``rows`` are ascending by fact."""
    fact: tuple[int, int, int] | None = None
    told: dict[int, Properties] = {}
    for *of, origin, text in rows:
        now = (of[0], of[1], of[2])
        if fact is not None and now != fact:
            yield fact, told
            told = {}
        fact = now
        told[origin] = decoded(text)
    if fact is not None:
        yield fact, told


def _live(connection: sqlite3.Connection, low: int, high: int) -> Columns:
    """The marks of the facts whose heads are in [low, high), as they came: heads, relations, tails, marks."""
    live: list[Columns] = []
    for kind, origin, *blobs in connection.execute(sql.MARKS_AFTER, (0,)):
        if kind == TAKEN_BACK:
            continue  # its marks aren't in the log any more
        heads, relations, tails = (np.frombuffer(blob, np.dtype("<i4")).astype(np.int64) for blob in blobs[:3])
        inside = (low <= heads) & (heads < high)
        if not inside.any():
            continue
        heads, relations, tails = heads[inside], relations[inside], tails[inside]
        if kind == BROUGHT:
            lines = np.minimum(row_lines(blobs[3], len(inside))[inside], ORIGIN - 1)
            live.append((heads, relations, tails, lines + origin * ORIGIN))
        else:
            live = [
                _without(marks, {*zip(heads.tolist(), relations.tolist(), tails.tolist(), strict=True)})
                for marks in live
            ]
    if not live:
        none = np.zeros(0, np.int64)
        return none, none, none, none
    heads, relations, tails, marks = (np.concatenate(columns) for columns in zip(*live, strict=True))
    return heads, relations, tails, marks


def _without(marks: Columns, gone: set[tuple[int, int, int]]) -> Columns:
    """Marks of other facts than those that were taken out."""
    facts = zip(*(column.tolist() for column in marks[:3]), strict=True)
    stay = np.array([fact not in gone for fact in facts], bool)
    heads, relations, tails, kept = (column[stay] for column in marks)
    return heads, relations, tails, kept
