"""The pipeline on an embedded store: live and batched, answers and evidence, changes, ambiguous names, budgets.

The film graph's own questions are asked of the reader that ships; the rest of a small one trained in this run.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import ingest
from graph_schema import Batch, Entity, Fact, FingerprintMismatch, GraphStore, Origin, Response, Schema
from kgqa.answering import Answerer
from kgqa.data import read_questions
from kgqa.model.checkpoint import load_checkpoint
from kgqa.names import NamesIndex
from kgqa.stores import EmbeddedStore, open_store
from kgqa.stores.snapshot import Snapshot
from tests.docs.test_demo import EXPECTED, QUESTIONS
from tests.reader import FILMS, SmallFilms, small_graph


@pytest.fixture
def store(small_films: SmallFilms, tmp_path: Path) -> Iterator[GraphStore]:
    """A store of its own, to be changed."""
    made = open_store(f"sqlite:///{tmp_path / 'films.db'}", create=True)
    ingest.load([small_films.facts], made)
    yield made
    made.close()


@pytest.fixture
def answerer(small_films: SmallFilms, store: GraphStore) -> Answerer:
    return Answerer(store, small_films.checkpoint, small_films.encoder)


@pytest.fixture(scope="module")
def one() -> Fact:
    """Who directed a film that has one director, who directed no other."""
    facts = [fact for fact in small_graph() if fact.relation == "directed_by"]
    heads, tails = [f.head for f in facts], [f.tail for f in small_graph()]
    return next(f for f in facts if heads.count(f.head) == 1 and tails.count(f.tail) == 1)


def names(response: Response) -> set[str]:
    return {answer.entity.name for answer in response.answers}


def untimed(response: Response) -> dict[str, object]:
    return {**response.as_dict(), "seconds": None}


def test_most_questions_are_answered_in_full_with_evidence_that_holds(
    small_films: SmallFilms, answerer: Answerer
) -> None:
    questions = read_questions(small_films.questions)
    right = 0
    for question in questions[:: len(questions) // 30]:
        (start, end), *_ = question.spans
        topic = question.plain[start:end]
        response = answerer.ask(f"{question.plain[:start]}[{topic}]{question.plain[end:]}")
        right += names(response) == set(question.answers)
        for answer in response.answers:
            (path,) = answer.evidence
            assert path.holds is True
            assert path.steps[0].source == topic
            assert path.steps[-1].target == answer.entity.id
            assert set(path.facts) <= set(small_graph())
        scores = [answer.score for answer in response.ranking]
        assert scores == sorted(scores, reverse=True)
    assert right >= 25  # of 30 or so


def test_a_batch_on_a_snapshot_gives_what_single_questions_on_the_store_do(
    small_films: SmallFilms, answerer: Answerer, store: GraphStore
) -> None:
    lines = small_films.questions.read_text("utf-8").splitlines()
    questions = [line.split("\t")[0] for line in lines[::7]] + ["who are you", "who directed [Nothing Known]"]
    single = [untimed(answerer.ask(question, explain=True)) for question in questions]
    batch = [untimed(response) for response in answerer.ask_many(questions, Snapshot.build(store), explain=True)]
    for left, right in zip(single, batch, strict=True):
        for name in ("question", "topics", "notes", "touched"):
            assert left[name] == right[name]
        for name in ("answers", "ranking"):
            assert [entity["id"] for entity in left[name]] == [entity["id"] for entity in right[name]]  # type: ignore[attr-defined]


def test_no_questions_at_all(answerer: Answerer, store: GraphStore) -> None:
    assert answerer.ask_many([], Snapshot.build(store)) == []


def test_what_was_touched(answerer: Answerer, one: Fact) -> None:
    touched = answerer.ask(f"who directed [{one.head}]").subgraph
    assert touched
    assert one in touched.facts()
    assert set(touched.facts()) <= set(small_graph())
    assert list(touched.entities) == sorted(touched.entities)
    assert touched.entities[touched.topics[0]] == one.head
    assert np.all((touched.weight >= 0) & (touched.weight <= 1.00001))
    assert touched.cut == ()


def test_a_fact_that_is_gone_from_the_store_is_marked(answerer: Answerer, store: GraphStore, one: Fact) -> None:
    snapshot = Snapshot.build(store)
    question = f"who directed [{one.head}]"
    assert store.delete([one]) == 1
    (stale,) = answerer.ask_many([question], snapshot)
    (answer,) = stale.answers
    assert answer.entity.id == one.tail
    assert answer.evidence[0].holds is False
    assert one.tail not in names(answerer.ask(question))


def test_new_facts_are_answered_from_at_once(answerer: Answerer, store: GraphStore, one: Fact) -> None:
    store.write(Batch([], [Fact("A Film Never Seen", "directed_by", "Some Body")]))
    assert names(answerer.ask("who directed [A Film Never Seen]")) == {"Some Body"}


def test_of_namesakes_one_is_taken_and_the_others_are_told(answerer: Answerer, store: GraphStore) -> None:
    twins = [Entity(f"twin/{n}", "The Twins", "Film") for n in (1, 2, 3)]
    facts = [Fact("twin/1", "directed_by", "Some Body"), Fact("twin/2", "directed_by", "Any Body")]
    facts += [Fact("twin/1", "release_year", "1999"), Fact("twin/2", "release_year", "2004")]
    facts += [Fact("twin/2", "starred_actors", "Some Body"), Fact("twin/3", "has_tags", "twins")]
    store.write(Batch(twins, facts))
    response = answerer.ask("who directed [the twins]")
    assert names(response) == {"Any Body"}, "the one that most is known of, of those that have a director"
    (topic,) = response.topics
    assert topic.ambiguous
    assert [entity.id for entity in topic.entities] == ["twin/2"]
    assert [entity.id for entity in topic.alternatives] == ["twin/1", "twin/3"]
    assert '3 films are called "The Twins"; took the one of 2004.' in response.notes
    (batched,) = answerer.ask_many(["who directed [the twins]"], Snapshot.build(store))
    assert batched.notes == response.notes


def test_namesakes_are_told_apart_by_their_properties_and_by_what_the_question_says(
    answerer: Answerer, store: GraphStore
) -> None:
    twins = [Entity("twin/1", "The Twins", "Film", properties={"released": 1999, "colour": True})]
    twins += [Entity("twin/2", "The Twins", "Film", properties={"released": 2004, "colour": True})]
    facts = [Fact("twin/1", "directed_by", "Some Body"), Fact("twin/2", "directed_by", "Any Body")]
    store.write(Batch([*twins, Entity("Some Body", "Some Body")], facts))
    first = answerer.ask("who directed [The Twins]")
    assert names(first) == {"Some Body"}
    assert '2 films are called "The Twins"; took the one of 1999.' in first.notes
    second = answerer.ask("who directed [The Twins] of 2004")
    assert names(second) == {"Any Body"}
    assert '2 films are called "The Twins"; took the one of 2004.' in second.notes


def test_the_kind_that_the_question_says_decides(answerer: Answerer, store: GraphStore) -> None:
    both = [Entity("it/1", "Mercurio", "Film"), Entity("it/2", "Mercurio", "Person")]
    facts = [Fact("it/1", "directed_by", "Some Body"), Fact("it/2", "directed_by", "Any Body")]
    store.write(Batch(both, facts))
    for kind, expected in (("person", {"Any Body"}), ("film", {"Some Body"})):
        response = answerer.ask(f"who directed the {kind} Mercurio")
        assert names(response) == expected
        assert f'2 entities are called "Mercurio"; took the {kind}.' in response.notes


def test_a_name_written_otherwise_is_read_and_said(answerer: Answerer, store: GraphStore) -> None:
    store.write(Batch([], [Fact("Pulp Fiction", "directed_by", "Quentin Tarantino")]))
    exact = answerer.ask("who directed Pulp Fction?")
    assert names(exact) == set()
    with_names = replace(answerer, names=NamesIndex())
    assert isinstance(with_names.names, NamesIndex)
    with_names.names.refresh(store.all_entities())
    for text, read, how in (
        ("who directed Pulp Fction?", "Pulp Fction", "typo"),
        ("who directed pulp fction?", "pulp fction", "typo"),
        ("who directed PulpFiction?", "PulpFiction", "joined"),
    ):
        response = with_names.ask(text)
        assert names(response) == {"Quentin Tarantino"}
        assert [(topic.text, topic.how) for topic in response.topics] == [(read, how)]
        assert f'Read "{read}" as Pulp Fiction.' in response.notes
    store.delete([Fact("Pulp Fiction", "directed_by", "Quentin Tarantino")])
    assert with_names.ask("who directed Pulp Fction?").topics == (), "the store has the last word"


def test_a_budget_that_cuts_is_said(small_films: SmallFilms, store: GraphStore) -> None:
    store.write(Batch([], [Fact("A Crowd", "starred_actors", f"Actor {i:03}") for i in range(200)]))
    answerer = Answerer(store, small_films.checkpoint, small_films.encoder, budget_edges=50)
    response = answerer.ask("who starred in [A Crowd]")
    assert response.subgraph
    assert [(cut.relation, cut.inverse, cut.facts) for cut in response.subgraph.cut if cut.hop == 1] == [
        ("starred_actors", False, 150)
    ]
    assert "150 facts were left out for the budget of 50 a hop; answers may be missing." in response.notes
    assert len(response.answers) <= 50
    whole = Answerer(store, small_films.checkpoint, small_films.encoder).ask("who starred in [A Crowd]")
    assert len(whole.answers) == 200


def test_the_trace_adds_up(answerer: Answerer, one: Fact) -> None:
    response = answerer.ask(f"who directed [{one.head}]", explain=True)
    assert response.trace[0].hop == 1
    name, inverse, _ = response.trace[0].relations[0]
    assert (name, inverse) == ("directed_by", False)
    for hop in response.trace:
        assert sum(weight for _, weight in hop.words) == pytest.approx(1, abs=1e-4)
        assert sum(weight for *_, weight in hop.relations) <= 1 + 1e-4
        assert 0 <= hop.stop <= 1
    assert set(response.fusion) == {"question", "graph"}
    (answer,) = response.answers
    assert set(answer.sides) == {"path", "slots", "question"}
    logit = torch.tensor([sum(answer.sides.values())])
    said = answerer.checkpoint.config.calibration(torch.nn.functional.logsigmoid(logit)).exp()
    assert answer.score == pytest.approx(said.item(), abs=1e-3)
    weights = [weight for *_, weight in response.expected]
    assert weights == sorted(weights, reverse=True)
    assert len({(name, inverse) for name, inverse, _ in response.expected}) == len(weights) == 8
    assert answerer.ask(f"who directed [{one.head}]").answers[0].sides == {}
    assert set(response.seconds) == {"linking", "encoder", "retrieval", "reading", "evidence"}


def test_another_encoder_is_refused(small_films: SmallFilms, store: GraphStore) -> None:
    config = small_films.checkpoint.config.model_copy(update={"encoder_fingerprint": "0" * 16})
    with pytest.raises(FingerprintMismatch, match=rf"0000.*the one loaded is {small_films.encoder.fingerprint()}"):
        Answerer(store, replace(small_films.checkpoint, config=config), small_films.encoder)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory, small_films: SmallFilms) -> Iterator[Answerer]:
    """The whole film graph and the reader that ships."""
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('films') / 'films.db'}", create=True)
    ingest.load([FILMS], store)
    yield Answerer(store, load_checkpoint(), small_films.encoder)
    store.close()


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_demonstrations_questions_are_answered(films: Answerer, question: str) -> None:
    topic, relations = QUESTIONS[question]
    response = films.ask(question)
    assert [found.text for found in response.topics] == [topic]
    assert names(response) >= EXPECTED[topic]
    for answer in response.answers:
        (path,) = answer.evidence
        assert path.holds is True
        assert path.steps[0].source == topic
        assert [f"{'^' * step.inverse}{step.fact.relation}" for step in path.steps] == list(relations)


def test_where_facts_come_from_is_only_asked_if_it_is_wanted(
    answerer: Answerer, one: Fact, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    store = answerer.reader
    assert isinstance(store, EmbeddedStore)
    whole = store.origins

    def counted(facts: Sequence[Fact]) -> list[tuple[Origin, ...]]:
        asked.append(len(facts))
        return whole(facts)

    monkeypatch.setattr(store, "origins", counted)
    assert answerer.ask(f"who directed [{one.head}]").origins == {}
    assert asked == []
    origins = answerer.ask(f"who directed [{one.head}]", origins=True).origins
    assert [origin.line > 0 for origin in origins[one]] == [True]
    assert len(asked) == 1, "one call, however many facts"


def test_a_batch_without_a_snapshot_follows_the_store(answerer: Answerer, store: GraphStore, one: Fact) -> None:
    questions = [f"who directed [{one.head}]", "who directed [The Night Train to Graz]"]
    first = answerer.ask_many(questions)
    assert [names(response) for response in first] == [{one.tail}, set()]
    store.write(Batch(facts=[Fact("The Night Train to Graz", "directed_by", "Ada Unbekannt")]))
    until = time.monotonic() + 30
    while names(answerer.ask_many(questions)[1]) != {"Ada Unbekannt"}:
        assert time.monotonic() < until
        time.sleep(0.05)


def test_the_kind_that_is_asked_for_is_read_from_the_schema_as_it_is(
    store: GraphStore, answerer: Answerer, one: Fact
) -> None:
    def sides() -> set[str]:
        return set(answerer.ask(f"who directed [{one.head}]", explain=True).answers[0].sides)

    def say(words: str) -> None:
        labels = f"labels: {{Film: {{}}, Person: {{words: {words}}}}}"
        store.migrate(Schema.from_yaml(f"{labels}\nrelations: {{directed_by: {{head: Film, tail: Person}}}}"))

    assert sides() == {"path", "slots", "question"}
    say("person")
    assert sides() == {"path", "slots", "question", "kind"}
    say("record")  # nobody, and the relation's own words are as they were
    assert sides() == {"path", "slots", "question"}
