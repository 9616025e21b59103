"""The command on a real Neo4j: loading, asking, and a password that is wrong."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from tests import foreign_graph
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


def test_what_answers_tell_is_loaded_and_answers(
    kgqa: Kgqa, neo4j_server: Neo4jServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    neo4j_server.wipe()
    for name, value in (("STORE", neo4j_server.url), ("USER", USER), ("PASSWORD", PASSWORD)):
        monkeypatch.setenv(f"KGQA_{name}", value)
    film, director = next((f.head, f.tail) for f in small_graph() if f.relation == "directed_by")
    kept = [f for f in small_graph() if (f.head, f.relation) != (film, "directed_by")]
    (tmp_path / "facts.txt").write_text("".join(f"{f.head}|{f.relation}|{f.tail}\n" for f in kept), "utf-8")
    (tmp_path / "q.tsv").write_text(f"who directed [{film}]\t{director}\n", "utf-8")
    kgqa("ingest", "facts.txt").succeeded()
    kgqa("facts", "q.tsv", "--out", "told.jsonl").succeeded()
    kgqa("ingest", "told.jsonl").succeeded()
    assert json.loads(kgqa("store", "info", "--json").succeeded())["facts"] == len(kept) + 1
    found = json.loads(kgqa("ask", f"who directed [{film}]", "--json").succeeded())
    assert [answer["id"] for answer in found["answers"]] == [director]
    assert kgqa("facts", "q.tsv").succeeded() == ""


def test_a_database_that_others_made_is_written_into_only_if_the_user_says_so(
    kgqa: Kgqa, neo4j_server: Neo4jServer, small_films: SmallFilms, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("STORE", neo4j_server.url), ("USER", USER), ("PASSWORD", PASSWORD)):
        monkeypatch.setenv(f"KGQA_{name}", value)
    foreign_graph.films(neo4j_server)
    (nodes,) = neo4j_server.run("MATCH (n) RETURN count(n)")[0]
    indexes = neo4j_server.run("SHOW INDEXES YIELD name RETURN name ORDER BY name")
    load = ("ingest", small_films.facts)

    def untouched() -> bool:
        same = indexes == neo4j_server.run("SHOW INDEXES YIELD name RETURN name ORDER BY name")
        return same and neo4j_server.run("MATCH (n) RETURN count(n)") == [[nodes]]

    for more in ((), ("--replace",), ("--json",)):
        parts = (neo4j_server.url, f"the database has {nodes} nodes that kgqa didn't load", "label Entity", "add --yes")
        kgqa(*load, *more).failed(*parts)
        assert untouched()
    kgqa(*load, "--dry-run").succeeded()
    assert untouched()

    terminal = io.StringIO("n\n")
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)
    done = kgqa(*load)
    assert (done.status, done.out.strip()) == (1, "")  # what asks ends with a space there
    for part in (
        f"{nodes} nodes that kgqa didn't load",
        "KgqaLoad",
        "kgqa connect",
        "Write into it?",
        "nothing was changed",
    ):
        assert part in done.err
    assert untouched()

    monkeypatch.setattr(sys, "stdin", io.StringIO())
    kgqa(*load, "--yes").succeeded()
    kgqa(*load).succeeded()  # it is ours, too, now
    assert neo4j_server.run("MATCH (m:Movie) RETURN count(m)") == [[len(foreign_graph.FILMS)]]
    foreign_graph.empty(neo4j_server)
    kgqa(*load).succeeded()  # nothing there
    neo4j_server.wipe()
