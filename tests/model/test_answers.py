"""Answers guessed from what lies around a topic: what is learned, what is said of them, and what they leave alone."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from graph_schema import Fact, Response
from kgqa.answering import Answerer
from kgqa.cli.render import response_lines
from kgqa.data.questions import Question
from kgqa.linking import split_brackets
from kgqa.model.answers import LEAST, Sought
from kgqa.model.config import ModelConfig
from kgqa.model.encoder import Encoder
from kgqa.model.network import ReaderNetwork
from kgqa.retrieval import again
from kgqa.retrieval.answers import AnswerGuesser, Asked, taken, together
from kgqa.retrieval.keys import key_node, key_row, make_key
from kgqa.retrieval.scores import Scores
from kgqa.stores.snapshot import Snapshot
from kgqa.training.config import TrainConfig
from kgqa.training.session import train
from tests.sets import graph

MODEL = ModelConfig(
    state_dim=32, relation_dim=32, slot_dim=16, max_hops=2, link_channels=8, guess=True, around=True
)  # fmt: skip
WORKERS, FIRMS, CITIES = 120, 24, 6


def world() -> tuple[list[Fact], list[str]]:
    """Who speaks a city's language works there, for one of its four firms; of a third it isn't said for whom, and
    only of some where they live."""
    said: list[Fact] = [Fact(f"Firm {firm}", "located in", f"City {firm % CITIES}") for firm in range(FIRMS)]
    unknown = []
    for worker in range(WORKERS):
        firm = worker * 7 % FIRMS
        said.append(Fact(f"Worker {worker}", "speaks", f"Language {firm % CITIES}"))
        if worker // CITIES % 3 == 0:
            unknown.append(f"Worker {worker}")
            continue
        said.append(Fact(f"Worker {worker}", "works for", f"Firm {firm}"))
        if worker // CITIES % 3 == 1:
            said.append(Fact(f"Worker {worker}", "lives in", f"City {firm % CITIES}"))
    return said, unknown


SAID, UNKNOWN = world()


def city(worker: str) -> str:
    return f"City {int(worker.split()[1]) * 7 % FIRMS % CITIES}"


def asked(worker: str) -> str:
    return f"in which city lies the firm of [{worker}]"


def questions() -> list[Question]:
    own = [Question(*split_brackets(asked(f"Worker {w}")), (city(f"Worker {w}"),)) for w in range(WORKERS)]
    others = [
        Question(*split_brackets(f"who does [{fact.head}] work for"), (fact.tail,))
        for fact in SAID
        if fact.relation == "works for"
    ]
    return own + others


CONFIG = TrainConfig(
    model=MODEL, steps=120, batch_size=32, warmup=5, evaluate_every=40, learning_rate=5e-3, link_steps=40,
    link_queries=48, link_hidden=0.4, hide_share=0.0, unknown_share=0.0, answer_steps=150, answer_batch=32,
)  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("around")


@pytest.fixture(scope="module")
def answerer(encoder: Encoder, run: Path) -> Answerer:
    everything = questions()
    Random(0).shuffle(everything)
    snapshot = graph(SAID)
    return Answerer(snapshot, train(CONFIG, encoder, snapshot, everything[::2], everything[1::2], run), encoder)


def test_where_a_way_is_broken_its_end_is_guessed_and_said_to_be(answerer: Answerer) -> None:
    right = 0
    for worker in UNKNOWN:
        response = answerer.ask(asked(worker), explain=True)
        for answer in response.answers:
            assert answer.guessed
            assert not answer.evidence
            assert answer.sides.keys() == {"around"}
            guesses = answerer.checkpoint.config.guesses
            assert guesses is not None
            said = 1 / (1 + math.exp(-answer.sides["around"]))
            assert answer.score == pytest.approx(float(guesses(torch.tensor([said]).log()).exp()), abs=2e-3)
            assert response.as_dict()["answers"][0]["guessed"] is True
        if response.answers:
            right += response.answers[0].entity.id == city(worker)
            assert "a guess" in "\n".join(response_lines(response, top=3))
    assert right >= 0.8 * len(UNKNOWN)


def test_without_it_a_guess_is_a_chain_of_guessed_facts(answerer: Answerer) -> None:
    snapshot = answerer.reader
    assert isinstance(snapshot, Snapshot)
    guesser = answerer.expander(snapshot).guesser
    assert guesser is not None
    answers, guesser.answers = guesser.answers, None
    try:
        found = answerer.ask_many([asked(worker) for worker in UNKNOWN], snapshot, explain=True)
    finally:
        guesser.answers = answers
    guessed = [answer for one in found for answer in one.answers]
    assert guessed
    for answer in guessed:
        assert answer.guessed
        assert answer.supposed
        assert "around" not in answer.sides


def told(answerer: Answerer, workers: range) -> tuple[list[Response], list[Response]]:
    """Answers by facts alone, and with guesses."""
    snapshot = answerer.reader
    assert isinstance(snapshot, Snapshot)
    expander = answerer.expander(snapshot)
    everything = [asked(f"Worker {worker}") for worker in workers]
    with_guesses = answerer.ask_many(everything, snapshot)
    guesser, expander.guesser = expander.guesser, None
    try:
        return answerer.ask_many(everything, snapshot), with_guesses
    finally:
        expander.guesser = guesser


def test_what_facts_answer_stays_to_the_last_digit(answerer: Answerer) -> None:
    by_facts, with_guesses = told(answerer, range(WORKERS))
    assert sum(bool(one.answers) for one in by_facts) >= WORKERS / 2
    for one, other in zip(by_facts, with_guesses, strict=True):
        if one.answers and one.answers[0].score >= again.DOUBTED:
            assert one.answers == other.answers
            assert not any(answer.guessed for answer in other.answers)
        elif not one.answers:
            assert all(answer.guessed for answer in other.answers)


def test_what_facts_are_doubted_in_stays_where_guesses_say_the_same(
    answerer: Answerer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = told(answerer, range(WORKERS))[1]
    monkeypatch.setattr(again, "DOUBTED", 1.5)  # all are
    by_facts, with_guesses = told(answerer, range(WORKERS))
    stayed = 0
    for one, other, undoubted in zip(by_facts, with_guesses, before, strict=True):
        if not one.answers:
            assert other.answers == undoubted.answers
        elif any(answer.guessed for answer in other.answers):
            assert other.answers[0].entity not in {answer.entity for answer in one.answers}
        else:
            stayed += 1
            assert one.answers == other.answers
    assert stayed >= WORKERS / 3


def test_where_facts_are_doubted_another_guess_stands_for_what_they_say(
    answerer: Answerer, monkeypatch: pytest.MonkeyPatch
) -> None:
    guess = AnswerGuesser.guess

    def upside_down(self: AnswerGuesser, asked: Asked) -> Scores:
        scores = guess(self, asked)
        turned = torch.log(-torch.expm1(scores.log_probability.clamp(max=-1e-6)))
        return replace(scores, log_probability=turned)

    monkeypatch.setattr(AnswerGuesser, "guess", upside_down)
    known = [worker for worker in range(WORKERS) if f"Worker {worker}" not in UNKNOWN]
    by_facts, as_it_was = told(answerer, range(WORKERS))
    assert all(by_facts[worker].answers == as_it_was[worker].answers for worker in known)
    monkeypatch.setattr(again, "DOUBTED", 1.5)
    other = told(answerer, range(WORKERS))[1]
    changed = [worker for worker in known if by_facts[worker].answers and other[worker].answers]
    assert len(changed) >= len(known) / 2
    for worker in changed:
        assert all(answer.guessed and not answer.evidence for answer in other[worker].answers)


def test_alone_and_together_the_same_is_guessed(answerer: Answerer) -> None:
    together_ = answerer.ask_many([asked(worker) for worker in UNKNOWN])
    for worker, one in zip(UNKNOWN, together_, strict=True):
        alone = answerer.ask(asked(worker))
        assert [a.entity.id for a in alone.answers] == [a.entity.id for a in one.answers]
        assert [a.score for a in alone.answers] == pytest.approx([a.score for a in one.answers], abs=2e-5)


def test_a_run_that_was_stopped_in_between_ends_the_same(answerer: Answerer, encoder: Encoder, run: Path) -> None:
    everything = questions()
    Random(0).shuffle(everything)
    again = train(CONFIG, encoder, graph(SAID), everything[::2], everything[1::2], run)
    first = answerer.network.state_dict()
    assert any(name.startswith("answers.") for name in first)
    for name, value in again.network.state_dict().items():
        assert torch.equal(value, first[name]), name
    assert again.config.guesses == answerer.checkpoint.config.guesses


def test_one_that_was_taught_nothing_guesses_nothing(encoder: Encoder, tmp_path: Path) -> None:
    everything = questions()
    few = CONFIG.model_copy(update={"steps": 2, "link_steps": 2, "answer_steps": 0, "evaluate_every": 2})
    snapshot = graph(SAID)
    untaught = Answerer(snapshot, train(few, encoder, snapshot, everything[:20], everything[20:30], tmp_path), encoder)
    guesser = untaught.expander(snapshot).guesser
    assert guesser is not None
    assert guesser.answers is None


def test_it_looks_further_than_the_longest_way() -> None:
    for hops in (1, 2, 3):
        answers = ReaderNetwork(MODEL.model_copy(update={"max_hops": hops})).answers
        assert answers is not None
        assert len(answers.channels) == len(answers.taken) == hops + 2


def test_it_takes_guesses() -> None:
    with pytest.raises(ValidationError, match="around: answers are guessed after facts, and guess is off"):
        ModelConfig(around=True)


# ---- what is sought, told apart and put together


@st.composite
def what_is_sought(draw: st.DrawFn) -> Sought:
    number = draw(st.integers(1, 4))
    topics = [draw(st.lists(st.integers(0, 9), min_size=1, max_size=2, unique=True)) for _ in range(number)]
    reached = [draw(st.lists(st.integers(0, 9), max_size=3, unique=True)) for _ in range(number)]
    key = make_key(
        torch.tensor([q for q, own in enumerate(reached) for _ in own], dtype=torch.int64),
        torch.tensor([node for own in reached for node in sorted(own)], dtype=torch.int64),
    )
    return Sought(
        torch.rand(number, 2, 3),
        torch.rand(number, 2),
        torch.randint(3, (number,)),
        torch.tensor([q for q, own in enumerate(topics) for _ in own]),
        torch.tensor([node for own in topics for node in sorted(own)]),
        key,
        torch.rand(len(key)) + LEAST,
        torch.rand(len(key)) + LEAST,
    )


@settings(deadline=None)
@given(what_is_sought())
def test_one_by_one_and_put_together_it_is_what_it_was(sought: Sought) -> None:
    parts = [taken(sought, at, at + 1) for at in range(len(sought.last))]
    for part in parts:
        assert len(part.last) == 1
        assert not part.topic_query.any()
        assert not key_row(part.key).any()
    whole = together(parts)
    for name in vars(sought):
        assert torch.equal(getattr(whole, name), getattr(sought, name)), name
    assert torch.equal(key_node(taken(sought, 0, 99).key), key_node(sought.key))


def test_scores_of_some_questions_are_taken() -> None:
    own = Scores(torch.tensor([0, 1, 1, 3]), torch.tensor([4, 2, 9, 9]), torch.tensor([-1.0, -2.0, -3.0, -4.0]))
    some = own.of(torch.tensor([0, 1]))
    assert some.question.tolist() == [0, 1, 1]
    assert some.node.tolist() == [4, 2, 9]
    assert some.log_probability.tolist() == [-1, -2, -3]
    assert some.supposed is None
    assert len(own.of(torch.tensor([], dtype=torch.int64)).node) == 0


def test_scores_of_some_questions_are_replaced() -> None:
    own = Scores(torch.tensor([0, 0, 1, 3]), torch.tensor([4, 7, 2, 9]), torch.tensor([-1.0, -2.0, -3.0, -4.0]))
    other = Scores(
        torch.tensor([1, 1]), torch.tensor([5, 6]), torch.tensor([-0.5, -0.6]), *(2 * [torch.ones(2).bool()])
    )  # fmt: skip
    found = own.replaced(torch.tensor([1, 2]), other)
    assert found.question.tolist() == [0, 0, 1, 1, 3]
    assert found.node.tolist() == [4, 7, 5, 6, 9]
    assert found.log_probability.tolist() == pytest.approx([-1.0, -2.0, -0.5, -0.6, -4.0])
    assert found.supposed is not None
    assert found.around is not None
    assert found.supposed.tolist() == found.around.tolist() == [False, False, True, True, False]
    nothing = Scores(other.question[:0], other.node[:0], other.log_probability[:0])
    assert own.replaced(torch.tensor([0]), nothing).node.tolist() == [2, 9]
