"""What isn't of the kind asked for counts less, where anything is."""

from __future__ import annotations

import torch

from kgqa.retrieval.scores import UNFIT, Kinds

# Directed relations lead from kinds 0, 1, 0, and from what isn't known.
OF = torch.tensor([0, 1, 0, -1])


def lowered(asked: list[int], row: list[int], around: list[tuple[int, int]]) -> list[float]:
    owner, relation = (torch.tensor(part) for part in zip(*around, strict=True))
    kinds = Kinds(torch.tensor(asked), OF)
    return kinds.lowered(torch.zeros(len(row)), torch.tensor(row), owner, relation).tolist()


def test_entities_of_another_kind_are_lowered_in_the_rows_that_ask_for_one() -> None:
    around = [(0, 0), (1, 1), (2, 0), (3, 1)]  # kinds 0 and 1, in both rows
    assert lowered([1, -1], [0, 0, 1, 1], around) == [-UNFIT, 0, 0, 0]


def test_an_entity_may_be_of_several_kinds_and_of_none() -> None:
    assert lowered([1], [0, 0, 0], [(0, 0), (0, 1), (1, 3), (2, 2)]) == [0, 0, -UNFIT]


def test_where_nothing_fits_all_stay_as_they_are() -> None:
    assert lowered([1, 1], [0, 0, 1], [(0, 0), (1, 2), (2, 1)]) == [0, 0, 0]


def test_rows_are_taken() -> None:
    kinds = Kinds(torch.tensor([0, 1, -1]), OF).take(torch.tensor([2, 0, 0]))
    assert kinds.asked.tolist() == [-1, 0, 0]
    assert kinds.of is OF
