"""The embedded store alone: several processes, a full disk, a locked file, and the snapshot beside the file."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from graph_schema import Batch, Entity, Fact, Group, Schema, StoreError, StoreUnavailable, Written
from kgqa.stores import EmbeddedStore

FACTS = [Fact(f"h{number % 7}", f"r{number % 3}", f"t{number}") for number in range(50)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    made = EmbeddedStore(tmp_path / "graph.db", create=True, timeout=0.2)
    made.migrate(Schema())
    yield made
    made.close()


def uses_arrays(store: EmbeddedStore) -> bool:
    with store._reading() as connection:
        return store._fresh_csr(connection) is not None


def test_another_process_writes_and_finishes(store: EmbeddedStore) -> None:
    store.write(Batch(facts=FACTS))
    store.finish()
    assert uses_arrays(store)
    code = (
        "import sys; from kgqa.stores import open_store; from graph_schema import *;"
        "s = open_store(sys.argv[1]); s.write(Batch(facts=[Fact('h0', 'new', 'x')]));"
        "s.finish() if sys.argv[2] == 'finish' else None; s.close()"
    )
    for last, finish in enumerate(("no", "finish")):
        subprocess.run([sys.executable, "-c", code.replace("'x'", f"'x{last}'"), store.url, finish], check=True)
        assert uses_arrays(store) == (finish == "finish")
        assert store.expand([Group("h0", "new", False, 9)]).entities == [f"x{n}" for n in range(last + 1)]
        assert store.relations() == ("new", "r0", "r1", "r2")


def test_a_locked_store_says_who_is_in_the_way(store: EmbeddedStore) -> None:
    other = sqlite3.connect(store.url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="another process is writing"):
        store.write(Batch(facts=FACTS))
    assert store.info().facts == 0
    other.execute("ROLLBACK")
    other.close()
    assert store.write(Batch(facts=FACTS)).facts_created == 50


def test_a_full_disk_in_the_middle_of_a_batch_leaves_nothing(store: EmbeddedStore) -> None:
    store.write(Batch(facts=FACTS))
    before = store.info()
    with store._reading() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 5}")
        with pytest.raises(StoreUnavailable, match="disk is full"):
            store.write(Batch(facts=[Fact(f"new{number}", "r", "hub") for number in range(5000)]))
        connection.execute("PRAGMA max_page_count = 1000000")
    assert store.info() == before
    assert store.entities(["new0", "hub"]) == {}
    assert store.write(Batch(facts=[Fact("new0", "r", "hub")])) == Written(1, 0, 2, 0)


def test_damaged_arrays_are_done_without_and_made_again(store: EmbeddedStore) -> None:
    store.write(Batch(facts=FACTS))
    store.finish()
    path = Path(store.url.removeprefix("sqlite:///"))
    (target,) = Path(f"{path}.csr").glob("v-*/edge_target.npy")
    target.write_bytes(target.read_bytes()[:-1])
    other = EmbeddedStore(path)
    assert not uses_arrays(other)
    assert other.expand([Group("h0", "r0", False, 2)]).entities == ["t0", "t21"]
    other.finish()
    assert uses_arrays(other)
    assert other.expand([Group("h0", "r0", False, 2)]).entities == ["t0", "t21"]
    other.close()


def test_arrays_of_another_file_at_the_same_path_are_not_used(store: EmbeddedStore, tmp_path: Path) -> None:
    store.write(Batch(facts=FACTS))
    store.finish()
    store.close()
    (tmp_path / "graph.db").unlink()
    other = EmbeddedStore(tmp_path / "graph.db", create=True)
    other.write(Batch(facts=[Fact("a", "r", "b")]))
    assert other.changes() == 1
    assert not uses_arrays(other)
    assert other.offer(["h0", "a"]).owner.tolist() == [1]
    other.close()


def test_finishing_twice_keeps_one_version(store: EmbeddedStore, tmp_path: Path) -> None:
    for fact in FACTS[:3]:
        store.write(Batch(facts=[fact]))
        store.finish()
        store.finish()
    assert len(list((tmp_path / "graph.db.csr").iterdir())) == 2  # the manifest and one version


def test_a_damaged_file_is_said(store: EmbeddedStore, tmp_path: Path) -> None:
    store.write(Batch(facts=FACTS))
    store.close()
    path = tmp_path / "graph.db"
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(bytes(data))
    with pytest.raises(StoreError, match="damaged"):
        EmbeddedStore(path).all_facts().__next__()


def test_threads_share_a_store(store: EmbeddedStore) -> None:
    def work(part: int) -> Written:
        done = store.write(Batch([Entity(f"e{part}", f"Name {part}")], [Fact(f"e{part}", "r", "hub")]))
        assert store.holds([Fact(f"e{part}", "r", "hub")]) == [True]
        assert store.lookup([f"name {part}"])
        store.finish()
        assert f"e{part}" in store.expand([Group("hub", "r", True, 99)]).entities
        return done

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(work, range(16)), Written()).facts_created == 16
    assert store.info().facts == 16
