"""From an embedded store's file to the CSV files of ``neo4j-admin database import full``.

Nodes have one file for each label and set of typed columns, relationships one for those with nothing but a mark and one
for each relation that has properties or several marks. What the format can't say (odd names of properties, empty lists)
goes into the database as notes, which a kgqa that writes to it carries out first (``neo4j_later``).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv

from graph_schema.errors import StoreError
from graph_schema.schema import Schema
from graph_schema.types import DEFAULT_LABEL, Entity, Int64s, Properties
from kgqa.stores import embedded_sql as sql
from kgqa.stores.batches import keys_of_names
from kgqa.stores.embedded import EmbeddedStore
from kgqa.stores.embedded_log import BROUGHT, TAKEN_BACK, row_lines
from kgqa.stores.embedded_names import entity_of
from kgqa.stores.heard import ENTITIES, FACTS, Heard, settled
from kgqa.stores.neo4j_csv import DELIMITERS, OURS, TYPES, Table, Tables, field_of, quoted, sayable, types_of
from kgqa.stores.neo4j_later import LATER, later_entity, later_fact
from kgqa.stores.neo4j_values import MARKS, ORIGIN, SAID, mark, on_node
from kgqa.stores.neo4j_write import MAX_KEY_CHARACTERS, kept_entity, kept_fact
from kgqa.stores.properties import decoded, together

MARKS_AT_ONCE = 8_000_000  # about 300 MB
ROWS = 20_000
NODES, FACTS_FILE = "nodes", "facts"


@dataclass
class Exported:
    """What was written: names of files, how lists are delimited, whether texts have line breaks, the longest line."""

    nodes: tuple[str, ...] = ()
    relationships: tuple[str, ...] = ()
    delimiter: str = DELIMITERS[0]
    multiline: bool = False
    longest: int = 0
    entities: int = 0
    facts: int = 0


def export(store: EmbeddedStore, folder: Path) -> Exported:
    """Write the files; those of an earlier time are replaced.

    Raises:
        StoreError: the texts have every character that could delimit a list. OSError: the disk is full.
    """
    for old in (*folder.glob(f"{NODES}-*.csv"), *folder.glob(f"{FACTS_FILE}-*.csv")):
        old.unlink()
    path = Path(store.url.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        connection.execute("BEGIN")
        run = _Export(connection, folder, Exported(delimiter=_delimiter(connection)))
        run.entities()
        run.facts()
        run.bookkeeping(store)
    return run.done


def _delimiter(connection: sqlite3.Connection) -> str:
    """A character that no text in a list has. JSON spells control characters out, so they are looked for like that."""
    for delimiter in DELIMITERS:
        spelled = json.dumps(delimiter)[1:-1]
        if not connection.execute(
            """
            SELECT EXISTS (SELECT 1 FROM entity WHERE instr(aliases, ?1) OR instr(properties, ?1))
                OR EXISTS (SELECT 1 FROM said WHERE instr(aliases, ?1) OR instr(properties, ?1))
                OR EXISTS (SELECT 1 FROM fact_property WHERE instr(properties, ?1))
            """,
            (spelled,),
        ).fetchone()[0]:
            return delimiter
    raise StoreError("the texts have every control character, so none can delimit a list", fix="Clean the texts first")


class _Export:
    def __init__(self, connection: sqlite3.Connection, folder: Path, done: Exported) -> None:
        self._connection = connection
        self._folder = folder
        self.done = done
        self._later: list[str] = []

    # ---- entities

    def entities(self) -> None:
        """All entities; their row keys are their ids in the files."""
        tables = Tables(
            NODES, (":ID", "id:string", "name:string", "aliases:string[]", "name_keys:string[]", *OURS, ":LABEL")
        )
        for label, text in self._connection.execute(
            "SELECT label, properties FROM entity WHERE properties IS NOT NULL"
        ):
            tables.plan(label or DEFAULT_LABEL, types_of(sayable(on_node(decoded(text)))[0]))
        with ExitStack() as stack:
            self.done.nodes = tables.open(self._folder, stack)
            query = "SELECT key, id, name, label, aliases, properties, sole, line FROM entity ORDER BY key"
            rows = self._connection.execute(query)
            bare = tables.find("", {})
            while part := rows.fetchmany(ROWS):
                plain = [row for row in part if row[2:7] == (None,) * 5]
                if plain:
                    keys = keys_of_names([row[1] for row in plain])
                    self._put(bare, [_bare_line(row[0], row[1], key) for row, key in zip(plain, keys, strict=True)])
                for row in part:
                    if row[2:7] != (None,) * 5:
                        self._entity(tables, row)
                self.done.entities += len(part)

    def _entity(self, tables: Tables, row: Sequence[Any]) -> None:
        """One of which something is said."""
        entity = entity_of(row[:6])
        heard = self._heard(row[0], entity, row[6], row[7])
        kept = kept_entity(heard)
        ours = [kept.pop(name) for name in ("name", "aliases", "name_keys", MARKS, SAID)]
        properties, rest = sayable(kept)
        if rest:
            self._later.append(later_entity(entity.id, rest))
        types = types_of(properties)
        table = tables.find(entity.label, types)
        labels = (DEFAULT_LABEL,) if entity.label == DEFAULT_LABEL else (DEFAULT_LABEL, entity.label)
        fields = [str(row[0]), quoted(entity.id), *map(self._field, ours), self._field(labels)]
        fields += [self._field(properties.get(name)) for name in table.types]
        self._put(table, [",".join(fields)])

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

    # ---- facts

    def facts(self) -> None:
        """All facts, in parts by their heads, so that each part fits into memory."""
        names = {key: name for name, key in self._connection.execute(sql.RELATION_KEYS)}
        tables = Tables(FACTS_FILE, (":START_ID", ":END_ID", ":TYPE", *OURS))
        query = "SELECT head, relation, tail, origin, properties FROM fact_property ORDER BY head, relation, tail"
        for fact, told in _grouped(self._connection.execute(query)):
            properties, _ = sayable(kept_fact(Heard((), None, together(told))))
            tables.plan(names[fact[1]], types_of(properties))
        (last,) = self._connection.execute(sql.MAX_ENTITY).fetchone()
        (marks,) = self._connection.execute("SELECT coalesce(sum(length(heads) / 4), 0) FROM log").fetchone()
        parts = max(1, -(-marks // MARKS_AT_ONCE))
        bounds = [last * part // parts + (part > 0) for part in range(parts)] + [last + 1]
        told_of = _Lookahead(_grouped(self._connection.execute(query)))
        with ExitStack() as stack:
            files = tables.open(self._folder, stack)
            plain = stack.enter_context((self._folder / f"{FACTS_FILE}-0.csv").open("wb"))
            plain.write(f":START_ID,:END_ID,:TYPE,{OURS[0]}\n".encode())
            for low, high in pairwise(bounds):
                self._part(low, high, names, tables, plain, told_of)
        self.done.relationships = (f"{FACTS_FILE}-0.csv", *files)
        self.done.multiline = self.done.multiline or any(set(name) & {"\n", "\r"} for name in names.values())

    def _part(
        self,
        low: int,
        high: int,
        names: Mapping[int, str],
        tables: Tables,
        plain: Any,
        told_of: _Lookahead,
    ) -> None:
        """The facts whose heads are in [low, high)."""
        heads, relations, tails, marks = _live(self._connection, low, high)
        order = np.lexsort((tails, relations, heads))  # stable: of one fact, in the order in which the marks came
        heads, relations, tails, marks = heads[order], relations[order], tails[order], marks[order]
        first = np.ones(len(heads), bool)
        first[1:] = (heads[1:] != heads[:-1]) | (relations[1:] != relations[:-1]) | (tails[1:] != tails[:-1])
        starts = np.flatnonzero(first)
        counts = np.diff(np.append(starts, len(heads)))
        self.done.facts += len(starts)
        rich = np.zeros(len(starts), bool)
        for place, told in told_of.among(heads[starts], relations[starts], tails[starts]):
            rich[place] = True
            begin, end = int(starts[place]), int(starts[place] + counts[place])
            self._fact(tables, names, heads[begin], relations[begin], tails[begin], marks[begin:end].tolist(), told)
        for place in np.flatnonzero(~rich & (counts > 1)).tolist():
            begin, end = int(starts[place]), int(starts[place] + counts[place])
            self._fact(tables, names, heads[begin], relations[begin], tails[begin], marks[begin:end].tolist(), {})
        chosen = starts[~rich & (counts == 1)]
        kinds, codes = np.unique(relations[chosen], return_inverse=True)
        types = pa.DictionaryArray.from_arrays(codes, pa.array([names[int(kind)] for kind in kinds], pa.string()))
        columns = [pa.array(heads[chosen]), pa.array(tails[chosen]), types.cast(pa.string()), pa.array(marks[chosen])]
        table = pa.table(dict(zip("htrm", columns, strict=True)))
        csv.write_csv(table, plain, csv.WriteOptions(include_header=False))

    def _fact(
        self,
        tables: Tables,
        names: Mapping[int, str],
        head: int,
        relation: int,
        tail: int,
        marks: list[int],
        told: Mapping[int, Properties],
    ) -> None:
        """One that has properties or several marks."""
        said = {origin: properties for origin, properties in told.items() if properties}
        kept = kept_fact(settled(FACTS, tuple(marks), said, together(said), {}))
        ours = [kept.pop(MARKS), kept.pop(SAID, None)]
        properties, rest = sayable(kept)
        name = names[int(relation)]
        if rest:
            ends = [row[0] for row in map(self._id, (head, tail))]
            self._later.append(later_fact(ends[0], name, ends[1], rest))
        table = tables.find(name, types_of(properties))
        fields = [str(head), str(tail), quoted(name), *map(self._field, ours)]
        fields += [self._field(properties.get(column)) for column in table.types]
        self._put(table, [",".join(fields)])

    def _id(self, key: int) -> tuple[str]:
        row: tuple[str] = self._connection.execute("SELECT id FROM entity WHERE key = ?", (int(key),)).fetchone()
        return row

    # ---- what stands beside the graph

    def bookkeeping(self, store: EmbeddedStore) -> None:
        """Loads, their sources, the schema, the change counter, and what is left to be done."""
        loads = store.loads()
        origins = [source.origin for load in loads for source in load.sources]
        stored = self._connection.execute(sql.GET_META, ("schema",)).fetchone()
        schema = Schema.from_yaml(stored[0]) if stored else Schema()
        meta: list[dict[str, object]] = [
            # JSON is YAML in one line; texts over several lines make the import slower.
            {"id": "schema", "migration": 0, "schema": json.dumps(schema.to_dict(), ensure_ascii=False)},
            {"id": "changes/0", "value": store.changes()},
        ]
        if loads:
            meta.append({"id": "loads", "origins": max(origins, default=0), "last": loads[-1].id})
        meta += [{"id": f"{LATER}{number:09}", "note": note} for number, note in enumerate(self._later)]
        load_rows = [
            {"id": o.id, ("old_key" if o.state in ("undoing", "undone") else "key"): o.key, "state": o.state}
            | {"began": o.began, "ended": o.ended}
            for o in loads
        ]
        source_rows = [
            {"origin": s.origin, "load": load.id, "place": place, "source": s.name, "size": s.size}
            | {"digest": s.digest, "through": s.through, "facts": s.facts, "entities": s.entities}
            | {"rejected": s.rejected}
            for load in loads
            for place, s in enumerate(load.sources, 1)
        ]
        (last,) = self._connection.execute(sql.MAX_ENTITY).fetchone()
        tables = Tables(f"{NODES}-kgqa", (":ID", ":LABEL"))
        named: list[tuple[str, Mapping[str, object]]] = [("KgqaMeta", row) for row in meta]
        named += [("KgqaLoad", row) for row in load_rows] + [("KgqaOrigin", row) for row in source_rows]
        for label, row in named:
            tables.plan(label, {name: TYPES[type(value)] for name, value in row.items()})
        with ExitStack() as stack:
            self.done.nodes += tables.open(self._folder, stack)
            for number, (label, row) in enumerate(named, last + 1):
                table = tables.find(label, {name: TYPES[type(value)] for name, value in row.items()})
                fields = [str(number), quoted(label), *(self._field(row.get(name)) for name in table.types)]
                self._put(table, [",".join(fields)])

    # ---- lines

    def _put(self, table: Table, lines: Sequence[str]) -> None:
        assert table.file is not None
        text = "\n".join(lines) + "\n"
        self.done.multiline = self.done.multiline or text.count("\n") > len(lines) or "\r" in text
        self.done.longest = max(self.done.longest, max(map(len, lines)) * 4)
        table.file.write(text)

    def _field(self, value: Any) -> str:
        return field_of(value, self.done.delimiter)


class _Lookahead:
    """What is said of facts, ascending, found for facts that are asked about in ascending parts."""

    def __init__(self, said: Iterator[tuple[tuple[int, int, int], dict[int, Properties]]]) -> None:
        self._said = said
        self._next = next(said, None)

    def among(self, heads: Int64s, relations: Int64s, tails: Int64s) -> Iterator[tuple[int, dict[int, Properties]]]:
        """The position of each of which something is said, and what."""
        if not len(heads):
            return
        places: dict[tuple[int, int, int], int] = {}
        last = (int(heads[-1]), int(relations[-1]), int(tails[-1]))
        waiting = []
        while self._next is not None and self._next[0] <= last:
            waiting.append(self._next)
            self._next = next(self._said, None)
        if waiting:
            wanted = np.array([fact for fact, _ in waiting], np.int64)
            hits = np.flatnonzero(np.isin(heads, wanted[:, 0]))
            columns = zip(heads[hits].tolist(), relations[hits].tolist(), tails[hits].tolist(), strict=True)
            places = dict(zip(columns, hits.tolist(), strict=True))
        for fact, told in waiting:
            if (place := places.get(fact)) is not None:
                yield place, told


def _bare_line(key: int, id_: str, name_key: str) -> str:
    """An entity that facts only mention."""
    name = quoted(id_)
    keys = quoted(name_key[:MAX_KEY_CHARACTERS]) if name_key else ""
    return f'{key},{name},{name},,{keys},,,"{DEFAULT_LABEL}"'


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


def _live(connection: sqlite3.Connection, low: int, high: int) -> tuple[Int64s, Int64s, Int64s, Int64s]:
    """The marks of the facts whose heads are in [low, high), as they came: heads, relations, tails, marks."""
    live: list[tuple[Int64s, Int64s, Int64s, Int64s]] = []
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


def _without(
    marks: tuple[Int64s, Int64s, Int64s, Int64s], gone: set[tuple[int, int, int]]
) -> tuple[Int64s, Int64s, Int64s, Int64s]:
    """Marks of other facts than those that were taken out."""
    facts = zip(*(column.tolist() for column in marks[:3]), strict=True)
    stay = np.array([fact not in gone for fact in facts], bool)
    heads, relations, tails, kept = (column[stay] for column in marks)
    return heads, relations, tails, kept
