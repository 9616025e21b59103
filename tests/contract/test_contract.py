"""What every store must do, the real Neo4j included. Each test runs over each kind of store (see conftest)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from graph_schema import (
    Batch,
    Entity,
    Fact,
    GraphStore,
    Group,
    InputError,
    LabelSchema,
    LoadPlan,
    RelationSchema,
    Schema,
    SourcePlan,
    StoreInfo,
    Written,
)
from tests.contract.graph_model import NASTY, Model, check, check_marks
from tests.contract.histories import ORIGINS, Finish, Step, Withdraw, histories
from tests.contract.kinds import Kind


def test_any_history_reads_back_as_the_model_says(kind: Kind) -> None:
    @settings(
        max_examples=kind.examples,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[phase for phase in Phase if phase is not Phase.explain],
    )
    @given(history=histories())
    def run(history: list[Step]) -> None:
        with kind.empty() as store:
            sources = begun(store)
            run_history(kind, store, history, [0, *sources])

    run()


def begun(ledger: Any) -> dict[int, tuple[str, str]]:
    """Origins for a history: load and name of each."""
    plans = [
        LoadPlan("one", (SourcePlan("one"),)),
        LoadPlan("more", tuple(SourcePlan(f"s{number}") for number in range(2, ORIGINS))),
    ]
    loads = [ledger.begin_load(plan) for plan in plans]
    return {source.origin: (load.id, source.name) for load in loads for source in load.sources}


def run_history(kind: Kind, store: Any, history: list[Step], origins: list[int]) -> None:
    """Do to the store and to a model what the history says, and hold the one against the other."""
    model = Model()
    for step in history:
        before, state = store.changes(), model.graph()
        match step:
            case Batch():
                batch = replace(step, origin=origins[step.origin])
                assert store.write(batch) == model.write(batch)
            case Withdraw():
                taken = [origins[place] for place in step.places]
                assert store.withdraw(taken) == model.withdraw(taken)
            case Finish():
                store.finish()
            case _:
                assert store.delete(step) == model.delete(step)
        assert (store.changes() > before) == (model.graph() != state)
    check(kind.reader(store), model, store.changes())
    loaded = {source.origin: (load.id, source.name) for load in store.loads() for source in load.sources}
    check_marks(store, model, loaded)


def test_empty(kind: Kind, store: GraphStore) -> None:
    check(kind.reader(store), Model())
    assert store.write(Batch()) == Written()
    assert store.delete([]) == 0
    reader = kind.reader(store)
    assert reader.info() == StoreInfo(0, 0, (), 0)
    assert reader.offer([]).owner.tolist() == []
    assert reader.expand([]).entities == []
    assert reader.holds([]) == []
    assert reader.lookup([""]) == {}
    assert (reader.start([]).named, reader.start([""]).ids) == ({}, ())
    assert reader.step([]).ids == ()
    assert (reader.prove([], []).holds, reader.prove([], []).entities) == ([], {})
    assert reader.suggest("") == ()
    assert reader.suggest("anything") == ()


def test_names_that_look_like_code_are_only_names(kind: Kind, store: GraphStore) -> None:
    model = Model()
    facts = [Fact(head, relation, NASTY[0]) for head, relation in zip(NASTY, reversed(NASTY), strict=True)]
    facts += [Fact(text, text, text) for text in NASTY]
    entities = [Entity(f"id of {text}", text, text, (f"{text}2",)) for text in NASTY]
    assert store.write(Batch(entities, facts)) == model.write(Batch(entities, facts))
    check(kind.reader(store), model)
    assert store.delete(facts[:10]) == model.delete(facts[:10])
    check(kind.reader(store), model)
    assert all(kind.reader(store).suggest(text)[0].name in (text, text + "2") for text in ("null", "KgqaMeta"))


def test_hub_is_cut_at_the_limit_in_order_of_code_points(kind: Kind, store: GraphStore) -> None:
    marks = ("a", "é", "\ue000", "\uffee", "𝔉")
    ids = sorted(f"{marks[number % 5]}{number}" for number in range(10_000))
    assert store.write(Batch(facts=[Fact(id_, "in", "hub") for id_ in ids])).facts_created == 10_000
    reader = kind.reader(store)
    offer = reader.offer(["hub"])
    assert (offer.owner.tolist(), offer.relation.tolist(), offer.count.tolist()) == ([0], [1], [10_000])
    limits = (1, 7, 9_999, 10_000, 1_000_000)
    found = reader.expand([Group("hub", "in", True, limit) for limit in limits])
    for position, limit in enumerate(limits):
        assert [e for g, e in zip(found.group, found.entities, strict=True) if g == position] == ids[:limit]
    step = reader.step([Group("hub", "in", True, 7), Group(ids[0], "in", False, 7)])
    assert step.ids == tuple(sorted([*ids[:7], "hub"]))
    assert step.offer.count.tolist() == [10_000 if id_ == "hub" else 1 for id_ in step.ids]


def test_self_loops_and_parallel_relations(kind: Kind, store: GraphStore) -> None:
    model = Model()
    batch = Batch(facts=[Fact("a", "r", "a"), Fact("a", "q", "b"), Fact("a", "r", "b"), Fact("b", "r", "a")])
    assert store.write(batch) == model.write(batch) == Written(4, 0, 2, 0)
    check(kind.reader(store), model)


def test_deleting_takes_orphans_and_their_names_along(kind: Kind, store: GraphStore) -> None:
    facts = [Fact("a", "r", "b"), Fact("b", "r", "c"), Fact("x", "q", "x")]
    store.write(Batch([Entity("a", "Alpha", "Letter", ("First",)), Entity("alone", "Alone")], facts))
    assert store.delete([facts[0], facts[2], facts[2], Fact("a", "r", "z")]) == 2
    reader = kind.reader(store)
    assert set(reader.entities(["a", "b", "c", "x", "alone"])) == {"b", "c", "alone"}
    assert set(reader.lookup(["alpha", "first", "alone"])) == {"alone"}
    assert reader.suggest("Alpha") == ()
    assert reader.relations() == ("r",)
    assert store.delete([facts[0]]) == 0
    assert store.write(Batch(facts=facts[:1])) == Written(1, 0, 1, 1, 0, 1)
    assert kind.reader(store).entities(["a"]) == {"a": Entity("a", "a")}


def test_writing_again_changes_nothing(kind: Kind, store: GraphStore, other: GraphStore) -> None:
    batch = Batch([Entity("a", "Alpha", "Letter", ("First", "A")), Entity("b", "b")], [Fact("a", "r", "b")] * 3)
    assert store.write(batch) == Written(1, 2, 2, 0, 2, 0, declared_created=2)
    changes = store.changes()
    for writer in (store, other):
        assert writer.write(batch) == Written(0, 3, 0, 2, 3, 2)
    assert store.changes() == changes


def test_an_entity_that_comes_again_is_merged(kind: Kind, store: GraphStore) -> None:
    store.write(Batch(facts=[Fact("q1", "r", "q2")]))
    store.write(Batch([Entity("q1", "Leon", "Film", ("The Professional",))]))
    store.write(Batch([Entity("q1", "Léon", "Movie", ("The Professional", "Leon", "Le Grand")), Entity("q1", "q1")]))
    expected = Entity("q1", "Leon", "Film", ("The Professional", "Léon", "Le Grand"))
    reader = kind.reader(store)
    assert reader.entities(["q1"]) == {"q1": expected}
    assert reader.lookup(["leon", "le grand", "q1"]) == {"leon": (expected,), "le grand": (expected,)}


def test_an_alias_that_equals_the_id_is_kept_for_when_a_name_comes(kind: Kind, store: GraphStore) -> None:
    batch = Batch(
        [Entity("ibm", "ibm", "Entity", ("ibm", "Big Blue")), Entity("ibm", "International Business Machines")]
    )
    store.write(Batch([Entity("ibm", "ibm", "Entity", ("ibm",))]))
    assert kind.reader(store).entities(["ibm"]) == {"ibm": Entity("ibm", "ibm")}
    store.write(batch)
    changes = store.changes()
    store.write(batch)
    assert store.changes() == changes
    expected = Entity("ibm", "International Business Machines", "Entity", ("ibm", "Big Blue"))
    assert kind.reader(store).lookup(["ibm", "big blue"]) == {"ibm": (expected,), "big blue": (expected,)}


def test_one_name_of_several_entities(kind: Kind, store: GraphStore) -> None:
    twins = [Entity("b", "Crash!", "Film"), Entity("a", "crash"), Entity("c", "Accident", "Film", ("CRASH",))]
    store.write(Batch(twins))
    assert kind.reader(store).lookup(["crash"]) == {"crash": (twins[1], twins[0], twins[2])}


def test_many_names_at_once(kind: Kind, store: GraphStore) -> None:
    entities = [Entity(f"e{number}", f"Name {number}") for number in range(1500)]
    store.write(Batch(entities))
    found = kind.reader(store).lookup([f"name {number}" for number in range(3000)])
    assert found == {f"name {number}": (entity,) for number, entity in enumerate(entities)}
    start = kind.reader(store).start([f"name {number}" for number in range(3000)])
    assert start.named == found
    assert set(start.ids) <= {entity.id for entity in entities}


def test_long_texts(kind: Kind, store: GraphStore) -> None:
    entity = Entity("x" * 8000, "long name " * 5000, "Entity", ("y" * 40_000, "z" * 2500))
    store.write(Batch([entity, Entity("near", "z" * 2499)]))
    reader = kind.reader(store)
    assert reader.lookup(["y" * 40_000, "z" * 2500, "z" * 2499]) == {
        "y" * 40_000: (entity,),
        "z" * 2500: (entity,),
        "z" * 2499: (Entity("near", "z" * 2499),),
    }


@pytest.mark.parametrize("asked", ["Godfater", "the godfather", "Godfather, The", "Il Padrin"])
def test_suggestions(kind: Kind, store: GraphStore, asked: str) -> None:
    godfather = Entity("g", "The Godfather", "Film", ("Il padrino",))
    store.write(Batch([godfather, Entity("t", "Titanic"), Entity("s", "Seven"), Entity("l", "Casablanca")]))
    assert kind.reader(store).suggest(asked, 2)[:1] == (godfather,)
    assert kind.reader(store).suggest(asked, 0) == ()


@pytest.mark.parametrize(
    "bad",
    [
        Batch(facts=[Fact("a", "r", "b"), Fact("", "r", "b")]),
        Batch(facts=[Fact("a", "r", "b"), Fact("a", "", "b")]),
        Batch(facts=[Fact("a", "r", "b"), Fact("a", "r\0", "b")]),
        Batch(facts=[Fact("a", "r", "b"), Fact("a", "r", "\ud800")]),
        Batch(facts=[Fact("a", "r", "b"), Fact("a", "r" * 501, "b")]),
        Batch(facts=[Fact("a", "r", "b"), Fact("a", "r", "é" * 4001)]),
        Batch([Entity("a", "Alpha"), Entity("b", "nul\0")], [Fact("a", "r", "b")]),
        Batch([Entity("a", "Alpha", "\0")], [Fact("a", "r", "b")]),
    ],
)
def test_a_batch_that_fails_leaves_nothing(kind: Kind, store: GraphStore, bad: Batch) -> None:
    with pytest.raises(InputError):
        store.write(bad)
    check(kind.reader(store), Model())
    assert store.changes() == 0


def test_asking_for_what_cannot_be_stored_finds_nothing(kind: Kind, store: GraphStore) -> None:
    store.write(Batch(facts=[Fact("a", "r", "b")]))
    reader = kind.reader(store)
    for odd in ("\0", "\ud800", ""):
        assert reader.entities([odd]) == {}
        assert reader.lookup([odd]) == {}
        assert reader.suggest(odd) == ()
        assert reader.start([odd]).named == {}
        assert reader.step([Group(odd, "r", False, 9), Group("a", odd, False, 9)]).ids == ()
        assert reader.prove([Fact(odd, "r", "b")], [odd, "a"]).entities == {"a": Entity("a", "a")}
        assert reader.offer(["a", odd]).owner.tolist() == [0]
        assert reader.expand([Group(odd, "r", False, 9), Group("a", odd, False, 9)]).entities == []
        assert reader.holds([Fact(odd, "r", "b"), Fact("a", odd, "b"), Fact("a", "r", "b")]) == [False, False, True]
    assert store.delete([Fact("\0", "r", "b"), Fact("a", "", "b"), Fact("a", "r", "\ud800")]) == 0


def test_others_writes_are_seen_at_the_next_call(kind: Kind, store: GraphStore, other: GraphStore) -> None:
    model = Model()
    for relation in ("r", "a new kind", "z"):
        batch = Batch([Entity("h", "Head")], [Fact("h", relation, f"t {relation}"), Fact("h", "r", relation)])
        assert other.write(batch) == model.write(batch)
        check(kind.reader(store), model)
        assert other.changes() == store.changes()
    gone = [Fact("h", "a new kind", "t a new kind")]
    assert store.delete(gone) == model.delete(gone)
    check(other, model)
    batch = Batch(facts=[Fact("h", "r", "t a new kind"), Fact("t a new kind", "r", "h")])
    assert other.write(batch) == model.write(batch)
    check(kind.reader(store), model)


def test_a_half_read_stream_is_in_nobodys_way(kind: Kind, store: GraphStore) -> None:
    store.write(Batch(facts=[Fact("a", "r", f"t{number}") for number in range(50)]))
    stream = kind.reader(store).all_facts()
    next(stream)
    store.write(Batch(facts=[Fact("a", "r", "later")]))
    assert kind.reader(store).info().facts == 51
    del stream


def test_schema_is_kept_merged_and_widened(kind: Kind, store: GraphStore, other: GraphStore) -> None:
    first = Schema(relations={"directed_by": RelationSchema(words="directed by", inverse="director of")})
    store.migrate(first)
    changes = store.changes()
    store.migrate(first)
    assert store.changes() == changes
    store.migrate(Schema(labels={"Film": LabelSchema(name="title")}, relations={"r`": RelationSchema()}))
    assert store.changes() > changes
    store.write(Batch(facts=[Fact("a", "found later", "b")]))
    for reader in (kind.reader(store), kind.reader(other)):
        schema = reader.schema()
        assert schema.words("directed_by", inverse=True) == "director of"
        assert schema.labels["Film"].name == "title"
        assert set(schema.relations) == {"directed_by", "r`", "found later"}


def test_closing_twice(kind: Kind) -> None:
    with kind.empty() as store:
        store.write(Batch(facts=[Fact("a", "r", "b")]))
        reader = kind.reader(store)
        reader.close()
        reader.close()
