"""A load that comes again into the real Neo4j: what is there is only looked at, and what is missing comes back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from graph_schema import Batch, Fact, Written
from graph_schema.loads import LoadPlan, SourcePlan
from graph_schema.types import Int64s
from kgqa.stores import cypher_write, neo4j_games, neo4j_parallel
from kgqa.stores.neo4j_store import Neo4jStore
from kgqa.stores.neo4j_transactions import TooMuchError
from tests.neo4j_container import Neo4jServer

pytestmark = pytest.mark.neo4j

RELATIONS = 30
FACTS = [Fact(f"n{n}", f"r{n % RELATIONS}", f"n{n * 7 % 60}") for n in range(600)]


@pytest.fixture
def store(neo4j_store: Neo4jStore) -> Neo4jStore:
    return neo4j_store


def load(store: Neo4jStore) -> Written:
    origin = store.begin_load(LoadPlan("k", (SourcePlan("/k.csv", 1, "ab"),))).sources[0].origin
    batch = Batch((), FACTS, origin=origin, fact_lines=range(1, len(FACTS) + 1))
    (written,) = store.write_many([batch], workers=2)
    return written


def test_what_is_there_is_looked_at_by_one_statement_for_all_relations(store: Neo4jStore) -> None:
    load(store)
    before = store.round_trips
    again = load(store)
    assert (again.facts_created, again.facts_unchanged) == (0, len(FACTS))
    assert store.round_trips - before < RELATIONS, "not a statement, and a plan, for each relation"


def test_a_fact_that_is_missing_comes_back_though_another_is_there_twice(
    store: Neo4jStore, neo4j_server: Neo4jServer
) -> None:
    load(store)
    neo4j_server.run("MATCH (:Entity {id: 'n1'})-[r:r1]->(:Entity {id: 'n7'}) DELETE r")
    neo4j_server.run(
        "MATCH (h:Entity {id: 'n2'})-[r:r2]->(t:Entity {id: 'n14'}) CREATE (h)-[:r2 {kgqa_from: r.kgqa_from}]->(t)"
    )
    again = load(store)
    assert (again.facts_created, again.facts_unchanged) == (1, len(FACTS) - 1)
    assert store.holds([Fact("n1", "r1", "n7"), Fact("n2", "r2", "n14")]) == [True, True]


def test_where_the_server_has_no_memory_to_read_a_relation_each_fact_is_asked_for(
    store: Neo4jStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(store)
    store.end_load(store.loads()[0].id)

    def refused(relation: str) -> str:
        del relation
        raise TooMuchError

    monkeypatch.setattr(cypher_write, "ends_of", refused)
    again = load(store)
    assert (again.facts_created, again.facts_unchanged) == (0, len(FACTS))


def test_a_source_is_compared_here_where_it_brought_most_and_asked_for_where_not(
    store: Neo4jStore, neo4j_server: Neo4jServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    games = neo4j_games.games_of

    def counted(prepared: Any, nodes: Any, chosen: Mapping[str, Int64s], *more: int) -> Any:
        asked.append(sum(map(len, chosen.values())))
        return games(prepared, nodes, chosen, *more)

    monkeypatch.setattr(neo4j_parallel, "games_of", counted)
    load(store)
    store.end_load(store.loads()[0].id)
    load(store)
    neo4j_server.run("MATCH ()-[r:r3]->() WITH r LIMIT 1 DELETE r")
    again = load(store)
    assert (again.facts_created, again.facts_unchanged) == (1, len(FACTS) - 1)
    neo4j_server.run("UNWIND range(1, 2000) AS n CREATE (:Entity {id: 'm' + n})-[:r3]->(:Entity {id: 'o' + n})")
    load(store)
    assert asked == [len(FACTS), 0, 1, len(FACTS) // RELATIONS]
