"""Loading into a real store: what ``load`` promises holds there too."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from graph_schema import Fact
from ingest import LoadOptions, Progress, load
from kgqa.stores import open_store


def test_a_real_interrupt_leaves_whole_batches_and_a_rerun_completes_them(tmp_path: Path) -> None:
    path = tmp_path / "facts"
    path.write_text("".join(f"n{i}|r|m{i % 7}\n" for i in range(20_000)), "utf-8")

    def interrupt(progress: Progress) -> None:
        if progress.facts >= 5000:
            os.kill(os.getpid(), signal.SIGINT)

    store = open_store(f"sqlite:///{tmp_path / 'facts.db'}", create=True)
    try:
        with pytest.raises(KeyboardInterrupt):
            load([path], store, options=LoadOptions(batch_size=1000), progress=interrupt)
        assert store.info().facts == 5000
        assert store.holds([Fact("n0", "r", "m0"), Fact("n4999", "r", "m1"), Fact("n5000", "r", "m2")]) == [
            True,
            True,
            False,
        ]
        report = load([path], store)
        assert (report.created, report.merged) == (20_000, 0)  # of a load that went on: all of it
        changes = store.changes()
        again = load([path], store)
        assert (again.created, again.merged, again.entities_created) == (0, 20_000, 0)
        assert store.info().facts == 20_000
        assert store.changes() == changes
    finally:
        store.close()
