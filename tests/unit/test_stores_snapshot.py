"""The snapshot's arrays: what the model relies on, and files that come back whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_schema import Batch, Entity, Fact, Schema, StoreBusy, StoreError
from kgqa.stores import EmbeddedStore, Snapshot
from kgqa.stores.csr import Csr, ranges
from kgqa.stores.strings import HashedStrings, Strings

FACTS = [Fact("b", "r", "a"), Fact("a", "q", "\uffee"), Fact("𝔉", "r", "𝔉"), Fact("a", "r", "b"), Fact("b", "r", "𝔉")]


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    store = EmbeddedStore(tmp_path / "graph.db", create=True)
    store.write(Batch([Entity("a", "Alpha", "Letter", ("First", "α")), Entity("alone", "Alone")], FACTS))
    made = Snapshot.build(store)
    store.close()
    return made


def test_arrays(snapshot: Snapshot) -> None:
    ids = ["a", "alone", "b", "\uffee", "𝔉"]
    assert snapshot.ids_of(np.arange(5)) == ids
    assert snapshot.index_of([*ids, "nobody", "a"]).tolist() == [0, 1, 2, 3, 4, -1, 0]
    assert [snapshot.id_of(index) for index in range(5)] == ids
    assert snapshot.relations() == ("q", "r")
    assert snapshot.names == ["Alpha", "Alone", "b", "\uffee", "𝔉"]
    assert (snapshot.directed("r"), snapshot.directed("r", inverse=True), snapshot.directed("no")) == (2, 3, -1)
    assert snapshot.group_start.tolist() == [0, 3, 3, 5, 6, 8]
    assert snapshot.group_relation.tolist() == [0, 2, 3, 2, 3, 1, 2, 3]
    assert snapshot.edge_start.tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 10]
    assert snapshot.edge_target.tolist() == [3, 2, 2, 0, 4, 0, 0, 4, 2, 4]
    kinds = [a.dtype.name for a in (snapshot.group_start, snapshot.group_relation)]
    kinds += [a.dtype.name for a in (snapshot.edge_start, snapshot.edge_target)]
    assert kinds == ["int64", "int32", "int64", "int32"]


def test_saved_and_opened_it_is_the_same_and_read_only(snapshot: Snapshot, tmp_path: Path) -> None:
    snapshot.save(tmp_path / "s")
    opened = Snapshot.open(tmp_path / "s")
    assert opened.info() == snapshot.info()
    assert set(opened.all_entities()) == set(snapshot.all_entities())
    assert set(opened.all_facts()) == set(FACTS)
    assert opened.entity_at(0) == Entity("a", "Alpha", "Letter", ("First", "α"))
    with pytest.raises(ValueError, match="read-only"):
        opened.edge_target[0] = 1


class Busy(EmbeddedStore):
    """Is written to while it is read, so many times."""

    times = written = 0

    def all_entities(self) -> Iterator[Entity]:
        yield from super().all_entities()
        if self.times:
            self.times, self.written = self.times - 1, self.written + 1
            self.write(Batch(facts=[Fact("a", "r", f"new {self.written}")]))


def test_a_snapshot_is_of_one_state_or_not_made(tmp_path: Path) -> None:
    store = Busy(tmp_path / "graph.db", create=True)
    store.write(Batch(facts=FACTS))
    store.times = 2
    made = Snapshot.build(store)
    assert made.info() == store.info()
    assert set(made.all_facts()) == set(store.all_facts()) > set(FACTS)
    store.times = 3
    with pytest.raises(StoreBusy, match="written to each of the 3 times"):
        Snapshot.build(store)
    store.close()


def test_who_has_an_old_version_open_keeps_it(snapshot: Snapshot, tmp_path: Path) -> None:
    snapshot.save(tmp_path / "s")
    old = Snapshot.open(tmp_path / "s")
    empty = Snapshot.from_columns(
        [], [], *(np.zeros(0, np.int64) for _ in range(3)), schema=Schema(), url="x", changes=7
    )
    empty.save(tmp_path / "s")
    assert set(old.all_facts()) == set(FACTS)
    new = Snapshot.open(tmp_path / "s")
    assert (new.info().facts, new.changes(), list(new.all_entities())) == (0, 7, [])


def test_several_write_at_once_while_others_open_it(snapshot: Snapshot, tmp_path: Path) -> None:
    directory = tmp_path / "csr"
    snapshot.save(directory)

    def write() -> None:
        for _ in range(20):
            snapshot.save(directory)

    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write) for _ in range(4)]
        while not all(writer.done() for writer in writers):
            assert [*Snapshot.open(directory).all_facts()] == [*snapshot.all_facts()]
    for writer in writers:
        writer.result()
    assert len([path for path in directory.iterdir() if path.is_dir()]) == 1


@pytest.mark.parametrize("how", ["cut", "flipped", "gone", "empty", "pickled"])
@pytest.mark.parametrize("name", ["edge_target", "id_text", "key_hash"])
def test_damaged_arrays(snapshot: Snapshot, tmp_path: Path, name: str, how: str) -> None:
    snapshot.save(tmp_path / "s")
    (path,) = (tmp_path / "s").glob(f"v-*/{name}.npy")
    data = path.read_bytes()
    if how == "gone":
        path.unlink()
    else:
        flipped = data[:-1] + bytes([data[-1] ^ 1])
        path.write_bytes({"cut": data[:-3], "flipped": flipped, "empty": b"", "pickled": b"\x80\x04."}[how])
    with pytest.raises(StoreError, match="snapshot"):
        Snapshot.open(tmp_path / "s")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 99}', '{"format": 1}', '{"format": 1, "arrays": 3}'])
def test_damaged_manifest(snapshot: Snapshot, tmp_path: Path, text: str) -> None:
    snapshot.save(tmp_path / "s")
    (tmp_path / "s" / "current.json").write_text(text)
    with pytest.raises(StoreError, match="snapshot"):
        Snapshot.open(tmp_path / "s")


def test_manifest_that_lacks_an_array(snapshot: Snapshot, tmp_path: Path) -> None:
    snapshot.save(tmp_path / "s")
    path = tmp_path / "s" / "current.json"
    manifest = json.loads(path.read_text())
    del manifest["arrays"]["key_hash"]
    path.write_text(json.dumps(manifest))
    with pytest.raises(StoreError, match="damaged"):
        Snapshot.open(tmp_path / "s")


def test_nothing_there_and_nowhere_to_write(snapshot: Snapshot, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no snapshot"):
        Snapshot.open(tmp_path / "none")
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="can't write"):
        snapshot.save(tmp_path / "file")
    with pytest.raises(StoreError):
        Snapshot.open(tmp_path / "file")


triples = st.sets(st.tuples(st.integers(0, 6), st.integers(0, 2), st.integers(0, 6)), max_size=40)


@given(triples)
def test_csr_holds_each_fact_in_both_directions(facts: set[tuple[int, int, int]]) -> None:
    columns = np.array(sorted(facts), np.int64).reshape(-1, 3)
    csr = Csr.build(columns[:, 0], columns[:, 1], columns[:, 2], 7)
    found = []
    nodes, groups = csr.groups_of(np.arange(7))
    for node, group in zip(nodes.tolist(), groups.tolist(), strict=True):
        directed = int(csr.group_relation[group])
        assert csr.group_at(np.array([node]), np.array([directed])).tolist() == [group]
        _, far = csr.edges_of(np.array([group]), np.array([99]))
        assert far.tolist() == sorted(set(far.tolist())) != []
        found += [(node, directed, end) for end in far.tolist()]
    both = {(h, 2 * r, t) for h, r, t in facts} | {(t, 2 * r + 1, h) for h, r, t in facts}
    assert sorted(found) == sorted(both)
    assert len(found) == 2 * len(facts)
    missing = {(n, d) for n in range(7) for d in range(6)} - {(n, d) for n, d, _ in both}
    asked = np.array([*sorted(missing), (-1, 0), (0, -1)])
    assert (csr.group_at(asked[:, 0], asked[:, 1]) == -1).all()


def test_ranges() -> None:
    assert ranges(np.array([7, 3, 9]), np.array([2, 3, 0])).tolist() == [7, 8, 3, 4, 5]
    assert ranges(np.zeros(0, np.int64), np.zeros(0, np.int64)).tolist() == []


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), unique=True))
def test_strings_come_back_and_are_found(strings: list[str]) -> None:
    assert Strings.build(strings).all() == strings
    hashed = HashedStrings.build(strings)
    assert hashed.find(strings).tolist() == list(range(len(strings)))
    assert hashed.find(["\ud800"]).tolist() == [-1]


def test_strings_of_one_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kgqa.stores.strings.hashed", lambda text, offset: np.diff(offset).astype(np.uint64))
    hashed = HashedStrings.build(["aa", "bb", "c", "dd", ""])
    assert hashed.find(["dd", "aa", "ee", "", "bb", "c", "xyz"]).tolist() == [3, 0, -1, 4, 1, 2, -1]
