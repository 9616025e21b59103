"""The fixtures ``kind`` and ``store``: each test of the suite runs once for each kind of store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from graph_schema import GraphStore
from tests.contract.kinds import EMBEDDED, Kind, neo4j_kind
from tests.neo4j_container import neo4j_server

__all__ = ["neo4j_server"]


@pytest.fixture(
    scope="session",
    params=[
        *(pytest.param(kind, id=kind.name) for kind in EMBEDDED),
        pytest.param(None, id="neo4j", marks=pytest.mark.neo4j),
    ],
)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each kind of store in turn; ``None`` stands for Neo4j, whose container is started only then."""
    return request.param if request.param is not None else neo4j_kind(request.getfixturevalue("neo4j_server"))


@pytest.fixture
def store(kind: Kind) -> Iterator[GraphStore]:
    """An empty store of each kind."""
    with kind.empty() as made:
        yield made


@pytest.fixture
def other(kind: Kind, store: GraphStore) -> Iterator[GraphStore]:
    """One more connection to the same store."""
    with closing(kind.another(store)) as made:
        yield made
