"""The file that ``kgqa connect`` writes and brings up to date."""

from __future__ import annotations

from dataclasses import replace

import pytest

from graph_schema import Schema, SchemaError
from kgqa.stores.foreign.catalogue import Catalogue, Label, Relation
from kgqa.stores.foreign.decisions import decide
from kgqa.stores.foreign.schema_file import lines_of, refreshed, written
from tests.unit.test_stores_foreign_decisions import WORDS, held

PERSON = Label(4, {"name": held(WORDS), "born": held([1964, 1956, 1970, 1931], "INTEGER")}, {}, 4)
FILM = Label(4, {"title": held(WORDS), "year": held([1964, 1956, 1970, 1931], "INTEGER")}, {}, 4)
ACTED = Relation(9, {(("Person",), ("Film",)): 9}, {"roles": held(WORDS, several=4, longest=2)}, 9)
FOUND = Catalogue(8, 9, {"Person": PERSON, "Film": FILM}, {"ACTED_IN": ACTED})


def test_what_is_written_is_read_back_and_says_why() -> None:
    decided = decide(FOUND)
    text = written(decided)
    assert Schema.from_yaml(text) == decided.schema
    assert "# Person -> Film, about 9" in text
    assert "# 100 % have it; such as '1964'" in text
    again = refreshed(text, decided, where="x")
    assert (again.text, again.added, again.gone, again.returned) == (text, (), (), ())
    assert any(line.startswith("Film: 4 nodes, named by title (") for line in lines_of(decided))


NASTY = [
    "no",
    "on",
    "null",
    "1999",
    "1e5",
    "- x",
    "a: b",
    "# c",
    "{x}",
    "tab\tnl\nx",
    "👩‍👩‍👧",
    "'\"",
    "~",
    "0o7",
    "2020-01-01",
    "&a",
    "*",
    "!x",
]


@pytest.mark.parametrize("odd", NASTY)
def test_names_that_yaml_would_read_as_something_else(odd: str) -> None:
    label = Label(4, {odd: held([odd, f"{odd}\n# x"] * 2), "name": held([odd] * 4)}, {}, 4)
    decided = decide(Catalogue(4, 9, {odd: label}, {odd: replace(ACTED, properties={odd: held([odd] * 4)})}))
    text = written(decided)
    assert Schema.from_yaml(text) == decided.schema
    assert refreshed(text, decided, where="x").text == text


def test_a_refresh_keeps_edits_adds_what_is_new_and_says_what_is_gone() -> None:
    text = written(decide(FOUND))
    edited = text.replace("words: acted in", "words: played in  # my words").replace(
        "words: year born", "words: birth year"
    )
    edited = edited.replace(
        "inverse: person born in", "inverse: person born in\n        skip: true\n        synonyms: [year of birth]"
    )
    edited = edited.replace("inverse: person acted in", "inverse: person acted in\n    inverse_synonyms: [cast]")
    assert edited.count("played in") == edited.count("birth year") == 1
    more = replace(PERSON, properties={**PERSON.properties, "died": held([1999] * 4, "INTEGER")})
    now = Catalogue(9, 12, {"Person": more, "Studio": FILM}, {"ACTED_IN": replace(ACTED, properties={}), "MADE": ACTED})
    done = refreshed(edited, decide(now), where="x")
    assert done.added == ("property Person.died", "label Studio", "relation MADE")
    assert done.gone == ("label Film", "property ACTED_IN.roles")
    schema = Schema.from_yaml(done.text)
    assert schema.relations["ACTED_IN"].words == "played in"
    assert schema.relations["ACTED_IN"].inverse_synonyms == ("cast",)
    assert schema.labels["Person"].properties["born"].synonyms == ("year of birth",)
    assert "# my words" in done.text
    assert (schema.labels["Person"].properties["born"].words, schema.labels["Person"].properties["born"].skip) == (
        "birth year",
        True,
    )
    assert "Film" not in schema.labels
    assert schema.gone is not None
    assert schema.gone.labels["Film"].name == "title"
    assert schema.gone.relations["ACTED_IN"].properties["roles"].words == "roles"
    assert schema.layout == decide(now).schema.layout

    back = refreshed(done.text, decide(FOUND), where="x")
    assert set(back.returned) == {"label Film", "property ACTED_IN.roles"}
    assert set(back.gone) == {"label Studio", "relation MADE", "property Person.died"}
    restored = Schema.from_yaml(back.text)
    assert restored.relations["ACTED_IN"].words == "played in"
    assert restored.relations["ACTED_IN"].properties["roles"].tail_words == "roles"
    assert restored.gone is not None
    assert set(restored.gone.labels) == {"Studio", "Person"}


def test_another_name_is_no_fact_that_is_gone() -> None:
    text = written(decide(FOUND)).replace("name: title", "name: year")
    text = text.replace(
        "      # 100 % have it; such as '1964'\n      year:", "      title: {words: title}\n      year:"
    )
    done = refreshed(text, decide(FOUND), where="x")
    assert (done.added, done.gone) == ((), ())
    assert Schema.from_yaml(done.text).labels["Film"].name == "year"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version: 1\n", "wasn't written by kgqa connect"),
        ("labels: [\n", "not valid YAML"),
        ("version: 1\nlayout: {sttore: neo4j}\n", "layout.sttore: unknown key"),
        ("version: 1\nlayout: {store: neo4j}\nlabels: {A: {}, A: {}}\n", "not valid YAML"),
    ],
)
def test_a_file_that_cannot_be_brought_up_to_date(text: str, said: str) -> None:
    with pytest.raises(SchemaError, match=said):
        refreshed(text, decide(FOUND), where="x.yaml")
