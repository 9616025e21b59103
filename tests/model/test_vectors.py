"""Vectors that nodes have: read into slots, the same on every store, and of use where nothing else tells."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from graph_schema import Batch, Entity, Fact, InputError, Schema
from kgqa.data import Question
from kgqa.linking import split_brackets
from kgqa.model.config import ModelConfig
from kgqa.model.encoder import Encoder
from kgqa.model.slots import Memory
from kgqa.model.vectors import NodeVectors
from kgqa.retrieval.expander import LiveExpander, SnapshotExpander
from kgqa.stores import EmbeddedStore
from kgqa.stores.snapshot import Snapshot
from kgqa.training.config import TrainConfig
from kgqa.training.prepare import prepare
from kgqa.training.trainer import Trainer

WIDTH, PEOPLE, THINGS = 6, 24, 4
COLOURS = ("red", "green", "blue", "yellow")
MODEL = ModelConfig(state_dim=32, relation_dim=32, slot_dim=16, max_hops=1)
SEEING = MODEL.model_copy(update={"vector_property": "look", "vector_dim": WIDTH})


def looks() -> np.ndarray:
    """[PEOPLE, THINGS, WIDTH]: each person's things, one of each colour, told by the place of the greatest number."""
    drawn = np.random.default_rng(0).normal(0, 0.2, (PEOPLE, THINGS, WIDTH))
    for thing in range(THINGS):
        drawn[:, thing, thing] += 1
    return drawn


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    """People who own four things each; of what colour, only the vectors say. The last person's have none."""
    entities, facts = [], []
    for person, own in enumerate(looks()):
        for thing, vector in enumerate(own):
            id_ = f"thing {person} {(thing + person) % THINGS}"
            told = {"look": tuple(vector.tolist())} if person < PEOPLE - 1 else {}
            entities.append(Entity(id_, id_, properties=told))
            facts.append(Fact(f"Person {chr(65 + person)}", "owns", id_))
    made = EmbeddedStore(tmp_path_factory.mktemp("things") / "things.db", create=True)
    made.migrate(Schema())
    made.write(Batch(entities, facts))
    made.finish()
    yield made
    made.close()


def asked(people: range) -> list[Question]:
    """Which thing of a colour each person owns."""
    return [
        Question(
            *split_brackets(f"which {colour} thing does [Person {chr(65 + person)}] own"),
            (f"thing {person} {(thing + person) % THINGS}",),
        )
        for person in people
        for thing, colour in enumerate(COLOURS)
    ]


@pytest.mark.parametrize("model", [MODEL, SEEING])
def test_what_only_a_vector_tells_is_answered_by_a_reader_that_sees_it(
    model: ModelConfig, store: EmbeddedStore, encoder: Encoder, tmp_path: Path
) -> None:
    """Asked of people whom training doesn't know, whose things it has never seen."""
    snapshot = Snapshot.build(store)
    config = TrainConfig(
        model=model, steps=60, batch_size=32, warmup=5, learning_rate=0.01, evaluate_every=30,
        hide_share=0, unknown_share=0, mention_questions=0,
    )  # fmt: skip
    train, dev = (prepare(asked(people), snapshot) for people in (range(18), range(18, PEOPLE - 1)))
    trained = Trainer(config, encoder, snapshot, train, dev, tmp_path).fit()
    if model.vector_dim:
        assert trained.dev.hits_at_1 > 0.85
    else:
        assert trained.dev.hits_at_1 < 0.6  # one of four, by chance


def test_vectors_are_the_same_from_every_store(store: EmbeddedStore) -> None:
    ids = ["thing 3 1", "Person A", "thing 0 0", "thing 3 1", f"thing {PEOPLE - 1} 0"]
    found = []
    for expander in (SnapshotExpander(Snapshot.build(store)), LiveExpander(store)):
        found.append(expander.vectors(expander.nodes(ids), "look", WIDTH))
        assert expander.vectors(expander.nodes([]), "look", WIDTH).shape == (0, WIDTH)
        assert not expander.vectors(expander.nodes(ids), "sound", 3).any()
        with pytest.raises(InputError, match=r"thing .*'look' is no list of 5 numbers"):
            expander.vectors(expander.nodes(ids), "look", 5)
    assert torch.equal(found[0], found[1])
    assert found[0][0].tolist() == pytest.approx(looks()[3, (1 - 3) % THINGS].tolist())
    assert not found[0][[1, 4]].any()


def test_vectors_join_slots_by_the_formula() -> None:
    torch.manual_seed(0)
    net = NodeVectors(SEEING)
    memory = Memory(torch.randn(3, 16), torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1, 2]))
    vectors, question, row = torch.randn(4, WIDTH), torch.randn(2, 64), torch.tensor([0, 0, 0, 1])
    vectors[3] = 0
    got, fit = net(memory, vectors, question, row)
    said = (vectors / vectors.norm(dim=-1, keepdim=True).clamp(min=1e-12)) @ net.to_slot.weight.T
    expected = memory.slots + torch.stack([said[0], (said[1] + said[2]) / 2, torch.zeros(16)])
    assert torch.allclose(got.slots, expected, atol=1e-5)
    assert torch.allclose(fit, (net.ask(question)[row] * said).sum(-1) / 4, atol=1e-5)
    assert fit[3] == 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"vector_dim": 3}, "given together"),
        ({"vector_property": "look"}, "given together"),
        ({"vector_property": "look", "vector_dim": 3, "slots": False}, "slots is off"),
    ],
)
def test_settings_that_make_no_sense_are_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ModelConfig.model_validate(given)
