"""The embedded store: one SQLite file, and beside it a memory-mapped ``Snapshot`` for speed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

import numpy as np

from graph_schema.errors import StoreError
from graph_schema.ports import Group, Neighbours, Offer
from graph_schema.schema import Schema
from graph_schema.text import name_key
from graph_schema.types import Batch, Entity, Fact, StoreInfo, Written
from kgqa.stores import embedded_sql as sql
from kgqa.stores.batches import shown, storable
from kgqa.stores.embedded_file import connect, translated
from kgqa.stores.embedded_write import EmbeddedWriter, entity_of
from kgqa.stores.likeness import most_alike
from kgqa.stores.snapshot import Snapshot

CANDIDATES = 100  # names that are compared closely for a suggestion


class EmbeddedStore:
    """A ``GraphStore`` in one file. Safe to share between threads and to open in several processes.

    ``offer``, ``expand`` and ``holds`` run on the snapshot in ``<file>.csr/`` while its change counter equals the
    file's, and as SQL otherwise; ``finish`` brings it up to date.

    Args:
        path: the file.
        create: make it if it isn't there. If nothing is written before ``close``, it is removed again.
        timeout: seconds to wait for another process's write to end.
    """

    def __init__(self, path: Path, *, create: bool = False, timeout: float = 5.0) -> None:
        new = create and not path.exists()
        self._path = path
        self._timeout = timeout
        self._connection: sqlite3.Connection | None = connect(path, timeout, create=create)
        self._writer = EmbeddedWriter(self._connection)
        self._lock = RLock()
        self._unused = new
        self._csr_path = path.with_name(path.name + ".csr")
        self._csr: Snapshot | None = None
        self._csr_seen: tuple[int, int] | None = None
        with self._reading() as connection:
            self._source = str(connection.execute(sql.GET_META, ("source",)).fetchone()[0])

    def __repr__(self) -> str:
        return f"EmbeddedStore({self.url!r})"

    @property
    def url(self) -> str:
        return f"sqlite:///{self._path}"

    # ---- reading

    def info(self) -> StoreInfo:
        with self._reading() as connection, _transaction(connection, "BEGIN"):
            facts, entities, changes = connection.execute(sql.COUNTS).fetchone()
            return StoreInfo(facts, entities, self._relations(connection)[0], changes)

    def changes(self) -> int:
        with self._reading() as connection:
            return int(connection.execute(sql.CHANGES).fetchone()[0])

    def schema(self) -> Schema:
        with self._reading() as connection, _transaction(connection, "BEGIN"):
            return self._schema(connection).with_relations(self._relations(connection)[0])

    def relations(self) -> tuple[str, ...]:
        with self._reading() as connection:
            return self._relations(connection)[0]

    def lookup(self, keys: Sequence[str]) -> dict[str, tuple[Entity, ...]]:
        with self._reading() as connection:
            found: dict[str, list[Entity]] = {}
            for key, *columns in connection.execute(sql.LOOKUP, (_distinct(keys),)):
                found.setdefault(key, []).append(_shown((columns[0], columns[1], columns[2], columns[3])))
            return {key: tuple(found[key]) for key in keys if key in found}

    def suggest(self, name: str, limit: int = 5) -> tuple[Entity, ...]:
        key = name_key(name)
        if not key or not storable(key):
            return ()
        with self._reading() as connection:
            rows = connection.execute(sql.STARTS_WITH, (key, key + "\U0010ffff", CANDIDATES)).fetchall()
            trigrams = sorted({key[at : at + 3] for at in range(len(key) - 2)})[:CANDIDATES]
            if trigrams:
                query = " OR ".join('"' + trigram.replace('"', '""') + '"' for trigram in trigrams)
                rows += connection.execute(sql.LIKE, (query, CANDIDATES)).fetchall()
        return most_alike(name, map(_shown, rows), limit)

    def entities(self, ids: Sequence[str]) -> dict[str, Entity]:
        with self._reading() as connection:
            rows = connection.execute(sql.ENTITIES, (_distinct(ids),))
            return {row[1]: _shown(row[1:]) for row in rows}

    def offer(self, ids: Sequence[str]) -> Offer:
        with self._reading() as connection:
            if fresh := self._fresh_csr(connection):
                return fresh.offer(ids)
            with _transaction(connection, "BEGIN"):
                index = self._relations(connection)[1]
                asked = json.dumps([id_ if storable(id_) else None for id_ in ids])
                rows = connection.execute(sql.OFFER, (asked,)).fetchall()
        table = np.array([(o, 2 * index[r] + d, n) for o, r, d, n in rows], np.int64).reshape(-1, 3)
        table = table[np.lexsort((table[:, 1], table[:, 0]))]
        return Offer(table[:, 0], table[:, 1], table[:, 2])

    def expand(self, groups: Sequence[Group]) -> Neighbours:
        with self._reading() as connection:
            if fresh := self._fresh_csr(connection):
                return fresh.expand(groups)
            ids: list[str] = []
            counts: list[int] = []
            with _transaction(connection, "BEGIN"):
                for group in groups:
                    found: list[tuple[str]] = []
                    if storable(group.entity) and storable(group.relation):
                        asked = (group.entity, group.relation, max(group.limit, 0))
                        found = connection.execute(sql.HEADS if group.inverse else sql.TAILS, asked).fetchall()
                    ids += [id_ for (id_,) in found]
                    counts.append(len(found))
            return Neighbours(np.repeat(np.arange(len(groups)), np.array(counts, np.int64)), ids)

    def holds(self, facts: Sequence[Fact]) -> list[bool]:
        with self._reading() as connection:
            if fresh := self._fresh_csr(connection):
                return fresh.holds(facts)
            with _transaction(connection, "BEGIN"):
                asked = [(fact.head, fact.relation, fact.tail) for fact in facts]
                return [
                    all(map(storable, fact)) and bool(connection.execute(sql.HOLDS, fact).fetchone()[0])
                    for fact in asked
                ]

    def all_facts(self) -> Iterator[Fact]:
        with self._stream() as connection:
            for head, relation, tail in connection.execute(sql.ALL_FACTS):
                yield Fact(head, relation, tail)

    def all_entities(self) -> Iterator[Entity]:
        with self._stream() as connection:
            yield from map(_shown, connection.execute(sql.ALL_ENTITIES))

    # ---- writing

    def migrate(self, schema: Schema) -> None:
        with self._writing() as connection:
            stored = self._schema(connection)
            merged = stored.merged(schema)
            if merged != stored:
                connection.execute(sql.SET_META, ("schema", merged.to_yaml()))
                self._writer.count_change()

    def write(self, batch: Batch) -> Written:
        with self._writing():
            return self._writer.write(batch)

    def delete(self, facts: Sequence[Fact]) -> int:
        with self._writing():
            return self._writer.delete(facts)

    def finish(self) -> None:
        """Bring the snapshot beside the file up to date; reads the whole graph, unless it is already."""
        with self._reading() as connection:
            if not self._fresh_csr(connection):
                with _transaction(connection, "BEGIN"):
                    snapshot = self._build(connection)
                snapshot.save(self._csr_path)
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = self._csr = None
                if self._unused:
                    for suffix in ("", "-wal", "-shm"):
                        self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    # ---- inside

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, translated(self._path):
            if self._connection is None:
                raise StoreError("the store was closed", where=self.url)
            yield self._connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as connection:
            try:
                with _transaction(connection, "BEGIN IMMEDIATE"):
                    yield connection
            except BaseException:
                self._writer.forget()
                raise
            self._unused = False

    @contextmanager
    def _stream(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own, so that a half-read stream holds back neither readers nor writers."""
        with translated(self._path):
            connection = connect(self._path, self._timeout)
            try:
                yield connection
            finally:
                connection.close()

    def _relations(self, connection: sqlite3.Connection) -> tuple[tuple[str, ...], dict[int, int]]:
        """Relation names ascending, and the position of each relation's row key among them."""
        rows = connection.execute(sql.RELATIONS).fetchall()
        return tuple(name for _, name in rows), {key: position for position, (key, _) in enumerate(rows)}

    def _schema(self, connection: sqlite3.Connection) -> Schema:
        found = connection.execute(sql.GET_META, ("schema",)).fetchone()
        return Schema.from_yaml(found[0], where=self.url) if found else Schema()

    def _fresh_csr(self, connection: sqlite3.Connection) -> Snapshot | None:
        changes = connection.execute(sql.CHANGES).fetchone()[0]
        if self._csr is None or self._csr.changes() != changes:
            self._reopen_csr()
        csr = self._csr
        return csr if csr is not None and csr.changes() == changes and csr.source == self._source else None

    def _reopen_csr(self) -> None:
        """Look at the snapshot on disk again if another one is in force there; a damaged one counts as none."""
        try:
            status = (self._csr_path / "current.json").stat()
        except OSError:
            self._csr = self._csr_seen = None
            return
        seen = (status.st_mtime_ns, status.st_ino)
        if seen != self._csr_seen:
            self._csr_seen = seen
            try:
                self._csr = Snapshot.open(self._csr_path)
            except StoreError:
                self._csr = None

    def _build(self, connection: sqlite3.Connection) -> Snapshot:
        rows = connection.execute(sql.ENTITIES_WITH_KEY).fetchall()
        keys = np.array([row[0] for row in rows], np.int64)
        rank = np.zeros(int(keys.max(initial=0)) + 1, np.int64)  # row key → dense index
        rank[keys] = np.arange(len(keys))
        names, relation_rank = self._relations(connection)
        facts = np.array(connection.execute(sql.FACT_KEYS).fetchall(), np.int64).reshape(-1, 3)
        relation_of = np.zeros(max(relation_rank, default=0) + 1, np.int64)
        for key, position in relation_rank.items():
            relation_of[key] = position
        return Snapshot.from_columns(
            [_shown(row[1:]) for row in rows],
            names,
            rank[facts[:, 0]],
            relation_of[facts[:, 1]],
            rank[facts[:, 2]],
            schema=self._schema(connection),
            url=self.url,
            changes=connection.execute(sql.CHANGES).fetchone()[0],
            source=self._source,
        )


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _shown(columns: tuple[str, str, str, str]) -> Entity:
    return shown(entity_of(columns))


def _distinct(texts: Sequence[str]) -> str:
    return json.dumps([text for text in dict.fromkeys(texts) if storable(text)])
