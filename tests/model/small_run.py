"""A small training run that is always the same, for tests that end one by force; as a script it is killed in a save.

python -m tests.model.small_run DIRECTORY
"""

from __future__ import annotations

import resource
import signal
import sys
from pathlib import Path

import numpy as np

from graph_schema import Entity, Schema
from kgqa.data import Question
from kgqa.linking import split_brackets
from kgqa.model.config import ModelConfig
from kgqa.model.encoder import Encoder
from kgqa.stores.snapshot import Snapshot
from kgqa.training.config import TrainConfig
from kgqa.training.prepare import prepare
from kgqa.training.trainer import STATE, Trainer

CONFIG = TrainConfig(
    model=ModelConfig(state_dim=16, relation_dim=16, slot_dim=8, max_hops=2),
    steps=6,
    batch_size=8,
    warmup=2,
    evaluate_every=6,
)
PEOPLE, TOWNS = 12, 4


def snapshot(moved: int = 0) -> Snapshot:
    """Twelve people and the four towns they live in; the first ``moved`` of them live in the next town."""
    names = [f"Person {chr(65 + i)}" for i in range(PEOPLE)] + [f"Town {i}" for i in range(TOWNS)]
    head = np.arange(PEOPLE, dtype=np.int64)
    return Snapshot.from_columns(
        [Entity(name, name) for name in names],
        ["lives_in"],
        head,
        np.zeros_like(head),
        PEOPLE + (head + (head < moved)) % TOWNS,
        schema=Schema(),
        url="test",
        changes=0,
    )


def questions(wording: str = "where does [{}] live") -> list[Question]:
    lines = [(wording.format(f"Person {chr(65 + i)}"), f"Town {i % TOWNS}") for i in range(PEOPLE)]
    return [Question(*split_brackets(text), (answer,)) for text, answer in lines]


def trainer(run: Path, encoder: Encoder, config: TrainConfig = CONFIG) -> Trainer:
    graph = snapshot()
    return Trainer(config, encoder, graph, prepare(questions(), graph), prepare(questions(), graph), run)


def main() -> None:
    """Train on, and be killed by the system in the middle of writing the state."""
    run = Path(sys.argv[1])
    going_on = trainer(run, Encoder())
    size = (run / STATE).stat().st_size
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, size // 2))
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    going_on.fit()


if __name__ == "__main__":
    main()
