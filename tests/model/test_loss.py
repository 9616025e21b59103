"""The loss: its formula, and that it pulls wherever there is something to pull at."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kgqa.retrieval.scores import Scores
from kgqa.training.loss import answer_loss, mass_loss, none_loss
from tests.model.said import nodes, probabilities, scores

# (question, log mass, whether it is gold) of entities of three questions, down to what no float32 can hold as a mass.
entities = st.lists(st.tuples(st.integers(0, 2), st.floats(-300, 0, width=32), st.booleans()), max_size=12)
ordinary = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from([0.9999, 0.7, 0.31, 0.02]), st.booleans()), max_size=12
)


def mass(made: list[tuple[int, float, bool]]) -> tuple[Tensor, Tensor, Tensor]:
    """Questions, log masses and whether they are gold, as ``mass_loss`` takes them."""
    return (
        torch.tensor([q for q, _, _ in made], dtype=torch.int64),
        torch.tensor([value for _, value, _ in made], dtype=torch.float32).requires_grad_(),
        torch.tensor([gold for _, _, gold in made], dtype=torch.bool),
    )


@settings(deadline=None)
@given(probabilities, nodes, st.lists(st.booleans(), min_size=3, max_size=3))
def test_the_loss_is_that_of_its_formula(
    said: dict[tuple[int, int], float], gold: set[tuple[int, int]], answerable: list[bool]
) -> None:
    gold = {pair for pair in gold if answerable[pair[0]]}
    got = answer_loss(
        scores(said),
        torch.tensor([q for q, _ in sorted(gold)], dtype=torch.int64),
        torch.tensor([node for _, node in sorted(gold)], dtype=torch.int64),
        torch.tensor(answerable),
    )
    total = 0.0
    for question in range(3):
        own = {key: p for key, p in said.items() if key[0] == question}
        right = sum(p for key, p in own.items() if key in gold)
        if right:
            total += math.log(sum(own.values())) - math.log(right)
        each = [-math.log(p if key in gold else 1 - p) for key, p in own.items() if key in gold or p > 0.001]
        total += 0.5 * sum(each) / max(1, len(each))
    assert float(got) == pytest.approx(total / 3, rel=1e-3, abs=1e-4)


@settings(deadline=None)
@given(entities)
def test_the_first_term_and_its_gradient_are_those_of_a_sum_in_double_precision(
    made: list[tuple[int, float, bool]],
) -> None:
    question, log_mass, gold = mass(made)
    loss, found = mass_loss(question, log_mass, gold, 3)
    loss.sum().backward()  # type: ignore[no-untyped-call]
    assert log_mass.grad is not None
    got = loss.tolist()
    for q in range(3):
        own = [math.exp(value) for at, value, _ in made if at == q]
        right = [math.exp(value) for at, value, is_gold in made if at == q and is_gold]
        assert bool(found[q]) == bool(right)
        expected = math.log(sum(own)) - math.log(sum(right)) if right else 0.0
        assert got[q] == pytest.approx(expected, rel=1e-5, abs=1e-4)
    for (q, value, is_gold), pull in zip(made, log_mass.grad.tolist(), strict=True):
        whole = sum(math.exp(v) for at, v, _ in made if at == q)
        gold_part = sum(math.exp(v) for at, v, its_gold in made if at == q and its_gold)
        share = math.exp(value) / whole - is_gold * math.exp(value) / gold_part if gold_part else 0.0
        assert pull == pytest.approx(share, abs=1e-4)


@settings(deadline=None)
@given(ordinary)
def test_of_ordinary_masses_the_first_term_is_that_with_an_epsilon(made: list[tuple[int, float, bool]]) -> None:
    question, log_mass, gold = mass([(q, math.log(value), is_gold) for q, value, is_gold in made])
    loss, found = mass_loss(question, log_mass, gold, 3)
    zero = torch.zeros(3)
    total = zero.index_add(0, question, log_mass.detach().exp())
    right = zero.index_add(0, question[gold], log_mass.detach().exp()[gold])
    with_epsilon = torch.log(total + 1e-6) - torch.log(right + 1e-6)
    assert torch.allclose(loss[found], with_epsilon[found], rtol=0, atol=1e-4)
    assert not loss[~found].any()


def test_no_entity_at_all_costs_nothing() -> None:
    loss, found = mass_loss(*mass([]), 2)
    assert loss.tolist() == [0, 0]
    assert found.tolist() == [False, False]


@pytest.mark.parametrize("shift", [0.0, -20.0, -60.0, -500.0])
def test_the_loss_pulls_towards_the_answer_however_little_is_said(shift: float) -> None:
    logits = torch.full((3,), shift, requires_grad=True)
    made = Scores(torch.tensor([0, 0, 0]), torch.tensor([1, 2, 3]), torch.nn.functional.logsigmoid(logits))
    loss = answer_loss(made, torch.tensor([0]), torch.tensor([2]), torch.tensor([True]))
    (gradient,) = torch.autograd.grad(loss, logits)
    assert [bool(g > 0) for g in gradient] == [True, False, True]
    assert float(gradient.abs().min()) > 0.1


def test_an_answer_that_nothing_leads_to_pulls_by_the_second_term_alone() -> None:
    logits = torch.tensor([-60.0, 0.0, -3.0, 40.0], requires_grad=True)
    question = torch.tensor([0, 1, 1, 1])
    made = Scores(question, torch.tensor([1, 1, 2, 3]), torch.nn.functional.logsigmoid(logits))
    gold = torch.tensor([0, 1, 2]), torch.tensor([7, 8, 9])
    loss = answer_loss(made, *gold, torch.tensor([True, True, True]))
    (gradient,) = torch.autograd.grad(loss, logits)
    not_right = [-math.log(1 - 1 / (1 + math.exp(-logit))) for logit in (0.0, -3.0)]
    assert float(loss.detach()) == pytest.approx(0.5 * (sum(not_right) + 40.0) / 3 / 3, abs=1e-4)
    assert gradient[0] == 0
    assert gradient[1:].tolist() == pytest.approx(
        [0.5 * p / 3 / 3 for p in (0.5, 1 / (1 + math.exp(3)), 1.0)], abs=1e-6
    )


@pytest.mark.parametrize("logit", [5.0, 15.0, 30.0, 60.0])
def test_what_is_surely_wrong_is_pulled_at_as_much_as_ever(logit: float) -> None:
    logits = torch.tensor([logit], requires_grad=True)
    made = Scores(torch.tensor([0]), torch.tensor([1]), torch.nn.functional.logsigmoid(logits))
    none = torch.tensor([], dtype=torch.int64)
    (gradient,) = torch.autograd.grad(answer_loss(made, none, none, torch.tensor([False])), logits)
    assert float(gradient) == pytest.approx(0.5, abs=0.01)


def test_what_none_of_these_takes_from_answered_questions_costs() -> None:
    going = torch.tensor([[1.0, 0.5], [1.0, 1.0], [1.0, 0.0]], requires_grad=True)
    taken = [torch.tensor([0.5, 0.1, 0.9], requires_grad=True), torch.tensor([0.25, 0.1, 0.0], requires_grad=True)]
    loss = none_loss(going, taken, torch.tensor([True, False, True]))
    assert loss.item() == pytest.approx(-(math.log(0.5) + 0.5 * math.log(0.25) + math.log(0.9)) / 3)
    loss.backward()  # type: ignore[no-untyped-call]
    assert going.grad is None
    first, second = (part.grad for part in taken)
    assert first is not None
    assert second is not None
    assert first.tolist() == pytest.approx([-2 / 3, 0, -1 / 0.9 / 3])
    assert second.tolist() == pytest.approx([-0.5 / 0.25 / 3, 0, 0])
    assert none_loss(going, taken, torch.zeros(3, dtype=torch.bool)).item() == 0
