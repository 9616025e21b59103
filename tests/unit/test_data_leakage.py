"""Splits keep what they promise, and leaks are measured as a look at every pair finds them."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph_schema import Fact, InputError
from kgqa.data.graph import Walker
from kgqa.data.leakage import Kind, Split, check, make_split, measure
from kgqa.data.questions import GoldPath, Question
from tests.sets import asked, family, graph

KINDS: tuple[Kind, ...] = ("random", "path", "entity", "relation")
WALKERS = {people: Walker(graph(family(people))) for people in (12, 30, 60)}
QUESTIONS = {people: asked(walker, people) for people, walker in WALKERS.items()}
shares = st.sampled_from([(0.8, 0.1, 0.1), (0.6, 0.2, 0.2), (0.5, 0.2, 0.3)])
drawn = st.tuples(st.sampled_from(sorted(WALKERS)), st.integers(0, 50), shares)


def rests_on(question: Question, facts: set[Fact]) -> set[str]:
    """Entities of a question by walking every way from the topic and keeping those that end in an answer."""
    ways: list[tuple[str, ...]] = [(path.topic,) for path in question.paths]
    for path in question.paths:
        for relation, inverse in path.steps:
            ways = [
                (*way, fact.head if inverse else fact.tail)
                for way in ways
                for fact in facts
                if fact.relation == relation and way[-1] == (fact.tail if inverse else fact.head)
            ]
    return {entity for way in ways if way[-1] in question.answers for entity in way}


@settings(max_examples=40, deadline=None)
@given(drawn, st.sampled_from(KINDS))
def test_every_question_is_in_one_part_and_a_seed_gives_the_same_split(
    given_: tuple[int, int, tuple[float, float, float]], kind: Kind
) -> None:
    people, seed, wanted = given_
    questions, walker = QUESTIONS[people], WALKERS[people]
    split = make_split(questions, kind, seed, walker, wanted)
    assert Counter((*split.train, *split.dev, *split.test)) == Counter(questions)
    assert split == make_split(questions, kind, seed, walker, wanted)
    assert check(split, kind, walker) == []


@settings(max_examples=20, deadline=None)
@given(drawn)
def test_sizes_are_near_what_was_asked(given_: tuple[int, int, tuple[float, float, float]]) -> None:
    people, seed, wanted = given_
    questions, walker = QUESTIONS[people], WALKERS[people]
    sizes = [round(share * len(questions)) for share in wanted]

    def off(kind: Kind) -> list[int]:
        split = make_split(questions, kind, seed, walker, wanted)
        found = (split.train, split.dev, split.test)
        return [len(part) - size for part, size in zip(found, sizes, strict=True)]

    assert max(map(abs, off("random"))) <= 1
    # Two wordings of one path stay together, and no text here stands for two paths.
    assert max(map(abs, off("path"))) <= 2
    for kind in ("entity", "relation"):
        train, dev, test = off(kind)
        assert abs(dev) <= 1
        assert test <= 0
        assert train >= -1
    # Somebody without children is in at most a handful of questions, so the share is nearly filled.
    assert off("entity")[2] >= -12


@settings(max_examples=20, deadline=None)
@given(drawn)
def test_no_path_from_a_topic_and_no_wording_is_in_two_parts(
    given_: tuple[int, int, tuple[float, float, float]],
) -> None:
    people, seed, wanted = given_
    split = make_split(QUESTIONS[people], "path", seed, WALKERS[people], wanted)
    parts = (split.train, split.dev, split.test)
    for i, one in enumerate(parts):
        for other in parts[i + 1 :]:
            assert not any(a.paths == b.paths or a.plain == b.plain for a in one for b in other)


@settings(max_examples=15, deadline=None)
@given(drawn)
def test_no_hidden_entity_is_in_what_training_sees(given_: tuple[int, int, tuple[float, float, float]]) -> None:
    people, seed, wanted = given_
    walker = WALKERS[people]
    facts = set(walker.facts)
    split = make_split(QUESTIONS[people], "entity", seed, walker, wanted)
    seen = {entity for question in (*split.train, *split.dev) for entity in rests_on(question, facts)}
    in_facts = {end for fact in split.training_graph(walker.snapshot).all_facts() for end in (fact.head, fact.tail)}
    assert split.hidden_entities
    assert not split.hidden_entities & (seen | in_facts)
    for question in split.test:
        assert rests_on(question, facts) & split.hidden_entities
    # What training sees is otherwise whole: its questions' answers can all be walked to.
    left = Walker(split.training_graph(walker.snapshot))
    for question in (*split.train, *split.dev):
        assert left.answers(question) == set(question.answers)


@settings(max_examples=15, deadline=None)
@given(drawn)
def test_no_hidden_relation_is_in_what_training_sees(given_: tuple[int, int, tuple[float, float, float]]) -> None:
    people, seed, wanted = given_
    walker = WALKERS[people]
    split = make_split(QUESTIONS[people], "relation", seed, walker, wanted)

    def relations(question: Question) -> set[str]:
        return {relation for relation, _ in question.paths[0].steps}

    assert split.hidden_relations
    assert not any(relations(question) & split.hidden_relations for question in (*split.train, *split.dev))
    assert all(relations(question) & split.hidden_relations for question in split.test)
    assert not set(split.training_graph(walker.snapshot).relations()) & split.hidden_relations


def test_seeds_give_different_splits() -> None:
    for kind in KINDS[:3]:
        assert make_split(QUESTIONS[60], kind, 1, WALKERS[60]) != make_split(QUESTIONS[60], kind, 2, WALKERS[60])


def test_leaks_are_what_a_look_at_every_pair_finds() -> None:
    walker, questions = WALKERS[30], QUESTIONS[30]
    split = make_split(questions, "random", 3, walker, (0.6, 0.2, 0.2))
    found = measure(split.train, split.test, walker)
    count = len(split.test)
    facts = set(walker.facts)
    assert found.questions == count
    assert found.text == sum(any(q.plain == t.plain for t in split.train) for q in split.test) / count
    assert found.path == sum(any(q.paths == t.paths for t in split.train) for q in split.test) / count
    assert 0 < found.path < 1
    assert found.relation_path == (
        sum(any(q.paths[0].steps == t.paths[0].steps for t in split.train) for q in split.test) / count
    )
    assert found.topic == sum(any(q.topics == t.topics for t in split.train) for q in split.test) / count
    same = [any((q.topics, q.answers) == (t.topics, t.answers) for t in split.train) for q in split.test]
    assert found.answers == sum(same) / count
    known = set().union(*(rests_on(t, facts) for t in split.train))
    assert found.known_entities == sum(rests_on(q, facts) <= known for q in split.test) / count


def test_a_random_split_is_found_to_break_the_other_promises() -> None:
    walker, questions = WALKERS[30], QUESTIONS[30]
    split = make_split(questions, "random", 0, walker)
    assert any("paths from a topic of test in train too" in fault for fault in check(split, "path", walker))
    some = next(iter(split.test[0].paths[0].steps))[0]
    pretended = Split(split.train, split.dev, split.test, frozenset({"person1"}), frozenset({some}))
    for kind in ("entity", "relation"):
        assert any("training or dev questions too" in fault for fault in check(pretended, kind, walker))
        assert any("test questions rest on nothing hidden" in fault for fault in check(pretended, kind, walker))


def test_conjunctions_are_one_key_whatever_the_order_of_their_paths() -> None:
    one, other = GoldPath("person1", (("parent", False),)), GoldPath("person2", (("lives_in", False),))
    questions = [
        Question(f"wording {i} of pair {i // 2}", (), ("x",), paths=(one, other) if i % 2 else (other, one))
        for i in range(2)
    ] + [
        Question(f"{steps} {i}", (), ("x",), paths=(GoldPath(f"person{i}", steps),))
        for i in range(10)
        for steps in ((("likes", False),), (("parent", True),))
    ]
    for seed in range(20):
        split = make_split(questions, "path", seed, WALKERS[12])
        assert sum({questions[0], questions[1]} <= set(part) for part in (split.train, split.dev, split.test)) == 1


def test_questions_without_gold_paths_are_told_apart_by_topics_and_answers() -> None:
    bare = [Question(q.plain, q.spans, q.answers) for q in QUESTIONS[30]]
    split = make_split(bare, "path", 0, WALKERS[30])
    held = {(q.topics, q.answers) for q in split.test}
    assert not held & {(q.topics, q.answers) for q in (*split.train, *split.dev)}
    assert measure(split.train, split.test, WALKERS[30]).relation_path == 0
    with pytest.raises(InputError, match="not every question has a gold path"):
        make_split(bare, "relation", 0, WALKERS[30])


@pytest.mark.parametrize("wanted", [(0.8, 0.1, 0.2), (1.0, 0.0, 0.0), (1.1, -0.2, 0.1)])
def test_shares_that_are_none_are_refused(wanted: tuple[float, float, float]) -> None:
    with pytest.raises(InputError, match="no shares of train, dev and test"):
        make_split(QUESTIONS[12], "random", 0, WALKERS[12], wanted)


def test_what_cant_be_split_is_refused() -> None:
    with pytest.raises(InputError, match="2 questions can't be split"):
        make_split(QUESTIONS[12][:2], "random", 0, WALKERS[12])
    only = [q for q in QUESTIONS[30] if q.paths[0].steps == (("lives_in", False),)]
    with pytest.raises(InputError, match="every relation is in more questions"):
        make_split(only, "relation", 0, WALKERS[30])
    with pytest.raises(InputError, match="no question is held out"):
        measure(only, [], WALKERS[30])
