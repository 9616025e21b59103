"""Graph stores behind the ports of ``graph_schema.ports``, chosen by URL."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from graph_schema.errors import ConfigError
from graph_schema.ports import GraphStore
from kgqa.stores.embedded import EmbeddedStore
from kgqa.stores.following import FollowingSnapshot
from kgqa.stores.snapshot import Snapshot

__all__ = [
    "NEO4J_SCHEMES",
    "EmbeddedStore",
    "FollowingSnapshot",
    "Snapshot",
    "is_there",
    "open_store",
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
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigError("the store's URL is malformed", where=shown, fix=f"Use {KINDS}") from error
    if parts.scheme == "sqlite":
        return EmbeddedStore(_sqlite_path(url, shown), create=create, timeout=timeout)
    if parts.scheme in NEO4J_SCHEMES:
        if not parts.hostname or parts.path not in ("", "/"):
            raise ConfigError("the store's URL must name a host, and no path", where=shown, fix=f"Use {KINDS}")
        from kgqa.stores.neo4j_store import Neo4jStore  # noqa: PLC0415  the driver takes 0.3 s to import

        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return Neo4jStore(
            f"{parts.scheme}://{host}:{port or 7687}",
            user=user or (unquote(parts.username) if parts.username else None),
            password=password or (unquote(parts.password) if parts.password else None),
            database=_database(parts, shown),
            timeout=timeout,
        )
    raise ConfigError("that is no store URL of a known kind", where=shown or "store", fix=f"Use {KINDS}")


def is_there(url: str) -> bool:
    """Whether there is a store to open: of an embedded one, its file; others are taken to be there."""
    return not url.startswith("sqlite:") or _sqlite_path(url, without_password(url)).exists()


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
