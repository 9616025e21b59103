"""A small real graph out of the film graph, questions about it, and a reader trained on them in seconds."""

from __future__ import annotations

import gzip
import random
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

import ingest
from graph_schema import Fact
from kgqa.data import read_questions
from kgqa.model.checkpoint import Checkpoint
from kgqa.model.encoder import Encoder
from kgqa.stores import EmbeddedStore
from kgqa.stores.snapshot import Snapshot
from kgqa.training.config import TrainConfig
from kgqa.training.session import train
from tests.docs.repository import ROOT

FILMS = ROOT / "examples/films/kb.txt.gz"
WORDINGS = {
    "directed_by": "who directed [{}]",
    "starred_actors": "who starred in [{}]",
    "release_year": "when was [{}] released",
}


@cache
def small_graph() -> tuple[Fact, ...]:
    """The facts of 40 films that have a director, drawn by seed."""
    with gzip.open(FILMS, "rt", encoding="utf-8") as lines:
        facts = [Fact(*line.rstrip("\n").split("|")) for line in lines]
    directed = sorted({fact.head for fact in facts if fact.relation == "directed_by"})
    few = set(random.Random(0).sample(directed, 40))
    return tuple(fact for fact in facts if fact.head in few)


def question_lines() -> list[str]:
    """A line for each film and each relation of WORDINGS that it has."""
    facts = small_graph()
    lines = []
    for relation, wording in WORDINGS.items():
        answers: dict[str, list[str]] = {}
        for fact in facts:
            if fact.relation == relation:
                answers.setdefault(fact.head, []).append(fact.tail)
        lines += [f"{wording.format(film)}\t{'|'.join(found)}\n" for film, found in sorted(answers.items())]
    return lines


@dataclass(frozen=True)
class SmallFilms:
    """Files: the facts, the questions, the store with the facts, and the directory of the trained reader."""

    folder: Path
    encoder: Encoder
    checkpoint: Checkpoint

    @property
    def facts(self) -> Path:
        return self.folder / "facts.txt"

    @property
    def questions(self) -> Path:
        return self.folder / "questions.tsv"

    @property
    def run(self) -> Path:
        return self.folder / "run"

    @property
    def store(self) -> str:
        return f"sqlite:///{self.folder / 'films.db'}"


@pytest.fixture(scope="session")
def small_films() -> Iterator[SmallFilms]:
    """Trains for about five seconds."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "facts.txt").write_text("".join(f"{f.head}|{f.relation}|{f.tail}\n" for f in small_graph()), "utf-8")
        (folder / "questions.tsv").write_text("".join(question_lines()), "utf-8")
        store = EmbeddedStore(folder / "films.db", create=True)
        ingest.load([folder / "facts.txt"], store)
        snapshot = Snapshot.build(store)
        store.close()
        encoder = Encoder()
        questions = read_questions(folder / "questions.tsv")
        config = TrainConfig(steps=150, evaluate_every=50, batch_size=16, warmup=5)
        checkpoint = train(config, encoder, snapshot, questions, questions, folder / "run")
        yield SmallFilms(folder, encoder, checkpoint)
