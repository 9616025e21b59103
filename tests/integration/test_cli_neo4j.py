"""The command on a real Neo4j: loading, asking, and a password that is wrong."""

from __future__ import annotations

import json

import pytest

from tests.command import Kgqa
from tests.neo4j_container import PASSWORD, USER, Neo4jServer
from tests.reader import SmallFilms, small_graph

pytestmark = pytest.mark.neo4j


@pytest.mark.parametrize("words", [("ask", "who"), ("ingest", "facts")])  # after three, the server refuses any
def test_a_wrong_password(
    kgqa: Kgqa, neo4j_server: Neo4jServer, small_films: SmallFilms, words: tuple[str, ...]
) -> None:
    said = [str(small_films.facts) if word == "facts" else word for word in words]
    done = kgqa(*said, "--store", neo4j_server.url, "--user", USER, "--password", "not-the-password")
    done.failed(neo4j_server.url, "password")
    assert "not-the-password" not in done.err


def test_facts_in_and_answers_out(
    kgqa: Kgqa, neo4j_server: Neo4jServer, small_films: SmallFilms, monkeypatch: pytest.MonkeyPatch
) -> None:
    neo4j_server.wipe()
    monkeypatch.setenv("KGQA_STORE", neo4j_server.url)
    monkeypatch.setenv("KGQA_USER", USER)
    monkeypatch.setenv("KGQA_PASSWORD", PASSWORD)
    facts = set(small_graph())
    said = kgqa("ingest", small_films.facts).succeeded()
    assert f"{len(facts):,} new" in said
    assert json.loads(kgqa("store", "info", "--json").succeeded())["facts"] == len(facts)
    film, director = next((f.head, f.tail) for f in small_graph() if f.relation == "directed_by")
    found = json.loads(kgqa("ask", f"who directed [{film}]", "--checkpoint", small_films.run, "--json").succeeded())
    assert director in [answer["id"] for answer in found["answers"]]
    assert all(path["holds"] for answer in found["answers"] for path in answer["evidence"])
