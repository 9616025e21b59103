"""The real Neo4j for the tests of this folder."""

from __future__ import annotations

from tests.neo4j_container import neo4j_server

__all__ = ["neo4j_server"]
