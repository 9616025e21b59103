"""The Neo4j store: official driver, managed transactions, reads routed to followers where there are any."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, LiteralString, TypeVar

from neo4j import READ_ACCESS, GraphDatabase, ManagedTransaction, Record, Session, unit_of_work
from neo4j.exceptions import ClientError

from graph_schema.errors import StoreError, StoreUnavailable, StoreVersionError
from graph_schema.loads import Load, LoadPlan, Origin, Withdrawn
from graph_schema.migrations import LATEST, MIGRATIONS, UniqueKey
from graph_schema.ports import Group, Neighbours, Offer, Proof, Start, Step
from graph_schema.schema import Schema
from graph_schema.text import name_key
from graph_schema.types import Batch, Entity, Fact, Properties, StoreInfo, Value, Written
from kgqa.stores import cypher, cypher_write, neo4j_loads
from kgqa.stores.batches import by_relation, prepare, storable
from kgqa.stores.likeness import most_alike
from kgqa.stores.neo4j_errors import translated
from kgqa.stores.neo4j_later import carry_out
from kgqa.stores.neo4j_parallel import ParallelWriter
from kgqa.stores.neo4j_read import (
    Relations,
    asked_facts,
    asked_groups,
    bearers,
    distinct,
    entities_of,
    held_of,
    neighbours_of,
    new_names,
    offer_of,
)
from kgqa.stores.neo4j_transactions import Transactions, rows_of
from kgqa.stores.neo4j_values import of_node, on_node
from kgqa.stores.neo4j_write import EntityGoneError, Nodes, Run, delete, stored_keys, write

Result = TypeVar("Result")

READ_SECONDS = 60.0  # the server ends a query that takes longer
INDEX_SECONDS = 600
REMEMBERED_IDS = 2_000_000  # about 200 bytes each
MANY_ROWS = 5_000  # in the first batch of a load that may put the indexes of names off
NAME_INDEXES = [r for m in MIGRATIONS for r in m.requires if not isinstance(r, UniqueKey)]
GONE_ATTEMPTS = 5  # to write what others delete meanwhile
GONE = "others delete what is being written, again and again"
COUNTER_SLOTS = 64  # change counters; each writer has one, so that two seldom wait for each other
KEYS_A_QUERY = 500  # Lucene takes 1,024 clauses
RELATIONS_A_QUERY = 25  # planning time grows with the text
STREAM_ROWS = 5_000  # fetched at a time
SURROUNDINGS = 50  # entities of a question's names that ``start`` looks around; those of a name are seldom more
DENSEST = 10_000  # relationships of an entity that ``start`` looks around; most names in a question aren't its topic
CANDIDATES = 50  # entities that are compared closely for a suggestion


class Neo4jStore:
    """A ``GraphStore`` in a Neo4j database. Safe to share between threads.

    Args:
        url: neo4j://, neo4j+s://, bolt:// ...; without user, password and query.
        database: name of the database; the user's home database if None.
        timeout: seconds to wait for a connection, and to repeat a transaction that met a passing failure.

    Attributes:
        round_trips: queries sent so far, for benchmarks; a query of a reader is one trip over the network.
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
        self._relations = Relations()
        self._timeout = timeout
        self._names_put_off = False
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

    def is_foreign(self) -> bool:
        """Whether there are nodes here, and none that can be read as ours: somebody else has modelled the database."""
        found = self._rows(cypher.OURS)[0]
        return bool(found["nodes"] and not found["meta"] and not found["entities"])

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
        found = self._one(cypher.SCHEMA, {})
        stored = Schema.from_yaml(found["schema"], where=self.url) if found["schema"] else Schema()
        return stored.with_relations(self._relations_now(found["changes"]))

    def relations(self) -> tuple[str, ...]:
        return self._relations_now(self.changes())

    def lookup(self, keys: Sequence[str]) -> dict[str, tuple[Entity, ...]]:
        wanted = distinct(keys)
        return bearers(wanted, self._bearing(wanted))

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
        return most_alike(name, entities_of(found), limit)

    def entities(self, ids: Sequence[str]) -> dict[str, Entity]:
        return self.prove((), ids).entities

    def offer(self, ids: Sequence[str]) -> Offer:
        told = self._relations
        found = self._one(cypher.OFFER, {"ids": distinct(ids), "index": told.index})
        return self._offer(ids, found, told)

    def expand(self, groups: Sequence[Group]) -> Neighbours:
        asked, places = asked_groups(groups)
        return neighbours_of(len(groups), places, self._one(cypher.EXPAND, asked)["found"])

    def holds(self, facts: Sequence[Fact]) -> list[bool]:
        return self.prove(facts, ()).holds

    def start(self, keys: Sequence[str]) -> Start:
        wanted = distinct(keys)
        stored = sorted(set(stored_keys(wanted)))
        told = self._relations
        if 0 < len(stored) <= KEYS_A_QUERY:
            given = {"query": cypher.any_of(stored), "most": SURROUNDINGS, "densest": DENSEST, "index": told.index}
            try:
                found = self._one(cypher.START, given)
            except StoreError as error:
                if not _no_index(error):
                    raise
            else:
                named = bearers(wanted, entities_of(found["named"]))
                borne = {entity.id for entities in named.values() for entity in entities}
                ids = tuple(row[0] for row in found["around"] if row[0] in borne)
                return Start(named, ids, self._offer(ids, found, told), found["changes"])
        named = self.lookup(wanted)
        ids = tuple(dict.fromkeys(entity.id for entities in named.values() for entity in entities))[:SURROUNDINGS]
        found = self._one(cypher.OFFER, {"ids": ids, "index": told.index})
        return Start(named, ids, self._offer(ids, found, told), found["changes"])

    def step(self, groups: Sequence[Group]) -> Step:
        asked, places = asked_groups(groups)
        told = self._relations
        found = self._one(cypher.STEP, {**asked, "index": told.index})
        neighbours = neighbours_of(len(groups), places, found["found"])
        ids = tuple(sorted(set(neighbours.entities)))
        return Step(neighbours, ids, self._offer(ids, found, told))

    def prove(self, facts: Sequence[Fact], ids: Sequence[str]) -> Proof:
        rows, places = asked_facts(facts)
        found = self._one(cypher.PROVE, {"rows": rows, "ids": distinct(ids)})
        entities = {entity.id: entity for entity in entities_of(found["entities"])}
        return Proof(held_of(len(facts), places, found["held"]), entities)

    def all_facts(self) -> Iterator[Fact]:
        for record in self._stream(cypher.ALL_FACTS):
            if isinstance(record["head"], str) and isinstance(record["tail"], str):
                yield Fact(record["head"], record["relation"], record["tail"])

    def all_entities(self) -> Iterator[Entity]:
        yield from entities_of(self._stream(cypher.ALL_ENTITIES))

    # ---- writing

    def migrate(self, schema: Schema) -> None:
        applied = self._rows(cypher.META)[0]["migration"] or 0
        self._refuse_newer(applied)
        for migration in MIGRATIONS:
            for requirement in migration.requires if migration.number > applied else ():
                if isinstance(requirement, UniqueKey):
                    self._command(cypher_write.requirement(requirement))
        while self._write(carry_out):
            pass
        self._make_name_indexes()  # even if they were there once: a first load that was killed has put them off

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

    def end_load(self, id: str, report: str = "") -> None:
        """See ``LoadLedger``; ``report`` isn't kept, since others may write to the database past kgqa."""
        del report
        self._write(lambda run: neo4j_loads.end(run, id))

    def count_rejected(self, id: str, rejected: Sequence[int]) -> None:
        self._write(lambda run: neo4j_loads.count_rejected(run, id, rejected))

    def loads(self) -> tuple[Load, ...]:
        return self._read(neo4j_loads.loads)

    def write_many(self, batches: Iterable[Batch], *, workers: int = 1) -> Iterator[Written]:
        drawn = iter(batches)
        if (first := next(drawn, None)) is None:
            return
        if len(first.facts) + len(first.entities) >= MANY_ROWS:
            self._put_off_names()
        try:
            yield from ParallelWriter(self._transactions, self._slot, workers, self.url).write(chain([first], drawn))
        except EntityGoneError:
            raise StoreError(GONE, where=self.url, fix="Try again") from None

    def origins(self, facts: Sequence[Fact]) -> list[tuple[Origin, ...]]:
        return self._read(lambda run: neo4j_loads.origins(run, facts))

    def fact_properties(self, facts: Sequence[Fact]) -> list[Properties]:
        return self._read(lambda run: neo4j_loads.fact_properties(run, facts))

    def values(self, label: str, name: str, without: Sequence[int] = ()) -> Iterator[tuple[str, Value]]:
        (stored,) = on_node({name: ""})
        for record in self._stream(cypher.values(label), {"name": stored, "without": [*without]}):
            yield record["id"], of_node({stored: record["value"]})[name]

    def facts_of(self, origins: Sequence[int]) -> Iterator[Fact]:
        for record in self._stream(cypher_write.FACTS_OF, {"origins": [*origins]}):
            yield Fact(record["head"], record["relation"], record["tail"])

    def withdraw(self, origins: Sequence[int], *, undone: str = "") -> Withdrawn:
        self._known = {}
        return neo4j_loads.withdraw(self._write, self._stream, origins, self._slot, undone)

    def finish(self) -> None:
        """Make the indexes of names, if they were put off; Neo4j keeps all others with each commit."""
        if self._names_put_off:
            self._make_name_indexes()
            self._names_put_off = False

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

    def _put_off_names(self) -> None:
        """While a graph is loaded for the first time, its names aren't indexed row by row: that takes three times as
        long as all at once, in ``finish``. Those who ask meanwhile find them by looking at all entities."""
        if not self._rows(cypher_write.ANY_ENTITY):
            for requirement in NAME_INDEXES:
                self._command(cypher_write.dropped(requirement))
            self._names_put_off = True

    def _make_name_indexes(self) -> None:
        for requirement in NAME_INDEXES:
            self._command(cypher_write.requirement(requirement))
        self._command(cypher_write.AWAIT_INDEXES, {"seconds": INDEX_SECONDS})

    def _relations_now(self, changes: int) -> tuple[str, ...]:
        """All relations in use, and no other."""
        # 0 means that nobody counts here, so that what was read before may have changed unseen.
        return self._relations_as_of(changes, again=not changes).names

    def _relations_as_of(self, changes: int, *, again: bool = False) -> Relations:
        """The relations in use, cached for a change counter."""
        if again or self._relations.changes != changes:
            types = sorted(record["relation"] for record in self._rows(cypher.RELATION_TYPES))
            names: list[str] = []
            for part in _parts(types, RELATIONS_A_QUERY):
                parameters = {f"r{number}": name for number, name in enumerate(part)}
                names += [record["relation"] for record in self._rows(cypher.in_use(part), parameters)]
            self._relations = Relations(changes, tuple(sorted(names)))
        return self._relations

    def _offer(self, ids: Sequence[str], found: Record, told: Relations) -> Offer:
        """What was found around ``ids``, by a query that was told of these relations."""
        # A name that it wasn't told of was written past us, without a counter, or is all new.
        now = self._relations_as_of(found["changes"], again=bool(new_names(found["around"])))
        return offer_of(ids, found["around"], told, now)

    def _bearing(self, keys: Sequence[str]) -> Iterator[Entity]:
        """Entities that may bear one of these keys."""
        try:
            for part in _parts(sorted(set(stored_keys(keys))), KEYS_A_QUERY):
                yield from entities_of(self._rows(cypher.BY_NAME, {"query": cypher.any_of(part)}))
        except StoreError as error:
            if not _no_index(error):
                raise
            yield from self.all_entities()  # a database that kgqa never wrote to: right, if slow

    def _one(self, query: LiteralString, given: Mapping[str, Any]) -> Record:
        """The only record of a query that takes what it is given as one map."""
        return self._rows(query, {"given": dict(given)})[0]

    def _rows(self, query: LiteralString, parameters: Mapping[str, Any] | None = None) -> list[Record]:
        with translated(self._url):
            return rows_of(query, parameters, READ_SECONDS, self._reading, self._count, patience=self._timeout)

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

    def _reading(self) -> Session:
        return self._session(default_access_mode=READ_ACCESS, fetch_size=-1)

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


def _parts(items: Sequence[Result], size: int) -> Iterator[Sequence[Result]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _no_index(error: StoreError) -> bool:
    """Whether the cause is that the full-text index isn't there."""
    cause = error.__cause__
    return isinstance(cause, ClientError) and "no such fulltext schema index" in (cause.message or "")
