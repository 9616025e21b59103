"""Which ways lead to people, by what relations call their ends."""

from __future__ import annotations

import pytest

from graph_schema import Fact, LabelSchema, RelationSchema, Schema
from kgqa.adapt.people import ways_to_people
from kgqa.adapt.phrases import phrases
from kgqa.adapt.questions import make_questions
from tests.reader import small_graph
from tests.sets import graph


def test_relatives_are_people_and_so_are_those_who_have_what_they_have() -> None:
    facts = [Fact(f"p{n}", "spouse", f"q{n}") for n in range(4)]
    facts += [Fact(f"p{n}", "religion", f"r{n % 2}") for n in range(4)]
    facts += [Fact(f"town{n}", "country", "c") for n in range(4)]
    assert ways_to_people(graph(facts)) == {("spouse", False), ("spouse", True), ("religion", True)}


def test_who_did_it_is_a_person_and_what_it_was_done_to_is_not() -> None:
    ways = ways_to_people(graph(small_graph()))
    assert ("directed_by", False) in ways
    assert ("directed_by", True) not in ways


def test_people_are_not_called_things() -> None:
    facts = [Fact(f"p{n}", "spouse", f"q{n}") for n in range(40)] + [
        Fact(f"p{n}", "religion", f"r{n % 5}") for n in range(40)
    ]
    asked = [one.plain for one in make_questions(graph(facts), 400, 0, 2, kinds=("country", "school"))]
    assert any(word in text for text in asked for word in ("people", "person", "woman", "women"))
    wives = [one.plain for one in make_questions(graph(facts[:40]), 200, 0, 1, kinds=("country", "school"))]
    assert not any(kind in text for text in wives for kind in ("country", "countries", "school"))


@pytest.mark.parametrize(("tail", "who"), [("Drug", False), ("string", False), ("Person", True)])
def test_a_suspect_is_a_person_only_where_its_label_says_so(tail: str, who: bool) -> None:
    labels = {name: LabelSchema(words=name.lower()) for name in ("Case", "Drug", "Person")}
    words = "dose of primary suspect" if tail == "string" else "primary suspect"
    said = {"SUSPECT": RelationSchema(words=words, inverse="case with primary suspect", head="Case", tail=tail)}
    schema = Schema(labels=labels, relations=said)
    assert phrases(schema, "SUSPECT", False, tail).who is who
    assert not phrases(schema, "SUSPECT", True, "Case").who
