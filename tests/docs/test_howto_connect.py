"""The commands of the page on somebody else's graph are run on a real Neo4j, and print what the page says."""

from __future__ import annotations

import shlex

import pytest

from tests import foreign_graph
from tests.command import Kgqa
from tests.docs.repository import commands, markdown
from tests.docs.test_howto_loading import TEXT_BLOCK
from tests.neo4j_container import PASSWORD, USER, Neo4jServer, neo4j_server

__all__ = ["neo4j_server"]


@pytest.mark.neo4j
def test_the_page_is_right(
    neo4j_server: Neo4jServer,
    kgqa: Kgqa,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    foreign_graph.films(neo4j_server)
    text = markdown()["docs/how-to/ask-your-own-graph.md"]
    for name, value in (("STORE", neo4j_server.url), ("USER", USER), ("PASSWORD", PASSWORD)):
        monkeypatch.setenv(f"KGQA_{name}", value)
    said = [line for line in commands(text) if line.startswith("kgqa ")]
    assert [line.split()[1] for line in said] == ["connect", "ask", "ask", "connect"]
    printed = "".join(kgqa(*shlex.split(line)[1:]).succeeded() for line in said)
    blocks = TEXT_BLOCK.findall(text)
    assert len(blocks) == 2
    for block in blocks:
        for line in block.splitlines():
            assert line in printed, line
    foreign_graph.empty(neo4j_server)
