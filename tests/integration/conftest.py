"""The real Neo4j, the command and a trained reader for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from graph_schema import GraphStore, Schema
from kgqa.stores import EmbeddedStore
from tests.command import kgqa
from tests.neo4j_container import Neo4jServer, neo4j_server
from tests.reader import small_films

__all__ = ["kgqa", "neo4j_server", "small_films"]


@pytest.fixture(params=["embedded", pytest.param("neo4j", marks=pytest.mark.neo4j)])
def each_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[GraphStore]:
    """An empty store of each kind."""
    made: GraphStore
    if request.param == "embedded":
        made = EmbeddedStore(tmp_path / "graph.db", create=True)
    else:
        server: Neo4jServer = request.getfixturevalue("neo4j_server")
        server.wipe()
        made = server.store()
    made.migrate(Schema())
    with closing(made):
        yield made
