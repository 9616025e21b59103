"""A real Neo4j that hangs while its connections stay open: a question ends in time, and the next finds it again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from graph_schema import Batch, Fact, Group, StoreUnavailable
from kgqa.stores import open_reader
from kgqa.stores.foreign.connection import Connection
from kgqa.stores.neo4j_store import Neo4jStore
from tests import foreign_graph
from tests.command import Kgqa
from tests.neo4j_container import PASSWORD, USER, Neo4jServer
from tests.reader import SmallFilms
from tests.tcp_proxy import Proxy

pytestmark = pytest.mark.neo4j

MOST = 25.0  # seconds; 4 for the query, 5 more for the answer, and what a busy machine adds


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """A query has four seconds."""
    monkeypatch.setitem(Connection.__init__.__kwdefaults__ or {}, "seconds", 4.0)
    monkeypatch.setattr("kgqa.stores.neo4j_reader.READ_SECONDS", 4.0)


@contextmanager
def paused(server: Neo4jServer) -> Iterator[None]:
    """Its process is stopped; the system still accepts connections for it."""
    container = server.container.get_wrapped_container()
    container.pause()
    try:
        yield
    finally:
        container.unpause()


@pytest.fixture
def url(neo4j_server: Neo4jServer, monkeypatch: pytest.MonkeyPatch, kgqa: Kgqa) -> Iterator[str]:
    """Films that somebody else modelled, with their schema in ``movies.yaml``."""
    for name, value in (("USER", USER), ("PASSWORD", PASSWORD), ("TIMEOUT", "2")):
        monkeypatch.setenv(f"KGQA_{name}", value)
    foreign_graph.films(neo4j_server)
    kgqa("connect", neo4j_server.url, "--out", "movies.yaml").succeeded()
    yield neo4j_server.url
    foreign_graph.empty(neo4j_server)


@pytest.mark.usefixtures("brief")
@pytest.mark.parametrize("scheme", ["bolt", "neo4j"])
def test_in_the_middle_of_a_question(url: str, scheme: str, neo4j_server: Neo4jServer, tmp_path: Path) -> None:
    at = url.replace("bolt://", f"{scheme}://")
    with closing(open_reader(at, tmp_path / "movies.yaml", user=USER, password=PASSWORD, timeout=2)) as reader:
        directed = [Group(reader.start(["speed"]).ids[0], "DIRECTED", True, 5)]
        assert len(reader.step(directed).ids) == 1
        with paused(neo4j_server):
            began = time.monotonic()
            with pytest.raises(StoreUnavailable, match="hasn't answered for 9 s") as caught:
                reader.step(directed)
            assert time.monotonic() - began < MOST
            assert caught.value.where == at
            assert caught.value.fix
        assert len(reader.step(directed).ids) == 1


@pytest.mark.usefixtures("brief")
def test_in_the_middle_of_a_stream(url: str, neo4j_server: Neo4jServer, tmp_path: Path) -> None:
    with Proxy(neo4j_server.port) as line:
        at = f"bolt://localhost:{line.port}"
        with closing(open_reader(at, tmp_path / "movies.yaml", user=USER, password=PASSWORD, timeout=2)) as reader:
            facts = len(set(reader.all_facts()))
            line.silence()
            began = time.monotonic()
            with pytest.raises(StoreUnavailable, match="hasn't answered for 9 s"):
                list(reader.all_facts())
            assert time.monotonic() - began < MOST
            line.mend()
            assert len(set(reader.all_facts())) == facts


@pytest.mark.usefixtures("brief")
def test_a_store_of_our_own(neo4j_server: Neo4jServer, neo4j_store: Neo4jStore) -> None:
    neo4j_store.write(Batch(facts=(Fact("Speed", "directed_by", "Jan de Bont"),)))
    with Proxy(neo4j_server.port) as line, closing(neo4j_server.store(f"bolt://localhost:{line.port}")) as store:
        for ask in (store.info, store.changes, lambda: list(store.all_entities())):
            ask()
            line.silence()
            began = time.monotonic()
            with pytest.raises(StoreUnavailable, match="hasn't answered for"):
                ask()
            assert time.monotonic() - began < MOST
            line.mend()


@pytest.mark.usefixtures("brief")
def test_the_commands(url: str, neo4j_server: Neo4jServer, kgqa: Kgqa, small_films: SmallFilms) -> None:
    ask = (
        "ask",
        "when was [Speed] released",
        "--schema",
        "movies.yaml",
        "--store",
        url,
        "--checkpoint",
        small_films.run,
    )
    kgqa(*ask).succeeded()
    with paused(neo4j_server):
        for words in (ask, ("connect", url, "--out", "new.yaml")):
            began = time.monotonic()
            kgqa(*words).failed(url, "no Neo4j answers")
            assert time.monotonic() - began < MOST
    kgqa(*ask).succeeded()
