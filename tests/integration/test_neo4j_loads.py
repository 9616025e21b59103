"""Loads in the real Neo4j: how marks lie there, what is made of them, several loaders at once, and breaks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from graph_schema import Batch, Entity, Fact, Schema, StoreError, Value, Written
from graph_schema.loads import LoadPlan, Origin, SourcePlan, Withdrawn
from kgqa.stores.neo4j_store import Neo4jStore
from kgqa.stores.neo4j_values import mark
from tests.neo4j_container import Neo4jServer

pytestmark = pytest.mark.neo4j

EVERYTHING: dict[str, Value] = {
    "text": "' } ) ` \\u0060 DETACH DELETE",
    "whole": 2**63 - 1,
    "part": -0.1,
    "yes": True,
    "day": date(2020, 2, 29),
    "moment": datetime(2021, 3, 4, 5, 6, 7, 89, UTC),
    "texts": ("a", "b"),
    "days": (date(1, 1, 1), date(9999, 12, 31)),
    "none": (),
    "a`b}) //": 1,
    "id": "its own",
    "_id": "another",
    "name": 7,
    "kgqa_from": 3.5,
    "__kgqa_said": "x",
}


@pytest.fixture
def store(neo4j_server: Neo4jServer) -> Iterator[Neo4jStore]:
    neo4j_server.wipe()
    made = neo4j_server.store()
    made.migrate(Schema())
    yield made
    made.close()


def begin(store: Neo4jStore, key: str = "k", sources: int = 1) -> list[int]:
    """The origins of a new load."""
    load = store.begin_load(LoadPlan(key, tuple(SourcePlan(f"/{key}{n}.csv", n, "ab") for n in range(sources))))
    return [source.origin for source in load.sources]


def both(server: Neo4jServer) -> tuple[dict[str, Any], dict[str, Any]]:
    """All properties of the node a and of the relationship that leaves it."""
    found: list[list[Any]] = server.run("MATCH (a {id: 'a'})-[r]->() RETURN properties(a), properties(r)")
    ((node, edge),) = found
    return node, edge


def test_properties_of_every_type_and_name_come_back(store: Neo4jStore, neo4j_server: Neo4jServer) -> None:
    batch = Batch([Entity("a", "A", properties=EVERYTHING)], [Fact("a", "r", "b")], [EVERYTHING])
    assert store.write(batch) == Written(1, 0, 2, 0)
    assert store.write(batch) == Written(0, 1, 0, 2, 1, 2)
    assert store.entities(["a"])["a"].properties == EVERYTHING
    (found,) = store.fact_properties([Fact("a", "r", "b")])
    assert found == EVERYTHING
    assert {name: type(value) for name, value in found.items()} == {n: type(v) for n, v in EVERYTHING.items()}
    node, edge = both(neo4j_server)
    assert (node["_id"], node["__id"], node["_name"], node["name"], node["whole"]) == (
        "its own",
        "another",
        7,
        "A",
        2**63 - 1,
    )
    assert (edge["id"], edge["name"], edge["_kgqa_from"], edge["kgqa_from"]) == ("its own", 7, 3.5, [0])


def test_marks_and_what_is_kept_beside_them(store: Neo4jStore, neo4j_server: Neo4jServer) -> None:
    first, second = begin(store, sources=2)
    fact = Fact("a", "r", "b")
    store.write(Batch([Entity("a", "A", "L")], [fact], origin=first, entity_lines=[2], fact_lines=[3], through=3))
    store.write(Batch([Entity("a", "A", "L")], [fact], origin=second, entity_lines=[5], fact_lines=[6], through=9))
    node, edge = both(neo4j_server)
    marks = [mark(first, 2), mark(second, 5)]
    assert node == {"id": "a", "name": "A", "name_keys": ["a"], "kgqa_from": marks}
    assert edge == {"kgqa_from": [mark(first, 3), mark(second, 6)]}
    load = store.loads()[0]
    assert store.origins([fact]) == [(Origin(load.id, "/k0.csv", 3), Origin(load.id, "/k1.csv", 6))]
    assert [(s.through, s.facts, s.entities) for s in load.sources] == [(3, 1, 2), (9, 0, 0)]
    assert store.entities(["a"])["a"] == Entity("a", "A", "L")

    store.write(Batch([Entity("a", "Other", "M", ("x",), {"n": 1})], [fact], [{"w": 2}], second, [7], [8], 5))
    node, edge = both(neo4j_server)
    assert len(node["kgqa_said"]) == 2
    assert edge["kgqa_said"] == [f'{second} {{"w":2}}']
    assert store.loads()[0].sources[1].through == 9, "never goes back"
    assert store.withdraw([first]) == Withdrawn(0, 1, 0, 1)
    node, edge = both(neo4j_server)
    assert node.pop("name_keys") == ["a", "other", "x"]
    assert node == {"id": "a", "name": "A", "aliases": ["Other", "x"], "n": 1, "kgqa_from": [mark(second, 5)]}
    assert edge == {"w": 2, "kgqa_from": [mark(second, 6)]}
    assert store.withdraw([second], undone=load.id) == Withdrawn(1, 0, 2, 0)
    assert neo4j_server.run("MATCH (e:Entity) RETURN count(e)") == [[0]]
    assert [(load.state, load.key) for load in store.loads()] == [("undone", "k")]


def test_what_was_there_without_kgqa_stays(store: Neo4jStore, neo4j_server: Neo4jServer) -> None:
    neo4j_server.run("CREATE (:Entity:Film {id: 'a', name: 'A', year: 1999})-[:r {w: 1}]->(:Entity {id: 'b'})")
    (origin,) = begin(store)
    batch = Batch(
        [Entity("a", "B", "X", ("C",), {"year": 2000})], [Fact("a", "r", "b"), Fact("b", "r", "c")], origin=origin
    )
    assert store.write(batch) == Written(1, 1, 1, 2, 0, 1)
    assert store.entities(["a"])["a"] == Entity("a", "A", "Film", ("B", "C"), {"year": 2000})
    assert store.withdraw([origin]) == Withdrawn(1, 1, 1, 1)
    assert store.entities(["a", "b", "c"]) == {"a": Entity("a", "A", "Film", (), {"year": 1999}), "b": Entity("b", "b")}
    assert list(store.facts_of([0])) == [Fact("a", "r", "b")]
    assert store.fact_properties([Fact("a", "r", "b")]) == [{"w": 1}]


def test_ids_of_loads_sort_by_time_and_an_undone_load_can_be_begun_again(store: Neo4jStore) -> None:
    ids = [store.begin_load(LoadPlan(f"k{n}", (SourcePlan("s"),))).id for n in range(5)]
    assert ids == sorted(set(ids))
    assert store.begin_load(LoadPlan("k3", (SourcePlan("s"),))).id == ids[3]
    store.end_load(ids[3])
    assert store.begin_load(LoadPlan("k3", (SourcePlan("s"),))).state == "complete"
    store.withdraw([], undone=ids[3])
    again = store.begin_load(LoadPlan("k3", (SourcePlan("s"),)))
    assert (again.state, again.sources[0].origin) == ("running", 6)
    assert [load.state for load in store.loads()] == ["running"] * 3 + ["undone"] + ["running"] * 2
    with pytest.raises(StoreError, match="is undone"):
        store.end_load(ids[3])
    with pytest.raises(StoreError, match="no load"):
        store.end_load("nobody")
