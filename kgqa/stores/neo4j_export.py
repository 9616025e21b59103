"""From a scratch store's file to the CSV files of ``neo4j-admin database import full``.

Nodes have one file for each label and set of typed columns, relationships one for those with nothing but a mark and one
for each relation that has properties or several marks. What the format can't say (odd names of properties, empty lists)
goes into the database as notes, which a kgqa that writes to it carries out first (``neo4j_later``).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from graph_schema.errors import StoreError
from graph_schema.schema import Schema
from kgqa.stores import embedded_sql as sql
from kgqa.stores.embedded_scratch import ScratchStore
from kgqa.stores.neo4j_csv import DELIMITERS, TYPES, Tables, Written, field_of, quoted
from kgqa.stores.neo4j_export_entities import NODES, export_entities, number_entities
from kgqa.stores.neo4j_export_facts import FACTS_FILE, export_facts
from kgqa.stores.neo4j_later import LATER


@dataclass(frozen=True)
class Exported:
    """What was written: names of files, how lists are delimited, whether texts have line breaks, the longest line."""

    nodes: tuple[str, ...]
    relationships: tuple[str, ...]
    delimiter: str
    multiline: bool
    longest: int
    entities: int
    facts: int


def export(store: ScratchStore, folder: Path) -> Exported:
    """Write the files; those of an earlier time are replaced.

    Entities and facts are written at the same time: most of it is work that lets other threads run.

    Raises:
        StoreError: the texts have every character that could delimit a list. OSError: the disk is full.
    """
    for old in (*folder.glob(f"{NODES}-*.csv"), *folder.glob(f"{FACTS_FILE}-*.csv")):
        old.unlink()
    path = Path(store.url.removeprefix("sqlite:///"))
    with _read(path) as connection, _read(path) as second, ThreadPoolExecutor(1) as pool:
        delimiter = _delimiter(connection)
        numbered = number_entities(connection)
        facts = pool.submit(export_facts, second, folder, delimiter, numbered.numbers)
        entities = export_entities(connection, folder, delimiter, numbered)
        both = entities, facts.result()
        later = [note for written in both for note in written.later]
        beside = _bookkeeping(store, connection, folder, delimiter, later, numbered.count)
    return Exported(
        entities.files + beside.files,
        both[1].files,
        delimiter,
        any(written.multiline for written in (*both, beside)),
        max(written.longest for written in (*both, beside)),
        entities.count,
        both[1].count,
    )


@contextmanager
def _read(path: Path) -> Iterator[sqlite3.Connection]:
    """The file as it is now."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, check_same_thread=False)) as connection:
        connection.execute("BEGIN")
        yield connection


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


def _bookkeeping(
    store: ScratchStore, connection: sqlite3.Connection, folder: Path, delimiter: str, later: list[str], number: int
) -> Written:
    """What stands beside the graph: loads, their sources, the schema, the change counter, what is left to be done.

    Args:
        number: of the first node; ids ascend over all files.
    """
    loads = store.loads()
    origins = [source.origin for load in loads for source in load.sources]
    stored = connection.execute(sql.GET_META, ("schema",)).fetchone()
    schema = Schema.from_yaml(stored[0]) if stored else Schema()
    meta: list[dict[str, object]] = [
        # JSON is YAML in one line; texts over several lines make the import slower.
        {"id": "schema", "migration": 0, "schema": json.dumps(schema.to_dict(), ensure_ascii=False)},
        {"id": "changes/0", "value": store.changes()},
    ]
    if loads:
        meta.append({"id": "loads", "origins": max(origins, default=0), "last": loads[-1].id})
    meta += [{"id": f"{LATER}{number:09}", "note": note} for number, note in enumerate(later)]
    load_rows = [
        {"id": o.id, ("old_key" if o.state in ("undoing", "undone") else "key"): o.key, "state": o.state}
        | {"began": o.began, "ended": o.ended}
        for o in loads
    ]
    source_rows = [
        {"origin": s.origin, "load": load.id, "place": place, "source": s.name, "size": s.size}
        | {"digest": s.digest, "through": s.through, "facts": s.facts, "entities": s.entities}
        | {"rejected": s.rejected, "facts_changed": s.facts_changed}
        | {"declared_created": s.declared_created, "declared_changed": s.declared_changed}
        for load in loads
        for place, s in enumerate(load.sources, 1)
    ]
    tables = Tables(f"{NODES}-kgqa", (":ID", ":LABEL"))
    named: list[tuple[str, Mapping[str, object]]] = [("KgqaMeta", row) for row in meta]
    named += [("KgqaLoad", row) for row in load_rows] + [("KgqaOrigin", row) for row in source_rows]
    for label, row in named:
        tables.plan(label, {name: TYPES[type(value)] for name, value in row.items()})
    written = Written()
    with ExitStack() as stack:
        written.files = tables.open(folder, stack)
        found = [
            (tables.find(label, {name: TYPES[type(value)] for name, value in row.items()}), label, row)
            for label, row in named
        ]
        order = {table.name: place for place, table in enumerate(tables.ordered())}
        for at, (table, label, row) in enumerate(sorted(found, key=lambda one: order[one[0].name]), number):
            values = (field_of(row.get(name), delimiter) for name in table.types)
            written.put(table, ",".join((str(at), quoted(label), *values)))
    return written
