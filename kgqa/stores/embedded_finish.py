"""The index of similar names is brought up to date while the arrays are made, by a thread and connection of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event

from kgqa.stores.embedded_file import connect
from kgqa.stores.embedded_names import index_likeness, new_names

PAUSE = 0.02  # seconds between two writes, for others that wait to write


@contextmanager
def indexing_names(connection: sqlite3.Connection, path: Path, timeout: float) -> Iterator[None]:
    """Index the names of a store's file meanwhile; they all are when it is left, unless something else failed.

    Args:
        timeout: seconds to wait for another process's write to end.
    """
    through, last = new_names(connection)
    if through == last:
        yield
        return
    stop = Event()
    with ThreadPoolExecutor(1, "kgqa-names") as pool:
        indexed = pool.submit(_index_names, path, timeout, stop)
        try:
            yield
            while not indexed.done():  # waited for in steps, so that Ctrl-C is heard
                wait([indexed], PAUSE)
        finally:
            stop.set()
    indexed.result()


def _index_names(path: Path, timeout: float, stop: Event) -> None:
    with closing(connect(path, timeout)) as connection:
        # It needs few pages twice, and the arrays need the memory.
        connection.executescript("PRAGMA cache_size = -16384; PRAGMA mmap_size = 0;")
        more = True
        while more and not stop.is_set():
            connection.execute("BEGIN IMMEDIATE")
            more = index_likeness(connection)
            connection.execute("COMMIT")
            if more:
                stop.wait(PAUSE)
