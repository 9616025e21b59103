"""The live expander: what it has been told it doesn't ask again, and a graph that changes under a question."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch

from graph_schema import Batch, Fact, Group, Offer, Schema, Start, Step
from kgqa.retrieval.expander import LiveExpander
from kgqa.stores import EmbeddedStore

FACTS = [Fact("a", "knows", "b"), Fact("b", "knows", "c"), Fact("b", "made", "x"), Fact("c", "knows", "a")]


class Overheard(EmbeddedStore):
    """Keeps which calls it was asked."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, create=True)
        self.calls: list[str] = []

    def relations(self) -> tuple[str, ...]:
        self.calls.append("relations")
        return super().relations()

    def start(self, keys: Sequence[str]) -> Start:
        self.calls.append("start")
        return super().start(keys)

    def step(self, groups: Sequence[Group]) -> Step:
        self.calls.append("step")
        return super().step(groups)

    def offer(self, ids: Sequence[str]) -> Offer:
        self.calls.append("offer")
        return super().offer(ids)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Overheard]:
    made = Overheard(tmp_path / "graph.db")
    made.migrate(Schema())
    made.write(Batch(facts=FACTS))
    made.calls.clear()
    yield made
    made.close()


def told(expander: LiveExpander, id_: str) -> list[tuple[str, bool, int]]:
    """The groups around one entity: (relation, inverse, facts)."""
    found = expander.offer(expander.nodes([id_]))
    return [
        (expander.relations[r // 2], bool(r % 2), n)
        for r, n in zip(found.relation.tolist(), found.count.tolist(), strict=True)
    ]


def test_a_walk_is_one_call_a_hop(store: Overheard) -> None:
    expander = LiveExpander(store)
    assert set(expander.lookup(["a", "nobody"])) == {"a"}
    assert expander.changes == store.changes()
    assert told(expander, "a") == [("knows", False, 1), ("knows", True, 1)]
    group, far = expander.expand(expander.offer(expander.nodes(["a"])).handle, torch.tensor([9, 9]))
    assert (group.tolist(), expander.ids(far)) == ([0, 1], ["b", "c"])
    assert told(expander, "b") == [("knows", False, 1), ("knows", True, 1), ("made", False, 1)]
    owner = expander.offer(torch.cat([far, far])).owner
    assert owner.tolist() == [0, 0, 0, 1, 1, 2, 2, 2, 3, 3]
    assert store.calls == ["start", "step"]
    assert told(expander, "x") == [("made", True, 1)]
    assert store.calls == ["start", "step", "offer"]
    empty = torch.zeros(0, dtype=torch.int64)
    assert [len(part) for part in expander.expand(empty, empty)] == [0, 0]
    assert store.calls == ["start", "step", "offer"]


@pytest.mark.parametrize("looked_up", [True, False])
def test_a_relation_that_appears_in_the_middle_of_a_question_is_left_out_of_it(
    store: Overheard, looked_up: bool
) -> None:
    expander = LiveExpander(store)
    if looked_up:
        expander.lookup(["a"])
    assert expander.relations == ("knows", "made")
    store.write(Batch(facts=[Fact("b", "adores", "x"), Fact("b", "likes", "x"), Fact("b", "made", "y")]))
    step = expander.offer(expander.nodes(["a"]))
    _, far = expander.expand(step.handle[:1], torch.tensor([9]))
    assert expander.ids(far) == ["b"]
    assert told(expander, "b") == [("knows", False, 1), ("knows", True, 1), ("made", False, 2)]
    assert LiveExpander(store).relations == ("adores", "knows", "likes", "made")


def test_a_relation_that_goes_in_the_middle_of_a_question(store: Overheard) -> None:
    expander = LiveExpander(store)
    expander.lookup(["a"])
    store.delete([fact for fact in FACTS if fact.relation == "knows"])
    store.write(Batch(facts=[Fact("a", "made", "b")]))
    group, far = expander.expand(expander.offer(expander.nodes(["a"])).handle, torch.tensor([9, 9]))
    assert (group.tolist(), far.tolist()) == ([], [])
    assert told(expander, "b") == [("made", False, 1), ("made", True, 1)]
