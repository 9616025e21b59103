"""Loading past the server: what ``neo4j-admin`` makes of the files is what an online load makes, node by node."""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import pytest

from graph_schema import Batch, Entity, Fact, GraphStore, RelationSchema, Schema, StoreError, Value
from graph_schema.loads import LoadPlan, SourcePlan
from kgqa.stores.neo4j_offline import ImportPlan, OfflineWriter
from tests.contract.graph_model import NASTY
from tests.integration.test_neo4j_loads import EVERYTHING
from tests.neo4j_container import IMAGE, Neo4jServer, started

pytestmark = pytest.mark.neo4j

SCHEMA = Schema(relations={"r": RelationSchema(words="is related to", head="Film")})
ODD: dict[str, Value] = {
    'quo"ted': 1,
    "two\nlines": (1.5, math.inf),
    "a:b": ("", "x"),
    "curly{}": True,
    " edge": "",
    "none": (),
    "blank": ("",),
    "separators": ("\x1f", "\x1e,;\x01"),
}


def batches(first: int, second: int) -> Iterator[Batch]:
    """Everything that is hard: odd texts, all types, types in conflict, several origins that say different things."""
    yield Batch(
        [Entity(f"id of {text}", text, text, (f"{text}2", text)) for text in NASTY],
        [Fact(a, b, c) for a, b, c in zip(NASTY, NASTY[::-1], NASTY[3:] + NASTY[:3], strict=True)],
        origin=first,
        entity_lines=range(1, len(NASTY) + 1),
        fact_lines=range(1, len(NASTY) + 1),
        through=100,
    )
    facts = [Fact("a", "r", "b"), Fact("a", "r", "c"), Fact("b", "s", "a"), Fact("a", "r", "b"), Fact("c", "r", "c")]
    yield Batch(
        [Entity("a", "A", "Film", ("x",), EVERYTHING), Entity("b", "b", "Film", (), {"whole": "a text"})],
        facts,
        [EVERYTHING, ODD, {}, {"whole": 2}, {"whole": 1.5}],
        first,
        [101, 102],
        [103, 104, 105, 106, 107],
        200,
    )
    yield Batch(
        [Entity("a", "Other", "Movie", ("y",), {"whole": 1, **ODD}), Entity("a", "Third"), Entity("d", "D")],
        [*facts, Fact("d", "t", "e")],
        [{"whole": 5}, ODD, {"new": 1}, {}, {}, {}],
        second,
        [1, 2, 3],
        [4, 5, 6, 7, 8, 9],
        9,
    )
    yield Batch([Entity("e", "nobody's")], [Fact("e", "t", "d"), Fact("d", "t", "e")])


def load(store: GraphStore | OfflineWriter) -> None:
    """One load of two sources, and one that is undone."""
    store.migrate(SCHEMA)
    plan = LoadPlan("key", (SourcePlan("/data/a\n.csv", 3, "ab"), SourcePlan("/data/b.csv")))
    begun = store.begin_load(plan)
    gone = store.begin_load(LoadPlan("other", (SourcePlan("/data/c.csv"),)))
    for _ in store.write_many(batches(*(source.origin for source in begun.sources)), workers=2):
        pass
    wrong = Batch([Entity("a", "Wrong", "Wrong", ("w",), {"w": 1})], [Fact("a", "r", "b"), Fact("w", "w", "w")])
    store.write(Batch(wrong.entities, wrong.facts, origin=gone.sources[0].origin))
    store.withdraw([gone.sources[0].origin], undone=gone.id)
    store.end_load(begun.id)
    store.finish()


def dump(server: Neo4jServer) -> list[Any]:
    """All nodes and relationships, but for what differs between two loads of the same: ids, times, counters."""

    def comparable(properties: dict[str, Any]) -> list[tuple[str, str]]:
        for name in ("kgqa_from", "kgqa_said"):
            if name in properties:
                properties[name] = sorted(properties[name])
        for name in ("began", "ended", "load", "last"):
            properties.pop(name, None)
        return sorted((name, repr(value)) for name, value in properties.items())

    nodes: list[Any] = server.run("MATCH (n) WHERE NOT n:KgqaMeta RETURN labels(n), properties(n)")
    edges: list[Any] = server.run("MATCH (a)-[r]->(b) RETURN a.id, type(r), b.id, properties(r)")
    rows = []
    for labels, properties in nodes:
        if "KgqaLoad" in labels:
            properties.pop("id")
        rows.append((sorted(labels), comparable(properties)))
    facts = [(head, name, tail, comparable(properties)) for head, name, tail, properties in edges]
    return sorted([*rows, *facts], key=repr)


@pytest.fixture
def volume() -> Iterator[str]:
    """A volume for a server's data."""
    client = docker.from_env()
    made = client.volumes.create(f"kgqa-test-{uuid.uuid4().hex}")
    yield str(made.name)
    made.remove(force=True)
    client.close()


def run_import(plan: ImportPlan, volume: str) -> str:
    """Run the command that is given to users, without its ``docker run``."""
    _, found, command = plan.docker_command(volume, IMAGE).partition(f"{IMAGE} ")
    assert found
    client = docker.from_env()
    mounts = {volume: {"bind": "/data", "mode": "rw"}, str(plan.folder): {"bind": "/import", "mode": "ro"}}
    said: bytes = client.containers.run(IMAGE, command, volumes=mounts, remove=True)
    client.close()
    return said.decode()


def test_the_import_is_the_graph_that_an_online_load_makes(
    neo4j_server: Neo4jServer, tmp_path: Path, volume: str
) -> None:
    neo4j_server.wipe()
    with closing(neo4j_server.store()) as online:
        load(online)
        expected, entities, facts = dump(neo4j_server), online.info().entities, online.info().facts
        loads = online.loads()
    writer = OfflineWriter(tmp_path / "files")
    load(writer)
    plan = writer.export()
    writer.close()
    assert (plan.entities, plan.facts) == (entities, facts)
    assert entities > len(NASTY) * 2
    run_import(plan, volume)
    with started(volume) as imported:
        for statement in (plan.folder / plan.afterwards).read_text("utf-8").split(";\n")[:-1]:
            imported.run(statement)
        with closing(imported.store()) as store:
            store.migrate(Schema())
            assert dump(imported) == expected
            assert [(load.key, load.state) for load in loads] == [("key", "complete"), ("other", "undone")]
            assert [replace(load, id="", began="", ended="") for load in store.loads()] == [
                replace(load, id="", began="", ended="") for load in loads
            ]
            assert store.schema().words("r") == "is related to"
            assert {e.id for e in store.lookup(["x"])["x"]} >= {"a"}
            before = store.changes()
            assert before > 0
            plan_again = LoadPlan("key", (SourcePlan("/data/a\n.csv", 3, "ab"), SourcePlan("/data/b.csv")))
            again = store.begin_load(plan_again)
            assert again.state == "complete"
            done = [*store.write_many(batches(*(source.origin for source in again.sources)))]
            assert sum(w.facts_created + w.entities_created for w in done) == 0
            assert sum(w.facts_merged - w.facts_unchanged + w.entities_merged - w.entities_unchanged for w in done) == 0
            assert store.changes() == before, "it knows what it has"
            assert store.begin_load(LoadPlan("new", (SourcePlan("n"),))).sources[0].origin == 4


def test_nothing_to_import(tmp_path: Path) -> None:
    writer = OfflineWriter(tmp_path / "files")
    writer.migrate(Schema())
    with pytest.raises(StoreError, match="nothing to import"):
        writer.export()
    writer.close()
