"""Reading from Neo4j: official driver, reads routed to followers where there are any."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, LiteralString, TypeVar

from neo4j import READ_ACCESS, GraphDatabase, ManagedTransaction, Record, Session, unit_of_work
from neo4j.exceptions import ClientError

from graph_schema.errors import StoreError, StoreUnavailable, StoreVersionError
from graph_schema.migrations import LATEST
from graph_schema.ports import Group, Neighbours, Offer, Proof, Start, Step
from graph_schema.schema import Schema
from graph_schema.text import name_key
from graph_schema.types import Entity, Fact, StoreInfo
from kgqa.stores import cypher
from kgqa.stores.batches import storable
from kgqa.stores.likeness import most_alike
from kgqa.stores.neo4j_errors import translated
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
from kgqa.stores.neo4j_transactions import STREAM_ROWS, rows_of, stream_of
from kgqa.stores.neo4j_waiting import MARGIN, answered
from kgqa.stores.neo4j_write import Run, stored_keys

Result = TypeVar("Result")

READ_SECONDS = 60.0  # the server ends a query that takes longer; one that says nothing a bit later is given up
STREAM_SECONDS = 600.0  # a stream that has more to do than to read may say nothing for so long
KEYS_A_QUERY = 500  # Lucene takes 1,024 clauses
RELATIONS_A_QUERY = 25  # planning time grows with the text
SURROUNDINGS = 50  # entities of a question's names that ``start`` looks around; those of a name are seldom more
DENSEST = 10_000  # relationships of an entity that ``start`` looks around; most names in a question aren't its topic
CANDIDATES = 50  # entities that are compared closely for a suggestion


class Neo4jReader:
    """A ``GraphReader`` of a Neo4j database. Safe to share between threads.

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
        self._relations = Relations()
        self._timeout = timeout
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
                self._refuse_newer(answered(self._version, READ_SECONDS + MARGIN))
            except BaseException:
                self._driver.close()
                raise

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    @property
    def url(self) -> str:
        return self._url

    def is_foreign(self) -> bool:
        """Whether there are nodes here, and none that can be read as ours: somebody else has modelled the database."""
        found = self._rows(cypher.OURS)[0]
        return bool(found["nodes"] and not found["meta"] and not found["entities"])

    def strangers(self) -> int:
        """How many nodes there are in a database that kgqa never wrote to; 0 in one that it did."""
        found = self._rows(cypher.OURS)[0]
        return 0 if found["meta"] else int(found["nodes"])

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
        for record in self._stream(cypher.ALL_FACTS, silence=READ_SECONDS + MARGIN):
            if isinstance(record["head"], str) and isinstance(record["tail"], str):
                yield Fact(record["head"], record["relation"], record["tail"])

    def all_entities(self) -> Iterator[Entity]:
        yield from entities_of(self._stream(cypher.ALL_ENTITIES, silence=READ_SECONDS + MARGIN))

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._driver.close()

    # ---- inside

    def _version(self) -> int | None:
        with self._reading() as session:
            found: int | None = session.run(cypher.VERSION).single(strict=True)["migration"]
            return found

    def _refuse_newer(self, migration: int | None) -> None:
        if migration is not None and migration > LATEST:
            raise StoreVersionError(
                f"the store was made by a newer kgqa (its format is {migration}, this one knows {LATEST})",
                where=self.url,
                fix="Upgrade kgqa",
            )

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

    def _read(self, work: Callable[[Run], Result]) -> Result:
        def in_session() -> Result:
            with self._session() as session:
                return session.execute_read(self._timed(work, READ_SECONDS))

        with translated(self._url):
            return answered(in_session, self._timeout + READ_SECONDS + MARGIN)

    def _count(self) -> None:
        self.round_trips += 1

    def _session(self, **more: Any) -> Session:
        if self._closed:
            raise StoreUnavailable("the store was closed", where=self._url)
        return self._driver.session(**{**self._settings, **more})

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

    def _stream(
        self, query: LiteralString, parameters: Mapping[str, Any] | None = None, *, silence: float = STREAM_SECONDS
    ) -> Iterator[Record]:
        self.round_trips += 1

        def session() -> Session:
            return self._session(default_access_mode=READ_ACCESS, fetch_size=STREAM_ROWS)

        with translated(self._url):
            yield from stream_of(query, parameters, None, session, silence=silence)


def _parts(items: Sequence[Result], size: int) -> Iterator[Sequence[Result]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _no_index(error: StoreError) -> bool:
    """Whether the cause is that the full-text index isn't there."""
    cause = error.__cause__
    return isinstance(cause, ClientError) and "no such fulltext schema index" in (cause.message or "")
