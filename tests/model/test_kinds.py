"""What isn't of the kind asked for counts less, where anything is."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from kgqa.model.network import Reading
from kgqa.retrieval.asked import Kinds
from kgqa.retrieval.keys import make_key
from kgqa.retrieval.scores import UNFIT, combine
from kgqa.retrieval.walk import Walk

# Directed relations 0 and 2 lead from things of kind 0, 1 from those of kind 1, 3 from nobody knows what.
OF = torch.tensor([[True, False, True, False], [False, True, False, False]])
KNOWN = OF.any(0)


NO_PAIRS = torch.zeros(2, 0, dtype=torch.int64)


def kinds(
    asked: list[int], held: tuple[bool, bool] = (False, False), *, of: Tensor = OF, known: Tensor = KNOWN
) -> Kinds:
    names_none = torch.zeros(len(asked), 4, dtype=torch.bool)
    return Kinds(torch.tensor(asked), of, known, torch.tensor(held), names_none, NO_PAIRS)


def fit(asked: list[int], row: list[int], around: list[tuple[int, int]]) -> list[int]:
    owner, relation = (torch.tensor(part) for part in zip(*around, strict=True))
    return kinds(asked).fit(torch.tensor(row), owner, relation).tolist()


def test_entities_are_of_the_kind_asked_for_or_not_in_the_rows_that_ask_for_one() -> None:
    around = [(0, 0), (1, 1), (2, 0), (3, 1)]  # kinds 0 and 1, in both rows
    assert fit([1, -1], [0, 0, 1, 1], around) == [-1, 1, 0, 0]


def test_an_entity_may_be_of_several_kinds_and_of_none() -> None:
    assert fit([1], [0, 0, 0], [(0, 0), (0, 1), (1, 3), (2, 2)]) == [1, 0, -1]


def test_a_value_that_has_no_name_is_of_no_kind_that_is_asked_for() -> None:
    every = kinds([0], known=torch.ones(4, dtype=torch.bool))
    assert every.fit(torch.tensor([0]), torch.tensor([0]), torch.tensor([3])).tolist() == [-1]


def test_relations_lead_to_a_kind_or_may() -> None:
    certain, may = kinds([0, 1, -1]).leading()
    assert certain.tolist() == [[False, True, False, True], [True, False, False, False], [False] * 4]
    assert may.tolist() == [[False, True, True, True], [True, False, True, False], [True] * 4]


def on_offer(says: Kinds, offered: list[list[int]], last: list[bool]) -> list[list[int]]:
    """Positions of those that may be meant, of those on offer to each row."""
    there = torch.zeros(len(offered), 4, dtype=torch.bool)
    for row, some in enumerate(offered):
        there[row, some] = True
    left = says.narrowed(there, torch.tensor(last))
    return [torch.nonzero(row).squeeze(-1).tolist() for row in left]


def test_at_the_last_hop_only_what_leads_to_the_kind_or_may_is_on_offer() -> None:
    # What leads to kind 0 are 1 and 3, to kind 1 only 0; where 2 leads to, nobody knows.
    assert on_offer(kinds([0, 0, 1, -1]), [[0, 1, 2], [0, 1, 2], [0, 1, 2], [0, 1]], [True, False, True, True]) == [
        [1, 2], [0, 1, 2], [0, 2], [0, 1],
    ]  # fmt: skip
    assert on_offer(kinds([0]), [[0, 2]], [True]) == [[0, 2]]  # nothing leads there: the schema may call it otherwise


def test_a_relation_isnt_meant_beside_one_of_nearly_its_name_that_is_named() -> None:
    none = kinds([-1] * 4)
    names = torch.zeros(4, 4, dtype=torch.bool)
    names[0, 0] = names[1, 0] = names[2, 0] = names[2, 2] = True
    says = replace(none, named=names, over=torch.tensor([[0, 2], [2, 0]]))
    # It is where the other isn't on offer (row 1), where both are named (2), and where neither is (3).
    assert on_offer(says, [[0, 1, 2], [1, 2], [0, 2], [0, 2]], [False] * 4) == [[0, 1], [1, 2], [0, 2], [0, 2]]


def test_of_some_rows_it_says_what_these_say() -> None:
    names = torch.eye(4, dtype=torch.bool)[:2]
    some = replace(kinds([0, 1]), named=names).take(torch.tensor([1, 1, 0]))
    assert some.asked.tolist() == [1, 1, 0]
    assert torch.equal(some.named, names[[1, 1, 0]])


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
