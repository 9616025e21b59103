"""Writing many batches to Neo4j, by several workers that never meet on a node.

A batch goes in by steps, and several batches are on their way at once:

1. *entities*: new ones are made, by transactions over disjoint sets of ids. What is there already is only looked at.
2. *differences*: what a batch says otherwise of entities that are there is merged into them, while nothing else writes.
3. *facts*, by the internal ids of their ends: see ``neo4j_games``. Another loader may still get in the way; then the
   transaction is repeated. A transaction that is held open all the time is what lets these ids be relied on.
4. *journal*: how far the source is in, once all of the batch, and of those before it, is in.

Each transaction counts what it brought, so that the counts are right whenever the loader is killed.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from typing import TypeVar

import numpy as np

from graph_schema.errors import StoreUnavailable
from graph_schema.types import Batch, Int64s, Written
from kgqa.stores import neo4j_write as writing
from kgqa.stores.batches import Prepared, prepare
from kgqa.stores.neo4j_counts import Counted, account
from kgqa.stores.neo4j_errors import translated
from kgqa.stores.neo4j_games import Game, Games, Planned, all_of, ends_of, games_of, taken
from kgqa.stores.neo4j_seen import Seen
from kgqa.stores.neo4j_transactions import LEAST_ROWS, HeldLostError, Size, TooMuchError, Transactions
from kgqa.stores.neo4j_write import EntityGoneError, Guess, Nodes, Rows, Run

Result = TypeVar("Result")

PATIENCE = 300.0  # seconds that a load waits for a server that is gone
REMEMBERED_NODES = 4_000_000  # about 200 bytes each
SPLIT_ROWS = 2_000  # entities; fewer are merged by one transaction
AHEAD = 1  # batches whose facts may be written while those of one before them still are
GONE_ATTEMPTS = 5  # to write what others delete meanwhile
LOST = "connections to Neo4j are lost again and again"


@dataclass
class _Work:
    """A batch on its way in.

    Attributes:
        held: number of the held transaction since which ``nodes`` are what they are.
        nodes: of all its entities, once they are merged.
    """

    batch: Batch
    prepared: Prepared
    held: int
    nodes: Nodes = field(default_factory=dict)
    differing: list[str] = field(default_factory=list)
    facts: int = 0
    entities: int = 0
    facts_altered: int = 0
    entities_altered: int = 0
    declared_created: int = 0
    declared_changed: int = 0
    merging: list[Future[writing.Made]] = field(default_factory=list)
    playing: list[Future[tuple[int, int]]] = field(default_factory=list)

    def written(self) -> Written:
        merged, repeated = len(self.prepared.ids) - self.entities, self.prepared.given - self.facts
        return Written(
            self.facts,
            repeated,
            self.entities,
            merged,
            repeated - self.facts_altered,
            merged - self.entities_altered,
            self.declared_created,
            self.declared_changed,
        )


class ParallelWriter:
    """Writes batches one after the other, each by several workers.

    Args:
        transactions: runs them. slots: ids of the change counters. workers: how many write facts at once.
        url: of the store, for messages.
    """

    def __init__(self, transactions: Transactions, slots: Sequence[str], workers: int, url: str) -> None:
        self._transactions = transactions
        self._slots = cycle(slots)  # each thread has one of its own
        self._own = threading.local()
        self._workers = max(1, workers)
        self._stop = threading.Event()
        self._url = url
        self._held = transactions.held()
        self._known: Nodes = {}
        self._known_since = 0  # number of the held transaction
        self._size = Size()
        self._guess = Guess(there=True)
        self._new = False  # whether the load made an entity
        self._seen: Seen | None = None

    def write(self, batches: Iterable[Batch]) -> Iterator[Written]:
        """See ``LoadLedger.write_many``; raises also ``EntityGoneError``."""
        # As many for the entities of the next batch as for facts.
        pool = ThreadPoolExecutor(2 * self._workers, "kgqa-load", initializer=self._begin_thread)
        games: Games[tuple[int, int]] = Games(pool, self._workers)
        drawn = iter(batches)
        failure: Exception | None = None
        merging: _Work | None = None  # its entities are on their way
        joining: deque[_Work] = deque()  # and so are the facts of these
        try:
            while True:
                work = None
                try:
                    if failure is None and (batch := next(drawn, None)) is not None:
                        work = _Work(batch, prepare(batch), self._hold())
                except Exception as error:  # noqa: BLE001  what was drawn before is written, then it is raised
                    failure = error
                if merging is not None:
                    # What a batch says otherwise has to be in before the next one looks at the same entities.
                    self._settle_entities(pool, merging, joining)
                if work is not None:
                    self._merge_entities(pool, work)
                if merging is not None:
                    self._write_facts(games, merging)
                    joining.append(merging)
                merging = work
                while joining and (len(joining) > AHEAD or merging is None):
                    self._join(joining[0])
                    yield joining.popleft().written()
                if merging is None:
                    break
            if failure is not None:
                raise failure
        finally:
            self._stop.set()
            games.close()
            pool.shutdown(wait=True, cancel_futures=True)
            self._held.close()

    def _begin_thread(self) -> None:
        self._own.slot = next(self._slots)

    # ---- entities

    def _merge_entities(self, pool: ThreadPoolExecutor, work: _Work) -> None:
        """Begin to merge the entities of a batch."""
        if self._known_since != work.held:
            self._known, self._known_since = {}, work.held
        prepared, known = work.prepared, self._known
        fresh = [id_ for id_ in prepared.ids if id_ in prepared.entities or id_ not in known]
        work.nodes = {id_: known[id_] for id_ in prepared.ids if id_ in known}
        parts = max(1, min(self._workers, len(fresh) // SPLIT_ROWS))
        size = -(-len(fresh) // parts)
        for start in range(0, len(fresh), size or 1):
            work.merging.append(pool.submit(self._merge, work, fresh[start : start + size]))

    def _merge(self, work: _Work, ids: Sequence[str]) -> writing.Made:
        """Merge some of them, in as many transactions as it takes."""
        made = writing.Made()
        start = 0
        while start < len(ids):
            part = ids[start : start + self._size.rows]

            def merge(run: Run, part: Sequence[str] = part) -> writing.Made:
                done = writing.merge_entities(run, work.prepared, part, {}, work.batch.origin)
                counted = Counted(entities=done.created, declared_created=done.declared)
                account(run, self._own.slot, work.batch.origin, counted)
                return done

            try:
                made.add(self._run(merge, divisible=self._size.divisible(len(part))))
            except TooMuchError:
                self._size.halve()
                continue
            start += len(part)
        return made

    def _settle_entities(self, pool: ThreadPoolExecutor, work: _Work, others: Iterable[_Work]) -> None:
        """Wait until the entities of a batch are there, and merge into them what is said otherwise of them."""
        for made in self._results(work.merging):
            work.entities += made.created
            work.declared_created += made.declared
            work.nodes |= made.nodes
            work.differing += made.differing
        if work.differing:
            for other in others:
                self._results(other.playing)
            ids = sorted(work.differing)
            size = max(LEAST_ROWS, -(-len(ids) // self._workers))
            parts = [ids[start : start + size] for start in range(0, len(ids), size)]
            for altered, shown in self._results([pool.submit(self._differ, work, part) for part in parts]):
                work.entities_altered += altered
                work.declared_changed += shown
        if self._known_since == work.held:
            if len(self._known) > REMEMBERED_NODES:
                self._known = {}
            self._known.update(work.nodes)

    def _differ(self, work: _Work, ids: Sequence[str]) -> tuple[int, int]:
        """Merge what is said otherwise of some entities; returns what ``settle_entities`` does."""
        altered = others = start = 0
        while start < len(ids):
            part = ids[start : start + self._size.rows]

            def settle(run: Run, part: Sequence[str] = part) -> tuple[int, int]:
                found, shown = writing.settle_entities(run, work.prepared, part, work.batch.origin)
                account(run, self._own.slot, work.batch.origin, Counted(declared_changed=shown, changed=found))
                return found, shown

            try:
                found, shown = self._run(settle, divisible=self._size.divisible(len(part)))
            except TooMuchError:
                self._size.halve()
                continue
            altered, others = altered + found, others + shown
            start += len(part)
        return altered, others

    # ---- facts

    def _write_facts(self, games: Games[tuple[int, int]], work: _Work) -> None:
        """Begin to write the facts of a batch."""
        if work.entities:
            self._guess.there, self._new = False, True
        nodes = writing.nodes_of(work.prepared, work.nodes)
        missing = all_of(work.prepared) if self._new else self._missing(work, nodes)
        for game in games_of(work.prepared, nodes, missing, work.batch.origin, self._workers):
            work.playing.append(games.play(game.groups, partial(self._play, work, game)))

    def _missing(self, work: _Work, nodes: Int64s) -> dict[str, Int64s]:
        """By relation, the places of the facts of a batch that may not be in as it says them."""
        found = all_of(work.prepared)
        origin, held = work.batch.origin, work.held

        def look(run: Run) -> None:
            if self._seen is None or (self._seen.origin, self._seen.held) != (origin, held):
                self._seen = Seen(run, origin, held)
            run("RETURN 1 AS one")  # so that the server is known
            for relation, pairs in work.prepared.facts.items():
                there = self._seen.which(run, relation, nodes[pairs.heads], nodes[pairs.tails])
                if there is not None:
                    there[[*pairs.properties]] = False  # they may have been changed
                    found[relation] = np.flatnonzero(~there)

        try:
            self._run(look, divisible=True, before_commit=self._sure(held))
        except HeldLostError:
            return all_of(work.prepared)
        except TooMuchError:
            if self._seen is not None:
                self._seen.give_up()
            return all_of(work.prepared)
        return found

    def _join(self, work: _Work) -> None:
        """Wait until the facts of a batch are in, and say how far its source is."""
        for facts, altered in self._results(work.playing):
            work.facts += facts
            work.facts_altered += altered
        batch = work.batch

        def journal(run: Run) -> None:
            account(run, "", batch.origin, Counted(), batch.through)

        if batch.through:
            self._run(journal, causal=True)

    def _play(self, work: _Work, game: Game) -> tuple[int, int]:
        """Write the facts of a game, in as many transactions as it takes: how many are new, and how many changed."""
        created = altered = 0
        pending = [*game.rows]
        while pending and not self._stop.is_set():
            part, left = taken(pending, self._size.rows)
            began = time.monotonic()
            try:
                new, others = self._facts(work, part)
            except TooMuchError:
                self._size.halve()
                continue
            self._size.took(sum(len(of.heads) for of in part), time.monotonic() - began)
            created, altered, pending = created + new, altered + others, left
        return created, altered

    def _facts(self, work: _Work, rows: Sequence[Planned]) -> tuple[int, int]:
        """Write some facts in one transaction."""
        count = sum(len(of.heads) for of in rows)
        origin = work.batch.origin
        held = work.held

        def write(run: Run) -> tuple[int, int]:
            facts = []
            for of in rows:
                told = work.prepared.facts[of.relation].told(of.places)
                facts.append(Rows(of.relation, of.heads.tolist(), of.tails.tolist(), of.marks.tolist(), told))
            created, altered = writing.write_facts(run, facts, [*work.prepared.facts], origin, self._guess)
            account(run, self._own.slot, origin, Counted(created, facts_changed=altered))
            return created, altered

        gone, began = 0, time.monotonic()
        while True:
            try:
                return self._run(write, divisible=self._size.divisible(count), before_commit=self._sure(held))
            except EntityGoneError:
                gone += 1
                if gone == GONE_ATTEMPTS:
                    raise
            except HeldLostError:
                if self._stop.is_set() or time.monotonic() - began > PATIENCE:
                    raise StoreUnavailable(LOST, where=self._url, fix="Look at the network, and try again") from None
            held = self._hold()
            rows = self._made_again(work, rows)

    def _made_again(self, work: _Work, rows: Sequence[Planned]) -> list[Planned]:
        """The same facts, after their ends were merged once more, for some were deleted by others."""
        ends = ends_of(work.prepared, rows)
        ids = [work.prepared.ids[place] for place in ends.tolist()]
        origin = work.batch.origin

        def merge(run: Run) -> writing.Made:
            done = writing.merge_entities(run, work.prepared, ids, {}, origin)
            altered, others = writing.settle_entities(run, work.prepared, sorted(done.differing), origin)
            account(run, self._own.slot, origin, Counted(0, done.created, 0, done.declared, others, altered))
            return done

        made = self._run(merge)
        nodes = np.empty(len(work.prepared.ids), np.int64)
        nodes[ends] = [made.nodes[id_] for id_ in ids]
        again = []
        for of in rows:
            pairs = work.prepared.facts[of.relation]
            heads, tails = nodes[pairs.heads[of.places]], nodes[pairs.tails[of.places]]
            again.append(Planned(of.relation, heads, tails, of.marks, of.places))
        return again

    def _results(self, futures: Sequence[Future[Result]]) -> list[Result]:
        """What they give, in order; the first failure is raised, and the others are told not to go on."""
        for future in wait(futures, return_when=FIRST_EXCEPTION).done:
            if error := future.exception():
                self._stop.set()
                raise error
        return [future.result() for future in futures]

    def _sure(self, held: int) -> Callable[[str], None]:
        """Raises ``HeldLostError``, given a server's address, unless that transaction is still held there."""

        def sure(server: str) -> None:
            if not self._held.holds(held, server):
                raise HeldLostError

        return sure

    def _hold(self) -> int:
        with translated(self._url):
            return self._held.begin(patience=PATIENCE, stopped=self._stop.is_set)

    def _run(
        self,
        work: Callable[[Run], Result],
        *,
        divisible: bool = False,
        before_commit: Callable[[str], None] | None = None,
        causal: bool = False,
    ) -> Result:
        with translated(self._url):
            return self._transactions.run(
                work,
                patience=PATIENCE,
                stopped=self._stop.is_set,
                divisible=divisible,
                before_commit=before_commit,
                causal=causal,
            )
