"""Transactions that outlive what passes: deadlocks with other writers, a lost connection, a restart."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import Any, LiteralString, TypeVar

from neo4j import Query, Record, Session, Transaction
from neo4j.exceptions import ClientError, DriverError, IncompleteCommit, Neo4jError, TransientError

from kgqa.stores.neo4j_write import Run

Result = TypeVar("Result")

WRITE_SECONDS = 600.0  # the server ends a transaction that takes longer
FIRST_PAUSE = 0.02  # seconds before a transaction is repeated; twice as long each time
LONGEST_PAUSE = 2.0
BUSY_SECONDS = 30.0  # others on the same nodes are waited for this long at least


class TooMuchError(Exception):
    """A transaction needs more memory or time than the server gives it; with fewer rows it may do."""


class Transactions:
    """Runs write transactions, each until it is in.

    A transaction may be repeated, even after it was in (when the connection broke at the commit): what is written must
    come out the same, and what is reported as new then is only what the last time found missing.

    Args:
        session: opens a session for writing. count: called for each statement sent.
    """

    def __init__(self, session: Callable[[], Session], count: Callable[[], None]) -> None:
        self._session = session
        self._count = count

    def run(
        self,
        work: Callable[[Run], Result],
        *,
        patience: float,
        stopped: Callable[[], bool] = lambda: False,
        divisible: bool = False,
    ) -> Result:
        """Run ``work`` in one transaction.

        Args:
            patience: seconds in which a passing failure may pass.
            stopped: asked before each repetition; if so, the failure is raised at once.
            divisible: the caller can do with less in a transaction.

        Raises:
            TooMuchError: only if ``divisible``.
            Neo4jError, DriverError, OSError: as the driver raises them.
        """
        began = time.monotonic()
        pause = FIRST_PAUSE
        while True:
            try:
                return self._once(work)
            except (Neo4jError, DriverError, OSError) as error:
                if divisible and too_much(error):
                    raise TooMuchError from error
                waited = time.monotonic() - began
                limit = max(patience, BUSY_SECONDS) if isinstance(error, TransientError) else patience
                if not passing(error) or waited > limit or stopped():
                    raise
            time.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(2 * pause, LONGEST_PAUSE)

    def _once(self, work: Callable[[Run], Result]) -> Result:
        with self._session() as session:
            transaction = session.begin_transaction(timeout=WRITE_SECONDS)
            try:
                result = work(self._runner(transaction))
                transaction.commit()
                return result
            finally:
                transaction.close()

    def _runner(self, transaction: Transaction) -> Run:
        def run(
            query: LiteralString, parameters: Mapping[str, Any] | None = None
        ) -> tuple[list[Record], Mapping[str, int]]:
            self._count()
            result = transaction.run(query, dict(parameters or {}))
            records = list(result)
            return records, vars(result.consume().counters)

        return run


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
        seconds: after which the server ends it. session: opens a session for reading. count, patience: see
            ``Transactions``.

    Raises:
        Neo4jError, DriverError, OSError: as the driver raises them.
    """
    timed = Query(query, timeout=seconds)
    began = time.monotonic()
    pause = FIRST_PAUSE
    while True:
        try:
            with session() as opened:
                count()
                return list(opened.run(timed, dict(parameters or {})))
        except (Neo4jError, DriverError, OSError) as error:
            if not passing(error) or time.monotonic() - began > patience:
                raise
        time.sleep(pause * random.uniform(0.5, 1.5))
        pause = min(2 * pause, LONGEST_PAUSE)


def passing(error: Exception) -> bool:
    """Whether the same may go well in a moment."""
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
