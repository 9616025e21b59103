"""``kgqa ask`` on a database that somebody else modelled: answers with their facts; one clear line where it fails."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from graph_schema import Group, StoreUnavailable
from kgqa.stores import open_reader
from tests import foreign_graph
from tests.command import Kgqa
from tests.neo4j_container import PASSWORD, USER, Neo4jServer
from tests.reader import SmallFilms
from tests.tcp_proxy import Proxy

pytestmark = pytest.mark.neo4j


@pytest.fixture
def url(neo4j_server: Neo4jServer, monkeypatch: pytest.MonkeyPatch, kgqa: Kgqa) -> Iterator[str]:
    """A film database with its schema in ``movies.yaml``; user and password in the settings."""
    monkeypatch.setenv("KGQA_USER", USER)
    monkeypatch.setenv("KGQA_PASSWORD", PASSWORD)
    foreign_graph.films(neo4j_server)
    kgqa("connect", neo4j_server.url, "--out", "movies.yaml").succeeded()
    yield neo4j_server.url
    foreign_graph.empty(neo4j_server)


def test_a_question_is_answered_with_facts_by_name(url: str, kgqa: Kgqa, small_films: SmallFilms) -> None:
    given = ("--schema", "movies.yaml", "--store", url, "--checkpoint", small_films.run)
    text = kgqa("ask", "when was [Speed] released", *given).succeeded()
    shown = json.loads(kgqa("ask", "when was [Speed] released", *given, "--json").succeeded())
    assert shown["topics"][0]["entities"][0]["name"] == "Speed"
    assert shown["topics"][0]["entities"][0]["label"] == "Movie"
    for answer in shown["answers"]:
        for step in answer["evidence"][0]["steps"]:
            assert answer["evidence"][0]["holds"]
            assert step["head_name"] in text
            assert ":" not in step["head_name"] + step["tail_name"]
    unknown = kgqa("ask", "who directed [Sped]", *given).succeeded()
    assert '"Sped" is not a name in the graph.' in unknown
    assert "Did you mean Speed" in unknown


def test_questions_are_made_from_its_facts_in_the_words_of_its_schema(
    url: str, kgqa: Kgqa, small_films: SmallFilms, tmp_path: Path
) -> None:
    path = tmp_path / "movies.yaml"
    schema = yaml.safe_load(path.read_text("utf-8"))
    schema["relations"]["ACTED_IN"]["synonyms"] = ["appeared in"]
    schema["labels"]["Movie"]["properties"]["released"]["synonyms"] = ["premiere year"]
    path.write_text(yaml.safe_dump(schema), "utf-8")
    words = ("adapt", "--store", url, "--schema", "movies.yaml", "--init-from", small_films.run, "--number", "300")
    shown = kgqa(*words, "--show", "300").succeeded()
    for said in ("appeared in", "acted in", "premiere year", "movies", "person"):
        assert f" {said} " in shown, said
    with closing(open_reader(url, path, user=USER, password=PASSWORD)) as reader:
        names = {entity.name for entity in reader.all_entities()}
    for line in shown.splitlines():
        question, answers = line.split("\t")
        topics = re.findall(r"\[([^\]]+)\]", question)
        assert topics
        assert names.issuperset(topics)
        assert answers


def test_what_answers_tell_is_for_its_owner_to_add(url: str, kgqa: Kgqa, tmp_path: Path) -> None:
    (tmp_path / "q.tsv").write_text("who directed [The Matrix]\tLana Wachowski|Somebody New\n", "utf-8")
    done = kgqa("facts", "q.tsv", "--schema", "movies.yaml", "--store", url, "--out", "told.jsonl")
    assert done.succeeded() == (
        "Look at told.jsonl; your database is only read, so what is right is for you to add to it\n"
    )
    (told,) = map(json.loads, (tmp_path / "told.jsonl").read_text("utf-8").splitlines())
    assert (told["head"], told["relation"], told["new"]) == ("Somebody New", "DIRECTED", ["Somebody New"])


def test_a_synonym_in_the_schema_is_read_with_the_next_question(url: str, kgqa: Kgqa, tmp_path: Path) -> None:
    words = ("ask", "who is the gaffer of [The Matrix]", "--schema", "movies.yaml", "--store", url, "--json")

    def answers() -> list[str]:
        return [answer["name"] for answer in json.loads(kgqa(*words).succeeded())["answers"]]

    assert answers() != ["Lana Wachowski"]
    path = tmp_path / "movies.yaml"
    schema = yaml.safe_load(path.read_text("utf-8"))
    schema["relations"]["DIRECTED"]["inverse_synonyms"] = ["gaffer"]
    path.write_text(yaml.safe_dump(schema), "utf-8")
    assert answers() == ["Lana Wachowski"]


def test_without_a_schema_it_says_what_to_do(url: str, kgqa: Kgqa) -> None:
    kgqa("ask", "who directed Speed", "--store", url).failed(
        "kgqa didn't load this database", f"kgqa connect {url} --out FILE", "--schema FILE"
    )


def test_what_it_holds_and_can_be_asked_is_shown_by_its_schema(url: str, kgqa: Kgqa, neo4j_server: Neo4jServer) -> None:
    given = ("--store", url, "--schema", "movies.yaml")
    examples = [json.loads(line) for line in kgqa("schema", *given, "--examples", "--json").succeeded().splitlines()]
    assert {"Movie.released", "ACTED_IN", "DIRECTED", "ACTED_IN.roles"} <= {one["relation"] for one in examples}
    assert all(one["answers"] for one in examples)
    assert "words: year released" in kgqa("schema", *given).succeeded()
    info = json.loads(kgqa("store", "info", *given, "--json").succeeded())
    assert info["facts"] > 0
    assert "Movie.released" in info["relations"]

    before = neo4j_server.run("SHOW INDEXES YIELD name RETURN collect(name) AS names")
    for words in (("schema",), ("schema", "--examples"), ("schema", "--set", "movies.yaml"), ("store", "info")):
        kgqa(*words, "--store", url).failed("kgqa didn't load this database", "--schema FILE")
    kgqa("schema", *given, "--set", "movies.yaml").failed("--set", "nothing is written", "movies.yaml")
    assert neo4j_server.run("SHOW INDEXES YIELD name RETURN collect(name) AS names") == before


def test_a_schema_that_does_not_fit(url: str, kgqa: Kgqa, tmp_path: Path) -> None:
    path = tmp_path / "movies.yaml"
    text = path.read_text("utf-8")
    for wrong, *said in (
        (
            text.replace("  Movie:\n    name: title", "  Movie:\n    name: nom"),
            "name nom",
            f"kgqa connect {url} --refresh movies.yaml",
        ),
        (text.replace("words: movie", "word: movie"), "labels.Movie.word: unknown key"),
        ("version: 1\n", "doesn't say how the database lies", f"kgqa connect {url} --out FILE"),
        ("labels: [", "not valid YAML"),
    ):
        path.write_text(wrong, "utf-8")
        kgqa("ask", "who directed Speed", "--store", url, "--schema", "movies.yaml").failed("movies.yaml", *said)
    path.write_text(text.replace("name: title", "name: nom"), "utf-8")
    secret = url.replace("://", f"://{USER}:{PASSWORD}@")
    for words in (("--schema", "movies.yaml"), ()):
        done = kgqa("ask", "x", "--store", secret, *words)
        done.failed(f"kgqa connect {url} ")
        assert PASSWORD not in done.err
    path.write_text("labels: [", "utf-8")
    kgqa("ask", "x", "--store", url, "--schema", "none.yaml").failed("none.yaml", "can't read the schema")
    kgqa("ask", "x", "--store", "sqlite:///films.db", "--schema", "movies.yaml").failed("movies.yaml")


def test_a_server_that_refuses_or_is_not_there(url: str, kgqa: Kgqa) -> None:
    given = ("--schema", "movies.yaml")
    kgqa("ask", "x", *given, "--store", url, "--user", "nobody").failed("refused the user or the password")
    kgqa("ask", "x", *given, "--store", "neo4j://localhost:1").failed("no Neo4j answers", "wait until it is up")


def test_a_database_that_goes_away_in_the_middle_of_a_question(
    url: str, neo4j_server: Neo4jServer, tmp_path: Path
) -> None:
    with Proxy(neo4j_server.port) as line:
        through = f"bolt://localhost:{line.port}"
        with closing(open_reader(through, tmp_path / "movies.yaml", user=USER, password=PASSWORD, timeout=2)) as reader:
            directed = [Group(reader.start(["speed"]).ids[0], "DIRECTED", True, 5)]
            line.cut()
            with pytest.raises(StoreUnavailable, match="no Neo4j answers"):
                reader.step(directed)
            line.mend()
            assert len(reader.step(directed).ids) == 1
