"""What isn't of the kind asked for counts less, where anything is."""

from __future__ import annotations

import pytest
import torch

from kgqa.model.network import Reading
from kgqa.retrieval.keys import make_key
from kgqa.retrieval.scores import UNFIT, Kinds, combine
from kgqa.retrieval.walk import Walk

# Directed relations 0 and 2 lead from things of kind 0, 1 from those of kind 1, 3 from nobody knows what.
OF = torch.tensor([[True, False, True, False], [False, True, False, False]])
KNOWN = OF.any(0)


def kinds(asked: list[int], held: tuple[bool, bool] = (False, False)) -> Kinds:
    return Kinds(torch.tensor(asked), OF, KNOWN, torch.tensor(held))


def fit(asked: list[int], row: list[int], around: list[tuple[int, int]]) -> list[int]:
    owner, relation = (torch.tensor(part) for part in zip(*around, strict=True))
    return kinds(asked).fit(torch.tensor(row), owner, relation).tolist()


def test_entities_are_of_the_kind_asked_for_or_not_in_the_rows_that_ask_for_one() -> None:
    around = [(0, 0), (1, 1), (2, 0), (3, 1)]  # kinds 0 and 1, in both rows
    assert fit([1, -1], [0, 0, 1, 1], around) == [-1, 1, 0, 0]


def test_an_entity_may_be_of_several_kinds_and_of_none() -> None:
    assert fit([1], [0, 0, 0], [(0, 0), (0, 1), (1, 3), (2, 2)]) == [1, 0, -1]


def test_a_value_that_has_no_name_is_of_no_kind_that_is_asked_for() -> None:
    named = Kinds(torch.tensor([0]), OF, torch.ones(4, dtype=torch.bool), torch.zeros(2, dtype=torch.bool))
    assert named.fit(torch.tensor([0]), torch.tensor([0]), torch.tensor([3])).tolist() == [-1]


def test_relations_lead_to_a_kind_or_may() -> None:
    certain, may = kinds([0, 1, -1]).leading()
    assert certain.tolist() == [[False, True, False, True], [True, False, False, False], [False] * 4]
    assert may.tolist() == [[False, True, True, True], [True, False, True, False], [True] * 4]


def test_what_relationships_have_is_near_where_a_relation_around_the_topic_leads_to_it() -> None:
    row, relation = torch.tensor([0, 0, 1, 2]), torch.tensor([0, 3, 2, 0])
    assert kinds([0, 0, 1], (True, False)).near(row, relation).tolist() == [True, False, False]
    assert kinds([0, 0, 1]).near(row, relation).tolist() == [False, False, False]


def scored(of_kind: list[int] | None, *, only: bool = False) -> list[float]:
    """Logits of three entities of row 0 and one of row 1, all 1 before."""
    key = make_key(torch.tensor([0, 0, 0, 1]), torch.tensor([3, 4, 5, 3]))
    one, proven = torch.ones(4), torch.ones(4, dtype=torch.bool)
    fitting = None if of_kind is None else torch.tensor(of_kind)
    reading = Reading(one, one, one, one, torch.zeros(2, 0), torch.zeros(0, 0), fitting)
    found = combine(Walk(key, one, None, (), proven), reading, torch.tensor([0, 1]), only=only)
    logits: list[float] = found.log_probability.exp().logit().tolist()
    return logits


def test_entities_of_another_kind_count_less_in_rows_that_reached_one_that_fits() -> None:
    assert scored(None) == pytest.approx([1, 1, 1, 1])
    assert scored([-1, 1, 0, -1]) == pytest.approx([1 - UNFIT, 1, 1, 1])
    assert scored([-1, -1, 0, 0]) == pytest.approx([1, 1, 1, 1])


def test_nothing_else_counts_where_only_the_kind_asked_for_does() -> None:
    assert [logit > -UNFIT for logit in scored([-1, 1, 0, -1], only=True)] == [False, True, True, False]


def test_rows_are_taken() -> None:
    taken = kinds([0, 1, -1]).take(torch.tensor([2, 0, 0]))
    assert taken.asked.tolist() == [-1, 0, 0]
    assert taken.of is OF
