"""The whole film graph on a real Neo4j, the embedded store and the snapshot: the same answers with the same evidence.

Asked are 300 questions of the film graph's own facts, 100 of each number of hops; where MetaQA's questions are at hand
(``KGQA_METAQA`` names the directory, or the archive lies where the project's builders keep it), 300 of its test split.
"""

from __future__ import annotations

import gzip
import os
import random
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import ingest
from graph_schema import Batch, Fact, GraphStore, Response
from kgqa.answering import Answerer
from kgqa.data import Question, read_metaqa
from kgqa.data.questions import bracketed
from kgqa.evaluation.speed import one_by_one, sample
from kgqa.linking import split_brackets
from kgqa.model.checkpoint import load_checkpoint
from kgqa.model.encoder import Encoder
from kgqa.stores import open_store
from kgqa.stores.neo4j_store import Neo4jStore
from kgqa.stores.snapshot import Snapshot
from tests.docs.repository import ROOT
from tests.neo4j_container import Neo4jServer

FILMS = ROOT / "examples/films/kb.txt.gz"
ARCHIVE = ROOT.parent / "shared/data/metaqa.tar.xz"
FACTS = 133_582
WORDINGS = (
    ("who directed [{}]", "who wrote [{}]", "when was [{}] released", "what genre is [{}]"),
    ("which films have the same director as [{}]", "what other films did the writer of [{}] write"),
    ("who starred in the films directed by the director of [{}]", "when were the films by the writer of [{}] released"),
)

pytestmark = pytest.mark.neo4j


def questions(scratch: Path) -> list[str]:
    """300 questions, 100 of each number of hops."""
    directory = Path(os.environ["KGQA_METAQA"]) if "KGQA_METAQA" in os.environ else None
    if directory is None and ARCHIVE.exists():
        with tarfile.open(ARCHIVE) as archive:
            archive.extractall(scratch, filter="data")
        directory = scratch / "metaqa"
    if directory is not None:
        return [bracketed(question) for question in sample(list(read_metaqa(directory, "test")), 300, seed=0)]
    with gzip.open(FILMS, "rt", encoding="utf-8") as lines:
        films = sorted({line.split("|")[0] for line in lines if "|directed_by|" in line})
    draw = random.Random(0)
    return [draw.choice(wordings).format(draw.choice(films)) for wordings in WORDINGS for _ in range(100)]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder()


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GraphStore]:
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('films')}/films.db", create=True)
    ingest.load([FILMS], store)
    yield store
    store.close()


@pytest.fixture(scope="module")
def live(neo4j_server: Neo4jServer) -> Iterator[Neo4jStore]:
    neo4j_server.wipe()
    store = neo4j_server.store()
    ingest.load([FILMS], store)
    yield store
    store.close()
    neo4j_server.wipe()


def said(response: Response) -> tuple[object, ...]:
    """Answers in order, each with its evidence; scores to four digits."""
    return tuple(
        (answer.entity.id, round(answer.score, 4), [(path.facts, path.holds) for path in answer.evidence])
        for answer in response.answers
    )


def test_three_stores_give_the_same_answers(
    embedded: GraphStore, live: GraphStore, encoder: Encoder, tmp_path: Path
) -> None:
    assert embedded.info().facts == live.info().facts == FACTS
    asked = questions(tmp_path)
    assert len(asked) == 300
    checkpoint = load_checkpoint()
    on_file, on_neo4j = Answerer(embedded, checkpoint, encoder), Answerer(live, checkpoint, encoder)
    batched: list[Response] = []
    snapshot = Snapshot.build(live)
    for begin in range(0, len(asked), 100):
        batched += on_file.ask_many(asked[begin : begin + 100], snapshot)
    answered = 0
    for question, in_batch in zip(asked, batched, strict=True):
        first, second = on_file.ask(question), on_neo4j.ask(question)
        assert said(first) == said(second), question
        assert [(a.entity.id, [p.facts for p in a.evidence]) for a in first.answers] == [
            (a.entity.id, [p.facts for p in a.evidence]) for a in in_batch.answers
        ], question
        for answer in first.answers:
            assert answer.evidence, f"{question}: no evidence for {answer.entity.id}"
            assert all(path.holds for path in answer.evidence)
        answered += bool(first.answers)
    assert answered > 150


def test_a_question_takes_two_round_trips_more_than_it_has_hops(live: Neo4jStore, encoder: Encoder) -> None:
    """One for the names and what lies around them, one for each hop, one for the evidence and the answers' names."""
    answerer = Answerer(live, load_checkpoint(), encoder)
    answerer.ask("who directed [Heat]")  # reads the relations
    seen = set()
    for question in (
        "who directed [Heat]",
        "what films did [Michael Mann] direct",
        "which films have the same director as [Heat]",
        "the films that share screenwriters with the film [Heat] were released in which years",
        "who starred in the films directed by the director of [Heat]",
    ):
        before = live.round_trips
        response = answerer.ask(question)
        assert response.answers, question
        assert response.subgraph
        hops = int(response.subgraph.hop.max())
        assert live.round_trips - before == hops + 2, question
        seen.add(hops)
    assert seen == {1, 2, 3}
    asked = [Question(*split_brackets("who directed [Heat]"), ("Michael Mann",))]
    assert one_by_one(answerer, asked, brackets=True)[0]["round_trips"] == 3
    before = live.round_trips
    assert not answerer.ask("who directed [No Film Of This Name At All]").answers
    assert live.round_trips - before == 2  # the names, and what they may have meant
    live.write(Batch(facts=[Fact("Heat", "directed_by", "A Second Director")]))
    for expected in (6, 3):  # after a change the relations in use (2) and the schema (1) are read again, once
        before = live.round_trips
        names = {answer.entity.name for answer in answerer.ask("who directed [Heat]").answers}
        assert names >= {"Michael Mann", "A Second Director"}
        assert live.round_trips - before == expected
