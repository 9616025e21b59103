"""What a reader is told of relations beside their own words."""

from __future__ import annotations

from graph_schema import Schema
from kgqa.adapt.other_words import MOST, RELATIONS, other_wordings

CLINIC = Schema.from_yaml("""
labels: {Case: {words: case}, AgeGroup: {words: age group}, Outcome: {words: outcome}, Person: {words: person}}
relations:
  FALLS_UNDER: {words: falls under, inverse: case falls under, head: Case, tail: AgeGroup}
  RESULTED_IN: {words: resulted in, synonyms: [led to, ended with], head: Case, tail: Outcome}
  FOLLOWS: {words: follows, inverse: followed by, inverse_synonyms: [fan], head: Person, tail: Person}
  DIRECTED: {words: directed, inverse: directed by, head: Person, tail: Movie}
""")


def told(relation: str, inverse: bool = False) -> tuple[str, ...]:
    relations = sorted(CLINIC.relations)
    return other_wordings(CLINIC, relations)[2 * relations.index(relation) + inverse]


def test_what_a_step_leads_to_names_it_where_no_other_step_does() -> None:
    assert "age group" in told("FALLS_UNDER")
    assert "outcome" in told("RESULTED_IN")


def test_synonyms_of_the_schema_come_first() -> None:
    assert told("RESULTED_IN")[:2] == ("led to", "ended with")
    assert told("FOLLOWS", inverse=True)[0] == "fan"


def test_a_verb_tells_the_direction_only_between_things_of_two_kinds() -> None:
    assert {"director", "directed"} <= set(told("DIRECTED", inverse=True))
    assert not {"follows", "followed"} & set(told("FOLLOWS", inverse=True))


def test_own_words_are_not_told_again_and_nothing_twice() -> None:
    relations = sorted(CLINIC.relations)
    for place, said in enumerate(other_wordings(CLINIC, relations)):
        own = CLINIC.words(relations[place // 2], inverse=bool(place % 2))
        assert own not in said
        assert len(set(said)) == len(said) <= MOST


def test_of_very_many_relations_only_the_synonyms_of_the_schema_are_told() -> None:
    relations = [f"relation_{number}" for number in range(RELATIONS)] + ["RESULTED_IN"]
    assert other_wordings(CLINIC, relations)[-2:] == [("led to", "ended with"), ()]


def test_who_has_a_relationships_value_is_told_from_who_is_at_its_other_end() -> None:
    schema = Schema.from_yaml("""
labels: {Person: {words: person}, Movie: {words: movie}}
relations:
  REVIEWED: {words: reviewed, head: Person, tail: Movie, properties: {rating: {}}}
  REVIEWED.rating: {words: rating, inverse: person with rating, head: Person, tail: integer}
  ~REVIEWED.rating: {words: rating, inverse: movie with rating, head: Movie, tail: integer}
""")
    _, _, _, person, _, movie = other_wordings(schema, ["REVIEWED", "REVIEWED.rating", "~REVIEWED.rating"])
    assert {"person with score", "person reviewed with rating"} <= set(person)
    assert {"movie with score", "movie reviewed with rating"} <= set(movie)
