"""Graph stores behind the ports of ``graph_schema.ports``, chosen by URL."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from graph_schema.errors import ConfigError, StoreVersionError
from graph_schema.ports import GraphReader, GraphStore
from graph_schema.schema import Schema
from kgqa.stores.embedded import EmbeddedStore
from kgqa.stores.following import FollowingSnapshot
from kgqa.stores.snapshot import Snapshot

if TYPE_CHECKING:
    from kgqa.stores.foreign.connection import Connection

__all__ = [
    "NEO4J_SCHEMES",
    "EmbeddedStore",
    "FollowingSnapshot",
    "Snapshot",
    "files_of",
    "is_there",
    "open_connection",
    "open_reader",
    "open_store",
    "refuse_foreign",
    "without_password",
]

NEO4J_SCHEMES = ("neo4j", "neo4j+s", "neo4j+ssc", "bolt", "bolt+s", "bolt+ssc")
KINDS = (
    "sqlite:///FILE (an absolute path has four slashes) or neo4j://HOST:PORT (also neo4j+s, neo4j+ssc, bolt, bolt+s)"
)


def open_store(
    url: str,
    *,
    create: bool = False,
    user: str | None = None,
    password: str | None = None,
    timeout: float = 5.0,
) -> GraphStore:
    """Open the store at a URL: ``sqlite:///films.db``, ``neo4j://host:7687?database=films`` and the like.

    Args:
        create: make an embedded store that isn't there yet; of no meaning to Neo4j.
        user, password: for Neo4j; they win over those in the URL.
        timeout: seconds to wait for a connection, or for another process's write to end.

    Raises:
        ConfigError: the URL is of no known kind, or malformed.
        StoreUnavailable: no store there, or it doesn't answer.
        StoreAccessDenied: user or password refused.
        StoreVersionError: something else is there, or a newer kgqa's store.
    """
    shown = without_password(url)
    parts = _split(url, shown)
    if parts.scheme == "sqlite":
        return EmbeddedStore(_sqlite_path(url, shown), create=create, timeout=timeout)
    address = _neo4j(parts, shown, user, password)
    from kgqa.stores.neo4j_store import Neo4jStore  # noqa: PLC0415  the driver takes 0.3 s to import

    return Neo4jStore(
        address.url, user=address.user, password=address.password, database=address.database, timeout=timeout
    )


def open_connection(
    url: str, *, user: str | None = None, password: str | None = None, timeout: float = 5.0
) -> Connection:
    """A connection that only reads, to a Neo4j database that somebody else modelled; nothing is asked of it yet.

    Raises:
        ConfigError: the URL is none of Neo4j, or malformed.
    """
    shown = without_password(url)
    parts = _split(url, shown)
    if parts.scheme not in NEO4J_SCHEMES:
        raise ConfigError(
            "only a Neo4j database can be connected to", where=shown or "store", fix="Use neo4j://HOST:PORT"
        )
    address = _neo4j(parts, shown, user, password)
    from kgqa.stores.foreign.connection import Connection  # noqa: PLC0415  the driver takes 0.3 s to import

    return Connection(
        address.url, user=address.user, password=address.password, database=address.database, timeout=timeout
    )


def open_reader(
    url: str,
    schema_file: Path | None = None,
    *,
    user: str | None = None,
    password: str | None = None,
    timeout: float = 5.0,
) -> GraphReader:
    """What questions are asked of: the store at a URL, or with a schema file a database that somebody else modelled.

    Raises:
        SchemaError: the file is no schema that ``kgqa connect`` wrote, or names what the database doesn't have.
        StoreVersionError: somebody else modelled the database, and there is no schema file.
        ConfigError, StoreUnavailable, StoreAccessDenied: see ``open_store``.
    """
    if schema_file is None:
        store = open_store(url, user=user, password=password, timeout=timeout)
        try:
            refuse_foreign(store, url)
        except BaseException:
            store.close()
            raise
        return store
    schema = Schema.load(schema_file)
    connection = open_connection(url, user=user, password=password, timeout=timeout)
    from kgqa.stores.foreign.reader import ForeignReader  # noqa: PLC0415  the driver takes 0.3 s to import

    try:
        return ForeignReader(connection, schema, where=str(schema_file))
    except BaseException:
        connection.close()
        raise


def refuse_foreign(store: GraphStore, url: str) -> None:
    """Raises:
    StoreVersionError: somebody else modelled this database, and only a schema file can say how it is read.
    """
    if getattr(store, "is_foreign", bool)():
        raise StoreVersionError(
            "kgqa didn't load this database, so it must be told how it lies",
            where=without_password(url),
            fix=f"Write a schema of it with kgqa connect {quote(without_password(url))} --out FILE, then ask with "
            "--schema FILE",
        )


def is_there(url: str) -> bool:
    """Whether there is a store to open: of an embedded one, its file; others are taken to be there."""
    return not url.startswith("sqlite:") or _sqlite_path(url, without_password(url)).exists()


def files_of(url: str) -> tuple[Path, ...]:
    """An embedded store's file and what kgqa and SQLite keep beside it, there or not; nothing of other stores."""
    if not url.startswith("sqlite:"):
        return ()
    path = _sqlite_path(url, without_password(url))
    own = (".csr", ".names", ".names-journal", ".names-wal", ".names-shm", "-journal", "-wal", "-shm")
    return (path, *(path.with_name(path.name + end) for end in own))


def without_password(url: str) -> str:
    """The URL as it may be shown: user and password left out."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme == "sqlite":
        return url
    return f"{scheme}://{rest.rpartition('@')[2]}"


def _sqlite_path(url: str, shown: str) -> Path:
    path = unquote(url.removeprefix("sqlite:///"))
    if not url.startswith("sqlite:///") or not path or "\0" in path:
        raise ConfigError("the store's URL must name a file", where=shown, fix="Use sqlite:///films.db")
    return Path(path)


def _database(parts: SplitResult, shown: str) -> str | None:
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(query.keys() - {"database"})
    if unknown:
        raise ConfigError(f"unknown in the store's URL: {', '.join(unknown)}", where=shown, fix="Use ?database=NAME")
    return query.get("database") or None


@dataclass(frozen=True, slots=True)
class _Address:
    """Where a Neo4j is, and as whom to ask it; ``url`` has neither user nor database."""

    url: str
    user: str | None
    password: str | None
    database: str | None


def _split(url: str, shown: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        if "@" in url:
            raise _unencoded(url) from error
        raise ConfigError("the store's URL is malformed", where=shown, fix=f"Use {KINDS}") from error
    return parts


def _unencoded(url: str) -> ConfigError:
    """A /, ? or # in the password has ended the address; no part of it may be shown."""
    return ConfigError(
        "in the store's URL, user and password must be percent-encoded: %2F for /, %3F for ?, %23 for #, %40 for @",
        where=f"{url.partition('://')[0]}://",
        fix="Or give them as KGQA_USER and KGQA_PASSWORD, as they are",
    )


def _neo4j(parts: SplitResult, shown: str, user: str | None, password: str | None) -> _Address:
    if parts.scheme not in NEO4J_SCHEMES:
        raise ConfigError("that is no store URL of a known kind", where=shown or "store", fix=f"Use {KINDS}")
    if "@" in parts.path + parts.query + parts.fragment or parts.fragment:
        raise _unencoded(parts.geturl())
    if not parts.hostname or parts.path not in ("", "/"):
        raise ConfigError("the store's URL must name a host, and no path", where=shown, fix=f"Use {KINDS}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return _Address(
        f"{parts.scheme}://{host}:{parts.port or 7687}",
        user or (unquote(parts.username) if parts.username else None),
        password or (unquote(parts.password) if parts.password else None),
        _database(parts, shown),
    )
