"""The mean of several readers' weights, and a training of no steps, which only looks at the dev questions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from graph_schema import ConfigError
from kgqa.model.checkpoint import Checkpoint
from kgqa.model.encoder import Encoder
from kgqa.model.network import ReaderNetwork
from kgqa.training.session import train
from kgqa.training.soup import averaged
from kgqa.training.trainer import Progress
from tests.model.small_run import CONFIG, questions, snapshot


def reader(seed: int, encoder: Encoder, run: Path) -> Checkpoint:
    config = CONFIG.model_copy(update={"steps": 2, "evaluate_every": 2, "seed": seed})
    return train(config, encoder, snapshot(), questions(), questions(), run)


def test_every_weight_is_the_mean_and_the_readers_stay_as_they_were(encoder: Encoder, tmp_path: Path) -> None:
    readers = [reader(seed, encoder, tmp_path / str(seed)) for seed in range(3)]
    before = [{name: value.clone() for name, value in one.network.state_dict().items()} for one in readers]
    mean = averaged(readers)
    assert (mean.config, mean.path) == (readers[0].config, readers[0].path)
    for name, value in mean.network.state_dict().items():
        torch.testing.assert_close(value, sum(state[name] for state in before) / 3)
    for one, state in zip(readers, before, strict=True):
        assert all(torch.equal(value, state[name]) for name, value in one.network.state_dict().items())
    assert any(not torch.equal(value, before[1][name]) for name, value in before[0].items())


def test_of_one_it_is_that_one(encoder: Encoder, tmp_path: Path) -> None:
    one = reader(0, encoder, tmp_path)
    same = averaged([one]).network.state_dict()
    assert all(torch.equal(value, same[name]) for name, value in one.network.state_dict().items())


def test_no_readers_and_unlike_ones_are_refused(encoder: Encoder, tmp_path: Path) -> None:
    one = reader(0, encoder, tmp_path)
    other = one.config.model.model_copy(update={"max_hops": one.config.model.max_hops + 1})
    unlike = replace(one, network=ReaderNetwork(other), config=one.config.model_copy(update={"model": other}))
    with pytest.raises(ConfigError, match="no readers"):
        averaged([])
    with pytest.raises(ConfigError, match="other settings"):
        averaged([one, unlike])


def test_no_steps_leave_the_weights_as_they_are_and_calibrate_them(encoder: Encoder, tmp_path: Path) -> None:
    start = reader(0, encoder, tmp_path / "start")
    other = replace(start, config=start.config.model_copy(update={"calibration": type(start.config.calibration)()}))
    said: list[Progress] = []
    config = CONFIG.model_copy(update={"steps": 0, "way_steps": 0})
    again = train(
        config, encoder, snapshot(), questions(), questions(), tmp_path / "again", start=other, progress=said.append
    )
    assert said == []
    weights = again.network.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in start.network.state_dict().items())
    assert again.config.calibration == start.config.calibration  # of the same weights on the same questions
    assert again.config.trained["dev"] == start.config.trained["dev"]


def test_what_is_kept_lies_between_the_weights_begun_with_and_those_learned(encoder: Encoder, tmp_path: Path) -> None:
    start = reader(0, encoder, tmp_path / "start")
    kept = {}
    for share in (0.0, 0.25):
        config = CONFIG.model_copy(update={"keep_start": share, "seed": 1, "learning_rate": 0.01})
        graph, asked = snapshot(moved=3), questions()
        kept[share] = train(config, encoder, graph, asked, asked, tmp_path / str(share), start=start)
    begun, learned, mean = (one.network.state_dict() for one in (start, kept[0.0], kept[0.25]))
    assert any(not torch.allclose(begun[name], learned[name], atol=1e-3) for name in begun)
    for name, value in mean.items():
        torch.testing.assert_close(value, 0.25 * begun[name] + 0.75 * learned[name])
    # It is the mean that was looked at and calibrated.
    again = CONFIG.model_copy(update={"steps": 0, "seed": 1})
    looked = train(again, encoder, graph, asked, asked, tmp_path / "looked", start=kept[0.25])
    assert looked.config.calibration.scale == pytest.approx(kept[0.25].config.calibration.scale, abs=0.2)
    assert looked.config.calibration.scale != pytest.approx(kept[0.0].config.calibration.scale, abs=0.5)


def test_without_a_reader_begun_with_nothing_of_it_can_be_kept(encoder: Encoder, tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"keep_start": 0.5})
    with pytest.raises(ConfigError, match=r"keep_start.*--init-from"):
        train(config, encoder, snapshot(), questions(), questions(), tmp_path / "run")
