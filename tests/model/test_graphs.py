"""Several graphs in one training: nothing but their being together may differ from each alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from graph_schema import Batch, CheckpointError, ConfigError, Fact, Schema
from graph_schema.schema import RelationSchema
from kgqa.adapt.other_words import relation_table
from kgqa.answering import Answerer
from kgqa.data import Question
from kgqa.data.questions import GoldPath
from kgqa.linking import split_brackets
from kgqa.model.checkpoint import Checkpoint
from kgqa.model.config import ModelConfig
from kgqa.model.encoder import Encoder
from kgqa.model.network import ReaderNetwork
from kgqa.retrieval.expander import SnapshotExpander
from kgqa.retrieval.walk import Budget
from kgqa.stores import open_store
from kgqa.stores.snapshot import Snapshot
from kgqa.training.config import TrainConfig
from kgqa.training.graphs import GraphQuestions, prepare_graphs, repeats, side_by_side
from kgqa.training.prepare import TextStates
from kgqa.training.selection import dev_scores
from kgqa.training.session import train, train_graphs
from kgqa.training.steps import known_steps, steps_loss

CONFIG = TrainConfig(
    model=ModelConfig(state_dim=32, relation_dim=32, slot_dim=16, max_hops=2),
    steps=60,
    batch_size=16,
    warmup=5,
    evaluate_every=20,
    mixture=0.0,
)


def ask(text: str, *answers: str) -> Question:
    return Question(*split_brackets(text), answers)


def made(directory: Path, schema: Schema, facts: list[Fact]) -> Snapshot:
    store = open_store(f"sqlite:///{directory}/graph.db", create=True)
    store.migrate(schema)
    store.write(Batch([], facts))
    store.finish()
    try:
        return Snapshot.build(store)
    finally:
        store.close()


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> list[GraphQuestions]:
    """People who live in towns, and parts that plants make; "Ann" is in both, and so is a relation of one name."""
    people = ["Ann", *(f"Person {i}" for i in range(11))]
    towns = [Fact(name, "at", f"Town {i % 4}") for i, name in enumerate(people)]
    friends = [Fact(name, "friend", people[i - 1]) for i, name in enumerate(people)]
    friends += [Fact(name, "lost", "Purse") for name in people]
    parts = [Fact("Ann", "at", "Plant 9")] + [Fact(f"Part {i}", "at", f"Plant {i % 3}") for i in range(23)]
    parts += [Fact(f"Plant {i}", "owner", f"Firm {i % 2}") for i in range(3)]
    lives = Schema(relations={"at": RelationSchema(words="lives in", inverse="home of")})
    makes = Schema(relations={"at": RelationSchema(words="is made by")})
    one = [ask(f"where does [{f.head}] live", f.tail) for f in towns]
    other = [ask(f"who makes [{f.head}]", f.tail) for f in parts if f.relation == "at"]
    return [
        GraphQuestions(made(tmp_path_factory.mktemp("towns"), lives, towns + friends), one[:8], one[8:]),
        GraphQuestions(made(tmp_path_factory.mktemp("plants"), makes, parts), other[:18], other[18:]),
    ]


def test_graphs_side_by_side_have_the_facts_and_the_words_of_each(graphs: list[GraphQuestions]) -> None:
    snapshots = [one.snapshot for one in graphs]
    both = side_by_side(snapshots)
    marked = [
        Fact(*(f"{place:06}:{part}" for part in (f.head, f.relation, f.tail)))
        for place, one in enumerate(snapshots)
        for f in one.all_facts()
    ]
    assert sorted(both.all_facts()) == sorted(marked)
    assert [both.id_of(at).partition(":")[2] for at in range(both.info().entities)] == [
        one.id_of(at) for one in snapshots for at in range(one.info().entities)
    ]
    assert [both.schema().words(name, inverse=inverse) for name in both.relations() for inverse in (False, True)] == [
        *("lives in", "home of", "friend", "friend", "lost", "lost"),
        *("is made by", "is made by", "owner", "owner"),
    ]


@pytest.mark.parametrize(
    ("questions", "mixture", "expected"),
    [([100, 100], 0.0, [1, 1]), ([400, 100], 0.0, [1, 4]), ([400, 100], 0.5, [1, 2]), ([400, 100], 1.0, [1, 1])],
)
def test_small_graphs_are_asked_more_often(questions: list[int], mixture: float, expected: list[int]) -> None:
    assert repeats(questions, mixture) == expected


def test_the_questions_of_both_are_prepared_as_of_each(graphs: list[GraphQuestions]) -> None:
    snapshot, train_, dev = prepare_graphs(graphs, 0.0, 100)
    assert len(train_.questions) == 8 * 2 + 18
    assert list(train_.questions[:8]) == list(train_.questions[8:16])
    assert len(train_.texts) == len(set(train_.texts))
    for prepared, parts in ((train_, [graphs[0].train] * 2 + [graphs[1].train]), (dev, [g.dev for g in graphs])):
        asked = [question for part in parts for question in part]
        position, row = prepared.rows.take(torch.arange(len(asked)))
        assert position.tolist() == list(range(len(asked)))
        _, topic = prepared.row_topics.take(row)
        _, answer = prepared.answers.take(torch.arange(len(asked)))
        for at, question in enumerate(asked):
            mark = "000001:" if "makes" in question.plain else "000000:"
            assert snapshot.id_of(int(topic[at])) == mark + question.topics[0]
            assert snapshot.id_of(int(answer[at])) == mark + question.answers[0]
            assert prepared.texts[int(prepared.row_text[row[at]])] == question.plain.replace(
                question.topics[0], "[MASK]"
            )


@pytest.mark.parametrize("wordings", [False, True])
def test_a_network_scores_both_as_it_scores_each(
    graphs: list[GraphQuestions], encoder: Encoder, wordings: bool
) -> None:
    torch.manual_seed(0)
    network = ReaderNetwork(CONFIG.model.model_copy(update={"wordings": wordings}))

    def scored(some: list[GraphQuestions]) -> list[tuple[float, bool]]:
        snapshot, _, dev = prepare_graphs(some, 1.0, 0)
        with torch.inference_mode():
            table = relation_table(network, encoder, snapshot.schema(), snapshot.relations(), snapshot.said)
        assert (table.other is not None) is wordings
        everything = torch.arange(len(dev.questions))
        texts = TextStates(encoder, dev.texts)
        found = dev_scores(network, SnapshotExpander(snapshot), table, dev, texts, everything, Budget())
        return list(zip(found.scores.log_probability.tolist(), found.gold.tolist(), strict=True))

    together, alone = scored(graphs), [pair for one in graphs for pair in scored([one])]
    assert [gold for _, gold in together] == [gold for _, gold in alone]
    assert [p for p, _ in together] == pytest.approx([p for p, _ in alone], abs=1e-5)


def test_known_ways_are_taught_as_in_each_of_the_graphs(graphs: list[GraphQuestions], encoder: Encoder) -> None:
    """Relations of another graph, "lives in" and "is made by" here, are nothing that could have been meant."""
    torch.manual_seed(0)
    network = ReaderNetwork(CONFIG.model)

    def way(question: Question) -> Question:
        return replace(question, paths=(GoldPath(question.topics[0], (("at", False),)),))

    known = [replace(one, train=[*map(way, one.train)]) for one in graphs]

    def loss(some: list[GraphQuestions]) -> float:
        snapshot, train_, _ = prepare_graphs(some, 1.0, 0)
        steps = known_steps(train_, snapshot, CONFIG.model.max_hops)
        assert {snapshot.relations()[of // 2].rpartition(":")[2] for of in steps[:, 0].tolist()} == {"at"}
        tokens = TextStates(encoder, train_.texts).take(train_.row_text, torch.device("cpu"))
        table = network.relations.table(encoder.relation_texts(snapshot.schema(), snapshot.relations()))
        taught = torch.ones(len(steps), dtype=torch.bool)
        expander = SnapshotExpander(snapshot)
        return steps_loss(network, network.plan(tokens), table, steps, taught, expander.part).item()

    assert loss(known) == pytest.approx(sum(loss([one]) for one in known), rel=1e-5)


@pytest.fixture(scope="module")
def both(graphs: list[GraphQuestions], encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return train_graphs(CONFIG, encoder, graphs, tmp_path_factory.mktemp("both"))


def test_one_reader_of_both_answers_on_each_without_asking_for_its_schema(
    graphs: list[GraphQuestions], encoder: Encoder, both: Checkpoint
) -> None:
    assert both.config.trained["dev"]["hits_at_1"] == 1
    assert both.config.relations == ()
    for one in graphs:
        answerer = Answerer(one.snapshot, both, encoder)
        for question in one.dev:
            first = answerer.ask(question.plain).ranking[0]
            assert first.entity.name == question.answers[0]


def test_a_training_may_begin_with_what_another_has_learned(
    graphs: list[GraphQuestions], encoder: Encoder, both: Checkpoint, tmp_path: Path
) -> None:
    few = CONFIG.model_copy(update={"steps": 1, "learning_rate": 1e-6, "evaluate_every": 1})
    one = graphs[0]
    anew = train(few, encoder, one.snapshot, one.train, one.dev, tmp_path / "anew")
    on = train(few, encoder, one.snapshot, one.train, one.dev, tmp_path / "on", start=both)
    assert on.config.trained["dev"]["hits_at_1"] == 1
    assert on.config.relations == ("at", "friend", "lost")
    assert on.config.trained["start"]["questions"] == 26
    for name, weights in both.network.state_dict().items():
        assert torch.allclose(weights, on.network.state_dict()[name], atol=1e-4)
    learned, first = (one.network.controller.ask.weight for one in (both, anew))
    assert not torch.allclose(learned, first, atol=1e-4)
    # What a run began with is one of its settings.
    with pytest.raises(CheckpointError, match=r"differing: start"):
        train(few, encoder, one.snapshot, one.train, one.dev, tmp_path / "on", start=anew)
    with pytest.raises(CheckpointError, match="other settings here"):
        train(few, encoder, one.snapshot, one.train, one.dev, tmp_path / "anew", start=both)
    wider = few.model_copy(update={"model": ModelConfig(state_dim=48, relation_dim=32, slot_dim=16, max_hops=2)})
    with pytest.raises(ConfigError, match=r"other settings of the model \(state_dim is 32\)"):
        train(wider, encoder, one.snapshot, one.train, one.dev, tmp_path / "wider", start=both)
    # How a plan is followed isn't learned: it may be another.
    reordered = few.model_copy(update={"model": few.model.model_copy(update={"reorder": not few.model.reorder})})
    made = train(reordered, encoder, one.snapshot, one.train, one.dev, tmp_path / "reordered", start=both)
    assert made.config.model.reorder != both.config.model.reorder


def test_words_without_context_are_read_so_when_asked_too(
    graphs: list[GraphQuestions], encoder: Encoder, tmp_path: Path
) -> None:
    config = CONFIG.model_copy(update={"model": CONFIG.model.model_copy(update={"contextual": False})})
    one = graphs[0]
    static = train(config, encoder, one.snapshot, one.train, one.dev, tmp_path)
    answerer = Answerer(one.snapshot, static, encoder)
    assert answerer.encoder.reads == (False, True, False)
    first = [answerer.ask(question.plain).ranking[0].entity.name for question in one.dev]
    found = sum(name == q.answers[0] for name, q in zip(first, one.dev, strict=True)) / len(first)
    assert found == static.config.trained["dev"]["hits_at_1"] == 1
