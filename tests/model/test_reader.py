"""The reader's operators, the walk, evidence, checkpoints and training, on a small real graph with the real encoder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from graph_schema import Batch, CheckpointError, Fact, FingerprintMismatch, GraphStore, Schema
from kgqa.answering import Answerer
from kgqa.data import Question
from kgqa.linking import split_brackets
from kgqa.model.checkpoint import Checkpoint, CheckpointConfig, load_checkpoint, save_checkpoint
from kgqa.model.config import ModelConfig
from kgqa.model.decision import Calibration
from kgqa.model.encoder import Encoder
from kgqa.model.network import ReaderNetwork, log_odds
from kgqa.retrieval.expander import LiveExpander, SnapshotExpander
from kgqa.retrieval.keys import key_node, key_row
from kgqa.retrieval.scores import combine, read
from kgqa.retrieval.walk import Budget, walk
from kgqa.stores import open_store
from kgqa.stores.snapshot import Snapshot
from kgqa.training.config import TrainConfig
from kgqa.training.prepare import prepare
from kgqa.training.session import train
from kgqa.training.trainer import Progress, Trainer, batch_at

SMALL = ModelConfig(state_dim=32, relation_dim=32, slot_dim=16, max_hops=2)
PEOPLE = [f"Person {chr(65 + i)}{chr(97 + j)}" for i in range(10) for j in range(6)]


def facts() -> list[Fact]:
    """Sixty people in ten towns of five countries, and whom each of them knows."""
    lived = [Fact(name, "lives_in", f"Town {i % 10}") for i, name in enumerate(PEOPLE)]
    lies = [Fact(f"Town {i}", "located_in", f"Country {i % 5}") for i in range(10)]
    knows = [Fact(name, "friend_of", PEOPLE[(i * 7 + 3) % 60]) for i, name in enumerate(PEOPLE)]
    return lived + lies + knows


def question(text: str, answer: str) -> Question:
    plain, spans = split_brackets(text)
    return Question(plain, spans, (answer,))


def questions() -> list[Question]:
    made = []
    for i, name in enumerate(PEOPLE):
        made.append(question(f"where does [{name}] live", f"Town {i % 10}"))
        made.append(question(f"who is a friend of [{name}]", PEOPLE[(i * 7 + 3) % 60]))
        made.append(question(f"in which country does [{name}] live", f"Country {i % 5}"))
    return made


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GraphStore]:
    made = open_store(f"sqlite:///{tmp_path_factory.mktemp('people')}/people.db", create=True)
    made.migrate(Schema())
    made.write(Batch(facts=facts()))
    made.finish()
    yield made
    made.close()


@pytest.fixture(scope="module")
def network() -> ReaderNetwork:
    torch.manual_seed(0)
    return ReaderNetwork(SMALL).eval().requires_grad_(False)


def test_attention_and_stop_are_distributions_and_padding_counts_for_nothing(
    encoder: Encoder, network: ReaderNetwork
) -> None:
    short, long = "where does [MASK] live", "in which country of the whole wide world does [MASK] live"
    alone = encoder.encode([short])
    both = encoder.encode([short, long])
    assert torch.allclose(both.states[0, : alone.states.shape[1]], alone.states[0], atol=1e-4)
    plan, single = network.plan(both), network.plan(alone)
    assert torch.allclose(plan.attention.sum(-1), torch.ones(2, SMALL.max_hops), atol=1e-5)
    assert bool((plan.attention[0, :, ~both.mask[0]] == 0).all())
    assert torch.allclose(plan.stop.sum(-1), torch.ones(2), atol=1e-5)
    assert torch.allclose(plan.query[0], single.query[0], atol=1e-4)


@pytest.mark.parametrize("gates", [(True, True), (False, True), (True, False)])
def test_slots_are_written_by_the_formula(gates: tuple[bool, bool]) -> None:
    torch.manual_seed(1)
    config = SMALL.model_copy(update={"read_gate": gates[0], "write_gate": gates[1]})
    writer = ReaderNetwork(config).writer.requires_grad_(False)
    slots, keys, old = torch.randn(3, 16), torch.randn(3, 32), torch.randn(2, 16)
    state, weight = torch.randn(1, 32), torch.tensor([0.5, 0.2, 0.9])
    row3, row2 = torch.zeros(3, dtype=torch.int64), torch.zeros(2, dtype=torch.int64)
    group, target = torch.tensor([0, 1, 1, 2]), torch.tensor([0, 0, 1, 1])
    written, _ = writer(slots, keys, row3, weight, group, target, old, row2, state)
    for v in range(2):
        message, total = torch.zeros(16), 0.0
        for g, t in zip(group.tolist(), target.tolist(), strict=True):
            if t == v:
                own = torch.relu(
                    writer.from_slot(slots[g]) + writer.from_relation(keys[g]) + writer.from_state(state[0])
                )
                message, total = message + weight[g] * own, total + float(weight[g])
        mean = message / total
        both = (writer.gates(torch.cat([old[v], mean])) + writer.gates_state(state[0])).sigmoid()
        kept = both[:16] if gates[0] else torch.ones(16)
        put = both[16:] if gates[1] else torch.ones(16)
        assert torch.allclose(written[v], kept * old[v] + put * torch.tanh(mean), atol=1e-5)


def test_nothing_learned_depends_on_the_graph_and_odds_are_finite(network: ReaderNetwork) -> None:
    assert all(set(p.shape) <= {1, 16, 32, 48, 64, 96, 384, 769} for p in network.parameters())
    assert torch.isfinite(log_odds(torch.tensor([0.0, 0.5, 1.0]))).all()
    table = network.relations.table(torch.randn(14, 384))
    assert table.key.shape == (14, 32)


@pytest.mark.parametrize("side", ["question_side", "graph_side"])
def test_a_side_of_the_fusion_can_be_switched_off(side: str) -> None:
    fusion = ReaderNetwork(SMALL.model_copy(update={side: False})).fusion
    graph, asked = torch.tensor([1.0, -2.0]), torch.tensor([0.5, 0.5])
    expected = graph if side == "question_side" else fusion.weight * asked
    assert torch.allclose(fusion(graph, asked), expected)


def scored(
    network: ReaderNetwork,
    encoder: Encoder,
    expander: SnapshotExpander | LiveExpander,
    texts: list[str],
    topics: list[str],
) -> dict[tuple[int, str], float]:
    """Mass of everything reached, by row and entity id."""
    tokens = encoder.encode(texts)
    plan = network.plan(tokens)
    schema = Schema().with_relations(expander.relations)
    table = network.relations.table(encoder.relation_texts(schema, expander.relations))
    reached = walk(network, plan, table, expander, torch.arange(len(topics)), expander.nodes(topics), Budget())
    ids = expander.ids(key_node(reached.key))
    return dict(zip(zip(key_row(reached.key).tolist(), ids, strict=True), reached.mass.tolist(), strict=True))


def test_live_and_snapshot_and_batch_reach_the_same(
    store: GraphStore, encoder: Encoder, network: ReaderNetwork
) -> None:
    snapshot = SnapshotExpander(Snapshot.build(store))
    texts = ["where does [MASK] live", "who in the town is a friend of [MASK]"]
    together = scored(network, encoder, snapshot, texts, PEOPLE[:2])
    assert together == pytest.approx(scored(network, encoder, LiveExpander(store), texts, PEOPLE[:2]), abs=1e-5)
    alone = scored(network, encoder, snapshot, texts[1:], PEOPLE[1:2])
    assert {k[1]: v for k, v in together.items() if k[0] == 1} == pytest.approx(
        {k[1]: v for k, v in alone.items()}, abs=1e-4
    )


def test_the_budget_is_kept_and_what_is_cut_is_counted(store: GraphStore, encoder: Encoder) -> None:
    torch.manual_seed(0)
    network = ReaderNetwork(SMALL.model_copy(update={"prune": 0.0})).eval().requires_grad_(False)
    expander = SnapshotExpander(Snapshot.build(store))
    tokens = encoder.encode(["who lives in [MASK]"])
    plan = network.plan(tokens)
    table = network.relations.table(encoder.relation_texts(Schema(), expander.relations))
    start = torch.zeros(1, dtype=torch.int64), expander.nodes(["Town 0"])
    free = walk(network, plan, table, expander, *start, Budget()).hops[0]
    tight = walk(network, plan, table, expander, *start, Budget(edges=4)).hops[0]
    assert len(free.edge_group) == 7
    assert len(tight.edge_group) == 4
    assert int(tight.cut_count.sum()) == 3
    hidden = walk(network, plan, table, expander, *start, Budget(), hide=torch.tensor([0])).hops[0]
    first = int(free.weights[0].argmax())
    assert float(hidden.weights[0, first]) == 0


def test_an_answer_to_two_topics_is_reached_from_both(
    store: GraphStore, encoder: Encoder, network: ReaderNetwork
) -> None:
    expander = SnapshotExpander(Snapshot.build(store))
    tokens = encoder.encode(["who lives in [MASK]", "who lives in [MASK]"])
    plan = network.plan(tokens)
    table = network.relations.table(encoder.relation_texts(Schema(), expander.relations))
    topics = expander.nodes(["Town 0", PEOPLE[0]])
    reached, reading = read(network, plan, table, expander, torch.arange(2), topics, Budget())
    got = reached.mass > 0
    met = list(zip(key_row(reached.key[got]).tolist(), key_node(reached.key[got]).tolist(), strict=True))
    rows = [{node for row, node in met if row == wanted} for wanted in (0, 1)]
    scores = combine(reached, reading, torch.tensor([0, 0]))
    assert rows[0] & rows[1]
    assert set(scores.node.tolist()) == rows[0] & rows[1]


@pytest.fixture(scope="module")
def trained(store: GraphStore, encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    made = questions()
    config = TrainConfig(model=SMALL, steps=150, batch_size=32, learning_rate=5e-3, warmup=10, evaluate_every=50)
    run = tmp_path_factory.mktemp("run")
    return train(config, encoder, Snapshot.build(store), made[:135], made[135:], run)


def test_training_learns_one_and_two_hops_from_answers_alone(
    trained: Checkpoint, store: GraphStore, encoder: Encoder
) -> None:
    assert trained.config.trained["dev"]["hits_at_1"] >= 0.9
    answerer = Answerer(store, trained, encoder)
    for text, answer, hops in (
        ("where does [Person Ja] live", "Town 4", 1),
        ("in which country does [Person Ja] live", "Country 4", 2),
    ):
        response = answerer.ask(text, explain=True)
        assert response.ranking[0].entity.id == answer
        assert len(response.trace) >= hops
        path = response.answers[0].evidence[0]
        assert (path.steps[0].source, path.steps[-1].target, len(path.steps)) == ("Person Ja", answer, hops)
        assert path.holds
        assert set(path.facts) <= set(facts())


def test_a_fact_loaded_later_is_asked_about_at_once_and_one_taken_out_is_gone(
    trained: Checkpoint, store: GraphStore, encoder: Encoder
) -> None:
    answerer = Answerer(store, trained, encoder)
    new = Fact("Newcomer", "lives_in", "Town 3")
    store.write(Batch(facts=[new]))
    assert [a.entity.id for a in answerer.ask("where does [Newcomer] live").answers] == ["Town 3"]
    store.delete([new])
    assert answerer.ask("where does [Newcomer] live").answers == ()


def test_a_run_that_was_interrupted_ends_as_one_that_was_not(
    store: GraphStore, encoder: Encoder, tmp_path: Path
) -> None:
    snapshot, made = Snapshot.build(store), questions()
    data, dev = prepare(made[:60], snapshot, mentions_of=60), prepare(made[60:80], snapshot)
    config = TrainConfig(model=SMALL, steps=12, batch_size=16, warmup=2, evaluate_every=4)

    def stop(now: Progress) -> None:
        if now.step == 5:
            raise KeyboardInterrupt

    whole = Trainer(config, encoder, snapshot, data, dev, tmp_path / "whole").fit()
    with pytest.raises(KeyboardInterrupt):
        Trainer(config, encoder, snapshot, data, dev, tmp_path / "cut").fit(stop)
    again = Trainer(config, encoder, snapshot, data, dev, tmp_path / "cut")
    assert again.step == 5
    resumed = again.fit()
    for one, other in zip(whole.network.parameters(), resumed.network.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-5)
    with pytest.raises(CheckpointError, match="config"):
        Trainer(config.model_copy(update={"seed": 1}), encoder, snapshot, data, dev, tmp_path / "cut")


def test_an_epoch_has_each_question_once() -> None:
    assert sorted(torch.cat([batch_at(step, 60, 20, seed=3) for step in range(3, 6)]).tolist()) == list(range(60))


def test_checkpoints_come_back_and_foreign_ones_are_refused(network: ReaderNetwork, tmp_path: Path) -> None:
    config = CheckpointConfig(
        model=SMALL,
        calibration=Calibration(),
        encoder="mini",
        encoder_fingerprint="e" * 16,
        relations=("lives_in",),
        schema_fingerprint=Schema().fingerprint(["lives_in"]),
    )
    save_checkpoint(tmp_path, network, config)
    back = load_checkpoint(tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), back.network.parameters(), strict=True))
    back.check(Schema(), ["lives_in", "more"], "e" * 16, any_schema=False)
    with pytest.raises(FingerprintMismatch, match=r"eeee.*ffff"):
        back.check(Schema(), ["lives_in"], "f" * 16, any_schema=False)
    with pytest.raises(FingerprintMismatch, match="lacks lives_in"):
        back.check(Schema(), ["other"], "e" * 16, any_schema=False)
    with pytest.raises(CheckpointError, match="no checkpoint here"):
        load_checkpoint(tmp_path / "nowhere")
    written = json.loads((tmp_path / "config.json").read_text("utf-8"))
    for change, message in (({"format": 3}, "format 3"), ({"colour": "red"}, "colour")):
        (tmp_path / "config.json").write_text(json.dumps({**written, **change}), "utf-8")
        with pytest.raises(CheckpointError, match=message):
            load_checkpoint(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(written), "utf-8")
    (tmp_path / "model.safetensors").write_bytes((tmp_path / "model.safetensors").read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="damaged"):
        load_checkpoint(tmp_path)
