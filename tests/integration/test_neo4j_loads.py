"""Loads in the real Neo4j: how marks lie there, what is made of them, several loaders at once, and breaks."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, date, datetime
from itertools import count
from threading import Barrier
from typing import Any, LiteralString

import neo4j
import pytest
from neo4j import Transaction
from neo4j.exceptions import IncompleteCommit, Neo4jError

from graph_schema import Batch, Entity, Fact, StoreError, StoreUnavailable, Value, Written
from graph_schema.loads import LoadPlan, Origin, SourcePlan, Withdrawn
from kgqa.stores import cypher_write, neo4j_loads, neo4j_transactions
from kgqa.stores.cypher_write import LOCK_ENTITIES
from kgqa.stores.neo4j_store import Neo4jStore
from kgqa.stores.neo4j_transactions import Held
from kgqa.stores.neo4j_values import mark
from kgqa.stores.neo4j_write import Run
from tests.neo4j_container import PASSWORD, USER, Neo4jServer
from tests.tcp_proxy import Proxy

pytestmark = pytest.mark.neo4j

JOIN: LiteralString = "MATCH (h:Entity {id: $head}), (t:Entity {id: $tail}) MERGE (h)-[:locked]->(t)"
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
def store(neo4j_store: Neo4jStore) -> Neo4jStore:
    return neo4j_store


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
    assert store.write(batch) == Written(1, 0, 2, 0, declared_created=1)
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
    assert store.write(batch) == Written(1, 1, 1, 2, 0, 1, declared_changed=1)
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


def slices(origin: int, facts: list[Fact], size: int = 200) -> Iterator[Batch]:
    """Batches of facts; the line of each is its place in the list, from 1."""
    for at in range(0, len(facts), size):
        part = facts[at : at + size]
        yield Batch([], part, (), origin, [], range(at + 1, at + len(part) + 1), at + len(part))


def tangle(count: int) -> list[Fact]:
    """Facts that all share a few dozen nodes, some of them hubs."""
    rng = random.Random(5)
    drawn = (Fact(f"n{rng.randrange(40)}", f"r{rng.randrange(3)}", f"n{rng.randrange(6)}") for _ in range(count * 3))
    return [*dict.fromkeys(drawn)][:count]


def test_two_loaders_on_the_same_nodes_lose_and_double_nothing(store: Neo4jStore, neo4j_server: Neo4jServer) -> None:
    facts = tangle(600)
    origins = begin(store, sources=2)

    def load(origin: int) -> list[Written]:
        with closing(neo4j_server.store()) as own:
            return [*own.write_many(slices(origin, facts[:: 1 if origin == origins[0] else -1], 50), workers=2)]

    with ThreadPoolExecutor(2) as pool:
        written = [sum(done, Written()) for done in pool.map(load, origins)]
    assert Counter(store.all_facts()) == Counter(facts)
    assert sum(done.facts_created for done in written) == len(facts)
    assert [done.facts_merged - done.facts_unchanged for done in written] == [
        len(facts) - done.facts_created for done in written
    ], "what another brought gets a mark"
    sources = store.loads()[0].sources
    assert sum(source.entities for source in sources) == store.info().entities == 40
    assert [source.facts for source in sources] == [done.facts_created for done in written]
    for place, marked in enumerate(store.origins(facts), 1):
        assert [origin.line for origin in marked] == [place, len(facts) + 1 - place]


def test_a_deadlock_is_survived(store: Neo4jStore) -> None:
    """Two transactions lock two nodes in different orders, and meet in between: the server ends one of them."""
    store.write(Batch(facts=[Fact("a", "r", "b")]))
    met, tries = Barrier(2), {"ab": 0, "ba": 0}

    def lock(order: str) -> None:
        def work(run: Run) -> None:
            tries[order] += 1
            run(LOCK_ENTITIES, {"given": {"ids": [order[0]]}})
            if tries[order] == 1:
                met.wait(30)
            run(LOCK_ENTITIES, {"given": {"ids": [order[1]]}})
            run(JOIN, {"head": order[0], "tail": order[1]})

        store._write(work)

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(lock, order) for order in tries]:
            done.result(60)
    assert sorted(tries.values()) == [1, 2]
    assert set(store.all_facts()) == {Fact("a", "r", "b"), Fact("a", "locked", "b"), Fact("b", "locked", "a")}


def test_the_line_is_cut_at_commits_and_the_journal_is_never_ahead(
    store: Neo4jStore, neo4j_server: Neo4jServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut when a commit is on its way: nobody knows whether it is in, and each time it is done once."""
    facts = tangle(600)
    (origin,) = begin(store)
    commit, commits, cut = Transaction.commit, count(1), count()
    with Proxy(neo4j_server.port) as proxy, closing(neo4j_server.store(f"bolt://localhost:{proxy.port}")) as own:

        def cutting(transaction: Transaction) -> None:
            number = next(commits)
            if number % 7 == 0:
                commit(transaction)  # it is in, but that is never heard
                proxy.cut()
                next(cut)
                proxy.mend()
                raise IncompleteCommit("cut")
            if number % 7 == 3:
                proxy.cut()
                next(cut)
                proxy.mend()
            commit(transaction)

        monkeypatch.setattr(Transaction, "commit", cutting)
        for number, _ in enumerate(own.write_many(slices(origin, facts, 50), workers=2), 1):
            through = store.loads()[0].sources[0].through
            assert through >= 50 * number, "what was said to be in is in the journal"
            assert all(store.holds(facts[:through]))
    assert next(cut) > 5
    assert Counter(store.all_facts()) == Counter(facts)
    source = store.loads()[0].sources[0]
    assert (source.facts, source.entities, source.through) == (len(facts), 40, len(facts))


def test_entities_that_others_delete_in_the_middle_are_made_again(store: Neo4jStore, neo4j_server: Neo4jServer) -> None:
    first, second = tangle(200), [Fact(f"n{n}", "new", f"n{n % 6}") for n in range(40)]
    (origin,) = begin(store)

    def batches() -> Iterator[Batch]:
        yield Batch(facts=first, origin=origin)
        yield Batch(facts=[Fact("x", "y", "z")], origin=origin)
        yield Batch(facts=[Fact("x", "y", "x")], origin=origin)  # when this has been drawn, the first is in
        neo4j_server.run("MATCH (e:Entity) WHERE e.id STARTS WITH 'n' DETACH DELETE e")
        neo4j_server.run("UNWIND range(1, 100) AS n CREATE (:Stranger {n: n})")
        yield Batch(facts=second, origin=origin)

    done = [*store.write_many(batches(), workers=2)]
    assert done[-1].facts_created == 40
    assert set(store.all_facts()) == {*second, Fact("x", "y", "z"), Fact("x", "y", "x")}
    assert neo4j_server.run("MATCH (s:Stranger)--() RETURN count(s)") == [[0]]


def test_without_the_held_transaction_no_internal_id_is_relied_on(
    store: Neo4jStore, neo4j_server: Neo4jServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is ended by the server in the middle; then everything is looked up anew, and a second one is held."""
    first, second = tangle(200), [Fact(f"n{n}", "new", f"n{n % 6}") for n in range(40)]
    (origin,) = begin(store)
    answers: list[bool] = []
    holds = Held.holds

    def noted(held: Held, number: int, server: str) -> bool:
        answers.append(holds(held, number, server))
        return answers[-1]

    def batches() -> Iterator[Batch]:
        yield Batch(facts=first, origin=origin)
        yield Batch(facts=[Fact("x", "y", "z")], origin=origin)
        yield Batch(facts=[Fact("x", "y", "x")], origin=origin)
        ended = neo4j_server.run(
            "SHOW TRANSACTIONS YIELD transactionId, currentQuery WHERE NOT currentQuery STARTS WITH 'SHOW' "
            "TERMINATE TRANSACTIONS transactionId YIELD message RETURN message"
        )
        assert len(ended) >= 1
        yield Batch(facts=second, origin=origin)

    monkeypatch.setattr(Held, "holds", noted)
    done = [*store.write_many(batches(), workers=2)]
    assert done[-1].facts_created == 40
    assert Counter(store.all_facts()) == Counter([*first, *second, Fact("x", "y", "z"), Fact("x", "y", "x")])
    assert answers[0]
    assert not all(answers)
    assert answers[-1]
    assert neo4j_server.run("SHOW TRANSACTIONS YIELD currentQuery WHERE NOT currentQuery STARTS WITH 'SHOW'") == []


def test_a_held_transaction_keeps_ids_from_being_given_away_again(store: Neo4jStore, neo4j_server: Neo4jServer) -> None:
    held = store._transactions.held()
    number = held.begin(patience=5, stopped=lambda: False)
    assert held.begin(patience=5, stopped=lambda: False) == number
    ids = {row[0] for row in neo4j_server.run("UNWIND range(1, 2000) AS n CREATE (m:Stranger) RETURN id(m)")}
    neo4j_server.run("MATCH (m:Stranger) DELETE m")
    for _ in range(20):
        time.sleep(0.1)
        new = {row[0] for row in neo4j_server.run("UNWIND range(1, 200) AS n CREATE (m:Stranger) RETURN id(m)")}
        assert not new & ids
    with store._session() as session:
        server = str(session.run("RETURN 1").consume().server.address)
    assert held.holds(number, server)
    assert not held.holds(number, "another:7687"), "it says nothing of another server"
    assert not held.holds(number, server), "and is given up then"
    assert held.begin(patience=5, stopped=lambda: False) == number + 1
    held.close()


def test_a_failure_of_the_input_leaves_what_came_before_it(store: Neo4jStore) -> None:
    facts = tangle(300)
    (origin,) = begin(store)

    def batches() -> Iterator[Batch]:
        yield from slices(origin, facts, 100)
        raise OSError("the disk is gone")

    done: list[Written] = []
    with pytest.raises(OSError, match="the disk is gone"):
        done.extend(store.write_many(batches(), workers=2))
    assert sum(written.facts_created for written in done) == len(facts)
    assert store.loads()[0].sources[0].through == len(facts)


def test_given_up_in_the_middle_no_journal_is_ahead_and_the_rest_can_follow(store: Neo4jStore) -> None:
    facts = tangle(500)
    (origin,) = begin(store)
    written = store.write_many(slices(origin, facts, 50), workers=2)
    assert next(written).facts_created == 50
    assert isinstance(written, Generator)
    written.close()
    through = store.loads()[0].sources[0].through
    assert 50 <= through < len(facts)
    assert all(store.holds(facts[:through]))
    rest = [*store.write_many(slices(origin, facts, 50), workers=2)]
    assert sum(of.facts_merged for of in rest) >= through
    assert Counter(store.all_facts()) == Counter(facts)


def test_taking_back_broken_off_goes_on(store: Neo4jStore, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = tangle(300)
    gone, stays = begin(store, sources=2)
    entities = [Entity(f"n{n}", f"Name {n}", "Node", (), {"n": n}) for n in range(40)]
    store.write(Batch(entities, facts, origin=gone, through=300))
    store.write(Batch(entities[:10], facts[:100], origin=stays, through=100))
    monkeypatch.setattr(neo4j_loads, "CHUNK", 50)
    write, calls = store._write, count(1)

    def failing(work: Callable[[Run], object]) -> object:
        if next(calls) == 4:
            raise StoreUnavailable("the network is gone")
        return write(work)

    load = store.loads()[0]
    monkeypatch.setattr(store, "_write", failing)
    with pytest.raises(StoreUnavailable):
        store.withdraw([gone], undone=load.id)
    monkeypatch.setattr(store, "_write", write)
    half = store.info().facts
    assert 100 < half < 300
    assert store.loads()[0].state == "undoing"
    assert [source.through for source in store.loads()[0].sources] == [0, 100], "the journal went first"
    done = store.withdraw([gone], undone=load.id)
    assert done.facts_deleted == half - 100
    assert store.loads()[0].state == "undone"
    assert Counter(store.all_facts()) == Counter(facts[:100])
    left = {entity.id: entity for entity in store.all_entities()}
    mentioned = {id_ for fact in facts[:100] for id_ in (fact.head, fact.tail)}
    assert left.keys() == mentioned | {f"n{n}" for n in range(10)}
    assert all(left[id_] == (entities[int(id_[1:])] if int(id_[1:]) < 10 else Entity(id_, id_)) for id_ in left)


def test_a_transaction_that_is_too_large_is_halved(store: Neo4jStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's answer to a transaction beyond its memory can't be had with so few facts; its code can."""
    facts = tangle(600)
    (origin,) = begin(store)
    sizes: list[int] = []
    once = store._transactions._once

    def limited(work: Callable[[Run], object], *more: Any, **how: Any) -> object:
        def within(run: Run) -> object:
            def small(query: LiteralString, parameters: Mapping[str, Any] | None = None) -> Any:
                sizes.append(len((parameters or {}).get("given", {}).get("marks", ())))
                if sizes[-1] > 120:
                    raise Neo4jError._hydrate_neo4j(
                        code="Neo.TransientError.General.MemoryPoolOutOfMemoryError", message="too much"
                    )
                return run(query, parameters)

            return work(small)

        return once(within, *more, **how)

    monkeypatch.setattr(store._transactions, "_once", limited)
    monkeypatch.setattr(neo4j_transactions, "LEAST_ROWS", 10)
    (done,) = store.write_many([Batch(facts=facts, origin=origin)], workers=1)
    assert done.facts_created == len(facts) == store.info().facts
    assert max(sizes) > 120 >= min(size for size in sizes if size)


@pytest.mark.parametrize("facts", [300, 0])
@pytest.mark.parametrize("made", ["merge_facts", "merge_facts_with", "count_facts", "mark_facts", "lock_facts"])
def test_facts_are_looked_for_between_their_ends_and_not_around_a_hub(
    store: Neo4jStore, neo4j_server: Neo4jServer, made: str, facts: int
) -> None:
    store.write(Batch([Entity(f"n{n}", "") for n in range(300)], [Fact(f"n{n}", "r", "hub") for n in range(facts)]))
    with neo4j.GraphDatabase.driver(neo4j_server.url, auth=(USER, PASSWORD)) as driver:
        driver.execute_query("CALL db.clearQueryCaches()")
        columns = {"heads": [1], "tails": [2], "marks": [3], "properties": [{}], "relations": [0], "names": ["r"]}
        given = {"given": columns, "low": 0, "high": 1}
        query = getattr(cypher_write, made)(["r", "s"] if made == "count_facts" else "r")
        plan = driver.execute_query("EXPLAIN " + query, given).summary.plan
    pending, operators = [plan], []
    while pending:
        step = pending.pop()
        assert step is not None
        operators.append(step["operatorType"])
        pending += step.get("children", [])
    assert sum("NodeByIdSeek" in name for name in operators) == 2
    assert any("Expand(Into)" in name for name in operators)
    assert not any("Expand(All)" in name or "RelationshipsScan" in name for name in operators), operators
