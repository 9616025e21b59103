"""The Neo4j store: what ``neo4j_reader`` reads, and managed transactions that write."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, LiteralString, TypeVar

from graph_schema.errors import StoreError
from graph_schema.loads import Load, LoadPlan, Origin, Withdrawn
from graph_schema.migrations import LATEST, MIGRATIONS, UniqueKey
from graph_schema.schema import Schema
from graph_schema.types import Batch, Entity, Fact, Properties, Value, Written
from kgqa.stores import cypher, cypher_write, neo4j_loads
from kgqa.stores.batches import by_relation, prepare, storable
from kgqa.stores.neo4j_errors import translated
from kgqa.stores.neo4j_later import carry_out
from kgqa.stores.neo4j_parallel import ParallelWriter
from kgqa.stores.neo4j_reader import Neo4jReader
from kgqa.stores.neo4j_transactions import Transactions
from kgqa.stores.neo4j_values import of_node, on_node
from kgqa.stores.neo4j_write import EntityGoneError, Nodes, Run, delete, write

Result = TypeVar("Result")

INDEX_SECONDS = 600
SOON_INDEXED = 500_000  # entities whose names are indexed in some seconds
REMEMBERED_IDS = 2_000_000  # about 200 bytes each
MANY_ROWS = 5_000  # in the first batch of a load that may put the indexes of names off
NAME_INDEXES = [r for m in MIGRATIONS for r in m.requires if not isinstance(r, UniqueKey)]
GONE_ATTEMPTS = 5  # to write what others delete meanwhile
GONE = "others delete what is being written, again and again"
COUNTER_SLOTS = 64  # change counters; each writer has one, so that two seldom wait for each other


class Neo4jStore(Neo4jReader):
    """A ``GraphStore`` in a Neo4j database. Safe to share between threads.

    Args and attributes are those of ``Neo4jReader``.
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
        super().__init__(url, user=user, password=password, database=database, timeout=timeout)
        first = secrets.randbelow(COUNTER_SLOTS)
        self._slots = [f"{cypher.COUNTER_PREFIX}{(first + n) % COUNTER_SLOTS}" for n in range(COUNTER_SLOTS)]
        self._slot = self._slots[0]
        self._names_put_off = False
        self._known: Nodes = {}  # what this store has written, so that a load doesn't merge it again
        self._transactions = Transactions(self._session, self._count)

    # ---- writing

    def migrate(self, schema: Schema) -> None:
        applied = self._rows(cypher.META)[0]["migration"] or 0
        self._refuse_newer(applied)
        new = [one for migration in MIGRATIONS if migration.number > applied for one in migration.requires]
        self._commands(cypher_write.requirement(one) for one in new if isinstance(one, UniqueKey))
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
            yield from ParallelWriter(self._transactions, self._slots, workers, self.url).write(chain([first], drawn))
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

    def facts_of(self, origins: Sequence[int], *, alone: bool = False) -> Iterator[Fact]:
        query = cypher_write.FACTS_OF_ALONE if alone else cypher_write.FACTS_OF
        for record in self._stream(query, {"origins": [*origins]}):
            yield Fact(record["head"], record["relation"], record["tail"])

    def spoken_of(self, ids: Sequence[str]) -> set[str]:
        return self._read(lambda run: neo4j_loads.spoken_of(run, ids))

    def entities_without(self, origins: Sequence[int]) -> Iterator[tuple[Entity, Entity | None]]:
        yield from neo4j_loads.entities_without(self._stream, origins)

    def properties_without(self, origins: Sequence[int]) -> Iterator[tuple[Fact, Properties, Properties | None]]:
        yield from neo4j_loads.properties_without(self._stream, origins)

    def withdraw(self, origins: Sequence[int], *, undone: str = "") -> Withdrawn:
        self._known = {}
        return neo4j_loads.withdraw(self._write, self._stream, origins, self._slot, undone)

    def finish(self) -> None:
        """Make the indexes of names, if they were put off; Neo4j keeps all others with each commit."""
        if self._names_put_off:
            self._make_name_indexes()
            self._names_put_off = False

    # ---- inside

    def _put_off_names(self) -> None:
        """While a graph is loaded for the first time, its names aren't indexed row by row: that takes three times as
        long as all at once, in ``finish``. Those who ask meanwhile find them by looking at all entities."""
        if not self._rows(cypher_write.ANY_ENTITY):
            self._commands(map(cypher_write.dropped, NAME_INDEXES))
            self._names_put_off = True

    def _make_name_indexes(self) -> None:
        """Begin to make them. Who looks a name up waits for them, but only half a minute: what may take longer is
        waited for here."""
        self._commands(map(cypher_write.requirement, NAME_INDEXES))
        if self._rows(cypher_write.COUNT_ALL)[0]["n"] > SOON_INDEXED:
            self._command(cypher_write.AWAIT_INDEXES, {"seconds": INDEX_SECONDS})

    def _commands(self, commands: Iterable[LiteralString]) -> None:
        """Several that change what is indexed, in one transaction: two indexes are then filled in one pass."""
        together = [*commands]
        self._write(lambda run: [run(command) for command in together])

    def _command(self, query: LiteralString, parameters: Mapping[str, Any] | None = None) -> None:
        self._write(lambda run: run(query, parameters))

    def _write(self, work: Callable[[Run], Result]) -> Result:
        with translated(self._url):
            return self._transactions.run(work, patience=self._timeout)
