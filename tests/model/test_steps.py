"""The ways of made questions are taught: which they are, and what their loss is."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from graph_schema import Entity, Fact, Schema
from kgqa.data import Question
from kgqa.data.questions import GoldPath
from kgqa.linking import split_brackets
from kgqa.model.config import ModelConfig
from kgqa.model.encoder import Encoder
from kgqa.model.network import ReaderNetwork
from kgqa.retrieval.expander import SnapshotExpander
from kgqa.stores.snapshot import Snapshot
from kgqa.training import trainer
from kgqa.training.prepare import TextStates, prepare
from kgqa.training.steps import SELDOM, following, known_steps, offered, steps_loss, surroundings
from kgqa.training.trainer import STATE, Progress, Trainer
from tests.model.small_run import CONFIG, snapshot
from tests.sets import graph

LIVES = (("lives_in", False),)
BACK = (("lives_in", False), ("lives_in", True))


def ask(text: str, *paths: GoldPath) -> Question:
    return Question(*split_brackets(text), ("Town 0",), paths=paths)


@pytest.fixture(scope="module")
def towns() -> Snapshot:
    return snapshot()


QUESTIONS = [
    ask("where does [Person A] live", GoldPath("Person A", LIVES)),
    ask("who lives where [Person B] lives", GoldPath("Person B", BACK)),
    ask("where do [Person C] and [Person D] live", GoldPath("Person D", BACK), GoldPath("Person C", LIVES)),
    ask("and [Person E]"),
    ask("and [Person F]", GoldPath("Person F", (("likes", False),))),
    ask("and [Person G]", GoldPath("Person G", (*BACK, *LIVES))),
]


def test_a_row_has_the_way_of_its_own_topic(towns: Snapshot) -> None:
    # No way, a relation that the graph lacks, more hops than are taken: nothing is known.
    none = [-1, -1]
    assert known_steps(prepare(QUESTIONS, towns), towns, 2).tolist() == [
        [0, -1],
        [0, 1],
        [0, -1],
        [0, 1],
        none,
        none,
        none,
    ]


def test_the_loss_is_of_the_known_way_and_of_where_it_ends(towns: Snapshot, encoder: Encoder) -> None:
    torch.manual_seed(0)
    network = ReaderNetwork(ModelConfig(state_dim=16, relation_dim=16, slot_dim=8, max_hops=2))
    data = prepare(QUESTIONS, towns)
    tokens = TextStates(encoder, data.texts).take(data.row_text, torch.device("cpu"))
    plan = network.plan(tokens)
    table = network.relations.table(encoder.relation_texts(towns.schema(), towns.relations()))
    steps = known_steps(data, towns, 2)
    each = [network.relations(plan, hop, table).log_softmax(-1) for hop in range(2)]
    wanted = [
        -each[0][0, 0] - plan.stop[0, 0].log(),
        -(each[0][1, 0] + each[1][1, 1]) / 2 - plan.stop[1, 1].log(),
    ]
    taught = torch.tensor([True, True, *[False] * 5])
    torch.testing.assert_close(steps_loss(network, plan, table, steps, taught), sum(wanted))
    # Rows of which nothing is known teach nothing, nor do those that aren't to be taught.
    untaught = torch.tensor([False] * 4 + [True] * 3)
    assert steps_loss(network, plan, table, steps, untaught).item() == 0
    steps_loss(network, plan, table, steps, taught).backward()  # type: ignore[no-untyped-call]
    assert network.controller.query[0].weight.grad is not None
    every = steps_loss(network, plan, table, steps)
    torch.testing.assert_close(every, steps_loss(network, plan, table, steps, torch.ones(7, dtype=torch.bool)))


def test_what_is_around_is_looked_up_where_each_hop_begins() -> None:
    known = graph(Fact(*fact.split()) for fact in ("a r b", "b s c", "b t d", "e r f", "f u a", "g t h"))
    ways = [("a", (("r", False), ("s", False))), ("e", (("r", False), ("u", False))), ("h", (("t", True),))]
    data = prepare([ask(f"[{topic}]", GoldPath(topic, way)) for topic, way in ways], known)
    steps = known_steps(data, known, 2)
    around = surroundings(data, steps, SnapshotExpander(known))
    names = [f"{name}{'^' * inverse}" for name in known.relations() for inverse in (False, True)]

    nothing = torch.zeros(0, dtype=torch.int64)

    def said(rows: list[int], follow: torch.Tensor = nothing) -> list[list[set[str]]]:
        masks = offered(around, torch.tensor(rows), steps[rows], len(names), follow)
        return [[{names[at] for at in torch.nonzero(one).squeeze(-1).tolist()} for one in mask] for mask in masks]

    assert said([0, 1, 2]) == [[{"r", "u^"}, {"r"}, {"t^"}], [{"r^", "s", "t"}, {"r^", "u"}, set()]]
    assert said([2, 0]) == [[{"t^"}, {"r", "u^"}], [set(), {"r^", "s", "t"}]]
    # With what is around other things that r leads to: b and f.
    follow = following(known)
    assert said([0, 1, 2], follow) == [[{"r", "u^"}, {"r"}, {"t^"}], [{"r^", "s", "t", "u"}] * 2 + [set()]]
    assert said([2, 0], follow)[1] == [set(), {"r^", "s", "t", "u"}]


def test_a_relation_follows_another_if_it_is_around_enough_of_what_that_leads_to() -> None:
    people, films = 200, 3  # all act in film 0; two of them direct film 1, and one of them writes film 2
    head = np.array([*range(people), 0, 1, 2], dtype=np.int64)
    relation = np.array([0] * people + [1, 1, 2], dtype=np.int64)
    tail = np.array([people] * people + [people + 1, people + 1, people + 2], dtype=np.int64)
    known = Snapshot.from_columns(
        [Entity(f"{i:03}", f"N{i}") for i in range(people + films)],
        ["acts", "directs", "writes"],
        head,
        relation,
        tail,
        schema=Schema(),
        url="test",
        changes=0,
    )
    assert SELDOM == 0.01
    keys = following(known)
    assert keys.tolist() == sorted(keys.tolist())
    names = ["acts", "acts^", "directs", "directs^", "writes", "writes^"]
    found = {name: {names[int(key) % 6] for key in keys if int(key) // 6 == at} for at, name in enumerate(names)}
    assert found == {
        "acts": {"acts^"},
        "acts^": {"acts", "directs"},  # writes: around one of 200
        "directs": {"directs^"},
        "directs^": {"acts", "directs"},
        "writes": {"writes^"},
        "writes^": {"acts", "writes"},
    }


def test_the_loss_among_what_is_around_is_that_of_a_walk(towns: Snapshot, encoder: Encoder) -> None:
    torch.manual_seed(0)
    network = ReaderNetwork(ModelConfig(state_dim=16, relation_dim=16, slot_dim=8, max_hops=2))
    data = prepare(QUESTIONS[:1], towns)
    plan = network.plan(TextStates(encoder, data.texts).take(data.row_text, torch.device("cpu")))
    table = network.relations.table(encoder.relation_texts(towns.schema(), towns.relations()))
    steps = known_steps(data, towns, 2)
    around = offered(surroundings(data, steps, SnapshotExpander(towns)), torch.tensor([0]), steps, 2, following(towns))
    assert [mask.tolist() for mask in around] == [[[True, False]], [[False, False]]]
    lives, back, none = network.relations(plan, 0, table)[0].exp().tolist()
    absent = back * torch.tensor(-3.0).exp().item()
    wanted = -math.log(lives / (lives + none + absent)) - math.log(plan.stop[0, 0].item())
    assert steps_loss(network, plan, table, steps, around=around).item() == pytest.approx(wanted, rel=1e-5)


def test_ways_alone_are_taught_before_and_gone_on_with(towns: Snapshot, encoder: Encoder, tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"way_steps": 40, "way_batch": 3, "steps": 1, "evaluate_every": 1})
    data = prepare(QUESTIONS[:3], towns)

    def trained(run: Path, *stops: int) -> tuple[list[Progress], dict[str, torch.Tensor]]:
        said: list[Progress] = []

        def progress(now: Progress) -> None:
            said.append(now)
            if len(said) in stops:
                raise KeyboardInterrupt

        for _ in stops:
            with pytest.raises(KeyboardInterrupt):
                Trainer(config, encoder, towns, data, data, run).fit(progress)
        Trainer(config, encoder, towns, data, data, run).fit(progress)
        weights: dict[str, torch.Tensor] = torch.load(run / STATE, weights_only=True)["network"]
        return said, weights

    said, whole = trained(tmp_path / "whole")
    assert [(one.step, one.steps) for one in said] == [*((step, 40) for step in range(1, 41)), (1, 1)]
    assert (
        said[39].loss < 0.9 * said[0].loss
    )  # a person has but one relation, so what there is to learn is where to stop
    again, resumed = trained(tmp_path / "stopped", 7, 30)
    assert [one.loss for one in again] == pytest.approx([one.loss for one in said], rel=1e-4)
    assert all(torch.allclose(resumed[name], whole[name], atol=1e-5) for name in whole)


def test_of_a_process_that_is_killed_among_the_ways_little_is_lost(
    towns: Snapshot, encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "SAVED_EVERY", 0.0)
    data, kept = prepare(QUESTIONS[:3], towns), []

    def progress(now: Progress) -> None:  # what lies there at this moment is all that a killed one leaves
        kept.append(torch.load(tmp_path / STATE, weights_only=True)["way_step"])

    config = CONFIG.model_copy(update={"way_steps": 3, "steps": 1, "evaluate_every": 1})
    Trainer(config, encoder, towns, data, data, tmp_path).fit(progress)
    assert kept == [1, 2, 3, 3]
