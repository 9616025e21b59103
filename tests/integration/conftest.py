"""The real Neo4j, the command and a trained reader for the tests of this folder."""

from __future__ import annotations

from tests.command import kgqa
from tests.neo4j_container import neo4j_server
from tests.reader import small_films

__all__ = ["kgqa", "neo4j_server", "small_films"]
