"""MetaQA's facts in a store of their own: how long it takes to load them, and to make a snapshot."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import ingest
from graph_schema import GraphStore
from kgqa.evaluation.record import Recorder, Row
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
