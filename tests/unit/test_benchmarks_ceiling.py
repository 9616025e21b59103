"""What can be reached where questions list less than the graph gives."""

from __future__ import annotations

import pytest

from benchmarks.ceiling import Taught, ceiling, ceiling_of_part, told
from graph_schema import Fact
from kgqa.data import Question
from kgqa.data.graph import Walker
from kgqa.data.questions import GoldPath
from tests.sets import graph

WALKER = Walker(
    graph(
        [
            Fact("crash", "by", "ann"),
            Fact("crash", "by", "bob"),
            Fact("crash", "with", "ann"),
            Fact("heat", "by", "cleo"),
        ]
    )
)


def about(topic: str, *answers: str) -> Question:
    return Question(f"who {topic}", ((4, 4 + len(topic)),), answers, "1-hop")


def test_the_relation_that_gives_fewest_of_those_that_give_all_is_followed() -> None:
    assert ceiling(WALKER, [about("crash", "ann")]) == {"hits_at_1": 1, "f1": 1, "more": 0, "uncovered": 0}
    assert ceiling(WALKER, [about("crash", "bob")]) == {
        "hits_at_1": 0.5,
        "f1": pytest.approx(2 / 3),
        "more": 1,
        "uncovered": 0,
    }


def test_all_questions_count() -> None:
    found = ceiling(
        WALKER, [about("crash", "bob"), about("heat", "cleo"), about("heat", "ann"), about("crash", "ann", "bob")]
    )
    assert found == {"hits_at_1": 0.625, "f1": pytest.approx((2 / 3 + 2) / 4), "more": 1, "uncovered": 1}


def test_where_facts_are_gone_a_topic_or_all_answers_may_be() -> None:
    left = Walker(graph([Fact("crash", "by", "bob"), Fact("heat", "with", "dora")]))

    def asked(topic: str, *answers: str) -> Question:
        way = GoldPath(topic, (("by", False),))
        return Question(f"who {topic}", ((4, 4 + len(topic)),), answers, "1-hop", paths=(way,))

    whole = asked("crash", "bob", "ann")
    broken = asked("heat", "dora")  # both are there, but not this fact
    lost = [asked("alien", "bob"), asked("heat", "cleo")]
    assert ceiling_of_part(left, [whole, broken, *lost]) == {"hits_at_1": 0.5, "broken": 3, "gone": 2}


def test_what_training_questions_tell_of_what_is_gone() -> None:
    def asked(topic: str, steps: tuple[tuple[str, bool], ...], *answers: str) -> Question:
        return Question(f"who {topic}", ((4, 4 + len(topic)),), answers, paths=(GoldPath(topic, steps),))

    by, back = ("by", False), ("by", True)
    left = Walker(graph([Fact("crash", "with", "ann"), Fact("heat", "by", "cleo")]))
    lost = asked("crash", (by,), "ann", "bob")
    there = asked("heat", (by,), "cleo")
    longer = asked("crash", (by, back), "crash")
    taught = Taught(WALKER, [asked("bob", (back,), "crash")])
    assert taught.facts == {Fact("crash", "by", "bob")}
    assert told(WALKER, left, taught, [lost, there]) == {"told_hits_at_1": 1.0, "told_back": 1}
    # A training question of other hops, or another way, tells nothing back; nor does one of several hops tell facts.
    assert told(WALKER, left, taught, [longer]) == {"told_hits_at_1": 1.0, "told_back": 0}
    of_two = Taught(WALKER, [asked("ann", (back, by), "bob")])
    assert not of_two.facts
    assert told(WALKER, left, of_two, [lost]) == {"told_hits_at_1": 0.0, "told_back": 0}
    assert told(WALKER, left, Taught(WALKER, [longer]), [longer]) == {"told_hits_at_1": 0.0, "told_back": 1}
