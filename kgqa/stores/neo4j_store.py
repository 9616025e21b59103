"""The Neo4j store: official driver, managed transactions, reads routed to followers where there are any."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, LiteralString, TypeVar

import numpy as np
from neo4j import READ_ACCESS, GraphDatabase, ManagedTransaction, Record, Session, unit_of_work
from neo4j.exceptions import ClientError

from graph_schema.errors import StoreError, StoreUnavailable, StoreVersionError
from graph_schema.loads import Load, LoadPlan, Origin, Withdrawn
from graph_schema.migrations import LATEST, MIGRATIONS
from graph_schema.ports import Group, Neighbours, Offer
from graph_schema.schema import Schema
from graph_schema.text import name_key
from graph_schema.types import Batch, Entity, Fact, Properties, StoreInfo, Written
from kgqa.stores import cypher, cypher_write, neo4j_loads
from kgqa.stores.batches import by_relation, name_keys, prepare, shown, storable
from kgqa.stores.likeness import most_alike
from kgqa.stores.neo4j_errors import translated
from kgqa.stores.neo4j_parallel import ParallelWriter
from kgqa.stores.neo4j_transactions import Transactions
from kgqa.stores.neo4j_values import entity_of
from kgqa.stores.neo4j_write import EntityGoneError, Nodes, Run, delete, stored_keys, write

Result = TypeVar("Result")

READ_SECONDS = 60.0  # the server ends a query that takes longer
INDEX_SECONDS = 600
REMEMBERED_IDS = 2_000_000  # about 200 bytes each
GONE_ATTEMPTS = 5  # to write what others delete meanwhile
GONE = "others delete what is being written, again and again"
COUNTER_SLOTS = 64  # change counters; each writer has one, so that two seldom wait for each other
KEYS_A_QUERY = 500  # Lucene takes 1,024 clauses
RELATIONS_A_QUERY = 25  # planning time grows with the text
STREAM_ROWS = 5_000  # fetched at a time
CANDIDATES = 50  # entities that are compared closely for a suggestion


class Neo4jStore:
    """A ``GraphStore`` in a Neo4j database. Safe to share between threads.

    Args:
        url: neo4j://, neo4j+s://, bolt:// ...; without user, password and query.
        database: name of the database; the user's home database if None.
        timeout: seconds to wait for a connection, and to repeat a transaction that met a passing failure.

    Attributes:
        round_trips: queries sent so far, for benchmarks.
    """

    def __init__(
        self,
        url: str,
        *,
        user: str | None = None,
        password: str | None = None,
        database: str | None = None,
        timeout: float = 5.0,
    ) -> None:
        self._url = url + (f"?database={database}" if database else "")
        self.round_trips = 0
        self._slot = f"{cypher.COUNTER_PREFIX}{secrets.randbelow(COUNTER_SLOTS)}"
        self._relations: tuple[int, tuple[str, ...]] | None = None
        self._timeout = timeout
        self._known: Nodes = {}  # what this store has written, so that a load doesn't merge it again
        self._transactions = Transactions(self._session, self._count)
        self._closed = False
        with translated(self._url):
            self._driver = GraphDatabase.driver(
                url,
                auth=(user or "neo4j", password or "") if user or password else None,
                connection_timeout=timeout,
                connection_acquisition_timeout=2 * timeout,
                max_transaction_retry_time=timeout,
                notifications_min_severity="OFF",
                keep_alive=True,
            )
            # One manager for all sessions: in a cluster, each read then waits for this store's own writes.
            self._settings: dict[str, Any] = {
                "database": database,
                "bookmark_manager": GraphDatabase.bookmark_manager(),
            }
            try:
                with self._driver.session(default_access_mode=READ_ACCESS, **self._settings) as session:
                    record = session.run(cypher.VERSION).single(strict=True)
                self._refuse_newer(record["migration"])
            except BaseException:
                self._driver.close()
                raise

    def __repr__(self) -> str:
        return f"Neo4jStore({self.url!r})"

    @property
    def url(self) -> str:
        return self._url

    # ---- reading

    def info(self) -> StoreInfo:
        relations = self.relations()

        def counts(run: Run) -> StoreInfo:
            facts, entities, changes = (
                run(query)[0][0][0] for query in (cypher.COUNT_FACTS, cypher.COUNT_ENTITIES, cypher.CHANGES)
            )
            return StoreInfo(facts, entities, relations, changes)

        return self._read(counts)

    def changes(self) -> int:
        return int(self._rows(cypher.CHANGES)[0]["changes"])

    def schema(self) -> Schema:
        text = self._rows(cypher.META)[0]["schema"]
        stored = Schema.from_yaml(text, where=self.url) if text else Schema()
        return stored.with_relations(self.relations())

    def relations(self) -> tuple[str, ...]:
        return self._relations_as_of(self.changes())

    def lookup(self, keys: Sequence[str]) -> dict[str, tuple[Entity, ...]]:
        wanted = [key for key in dict.fromkeys(keys) if key and storable(key)]
        bearers: dict[str, set[Entity]] = {}
        for entity in self._bearing(wanted):
            for key in name_keys(entity):
                bearers.setdefault(key, set()).add(entity)
        return {key: tuple(sorted(bearers[key], key=lambda e: e.id)) for key in wanted if key in bearers}

    def suggest(self, name: str, limit: int = 5) -> tuple[Entity, ...]:
        key = name_key(name)
        if not key or not storable(key):
            return ()
        words, whole = cypher.alike(stored_keys([key])[0])
        found: Sequence[Record]
        try:
            found = self._rows(cypher.LIKE, {"words": words, "whole": whole, "limit": CANDIDATES})
        except StoreError as error:
            if not _no_index(error):
                raise
            return most_alike(name, self.all_entities(), limit)
        return most_alike(name, _entities(found), limit)

    def entities(self, ids: Sequence[str]) -> dict[str, Entity]:
        rows = self._rows(cypher.ENTITIES, {"ids": [id_ for id_ in dict.fromkeys(ids) if storable(id_)]})
        return {entity.id: entity for entity in _entities(rows)}

    def offer(self, ids: Sequence[str]) -> Offer:
        asked = [id_ if storable(id_) else None for id_ in ids]
        rows = [record.values() for record in self._rows(cypher.OFFER, {"ids": asked})]
        changes = sum(n for owner, _, _, n in rows if owner < 0)
        rows = [row for row in rows if row[0] >= 0 and row[3] > 0]
        relations = self._relations_as_of(changes)
        if not {relation for _, relation, _, _ in rows} <= set(relations):  # written past us, without a counter
            self._relations = None
            relations = self._relations_as_of(changes)
        index = {name: position for position, name in enumerate(relations)}
        table = np.array([(o, 2 * index[r] + d, n) for o, r, d, n in rows if r in index], np.int64).reshape(-1, 3)
        table = table[np.lexsort((table[:, 1], table[:, 0]))]
        return Offer(table[:, 0], table[:, 1], table[:, 2])

    def expand(self, groups: Sequence[Group]) -> Neighbours:
        rows = [
            (position, group.entity, group.relation, group.limit, group.inverse)
            for position, group in enumerate(groups)
            if group.limit > 0 and storable(group.entity) and storable(group.relation)
        ]
        found: list[list[str]] = [[] for _ in groups]
        most = max((group.limit for group in groups), default=0)
        for record in self._rows(cypher.EXPAND, {"rows": rows, "most": most}):
            found[record["position"]] = sorted(id_ for id_ in record["ids"] if isinstance(id_, str))
        counts = np.fromiter(map(len, found), np.int64, len(found))
        return Neighbours(np.repeat(np.arange(len(groups)), counts), [id_ for ids in found for id_ in ids])

    def holds(self, facts: Sequence[Fact]) -> list[bool]:
        asked = [
            (position, fact.head, fact.relation, fact.tail)
            for position, fact in enumerate(facts)
            if all(map(storable, (fact.head, fact.relation, fact.tail)))
        ]
        held = [False] * len(facts)
        for record in self._rows(cypher.HOLDS, {"rows": asked}):
            held[record["position"]] = True
        return held

    def all_facts(self) -> Iterator[Fact]:
        """See ``GraphReader``; Neo4j reads what is committed while the stream runs, not one frozen state."""
        for record in self._stream(cypher.ALL_FACTS):
            if isinstance(record["head"], str) and isinstance(record["tail"], str):
                yield Fact(record["head"], record["relation"], record["tail"])

    def all_entities(self) -> Iterator[Entity]:
        yield from _entities(self._stream(cypher.ALL_ENTITIES))

    # ---- writing

    def migrate(self, schema: Schema) -> None:
        applied = self._rows(cypher.META)[0]["migration"] or 0
        self._refuse_newer(applied)
        for migration in MIGRATIONS:
            for requirement in migration.requires if migration.number > applied else ():
                self._command(cypher_write.requirement(requirement))
        self._command(cypher_write.AWAIT_INDEXES, {"seconds": INDEX_SECONDS})

        def keep(run: Run) -> None:
            record = run(cypher.META)[0][0]
            stored = Schema.from_yaml(record["schema"], where=self.url) if record["schema"] else Schema()
            merged = stored.merged(schema)
            if merged != stored or record["migration"] != LATEST:
                run(cypher_write.SET_META, {"migration": LATEST, "schema": merged.to_yaml()})
            if merged != stored:
                run(cypher_write.COUNT_CHANGE, {"slot": self._slot})

        self._write(keep)

    def write(self, batch: Batch) -> Written:
        prepared = prepare(batch)
        for attempt in range(GONE_ATTEMPTS):
            try:
                written, nodes = self._write(
                    lambda run: write(run, prepared, self._known, self._slot, batch.origin, batch.through)
                )
                break
            except EntityGoneError:
                self._known = {}
                if attempt == GONE_ATTEMPTS - 1:
                    raise StoreError(GONE, where=self.url, fix="Try again") from None
        self._known = {**self._known, **nodes} if len(self._known) < REMEMBERED_IDS else nodes
        return written

    def delete(self, facts: Sequence[Fact]) -> int:
        asked = by_relation([f for f in facts if all(map(storable, (f.head, f.relation, f.tail)))])
        self._known = {}
        return self._write(lambda run: delete(run, asked, self._slot))

    # ---- loads

    def begin_load(self, plan: LoadPlan) -> Load:
        if (self._rows(cypher.META)[0]["migration"] or 0) < LATEST:
            self.migrate(Schema())  # the constraints are what makes it atomic
        self._write(lambda run: neo4j_loads.begin(run, plan))
        return next(load for load in self.loads() if load.key == plan.key and load.state in ("running", "complete"))

    def end_load(self, id: str) -> None:
        self._write(lambda run: neo4j_loads.end(run, id))

    def loads(self) -> tuple[Load, ...]:
        return self._read(neo4j_loads.loads)

    def write_many(self, batches: Iterable[Batch], *, workers: int = 1) -> Iterator[Written]:
        try:
            yield from ParallelWriter(self._transactions, self._slot, workers, self.url).write(batches)
        except EntityGoneError:
            raise StoreError(GONE, where=self.url, fix="Try again") from None

    def origins(self, facts: Sequence[Fact]) -> list[tuple[Origin, ...]]:
        return self._read(lambda run: neo4j_loads.origins(run, facts))

    def fact_properties(self, facts: Sequence[Fact]) -> list[Properties]:
        return self._read(lambda run: neo4j_loads.fact_properties(run, facts))

    def facts_of(self, origins: Sequence[int]) -> Iterator[Fact]:
        for record in self._stream(cypher_write.FACTS_OF, {"origins": [*origins]}):
            yield Fact(record["head"], record["relation"], record["tail"])

    def withdraw(self, origins: Sequence[int], *, undone: str = "") -> Withdrawn:
        self._known = {}
        return neo4j_loads.withdraw(self._write, self._stream, origins, self._slot, undone)

    def finish(self) -> None:
        """Nothing is derived here: Neo4j keeps its indexes with each commit."""

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._driver.close()

    # ---- inside

    def _refuse_newer(self, migration: int | None) -> None:
        if migration is not None and migration > LATEST:
            raise StoreVersionError(
                f"the store was made by a newer kgqa (its format is {migration}, this one knows {LATEST})",
                where=self.url,
                fix="Upgrade kgqa",
            )

    def _relations_as_of(self, changes: int) -> tuple[str, ...]:
        """The relations in use, cached for a change counter; 0 means that nobody counts here, so nothing is cached."""
        if self._relations is None or not changes or self._relations[0] != changes:
            types = sorted(record["relation"] for record in self._rows(cypher.RELATION_TYPES))
            names: list[str] = []
            for part in _parts(types, RELATIONS_A_QUERY):
                parameters = {f"r{number}": name for number, name in enumerate(part)}
                names += [record["relation"] for record in self._rows(cypher.in_use(part), parameters)]
            self._relations = changes, tuple(sorted(names))
        return self._relations[1]

    def _bearing(self, keys: Sequence[str]) -> Iterator[Entity]:
        """Entities that may bear one of these keys."""
        try:
            for part in _parts(sorted(set(stored_keys(keys))), KEYS_A_QUERY):
                yield from _entities(self._rows(cypher.BY_NAME, {"query": cypher.any_of(part)}))
        except StoreError as error:
            if not _no_index(error):
                raise
            yield from self.all_entities()  # a database that kgqa never wrote to: right, if slow

    def _rows(self, query: LiteralString, parameters: Mapping[str, Any] | None = None) -> list[Record]:
        return self._read(lambda run: run(query, parameters)[0])

    def _command(self, query: LiteralString, parameters: Mapping[str, Any] | None = None) -> None:
        self._write(lambda run: run(query, parameters))

    def _read(self, work: Callable[[Run], Result]) -> Result:
        with translated(self._url), self._session() as session:
            return session.execute_read(self._timed(work, READ_SECONDS))

    def _write(self, work: Callable[[Run], Result]) -> Result:
        with translated(self._url):
            return self._transactions.run(work, patience=self._timeout)

    def _count(self) -> None:
        self.round_trips += 1

    def _session(self, **more: Any) -> Session:
        if self._closed:
            raise StoreUnavailable("the store was closed", where=self._url)
        return self._driver.session(**self._settings, **more)

    def _timed(self, work: Callable[[Run], Result], seconds: float) -> Callable[[ManagedTransaction], Result]:
        def in_transaction(transaction: ManagedTransaction) -> Result:
            def run(
                query: LiteralString, parameters: Mapping[str, Any] | None = None
            ) -> tuple[list[Record], Mapping[str, int]]:
                self.round_trips += 1
                result = transaction.run(query, dict(parameters or {}))
                records = list(result)
                return records, vars(result.consume().counters)

            return work(run)

        return unit_of_work(timeout=seconds)(in_transaction)

    def _stream(self, query: LiteralString, parameters: Mapping[str, Any] | None = None) -> Iterator[Record]:
        self.round_trips += 1
        with (
            translated(self._url),
            self._session(default_access_mode=READ_ACCESS, fetch_size=STREAM_ROWS) as session,
            session.begin_transaction() as transaction,
        ):
            yield from transaction.run(query, dict(parameters or {}))


def _entities(records: Iterable[Record]) -> Iterator[Entity]:
    return (shown(entity) for entity in map(entity_of, records) if entity)


def _parts(items: Sequence[Result], size: int) -> Iterator[Sequence[Result]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _no_index(error: StoreError) -> bool:
    """Whether the cause is that the full-text index isn't there."""
    cause = error.__cause__
    return isinstance(cause, ClientError) and "no such fulltext schema index" in (cause.message or "")
