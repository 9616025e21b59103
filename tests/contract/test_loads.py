"""What every store that keeps a ledger of loads must do: marks, journals, undoing, replacing; properties come along."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from graph_schema import (
    Batch,
    Entity,
    Fact,
    GraphStore,
    InputError,
    LoadLedger,
    LoadPlan,
    Origin,
    SourcePlan,
    StoreError,
    Value,
    Withdrawn,
    Written,
)
from tests.contract.kinds import Kind

PLAN = LoadPlan("key 1", (SourcePlan("/data/a.tsv", 10, "ab12"), SourcePlan("standard input")))
FACT = Fact("a", "r", "b")


@pytest.fixture
def ledger(store: GraphStore) -> GraphStore:
    """The store, as the tests here call it."""
    return store


def begun(ledger: LoadLedger, *keys: str) -> list[int]:
    """The origins of a load of one source for each key."""
    plans = [LoadPlan(key, (SourcePlan(f"/data/{key}"),)) for key in keys]
    return [ledger.begin_load(plan).sources[0].origin for plan in plans]


def test_a_load_goes_on_until_it_is_undone(kind: Kind, ledger: GraphStore, other: GraphStore) -> None:
    changes = ledger.changes()
    load = ledger.begin_load(PLAN)
    assert (load.key, load.state, load.ended) == ("key 1", "running", "")
    assert [(s.name, s.size, s.digest, s.through) for s in load.sources] == [
        ("/data/a.tsv", 10, "ab12", 0),
        ("standard input", -1, "", 0),
    ]
    first, second = (source.origin for source in load.sources)
    assert 0 < first != second > 0
    assert other.begin_load(PLAN) == load
    other.write(Batch(facts=[FACT], origin=first, through=7))
    again = ledger.begin_load(PLAN)
    assert [(s.through, s.facts, s.entities) for s in again.sources] == [(7, 1, 2), (0, 0, 0)]
    ledger.end_load(load.id)
    ledger.end_load(load.id)
    complete = other.begin_load(PLAN)
    assert (complete.id, complete.state) == (load.id, "complete")
    assert datetime.fromisoformat(complete.began) <= datetime.fromisoformat(complete.ended)
    assert datetime.fromisoformat(complete.began).utcoffset() == datetime.now(UTC).utcoffset()
    assert ledger.changes() == changes + 1

    ledger.withdraw([first, second], undone=load.id)
    new = ledger.begin_load(PLAN)
    assert new.id > load.id
    assert {source.origin for source in new.sources}.isdisjoint((first, second))
    assert [(known.id, known.state) for known in other.loads()] == [(load.id, "undone"), (new.id, "running")]
    assert other.loads()[0].ended
    assert ledger.origins([FACT]) == [()]


def test_ending_a_load_that_is_not_there_or_undone(ledger: GraphStore) -> None:
    with pytest.raises(StoreError, match="no load 'nowhere'"):
        ledger.end_load("nowhere")
    with pytest.raises(StoreError, match="no load 'nowhere'"):
        ledger.withdraw([], undone="nowhere")
    load = ledger.begin_load(PLAN)
    ledger.withdraw([source.origin for source in load.sources], undone=load.id)
    with pytest.raises(StoreError, match="undone"):
        ledger.end_load(load.id)


def test_rows_set_aside_are_counted_by_source(ledger: GraphStore, other: GraphStore) -> None:
    load = ledger.begin_load(PLAN)
    changes = ledger.changes()
    assert [source.rejected for source in load.sources] == [0, 0]
    ledger.count_rejected(load.id, [3, 1_000_000])
    ledger.count_rejected(load.id, [3, 5])
    assert [[source.rejected for source in known.sources] for known in other.loads()] == [[3, 5]]
    assert other.begin_load(PLAN).sources[1].rejected == 5
    assert ledger.changes() == changes
    with pytest.raises(StoreError, match="no load 'nowhere'"):
        ledger.count_rejected("nowhere", [])
    ledger.withdraw([load.sources[0].origin])
    assert [source.rejected for source in other.loads()[0].sources] == [0, 5]


def test_the_journal_alone_is_no_change_and_never_goes_back(ledger: GraphStore) -> None:
    (origin,) = begun(ledger, "k")
    batch = Batch(facts=[FACT], origin=origin, fact_lines=[3], through=9)
    ledger.write(batch)
    changes = ledger.changes()
    assert ledger.write(replace(batch, through=5)) == Written(0, 1, 0, 2, 1, 2)
    assert ledger.write(Batch(origin=origin, through=12)) == Written()
    assert ledger.changes() == changes
    assert ledger.loads()[0].sources[0].through == 12


def test_undoing_leaves_what_others_brought(ledger: GraphStore) -> None:
    one, two = begun(ledger, "one", "two")
    own, shared, plain = Fact("x", "r", "y"), FACT, Fact("b", "r", "c")
    ledger.write(Batch(facts=[plain]))
    ledger.write(Batch([Entity("a", "Alpha", "Letter")], [shared, own, plain], (), one, [1], [2, 3, 4]))
    assert ledger.write(Batch([Entity("a", "Alef")], [shared], (), two, [8], [9])) == Written(0, 1, 0, 2, 0, 1, 0, 1)
    load_one, load_two = ledger.loads()
    assert ledger.origins([shared, own, plain, Fact("no", "r", "no")]) == [
        (Origin(load_one.id, "/data/one", 2), Origin(load_two.id, "/data/two", 9)),
        (Origin(load_one.id, "/data/one", 3),),
        (Origin(load_one.id, "/data/one", 4),),
        (),
    ]
    assert ledger.entities(["a"]) == {"a": Entity("a", "Alpha", "Letter", ("Alef",))}
    changes = ledger.changes()
    assert ledger.withdraw([one], undone=load_one.id) == Withdrawn(1, 2, 2, 1)
    assert ledger.changes() > changes
    assert set(ledger.all_facts()) == {shared, plain}
    assert ledger.entities(["a", "x", "y"]) == {"a": Entity("a", "Alef")}
    assert ledger.lookup(["alpha", "alef"]) == {"alef": (Entity("a", "Alef"),)}
    assert ledger.withdraw([one], undone=load_one.id) == Withdrawn()
    assert ledger.withdraw([two], undone=load_two.id) == Withdrawn(1, 0, 1, 0)
    assert set(ledger.all_facts()) == {plain}
    assert set(ledger.entities(["a", "b", "c"])) == {"b", "c"}


def test_what_is_written_without_a_load_is_never_taken_back(ledger: GraphStore) -> None:
    ledger.write(Batch([Entity("a", "Alpha")], [FACT]))
    assert ledger.withdraw([0]) == Withdrawn()
    assert ledger.holds([FACT]) == [True]
    assert list(ledger.facts_of([0])) == [FACT]


def test_replacing_a_source_by_its_new_version(ledger: GraphStore) -> None:
    old, new = begun(ledger, "old", "new")
    facts = [Fact("a", "r", f"t{number}") for number in range(6)]
    ledger.write(Batch(facts=facts[:4], origin=old, through=4))
    ledger.write(Batch(facts=facts[2:], origin=new, through=4))
    before = set(ledger.facts_of([old]))
    assert before == set(facts[:4])
    assert ledger.withdraw([old]) == Withdrawn(2, 2, 2, 0)
    assert set(ledger.all_facts()) == set(ledger.facts_of([old, new])) == set(facts[2:])
    assert [(source.through, source.facts) for load in ledger.loads() for source in load.sources] == [(0, 0), (4, 2)]
    assert ledger.write(Batch(facts=facts[:1], origin=old, through=1)).facts_created == 1
    assert set(ledger.facts_of([old])) == {facts[0]}


def test_a_fact_deleted_and_brought_again_has_only_the_new_mark(ledger: GraphStore) -> None:
    one, two = begun(ledger, "one", "two")
    ledger.write(Batch(facts=[FACT], fact_properties=[{"p": 1}], origin=one))
    ledger.delete([FACT])
    ledger.write(Batch(facts=[FACT], origin=two, fact_lines=[5]))
    assert ledger.origins([FACT]) == [(Origin(ledger.loads()[1].id, "/data/two", 5),)]
    assert ledger.fact_properties([FACT]) == [{}]
    assert list(ledger.facts_of([one])) == []
    assert ledger.withdraw([one]) == Withdrawn()


def test_write_many_writes_in_order_and_keeps_the_journal(ledger: GraphStore, other: GraphStore) -> None:
    (origin,) = begun(ledger, "many")
    batches = [
        Batch(facts=[Fact(f"h{n}", "r", f"t{m}") for m in range(20)], origin=origin, through=20 * n + 20)
        for n in range(10)
    ]
    done = []
    for written in ledger.write_many(iter(batches), workers=2):
        done.append(written)
        through = other.loads()[0].sources[0].through
        assert through >= 20 * len(done)
        assert len(list(other.facts_of([origin]))) >= through
    assert [written.facts_created for written in done] == [20] * 10
    assert sum(done, Written()).entities_created == 30
    assert sum(ledger.write_many(batches, workers=2), Written()) == Written(0, 200, 0, 210, 200, 210)


def test_write_many_that_ends_early_leaves_whole_batches(ledger: GraphStore) -> None:
    (origin,) = begun(ledger, "early")
    good = [
        Batch(facts=[Fact(f"h{n}", "r", "t"), Fact("t", "q", f"h{n}")], origin=origin, through=n + 1) for n in (0, 1)
    ]
    with pytest.raises(InputError):
        list(ledger.write_many([*good, Batch(facts=[Fact("", "r", "t")], origin=origin, through=3)], workers=2))
    through = ledger.loads()[0].sources[0].through
    assert through <= 2
    assert set(ledger.all_facts()) >= {fact for batch in good[:through] for fact in batch.facts}


def test_write_many_of_batches_that_break_off_writes_those_before(ledger: GraphStore) -> None:
    (origin,) = begun(ledger, "broken off")
    good = [Batch(facts=[Fact(f"h{n}", "r", "t")], origin=origin, through=n + 1) for n in (0, 1, 2)]

    def broken() -> Iterator[Batch]:
        yield from good
        raise InputError("the file ends here")

    with pytest.raises(InputError, match="ends here"):
        list(ledger.write_many(broken(), workers=2))
    assert ledger.loads()[0].sources[0].through == 3
    assert {*ledger.all_facts()} == {fact for batch in good for fact in batch.facts}
    closed = ledger.write_many(iter(good * 50), workers=2)
    next(closed)
    del closed
    assert ledger.write(Batch(facts=[FACT])).facts_created == 1


def test_the_first_label_said_stays_until_it_is_taken_back(ledger: GraphStore, other: GraphStore) -> None:
    """Two loads at once that contradict each other: whichever writes an entity first, whoever began first."""
    one, two = begun(ledger, "one", "two")
    other.write(Batch([Entity("a", "A", "Person")], origin=two, entity_lines=[1]))
    ledger.write(Batch([Entity("a", "A", "Film"), Entity("b", "B", "Film")], origin=one, entity_lines=[1, 2]))
    other.write(Batch([Entity("b", "B", "Person")], origin=two, entity_lines=[2]))
    assert [other.entities(["a", "b"])[id_].label for id_ in "ab"] == ["Person", "Film"]
    assert ledger.write(Batch([Entity("a", "A", "Film")], origin=one, entity_lines=[1])).entities_unchanged == 1
    ledger.withdraw([one])
    assert [other.entities(["a", "b"])[id_].label for id_ in "ab"] == ["Person", "Person"]


def test_values_of_a_property_by_label(ledger: GraphStore) -> None:
    one, two = begun(ledger, "one", "two")

    def node(id_: str, value: Value, label: str = "Film", name: str = "year") -> Entity:
        return Entity(id_, id_, label, (), {name: value})

    ledger.write(Batch([node("none", 1)]))
    ledger.write(Batch([node("a", 1944), node("b", date(1945, 1, 2)), node("c", "x", "Song")], origin=one))
    ledger.write(Batch([node("b", "said by two"), node("d", ("x", "y")), node("e", 1, name="id")], origin=two))
    ledger.write(Batch([node("f", 3, "Entity")], [FACT], origin=two))
    assert dict(ledger.values("Film", "year")) == {"none": 1, "a": 1944, "b": "said by two", "d": ("x", "y")}
    assert dict(ledger.values("Film", "id")) == {"e": 1}
    assert dict(ledger.values("Entity", "year")) == {"f": 3}
    assert dict(ledger.values("Song", "year", [two])) == {"c": "x"}
    assert dict(ledger.values("Song", "year", [one])) == {}
    assert dict(ledger.values("Film", "year", [one])) == {"none": 1, "b": "said by two", "d": ("x", "y")}
    assert dict(ledger.values("Film", "year", [one, two])) == {"none": 1}
    assert list(ledger.values("No`such", "ye`ar")) == []


VALUES: list[Value] = [
    *("", "text", "2020-01-01", "'; --", 0, -(2**63), 2**63 - 1, 1.5, 1.0, 1e300, True, False),
    *(date(1, 1, 1), date(9999, 12, 31), datetime(2020, 2, 29, 12, 0, 0, 123456, tzinfo=UTC)),
    *((), ("a", "a"), (1, 2), (1.0, 2.5), (True,), (date(2020, 1, 1),)),
]


def test_properties_come_back_as_they_were(kind: Kind, ledger: GraphStore) -> None:
    properties = {f"p{number}": value for number, value in enumerate(VALUES)}
    entity = Entity("a", "Alpha", "Letter", (), properties)
    ledger.write(Batch([entity], [FACT, Fact("b", "r", "a")], [properties, {}]))
    reader = kind.reader(ledger)
    (found,) = reader.lookup(["alpha"])["alpha"]
    for had in (found.properties, ledger.fact_properties([FACT])[0]):
        assert had == properties
        assert [type(had[name]) for name in properties] == [type(value) for value in properties.values()]
    asked = [Fact("b", "r", "a"), FACT, Fact("\0", "r", "x"), FACT]
    assert ledger.fact_properties(asked) == [{}, properties, {}, properties]


def test_of_two_values_the_higher_origin_counts(ledger: GraphStore) -> None:
    low, high = begun(ledger, "low", "high")
    for origin, value in ((high, 2), (low, 1), (0, 0), (low, 3)):
        batch = Batch([Entity("a", "a", properties={"p": value, f"by {value}": True})], [FACT], [{"p": value}], origin)
        ledger.write(batch)
        changes = ledger.changes()
        assert ledger.write(batch) == Written(0, 1, 0, 2, 1, 2)
        assert ledger.changes() == changes
    assert ledger.entities(["a"])["a"].properties == {"p": 2, "by 0": True, "by 1": True, "by 2": True, "by 3": True}
    assert ledger.fact_properties([FACT]) == [{"p": 2}]
    ledger.withdraw([high])
    assert ledger.entities(["a"])["a"].properties == {"p": 3, "by 0": True, "by 1": True, "by 3": True}
    assert ledger.fact_properties([FACT]) == [{"p": 3}]


@pytest.mark.parametrize(
    "properties",
    [{"": 1}, {"x\0": 1}, {"x" * 501: 1}, {"x": "\ud800"}, {"x": 2**63}, {"x": (1, "a")}, {"x": datetime(2020, 1, 1)}],
)
def test_properties_that_no_store_can_keep(ledger: GraphStore, properties: dict[str, Value]) -> None:
    for bad in (Batch([Entity("a", "a", properties=properties)]), Batch(facts=[FACT], fact_properties=[properties])):
        with pytest.raises(InputError, match="property"):
            ledger.write(bad)
    assert ledger.info().entities == 0


def test_two_that_write_at_once_see_each_others_marks(ledger: GraphStore, other: GraphStore) -> None:
    one, two = begun(ledger, "one", "two")
    facts = [Fact(f"h{n}", f"r{n % 3}", f"t{n}") for n in range(30)]
    for start in range(0, 30, 5):
        ledger.write(Batch(facts=facts[start : start + 10], origin=one))
        other.write(Batch(facts=facts[start : start + 10], origin=two))
        other.write(Batch(facts=facts[start : start + 10], origin=one))
    assert ledger.info().facts == 30
    assert [len(found) for found in other.origins(facts)] == [2] * 30
    assert other.withdraw([one]) == Withdrawn(0, 30, 0, 0)
    assert ledger.write(Batch(facts=facts, origin=one)) == Written(0, 30, 0, 60, 0, 60)
    ledger.withdraw([one, two])
    assert other.info().facts == other.info().entities == 0
    assert other.write(Batch(facts=facts[:1])) == Written(1, 0, 2, 0)


def test_a_report_comes_back_only_while_nothing_has_changed(ledger: GraphStore, other: GraphStore) -> None:
    """A store that can't be certain keeps none; one that can gives it up with the first change, whoever makes it."""

    def kept() -> str:
        (load,) = (known for known in other.loads() if known.key == "k")
        return load.report

    (origin,) = begun(ledger, "k")
    batch = Batch(facts=[FACT], origin=origin)
    ledger.write(batch)
    ledger.end_load(ledger.loads()[0].id, "all in")
    assert kept() == ("all in" if ledger.url.startswith("sqlite") else "")
    other.delete([FACT])
    assert kept() == ""

    begun(ledger, "k")
    ledger.write(batch)
    other.delete([FACT])  # before the load has ended
    ledger.end_load(ledger.loads()[0].id, "all in, or so it seems")
    assert kept() == ""

    begun(ledger, "k")
    ledger.write(batch)
    ledger.delete([FACT])  # by the very store that loads
    ledger.end_load(ledger.loads()[0].id, "all in, or so it seems")
    assert kept() == ""
