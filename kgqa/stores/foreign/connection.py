"""A connection that only reads: every query is one trip in read access mode, with a time limit on the server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, LiteralString

from neo4j import READ_ACCESS, GraphDatabase, Record, Session

from graph_schema.errors import StoreUnavailable
from kgqa.stores.neo4j_errors import translated
from kgqa.stores.neo4j_transactions import STREAM_ROWS, rows_of, stream_of
from kgqa.stores.neo4j_waiting import MARGIN

QUERY_SECONDS = 30.0  # the server ends a query that takes longer
STREAM_SECONDS = 3_600.0  # ... a stream of a whole graph


class Connection:
    """Reads from a Neo4j database. Safe to share between threads.

    Args:
        url: neo4j://, neo4j+s://, bolt:// ...; without user, password and query.
        database: name of the database; the user's home database if None.
        timeout: seconds to wait for a connection, and to repeat a query that met a passing failure.
        seconds: after which the server ends a query; somewhat later, one that doesn't answer is given up.

    Attributes:
        url: with the database, without user and password. round_trips: queries sent so far.
        mark: what the last answer was as of: it is the same again only if nothing was committed in between.
    """

    def __init__(
        self,
        url: str,
        *,
        user: str | None = None,
        password: str | None = None,
        database: str | None = None,
        timeout: float = 5.0,
        seconds: float = QUERY_SECONDS,
    ) -> None:
        self.url = url + (f"?database={database}" if database else "")
        self.round_trips = 0
        self.mark = ""
        self._database = database
        self._timeout = timeout
        self._seconds = seconds
        self._closed = False
        with translated(self.url):
            self._driver = GraphDatabase.driver(
                url,
                auth=(user or "neo4j", password or "") if user or password else None,
                connection_timeout=timeout,
                connection_acquisition_timeout=2 * timeout,
                max_transaction_retry_time=timeout,
                notifications_min_severity="OFF",
                keep_alive=True,
            )

    def rows(self, query: LiteralString, **given: Any) -> list[Record]:
        """The answer to one query; what it is given is the map ``$given``, see ``stores.cypher``.

        Raises:
            StoreUnavailable, StoreAccessDenied, StoreError: as the driver's error means.
        """
        opened: list[Session] = []

        def session() -> Session:
            opened.append(self._session())
            return opened[-1]

        with translated(self.url):
            found = rows_of(query, {"given": given}, self._seconds, session, self._count, patience=self._timeout)
            self.mark = "|".join(sorted(opened[-1].last_bookmarks().raw_values))
            return found

    def one(self, query: LiteralString, **given: Any) -> Record:
        """The only record of an answer."""
        return self.rows(query, **given)[0]

    def touch(self) -> None:
        """Ask for nothing, so that ``mark`` is as of now."""
        self.rows("RETURN 1 AS one")

    def stream(self, query: LiteralString, given: Mapping[str, Any] | None = None) -> Iterator[Record]:
        """A long answer, as it comes; a server that says nothing for as long as a query may take is given up."""
        self._count()
        with translated(self.url):
            parameters = {"given": dict(given or {})}
            yield from stream_of(
                query,
                parameters,
                STREAM_SECONDS,
                lambda: self._session(STREAM_ROWS),
                silence=self._seconds + MARGIN,
            )

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._driver.close()

    def _session(self, fetch_size: int = -1) -> Session:
        if self._closed:
            raise StoreUnavailable("the store was closed", where=self.url)
        return self._driver.session(database=self._database, default_access_mode=READ_ACCESS, fetch_size=fetch_size)

    def _count(self) -> None:
        self.round_trips += 1
