"""The Neo4j driver's errors in our terms. No message ever holds a password: the URL shown has none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from neo4j import exceptions

from graph_schema.errors import ConfigError, KgqaError, StoreAccessDenied, StoreError, StoreUnavailable
from kgqa.stores.neo4j_waiting import SilentError

HANGS = "See in its log whether it hangs or has too much to do, or whether something on the way drops what is sent"
LOGIN = "Check both: --user and --password, or better KGQA_USER and KGQA_PASSWORD"
START_IT = "Start it, or check host and port; if it was just started, wait until it is up"


@contextmanager
def translated(url: str) -> Iterator[None]:
    """The driver's errors as ours; ``url`` is said in the message."""
    try:
        yield
    except (exceptions.Neo4jError, exceptions.DriverError, OSError) as error:
        raise translation(error, url) from error


def translation(error: Exception, url: str) -> KgqaError:
    """What an error of the driver means to whom runs kgqa."""
    code = (error.code or "") if isinstance(error, exceptions.Neo4jError) else ""
    said = " ".join(str(getattr(error, "message", None) or error).split())
    kind: type[KgqaError] = StoreError
    what, fix = f"Neo4j says: {said}", ""
    if isinstance(error, exceptions.Forbidden):
        kind, what, fix = StoreAccessDenied, f"the user may not do this: {said}", "Ask for the rights"
    elif isinstance(error, exceptions.AuthError) or code.startswith("Neo.ClientError.Security."):
        kind, what, fix = StoreAccessDenied, "Neo4j refused the user or the password", LOGIN
    elif code == "Neo.ClientError.Database.DatabaseNotFound":
        what, fix = "the server has no database of this name", "Check ?database=NAME, or create it"
        kind = StoreUnavailable
    elif "TransactionTimedOut" in code:
        kind, what, fix = StoreUnavailable, "Neo4j ended a query that took too long", "Try again with less load"
    elif isinstance(error, (exceptions.ConfigurationError, exceptions.UnsupportedServerProduct)):
        kind, what = ConfigError, f"the Neo4j driver refused the settings: {said}"
    elif isinstance(error, exceptions.TransientError):
        kind, what, fix = StoreUnavailable, f"Neo4j can't take this now: {said}", "Wait a moment and try again"
    elif isinstance(error, SilentError):
        kind, what, fix = StoreUnavailable, f"Neo4j is connected but hasn't answered for {error.seconds:g} s", HANGS
    elif isinstance(error, (exceptions.DriverError, OSError)):
        kind, what, fix = StoreUnavailable, "no Neo4j answers", START_IT
    return kind(what, where=url, fix=fix)
