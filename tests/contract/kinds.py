"""The kinds of store that the contract suite runs over."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from graph_schema import GraphReader, GraphStore, Schema
from kgqa.stores import EmbeddedStore, Snapshot
from tests.neo4j_container import Neo4jServer


@dataclass(frozen=True)
class Kind:
    """One kind of store.

    Attributes:
        empty: makes an empty, migrated store; closed when the context ends.
        reader: what to read from after a write, brought up to date.
        another: one more connection to the same store.
        examples: how many examples hypothesis tries.
    """

    name: str
    empty: Callable[[], AbstractContextManager[GraphStore]]
    reader: Callable[[GraphStore], GraphReader]
    another: Callable[[GraphStore], GraphStore]
    examples: int


@contextmanager
def empty_file(*, finished: bool = False) -> Iterator[EmbeddedStore]:
    with tempfile.TemporaryDirectory() as folder:
        store = EmbeddedStore(Path(folder) / "graph.db", create=True)
        store.migrate(Schema())
        if finished:
            store.finish()
        with closing(store):
            yield store


def same_file(store: GraphStore) -> EmbeddedStore:
    return EmbeddedStore(Path(store.url.removeprefix("sqlite:///")))


def finished(store: GraphStore) -> GraphReader:
    """Read through the arrays beside the file."""
    store.finish()
    return store


def saved_snapshot(store: GraphStore) -> GraphReader:
    """Read from arrays that went to disk and back."""
    folder = Path(store.url.removeprefix("sqlite:///")).parent / "snapshot"
    Snapshot.build(store).save(folder)
    return Snapshot.open(folder)


def unchanged(store: GraphStore) -> GraphReader:
    return store


EMBEDDED = [
    Kind("embedded", empty_file, finished, same_file, 60),
    Kind("embedded-stale", lambda: empty_file(finished=True), unchanged, same_file, 60),
    Kind("snapshot", empty_file, saved_snapshot, same_file, 60),
]


def neo4j_kind(server: Neo4jServer) -> Kind:
    @contextmanager
    def empty() -> Iterator[GraphStore]:
        server.wipe()
        store = server.store()
        store.migrate(Schema())
        with closing(store):
            yield store

    return Kind("neo4j", empty, unchanged, lambda _: server.store(), 8)
