"""What a catalogue means: names, facts, wordings, reasons."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from graph_schema import Ends
from kgqa.stores.foreign.catalogue import Catalogue, Label, Property, Relation
from kgqa.stores.foreign.decisions import decide
from kgqa.stores.foreign.wording import property_wording, relation_property_wording, relation_wording


@pytest.mark.parametrize(
    ("type_", "words", "inverse"),
    [
        ("ACTED_IN", "acted in", "person acted in"),
        ("DIRECTED", "directed", "directed by"),
        ("WROTE", "wrote", "written by"),
        ("FOLLOWS", "follows", "followed by"),
        ("SUPPLIES", "supplies", "supplied by"),
        ("PUBLISHES", "publishes", "published by"),
        ("KNOWS", "knows", "known by"),
        ("CONTAINS", "contains", "contained in"),
        ("writtenBy", "written by", "written"),
        ("CAPITAL_OF", "capital of", "capital"),
        ("HAS_GENRE", "genre", "person with genre"),
        ("HAS", "movie", "person with movie"),
        ("IS_PART_OF", "part of", "part"),
        ("IS_LOCATED_IN", "located in", "person located in"),
        ("IS_PRIMARY_SUSPECT", "primary suspect", "person with primary suspect"),
        ("GENRE", "genre", "genre of"),
        ("LOVE", "love", "loved by"),
        ("kennt / knows", "knows", "known by"),
    ],
)
def test_relations_are_said_in_both_directions(type_: str, words: str, inverse: str) -> None:
    assert relation_wording(type_, ["Person"], ["Movie"]) == (words, inverse)


def test_ends_of_many_kinds_are_not_listed() -> None:
    assert relation_wording("LIVES_IN", ["Person", "ReportSource"], ["City"])[1] == "person or report source lives in"
    assert relation_wording("LIVES_IN", ["A", "B", "C"], ["City"])[1] == "lives in"


@pytest.mark.parametrize(
    ("name", "years", "dates", "words", "inverse"),
    [
        ("released", True, False, "year released", "movie released in"),
        ("movieRating", False, False, "rating", "movie with rating"),
        ("releaseYear", True, False, "release year", "movie with release year"),
        ("premiere", False, True, "premiere date", "movie with premiere"),
        ("released_on", False, True, "released on date", "movie with released on"),
    ],
)
def test_properties_are_said_in_both_directions(name: str, years: bool, dates: bool, words: str, inverse: str) -> None:
    assert property_wording(name, "Movie", years=years, dates=dates) == (words, inverse)


def test_properties_of_several_types_of_relationship_are_told_apart() -> None:
    said = relation_property_wording("since", "WORKS_AT", ["Person"], ["Firm"], shared=True)
    assert said == ("since works at", "person with since works at", "since works at", "firm with since works at")
    said = relation_property_wording("dose", "IS_SUSPECT", ["Case"], ["Drug"], shared=True)
    assert said == ("dose of suspect", "case with suspect with dose", "dose as suspect", "drug as suspect with dose")
    assert relation_property_wording("roles", "ACTED_IN", ["Person"], ["Movie"], shared=False)[0] == "roles"


def held(
    values: Sequence[object],
    type_: str = "STRING",
    *,
    of: int = 0,
    several: int = 0,
    longest: int = 1,
    unique: bool = False,
) -> Property:
    texts = tuple(map(str, values))
    mean = sum(map(len, texts)) / max(len(texts), 1)
    return Property(len(texts), of or len(texts), {type_: len(texts)}, several, texts, longest, mean, unique, unique)


def labelled(**properties: Property) -> Label:
    sampled = max((p.of for p in properties.values()), default=1)
    return Label(sampled, properties, {}, sampled)


def catalogue(**labels: Label) -> Catalogue:
    return Catalogue(sum(label.nodes for label in labels.values()), 0, labels, {})


WORDS = ["Alpha Beta", "Gamma", "Delta Force", "Epsilon"]


@pytest.mark.parametrize(
    ("properties", "name"),
    [
        ({"name": held(WORDS), "title": held(WORDS)}, "name"),
        ({"title": held(WORDS), "tagline": held(WORDS)}, "title"),
        ({"code": held(["DE", "HO", "OT", "LT"], unique=True), "thing": held(WORDS)}, "thing"),
        ({"uuid": held(["a1-b2", "a1-b3", "c4", "d5"], unique=True), "fullName": held(WORDS)}, "fullName"),
        ({"companyName": held(WORDS), "city": held(["Oslo", "Oslo", "Oslo", "Bonn"])}, "companyName"),
        ({"number": held([1, 2, 3, 4], "INTEGER", unique=True), "unit": held(["g", "g", "g", "g"])}, "number"),
        ({"description": held(WORDS)}, "description"),
        ({"number": held([1, 2, 3, 4], "INTEGER"), "unit": held(["g", "g", "g", "g"])}, None),
        ({"password": held(WORDS)}, None),
        ({"name": held(WORDS[:1], of=9)}, None),
        ({}, None),
    ],
)
def test_what_names_a_node(properties: dict[str, Property], name: str | None) -> None:
    decided = decide(catalogue(Thing=labelled(**properties)))
    assert decided.schema.labels["Thing"].name == name
    assert decided.why["labels", "Thing", "name"]


def test_which_properties_are_facts_and_which_can_be_started_from() -> None:
    texts = ["a long text that nobody would ever put into a question, for it goes on and on"] * 4
    label = labelled(
        name=held(WORDS),
        altNames=held(WORDS, several=4, longest=3),
        born=held([1964, 1956, 1970, 1931], "INTEGER"),
        summary=held(texts),
        homepage=held(["http://a", "http://b", "http://c", "http://d"]),
        imdbId=held(["tt1", "tt2", "tt3", "tt4"]),
        apiKey=held(WORDS),
        embedding=held([0.1, 0.2, 0.3, 0.4], "FLOAT", several=4, longest=384),
        blob=held(["?"] * 4, "BYTEARRAY"),
        alive=held(["true", "false", "true", "true"], "BOOLEAN"),
        day=held(["2020-01-01"] * 4, "DATE"),
        clock=held(["10:00"] * 4, "LOCAL TIME"),
    )
    decided = decide(catalogue(Person=label))
    person = decided.schema.labels["Person"]
    assert person.aliases == ("altNames",)
    assert {key for key, found in person.properties.items() if found.skip} == {"imdbId", "apiKey", "embedding", "blob"}
    assert {key for key, found in person.properties.items() if not found.skip and not found.start} == {
        "summary",
        "homepage",
        "alive",
    }
    assert person.properties["born"].words == "year born"
    assert (person.properties["born"].type, person.properties["day"].type) == ("integer", "date")
    assert decided.schema.layout is not None
    laid = decided.schema.layout.labels["Person"].properties
    assert (laid["clock"].type, laid["embedding"].list) == ("local time", True)
    assert "blob" not in laid
    assert "secret" in decided.why["labels", "Person", "properties", "apiKey"]


def test_of_several_labels_the_largest_counts_and_one_that_all_nodes_bear_comes_last() -> None:
    named = {"name": held(WORDS * 25), "age": held([1, 2, 3, 4] * 25, "INTEGER")}
    labels = {
        "Node": Label(1000, named, {"Person": 60, "Movie": 40}, 100),
        "Actor": Label(50, {**named, "oscars": held([1, 2] * 25, "INTEGER")}, {"Person": 50, "Node": 50}, 50),
        "Person": Label(600, named, {"Actor": 8, "Node": 100}, 100),
        "Movie": Label(400, {"title": held(WORDS * 25)}, {"Node": 100}, 100),
    }
    ends = {
        (("Actor", "Node", "Person"), ("Movie", "Node")): 30,
        (("Node", "Person"), ("Movie", "Node")): 10,
        ((), ("Movie",)): 5,
    }
    found = Catalogue(1000, 90, labels, {"IN": Relation(90, ends, {}, 45)})
    decided = decide(found)
    assert list(decided.schema.labels) == ["Person", "Movie", "Actor", "Node"]
    assert set(decided.schema.labels["Actor"].properties) == {"oscars"}
    relation = decided.schema.relations["IN"]
    assert (relation.head, relation.tail) == ("Person", "Movie")
    assert decided.schema.layout is not None
    assert decided.schema.layout.relations["IN"].ends == (
        Ends(head="Person", tail="Movie", facts=80),
        Ends(head="Entity", tail="Movie", facts=10),
    )
