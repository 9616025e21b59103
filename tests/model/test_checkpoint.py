"""Checkpoints come back as they were written, and nothing else is taken for one."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load, save

from graph_schema import Batch, CheckpointError, ConfigError, Fact, FingerprintMismatch, Schema
from graph_schema.schema import RelationSchema
from kgqa.answering import checkpoint_for
from kgqa.model.checkpoint import (
    CONFIG,
    FILMS,
    GENERAL,
    START,
    WEIGHTS,
    Checkpoint,
    CheckpointConfig,
    load_checkpoint,
    save_checkpoint,
    shipped,
)
from kgqa.model.config import ModelConfig
from kgqa.model.decision import Calibration
from kgqa.model.encoder import Encoder
from kgqa.model.network import ReaderNetwork
from kgqa.stores import open_store

SMALL = ModelConfig(encoder_dim=12, state_dim=8, relation_dim=10, slot_dim=6, max_hops=2, write_gate=False)
SCHEMA = Schema.from_yaml("version: 1\nrelations:\n  lives_in: {words: lives in, inverse: is home of}\n")
RELATIONS = ("friend_of", "lives_in")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    config = CheckpointConfig(
        model=SMALL,
        calibration=Calibration(scale=0.35, shift=0.1),
        encoder="mini",
        encoder_fingerprint="e" * 16,
        relations=RELATIONS,
        schema_fingerprint=SCHEMA.fingerprint(RELATIONS),
        trained={"on": "Fünf Städte", "dev": {"f1": 0.5}},
    )
    save_checkpoint(tmp_path / "saved", ReaderNetwork(SMALL), config)
    return tmp_path / "saved"


def written(directory: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((directory / CONFIG).read_text("utf-8"))
    return read


def rewrite(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    """A fault: the config changed."""

    def make(directory: Path) -> None:
        config = written(directory)
        change(config)
        (directory / CONFIG).write_text(json.dumps(config), "utf-8")

    return make


def reweigh(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], None]:
    """A fault: the weights changed."""

    def make(directory: Path) -> None:
        tensors = load((directory / WEIGHTS).read_bytes())
        change(tensors)
        (directory / WEIGHTS).write_bytes(save(tensors))

    return make


def truncate(to: int) -> Callable[[Path], None]:
    def make(directory: Path) -> None:
        (directory / WEIGHTS).write_bytes((directory / WEIGHTS).read_bytes()[:to])

    return make


def test_what_was_saved_comes_back(saved: Path) -> None:
    torch.manual_seed(0)
    before, back = ReaderNetwork(SMALL), load_checkpoint(saved)
    assert back.path == str(saved)
    assert back.config == CheckpointConfig.model_validate(written(saved))
    assert (back.config.model, back.network.config) == (SMALL, SMALL)
    assert back.config.calibration == Calibration(scale=0.35, shift=0.1)
    assert back.config.trained == {"on": "Fünf Städte", "dev": {"f1": 0.5}}
    mine, other = before.state_dict(), back.network.state_dict()
    assert list(mine) == list(other)
    assert all(torch.equal(mine[name], other[name]) for name in mine)
    assert not back.network.training
    assert not any(parameter.requires_grad for parameter in back.network.parameters())


def test_saving_again_takes_the_place_of_what_was_there(saved: Path) -> None:
    first = load_checkpoint(saved)
    torch.manual_seed(1)
    save_checkpoint(
        saved, ReaderNetwork(SMALL), first.config.model_copy(update={"calibration": Calibration(scale=0.6)})
    )
    second = load_checkpoint(saved)
    assert second.config.calibration.scale == 0.6
    assert not torch.equal(first.network.writer.topic, second.network.writer.topic)
    assert sorted(file.name for file in saved.iterdir()) == sorted([CONFIG, WEIGHTS])


def _put(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


FAULTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "no weights": (lambda d: (d / WEIGHTS).unlink(), f"no checkpoint here.*{WEIGHTS}"),
    "no config": (lambda d: (d / CONFIG).unlink(), f"no checkpoint here.*{CONFIG}"),
    "config is a directory": (lambda d: _directory(d / CONFIG), "no checkpoint here"),
    "config is not JSON": (lambda d: _put(d / CONFIG, b"{"), "config.json is not JSON"),
    "config is empty": (lambda d: _put(d / CONFIG, b""), "config.json is not JSON"),
    "config is not UTF-8": (lambda d: _put(d / CONFIG, b'{"a": "\xff"}'), "config.json is not JSON"),
    "config is a list": (lambda d: _put(d / CONFIG, b"[]"), "config.json: "),
    "unknown key": (rewrite(lambda c: c.update(colour="red")), "colour: Extra inputs"),
    "unknown key of the model": (rewrite(lambda c: c["model"].update(colour="red")), "model.colour: Extra inputs"),
    "missing key": (rewrite(lambda c: c.pop("calibration")), "calibration: Field required"),
    "wrong type": (rewrite(lambda c: c["model"].update(slot_dim="six")), "model.slot_dim"),
    "two faults": (rewrite(lambda c: c.update(a=1, b=2)), "a: .*; b: "),
    "newer format": (rewrite(lambda c: c.update(format=3, unheard_of=1)), "format 3, this kgqa reads format 2.*Update"),
    "older format": (rewrite(lambda c: c.update(format=1)), "format 1, this kgqa reads format 2.*kgqa train"),
    "other sizes": (rewrite(lambda c: c["model"].update(slot_dim=7)), "damaged or doesn't fit.*writer"),
    "weights are empty": (truncate(0), f"{WEIGHTS} is damaged"),
    "weights end in the header": (truncate(20), f"{WEIGHTS} is damaged"),
    "weights end too early": (truncate(-1), f"{WEIGHTS} is damaged"),
    "weights are something else": (lambda d: _put(d / WEIGHTS, b"weights" * 100), f"{WEIGHTS} is damaged"),
    "a tensor is missing": (reweigh(lambda t: t.pop("writer.topic")), "damaged or doesn't fit.*writer.topic"),
    "a tensor too many": (reweigh(lambda t: t.update(more=torch.ones(1))), "damaged or doesn't fit.*more"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_no_checkpoint_is_refused(saved: Path, fault: str) -> None:
    make, message = FAULTS[fault]
    make(saved)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_checkpoint(saved)
    assert caught.value.where == str(saved)
    assert caught.value.fix
    assert "\n" not in str(caught.value)


def test_there_is_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint here"):
        load_checkpoint(tmp_path / "nowhere")
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(CheckpointError, match="no checkpoint here"):
        load_checkpoint(tmp_path / "file")


@pytest.fixture
def checkpoint(saved: Path) -> Checkpoint:
    return load_checkpoint(saved)


def check(checkpoint: Checkpoint, schema: Schema, *relations: str, encoder: str = "e" * 16, any_schema: bool) -> None:
    checkpoint.check(schema, relations, encoder, any_schema=any_schema)


@pytest.mark.parametrize("any_schema", [False, True])
def test_its_own_graph_and_a_wider_one_are_welcome(checkpoint: Checkpoint, any_schema: bool) -> None:
    check(checkpoint, SCHEMA, *RELATIONS, any_schema=any_schema)
    check(checkpoint, SCHEMA, *RELATIONS, "works_at", any_schema=any_schema)
    check(checkpoint, SCHEMA, "friend_of", any_schema=any_schema)  # lives_in is declared, though it has no facts


@pytest.mark.parametrize("any_schema", [False, True])
def test_another_encoder_is_refused_and_both_are_named(checkpoint: Checkpoint, any_schema: bool) -> None:
    with pytest.raises(FingerprintMismatch, match=rf"mini \({'e' * 16}\).* {'f' * 16}") as caught:
        check(checkpoint, SCHEMA, *RELATIONS, encoder="f" * 16, any_schema=any_schema)
    assert caught.value.where == checkpoint.path


def test_another_schema_is_refused_and_both_are_named(checkpoint: Checkpoint) -> None:
    other = Schema.from_yaml("version: 1\nrelations:\n  lives_in: {words: dwells in, inverse: is home of}\n")
    for schema, relations in ((other, RELATIONS), (Schema(), ("owns",)), (Schema(), ())):
        theirs = schema.fingerprint(relations)
        with pytest.raises(FingerprintMismatch, match=f"{checkpoint.config.schema_fingerprint}.*{theirs}"):
            check(checkpoint, schema, *relations, any_schema=False)
        check(checkpoint, schema, *relations, any_schema=True)
    with pytest.raises(FingerprintMismatch, match="lacks friend_of"):
        check(checkpoint, SCHEMA, "lives_in", any_schema=False)


@pytest.mark.parametrize("name", [FILMS, GENERAL, START])
def test_the_shipped_ones_fit_the_encoder_and_have_answers_to_give(encoder: Encoder, name: str) -> None:
    found = load_checkpoint(shipped(name))
    assert encoder.fingerprint() == found.config.encoder_fingerprint
    assert 0.3 < found.config.calibration.scale < 3
    assert found.network.config.encoder_dim == encoder.width
    assert all(bool(torch.isfinite(tensor).all()) for tensor in found.network.state_dict().values())


def test_a_graph_is_asked_with_the_shipped_reader_that_knows_its_schema(saved: Path, tmp_path: Path) -> None:
    films = load_checkpoint().config

    def chosen(name: str, relations: Sequence[str], schema: Schema, directory: Path | None = None) -> str:
        with closing(open_store(f"sqlite:///{tmp_path / name}.db", create=True)) as store:
            store.migrate(schema)
            store.write(Batch((), [Fact("a", relation, "b") for relation in relations]))
            return checkpoint_for(store, directory).path

    assert chosen("films", films.relations, Schema()) == str(shipped(FILMS))
    assert chosen("more", [*films.relations, "filmed_in"], Schema()) == str(shipped(FILMS))
    assert chosen("fewer", films.relations[1:], Schema()) == str(shipped(GENERAL))
    other_words = Schema(relations={films.relations[0]: RelationSchema(words="quite another thing")})
    assert chosen("said otherwise", films.relations, other_words) == str(shipped(GENERAL))
    assert chosen("other", ["likes"], Schema()) == str(shipped(GENERAL))
    assert chosen("given", ["likes"], Schema(), saved) == str(saved)


def test_another_budget_of_slots_is_the_same_reader_with_that_memory(saved: Path) -> None:
    loaded = load_checkpoint(saved)
    tight = loaded.with_slots(3)
    assert (tight.network.config, tight.config.model) == (SMALL.model_copy(update={"slot_budget": 3}),) * 2
    assert (loaded.network.config, loaded.config.model, tight.path) == (SMALL, SMALL, loaded.path)
    own, other = loaded.network.state_dict(), tight.network.state_dict()
    assert list(own) == list(other)
    assert all(torch.equal(own[name], other[name]) for name in own)
    assert not any(p.requires_grad for p in tight.network.parameters())
    bare = ModelConfig.model_validate({**SMALL.model_dump(), "slots": False})
    none = Checkpoint(ReaderNetwork(bare), loaded.config.model_copy(update={"model": bare}), "there")
    with pytest.raises(ConfigError, match=r"there: the reader has no slots .* Leave the number of slots out"):
        none.with_slots(3)
