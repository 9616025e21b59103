"""Opening the embedded store's file: connection settings, migrations, and SQLite's errors in our terms."""

from __future__ import annotations

import random
import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from graph_schema.errors import StoreAccessDenied, StoreError, StoreUnavailable, StoreVersionError
from graph_schema.migrations import LATEST
from kgqa.stores import embedded_sql as sql
from kgqa.stores.embedded_log import BROUGHT, INT32, ROW_FACTS

NOT_OURS = "Give the path of a store that `kgqa ingest` has made, or another path to make a new one"


def connect(path: Path, timeout: float, *, create: bool = False, scratch: bool = False) -> sqlite3.Connection:
    """A connection with our settings, to a file that is there (or, with ``create``, may be made).

    Args:
        timeout: seconds to wait for another process's write to end.
        scratch: a scratch store's file, which is no other store's.

    Raises:
        StoreUnavailable: no file there, or it can't be opened.
        StoreVersionError: a file, but not a store of ours, or one of a newer kgqa.
    """
    if path.is_dir():
        raise StoreVersionError("that is a directory, not a store", where=str(path), fix=NOT_OURS)
    if not path.exists():
        if not create:
            raise StoreUnavailable(
                "there is no store at this path",
                where=str(path),
                fix=f"Run `kgqa ingest FILE --store sqlite:///{path}`",
            )
        if not path.parent.is_dir():
            raise StoreUnavailable("the directory doesn't exist", where=str(path.parent), fix="Make it first")
    with translated(path):
        connection = sqlite3.connect(
            path.absolute().as_uri() + ("?mode=rwc" if create else "?mode=rw"),
            uri=True,
            timeout=timeout,
            isolation_level=None,  # transactions are begun and ended where the code says so
            check_same_thread=False,  # the store holds a lock around each use
            cached_statements=256,
        )
        try:
            _check_or_migrate(connection, path, create, scratch)
            _write_ahead(connection, timeout)
            connection.executescript(
                "PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY;"
                "PRAGMA cache_size = -65536; PRAGMA mmap_size = 268435456; PRAGMA wal_autocheckpoint = 32768;"
            )
        except BaseException:
            connection.close()
            raise
        return connection


def _write_ahead(connection: sqlite3.Connection, timeout: float) -> None:
    """Have the file's changes written ahead: two that switch a new file at once would wait for each other, so SQLite
    refuses one of them without waiting, which then tries again."""
    until = time.monotonic() + timeout
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(random.uniform(0.001, 0.01))
        else:
            return


def _check_or_migrate(connection: sqlite3.Connection, path: Path, create: bool, scratch: bool) -> None:
    wanted = sql.SCRATCH_ID if scratch else sql.APPLICATION_ID
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    ours = connection.execute("PRAGMA application_id").fetchone()[0] == wanted
    if not ours and (tables or not create):
        raise StoreVersionError("that file is not a kgqa store", where=str(path), fix=NOT_OURS)
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > LATEST:
        raise StoreVersionError(
            f"the store was made by a newer kgqa (its format is {version}, this one knows {LATEST})",
            where=str(path),
            fix="Upgrade kgqa",
        )
    if version < LATEST:
        migrate(connection, scratch=scratch)


def migrate(connection: sqlite3.Connection, *, scratch: bool = False) -> None:
    """Apply the migrations that the file hasn't got, all in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]  # another process may have been faster
        for number in range(version + 1, LATEST + 1):
            for statement in _statements(sql.MIGRATIONS[number]):
                connection.execute(statement)
        if version < 2:
            _facts_into_the_log(connection)
        if version == 0:
            connection.execute(sql.SET_META, ("changes", 0))
            connection.execute(sql.SET_META, ("source", secrets.token_hex(8)))
            for statement in _statements(sql.SCRATCH) if scratch else ():
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {sql.SCRATCH_ID if scratch else sql.APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {LATEST}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _facts_into_the_log(connection: sqlite3.Connection) -> None:
    """The second half of migration 2: rows of facts become rows of the log, of origin 0."""
    rows = connection.execute(sql.OLD_FACTS)
    while part := rows.fetchmany(ROW_FACTS):
        columns = (np.fromiter(column, INT32, len(part)).tobytes() for column in zip(*part, strict=True))
        connection.execute(sql.ADD_LOG, (BROUGHT, 0, *columns, b""))
    for statement in sql.AFTER_2:
        connection.execute(statement)
    for key, query in (("last_entity", sql.MAX_ENTITY), ("last_name", sql.MAX_NAME), ("likeness", sql.MAX_NAME)):
        connection.execute(sql.SET_META, (key, connection.execute(query).fetchone()[0]))


def _statements(script: str) -> Iterator[str]:
    """``executescript`` would commit the transaction it is in, so statements are told apart here."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """SQLite's errors as ours."""
    try:
        yield
    except sqlite3.Error as error:
        raise _translation(error, path) from error


_READ_ONLY = (StoreAccessDenied, "the store can't be written to", "Check the file's permissions")
_BUSY = (StoreUnavailable, "another process is writing to the store", "Wait for it to end, or stop it, and try again")
_MEANINGS: dict[int, tuple[type[StoreError], str, str]] = {
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_NOTADB: (StoreVersionError, "that file is not a kgqa store", NOT_OURS),
    sqlite3.SQLITE_CORRUPT: (StoreError, "the store's file is damaged", "Load it again with `kgqa ingest`"),
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_PERM: _READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: (StoreUnavailable, "the store can't be opened", "Check the path and its permissions"),
    sqlite3.SQLITE_FULL: (StoreUnavailable, "the disk is full", "Free some space and run the load again"),
}


def _translation(error: sqlite3.Error, path: Path) -> StoreError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the kind, the rest its details
    kind, what, fix = _MEANINGS.get(code, (StoreError, f"SQLite says: {error}", ""))
    return kind(what, where=str(path), fix=fix)
