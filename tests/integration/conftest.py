"""The real Neo4j, the command and a trained reader for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from graph_schema import GraphStore, Schema
from kgqa.stores import EmbeddedStore
from kgqa.stores.neo4j_store import Neo4jStore
from tests.command import kgqa
from tests.neo4j_container import Neo4jServer, neo4j_server
from tests.reader import small_films

__all__ = ["kgqa", "neo4j_server", "small_films"]


@pytest.fixture
def neo4j_store(neo4j_server: Neo4jServer) -> Iterator[Neo4jStore]:
    """An empty store on the real Neo4j."""
    neo4j_server.wipe()
    made = neo4j_server.store()
    made.migrate(Schema())
    with closing(made):
        yield made


@pytest.fixture(params=["embedded", pytest.param("neo4j", marks=pytest.mark.neo4j)])
def each_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[GraphStore]:
    """An empty store of each kind."""
    made: GraphStore
    if request.param == "embedded":
        made = EmbeddedStore(tmp_path / "graph.db", create=True)
    else:
        made = request.getfixturevalue("neo4j_store")
    made.migrate(Schema())
    with closing(made):
        yield made
