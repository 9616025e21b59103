"""The MetaQA benchmark: accuracy over every question, and speed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

import ingest
from graph_schema import GraphStore, Response
from kgqa.answering import Answerer
from kgqa.data import Question
from kgqa.evaluation.accuracy import Evaluated, evaluate
from kgqa.evaluation.record import Recorder, Row
from kgqa.evaluation.speed import batched, one_by_one, peak_memory_mib, sample
from kgqa.stores import open_store
from kgqa.stores.snapshot import Snapshot

KB = "kb.txt"


@contextmanager
def scratch_store(data: Path, recorder: Recorder) -> Iterator[tuple[GraphStore, Row]]:
    """An embedded store with MetaQA's facts, in a scratch directory, and how long it took to load."""
    with TemporaryDirectory(prefix="kgqa-bench-") as scratch:
        store = open_store(f"sqlite:///{scratch}/metaqa.db", create=True)
        try:
            report = ingest.load([data / KB], store)
            yield store, recorder.row("metaqa", "load_seconds", report.seconds, report.facts, store="embedded")
        finally:
            store.close()


def build(store: GraphStore, recorder: Recorder) -> tuple[Snapshot, Row]:
    """The snapshot of a store, and how long it took."""
    began = time.perf_counter()
    snapshot = Snapshot.build(store)
    taken = time.perf_counter() - began
    return snapshot, recorder.row("metaqa", "snapshot_seconds", taken, store.info().facts)


def accuracy_rows(found: Evaluated, recorder: Recorder, *, brackets: bool) -> Iterable[Row]:
    """A row for each part and metric, and for all questions together."""
    everything = torch.ones(len(found.questions), dtype=torch.bool)
    for part, chosen in {**found.parts(), "all": everything}.items():
        n = int(chosen.sum())
        for metric, value in found.scores.means(chosen).items():
            yield recorder.row(f"metaqa/{part}", metric, value, n, topics="brackets" if brackets else "free text")
        if not brackets:
            yield recorder.row(f"metaqa/{part}", "right_topic", float(found.right_topic[chosen].mean()), n)


def means(found: Evaluated) -> Mapping[str, Mapping[str, float]]:
    """Metrics by part."""
    return {part: found.scores.means(chosen) for part, chosen in found.parts().items()}


def accuracy(
    answerer: Answerer,
    questions: list[Question],
    snapshot: Snapshot,
    *,
    brackets: bool,
    progress: Callable[[int], None] = lambda _: None,
) -> Evaluated:
    """Every question, in batches on the snapshot."""
    return evaluate(answerer, questions, snapshot, brackets=brackets, progress=progress)


def speed_rows(
    answerer: Answerer,
    questions: list[Question],
    snapshot: Snapshot,
    recorder: Recorder,
    *,
    brackets: bool,
    singles: int,
    batch: int,
) -> Iterable[Row]:
    """Latency of single questions on the answerer's store, throughput on the snapshot, evidence, peak memory."""
    some = sample(questions, singles, recorder.seed)
    latency, responses = one_by_one(answerer, some, brackets=brackets)
    topics = "brackets" if brackets else "free text"
    for metric, value in latency.items():
        yield recorder.row("metaqa/one question", metric, value, len(some), topics=topics)
    yield recorder.row("metaqa/one question", "evidence_holds", *_evidence(some, responses), topics=topics)
    many = sample(questions, max(2000, 4 * batch), recorder.seed)
    for metric, value in batched(answerer, many, snapshot, batch).items():
        yield recorder.row("metaqa/batches", metric, value, len(many), batch=batch)
    yield recorder.row("metaqa", "peak_memory_mib", peak_memory_mib(), 1)


def _evidence(questions: list[Question], responses: list[Response]) -> tuple[float, int]:
    """Share of the right answers that carry a path found in the store again, and how many right answers there are."""
    right = [
        bool(answer.evidence) and all(path.holds for path in answer.evidence)
        for question, response in zip(questions, responses, strict=True)
        for answer in response.answers
        if answer.entity.name in question.answers
    ]
    return (sum(right) / len(right) if right else 0.0), len(right)
