"""Gold paths on a graph, and questions that a graph doesn't answer."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph_schema import Fact, InputError
from graph_schema.text import name_key
from kgqa.data.graph import Walker, thinned, without
from kgqa.data.questions import GoldPath, Question
from kgqa.data.unanswerable import (
    FACTS_REMOVED,
    UNKNOWN_ENTITY,
    UNKNOWN_RELATION,
    remove_facts,
    unknown_entities,
    unknown_relations,
)
from kgqa.evaluation.slices import slices
from kgqa.linking import find_mentions
from tests.sets import asked, family, graph

FACTS = family(40)
WALKER = Walker(graph(FACTS))
QUESTIONS = asked(WALKER, 40)


def test_a_path_is_walked_from_set_to_set() -> None:
    path = GoldPath("person2", (("parent", True), ("lives_in", False)))
    assert WALKER.frontiers(path) == [{"person2"}, {"person4", "person5"}, {"town0", "town3"}]
    back = (("parent", False), ("parent", True))
    assert WALKER.frontiers(GoldPath("person4", back))[-1] == {"person4", "person5"}
    assert WALKER.frontiers(GoldPath("person4", back, no_return=True))[-1] == {"person5"}
    assert WALKER.frontiers(GoldPath("nobody", back)) == [set(), set(), set()]


def test_proofs_are_the_facts_on_a_way_to_the_answers() -> None:
    path = GoldPath("person2", (("parent", True), ("lives_in", False)))
    assert WALKER.proofs(path, ["town0"]) == [
        {Fact("person4", "parent", "person2")},
        {Fact("person4", "lives_in", "town0")},
    ]
    question = Question("where do the children of person2 live", (), ("town0",), paths=(path,))
    assert WALKER.entities(question) == {"person2", "person4", "town0"}
    assert WALKER.answers(question) == {"town0", "town3"}


def test_a_conjunction_is_what_all_paths_reach() -> None:
    home, kin = GoldPath("town0", (("lives_in", True),)), GoldPath("person2", (("parent", True),))
    assert WALKER.answers(Question("who", (), ("person4",), paths=(home, kin))) == {"person4"}
    assert WALKER.answers(Question("who", (), ("person4",))) == set()


def test_names_are_looked_up_where_there_is_no_such_id() -> None:
    assert WALKER.ids(["person1", "PERSON2", "nobody"]) == {"person1", "person2"}


def test_a_question_whose_answers_can_no_longer_be_reached_isnt_answered() -> None:
    thin = Walker(thinned(WALKER.snapshot, 0.4, 0))
    gold = slices(QUESTIONS, thin)["gold path"]
    assert [thin.answers_some(question) for question in QUESTIONS] == (~gold["broken"]).tolist()
    assert 0 < int(gold["broken"].sum()) < len(QUESTIONS)
    assert all(map(WALKER.answers_some, QUESTIONS))
    # What a path leads to now isn't what it led to; and without a path, an answer is there or it isn't.
    lives = (GoldPath("person1", (("lives_in", False),)),)
    home = next(iter(WALKER.frontiers(lives[0])[-1]))
    other = next(town for town in ("town0", "town1") if town != home)
    assert [
        WALKER.answers_some(Question("where", (), answers, paths=paths))
        for answers, paths in (
            ((home,), lives),
            ((other,), lives),
            ((other,), ()),
            (("nowhere",), ()),
            ((), ()),
            ((), lives),
        )
    ] == [True, False, True, False, False, False]


def test_degrees_count_facts_once() -> None:
    degrees = Walker(graph([*FACTS, Fact("person0", "likes", "person0")])).degrees()
    assert degrees["person0"] == 4  # lives_in, likes a thing, likes itself, parent of person1
    assert degrees["country0"] == 2


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([0.1, 0.3, 0.5]))
def test_what_is_removed_leaves_no_answer_and_the_rest_as_it_was(seed: int, share: float) -> None:
    found = remove_facts(QUESTIONS, WALKER, share, seed)
    left = Walker(found.snapshot)
    assert len(left.facts) == len(WALKER.facts) - found.removed
    assert len(found.unanswerable) + len(found.answerable) + found.changed == len(QUESTIONS)
    assert len(found.unanswerable) >= round(share * len(QUESTIONS))
    assert len(found.unanswerable) <= share * len(QUESTIONS) + 20  # the most that one fact's loss costs here
    for question in found.unanswerable:
        assert (question.answers, question.listed, question.part) == ((), "", FACTS_REMOVED)
        assert left.answers(question) == set()
    for question in found.answerable:
        assert question in QUESTIONS
        assert left.answers(question) == set(question.answers)
    again = remove_facts(QUESTIONS, WALKER, share, seed)
    assert (again.unanswerable, again.answerable) == (found.unanswerable, found.answerable)


def test_what_says_the_same_in_other_words_goes_too() -> None:
    facts = [Fact("ann", "child_of", "bea"), Fact("bea", "parent_of", "ann"), Fact("ann", "likes", "tea")]
    question = Question("who is ann's mother", ((7, 10),), ("bea",), paths=(GoldPath("ann", (("child_of", False),)),))
    found = remove_facts([question], Walker(graph(facts)), 1.0, 0)
    assert list(found.snapshot.all_facts()) == [Fact("ann", "likes", "tea")]
    assert found.removed == 2
    assert len(found.unanswerable) == 1


def test_nothing_to_remove_and_everything_removed() -> None:
    nothing = remove_facts(QUESTIONS, WALKER, 0.0, 0)
    assert (nothing.removed, nothing.answerable, nothing.snapshot) == (0, tuple(QUESTIONS), WALKER.snapshot)
    with pytest.raises(InputError, match="no fact of the graph would be left"):
        without(WALKER.snapshot, set(FACTS))
    with pytest.raises(InputError, match="not every question has a gold path"):
        remove_facts([Question("who", (), ("a",))], WALKER, 0.5, 0)


def test_unknown_entities_are_names_that_nobody_bears() -> None:
    made = unknown_entities(QUESTIONS, WALKER.snapshot, 30, 0)
    assert len(made) == 30
    for question in made:
        assert (question.answers, question.part, question.paths) == ((), UNKNOWN_ENTITY, ())
        [(start, end)] = question.spans
        name = question.plain[start:end]
        assert WALKER.snapshot.lookup([name_key(name), *map(name_key, name.split())]) == {}
        assert find_mentions(question.plain, (), WALKER.snapshot) == ()
        assert any(question.plain == q.plain[: q.spans[0][0]] + name + q.plain[q.spans[0][1] :] for q in QUESTIONS)
    assert made == unknown_entities(QUESTIONS, WALKER.snapshot, 30, 0)
    assert made != unknown_entities(QUESTIONS, WALKER.snapshot, 30, 1)
    assert len(unknown_entities(QUESTIONS[:3], WALKER.snapshot, 30, 0)) == 3
    assert unknown_entities([Question("who", (), ("a",))], WALKER.snapshot, 30, 0) == []


def test_all_topics_of_a_question_are_replaced() -> None:
    both = Question("who of person1 and person2 ?", ((7, 14), (19, 26)), ("x",))
    [made] = unknown_entities([both], WALKER.snapshot, 1, 0)
    assert len(made.spans) == 2
    assert "person" not in made.plain
    assert made.plain.startswith("who of ")
    assert made.plain.endswith(" ?")
    assert find_mentions(made.plain, made.spans, WALKER.snapshot)[1].text == made.plain[slice(*made.spans[1])]


def test_unknown_relations_ask_for_what_no_relation_is_about() -> None:
    facts = [*FACTS, Fact("person1", "blood_type", "A"), Fact("person1", "has_pet", "rex")]
    snapshot = graph(facts)
    made = unknown_relations(QUESTIONS, snapshot, 200, 0)
    assert len(made) == 200
    for question in made:
        assert (question.answers, question.part) == ((), UNKNOWN_RELATION)
        assert question.plain[slice(*question.spans[0])] in snapshot.entities(question.topics)
        assert not {"blood", "pet"} & set(question.plain.split())
    assert made == unknown_relations(QUESTIONS, snapshot, 200, 0)
    assert any("type" in q.plain or "shoe" in q.plain for q in made)
    with pytest.raises(InputError, match="no question about an unknown relation"):
        unknown_relations([Question("who", (), ("a",))], snapshot, 1, 0)


def test_ways_that_always_give_the_same_are_cut_together() -> None:
    """Clubs that have a player from a country, and clubs there: nobody plays abroad, so the answers can't tell."""
    facts, towns = [], ("a", "b", "c", "d")
    for town in towns:
        for i in (1, 2):
            facts += [
                Fact(f"player {town}{i}", "comes_from", town),
                Fact(f"player {town}{i}", "plays_for", f"club {town}{i}"),
                Fact(f"club {town}{i}", "is_in", town),
                Fact(f"player {town}{i}", "likes", "tea"),
            ]
    walker = Walker(graph(facts))
    gold = (("comes_from", True), ("plays_for", False))
    questions = [
        Question(
            f"where do players from {town} play", (), (f"club {town}1", f"club {town}2"), paths=(GoldPath(town, gold),)
        )
        for town in towns
    ]
    assert walker.same(questions) == {(gold, False): [(("is_in", True),)]}
    assert walker.same(questions[:2]) == {}  # two that agree show nothing
    for seed in range(10):
        found = remove_facts(questions, walker, 0.5, seed)
        left = Walker(found.snapshot)
        assert len(found.unanswerable) == 2
        for question in found.unanswerable:
            assert left.answers(question) == set()
            assert left.frontiers(GoldPath(question.paths[0].topic, (("is_in", True),)))[-1] == set()
        for question in found.answerable:
            assert left.frontiers(GoldPath(question.paths[0].topic, (("is_in", True),)))[-1] == set(question.answers)
    abroad = [*facts, Fact("player a1", "plays_for", "club d1")]
    assert walker.same(questions) != Walker(graph(abroad)).same(questions) == {(gold, False): []}


def test_ways_are_looked_at_while_they_are_narrow() -> None:
    ways = {steps: far for steps, far in WALKER.ways("person2", 2) if len(steps) == 2}
    assert ways[("parent", True), ("lives_in", False)] == {"town0", "town3"}
    assert "person2" in ways[("parent", False), ("parent", True)]
    assert all("person2" not in far for _, far in WALKER.ways("person2", 2, no_return=True))
    wide = Walker(graph([Fact("hub", "has", f"leaf {i}") for i in range(1001)] + [Fact("leaf 1", "is", "green")]))
    assert [steps for steps, _ in wide.ways("hub", 3)] == [(("has", False),)]
