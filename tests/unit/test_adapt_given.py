"""The way of a question that somebody asked, told by its answers."""

from __future__ import annotations

import pytest

from graph_schema import Fact
from kgqa.adapt import given
from kgqa.adapt.given import with_ways
from kgqa.data import Question
from kgqa.data.questions import GoldPath
from tests.reader import small_graph
from tests.sets import graph

FACTS = [
    *(Fact(film, "directed_by", who) for film, who in (("heat", "mann"), ("ali", "mann"), ("alien", "scott"))),
    *(Fact(film, "written_by", who) for film, who in (("heat", "mann"), ("ali", "roth"), ("alien", "bannon"))),
    *(Fact(film, "genre", kind) for film, kind in (("heat", "crime"), ("ali", "drama"), ("alien", "horror"))),
]
GRAPH = graph(FACTS)


def way(topic: str, *answers: str, hops: int = 3) -> tuple[GoldPath, ...]:
    question = Question(f"what of {topic}", ((8, 8 + len(topic)),), answers)
    return with_ways([question], GRAPH, hops)[0].paths


def test_the_way_that_leads_to_just_the_answers_is_taken() -> None:
    assert way("heat", "crime") == (GoldPath("heat", (("genre", False),)),)
    assert way("mann", "crime", "drama") == (GoldPath("mann", (("directed_by", True), ("genre", False))),)


def test_the_topic_is_left_out_where_the_way_turns_back() -> None:
    assert way("heat", "ali") == (GoldPath("heat", (("directed_by", False), ("directed_by", True)), no_return=True),)
    three = way("heat", "drama")
    assert three == (
        GoldPath("heat", (("directed_by", False), ("directed_by", True), ("genre", False)), no_return=True),
    )


def test_nothing_is_taken_where_two_ways_lead_there_or_none_does_or_it_is_too_far() -> None:
    assert way("heat", "mann") == ()  # directed, or wrote
    assert way("heat", "crime", "horror") == ()
    assert way("alien", "drama") == ()
    assert way("heat", "drama", hops=2) == ()
    assert way("heat", "nobody") == way("nothing", "mann") == way("heat") == ()


def test_a_way_that_is_known_stays_and_two_topics_have_none() -> None:
    known = Question("x", ((0, 1),), ("crime",), paths=(GoldPath("heat", (("written_by", False),)),))
    two = Question("heat ali", ((0, 4), (5, 8)), ("mann",))
    assert with_ways([known, two], GRAPH, 3) == [known, two]


def test_a_search_that_would_take_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    assert way("heat", "drama")
    monkeypatch.setattr(given, "LOOKED_AT", 5)
    assert way("heat", "drama") == ()
    assert way("heat", "crime")


def test_of_things_of_one_name_the_way_needs_to_reach_only_one() -> None:
    films = [*small_graph(), Fact("f1", "kin", "a1"), Fact("f2", "kin", "a2")]
    named = graph(films, {"a1": "Twin", "a2": "Twin"})
    question = Question("kin of f1", ((7, 9),), ("Twin",))
    assert with_ways([question], named, 2)[0].paths == (GoldPath("f1", (("kin", False),)),)
