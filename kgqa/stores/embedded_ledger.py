"""Loads, marks and taking back in the embedded store: statements inside a transaction that the caller holds."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from graph_schema.errors import StoreError
from graph_schema.loads import Load, LoadPlan, LoadSource, Origin, Withdrawn
from graph_schema.types import Fact, Int64s, Properties
from kgqa.stores import embedded_sql as sql
from kgqa.stores.embedded_arrays import EmbeddedArrays
from kgqa.stores.embedded_log import (
    BROUGHT,
    TAKEN_BACK,
    TAKEN_OUT,
    FactIndex,
    origin_set,
    row_keys,
    row_lines,
)
from kgqa.stores.embedded_read import keys_of
from kgqa.stores.embedded_write import EmbeddedWriter
from kgqa.stores.keys import NONE, KeySet, Layout, distinct
from kgqa.stores.properties import decoded, together

Bools = np.ndarray[tuple[int], np.dtype[np.bool_]]


def begin_load(connection: sqlite3.Connection, plan: LoadPlan) -> Load:
    """See ``LoadLedger.begin_load``."""
    found = connection.execute(sql.FIND_LOAD, (plan.key,)).fetchone()
    if found is None:
        number = connection.execute(sql.LAST_LOAD).fetchone()[0] + 1
        began = _now()
        id_ = f"{began[:10].replace('-', '')}-{began[11:19].replace(':', '')}-{number:05}"
        found = (connection.execute(sql.ADD_LOAD, (id_, plan.key, began)).lastrowid,)
        connection.executemany(
            sql.ADD_ORIGIN, [(found[0], source.name, source.size, source.digest) for source in plan.sources]
        )
    (load,) = (load for number, load in _loads(connection) if number == found[0])
    return load


def end_load(connection: sqlite3.Connection, id_: str, report: str) -> None:
    """See ``LoadLedger.end_load``; ``report`` is empty if others have written since the load was begun."""
    state = _state(connection, id_)
    if state == "running":
        connection.execute(sql.END_LOAD, (id_, "complete", _now()))
    elif state != "complete":
        raise StoreError(f"the load {id_} is {state}, so it can't be completed", fix="Load its sources again")
    if report:
        connection.execute(sql.SEAL_LOAD, (id_, report))


def count_rejected(connection: sqlite3.Connection, id_: str, rejected: Sequence[int]) -> None:
    """See ``LoadLedger.count_rejected``."""
    _state(connection, id_)
    (sources,) = (load.sources for load in loads(connection) if load.id == id_)
    counts = [(source.origin, count) for source, count in zip(sources, rejected, strict=True)]
    connection.executemany(sql.COUNT_REJECTED, counts)


def loads(connection: sqlite3.Connection) -> tuple[Load, ...]:
    """See ``LoadLedger.loads``."""
    return tuple(load for _, load in _loads(connection))


def set_undoing(connection: sqlite3.Connection, id_: str) -> None:
    """A load is being undone."""
    if _state(connection, id_) != "undone":
        connection.execute(sql.END_LOAD, (id_, "undoing", ""))


def set_undone(connection: sqlite3.Connection, id_: str) -> None:
    """A load has been undone."""
    if _state(connection, id_) != "undone":
        connection.execute(sql.END_LOAD, (id_, "undone", _now()))


def marks(
    connection: sqlite3.Connection, keys: Int64s, arrays: EmbeddedArrays | None, layout: Layout
) -> list[list[tuple[int, int]]]:
    """The marks (origin, line) of each of these facts, ascending and distinct."""
    found: list[dict[int, int]] = [{} for _ in keys]
    after = 0
    if arrays is not None and arrays.layout == layout:
        after = arrays.seq
        for at, origin, line in arrays.marks(keys):
            found[at][origin] = line
    for kind, origin, heads, relations, tails, lines in connection.execute(sql.MARKS_AFTER, (after,)):
        if kind == TAKEN_BACK:
            for had in found:
                had.pop(origin, None)
            continue
        row = row_keys(heads, relations, tails, layout)
        places = np.searchsorted(keys, row)
        hits = np.flatnonzero(keys[np.minimum(places, len(keys) - 1)] == row) if len(keys) else NONE
        at_lines = row_lines(lines, len(row))[hits].tolist() if kind == BROUGHT else [0] * len(hits)
        for at, line in zip(places[hits].tolist(), at_lines, strict=True):
            if kind == BROUGHT:
                found[at].setdefault(origin, line)
            else:
                found[at].clear()
    return [sorted(had.items()) for had in found]


def origins(
    connection: sqlite3.Connection, index: FactIndex, arrays: EmbeddedArrays | None, facts: Sequence[Fact]
) -> list[tuple[Origin, ...]]:
    """See ``LoadLedger.origins``."""
    at, keys = keys_of(connection, index, facts)
    asked, place = np.unique(keys, return_inverse=True)
    known = {origin: (load, name) for origin, load, name in connection.execute(sql.SOURCES)}
    said = [
        tuple(sorted(Origin(*known[origin], line) for origin, line in had if origin in known))
        for had in marks(connection, asked, arrays, index.layout)
    ]
    found: list[tuple[Origin, ...]] = [()] * len(facts)
    for position, which in zip(at.tolist(), place.tolist(), strict=True):
        found[position] = said[which]
    return found


def fact_properties(connection: sqlite3.Connection, index: FactIndex, facts: Sequence[Fact]) -> list[Properties]:
    """See ``LoadLedger.fact_properties``."""
    found: list[Properties] = [{}] * len(facts)
    if connection.execute(sql.ANY_FACT_PROPERTY).fetchone()[0]:
        at, keys = keys_of(connection, index, facts)
        for position, fact in zip(at.tolist(), index.layout.triples(keys), strict=True):
            rows = connection.execute(sql.FACT_PROPERTIES, fact)
            found[position] = together({origin: decoded(text) for origin, text in rows})
    return found


def withdraw(connection: sqlite3.Connection, writer: EmbeddedWriter, given: Sequence[int]) -> Withdrawn:
    """See ``LoadLedger.withdraw``; the load's state is the caller's."""
    origins = sorted(set(given) - {0})
    layout = writer.index.layout
    lost = KeySet()
    for origin in origins:
        lost.add(origin_set(connection, origin, layout).all())
    keys = lost.all()
    kept = kept_without(connection, keys, set(origins), layout)
    spoken = sorted({key for origin in origins for (key,) in connection.execute(sql.SPOKEN_OF, (origin,))})
    for origin in origins:
        connection.executemany(sql.DROP_ORIGIN_PROPERTIES, [(origin,)])
        connection.execute(sql.DROP_MARKS, (origin,))
        connection.execute(sql.ADD_LOG, (TAKEN_BACK, origin, b"", b"", b"", b""))
        connection.execute(sql.RESET_ORIGIN, (origin,))
    gone = writer.take_out(keys[~kept])
    silent = np.array(writer.entities.say_less(spoken, set(origins)), np.int64)
    ends = distinct(np.concatenate((silent, layout.near(gone), layout.far(gone))))
    dropped = writer.entities.drop(writer.without_facts(ends), declared=False)
    writer.undisturbed = False
    if len(keys) or spoken:
        writer.count_change()
    return Withdrawn(
        facts_deleted=len(gone),
        facts_kept=int(kept.sum()),
        entities_deleted=len(dropped),
        entities_kept=len(set(spoken).difference(dropped)),
    )


def kept_without(connection: sqlite3.Connection, keys: Int64s, origins: set[int], layout: Layout) -> Bools:
    """Which of these facts, ascending, have a mark of another origin."""
    kept = np.zeros(len(keys), bool)
    if len(keys):
        for kind, origin, heads, relations, tails, _ in connection.execute(sql.MARKS_AFTER, (0,)):
            if kind == TAKEN_OUT or (kind == BROUGHT and origin not in origins):
                row = row_keys(heads, relations, tails, layout)
                places = np.minimum(np.searchsorted(keys, row), len(keys) - 1)
                kept[places[keys[places] == row]] = kind == BROUGHT
    return kept


def _loads(connection: sqlite3.Connection) -> list[tuple[int, Load]]:
    sources: dict[int, list[LoadSource]] = {}
    for load, *columns in connection.execute(sql.ORIGINS):
        sources.setdefault(load, []).append(LoadSource(*columns))
    rows = connection.execute(sql.LOADS).fetchall()
    return [
        (number, Load(id_, key, state, began, ended, tuple(sources.get(number, ())), report))
        for number, id_, key, state, began, ended, report in rows
    ]


def _state(connection: sqlite3.Connection, id_: str) -> str:
    found = connection.execute(sql.LOAD_STATE, (id_,)).fetchone()
    if found is None:
        raise StoreError(f"there is no load {id_!r} in the store", fix="See `kgqa loads` for those that are")
    return str(found[0])


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
