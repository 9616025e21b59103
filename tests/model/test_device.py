"""The same scores and the same evidence on a GPU."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings

from kgqa.model.encoder import Encoder
from kgqa.retrieval.evidence import trace
from kgqa.retrieval.expander import SnapshotExpander
from kgqa.training.prepare import prepare
from kgqa.training.trainer import Trainer
from tests.model.small_run import CONFIG, questions, snapshot
from tests.model.walk_reference import Case, cases, go, network

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")


@settings(max_examples=30, derandomize=True, deadline=None)
@given(cases())
def test_scores_and_evidence_are_those_of_the_cpu(case: Case) -> None:
    said = []
    for device in ("cpu", "cuda"):
        net, expander = network(case.seed % 3).to(device), SnapshotExpander(case.snapshot(), device)
        texts = {name: text.to(device) for name, text in case.texts().items()}
        done = go(net, expander, texts, [states.to(device) for states in case.tokens()], case.topics)
        chains = trace(done.walk, done.plan, expander, done.walk.key)
        proofs = torch.stack([chains.source, chains.relation, chains.target]).tolist()
        said.append((done.by_row(done.reading.logits), chains.length.tolist(), proofs))
    assert said[1][0] == pytest.approx(said[0][0], abs=1e-3)
    assert said[1][1:] == said[0][1:]


def test_a_run_is_trained_there_and_goes_on_there(encoder: Encoder, tmp_path: Path) -> None:
    graph = snapshot()
    data = prepare(questions(), graph)
    first = Trainer(CONFIG, encoder, graph, data, data, tmp_path, "cuda").fit()
    second = Trainer(CONFIG, encoder, graph, data, data, tmp_path, "cuda").fit()
    assert second.network.device.type == "cuda"
    assert second.dev == first.dev
