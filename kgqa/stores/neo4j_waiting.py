"""Waiting for Neo4j no longer than was said, even where it hangs and the connection stays open.

The driver waits for an answer as long as the connection is there, or as long as the server once told it to (two
minutes); and after Ctrl-C it waits as long again, for it asks the server to stop first. So what waits for the network
is a thread of its own. One that is given up ends when the connection does, at the latest with the process, which
doesn't wait for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")

MARGIN = 5.0  # seconds longer than the server has for a query


class SilentError(TimeoutError):
    """The server hasn't answered in ``seconds``, nor was the connection closed."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no answer within {seconds:g} s")
        self.seconds = seconds


def answered(work: Callable[[], Result], seconds: float, abandoned: Callable[[], Any] = lambda: None) -> Result:
    """What ``work`` gives, if it does in time; Ctrl-C is heard at once.

    Args:
        seconds: how long it may take. abandoned: called where ``work`` ends after nobody waits for it any more.

    Raises:
        SilentError: it took longer; it goes on by itself.
        Exception: what ``work`` raises.
    """
    job: _Job[Result] = _Job(work, abandoned)
    try:
        worker = _IDLE.pop()
    except IndexError:
        worker = _Worker()
    worker.jobs.put(job)
    return job.result(seconds)


class _Worker:
    """A thread that does one job after another: a new one for each query would cost a millisecond."""

    def __init__(self) -> None:
        self.jobs: SimpleQueue[_Job[Any]] = SimpleQueue()
        threading.Thread(target=self._work, name="neo4j", daemon=True).start()

    def _work(self) -> None:
        while True:
            self.jobs.get().run()
            _IDLE.append(self)


_IDLE: list[_Worker] = []


class _Job(Generic[Result]):
    """Done by one thread, waited for by another."""

    def __init__(self, work: Callable[[], Result], abandoned: Callable[[], Any]) -> None:
        self._work = work
        self._abandoned = abandoned
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._alone = False
        self._given: list[Result] = []
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._given.append(self._work())
        except BaseException as error:  # noqa: BLE001  it is raised where it is waited for
            self._error = error
        with self._lock:
            self._done.set()
            alone = self._alone
        if alone:
            self._close()

    def result(self, seconds: float) -> Result:
        try:
            if not self._done.wait(seconds):
                raise SilentError(seconds)
        except BaseException:
            self._leave()
            raise
        if self._error is not None:
            raise self._error
        return self._given[0]

    def _leave(self) -> None:
        with self._lock:
            self._alone = True
            done = self._done.is_set()
        if done:  # just now
            threading.Thread(target=self._close, name="neo4j", daemon=True).start()

    def _close(self) -> None:
        with suppress(Exception):
            self._abandoned()
