"""The index's file: opened, made, and told from what isn't one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from graph_schema.errors import StoreAccessDenied, StoreError, StoreUnavailable, StoreVersionError
from kgqa.names import sql

MEMORY = Path(":memory:")
CACHE_KIB = 32_768


def connect(path: Path, timeout: float) -> sqlite3.Connection:
    """A connection to the index at ``path``, which is made if it isn't there; ``MEMORY``: in memory only.

    Raises:
        StoreUnavailable, StoreAccessDenied: it can't be opened or made. StoreVersionError: something else is there, or
        an index that another version of kgqa has made.
    """
    with translated(path):
        connection = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
        try:
            connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            if not connection.execute("PRAGMA application_id").fetchone()[0]:
                _make(connection, path)
            _check(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def _make(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("BEGIN IMMEDIATE")  # two processes may come upon no index at once
    if not connection.execute("PRAGMA application_id").fetchone()[0]:
        if connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            raise StoreVersionError("this is no index of names", where=str(path), fix="Give another file")
        for statement in sql.SCHEMA:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {sql.APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {sql.VERSION}")
    connection.execute("COMMIT")


def _check(connection: sqlite3.Connection, path: Path) -> None:
    if connection.execute("PRAGMA application_id").fetchone()[0] != sql.APPLICATION_ID:
        raise StoreVersionError("this is no index of names", where=str(path), fix="Give another file")
    if connection.execute("PRAGMA user_version").fetchone()[0] != sql.VERSION:
        raise StoreVersionError(
            "the index of names was made by another version of kgqa", where=str(path), fix="Delete it: it is made again"
        )


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """SQLite's errors as ours."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorname", "")
        if code in ("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH"):
            raise StoreAccessDenied("the index of names can't be written", where=str(path)) from error
        if code in ("SQLITE_NOTADB", "SQLITE_CORRUPT"):
            raise StoreVersionError(
                "this is no index of names", where=str(path), fix="Give another file, or delete it"
            ) from error
        if code.startswith(("SQLITE_CANTOPEN", "SQLITE_BUSY", "SQLITE_IOERR", "SQLITE_FULL")):
            raise StoreUnavailable(f"the index of names can't be used: {error}", where=str(path)) from error
        raise StoreError(f"the index of names failed: {error}", where=str(path)) from error
