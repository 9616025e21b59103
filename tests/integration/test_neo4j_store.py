"""The Neo4j store against a real server: what goes wrong, what comes back, several writers, the whole film graph."""

from __future__ import annotations

import gzip
import re
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import neo4j
import pytest

from graph_schema import (
    Batch,
    ConfigError,
    Entity,
    Fact,
    Group,
    Schema,
    StoreAccessDenied,
    StoreError,
    StoreUnavailable,
    StoreVersionError,
    Written,
)
from kgqa.stores import EmbeddedStore, cypher, open_store
from kgqa.stores.neo4j_reader import DENSEST, SURROUNDINGS
from kgqa.stores.neo4j_store import Neo4jStore
from tests.integration.relay import Relay
from tests.neo4j_container import PASSWORD, USER, Neo4jServer

pytestmark = pytest.mark.neo4j

FILMS = Path(__file__).parents[2] / "examples" / "films" / "kb.txt.gz"


@pytest.fixture
def store(neo4j_store: Neo4jStore) -> Neo4jStore:
    return neo4j_store


def test_wrong_password(neo4j_server: Neo4jServer) -> None:
    with pytest.raises(StoreAccessDenied, match="refused the user or the password") as caught:
        open_store(neo4j_server.url.replace("bolt://", f"bolt://{USER}:s%40cret-wrong@"))
    assert "cret" not in str(caught.value)


def test_user_and_password_in_the_url(neo4j_server: Neo4jServer) -> None:
    store = open_store(neo4j_server.url.replace("bolt://", f"neo4j://{USER}:{PASSWORD}@") + "?database=neo4j")
    assert store.changes() >= 0
    assert PASSWORD not in repr(store) + store.url
    store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        store.changes()


@pytest.mark.parametrize("address", ["localhost:1", "no-such-host.invalid:7687"])
def test_nobody_there(address: str) -> None:
    start = time.monotonic()
    for scheme in ("bolt", "neo4j", "neo4j+s"):
        with pytest.raises(StoreUnavailable, match="no Neo4j answers"):
            open_store(f"{scheme}://{address}", user=USER, password=PASSWORD, timeout=2)
    assert time.monotonic() - start < 30


def test_a_server_without_tls_asked_with_tls(neo4j_server: Neo4jServer) -> None:
    with pytest.raises(StoreUnavailable):
        open_store(neo4j_server.url.replace("bolt", "bolt+s"), user=USER, password=PASSWORD, timeout=2)


def test_no_such_database(neo4j_server: Neo4jServer) -> None:
    with pytest.raises(StoreUnavailable, match="no database of this name"):
        open_store(neo4j_server.url + "?database=nothere", user=USER, password=PASSWORD)


def test_database_name_that_cannot_be(neo4j_server: Neo4jServer) -> None:
    with pytest.raises((StoreError, ConfigError)):
        open_store(neo4j_server.url + "?database=%20;drop", user=USER, password=PASSWORD)


def test_a_newer_kgqa_wrote_it(neo4j_server: Neo4jServer, store: Neo4jStore) -> None:
    neo4j_server.run("MATCH (m:KgqaMeta {id: 'schema'}) SET m.migration = 99")
    with pytest.raises(StoreVersionError, match="99"):
        neo4j_server.store()
    with pytest.raises(StoreVersionError, match="99"):
        store.migrate(Schema())


def test_a_database_that_kgqa_never_wrote_to(neo4j_server: Neo4jServer) -> None:
    neo4j_server.wipe()
    neo4j_server.run("DROP INDEX kgqa_name_keys IF EXISTS")
    neo4j_server.run("DROP INDEX kgqa_names IF EXISTS")
    neo4j_server.run(
        "CREATE (a:Entity:Film {id: 'a', name: 'Alpha'}), (b:Entity {id: 'b', aliases: 'Bee'}), (c:Other {id: 'c'}), "
        "(:Entity {name: 'no id'}), (:Entity {id: 7}), "
        "(a)-[:R]->(b), (a)-[:R]->(b), (a)-[:S]->(c), (c)-[:T]->(c), (b)-[:U]->(b)"
    )
    store = neo4j_server.store()
    alpha, bee = Entity("a", "Alpha", "Film"), Entity("b", "b", "Entity", ("Bee",))
    assert store.changes() == 0
    assert store.relations() == ("R", "U")
    assert set(store.schema().relations) == {"R", "U"}
    assert (store.info().facts, store.info().relations) == (2, ("R", "U"))
    assert sorted(store.all_facts()) == [Fact("a", "R", "b"), Fact("b", "U", "b")]
    assert sorted(store.all_entities(), key=lambda e: e.id) == [alpha, bee]
    assert store.lookup(["alpha", "bee", "gamma"]) == {"alpha": (alpha,), "bee": (bee,)}
    assert store.suggest("Alpa") == (alpha,)
    offer = store.offer(["a", "b"])
    assert list(zip(offer.owner, offer.relation, offer.count, strict=True)) == [
        (0, 0, 1),
        (1, 1, 1),
        (1, 2, 1),
        (1, 3, 1),
    ]
    assert store.expand([Group("a", "R", False, 9), Group("a", "S", False, 9)]).entities == ["b"]
    neo4j_server.run("MATCH (a:Entity {id: 'a'}), (b:Entity {id: 'b'}) CREATE (b)-[:New]->(a)")
    assert store.relations() == ("New", "R", "U")
    store.close()
    restored = neo4j_server.store()
    restored._command("MATCH (m:KgqaMeta) DELETE m")
    restored.migrate(Schema())
    restored.close()


def test_a_relation_written_past_the_store_is_seen(neo4j_server: Neo4jServer, store: Neo4jStore) -> None:
    store.write(Batch(facts=[Fact("a", "m", "b")]))
    assert store.relations() == ("m",)
    neo4j_server.run("MATCH (a:Entity {id: 'a'}), (b:Entity {id: 'b'}) CREATE (b)-[:z]->(a)")
    assert store.offer(["b"]).relation.tolist() == [1, 2]
    assert store.relations() == ("m", "z")


def test_writers_at_the_same_time_lose_nothing(neo4j_server: Neo4jServer, store: Neo4jStore) -> None:
    """Four writers on the same forty entities, in different orders: all there, counted once each."""
    ids = [f"e{number}" for number in range(40)]
    facts = [Fact(ids[i], "r", ids[(i * k + k) % 40]) for i in range(40) for k in range(1, 12)]

    def write(part: int) -> Written:
        own = neo4j_server.store()
        order = facts[part * 100 :] + facts[: part * 100]
        entities = [Entity(id_, id_, "Entity", (f"alias {part}",)) for id_ in ids[:: 1 if part % 2 else -1]]
        done = [own.write(Batch(entities, order[at : at + 50])) for at in range(0, len(order), 50)]
        own.close()
        return sum(done, Written())

    with ThreadPoolExecutor(4) as pool:
        written = sum(pool.map(write, range(4)), Written())
    assert written.facts_created == len(set(facts)) == store.info().facts
    assert written.entities_created == 40
    assert Counter(store.all_facts()) == Counter(set(facts))
    aliases = {tuple(sorted(entity.aliases)) for entity in store.all_entities()}
    assert aliases == {("alias 0", "alias 1", "alias 2", "alias 3")}


def test_an_entity_deleted_by_another_is_made_again(neo4j_server: Neo4jServer, store: Neo4jStore) -> None:
    fact = Fact("a", "r", "b")
    store.write(Batch(facts=[fact]))
    other = neo4j_server.store()
    assert other.delete([fact]) == 1
    other.close()
    assert store.write(Batch(facts=[fact])) == Written(1, 0, 2, 0)
    assert set(store.lookup(["a", "b"])) == {"a", "b"}


def test_round_trips(store: Neo4jStore) -> None:
    facts = [Fact("a", relation, f"t{number}") for relation in ("r", "s", "t`") for number in range(3)]
    store.write(Batch(facts=facts))
    relations = store.relations()
    before = store.round_trips
    store.offer(["a", "t0", "t1"])
    store.expand([Group("a", r, False, 2) for r in relations] + [Group("t0", r, True, 2) for r in relations])
    store.holds(facts)
    store.entities(["a", "t0"])
    store.start(["a", "t0", "t1", "nobody"])
    store.step([Group("a", r, False, 2) for r in relations])
    store.prove(facts, ["a", "t0"])
    assert store.round_trips - before == 7
    store.schema()
    assert store.round_trips - before == 8


def test_a_query_is_one_trip_over_the_network(neo4j_server: Neo4jServer, store: Neo4jStore) -> None:
    """What the client sends, seen by a proxy between it and the server: a burst for each query, and no more."""
    store.write(Batch(facts=[Fact("a", "r", "b")]))
    with Relay(neo4j_server.port) as relay:
        between = neo4j_server.store(f"bolt://localhost:{relay.port}")
        between.relations()
        before, sent = between.round_trips, relay.turns
        for _ in range(5):
            assert between.step([Group("a", "r", False, 9)]).ids == ("b",)
            assert between.prove([Fact("a", "r", "b")], ["b"]).holds == [True]
        assert between.round_trips - before == 10
        assert relay.turns - sent == 10
        between.close()


def test_a_query_is_repeated_when_its_connection_breaks(neo4j_server: Neo4jServer, store: Neo4jStore) -> None:
    store.write(Batch(facts=[Fact("a", "r", "b")]))
    with Relay(neo4j_server.port) as relay:
        between = neo4j_server.store(f"bolt://localhost:{relay.port}")
        for _ in range(3):
            assert between.prove([Fact("a", "r", "b")], []).holds == [True]
            relay.cut()
        between.close()
    with Relay(neo4j_server.port) as relay:
        between = neo4j_server.store(f"bolt://localhost:{relay.port}", timeout=1)
    with pytest.raises(StoreUnavailable, match="no Neo4j answers"):
        between.prove([], [])
    between.close()


def test_what_cannot_pass_is_not_repeated(store: Neo4jStore) -> None:
    before = store.round_trips
    with pytest.raises(StoreError, match="Neo4j says"):
        store._rows("RETURN 1 / 0")
    assert store.round_trips - before == 1


def test_reading_needs_no_right_to_write(store: Neo4jStore) -> None:
    """All reads go in transactions in which the server refuses to write."""
    with pytest.raises(StoreError, match=r"[Ww]rit"):
        store._rows("CREATE (:Entity {id: 'x'})")
    assert store.entities(["x"]) == {}


def test_more_bearers_of_a_name_than_are_looked_around(store: Neo4jStore) -> None:
    twins = [Entity(f"e{number:03}", "Smith") for number in range(SURROUNDINGS + 20)]
    store.write(Batch(twins, [Fact(twin.id, "r", "x") for twin in twins]))
    start = store.start(["smith"])
    assert start.named == {"smith": tuple(twins)}
    assert len(start.ids) == len(start.offer.owner) == SURROUNDINGS
    assert set(start.ids) < {twin.id for twin in twins}


def test_a_hub_is_not_looked_around_before_it_is_a_topic(store: Neo4jStore) -> None:
    store.write(Batch(facts=[Fact("hub", "r", f"t{number}") for number in range(DENSEST)]))
    assert set(store.start(["hub", "t1"]).ids) == {"hub", "t1"}
    store.write(Batch(facts=[Fact("one more", "r", "hub")]))
    start = store.start(["hub", "t1"])
    assert set(start.named) == {"hub", "t1"}
    assert start.ids == ("t1",)
    assert store.offer(["hub"]).count.tolist() == [DENSEST, 1]


def test_a_relation_new_since_the_last_query_is_told_with_the_answer(
    neo4j_server: Neo4jServer, store: Neo4jStore
) -> None:
    store.write(Batch(facts=[Fact("b", "m", "c")]))
    assert store.relations() == ("m",)
    other = neo4j_server.store()
    other.write(Batch(facts=[Fact("c", "a", "d"), Fact("c", "z", "d")]))
    step = store.step([Group("b", "m", False, 9)])
    assert (step.offer.relations, step.offer.relation.tolist()) == (("a", "m", "z"), [0, 3, 4])
    other.delete([Fact("c", "a", "d")])
    other.close()
    start = store.start(["c"])
    assert (start.offer.relations, start.offer.relation.tolist()) == (("m", "z"), [1, 2])


@pytest.mark.parametrize("query", ["COUNT_FACTS", "ALL_FACTS", "OFFER", "EXPAND", "STEP", "START"])
def test_a_dense_graph_is_walked_and_never_scanned_for_each_node(
    store: Neo4jStore, neo4j_server: Neo4jServer, query: str
) -> None:
    names = [f"n{i}" for i in range(25)]
    store.migrate(Schema())
    store.write(Batch(facts=[Fact(a, f"r{k}", b) for a in names for b in names for k in range(8)]))
    auth = (USER, PASSWORD)
    with neo4j.GraphDatabase.driver(neo4j_server.url, auth=auth) as driver:
        driver.execute_query("CALL db.clearQueryCaches()")
        given = {"ids": names[:1], "rows": [], "most": 5, "densest": 5, "index": {}, "query": '"n1"'}
        plan = driver.execute_query("EXPLAIN " + getattr(cypher, query), {"given": given}).summary.plan
    pending, operators = [plan], []
    while pending:
        step = pending.pop()
        assert step is not None
        operators.append(step["operatorType"])
        pending += step.get("children", [])
    assert any("Expand(All)" in name for name in operators)
    assert not any("Expand(Into)" in name for name in operators), operators
    assert sum("Scan" in name for name in operators) == query.startswith(("COUNT", "ALL")), operators


@pytest.mark.parametrize("query", ["OFFER", "EXPAND", "STEP", "START", "PROVE"])
def test_how_much_is_asked_for_makes_no_new_plan(query: str) -> None:
    """The server plans a text anew for each order of magnitude of a parameter's size, but doesn't look into a map."""
    assert set(re.findall(r"\$(\w+)", getattr(cypher, query))) == {"given"}


def test_the_film_graph_is_the_same_in_both_stores(store: Neo4jStore, tmp_path: Path) -> None:
    with gzip.open(FILMS, "rt", encoding="utf-8") as lines:
        facts = [Fact(*line.rstrip("\n").split("|")) for line in lines]
    embedded = EmbeddedStore(tmp_path / "films.db", create=True)
    for target in (embedded, store):
        target.migrate(Schema())
        written = [target.write(Batch(facts=facts[at : at + 20_000])) for at in range(0, len(facts), 20_000)]
        assert sum(written, Written()).facts_created == len(facts) == 133_582
        target.finish()
    assert store.info() == embedded.info()
    assert set(store.all_facts()) == set(embedded.all_facts()) == set(facts)
    assert set(store.all_entities()) == set(embedded.all_entities())
    ids = [*sorted({fact.head for fact in facts})[::400], "Drama", "English", "2006", "$"]
    here, there = store.offer(ids), embedded.offer(ids)
    for name in ("owner", "relation", "count"):
        assert getattr(here, name).tolist() == getattr(there, name).tolist()
    relations = store.relations()
    groups = [
        Group(ids[owner], relations[relation // 2], bool(relation % 2), 100)
        for owner, relation in zip(here.owner.tolist(), here.relation.tolist(), strict=True)
    ]
    assert store.expand(groups).entities == embedded.expand(groups).entities
    embedded.close()


def test_a_server_that_restarts_is_found_again(neo4j_server: Neo4jServer, store: Neo4jStore) -> None:
    store.write(Batch(facts=[Fact("a", "r", "b")]))
    container = neo4j_server.container.get_wrapped_container()
    container.kill()
    start = time.monotonic()
    with pytest.raises(StoreUnavailable):
        store.changes()
    assert time.monotonic() - start < 20
    container.start()
    deadline = time.monotonic() + 120
    while True:
        try:
            assert store.holds([Fact("a", "r", "b")]) == [True]
            break
        except StoreUnavailable:
            assert time.monotonic() < deadline
            time.sleep(0.5)
    assert store.write(Batch(facts=[Fact("b", "r", "a")])).facts_created == 1
