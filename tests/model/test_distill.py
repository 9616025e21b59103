"""Distillation: the loss by its formula, and a small student that learns from a teacher."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graph_schema import CheckpointError, ConfigError
from kgqa.answering import Answerer
from kgqa.data import Question
from kgqa.data.graph import Walker
from kgqa.evaluation.accuracy import evaluate, ranked
from kgqa.evaluation.ensemble import evaluate_together, mean_ranked
from kgqa.evaluation.speed import batched
from kgqa.model.config import ModelConfig
from kgqa.model.encoder import Encoder
from kgqa.retrieval.scores import Scores
from kgqa.training.config import TrainConfig
from kgqa.training.distill import Teaching, teach
from kgqa.training.graphs import GraphQuestions
from kgqa.training.prepare import Ragged, prepare
from kgqa.training.session import distill, train_graphs
from tests.sets import asked, family, graph

QUESTIONS, NODES = 3, 5
Told = dict[tuple[int, int], float]


def scores(said: Told) -> Scores:
    keys = sorted(said)
    return Scores(
        torch.tensor([q for q, _ in keys], dtype=torch.int64),
        torch.tensor([node for _, node in keys], dtype=torch.int64),
        torch.tensor([said[key] for key in keys], dtype=torch.float32).log(),
    )


def teaching(told: Told, temperature: float = 1.0, labelled: Sequence[bool] = (True,) * QUESTIONS) -> Teaching:
    lists = [sorted(node for question, node in told if question == q) for q in range(QUESTIONS)]
    made = Ragged.of(lists)
    target = torch.tensor([told[q, node] for q, own in enumerate(lists) for node in own], dtype=torch.float32)
    return Teaching(made.start, made.values, target, torch.tensor(list(labelled)), 0.5, temperature, "")


def soft(p: float, temperature: float) -> float:
    return float(1 / (1 + ((1 - p) / p) ** (1 / temperature)))


probabilities = st.dictionaries(
    st.tuples(st.integers(0, QUESTIONS - 1), st.integers(0, NODES - 1)), st.sampled_from([0.98, 0.7, 0.31, 0.02, 0.002])
)


@settings(deadline=None, max_examples=50)
@given(probabilities, probabilities, st.sampled_from([1.0, 2.0, 5.0]), st.lists(st.booleans(), min_size=3, max_size=3))
def test_the_soft_loss_is_that_of_its_formula(
    student: Told, told: Told, temperature: float, taught: list[bool]
) -> None:
    got = teaching(told, temperature).loss(scores(student), torch.arange(QUESTIONS), torch.tensor(taught))
    total = 0.0
    for question in range(QUESTIONS):
        keys = [key for key in student if key[0] == question]
        if not keys or not taught[question]:
            continue
        t = [soft(told.get(key, 1e-6), temperature) for key in keys]
        p = [soft(student[key], temperature) for key in keys]
        mass = sum(a / sum(t) * math.log(a / sum(t) * sum(p) / b) for a, b in zip(t, p, strict=True))
        each = [a * math.log(a / b) + (1 - a) * math.log((1 - a) / (1 - b)) for a, b in zip(t, p, strict=True)]
        sure = max(told.get(key, 0.0) for key in keys)
        total += temperature**2 * (sure * mass + 0.5 * sum(each) / len(each))
    assert float(got) == pytest.approx(total / max(1, sum(taught)), rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_it_pulls_also_where_the_student_says_next_to_nothing(temperature: float) -> None:
    log_p = torch.tensor([-60.0, -90.0], requires_grad=True)
    made = teaching({(0, 1): 0.9, (0, 2): 0.002}, temperature)
    taught = torch.tensor([True, False, False])
    said = Scores(torch.tensor([0, 0]), torch.tensor([1, 2]), log_p)
    torch.autograd.backward(made.loss(said, torch.arange(QUESTIONS), taught))
    assert log_p.grad is not None
    assert float(log_p.grad[0]) < -0.1


def test_what_only_the_teachers_have_reached_pushes_nothing_else_down() -> None:
    log_p = torch.tensor([-9.0], requires_grad=True)
    made = teaching({(0, 1): 0.9, (0, 2): 0.002})
    said = Scores(torch.tensor([0]), torch.tensor([2]), log_p)
    torch.autograd.backward(made.loss(said, torch.arange(QUESTIONS), torch.tensor([True, False, False])))
    assert log_p.grad is not None
    assert float(log_p.grad[0]) < 0  # up to the 0.002 that the teachers give it


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_it_is_least_where_the_student_says_what_the_teachers_say(temperature: float) -> None:
    told = {(0, 1): 0.9, (0, 2): 0.05, (1, 0): 0.6, (1, 4): 0.6}
    logits = torch.zeros(4, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.05)
    made = teaching(told, temperature)
    keys = scores(told)
    for _ in range(400):
        said = Scores(keys.question, keys.node, torch.nn.functional.logsigmoid(logits))
        loss = made.loss(said, torch.arange(QUESTIONS), torch.ones(QUESTIONS, dtype=torch.bool))
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    assert logits.sigmoid().tolist() == pytest.approx([told[key] for key in sorted(told)], abs=0.01)
    assert float(loss.detach()) == pytest.approx(0, abs=1e-3)


def test_a_batch_takes_the_targets_of_its_own_questions_and_only_the_labelled_have_answers() -> None:
    told = {(0, 1): 0.9, (2, 3): 0.8}
    made = teaching(told, labelled=(True, True, False))
    said = scores({(0, 3): 0.8, (1, 1): 0.9})  # the batch asks question 2 first, then question 0
    both = torch.ones(2, dtype=torch.bool)
    assert float(made.loss(said, torch.tensor([2, 0]), both)) == pytest.approx(0, abs=1e-5)
    assert float(made.loss(said, torch.tensor([0, 2]), both)) > 0.9
    kept = made.with_answers(said, torch.tensor([2, 0]))
    assert (kept.question.tolist(), kept.node.tolist()) == ([1], [1])


SMALL = TrainConfig(
    model=ModelConfig(state_dim=16, relation_dim=16, slot_dim=8, max_hops=2),
    steps=90,
    batch_size=16,
    warmup=5,
    learning_rate=0.01,
    evaluate_every=90,
)
LARGE = SMALL.model_copy(update={"model": ModelConfig(state_dim=48, relation_dim=48, slot_dim=16, max_hops=2)})


@pytest.fixture(scope="module")
def families() -> GraphQuestions:
    snapshot = graph(family(24))
    questions = asked(Walker(snapshot), 24)
    return GraphQuestions(snapshot, questions[::2], questions[1::2])


def test_a_student_learns_questions_that_only_its_teachers_answer(
    families: GraphQuestions, encoder: Encoder, tmp_path: Path
) -> None:
    # The student has the answers of one wording alone; the others it has without, and its teachers know them.
    known = [q for q in families.train if q.plain.startswith("who is the parent")]
    bare = [Question(q.plain, q.spans, ()) for q in families.train if q not in known]
    teacher = train_graphs(LARGE, encoder, [families], tmp_path / "teacher")
    alone = train_graphs(SMALL, encoder, [GraphQuestions(families.snapshot, known, families.dev)], tmp_path / "alone")
    taught = GraphQuestions(families.snapshot, known, families.dev, bare)
    student = train_graphs(SMALL, encoder, [taught], tmp_path / "student", teachers=[teacher])
    found = {name: one.config.trained["dev"]["hits_at_1"] for name, one in (("alone", alone), ("student", student))}
    assert found["student"] > found["alone"] + 0.25, found
    assert student.config.trained["parameters"] < teacher.config.trained["parameters"] / 2
    assert student.config.trained["teachers"][0]["dev"] == teacher.config.trained["dev"]
    with pytest.raises(ConfigError, match="teach nothing without teachers"):
        train_graphs(SMALL, encoder, [taught], tmp_path / "none")
    # Who teaches is one of a run's settings.
    with pytest.raises(CheckpointError, match=r"differing: teachers"):
        train_graphs(SMALL, encoder, [taught], tmp_path / "student", teachers=[alone])


def test_targets_are_the_mean_of_what_the_teachers_say(
    families: GraphQuestions, encoder: Encoder, tmp_path: Path
) -> None:
    few = LARGE.model_copy(update={"steps": 4, "evaluate_every": 4})
    teachers, student = distill(few, SMALL.model_copy(update={"steps": 2}), 2, encoder, [families], tmp_path)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["student", "teacher-0", "teacher-1"]
    assert student.config.model == SMALL.model
    data = prepare(families.train, families.snapshot)
    asked_ = [
        teach(some, encoder, families.snapshot, data, 0.5, 2.0) for some in ([teachers[0]], [teachers[1]], teachers)
    ]
    told = [{(q, n): p for q in range(len(data.questions)) for n, p in _targets(one, q)} for one in asked_]
    assert told[0] != told[1]
    for key in {*told[0], *told[1]}:
        assert told[2].get(key, 0.0) == pytest.approx((told[0].get(key, 0.0) + told[1].get(key, 0.0)) / 2, abs=1e-5)


def test_an_ensemble_says_what_its_student_is_taught(
    families: GraphQuestions, encoder: Encoder, tmp_path: Path
) -> None:
    few = LARGE.model_copy(update={"steps": 4, "evaluate_every": 4})
    teachers = [
        train_graphs(few.model_copy(update={"seed": seed}), encoder, [families], tmp_path / str(seed))
        for seed in (1, 2)
    ]
    snapshot, questions = families.snapshot, families.dev
    answerers = [Answerer(snapshot, one, encoder) for one in teachers]
    rankings = [ranked(one, questions, snapshot)[0] for one in answerers]
    mean = mean_ranked(rankings, answerers[0].expander(snapshot))
    said = dict(zip(zip(mean.question.tolist(), mean.node.tolist(), strict=True), mean.score.tolist(), strict=True))
    taught = teach(teachers, encoder, snapshot, prepare(questions, snapshot), 0.5, 2.0)
    told = {(q, n): p for q in range(len(questions)) for n, p in _targets(taught, q)}
    assert len(told) > len(questions)
    for key, p in told.items():
        assert said[key] == pytest.approx(p, abs=1e-4)
    assert all(p < 1e-3 for key, p in said.items() if key not in told)
    # Best first within each question, as a single reader's are.
    assert mean.question.tolist() == sorted(mean.question.tolist())
    for q in range(len(questions)):
        own = mean.question == q
        assert mean.place[own].tolist() == list(range(int(own.sum())))
        assert mean.score[own].diff().le(1e-6).all()
    both, alone = evaluate_together(answerers, questions, snapshot), evaluate(answerers[0], questions, snapshot)
    same = evaluate_together([answerers[0]] * 2, questions, snapshot)
    assert torch.equal(same.scores.f1, alone.scores.f1)
    assert torch.allclose(same.scores.confidence, alone.scores.confidence)
    best = [max((p for (q, _), p in said.items() if q == at), default=0.0) for at in range(len(questions))]
    assert both.scores.confidence.tolist() == pytest.approx(best, abs=1e-5)
    rates = batched(answerers[0], list(questions), snapshot, 16, answerers[1:])
    assert rates["encoded_per_second"] > 0
    assert rates["cached_per_second"] > 0


def _targets(one: Teaching, question: int) -> list[tuple[int, float]]:
    start, end = one.start[question : question + 2].tolist()
    return list(zip(one.node[start:end].tolist(), one.target[start:end].tolist(), strict=True))
