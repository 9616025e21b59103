"""Loading into a real store: what ``load`` promises holds there too."""

from __future__ import annotations

import os
import signal
from contextlib import closing
from pathlib import Path

import pytest

from graph_schema import Batch, Fact, RelationSchema, Schema
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


def test_what_is_certain_to_be_in_is_not_read_again(tmp_path: Path) -> None:
    path = tmp_path / "facts"
    path.write_text("a|r|b\nb|r|c\na|r|b\n", "utf-8")
    with closing(open_store(f"sqlite:///{tmp_path / 'facts.db'}", create=True)) as store:
        first = load([path], store)
        again = load([path], store)
        assert [note for note in again.notes if "nothing was read again" in note]
        assert (again.load, again.lines, again.facts) == (first.load, 3, 3)
        assert (again.created, again.merged, again.unchanged, again.entities_created) == (0, 3, 3, 0)

        store.delete([Fact("a", "r", "b")])
        mended = load([path], store)
        assert not mended.notes
        assert mended.created == 1
        assert all(store.holds([Fact("a", "r", "b"), Fact("b", "r", "c")]))

        store.write(Batch(facts=[Fact("x", "r", "y")]))
        assert not load([path], store).notes, "others wrote: all is compared"
        assert load([path], store).notes
        said = Schema(relations={"r": RelationSchema(words="is related to")})
        assert not load([path], store, schema=said).notes, "the schema says something new"
        assert store.schema().words("r") == "is related to"
        path.write_text("a|r|b\n", "utf-8")
        assert not load([path], store).notes, "another content is another load"


def test_rejected_lines_are_told_again(tmp_path: Path) -> None:
    path = tmp_path / "facts"
    path.write_text("a|r|b\nbad\n", "utf-8")
    with closing(open_store(f"sqlite:///{tmp_path / 'facts.db'}", create=True)) as store:
        told: list[str] = []
        for _ in range(2):
            load([path], store, options=LoadOptions(rejects=lambda rejected: told.append(str(rejected))))
        assert len(told) == 2
