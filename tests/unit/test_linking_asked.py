"""What kind of thing a question says that it asks for."""

from __future__ import annotations

import pytest

from graph_schema import Schema
from kgqa.linking.asked import AskedKinds

SCHEMA = Schema.from_yaml("""
labels: {Person: {}, Movie: {}, AgeGroup: {}, Case: {}}
relations:
  DIRECTED: {words: directed, head: Person, tail: Movie}
  FALLS_UNDER: {words: falls under, head: Case, tail: AgeGroup}
  HAS_REACTION: {words: reaction, head: Case, tail: Reaction}
""")
ASKED = AskedKinds(SCHEMA, [*SCHEMA.relations, "unknown"])


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("which movies did [MASK] direct", "Movie"),
        ("Which film has the tagline [MASK]?", "Movie"),
        ("List all the movies reviewed with the summary [MASK].", "Movie"),
        ("what are the names of the movies that [MASK] made", "Movie"),
        ("movies with a rating of [MASK]", "Movie"),
        ("in which cases did [MASK] occur", "Case"),
        ("find all distinct persons who follow [MASK]", "Person"),
        ("Show me the people directed by [MASK]", "Person"),
        ("which people", "Person"),
        ("which age group does [MASK] fall under", "AgeGroup"),
        ("what is the age group of [MASK]", "AgeGroup"),
        ("who directed [MASK]", None),
        ("which movie's director is [MASK]", None),
        ("which case reactions has [MASK]", None),
        ("which movie [MASK] is it", None),
        ("movie of [MASK]", None),  # one thing, said of another as like as not
        ("what moviegoers saw [MASK]", None),
        ("which reactions has [MASK]", None),  # no label of the schema's
        ("", None),
    ],
)
def test_the_kind_that_a_question_asks_for(text: str, kind: str | None) -> None:
    at = ASKED(text)
    assert (ASKED.labels[at] if at >= 0 else None) == kind


def test_each_relation_leads_from_a_kind_where_its_ends_are_known() -> None:
    of = [ASKED.labels[at] if at >= 0 else None for at in ASKED.of]
    assert of == ["Person", "Movie", "Case", "AgeGroup", "Case", None, None, None]


def test_a_graph_without_labels_is_asked_for_no_kind() -> None:
    asked = AskedKinds(Schema(), ["directed_by"])
    assert (asked("which movies did [MASK] direct"), asked.of) == (-1, [-1, -1])


def test_another_wording_after_a_kind_says_that_something_else_is_asked_for() -> None:
    asked = AskedKinds(SCHEMA, list(SCHEMA.relations), [("actor", "starred in"), ()])
    assert asked("which movie actors follow [MASK]") == -1
    assert asked.labels[asked("which movies starred [MASK]")] == "Movie"
    assert ASKED("which movie actors follow [MASK]") >= 0  # a word that nothing says
