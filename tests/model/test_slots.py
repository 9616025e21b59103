"""A budget of slots: who keeps one, who shares one, and how those who share it are told apart."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kgqa.model.slots import Memory, compressed
from tests.model.walk_reference import SMALL, network

SLOT = SMALL.slot_dim


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.sampled_from([0.0, 0.1, 0.5, 0.9]), max_size=7), max_size=4), st.integers(1, 5))
def test_within_a_budget_the_heaviest_keep_their_slots_and_the_others_share_one(
    rows: list[list[float]], budget: int
) -> None:
    row = torch.tensor([i for i, own in enumerate(rows) for _ in own], dtype=torch.int64)
    weight = torch.tensor([value for own in rows for value in own])
    slots = torch.randn(len(row), SLOT)
    rank = torch.randperm(len(row))
    got = compressed(Memory(slots, row, torch.arange(len(row))), weight, rank, budget)
    assert torch.equal(got.row[got.of], row)
    assert got.row.tolist() == sorted(got.row.tolist())
    for i, own in enumerate(rows):
        mine = torch.nonzero(row == i).squeeze(-1).tolist()
        assert int((got.row == i).sum()) == min(len(own), budget)
        best = sorted(mine, key=lambda at: (-float(weight[at]), int(rank[at])))
        alone = best if len(mine) <= budget else best[: budget - 1]
        for at in alone:
            assert torch.allclose(got.slots[got.of[at]], slots[at])
        shared = [at for at in mine if at not in alone]
        if shared:
            assert len({int(got.of[at]) for at in shared}) == 1
            share = weight[shared] + 1e-12
            assert torch.allclose(got.slots[got.of[shared[0]]], (share / share.sum()) @ slots[shared], atol=1e-5)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_entities_of_one_slot_are_told_apart_by_their_path_scores(seed: int) -> None:
    reader = network(seed).reader
    slots, question = torch.randn(2, SLOT), torch.randn(1, 2 * SMALL.state_dim)
    row, odds = torch.tensor([0, 0]), torch.tensor([3.0, 3.0, -3.0])
    got, attention = reader(slots, row, odds, question, torch.tensor([0, 1, 1]))
    alone, same = reader(slots, row, odds[:2], question)
    assert attention.shape == (SMALL.read_hops, 2)
    assert torch.allclose(attention, same)
    assert torch.allclose(got[:2], alone)
    assert float(got[2]) != float(got[1])
