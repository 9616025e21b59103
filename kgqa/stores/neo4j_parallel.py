"""Writing many batches to Neo4j, by several workers that never meet on a node.

A batch goes in by steps. While the facts of one batch are written, one worker merges the entities of the next:

1. *entities*: new ones are made, by transactions over disjoint sets of ids. What is there already is only looked at.
2. *differences*: what a batch says otherwise of entities that are there is merged into them, while nothing else writes.
3. *facts*: every node belongs to one of 2 W groups, by its internal id, and every fact to a pair of groups. As in a
   round-robin tournament, each round takes W pairs that have no group in common, one for each worker. So no two
   transactions of a loader lock the same node, none waits for another, and there is no deadlock. Another loader may
   still get in the way; then the transaction is repeated.
4. *journal*: how far the source is in, once all of the batch is in.

Each transaction counts what it brought, so that the counts are right whenever the loader is killed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from graph_schema.types import Batch, Int64s, Written
from kgqa.stores import neo4j_write as writing
from kgqa.stores.batches import Prepared, prepare
from kgqa.stores.neo4j_errors import translated
from kgqa.stores.neo4j_transactions import TooMuchError, Transactions
from kgqa.stores.neo4j_values import ORIGIN
from kgqa.stores.neo4j_write import Counted, EntityGoneError, Guess, Nodes, Rows, Run

Result = TypeVar("Result")

PATIENCE = 300.0  # seconds that a load waits for a server that is gone
REMEMBERED_NODES = 4_000_000  # about 200 bytes each
FIRST_ROWS = 10_000  # a transaction, until it is known how many are best
MOST_ROWS = 100_000
LEAST_ROWS = 500
SPLIT_ROWS = 2_000  # entities; fewer are merged by one transaction
STATEMENT_ROWS = 100  # facts of one relation in one round; with fewer, the rounds cost more than they bring
GONE_ATTEMPTS = 5  # to write what others delete meanwhile


@dataclass(frozen=True)
class Planned:
    """Facts of one relation that one worker writes in one round: columns of the same length, and where they come from.

    Attributes:
        heads, tails: internal ids; int64 [F].
        marks: int64 [F].
        places: int64 [F], position of each in the batch's list of that relation.
    """

    relation: str
    heads: Int64s
    tails: Int64s
    marks: Int64s
    places: Int64s

    def part(self, which: slice) -> Planned:
        """Some of the rows."""
        return Planned(self.relation, self.heads[which], self.tails[which], self.marks[which], self.places[which])


@dataclass
class _Work:
    """A batch on its way in."""

    batch: Batch
    prepared: Prepared
    nodes: Nodes = field(default_factory=dict)
    differing: list[str] = field(default_factory=list)
    facts: int = 0
    entities: int = 0
    facts_altered: int = 0
    entities_altered: int = 0
    merging: list[Future[writing.Made]] = field(default_factory=list)

    def written(self) -> Written:
        merged, repeated = len(self.prepared.ids) - self.entities, self.prepared.given - self.facts
        return Written(
            self.facts,
            repeated,
            self.entities,
            merged,
            repeated - self.facts_altered,
            merged - self.entities_altered,
        )


class ParallelWriter:
    """Writes batches one after the other, each by several workers.

    Args:
        transactions: runs them. slot: id of the change counter to use. workers: how many write facts at once.
        url: of the store, for messages.
    """

    def __init__(self, transactions: Transactions, slot: str, workers: int, url: str) -> None:
        self._transactions = transactions
        self._slot = slot
        self._workers = max(1, workers)
        self._stop = threading.Event()
        self._url = url
        self._known: Nodes = {}
        self._size = _Size()
        self._guess = Guess()
        self._rounds = tournament(self._workers)

    def write(self, batches: Iterable[Batch]) -> Iterator[Written]:
        """See ``LoadLedger.write_many``; raises also ``EntityGoneError``."""
        # Beside those that write facts, one for the entities of the next batch, and one that leads through the rounds.
        pool = ThreadPoolExecutor(self._workers + 2, thread_name_prefix="kgqa-load")
        drawn = iter(batches)
        failure: Exception | None = None
        merging: _Work | None = None  # its entities are on their way
        joining: tuple[_Work, Future[None]] | None = None  # and so are its facts
        try:
            while True:
                work = None
                try:
                    if failure is None and (batch := next(drawn, None)) is not None:
                        work = _Work(batch, prepare(batch))
                except Exception as error:  # noqa: BLE001  what was drawn before is written, then it is raised
                    failure = error
                if joining is not None:
                    joining[1].result()
                    yield joining[0].written()
                    joining = None
                if merging is not None:
                    # What a batch says otherwise has to be in before the next one looks at the same entities.
                    self._settle_entities(pool, merging)
                if work is not None:
                    self._merge_entities(pool, work)
                if merging is not None:
                    joining = merging, pool.submit(self._write_facts, pool, merging)
                merging = work
                if merging is None and joining is None:
                    break
            if failure is not None:
                raise failure
        finally:
            self._stop.set()
            pool.shutdown(wait=True, cancel_futures=True)

    # ---- entities

    def _merge_entities(self, pool: ThreadPoolExecutor, work: _Work) -> None:
        """Begin to merge the entities of a batch."""
        prepared = work.prepared
        fresh = [id_ for id_ in prepared.ids if id_ in prepared.entities or id_ not in self._known]
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
                done = writing.merge_entities(run, work.prepared, part, self._known, work.batch.origin)
                writing.account(run, self._slot, work.batch.origin, Counted(entities=done.created))
                return done

            try:
                made.add(self._run(merge, divisible=len(part) > LEAST_ROWS))
            except TooMuchError:
                self._size.halve()
                continue
            start += len(part)
        return made

    def _settle_entities(self, pool: ThreadPoolExecutor, work: _Work) -> None:
        """Wait until the entities of a batch are there, and merge into them what is said otherwise of them."""
        for made in self._results(work.merging):
            work.entities += made.created
            work.nodes |= made.nodes
            work.differing += made.differing
        if work.differing:
            ids = sorted(work.differing)
            size = max(LEAST_ROWS, -(-len(ids) // self._workers))
            parts = [ids[start : start + size] for start in range(0, len(ids), size)]
            work.entities_altered = sum(self._results([pool.submit(self._differ, work, part) for part in parts]))
        self._remember(work)

    def _differ(self, work: _Work, ids: Sequence[str]) -> int:
        altered = start = 0
        while start < len(ids):
            part = ids[start : start + self._size.rows]

            def settle(run: Run, part: Sequence[str] = part) -> int:
                found = writing.settle_entities(run, work.prepared, part, work.batch.origin)
                writing.account(run, self._slot, work.batch.origin, Counted(changed=found))
                return found

            try:
                altered += self._run(settle, divisible=len(part) > LEAST_ROWS)
            except TooMuchError:
                self._size.halve()
                continue
            start += len(part)
        return altered

    def _remember(self, work: _Work) -> None:
        """The nodes of a batch, for its facts and for the batches to come."""
        for id_ in work.prepared.ids:
            if id_ not in work.nodes:
                work.nodes[id_] = self._known[id_]
        if len(self._known) > REMEMBERED_NODES:
            self._known = {}
        self._known = {**self._known, **work.nodes} if len(work.nodes) > len(self._known) else self._known
        self._known.update(work.nodes)

    # ---- facts

    def _write_facts(self, pool: ThreadPoolExecutor, work: _Work) -> None:
        """Write the facts of a batch, round by round, and then how far its source is in."""
        for round_ in schedule(work.prepared, work.nodes, work.batch.origin, self._rounds):
            for facts, altered in self._results([pool.submit(self._play, work, rows) for rows in round_]):
                work.facts += facts
                work.facts_altered += altered
        if work.batch.through:
            self._run(lambda run: self._journal(run, work.batch))

    def _journal(self, run: Run, batch: Batch) -> None:
        writing.account(run, self._slot, batch.origin, Counted(), batch.through)

    def _play(self, work: _Work, rows: Sequence[Planned]) -> tuple[int, int]:
        """Write what one worker has to write in one round, in as many transactions as it takes."""
        created = altered = 0
        pending = [*rows]
        while pending:
            part, left = _taken(pending, self._size.rows)
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
        rich = bool(work.prepared.fact_properties)

        def write(run: Run) -> tuple[int, int]:
            writing.verify(run, _ends(work.prepared, rows))
            created = altered = 0
            for of in rows:
                told = writing.told_of(work.prepared, of.relation, of.places.tolist()) if rich else {}
                columns = Rows(of.relation, of.heads.tolist(), of.tails.tolist(), of.marks.tolist(), told)
                new, others = writing.write_facts(run, columns, origin, self._guess)
                created, altered = created + new, altered + others
            writing.account(run, self._slot, origin, Counted(created, 0, altered))
            return created, altered

        for _ in range(GONE_ATTEMPTS):
            try:
                return self._run(write, divisible=count > LEAST_ROWS)
            except EntityGoneError:
                rows = self._made_again(work, rows)
        raise EntityGoneError

    def _made_again(self, work: _Work, rows: Sequence[Planned]) -> list[Planned]:
        """The same facts, after their ends were merged once more, for some were deleted by others."""
        ids = sorted({*_ends(work.prepared, rows).values()})
        origin = work.batch.origin

        def merge(run: Run) -> writing.Made:
            done = writing.merge_entities(run, work.prepared, ids, {}, origin)
            altered = writing.settle_entities(run, work.prepared, sorted(done.differing), origin)
            writing.account(run, self._slot, origin, Counted(0, done.created, altered))
            return done

        made = self._run(merge)
        work.nodes.update(made.nodes)
        self._known.update(made.nodes)
        again = []
        for of in rows:
            heads, tails = _columns(work.prepared.facts[of.relation], of.places, work.nodes)
            again.append(Planned(of.relation, heads, tails, of.marks, of.places))
        return again

    def _results(self, futures: Sequence[Future[Result]]) -> list[Result]:
        """What they give, in order; the first failure is raised, and the others are told not to go on."""
        for future in wait(futures, return_when=FIRST_EXCEPTION).done:
            if error := future.exception():
                self._stop.set()
                raise error
        return [future.result() for future in futures]

    def _run(self, work: Callable[[Run], Result], *, divisible: bool = False) -> Result:
        with translated(self._url):
            return self._transactions.run(work, patience=PATIENCE, stopped=self._stop.is_set, divisible=divisible)


def tournament(workers: int) -> list[list[list[tuple[int, int]]]]:
    """Rounds of W games of 2 W groups: in each, no group is in two games, and over all, each two meet once.

    A game of the first round has also each of its groups against itself.

    >>> tournament(1)
    [[[(0, 1), (0, 0), (1, 1)]]]
    """
    groups = 2 * workers
    rounds = []
    for number in range(groups - 1):
        games = [[(number, groups - 1)]]
        for step in range(1, workers):
            games.append([((number + step) % (groups - 1), (number - step) % (groups - 1))])
        if number == 0:
            games = [[*game, (game[0][0], game[0][0]), (game[0][1], game[0][1])] for game in games]
        rounds.append(games)
    return rounds


def schedule(
    prepared: Prepared, nodes: Nodes, origin: int, rounds: Sequence[Sequence[Sequence[tuple[int, int]]]]
) -> list[list[list[Planned]]]:
    """The facts of a batch by round and worker, those of each relation ascending by head and tail."""
    most = max(map(len, prepared.facts.values()), default=0)
    if most and most < STATEMENT_ROWS * len(rounds) * len(rounds[0]):
        rounds = tournament(1)
    workers, groups = len(rounds[0]), 2 * len(rounds[0])
    game = np.zeros((groups, groups), np.int64)
    for number, games in enumerate(rounds):
        for worker, played in enumerate(games):
            for one, other in played:
                game[one, other] = game[other, one] = number * workers + worker
    planned: list[list[list[Planned]]] = [[[] for _ in range(workers)] for _ in rounds]
    for relation, pairs in prepared.facts.items():
        heads, tails = _columns(pairs, None, nodes)
        marks = np.minimum(np.array(prepared.fact_lines[relation], np.int64), ORIGIN - 1) + origin * ORIGIN
        games_of = game[heads % groups, tails % groups]
        order = np.lexsort((tails, heads, games_of))
        ends = np.searchsorted(games_of[order], np.arange(len(rounds) * workers + 1))
        for code in np.flatnonzero(np.diff(ends)).tolist():
            chosen = order[ends[code] : ends[code + 1]]
            planned[code // workers][code % workers].append(
                Planned(relation, heads[chosen], tails[chosen], marks[chosen], chosen)
            )
    return [[rows for rows in games if rows] for games in planned]


class _Size:
    """How many rows go into a transaction: more while the rate rises, half when the server can't take it."""

    def __init__(self) -> None:
        self.rows = FIRST_ROWS
        self._lock = threading.Lock()
        self._best = 0.0
        self._most = MOST_ROWS

    def halve(self) -> None:
        with self._lock:
            self.rows = max(LEAST_ROWS, self.rows // 2)
            self._most = max(LEAST_ROWS, self.rows)

    def took(self, rows: int, seconds: float) -> None:
        rate = rows / max(seconds, 1e-6)
        with self._lock:
            if rows >= self.rows and rate > self._best:
                self._best = rate
                self.rows = min(self._most, self.rows * 3 // 2)


def _columns(pairs: Sequence[tuple[str, str]], places: Int64s | None, nodes: Nodes) -> tuple[Int64s, Int64s]:
    """Internal ids of the heads and of the tails."""
    chosen = pairs if places is None else [pairs[int(place)] for place in places]
    node = nodes.__getitem__
    heads = np.fromiter((node(head) for head, _ in chosen), np.int64, len(chosen))
    return heads, np.fromiter((node(tail) for _, tail in chosen), np.int64, len(chosen))


def _ends(prepared: Prepared, rows: Sequence[Planned]) -> dict[int, str]:
    """Ids of the entities that some facts join, by internal id."""
    ends: dict[int, str] = {}
    for of in rows:
        pairs = prepared.facts[of.relation]
        for head, tail, place in zip(of.heads.tolist(), of.tails.tolist(), of.places.tolist(), strict=True):
            ends[head], ends[tail] = pairs[place]
    return ends


def _taken(pending: Sequence[Planned], size: int) -> tuple[list[Planned], list[Planned]]:
    """The first ``size`` facts, and the rest."""
    taken: list[Planned] = []
    for number, rows in enumerate(pending):
        if size >= len(rows.heads):
            taken.append(rows)
            size -= len(rows.heads)
            continue
        if size:
            return [*taken, rows.part(slice(size))], [rows.part(slice(size, None)), *pending[number + 1 :]]
        return taken, [*pending[number:]]
    return taken, []
