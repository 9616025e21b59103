"""Questions that a graph can be asked: worded from the schema, with topics and answers from the store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from graph_schema import Batch, Entity, Fact, GraphStore, RelationSchema, Schema
from kgqa.examples import asked, examples, worded
from kgqa.stores import open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[GraphStore]:
    made = open_store(f"sqlite:///{tmp_path / 'films.db'}", create=True)
    made.migrate(Schema(relations={"directed_by": RelationSchema(words="directed by", inverse="films")}))
    people = [Entity("p/1", "Ann Person"), Entity("c/1", "Crash"), Entity("c/2", "Crash")]
    facts = [Fact("Heat", "directed_by", "p/1"), Fact("Ali", "directed_by", "p/1"), Fact("c/1", "has_genre", "Drama")]
    facts += [Fact("Heat", "has_genre", genre) for genre in "abcdefg"]
    made.write(Batch(people, facts))
    yield made
    made.close()


def test_examples_are_what_the_store_answers(store: GraphStore) -> None:
    found = {(e.relation, e.inverse): e for e in examples(store)}
    assert set(found) == {(r, i) for r in ("directed_by", "has_genre") for i in (False, True)}
    films = found["directed_by", True]
    assert films.question == "what are the films of Ann Person?"
    assert [entity.id for entity in films.answers] == ["Ali", "Heat"]
    assert films.count == 2
    # Not "Crash", which has one genre, for two are called so.
    genres = found["has_genre", False]
    assert genres.question == "what is the genre of Heat?"
    assert (len(genres.answers), genres.count) == (5, 7)


def test_as_many_as_are_wanted_and_in_other_words(store: GraphStore) -> None:
    def shout(schema: Schema, relation: str, inverse: bool, topic: str) -> str:
        return f"{relation.upper()} {inverse} {topic}!"

    (only,) = examples(store, most=1, wording=shout)
    assert only.question == "DIRECTED_BY False Ali!"


def test_an_empty_store_has_none(tmp_path: Path) -> None:
    empty = open_store(f"sqlite:///{tmp_path / 'empty.db'}", create=True)
    empty.migrate(Schema())
    assert list(examples(empty)) == []
    empty.close()


@pytest.mark.parametrize(
    ("relation", "inverse", "expected"),
    [
        ("directed_by", False, "what is X directed by?"),
        ("directed_by", True, "what is directed by X?"),
        ("in_language", False, "what language is X in?"),
        ("in_language", True, "what is in language X?"),
        ("release_year", False, "what is the release year of X?"),
        ("release_year", True, "what has the release year X?"),
        ("starred_actors", False, "what are the starred actors of X?"),
        ("has_tags", True, "what has the tags X?"),
    ],
)
def test_wordings(relation: str, inverse: bool, expected: str) -> None:
    assert worded(Schema(), relation, inverse, "X") == expected


FILMS = Schema.from_dict(
    {
        "labels": {"Film": {"words": "film"}, "Person": {"words": "person"}},
        "relations": {
            "ACTED_IN": {"words": "acted in", "inverse": "person acted in", "head": "Person", "tail": "Film"},
            "Film.released": {
                "words": "year released",
                "inverse": "film released in",
                "head": "Film",
                "tail": "integer",
            },
            "Film.tagline": {"words": "tagline", "inverse": "film with tagline", "head": "Film", "tail": "string"},
            "directed_by": {"words": "directed by"},
            "falls_under": {"words": "falls under", "head": "Film", "tail": "Film"},
        },
    }
)


@pytest.mark.parametrize(
    ("relation", "inverse", "expected"),
    [
        ("ACTED_IN", False, "which films did X act in?"),
        ("ACTED_IN", True, "who acted in X?"),
        ("Film.released", False, "what year was X released?"),
        ("Film.released", True, "which film was released in X?"),
        ("Film.tagline", False, "what is the tagline of X?"),
        ("Film.tagline", True, "which films have the tagline X?"),
        ("directed_by", False, "who directed X?"),
        ("directed_by", True, "what did X direct?"),
        ("falls_under", True, "which film falls under X?"),
        ("has_genre", True, "what has the genre X?"),
    ],
)
def test_questions_as_people_ask_them(relation: str, inverse: bool, expected: str) -> None:
    assert asked(FILMS, relation, inverse, "X") == expected
