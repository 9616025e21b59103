"""The store that a load past Neo4j's server keeps what it reads in: the same as any, without look-ups by name."""

from __future__ import annotations

import csv
from contextlib import closing
from pathlib import Path

import pytest

from graph_schema import Batch, Entity, Fact, Schema, StoreVersionError
from kgqa.stores import EmbeddedStore, embedded_entities, open_store
from kgqa.stores.embedded_scratch import ScratchStore
from kgqa.stores.neo4j_offline import OfflineWriter

BATCHES = (
    Batch([Entity("a", "A", "Film", ("first",))], [Fact("a", "r", "b"), Fact("b", "r", "c")]),
    Batch([Entity("c", "C"), Entity("a", "A", "Film", ("second",))], [Fact("a", "r", "b"), Fact("d", "s", "e")]),
    Batch([Entity("b", "B", "Film")], [Fact("e", "s", "a"), Fact("e", "r", "a")]),
)


@pytest.mark.parametrize("remembered", [0, 4_000_000])
def test_it_holds_what_an_embedded_store_holds(
    tmp_path: Path, remembered: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when ids have to be looked up in the file, since not all are remembered."""
    monkeypatch.setattr(embedded_entities, "REMEMBERED_IDS", remembered)
    with (
        closing(EmbeddedStore(tmp_path / "a.db", create=True)) as usual,
        closing(ScratchStore(tmp_path / "b.db", create=True)) as scratch,
    ):
        for store in (usual, scratch):
            store.migrate(Schema())
        for batch in BATCHES:
            assert scratch.entities(["a", "x"]) == usual.entities(["a", "x"])
            assert scratch.write(batch) == usual.write(batch)
        assert scratch.delete([Fact("d", "s", "e")]) == usual.delete([Fact("d", "s", "e")])
        assert [*scratch.all_facts()] == [*usual.all_facts()]
        assert sorted(scratch.all_entities(), key=str) == sorted(usual.all_entities(), key=str)
        assert scratch.info().entities == usual.info().entities


def test_its_file_is_no_embedded_store(tmp_path: Path) -> None:
    ScratchStore(tmp_path / "load.db", create=True).close()
    with closing(ScratchStore(tmp_path / "load.db", create=True)) as store:
        store.write(BATCHES[0])
    with pytest.raises(StoreVersionError, match="not a kgqa store"):
        open_store(f"sqlite:///{tmp_path}/load.db")
    with closing(ScratchStore(tmp_path / "load.db")) as again:
        assert again.write(BATCHES[0]).facts_created == 0
        assert again.entities(["a"])["a"].aliases == ("first",)


def test_nodes_are_numbered_in_the_order_of_the_files(tmp_path: Path) -> None:
    """As Neo4j wants ids that it takes as they are: also where entities went, and where types are in conflict."""
    with closing(OfflineWriter(tmp_path)) as writer:
        writer.migrate(Schema())
        for batch in BATCHES:
            writer.write(batch)
        said: list[Entity] = [
            Entity("f", "F", "Film", (), {"year": 1999}),
            Entity("g", "G", "Film", (), {"year": "unknown"}),
            Entity("h", "H", "Person", (), {"born": 1950, "name of": "x"}),
            Entity("i", "I", "Film", (), {"year": 2000}),
        ]
        facts = [Fact("i", "r", "z"), Fact("z", "s", "h"), Fact("gone", "r", "a")]
        writer.write(Batch(said, facts, [{"since": 1}, {}, {}]))
        writer.delete([Fact("gone", "r", "a")])
        plan = writer.export()
        id_of: dict[int, str] = {}
        numbers: list[int] = []
        for name in plan.nodes:
            with (tmp_path / name).open(encoding="utf-8", newline="") as file:
                for row in csv.DictReader(file):
                    numbers.append(int(row[":ID"]))
                    id_of[numbers[-1]] = row.get("id:string") or ""
        assert numbers == [*range(len(numbers))]
        assert {"f", "g", "h", "i", "z"} <= {*id_of.values()}
        assert "gone" not in id_of.values()
        written = set()
        for name in plan.relationships:
            with (tmp_path / name).open(encoding="utf-8", newline="") as file:
                for row in csv.DictReader(file):
                    ends = (id_of[int(row[column])] for column in (":START_ID", ":END_ID"))
                    written.add(Fact(next(ends), row[":TYPE"], next(ends)))
        assert written == {*writer.facts_of([0])}
    assert "--id-type=actual" in plan.command()
