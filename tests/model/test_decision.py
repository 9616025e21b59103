"""Deciding on a set: the expectations, and what is to be said then, against plain arithmetic; calibration."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kgqa.model.decision import Calibration, decide, fit_calibration

rankings = st.lists(st.sampled_from([0.99999, 0.9, 0.6, 0.5, 0.3, 0.1, 0.00001, 0.0]), max_size=6).map(
    lambda values: sorted(values, reverse=True)
)


@settings(deadline=None)
@given(st.lists(rankings, min_size=1, max_size=4))
def test_what_is_said_is_expected_to_be_best(questions: list[list[float]]) -> None:
    owner = [q for q, own in enumerate(questions) for _ in own]
    said, none = decide(
        torch.tensor(owner, dtype=torch.int64), torch.tensor([p for own in questions for p in own]), len(questions)
    )
    for q, own in enumerate(questions):
        silent = math.prod(1 - p for p in own)
        assert float(none[q]) == pytest.approx(silent, abs=1e-5)
        number = int(said[torch.tensor(owner, dtype=torch.int64) == q].sum())
        worth = [silent, *(2 * sum(own[:k]) / (k + sum(own)) for k in range(1, len(own) + 1))]
        assert worth[number] == pytest.approx(max(worth), abs=1e-5)
        assert said[torch.tensor(owner, dtype=torch.int64) == q].tolist() == [k < number for k in range(len(own))]


@pytest.mark.parametrize(
    ("own", "number"),
    [
        ([0.42], 1),
        ([0.40], 0),
        ([0.9, 0.9, 0.46], 3),
        ([0.9, 0.9, 0.40], 2),
        ([0.3] * 10, 10),  # something of it will be right
        ([0.01] * 10, 0),
        ([], 0),
    ],
)
def test_no_number_and_no_threshold_is_given(own: list[float], number: int) -> None:
    said, _ = decide(torch.zeros(len(own), dtype=torch.int64), torch.tensor(own), 1)
    assert int(said.sum()) == number


@given(st.lists(st.sampled_from([0.8, 0.45, 0.2]), min_size=1, max_size=5))
def test_the_expected_f1_is_near_that_of_all_that_may_be(own: list[float]) -> None:
    own = sorted(own, reverse=True)
    said, _ = decide(torch.zeros(len(own), dtype=torch.int64), torch.tensor(own), 1)

    def truly(k: int) -> float:
        """The F1 of the k best, over all sets of right answers."""
        total = 0.0
        for right in product([True, False], repeat=len(own)):
            chance = math.prod(p if r else 1 - p for p, r in zip(own, right, strict=True))
            total += chance * (2 * sum(right[:k]) / (k + sum(right)) if k + sum(right) else 1.0)
        return total

    assert truly(int(said.sum())) >= max(map(truly, range(len(own) + 1))) - 0.12


def test_equal_entities_are_said_together_whatever_comes_of_rounding() -> None:
    own = torch.tensor([0.7, 0.7 - 1e-7, 0.7 + 1e-7, 0.7])
    said, _ = decide(torch.zeros(4, dtype=torch.int64), own, 1)
    assert said.tolist() == [True] * 4


def test_a_calibration_that_was_put_on_is_found_again() -> None:
    generator = torch.Generator().manual_seed(0)
    true = torch.randn(200_000, generator=generator, dtype=torch.float64) * 3
    gold = torch.rand(len(true), generator=generator, dtype=torch.float64) < torch.sigmoid(true)
    found = fit_calibration(torch.nn.functional.logsigmoid((true + 1) * 2), gold, torch.ones(len(true)))
    assert (found.scale, found.shift) == pytest.approx((0.5, -1.0), abs=0.03)
    assert torch.allclose(found(torch.nn.functional.logsigmoid((true + 1) * 2)).exp(), torch.sigmoid(true), atol=0.02)


def test_an_entity_of_weight_two_counts_as_two() -> None:
    said, gold = torch.tensor([0.9, 0.6, 0.3, 0.2]).log(), torch.tensor([True, False, True, False])
    twice = fit_calibration(said.repeat(2)[:5], gold.repeat(2)[:5], torch.ones(5))
    assert fit_calibration(said, gold, torch.tensor([2.0, 1.0, 1.0, 1.0])) == twice


@pytest.mark.parametrize("gold", [[True, True, False, False], [True] * 4, [False] * 4, []])
def test_a_calibration_stays_finite_and_keeps_the_order(gold: list[bool]) -> None:
    said = torch.tensor([0.9999999, 0.9, 0.2, 1e-30])[: len(gold)].log()
    found = fit_calibration(said, torch.tensor(gold, dtype=torch.bool), torch.ones(len(gold)))
    assert 0 < found.scale < 100
    assert abs(found.shift) < 100
    after = found(said)
    assert bool(after.isfinite().all())
    assert bool((after.diff() <= 0).all())


def test_no_calibration_changes_nothing() -> None:
    said = torch.tensor([0.999, 0.5, 1e-4]).log()
    assert torch.allclose(Calibration()(said), said, atol=1e-5)


def test_nothing_is_surer_than_the_surest_are_right() -> None:
    """Of what is surest nine of ten are right; what is less sure is as sure as it says."""
    generator = torch.Generator().manual_seed(0)
    logit = torch.cat([torch.full((4000,), 12.0), torch.linspace(-4, 1.5, 4000)])
    chance = torch.where(logit > 10, 0.9, torch.sigmoid(logit))
    right = torch.rand(len(logit), generator=generator) < chance
    found = fit_calibration(torch.nn.functional.logsigmoid(logit), right, torch.ones(len(logit)))
    said = found(torch.nn.functional.logsigmoid(torch.tensor([12.0, 0.0, -2.0]))).exp()
    assert said.tolist() == pytest.approx([0.9, 0.5, 0.12], abs=0.03)
    assert found.most == pytest.approx(0.9, abs=0.02)


def test_where_the_surest_are_right_they_may_be_as_sure() -> None:
    logit = torch.linspace(-6, 12, 2000)
    found = fit_calibration(torch.nn.functional.logsigmoid(logit), logit > 0, torch.ones(len(logit)))
    assert found.most > 0.998
    assert float(found(torch.tensor([-1e-5])).exp()) > 0.99
