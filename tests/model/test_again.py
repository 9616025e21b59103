"""Reading once more in another order of the hops, on a plan made by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from graph_schema import Fact
from kgqa.model.config import ModelConfig
from kgqa.model.controller import Plan
from kgqa.model.decision import Calibration
from kgqa.model.network import ReaderNetwork
from kgqa.model.relations import RelationTable
from kgqa.retrieval.again import read_again
from kgqa.retrieval.asked import Kinds
from kgqa.retrieval.expander import SnapshotExpander
from kgqa.retrieval.keys import key_node
from kgqa.retrieval.walk import Budget
from tests.sets import graph

GRAPH = graph(
    [
        Fact("ann", "nation", "spain"),
        Fact("spain", "anthem", "march"),
        Fact("march", "composer", "bob"),
        Fact("cleo", "parent", "dora"),
        Fact("dora", "parent", "spain"),
    ]
)
RELATIONS = ("anthem", "composer", "nation", "parent")
WIDTH = 16


def network(*, reorder: bool, question_side: bool = False) -> tuple[ReaderNetwork, RelationTable]:
    """One that follows whatever relation it attends to, by the cosine alone."""
    torch.manual_seed(0)
    config = ModelConfig(
        encoder_dim=WIDTH, state_dim=8, relation_dim=8, slots=False, question_side=question_side, reorder=reorder
    )
    made = ReaderNetwork(config).eval().requires_grad_(False)
    assert made.relations.words_weight is not None
    made.relations.cosine_weight.fill_(30.0)
    made.relations.words_weight.fill_(30.0)
    return made, made.relations.table(torch.eye(WIDTH)[: 2 * len(RELATIONS)])


def plan(*rows: tuple[str, ...]) -> Plan:
    """Rows that ask for these relations, one after the other, each from head to tail."""
    context = torch.zeros(len(rows), 3, WIDTH)
    stop = torch.zeros(len(rows), 3)
    for at, row in enumerate(rows):
        stop[at, len(row) - 1] = 1
        for hop, name in enumerate(row):
            context[at, hop, 2 * RELATIONS.index(name)] = 1
    nothing = torch.zeros(len(rows), 3, 8)
    return Plan(
        attention=torch.ones(len(rows), 3, 1),
        context=context,
        words=context,
        state=nothing,
        query=nothing,
        stop=stop,
        back=torch.ones(len(rows), 3),
        pooled=nothing[:, 0],
    )


def best(
    asked: Plan,
    *,
    reorder: bool,
    questions: tuple[int, ...] = (),
    topic: str = "ann",
    kinds: Kinds | None = None,
    question_side: bool = False,
) -> tuple[Plan, list[str]]:
    """The plan that was read by, and the clearest entity of each question ("-": none above a half)."""
    net, table = network(reorder=reorder, question_side=question_side)
    rows = torch.arange(len(asked.stop))
    of = torch.tensor(questions or rows.tolist())
    at = torch.from_numpy(GRAPH.index_of([topic])).expand(len(rows))
    done, _, _, scores = read_again(
        net, asked, table, SnapshotExpander(GRAPH), rows, at, Budget(), of, Calibration(), kinds
    )
    found = ["-"] * (int(of[-1]) + 1)
    for question, node, log in zip(scores.question, scores.node, scores.log_probability, strict=True):
        if log > -0.7:
            found[int(question)] = GRAPH.id_of(int(key_node(node)))
    return done, found


def test_hops_planned_the_wrong_way_round_are_put_right_and_only_those() -> None:
    asked = plan(("anthem", "nation"), ("nation", "anthem"), ("composer", "anthem", "nation"), ("nation",))
    assert best(asked, reorder=False)[1] == ["-", "march", "-", "spain"]
    done, found = best(asked, reorder=True)
    assert found == ["march", "march", "bob", "spain"]
    right = plan(("nation", "anthem"), ("nation", "anthem"), ("nation", "anthem", "composer"), ("nation",))
    assert torch.equal(done.context, right.context)


def test_a_hop_that_says_two_is_walked_twice() -> None:
    asked = plan(("parent", "anthem"), ("parent",), ("parent", "composer"), ("parent", "parent", "anthem"))
    for reorder, found in ((False, ["-", "dora", "-", "march"]), (True, ["march", "dora", "-", "march"])):
        assert best(asked, reorder=reorder, topic="cleo")[1] == found
    done, _ = best(asked, reorder=True, topic="cleo")
    right = plan(("parent", "parent", "anthem"), ("parent",), ("parent", "composer"), ("parent", "parent", "anthem"))
    assert torch.equal(done.stop, right.stop)
    assert torch.equal(done.context[0], right.context[0])


@pytest.mark.parametrize("hops", [("composer",), ("composer", "composer"), ("anthem", "anthem", "nation")])
def test_what_no_order_leads_to_stays_unsaid(hops: tuple[str, ...]) -> None:
    asked = plan(hops)
    done, found = best(asked, reorder=True)
    assert found == ["-"]
    assert done is asked


def test_a_plan_of_more_hops_is_not_turned_over_before_the_last_one_taken() -> None:
    asked = plan(("anthem", "nation"))
    longer = replace(asked, stop=torch.tensor([[1.0, 0.0, 0.0]]))
    assert best(longer, reorder=True)[1] == ["-"]


def test_questions_of_two_topics_are_read_in_order() -> None:
    asked = plan(("anthem", "nation"), ("anthem", "nation"))
    assert best(asked, reorder=True, questions=(0, 0))[1] == ["-"]


def asks_for(*relations: str, held: bool = False) -> Kinds:
    """Of one question: what these relations lead to ("^": from tail to head); where the others lead is known, too."""
    of = torch.zeros(1, 2 * len(RELATIONS), dtype=torch.bool)
    for name in relations:
        of[0, 2 * RELATIONS.index(name.rstrip("^")) + 1 - name.endswith("^")] = True
    known, names = torch.ones(of.shape[1], dtype=torch.bool), torch.zeros(1, of.shape[1], dtype=torch.bool)
    return Kinds(torch.tensor([0]), of, known, torch.tensor([held]), names, torch.zeros(2, 0, dtype=torch.int64))


def test_the_last_hop_goes_to_what_is_asked_for() -> None:
    asked = plan(("anthem", "anthem"))
    asked.context[0, 0] = torch.eye(WIDTH)[2 * RELATIONS.index("anthem") + 1]
    asked.context[0, 1, 2 * RELATIONS.index("nation") + 1] = 0.98  # nearly as much
    for kinds, found in ((None, ["march"]), (asks_for("nation^"), ["ann"]), (asks_for("composer"), ["march"])):
        assert best(asked, reorder=False, topic="march", kinds=kinds)[1] == found


def test_where_nothing_of_the_kind_is_found_another_number_of_hops_is_tried() -> None:
    asked = plan(("nation", "anthem"))
    kinds = asks_for("nation")
    assert best(asked, reorder=True, kinds=None, question_side=True)[1] == ["march"]
    done, found = best(asked, reorder=True, kinds=kinds, question_side=True)
    assert found == ["spain"]
    assert done.stop.tolist() == [[1, 0, 0]]
    assert best(asked, reorder=False, kinds=kinds, question_side=True)[0] is not done


@pytest.mark.parametrize(("stop", "found"), [([0.02, 0.92, 0.06], "bob"), ([0.06, 0.92, 0.02], "spain")])
def test_of_other_numbers_of_hops_the_likelier_is_taken(stop: list[float], found: str) -> None:
    asked = replace(plan(("nation", "anthem", "composer")), stop=torch.tensor([stop]))
    kinds = asks_for("nation", "composer")
    assert best(asked, reorder=True, kinds=kinds, question_side=True)[1] == [found]


def test_what_a_topics_own_relationships_have_is_one_hop_away() -> None:
    asked = plan(("nation", "anthem"))
    for held, found in ((False, ["march"]), (True, ["spain"])):
        kinds = asks_for("nation", "anthem", held=held)
        assert best(asked, reorder=False, kinds=kinds)[1] == found


def test_of_two_relations_of_nearly_one_name_the_named_one_is_followed() -> None:
    asked = plan(("nation",))
    asked.context[0, 0] = torch.eye(WIDTH)[2 * RELATIONS.index("nation") + 1]
    asked.context[0, 0, 2 * RELATIONS.index("parent") + 1] = 0.98  # nearly as much; both lead back from Spain
    says = replace(asks_for(), asked=torch.tensor([-1]), over=torch.tensor([[6, 7], [4, 5]]))
    named = replace(says, named=torch.arange(8).unsqueeze(0) >= 6)
    for kinds, found in ((None, "ann"), (says, "ann"), (named, "dora")):
        assert best(asked, reorder=True, topic="spain", kinds=kinds)[1] == [found]
    both = replace(named, named=torch.arange(8).unsqueeze(0) >= 4)
    assert best(asked, reorder=True, topic="spain", kinds=both)[1] == ["ann"]
