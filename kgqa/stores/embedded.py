"""The embedded store: one SQLite file, and beside it memory-mapped arrays for speed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

from graph_schema.errors import StoreError
from graph_schema.loads import Load, LoadPlan, Origin, Withdrawn
from graph_schema.ports import Group, Neighbours, Offer, Proof, Start, Step
from graph_schema.schema import Schema
from graph_schema.text import name_key
from graph_schema.types import Batch, Entity, Fact, Properties, StoreInfo, Value, Written
from kgqa.stores import embedded_arrays, embedded_ledger, embedded_read, embedded_without
from kgqa.stores import embedded_sql as sql
from kgqa.stores.batches import shown, storable
from kgqa.stores.embedded_arrays import EmbeddedArrays
from kgqa.stores.embedded_file import connect, translated
from kgqa.stores.embedded_finish import indexing_names
from kgqa.stores.embedded_log import FactIndex
from kgqa.stores.embedded_names import alike, entity_of
from kgqa.stores.embedded_write import EmbeddedWriter, written_meanwhile
from kgqa.stores.likeness import most_alike

CANDIDATES = 100  # names that are compared closely for a suggestion


class EmbeddedStore:
    """A ``GraphStore`` and ``LoadLedger`` in one file, for several threads and processes at once.

    ``offer``, ``expand`` and ``holds`` run on the arrays in ``<file>.csr/`` while these know all facts of the file,
    otherwise on those and on what has come since, taken up from the file's log; ``finish`` brings the arrays up to
    date.

    Args:
        path: the file.
        create: make it if it isn't there. If nothing is written before ``close``, it is removed again.
        timeout: seconds to wait for another process's write to end.
    """

    SCRATCH = False

    def __init__(self, path: Path, *, create: bool = False, timeout: float = 5.0) -> None:
        new = create and not path.exists()
        self._path = path
        self._timeout = timeout
        self._connection: sqlite3.Connection | None = connect(path, timeout, create=create, scratch=self.SCRATCH)
        self._writer = EmbeddedWriter(self._connection, scratch=self.SCRATCH)
        self._lock = RLock()
        self._unused = new
        self._arrays_path = path.with_name(path.name + ".csr")
        self._arrays: EmbeddedArrays | None = None
        self._arrays_seen: tuple[int, int] | None = None
        self._index = FactIndex()
        self._as_of = -1  # the change counter that the index is as of
        self._gone = False  # whether others have deleted something that the writer doesn't know of
        with self._reading() as connection:
            self._source = str(connection.execute(sql.GET_META, ("source",)).fetchone()[0])

    def __repr__(self) -> str:
        return f"EmbeddedStore({self.url!r})"

    @property
    def url(self) -> str:
        return f"sqlite:///{self._path}"

    # ---- reading

    def info(self) -> StoreInfo:
        with self._consistent() as connection:
            facts, entities, changes = connection.execute(sql.COUNTS).fetchone()
            return StoreInfo(facts, entities, self._relations(connection)[0], changes)

    def changes(self) -> int:
        with self._reading() as connection:
            return _changes(connection)

    def schema(self) -> Schema:
        with self._consistent() as connection:
            return self._schema(connection).with_relations(self._relations(connection)[0])

    def relations(self) -> tuple[str, ...]:
        with self._reading() as connection:
            return self._relations(connection)[0]

    def lookup(self, keys: Sequence[str]) -> dict[str, tuple[Entity, ...]]:
        with self._reading() as connection:
            return embedded_read.lookup(connection, keys)

    def suggest(self, name: str, limit: int = 5) -> tuple[Entity, ...]:
        key = name_key(name)
        if not key or not storable(key):
            return ()
        with self._consistent() as connection:
            rows = alike(connection, key, CANDIDATES)
        return most_alike(name, map(_shown, rows), limit)

    def entities(self, ids: Sequence[str]) -> dict[str, Entity]:
        with self._reading() as connection:
            return embedded_read.entities(connection, ids)

    def offer(self, ids: Sequence[str]) -> Offer:
        with self._consistent() as connection:
            return self._offer(connection, ids)

    def expand(self, groups: Sequence[Group]) -> Neighbours:
        with self._consistent() as connection:
            return self._expand(connection, groups)

    def holds(self, facts: Sequence[Fact]) -> list[bool]:
        with self._consistent() as connection:
            return self._holds(connection, facts)

    def start(self, keys: Sequence[str]) -> Start:
        with self._consistent() as connection:
            named = embedded_read.lookup(connection, keys)
            ids = tuple(dict.fromkeys(entity.id for entities in named.values() for entity in entities))
            return Start(named, ids, self._offer(connection, ids), _changes(connection))

    def step(self, groups: Sequence[Group]) -> Step:
        with self._consistent() as connection:
            self._current(connection)
            if fresh := self._fresh():
                return fresh.adjacency.step(groups)
            found = self._expand(connection, groups)
            ids = tuple(sorted(set(found.entities)))
            return Step(found, ids, self._offer(connection, ids))

    def prove(self, facts: Sequence[Fact], ids: Sequence[str]) -> Proof:
        with self._consistent() as connection:
            return Proof(self._holds(connection, facts), embedded_read.entities(connection, ids))

    def all_facts(self) -> Iterator[Fact]:
        return self._facts(())

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

    def write_many(self, batches: Iterable[Batch], *, workers: int = 1) -> Iterator[Written]:
        """See ``LoadLedger``. SQLite has one writer, so ``workers`` changes nothing: each batch is written while the
        next one is drawn.
        """
        del workers
        yield from written_meanwhile(batches, self.write)

    def delete(self, facts: Sequence[Fact]) -> int:
        with self._writing():
            return self._writer.delete(facts)

    def finish(self) -> None:
        """Bring the arrays beside the file up to date, which reads the whole graph, and the index of similar names."""
        with self._reading() as connection, indexing_names(connection, self._path, self._timeout):
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")  # what the arrays know is on the disk before they are
            with self._transaction("BEGIN"):
                index = self._current(connection)
                if self._fresh():
                    return
                self._writer.make_room()
                embedded_arrays.write(connection, index, self._arrays_path, self._source)
                self._look_at_arrays(connection)
                self._as_of = -1

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = self._arrays = None
                self._index = FactIndex()
                if self._unused:
                    for suffix in ("", "-wal", "-shm"):
                        self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    # ---- loads

    def begin_load(self, plan: LoadPlan) -> Load:
        with self._writing() as connection:
            self._writer.undisturbed = True
            return embedded_ledger.begin_load(connection, plan)

    def end_load(self, id: str, report: str = "") -> None:
        with self._writing() as connection:
            embedded_ledger.end_load(connection, id, report if self._writer.undisturbed else "")

    def count_rejected(self, id: str, rejected: Sequence[int]) -> None:
        with self._writing() as connection:
            embedded_ledger.count_rejected(connection, id, rejected)

    def loads(self) -> tuple[Load, ...]:
        with self._consistent() as connection:
            return embedded_ledger.loads(connection)

    def origins(self, facts: Sequence[Fact]) -> list[tuple[Origin, ...]]:
        with self._consistent() as connection:
            return embedded_ledger.origins(connection, self._current(connection), self._arrays, facts)

    def fact_properties(self, facts: Sequence[Fact]) -> list[Properties]:
        with self._consistent() as connection:
            return embedded_ledger.fact_properties(connection, self._current(connection), facts)

    def values(self, label: str, name: str, without: Sequence[int] = ()) -> Iterator[tuple[str, Value]]:
        with self._stream() as connection:
            yield from embedded_read.values(connection, label, name, without)

    def facts_of(self, origins: Sequence[int], *, alone: bool = False) -> Iterator[Fact]:
        return self._facts(tuple(origins) or (-2,), alone=alone)

    def spoken_of(self, ids: Sequence[str]) -> set[str]:
        with self._reading() as connection:
            return embedded_without.spoken_of(connection, ids)

    def entities_without(self, origins: Sequence[int]) -> Iterator[tuple[Entity, Entity | None]]:
        with self._stream() as connection:
            connection.execute("BEGIN")
            yield from embedded_without.entities_without(connection, origins)

    def properties_without(self, origins: Sequence[int]) -> Iterator[tuple[Fact, Properties, Properties | None]]:
        with self._indexed_stream() as (connection, index):
            yield from embedded_without.properties_without(connection, index, origins)

    def withdraw(self, origins: Sequence[int], *, undone: str = "") -> Withdrawn:
        """See ``LoadLedger``; one transaction, after that which says that the load is being undone."""
        if undone:
            with self._writing() as connection:
                embedded_ledger.set_undoing(connection, undone)
        with self._writing() as connection:
            done = embedded_ledger.withdraw(connection, self._writer, origins)
            if undone:
                embedded_ledger.set_undone(connection, undone)
            return done

    # ---- inside

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, translated(self._path):
            if self._connection is None:
                raise StoreError("the store was closed", where=self.url)
            yield self._connection

    @contextmanager
    def _consistent(self) -> Iterator[sqlite3.Connection]:
        """For what reads more than once: all of it as of one moment."""
        with self._reading() as connection, self._transaction("BEGIN"):
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as connection:
            try:
                with self._transaction("BEGIN IMMEDIATE"):
                    index = self._current(connection)
                    self._writer.begin(index, self._as_of, forget=self._gone)
                    self._gone = False
                    yield connection
                    self._writer.end()
            except BaseException:
                self._writer.rolled_back()
                raise
            self._index, self._as_of = self._writer.committed()
            self._unused = False

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        connection = self._connection
        assert connection is not None
        connection.execute(begin)
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    @contextmanager
    def _stream(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own, so that a half-read stream holds back neither readers nor writers."""
        with translated(self._path):
            connection = connect(self._path, self._timeout, scratch=self.SCRATCH)
            try:
                yield connection
            finally:
                connection.close()

    @contextmanager
    def _indexed_stream(self) -> Iterator[tuple[sqlite3.Connection, FactIndex]]:
        """The same, in a transaction, and the facts as of it."""
        with self._consistent() as connection:
            index = self._current(connection).copy()
        with self._stream() as connection:
            connection.execute("BEGIN")
            index.catch_up(connection)
            yield connection, index

    def _facts(self, origins: tuple[int, ...], *, alone: bool = False) -> Iterator[Fact]:
        """Every fact, or every one that has a mark of these origins; ``alone``: and no other."""
        with self._indexed_stream() as (connection, index):
            keys = index.forward.all()
            if origins:
                keys = embedded_without.marked(connection, index, origins, alone=alone)
            yield from embedded_read.facts_in_words(connection, index, keys)

    def _offer(self, connection: sqlite3.Connection, ids: Sequence[str]) -> Offer:
        index = self._current(connection)
        if fresh := self._fresh():
            return fresh.adjacency.offer(ids)
        return embedded_read.offer(connection, index, ids, *self._relations(connection))

    def _expand(self, connection: sqlite3.Connection, groups: Sequence[Group]) -> Neighbours:
        index = self._current(connection)
        if fresh := self._fresh():
            return fresh.adjacency.expand(groups)
        relations = dict(connection.execute(sql.RELATION_KEYS))
        return embedded_read.expand(connection, index, groups, relations, self._arrays)

    def _holds(self, connection: sqlite3.Connection, facts: Sequence[Fact]) -> list[bool]:
        index = self._current(connection)
        fresh = self._fresh()
        return fresh.adjacency.holds(facts) if fresh else embedded_read.holds(connection, index, facts)

    def _relations(self, connection: sqlite3.Connection) -> tuple[tuple[str, ...], dict[int, int]]:
        """Relation names ascending, and the position of each relation's row key among them."""
        rows = connection.execute(sql.RELATIONS).fetchall()
        return tuple(name for _, name in rows), {key: position for position, (key, _) in enumerate(rows)}

    def _schema(self, connection: sqlite3.Connection) -> Schema:
        found = connection.execute(sql.GET_META, ("schema",)).fetchone()
        return Schema.from_yaml(found[0], where=self.url) if found else Schema()

    def _current(self, connection: sqlite3.Connection) -> FactIndex:
        """The facts as of the transaction that has begun."""
        changes = _changes(connection)
        known = changes == self._as_of
        if not (known and self._fresh()) and self._look_at_arrays(connection):
            known = False
        if not known:
            self._gone |= self._index.catch_up(connection)
            self._as_of = changes
        return self._index

    def _fresh(self) -> EmbeddedArrays | None:
        """The arrays, if nothing is in the index but what they know."""
        return self._arrays if self._index.forward.pristine else None

    def _look_at_arrays(self, connection: sqlite3.Connection) -> bool:
        """Take the arrays on disk, if others than those taken are in force there; damaged ones count as none.

        Returns whether the index is now that of the arrays.
        """
        try:
            status = (self._arrays_path / "current.json").stat()
        except OSError:
            return False
        seen = (status.st_mtime_ns, status.st_ino)
        if seen == self._arrays_seen:
            return False
        self._arrays_seen = seen
        try:
            arrays = EmbeddedArrays.open(self._arrays_path)
        except StoreError:
            return False
        if not arrays.fits(connection, self._source):
            return False
        self._gone |= arrays.seq > self._index.seq  # what was deleted in between isn't seen any more
        self._arrays, self._index = arrays, arrays.index()
        return True


def _changes(connection: sqlite3.Connection) -> int:
    return int(connection.execute(sql.CHANGES).fetchone()[0])


def _shown(columns: Sequence[object]) -> Entity:
    return shown(entity_of(columns))
