"""Calibration, selective risk, AUROC and intervals against figures worked out by hand and against plain loops."""

from __future__ import annotations

from itertools import pairwise, permutations
from math import isnan
from random import Random
from statistics import mean

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kgqa.evaluation.calibration import (
    area_under_risk_coverage,
    auroc,
    expected_calibration_error,
    reliability,
    risk_coverage,
)
from kgqa.evaluation.intervals import Interval, mean_interval

Answered = list[tuple[float, bool]]
levels = st.one_of(st.sampled_from([0.0, 0.2, 0.5, 1.0]), st.floats(0, 1))
answered = st.lists(st.tuples(levels, st.booleans()), min_size=1, max_size=40)


def tensors(given_: Answered) -> tuple[torch.Tensor, torch.Tensor]:
    confidence, right = zip(*given_, strict=True)
    return torch.tensor(confidence, dtype=torch.float64), torch.tensor(right, dtype=torch.float64)


def test_calibration_error_by_hand() -> None:
    # Two bins of (0, 0.5] and (0.5, 1]: |1/2 - 0.3| * 2/5 + |2/3 - 0.8| * 3/5.
    given_ = [(0.2, True), (0.4, False), (0.7, True), (0.8, True), (0.9, False)]
    assert expected_calibration_error(*tensors(given_), bins=2) == pytest.approx(0.2 * 0.4 + abs(2 / 3 - 0.8) * 0.6)
    assert expected_calibration_error(*tensors([(1.0, True), (0.0, False)])) == 0
    assert expected_calibration_error(*tensors([(1.0, False), (0.0, True)])) == 1
    assert expected_calibration_error(torch.zeros(0, dtype=torch.float64), torch.zeros(0, dtype=torch.float64)) == 0


def test_a_bin_holds_its_upper_end_and_zero_is_in_the_first() -> None:
    found = reliability(*tensors([(0.0, False), (0.5, True), (0.51, True), (1.0, False)]), bins=2)
    assert found.count.tolist() == [2, 2]
    assert found.confidence.tolist() == [0.25, 0.755]
    assert found.accuracy.tolist() == [0.5, 0.5]
    assert isnan(reliability(*tensors([(0.1, True)]), bins=2).accuracy[1])


@settings(max_examples=100, deadline=None)
@given(answered, st.integers(1, 20))
def test_calibration_error_is_that_of_a_loop_over_bins(given_: Answered, bins: int) -> None:
    confidence, right = tensors(given_)
    edges = torch.linspace(0, 1, bins + 1, dtype=torch.float64).tolist()
    total = 0.0
    for low, high in pairwise(edges):
        inside = [(c, r) for c, r in given_ if (low < c <= high) or (c == low == 0.0)]
        if inside:
            total += abs(mean(r for _, r in inside) - mean(c for c, _ in inside)) * len(inside) / len(given_)
    assert expected_calibration_error(confidence, right, bins) == pytest.approx(total, abs=1e-9)


def test_risk_by_hand() -> None:
    # Best first: right, wrong, right, wrong.
    confidence, right = tensors([(0.9, True), (0.8, False), (0.5, True), (0.1, False)])
    assert risk_coverage(confidence, right).tolist() == pytest.approx([0, 1 / 2, 1 / 3, 1 / 2])
    assert area_under_risk_coverage(confidence, right) == pytest.approx((1 / 2 + 1 / 3 + 1 / 2) / 4)
    # All equally sure: whatever the coverage, half are wrong.
    assert risk_coverage(torch.full((4,), 0.5, dtype=torch.float64), right).tolist() == [0.5] * 4
    assert area_under_risk_coverage(torch.zeros(0, dtype=torch.float64), torch.zeros(0, dtype=torch.float64)) == 0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0.1, 0.5, 0.9]), st.booleans()), min_size=1, max_size=6))
def test_risk_is_the_mean_over_all_orders_of_ties(given_: Answered) -> None:
    curves = []
    for order in permutations(given_):
        if [c for c, _ in order] == sorted((c for c, _ in order), reverse=True):
            wrong = [not r for _, r in order]
            curves.append([sum(wrong[: k + 1]) / (k + 1) for k in range(len(wrong))])
    expected = [mean(column) for column in zip(*curves, strict=True)]
    assert risk_coverage(*tensors(given_)).tolist() == pytest.approx(expected)
    assert area_under_risk_coverage(*tensors(given_)) == pytest.approx(mean(expected))


def test_auroc_by_hand() -> None:
    # Positives 0.9 and 0.4, negatives 0.5, 0.4 and 0.1: of six pairs 4 are in order, one is a tie.
    confidence, positive = tensors([(0.9, True), (0.4, True), (0.5, False), (0.4, False), (0.1, False)])
    assert auroc(confidence, positive.bool()) == pytest.approx(4.5 / 6)
    assert isnan(auroc(confidence, torch.ones(5, dtype=torch.bool)))


@settings(max_examples=100, deadline=None)
@given(answered)
def test_auroc_is_the_share_of_pairs_in_order(given_: Answered) -> None:
    ones, zeros = [c for c, r in given_ if r], [c for c, r in given_ if not r]
    confidence, positive = tensors(given_)
    found = auroc(confidence, positive.bool())
    if not ones or not zeros:
        assert isnan(found)
        return
    assert found == pytest.approx(mean((a > b) + (a == b) / 2 for a in ones for b in zeros))


@settings(max_examples=30, deadline=None)
@given(answered, st.randoms(use_true_random=False))
def test_order_never_matters(given_: Answered, generator: Random) -> None:
    shuffled = list(given_)
    generator.shuffle(shuffled)
    for measure in (expected_calibration_error, area_under_risk_coverage):
        assert measure(*tensors(shuffled)) == pytest.approx(measure(*tensors(given_)))


def test_intervals_are_students() -> None:
    # t of 4 degrees of freedom at 97.5 %: 2.776 (any table); s of 1..5: sqrt(2.5).
    found = mean_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert (found.mean, found.n) == (3, 5)
    assert found.half == pytest.approx(2.7764451 * 2.5**0.5 / 5**0.5)
    assert mean_interval([0.0, 1.0], 0.9).half == pytest.approx(6.3137515 * 0.5)
    assert mean_interval([0.7]) == Interval(0.7, None, 1)
    assert mean_interval([0.7, 0.7, 0.7]).half == pytest.approx(0)
    assert (str(mean_interval([0.7])), str(Interval(0.5, 0.25, 3))) == ("0.7000", "0.5000 ± 0.2500")
    with pytest.raises(ValueError, match="no values"):
        mean_interval([])


def test_a_95_percent_interval_holds_the_mean_in_95_of_100() -> None:
    generator = Random(0)
    held = 0
    for _ in range(2000):
        found = mean_interval([generator.gauss(1, 2) for _ in range(5)])
        assert found.half is not None
        held += abs(found.mean - 1) <= found.half
    assert 0.935 < held / 2000 < 0.965
