"""Over every kind of store: the difference that is shown before a source is replaced is what replacing it does."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import pytest

from graph_schema import Entity, Fact, GraphStore, Properties
from ingest import Change, Difference, LoadOptions, MappingFile, comparing, difference, load, replace
from tests.contract.graph_model import exact
from tests.contract.kinds import Kind

MAPPING = MappingFile.from_yaml("""
sources:
  - files: nodes.csv
    nodes:
      - label: Thing
        id: id
        name: name
        aliases: {column: aka, separator: "|"}
        properties: {year: {column: year, type: integer}, note: note}
        duplicates: merge
  - files: edges.csv
    relationships:
      - type: r
        head: {id: head}
        tail: {id: tail}
        dangling: create
        properties: {weight: {column: weight, type: integer}}
""")


@dataclass(frozen=True)
class Graph:
    """A store as it was once."""

    entities: dict[str, Entity]
    facts: dict[Fact, Properties]

    @classmethod
    def of(cls, store: GraphStore) -> Graph:
        facts = sorted(store.all_facts())
        entities = {entity.id: entity for entity in store.all_entities()}
        return cls(entities, dict(zip(facts, store.fact_properties(facts), strict=True)))

    def entity(self, id_: str) -> object:
        one = self.entities[id_]
        return exact([one.name, one.label, sorted(one.aliases), dict(one.properties)])


class Source:
    """A table of nodes and one of edges in a folder, loaded under its name."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder / name
        self.folder.mkdir()
        self.options = LoadOptions(source=name, examples=1000, batch_size=7)
        self.files = [self.folder / "nodes.csv", self.folder / "edges.csv"]

    def say(self, nodes: str, edges: str) -> None:
        self.files[0].write_text(f"id,name,aka,year,note\n{nodes}", "utf-8")
        self.files[1].write_text(f"head,tail,weight\n{edges}", "utf-8")

    def say_anything(self, rng: random.Random) -> None:
        def some(*values: str) -> str:
            return rng.choice(("", *values))

        ids = "abcdefgh"
        nodes = (
            f"{rng.choice(ids)},{some('A', 'B')},{some('x', 'x|y')},{some('1', '2')},{some('p', 'q')}\n"
            for _ in range(rng.randrange(1, 8))
        )
        edges = (
            f"{rng.choice(ids + 'uvw')},{rng.choice(ids + 'uvw')},{some('1', '2')}\n"
            for _ in range(rng.randrange(1, 10))
        )
        self.say("".join(nodes), "".join(edges))

    def load(self, store: GraphStore) -> None:
        load(self.files, store, mapping=MAPPING, options=self.options)

    def difference(self, store: GraphStore) -> Difference:
        return difference(self.files, store, mapping=MAPPING, options=self.options)

    def replace(self, store: GraphStore) -> Difference:
        """Replace it, and hold what was foreseen against what has come of it."""
        before = Graph.of(store)
        done = replace(self.files, store, mapping=MAPPING, options=self.options, agreed=lambda _: True)
        assert done is not None
        after, found = Graph.of(store), done.difference
        both = before.entities.keys() & after.entities.keys()
        assert {one.id for one in found.entities_new_examples} == after.entities.keys() - both
        assert {one.id for one in found.entities_gone_examples} == before.entities.keys() - both
        changed = {id_ for id_ in both if before.entity(id_) != after.entity(id_)}
        assert {one.of for one in found.entities_changed_examples} == changed
        counts = (found.entities_new, found.entities_gone, found.entities_changed)
        assert counts == (len(after.entities) - len(both), len(before.entities) - len(both), len(changed))
        gone = before.facts.keys() - after.facts.keys()
        assert gone <= {*found.gone_examples}
        assert (found.gone - found.shared, found.gone) == (len(gone), len(found.gone_examples))
        other = {fact for fact in before.facts.keys() & after.facts.keys() if before.facts[fact] != after.facts[fact]}
        assert {one.of for one in found.changed_examples} == other
        assert found.changed == len(other)
        only_adds = not (gone or other or changed or before.entities.keys() - both or found.shared)
        assert found.only_adds == only_adds
        return found


def test_what_goes_and_changes_is_foreseen(kind: Kind, store: GraphStore, tmp_path: Path) -> None:
    one, two = Source(tmp_path, "one"), Source(tmp_path, "two")
    one.say(
        "a,Heat,,1995,x\nb,Alien,,1979,\nc,Dune,,2021,\nd,Gigi,,1958,\ne,Ali,,,\n",
        "a,b,5\nb,u,1\nv,w,1\nc,a,2\na,a,\n",
    )
    one.load(store)
    two.say("b,Alien,Ali N,1979,\nd,Gigi,Gi,1958,\n", "c,a,2\nd,v,\n")
    two.load(store)
    before = store.changes()
    assert one.difference(store).only_adds
    assert store.changes() == before

    one.say("a,Heat,Hit,2000,x\nf,Lola,,1961,\n", "a,b,6\na,f,\nf,t,\n")
    found = one.replace(store)
    assert (found.new, found.gone, found.kept, found.shared, found.changed) == (2, 4, 1, 1, 1)
    assert found.changed_examples == (Change(Fact("a", "r", "b"), (("weight", 5, 6),)),)
    assert {(e.id, e.name) for e in found.entities_new_examples} == {("f", "Lola"), ("t", "t")}
    assert {e.id for e in found.entities_gone_examples} == {"e", "u", "w"}, "c is at the end of a fact of two, v too"
    changed = {change.of: change.values for change in found.entities_changed_examples}
    assert changed.keys() == {"a", "c"}, "b and d are as two says"
    assert changed["a"] == (("aliases", (), ("Hit",)), ("year", 1995, 2000))
    assert changed["c"] == (("label", "Thing", "Entity"), ("name", "Dune", "c"), ("year", 2021, None))

    found = one.replace(store)
    assert (found.new, found.gone, found.kept, found.only_adds) == (0, 0, 3, True)
    assert found.older == ()


def test_what_a_later_load_says_is_not_said_to_change_back(kind: Kind, store: GraphStore, tmp_path: Path) -> None:
    one, two = Source(tmp_path, "one"), Source(tmp_path, "two")
    one.say("a,Heat,,1995,\n", "a,b,1\n")
    two.say("a,Heat,,2000,\n", "a,b,2\n")
    one.load(store)
    two.load(store)
    assert one.replace(store).only_adds
    one.say("a,Heat,,1995,new\n", "a,b,1\n")
    found = one.replace(store)
    assert found.entities_changed_examples[0].values == (("note", None, "new"), ("year", 2000, 1995))
    assert found.changed_examples[0].values == (("weight", 2, 1),)


def test_any_difference_is_foreseen(kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(15 if kind.name == "embedded" else 2):  # the other kinds on files write as it does
        rng = random.Random(seed)
        for name in ("_ROWS", "_ASKED", "_HELD"):
            monkeypatch.setattr(comparing, name, 1 + seed % 4)
        folder = tmp_path / str(seed)
        folder.mkdir()
        one, two = Source(folder, "one"), Source(folder, "two")
        with kind.empty() as store:
            for _ in range(4):
                for source in (one, two):
                    if rng.random() < 0.7:
                        source.say_anything(rng)
                        source.load(store)
            for source in (one, two, one, one):
                source.say_anything(rng)
                source.replace(store)
