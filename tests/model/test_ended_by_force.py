"""Training runs that end at the worst moment: what is on disk can always be gone on with."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from graph_schema import CheckpointError
from kgqa.model.encoder import Encoder
from kgqa.retrieval.expander import Groups, SnapshotExpander
from kgqa.training.prepare import prepare
from kgqa.training.trainer import STATE, Progress, Trained, Trainer
from tests.docs.repository import ROOT
from tests.model.small_run import CONFIG, questions, snapshot, trainer


class Impatient(SnapshotExpander):
    """Ctrl-C at the first question of a look at the dev questions."""

    def offer(self, node: Tensor) -> Groups:
        if torch.is_inference_mode_enabled():
            raise KeyboardInterrupt
        return super().offer(node)


@pytest.fixture(scope="module")
def whole(encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return trainer(tmp_path_factory.mktemp("whole"), encoder).fit()


def interrupted(run: Path, encoder: Encoder, at: int) -> None:
    def stop(now: Progress) -> None:
        if now.step == at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer(run, encoder).fit(stop)


def same(one: Trained, other: Trained) -> bool:
    pairs = zip(one.network.parameters(), other.network.parameters(), strict=True)
    return one.dev == other.dev and all(torch.allclose(a, b, atol=1e-6) for a, b in pairs)


def test_killed_in_the_middle_of_saving(encoder: Encoder, whole: Trained, tmp_path: Path) -> None:
    interrupted(tmp_path, encoder, 2)
    before = (tmp_path / STATE).read_bytes()
    killed = subprocess.run(
        [sys.executable, "-m", "tests.model.small_run", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert killed.returncode == -signal.SIGXFSZ, killed.stderr
    assert (tmp_path / STATE).read_bytes() == before
    again = trainer(tmp_path, encoder)
    assert again.step == 2
    assert same(again.fit(), whole)


def test_interrupted_while_looking_at_the_dev_questions(encoder: Encoder, whole: Trained, tmp_path: Path) -> None:
    cut = trainer(tmp_path, encoder)
    cut.expander = Impatient(cut.expander.snapshot)
    with pytest.raises(KeyboardInterrupt):
        cut.fit()
    again = trainer(tmp_path, encoder)
    assert again.step == CONFIG.steps
    assert same(again.fit(), whole)


def test_a_finished_run_is_finished(encoder: Encoder, whole: Trained, tmp_path: Path) -> None:
    first = trainer(tmp_path, encoder).fit()
    said: list[Progress] = []
    second = trainer(tmp_path, encoder).fit(said.append)
    assert same(first, whole)
    assert same(second, whole)
    assert said == []


def test_one_seed_is_one_result(encoder: Encoder, whole: Trained, tmp_path: Path) -> None:
    again = trainer(tmp_path / "again", encoder).fit()
    other = trainer(tmp_path / "other", encoder, CONFIG.model_copy(update={"seed": 1})).fit()
    pairs = list(zip(whole.network.parameters(), again.network.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in pairs)
    assert not same(other, whole)


@pytest.mark.parametrize("differing", ["questions", "dev", "graph"])
def test_other_data_of_the_same_size_are_other_data(encoder: Encoder, tmp_path: Path, differing: str) -> None:
    interrupted(tmp_path, encoder, 1)
    graph = snapshot(moved=3 if differing == "graph" else 0)
    train, dev = (
        prepare(questions("what is the town of [{}]") if differing == name else questions(), graph)
        for name in ("questions", "dev")
    )
    with pytest.raises(CheckpointError, match=rf"other settings here \(differing: {differing}\)"):
        Trainer(CONFIG, encoder, graph, train, dev, tmp_path)
