"""Entities of a scratch store as CSV files of nodes, numbered anew for them."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv

from graph_schema.types import DEFAULT_LABEL, Entity, Int64s
from kgqa.stores import embedded_sql as sql
from kgqa.stores.batches import keys_of_names
from kgqa.stores.embedded_names import entity_of
from kgqa.stores.heard import ENTITIES, Heard, settled
from kgqa.stores.neo4j_csv import OURS, Tables, Written, field_of, quoted, sayable, types_of
from kgqa.stores.neo4j_later import later_entity
from kgqa.stores.neo4j_values import MARKS, SAID, mark, on_node
from kgqa.stores.neo4j_write import MAX_KEY_CHARACTERS, kept_entity
from kgqa.stores.properties import decoded

ROWS = 20_000
NODES = "nodes"
_BARE = "name IS NULL AND label IS NULL AND aliases IS NULL AND properties IS NULL AND sole IS NULL"


@dataclass(frozen=True)
class Numbered:
    """Where entities go.

    Attributes:
        tables: of those of which something is said.
        numbers: by row key, the id in the files: 0, 1, 2, ... from the first row of the first file to the last of the
            last. Neo4j takes such ids as they are, without a table of them.
        count: how many there are.
    """

    tables: Tables
    numbers: Int64s
    count: int


def number_entities(connection: sqlite3.Connection) -> Numbered:
    """Plan the files."""
    tables = Tables(
        NODES, (":ID", "id:string", "name:string", "aliases:string[]", "name_keys:string[]", *OURS, ":LABEL")
    )
    kinds: dict[tuple[str, tuple[tuple[str, str], ...]], int] = {}
    keys, kind_of = array("q"), array("q")
    query = f"SELECT key, label, properties FROM entity WHERE NOT ({_BARE}) ORDER BY key"
    for key, label, text in connection.execute(query):
        types = types_of(sayable(on_node(decoded(text)))[0]) if text else {}
        kind = label or DEFAULT_LABEL, tuple(types.items())
        if kind not in kinds:
            kinds[kind] = len(kinds)
            tables.plan(kind[0], types)
        keys.append(key)
        kind_of.append(kinds[kind])
    place = {table.name: at for at, table in enumerate(tables.ordered())}
    table_of = np.array([place[tables.find(label, dict(types)).name] for label, types in kinds], np.int64)
    others = np.array(keys, np.int64)
    others = others[np.argsort(table_of[np.array(kind_of, np.int64)], kind="stable")]
    (last,) = connection.execute(sql.MAX_ENTITY).fetchone()
    (count,) = connection.execute(sql.COUNT_ENTITIES).fetchone()
    bare = np.ones(last + 1, bool)
    if count < last:
        bare[:] = False
        bare[np.fromiter(chain.from_iterable(connection.execute("SELECT key FROM entity")), np.int64, count)] = True
    bare[0] = False
    bare[others] = False
    numbers = np.cumsum(bare) - 1
    numbers[others] = np.arange(count - len(others), count)
    return Numbered(tables, numbers, count)


def export_entities(connection: sqlite3.Connection, folder: Path, delimiter: str, numbered: Numbered) -> Written:
    """Write all of them.

    Args:
        delimiter: of lists.
    """
    run = _Entities(connection, delimiter, numbered)
    run.bare(folder)
    run.others(folder)
    return run.written


class _Entities:
    def __init__(self, connection: sqlite3.Connection, delimiter: str, numbered: Numbered) -> None:
        self._connection = connection
        self._delimiter = delimiter
        self._tables = numbered.tables
        self._numbers = numbered.numbers
        self.written = Written()

    def bare(self, folder: Path) -> None:
        """Those that facts only mention, many at once."""
        name = f"{NODES}-0.csv"
        self.written.files += (name,)
        rows = self._connection.execute(f"SELECT key, id FROM entity WHERE {_BARE} ORDER BY key")
        with (folder / name).open("wb") as file:
            file.write(b":ID,id:string,name:string,name_keys:string[],:LABEL\n")
            while part := rows.fetchmany(ROWS):
                keys, ids = [key for key, _ in part], [id_ for _, id_ in part]
                keys_of = keys_of_names(ids)
                names: list[str | None] = [*keys_of]
                if not all(keys_of) or max(map(len, keys_of)) > MAX_KEY_CHARACTERS:
                    names = [key[:MAX_KEY_CHARACTERS] or None for key in keys_of]
                texts = pa.array(ids, pa.string())
                labels = pa.repeat(DEFAULT_LABEL, len(part))
                columns = [pa.array(self._numbers[keys]), texts, texts, pa.array(names, pa.string()), labels]
                csv.write_csv(
                    pa.table(columns, names=["key", "id", "name", "name_keys", "label"]),
                    file,
                    csv.WriteOptions(include_header=False),
                )
                together = "".join(ids)
                self.written.multiline |= "\n" in together or "\r" in together
                # What is in quotes may be twice as long, and a character has four bytes at most.
                self.written.longest = max(self.written.longest, 8 * 3 * max(map(len, ids)) + 100)
                self.written.count += len(part)

    def others(self, folder: Path) -> None:
        """Those of which something is said."""
        query = f"SELECT key, id, name, label, aliases, properties, sole, line FROM entity WHERE NOT ({_BARE})"
        with ExitStack() as stack:
            self.written.files += self._tables.open(folder, stack)
            for row in self._connection.execute(f"{query} ORDER BY key"):
                self._entity(row)
                self.written.count += 1

    def _entity(self, row: Sequence[Any]) -> None:
        entity = entity_of(row[:6])
        heard = self._heard(row[0], entity, row[6], row[7])
        kept = kept_entity(heard)
        ours = [kept.pop(name) for name in ("name", "aliases", "name_keys", MARKS, SAID)]
        properties, rest = sayable(kept)
        if rest:
            self.written.later.append(later_entity(entity.id, rest))
        types = types_of(properties)
        table = self._tables.find(entity.label, types)
        labels = (DEFAULT_LABEL,) if entity.label == DEFAULT_LABEL else (DEFAULT_LABEL, entity.label)
        values = (*ours, labels, *(properties.get(name) for name in table.types))
        fields = (field_of(value, self._delimiter) for value in values)
        self.written.put(table, ",".join((str(self._numbers[row[0]]), quoted(entity.id), *fields)))

    def _heard(self, key: int, entity: Entity, sole: int | None, line: int | None) -> Heard[Entity]:
        if sole is None:
            return Heard((), None, entity)
        if sole >= 0:
            return Heard((mark(sole, line or 0),), None, entity)
        nothing = Entity(entity.id, entity.id)
        marks, said = [], {}
        for origin, at, *columns in self._connection.execute(sql.SAID, (key,)):
            marks.append(mark(origin, at))
            said[origin] = entity_of((key, entity.id, *columns))
        said = {origin: told for origin, told in said.items() if told != nothing}
        return settled(ENTITIES, tuple(marks), said, entity, nothing)
