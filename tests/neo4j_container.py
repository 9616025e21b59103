"""One real Neo4j, in a container, for the whole test run. Import the fixture ``neo4j_server`` into a conftest."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import neo4j
import pytest
from testcontainers.community.neo4j import Neo4jContainer

from kgqa.stores.neo4j_store import Neo4jStore

IMAGE = os.environ.get("KGQA_NEO4J_IMAGE", "neo4j:5.26-community")
USER, PASSWORD = "neo4j", "a-password-of-tests"


@dataclass
class Neo4jServer:
    """A running server, reachable by bolt:// and neo4j:// alike, on a port that stays the same over a restart."""

    container: Neo4jContainer
    port: int

    @property
    def url(self) -> str:
        return f"bolt://localhost:{self.port}"

    def store(self, url: str | None = None, timeout: float = 5.0) -> Neo4jStore:
        """A new connection to it."""
        return Neo4jStore(url or self.url, user=USER, password=PASSWORD, timeout=timeout)

    def run(self, query: str, **parameters: object) -> list[list[object]]:
        """Run one statement past the store."""
        with neo4j.GraphDatabase.driver(self.url, auth=(USER, PASSWORD)) as driver, driver.session() as session:
            return [record.values() for record in session.run(query, parameters)]

    def wait(self, seconds: float = 120) -> None:
        """Until it answers again, after a restart."""
        until = time.monotonic() + seconds
        while True:
            try:
                self.run("RETURN 1")
                return
            except neo4j.exceptions.DriverError:
                assert time.monotonic() < until, "the server doesn't come back"
                time.sleep(0.2)

    def wipe(self) -> None:
        """Take all nodes out; constraints and indexes stay."""
        self.run("MATCH (n) CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 20000 ROWS")


class _Shared:
    """Conftests of several folders import the fixture, and share one container by this."""

    server: Neo4jServer | None = None
    users = 0


@pytest.fixture(scope="session")
def neo4j_server() -> Iterator[Neo4jServer]:
    """The server; started on first use, stopped at the end of the run. A test that uses it is marked ``neo4j``."""
    if _Shared.server is None:
        _Shared.server = _start()
    _Shared.users += 1
    yield _Shared.server
    _Shared.users -= 1
    if _Shared.users == 0:
        _Shared.server.container.stop()
        _Shared.server = None


@contextmanager
def started(volume: str) -> Iterator[Neo4jServer]:
    """One more server, for as long as the context lasts, on the data in a volume."""
    server = _start(volume)
    try:
        yield server
    finally:
        server.container.stop()


def _start(volume: str = "") -> Neo4jServer:
    port = _free_port()
    container = (
        Neo4jContainer(IMAGE, password=PASSWORD, username=USER)
        .with_bind_ports(7687, port)
        .with_env("NEO4J_server_bolt_advertised__address", f"localhost:{port}")
        .with_env("NEO4J_server_memory_heap_initial__size", "512m")
        .with_env("NEO4J_server_memory_heap_max__size", "512m")
        .with_env("NEO4J_server_memory_pagecache_size", "128m")
    )
    if volume:
        container.with_volume_mapping(volume, "/data", "rw")
    container.start()  # returns when a connection was verified
    return Neo4jServer(container, port)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
