"""Transactions that outlive what passes: deadlocks with other writers, a lost connection, a restart."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import Any, LiteralString, TypeVar

from neo4j import Query, Record, Session, Transaction
from neo4j.exceptions import ClientError, DriverError, IncompleteCommit, Neo4jError, TransientError

from kgqa.stores.neo4j_waiting import MARGIN, SilentError, answered
from kgqa.stores.neo4j_write import Run

Result = TypeVar("Result")

WRITE_SECONDS = 600.0  # the server ends a transaction that takes longer
FIRST_PAUSE = 0.02  # seconds before a transaction is repeated; twice as long each time
LONGEST_PAUSE = 2.0
BUSY_SECONDS = 30.0  # others on the same nodes are waited for this long at least
FIRST_ROWS = 10_000  # of a transaction, until it is known how many are best
MOST_ROWS = 100_000
LEAST_ROWS = 500
STREAM_ROWS = 5_000  # of a stream, fetched at a time


class TooMuchError(Exception):
    """A transaction needs more memory or time than the server gives it; with fewer rows it may do."""


class HeldLostError(Exception):
    """The transaction that was held open was lost meanwhile, so that internal ids may be another node's now."""


class Transactions:
    """Runs write transactions, each until it is in.

    A transaction may be repeated, even after it was in (when the connection broke at the commit): what is written must
    come out the same, and what is reported as new then is only what the last time found missing.

    Args:
        session: opens a session for writing, with settings to be changed. count: called for each statement sent.
    """

    def __init__(self, session: Callable[..., Session], count: Callable[[], None]) -> None:
        self._session = session
        self._count = count

    def run(
        self,
        work: Callable[[Run], Result],
        *,
        patience: float,
        stopped: Callable[[], bool] = lambda: False,
        divisible: bool = False,
        before_commit: Callable[[str], None] | None = None,
        causal: bool = True,
    ) -> Result:
        """Run ``work`` in one transaction.

        Args:
            patience: seconds in which a passing failure may pass.
            stopped: asked before each repetition; if so, the failure is raised at once.
            divisible: the caller can do with less in a transaction.
            before_commit: called with the server's address; if it raises, nothing is written.
            causal: it sees what came before, whichever server it runs on, and who reads next sees it. For that it waits
                until the server has finished with all that was committed meanwhile.

        Raises:
            TooMuchError: only if ``divisible``.
            Neo4jError, DriverError, OSError: as the driver raises them.
        """
        return _until_in(lambda: self._once(work, before_commit, causal=causal), patience, stopped, divisible=divisible)

    def held(self) -> Held:
        """A transaction that can be held open beside the others."""
        return Held(self._session, self._count)

    def _once(
        self,
        work: Callable[[Run], Result],
        before_commit: Callable[[str], None] | None = None,
        *,
        causal: bool = True,
    ) -> Result:
        with self._session() if causal else self._session(bookmark_manager=None) as session:
            transaction = session.begin_transaction(timeout=WRITE_SECONDS)
            try:
                server = [""]
                result = work(self._runner(transaction, server))
                if before_commit is not None:
                    before_commit(server[0])
                transaction.commit()
                return result
            finally:
                transaction.close()

    def _runner(self, transaction: Transaction, server: list[str]) -> Run:
        def run(
            query: LiteralString, parameters: Mapping[str, Any] | None = None
        ) -> tuple[list[Record], Mapping[str, int]]:
            self._count()
            result = transaction.run(query, dict(parameters or {}))
            records = list(result)
            summary = result.consume()
            server[0] = str(summary.server.address)
            return records, vars(summary.counters)

        return run


class Held:
    """A transaction that is held open, so that internal ids mean what they meant.

    Neo4j gives the internal id of a deleted node away again only when every transaction has ended that was open when it
    was deleted. So while this one is open, an id that was learnt since it began is that of the same node, or of none.
    It may be lost at any time, with its connection or its server: what relies on it asks ``holds`` before it commits.
    Safe to share between threads.
    """

    def __init__(self, session: Callable[..., Session], count: Callable[[], None]) -> None:
        self._new_session = session
        self._count = count
        self._open: tuple[Session, Transaction] | None = None
        self._number = 0
        self._lock = threading.Lock()

    def begin(self, *, patience: float, stopped: Callable[[], bool]) -> int:
        """Hold one, unless one is held; returns its number. Failures that pass are waited for as in ``run``."""
        return _until_in(self._begin, patience, stopped)

    def holds(self, number: int, server: str) -> bool:
        """Whether the transaction of that number has been open all the time, on that server."""
        with self._lock:
            if number != self._number or self._open is None:
                return False
            try:
                if self._ask() == server:
                    return True
            except (Neo4jError, DriverError, OSError):
                pass
            self._end()
            return False

    def close(self) -> None:
        """Hold none."""
        with self._lock:
            self._end()

    def _begin(self) -> int:
        with self._lock:
            if self._open is None:
                session = self._new_session(bookmark_manager=None)
                try:
                    self._open = session, session.begin_transaction(timeout=0)
                    self._number += 1
                    self._ask()  # it may have been put off until there is something to do
                except BaseException:
                    self._end()
                    session.close()
                    raise
            return self._number

    def _ask(self) -> str:
        if self._open is None:
            raise ValueError("no transaction is held")
        self._count()
        return str(self._open[1].run("RETURN 1 AS one").consume().server.address)

    def _end(self) -> None:
        if self._open is not None:
            session, transaction = self._open
            self._open = None
            for held in (transaction, session):
                with suppress(Neo4jError, DriverError, OSError):  # it may have been lost before
                    held.close()


class Size:
    """How many rows go into a transaction: more while the rate rises, half when the server can't take it."""

    def __init__(self) -> None:
        self.rows = FIRST_ROWS
        self._lock = threading.Lock()
        self._best = 0.0
        self._most = MOST_ROWS

    @staticmethod
    def divisible(rows: int) -> bool:
        """Whether so many may be written by two transactions."""
        return rows > LEAST_ROWS

    def halve(self) -> None:
        """The server couldn't take so many."""
        with self._lock:
            self.rows = max(LEAST_ROWS, self.rows // 2)
            self._most = max(LEAST_ROWS, self.rows)

    def took(self, rows: int, seconds: float) -> None:
        """So many went in."""
        rate = rows / max(seconds, 1e-6)
        with self._lock:
            if rows >= self.rows and rate > self._best:
                self._best = rate
                self.rows = min(self._most, self.rows * 3 // 2)


def _until_in(
    attempt: Callable[[], Result], patience: float, stopped: Callable[[], bool], *, divisible: bool = False
) -> Result:
    """What an attempt gives, repeated while its failures may pass; arguments and errors are those of ``run``."""
    began = time.monotonic()
    pause = FIRST_PAUSE
    while True:
        try:
            return attempt()
        except (Neo4jError, DriverError, OSError) as error:
            if divisible and too_much(error):
                raise TooMuchError from error
            waited = time.monotonic() - began
            limit = max(patience, BUSY_SECONDS) if isinstance(error, TransientError) else patience
            if not passing(error) or waited > limit or stopped():
                raise
        time.sleep(pause * random.uniform(0.5, 1.5))
        pause = min(2 * pause, LONGEST_PAUSE)


def rows_of(
    query: LiteralString,
    parameters: Mapping[str, Any] | None,
    seconds: float,
    session: Callable[[], Session],
    count: Callable[[], None],
    *,
    patience: float,
) -> list[Record]:
    """One query in a read transaction that the server opens and ends with it: one trip over the network.

    A managed transaction (``execute_read``) takes three. Like one, this is repeated while a passing failure may pass.

    Args:
        seconds: after which the server ends it; a server that hasn't answered somewhat later is given up.
        session: opens a session for reading. count, patience: see ``Transactions``.

    Raises:
        SilentError: no answer. Neo4jError, DriverError, OSError: as the driver raises them.
    """
    timed = Query(query, timeout=seconds)

    def once() -> list[Record]:
        with session() as opened:
            count()
            return list(opened.run(timed, dict(parameters or {})))

    began = time.monotonic()
    pause = FIRST_PAUSE
    while True:
        try:
            return answered(once, seconds + MARGIN)
        except (Neo4jError, DriverError, OSError) as error:
            if not passing(error) or time.monotonic() - began > patience:
                raise
        time.sleep(pause * random.uniform(0.5, 1.5))
        pause = min(2 * pause, LONGEST_PAUSE)


def stream_of(
    query: LiteralString,
    parameters: Mapping[str, Any] | None,
    seconds: float | None,
    session: Callable[[], Session],
    *,
    silence: float,
) -> Iterator[Record]:
    """A long answer, as it comes, in a transaction of its own.

    Args:
        seconds: after which the server ends it; None: as it is set up. session: see ``rows_of``. silence: seconds
            without a further row, after which the server is given up.

    Raises:
        SilentError: it was given up. Neo4jError, DriverError, OSError: as the driver raises them.
    """
    opened = session()
    given_up = False

    def begun() -> Iterator[Record]:
        return iter(opened.begin_transaction(timeout=seconds).run(query, dict(parameters or {})))

    try:
        try:
            result = answered(begun, silence, opened.close)
            while rows := answered(lambda: list(islice(result, STREAM_ROWS)), silence, opened.close):
                yield from rows
        except (SilentError, KeyboardInterrupt):
            given_up = True
            raise
    finally:
        if not given_up:
            answered(opened.close, silence)


def passing(error: Exception) -> bool:
    """Whether the same may go well in a moment."""
    if isinstance(error, SilentError):
        return False
    if isinstance(error, (Neo4jError, DriverError)) and error.is_retryable():
        return True
    if isinstance(error, IncompleteCommit):  # it may be in; then the next time finds it there
        return True
    if isinstance(error, ClientError):  # a node that somebody deletes while it is being joined
        return "EntityNotFound" in (error.code or "")
    return isinstance(error, OSError)


def too_much(error: Exception) -> bool:
    """Whether the server ran out of memory or time over a transaction."""
    code = (error.code or "") if isinstance(error, Neo4jError) else ""
    return "OutOfMemory" in code or "TransactionTimedOut" in code
