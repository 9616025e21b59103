"""The walk on small random graphs, against its reference and against itself said in other ways."""

from __future__ import annotations

import tempfile
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from graph_schema import Batch, Entity, Fact, Schema
from kgqa.retrieval.evidence import trace
from kgqa.retrieval.expander import Expander, LiveExpander, SnapshotExpander
from kgqa.retrieval.keys import key_node, key_row
from kgqa.retrieval.scores import combine
from kgqa.retrieval.walk import Budget
from kgqa.stores import EmbeddedStore
from tests.model.walk_reference import SMALL, Case, Walked, cases, go, network, reference, reference_chain

NETWORKS = [network(seed) for seed in range(3)]
# Not at random: what lies within rounding of a threshold may go either way. (Which cases they are depends on what is
# loaded of the project, for Hypothesis takes constants from it.)
many = settings(max_examples=120, derandomize=True, deadline=None)
few = settings(max_examples=20, derandomize=True, deadline=None)


def walked(case: Case, *, budget: Budget | None = None, hide: Tensor | None = None) -> Walked:
    net = NETWORKS[case.seed % 3]
    expander = SnapshotExpander(case.snapshot())
    return go(net, expander, case.texts(), case.tokens(), case.topics, budget=budget, hide=hide)


def logits(case: Case, done: Walked) -> list[list[list[float]]]:
    """[B][T][D + 1], of the relations and of none."""
    relations = NETWORKS[case.seed % 3].relations
    each = [relations(done.plan, hop, done.table) for hop in range(SMALL.max_hops)]
    found: list[list[list[float]]] = torch.stack(each, 1).double().tolist()
    return found


@many
@given(cases(), st.sampled_from([20_000, 3, 1]), st.integers(-1, 2))
def test_masses_edges_cuts_and_evidence_are_those_of_the_reference(case: Case, edges: int, hide: int) -> None:
    rows = len(case.topics)
    if case.alike:
        hide = -1  # which of relations that score alike is the best, and so hidden, is a matter of rounding
    hidden = torch.full((rows,), hide) if hide >= 0 else None
    done = walked(case, budget=Budget(edges), hide=hidden)
    score, stop, back = logits(case, done), done.plan.stop.double().tolist(), done.plan.back.double().tolist()
    absent = NETWORKS[case.seed % 3].relations.absent_weight
    assert absent is not None
    more: dict[str, Any] = {"edges_allowed": edges, "hide": hide, "absent": float(absent)}
    said = done.by_row(done.walk.mass)
    assert len(said) == len(done.walk.key)
    expected = {}
    for row, topics in enumerate(case.topics):
        mixture, hops = reference(case, topics, score[row], stop[row], back[row], **more)
        expected.update({(row, id_): mass for id_, mass in mixture.items()})
        for number, hop in enumerate(hops):
            got = done.walk.hops[number]
            mine = key_row(got.source_key[got.edge_group]) == row
            group, target = got.edge_group[mine], got.key[got.edge_target[mine]]
            ends = [done.expander.ids(key_node(key)) for key in (got.source_key[group], target)]
            found = list(zip(ends[0], got.relation[group].tolist(), ends[1], strict=True))
            assert sorted(found) == sorted(edge[:3] for edge in hop.edges)
            assert len(found) <= edges
            cut: dict[int, int] = {}
            for r, directed, count in zip(got.cut_row, got.cut_relation, got.cut_count, strict=True):
                if int(r) == row:
                    cut[int(directed)] = cut.get(int(directed), 0) + int(count)
            assert cut == hop.cut
        for got in done.walk.hops[len(hops) :]:
            assert not bool((key_row(got.source_key) == row).any())
        check_chains(case, done, row, [(id_, reference_chain(hops, stop[row], id_)) for id_ in sorted(mixture)])
    assert said == pytest.approx(expected, abs=1e-5)


def check_chains(case: Case, done: Walked, row: int, expected: list[tuple[str, list[tuple[str, int, str]]]]) -> None:
    """Evidence of one row's entities is as expected: facts of the graph, from a topic to the entity."""
    key = (row << 32) | done.expander.nodes([id_ for id_, _ in expected])
    chains = trace(done.walk, done.plan, done.expander, key)
    for at, (id_, chain) in enumerate(expected):
        length = int(chains.length[at])
        ends = [done.expander.ids(nodes[at, :length]) for nodes in (chains.source, chains.target)]
        steps = list(zip(ends[0], chains.relation[at, :length].tolist(), ends[1], strict=True))
        assert steps == chain
        if not steps:
            continue
        assert steps[0][0] in case.topics[row]
        assert steps[-1][2] == id_
        for step, (source, directed, target) in enumerate(steps):
            head, tail = (target, source) if directed % 2 else (source, target)
            assert Fact(head, case.relations[directed // 2], tail) in case.facts
            weight = done.walk.hops[step].weights[row, directed]
            assert float(chains.weight[at, step]) == pytest.approx(float(weight))


@many
@given(cases(), st.randoms(use_true_random=False))
def test_names_and_order_dont_matter(case: Case, random: Random) -> None:
    shuffled = random.sample
    names = dict(zip(case.entities, shuffled(case.entities, len(case.entities)), strict=True))
    relations = dict(zip(case.relations, shuffled(case.relations, len(case.relations)), strict=True))
    order = shuffled(range(len(case.topics)), len(case.topics))
    other = Case(
        case.entities,
        frozenset(Fact(names[f.head], relations[f.relation], names[f.tail]) for f in case.facts),
        tuple(tuple(names[id_] for id_ in case.topics[row]) for row in order),
        case.seed,
        case.alike,
    )
    texts = {relations[name]: text for name, text in case.texts().items()}
    tokens = [case.tokens()[row] for row in order]
    one = walked(case)
    two = go(NETWORKS[case.seed % 3], SnapshotExpander(other.snapshot()), texts, tokens, other.topics)
    said = {(order[row], id_): value for (row, id_), value in two.by_row(two.reading.logits).items()}
    expected = {(row, names[id_]): value for (row, id_), value in one.by_row(one.reading.logits).items()}
    assert said == pytest.approx(expected, abs=1e-4)


@many
@given(cases())
def test_a_row_alone_scores_as_in_a_batch(case: Case) -> None:
    together = walked(case)
    said = together.by_row(together.reading.logits.sigmoid())
    for row, topics in enumerate(case.topics):
        net, expander = NETWORKS[case.seed % 3], SnapshotExpander(case.snapshot())
        alone = go(net, expander, case.texts(), case.tokens()[row : row + 1], [topics])
        expected = {(row, id_): value for (_, id_), value in alone.by_row(alone.reading.logits.sigmoid()).items()}
        assert {key: value for key, value in said.items() if key[0] == row} == pytest.approx(expected, abs=1e-5)


@many
@given(cases(), st.sampled_from([1, 2, 3, 1000]))
def test_a_row_fills_as_many_slots_as_it_may_whatever_the_store_and_the_batch(case: Case, slots: int) -> None:
    tight = network(case.seed % 3, SMALL.model_copy(update={"slot_budget": slots}))
    snapshot = case.snapshot()
    said = []
    for expander in (SnapshotExpander(snapshot), LiveExpander(snapshot)):
        done = go(tight, expander, case.texts(), case.tokens(), case.topics)
        assert done.walk.memory is not None
        assert len(done.walk.memory.of) == len(done.walk.key)
        assert torch.bincount(done.walk.memory.row).le(slots).all() or slots == 1000
        said.append(done.by_row(done.reading.logits))
    assert said[1] == pytest.approx(said[0], abs=1e-4)
    alone = go(tight, SnapshotExpander(snapshot), case.texts(), case.tokens()[:1], case.topics[:1])
    first = {key: value for key, value in said[0].items() if key[0] == 0}
    assert alone.by_row(alone.reading.logits) == pytest.approx(first, abs=1e-4)
    if slots == 1000:
        free = walked(case)
        assert said[0] == pytest.approx(free.by_row(free.reading.logits), abs=1e-6)


@few
@given(cases(), st.booleans(), st.sampled_from([20_000, 3]))
def test_every_reader_gives_the_same_scores_and_evidence(case: Case, finished: bool, edges: int) -> None:
    snapshot = case.snapshot()
    with tempfile.TemporaryDirectory() as folder:
        store = EmbeddedStore(Path(folder) / "graph.db", create=True)
        store.migrate(Schema())
        store.write(Batch([Entity(id_, id_) for id_ in case.entities], sorted(case.facts)))
        if finished:
            store.finish()
        ways: list[Expander] = [SnapshotExpander(snapshot), LiveExpander(snapshot), LiveExpander(store)]
        said = []
        for expander in ways:
            net = NETWORKS[case.seed % 3]
            done = go(net, expander, case.texts(), case.tokens(), case.topics, budget=Budget(edges))
            chains = trace(done.walk, done.plan, expander, done.walk.key)
            proofs = {}
            keys = done.by_row(done.walk.mass)
            for at, key in enumerate(keys):
                length = int(chains.length[at])
                path = zip(expander.ids(chains.source[at, :length]), chains.relation[at, :length].tolist(), strict=True)
                proofs[key] = list(path)
            said.append((done.by_row(done.reading.logits), proofs))
        store.close()
    for scores, proofs in said[1:]:
        assert scores == pytest.approx(said[0][0], abs=1e-4)
        assert proofs == said[0][1]


@many
@given(cases(), st.data())
def test_a_question_of_several_topics_has_what_all_of_them_reached(case: Case, data: st.DataObject) -> None:
    done = walked(case)
    question = sorted(data.draw(st.integers(0, 2)) for _ in case.topics)
    scores = combine(done.walk, done.reading, torch.tensor(question))
    reached = done.by_row(done.walk.mass)
    logs = done.by_row(torch.nn.functional.logsigmoid(done.reading.logits))
    expected = {}
    for number in set(question):
        rows = [row for row, q in enumerate(question) if q == number]
        for id_ in case.entities:
            if all(reached.get((row, id_), 0.0) > 0 for row in rows):
                expected[number, id_] = sum(logs[row, id_] for row in rows)
    keys = zip(scores.question.tolist(), done.expander.ids(scores.node), strict=True)
    assert dict(zip(keys, scores.log_probability.tolist(), strict=True)) == pytest.approx(expected, rel=1e-4, abs=1e-5)
    assert scores.question.tolist() == sorted(scores.question.tolist())


def test_a_graph_without_a_fact() -> None:
    case = Case(("alone",), frozenset(), (("alone",), ()), 0)
    done = walked(case)
    assert done.by_row(done.walk.mass) == {(0, "alone"): 0.0}
    assert len(combine(done.walk, done.reading, torch.tensor([0, 1])).node) == 0
    assert trace(done.walk, done.plan, done.expander, done.walk.key).length.tolist() == [0]


def test_no_topic_at_all() -> None:
    done = walked(Case(("a", "b"), frozenset({Fact("a", "in", "b")}), ((), ()), 0))
    assert len(done.walk.key) == 0
    assert done.walk.hops == ()
    assert done.reading.attention.shape == (SMALL.read_hops, 0)


@pytest.mark.parametrize("topics", [("a", "b"), ("b", "a")])
@pytest.mark.parametrize("live", [False, True])
def test_ties_are_settled_by_the_source_then_by_the_relation(topics: tuple[str, str], live: bool) -> None:
    facts = {Fact("a", "made", "v"), Fact("b", "in", "v"), Fact("a", "made", "w"), Fact("a", "knows", "w")}
    case = Case(("a", "b", "v", "w"), frozenset(facts), (topics,), 0, alike=True)
    expander = LiveExpander(case.snapshot()) if live else SnapshotExpander(case.snapshot())
    done = go(NETWORKS[0], expander, case.texts(), case.tokens(), case.topics, budget=Budget(3))
    hop = done.walk.hops[0]
    assert torch.allclose(hop.weight, hop.weight[0])
    edges = zip(
        expander.ids(key_node(hop.source_key[hop.edge_group])),
        (case.relations[r // 2] for r in hop.relation[hop.edge_group].tolist()),
        expander.ids(key_node(hop.key[hop.edge_target])),
        strict=True,
    )
    assert sorted(edges) == [("a", "knows", "w"), ("a", "made", "v"), ("a", "made", "w")]
    free = go(NETWORKS[0], expander, case.texts(), case.tokens(), case.topics)
    found = trace(free.walk, free.plan, expander, expander.nodes(["v", "w"]))
    first = expander.ids(found.source[:, 0]), [case.relations[r // 2] for r in found.relation[:, 0].tolist()]
    assert first == (["a", "a"], ["made", "knows"])


def test_the_budget_takes_the_heaviest_groups_first_and_the_first_ids_of_the_last_one() -> None:
    facts = {Fact("hub", relation, f"{relation} {i}") for relation in ("knows", "made", "in") for i in range(4)}
    ends = tuple(sorted({fact.tail for fact in facts}))
    case = Case(("hub", *ends), frozenset(facts), (("hub",),), 2)
    free = walked(case).walk.hops[0]
    tight = walked(case, budget=Budget(6))
    hop = tight.walk.hops[0]
    weights = {name: float(free.weights[0, 2 * i]) for i, name in enumerate(case.relations)}
    heavy, second, last = sorted(weights, key=weights.__getitem__, reverse=True)
    assert weights[last] > SMALL.prune * weights[heavy]
    reached = tight.expander.ids(key_node(hop.key))
    assert reached == sorted([f"{heavy} {i}" for i in range(4)] + [f"{second} {i}" for i in range(2)])
    cut = {case.relations[int(r) // 2]: int(n) for r, n in zip(hop.cut_relation, hop.cut_count, strict=True)}
    assert cut == {second: 2, last: 4}
