"""``kgqa connect`` on a real Neo4j: what it finds, what it writes, what it says when it can't."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from graph_schema import Batch, Fact, Schema
from kgqa.stores import open_connection
from kgqa.stores.foreign import catalogue
from tests import foreign_graph
from tests.command import Kgqa
from tests.neo4j_container import PASSWORD, USER, Neo4jServer

pytestmark = pytest.mark.neo4j


@pytest.fixture
def url(neo4j_server: Neo4jServer, monkeypatch: pytest.MonkeyPatch, kgqa: Kgqa) -> Iterator[str]:
    """Its URL, with user and password in the settings; emptied in the end for the tests of other stores."""
    monkeypatch.setenv("KGQA_USER", USER)
    monkeypatch.setenv("KGQA_PASSWORD", PASSWORD)
    yield neo4j_server.url
    foreign_graph.empty(neo4j_server)


def test_films(neo4j_server: Neo4jServer, url: str, kgqa: Kgqa, tmp_path: Path) -> None:
    foreign_graph.films(neo4j_server)
    said = kgqa("connect", url, "--out", "movies.yaml").succeeded()
    schema = Schema.load(tmp_path / "movies.yaml")
    assert (schema.labels["Person"].name, schema.labels["Movie"].name) == ("name", "title")
    assert {key: p.words for key, p in schema.labels["Person"].properties.items()} == {"born": "year born"}
    assert {key: p.words for key, p in schema.labels["Movie"].properties.items()} == {"released": "year released"}
    assert {name: (r.words, r.inverse, r.head, r.tail) for name, r in schema.relations.items()} == {
        "ACTED_IN": ("acted in", "person acted in", "Person", "Movie"),
        "DIRECTED": ("directed", "directed by", "Person", "Movie"),
        "REVIEWED": ("reviewed", "reviewed by", "Person", "Movie"),
    }
    assert schema.relations["ACTED_IN"].properties["roles"].list
    assert schema.relations["REVIEWED"].properties["at"].type == "date"
    assert schema.layout is not None
    assert schema.layout.relations["ACTED_IN"].facts == 8
    assert schema.layout.labels["Movie"].properties["released"].indexed
    assert "Person: 9 nodes, named by name (no two nodes share it" in said
    assert "movies.yaml written" in said
    assert PASSWORD not in said

    kgqa("connect", url, "--out", "movies.yaml").failed("movies.yaml", "there already", "--refresh movies.yaml")
    assert "nothing new, nothing gone" in kgqa("connect", url, "--refresh", "movies.yaml").succeeded()
    neo4j_server.run("MATCH ()-[r:REVIEWED]->() DELETE r")
    neo4j_server.run(
        "MATCH (m:Movie {title: 'Speed'}) SET m.tagline = 'Get ready' CREATE (m)-[:SHOT_IN]->(:City {name: 'LA'})"
    )
    said = kgqa("connect", url, "--refresh", "movies.yaml").succeeded()
    for line in ("new: property Movie.tagline", "new: label City", "new: relation SHOT_IN", "gone: relation REVIEWED"):
        assert f"{line}\n" in said


def test_odd_names_values_and_labels(neo4j_server: Neo4jServer, url: str, kgqa: Kgqa, tmp_path: Path) -> None:
    foreign_graph.odd(neo4j_server)
    said = kgqa("connect", url).succeeded()
    schema = Schema.load(tmp_path / "schema.yaml")
    assert list(schema.labels) == ["Thing", "Dated", "Größe & Maß", "Yes", foreign_graph.ODD]
    thing = schema.labels["Thing"]
    assert thing.name == "voller Name"
    skipped = {key for key, found in thing.properties.items() if found.skip}
    assert skipped == {"vector", "password"}
    assert schema.layout is not None
    types = {key: found.type for key, found in schema.layout.labels["Thing"].properties.items()}
    assert {key: types[key] for key in ("day", "at", "local", "clock", "span", "place", "weight", "old", "on")} == {
        "day": "date",
        "at": "zoned datetime",
        "local": "local datetime",
        "clock": "zoned time",
        "span": "duration",
        "place": "point",
        "weight": "float",
        "old": "boolean",
        "on": "integer",
    }
    assert thing.properties["tags"].list
    odd = schema.labels[foreign_graph.ODD]
    assert odd.name == "name"
    assert set(odd.properties) == {foreign_graph.ODD}
    assert set(schema.relations) == {"LINK", "kennt / knows", foreign_graph.ODD}
    assert schema.relations["kennt / knows"].properties["since"].type == "date"
    assert "There are nodes without a label" in said
    assert "hunter2" not in said + (tmp_path / "schema.yaml").read_text("utf-8")


def test_a_large_graph_is_looked_at_in_bounded_time(neo4j_server: Neo4jServer, url: str) -> None:
    foreign_graph.hub(neo4j_server, 100_000)
    connection = open_connection(url, user=USER, password=PASSWORD)
    try:
        began = time.monotonic()
        found = catalogue.read(connection)
        assert time.monotonic() - began < 30
    finally:
        connection.close()
    assert found.labels["Film"].nodes == found.relations["HAS_GENRE"].facts - 1 == 100_000
    assert found.labels["Film"].sampled == catalogue.SAMPLED
    assert len(set(found.labels["Film"].properties["title"].values)) == catalogue.SAMPLED
    assert connection.round_trips < 25


def test_a_database_with_nothing_to_ask(neo4j_server: Neo4jServer, url: str, kgqa: Kgqa, tmp_path: Path) -> None:
    foreign_graph.empty(neo4j_server)
    kgqa("connect", url).failed("the database is empty", "?database=NAME")
    assert not (tmp_path / "schema.yaml").exists()
    neo4j_server.run("CREATE (:Thing {weight: 1.5})")
    kgqa("connect", url, "--out", "no/such/folder.yaml").failed("no/such/folder.yaml", "can't write the schema")
    said = kgqa("connect", url).succeeded()
    assert "There are no relationships: only properties can be asked for." in said
    assert "No node has a property that looks like a name: no question can name one. Set name: in schema.yaml." in said


def test_a_database_that_kgqa_has_loaded(neo4j_server: Neo4jServer, url: str, kgqa: Kgqa) -> None:
    foreign_graph.empty(neo4j_server)
    store = neo4j_server.store()
    store.migrate(Schema())
    store.write(Batch(facts=[Fact("a", "r", "b")]))
    store.close()
    kgqa("connect", url).failed("kgqa itself has loaded this database", "without a schema file")


def test_no_server_no_rights_no_such_file(url: str, kgqa: Kgqa, tmp_path: Path) -> None:
    kgqa("connect", "neo4j://localhost:1").failed("no Neo4j answers", "Start it")
    kgqa("connect", url, "--user", "nobody").failed("refused the user or the password")
    kgqa("connect", f"{url}?database=nowhere").failed("no database of this name")
    kgqa("connect", "sqlite:///films.db").failed("only a Neo4j database", "neo4j://HOST:PORT")
    kgqa("connect", url, "--refresh", "none.yaml").failed("none.yaml", "No such file")
    (tmp_path / "plain.yaml").write_text("version: 1\n")
    kgqa("connect", url, "--refresh", "plain.yaml").failed("plain.yaml", "didn't write this schema")
    kgqa("connect", url, "--refresh", "plain.yaml", "--out", "x").failed("--out", "Leave out one")


@pytest.mark.parametrize("password", ["a/b", "a?b", "a#b", "a#b@c", "100%/@x"])
def test_a_password_that_would_have_to_be_encoded_is_never_shown(password: str, url: str, kgqa: Kgqa) -> None:
    done = kgqa("connect", url.replace("bolt://", f"bolt://neo4j:{password}@"))
    done.failed("percent-encoded", "KGQA_PASSWORD")
    assert password not in done.err
