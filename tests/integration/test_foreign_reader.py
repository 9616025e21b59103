"""Reading a database that somebody else modelled, on a real Neo4j: what the ports promise, as far as it goes here."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

import neo4j
import pytest

from graph_schema import Entity, Fact, GraphReader, Group, Schema, SchemaError, StoreUnavailable
from graph_schema.text import name_key
from kgqa.names import NamesIndex
from kgqa.stores import Snapshot, open_connection
from kgqa.stores.foreign import catalogue, connection, decisions
from kgqa.stores.foreign import names as foreign_names
from kgqa.stores.foreign.reader import ForeignReader
from tests import foreign_graph
from tests.contract.graph_model import NASTY
from tests.neo4j_container import PASSWORD, USER, Neo4jServer

pytestmark = pytest.mark.neo4j


@contextmanager
def opened(server: Neo4jServer, change: Callable[[Schema], Schema] = lambda schema: schema) -> Iterator[ForeignReader]:
    """A reader by the schema that ``kgqa connect`` makes."""
    with closing(open_connection(server.url, user=USER, password=PASSWORD)) as made:
        yield ForeignReader(made, change(decisions.decide(catalogue.read(made)).schema))


@pytest.fixture
def films(neo4j_server: Neo4jServer) -> Iterator[ForeignReader]:
    foreign_graph.films(neo4j_server)
    with opened(neo4j_server) as reader:
        yield reader
    foreign_graph.empty(neo4j_server)


@pytest.fixture
def odd(neo4j_server: Neo4jServer) -> Iterator[ForeignReader]:
    foreign_graph.odd(neo4j_server)
    with opened(neo4j_server) as reader:
        yield reader
    foreign_graph.empty(neo4j_server)


def one(reader: GraphReader, name: str) -> Entity:
    return reader.lookup([name_key(name)])[name_key(name)][0]


def reached(reader: GraphReader, name: str, relation: str, *, inverse: bool = False, limit: int = 100) -> set[str]:
    """Names of what a relation leads to."""
    step = reader.step([Group(one(reader, name).id, relation, inverse, limit)])
    return {entity.name for entity in reader.entities(step.ids).values()}


def agree(reader: GraphReader) -> None:
    """Hold ``offer``, ``expand``, ``step``, ``holds`` and ``lookup`` against all facts and entities, one by one."""
    facts, entities = [*reader.all_facts()], {entity.id: entity for entity in reader.all_entities()}
    assert Counter(facts) == Counter(set(facts))
    assert {end for fact in facts for end in (fact.head, fact.tail)} <= entities.keys()
    assert [f for f, held in zip(facts, reader.holds(facts), strict=True) if not held] == []
    assert not any(reader.holds([replace(fact, tail=fact.tail + "?") for fact in facts]))
    assert not any(reader.holds([Fact(f.tail, f.relation, f.head) for f in facts if f.head != f.tail]))
    far: dict[tuple[str, str, bool], set[str]] = {}
    for fact in facts:
        far.setdefault((fact.head, fact.relation, False), set()).add(fact.tail)
        far.setdefault((fact.tail, fact.relation, True), set()).add(fact.head)
    assert {fact.relation for fact in facts} <= set(reader.relations())
    assert reader.relations() == tuple(sorted(reader.relations()))
    assert set(reader.relations()) <= set(reader.schema().relations)

    ids = sorted(entities)
    assert reader.entities([*ids, "nobody has this id"]) == entities
    groups = [Group(*key, 1000) for key in far]
    step = reader.step(groups)
    for neighbours in (reader.expand(groups), step.neighbours):
        found: list[list[str]] = [[] for _ in groups]
        for at, id_ in zip(neighbours.group.tolist(), neighbours.entities, strict=True):
            found[at].append(id_)
        assert found == [sorted(ends) for ends in far.values()]
    assert step.ids == tuple(sorted(set(step.neighbours.entities)))
    for asked, offer, exact in ((ids, reader.offer(ids), True), (step.ids, step.offer, False)):
        assert offer.relations == reader.relations()
        rows = zip(offer.owner.tolist(), offer.relation.tolist(), offer.count.tolist(), strict=True)
        told = {(asked[o], offer.relations[r // 2], bool(r % 2)): n for o, r, n in rows}
        assert told.keys() == {key for key in far if key[0] in asked}
        assert all(n >= len(far[key]) for key, n in told.items())
        if exact:
            assert sum(n != len(far[key]) for key, n in told.items()) <= len(told) // 5

    bearers: dict[str, set[str]] = {}
    for entity in entities.values():
        for name in (entity.name, *entity.aliases):
            bearers.setdefault(name_key(name), set()).add(entity.id)
    named = reader.lookup([*bearers, "nobody has this name"])
    for key, found_ in named.items():
        assert {entity.id for entity in found_} <= bearers[key]
        assert all(entities[entity.id] == entity for entity in found_)


def test_films(films: ForeignReader) -> None:
    agree(films)
    assert reached(films, "The Matrix", "Movie.released") == {"1999"}
    assert reached(films, "1964", "Person.born", inverse=True) == {"Keanu Reeves", "Sandra Bullock"}
    assert reached(films, "Tom Hanks", "ACTED_IN.roles") == {"Chuck Noland", "Zachry", "Dr. Henry Goose"}
    assert reached(films, "Keanu Reeves", "ACTED_IN.roles") & reached(films, "Speed", "~ACTED_IN.roles") == {
        "Jack Traven"
    }
    assert reached(films, "Neo", "ACTED_IN.roles", inverse=True) == {"Keanu Reeves"}
    assert reached(films, "Neo", "~ACTED_IN.roles", inverse=True) == {"The Matrix"}
    assert reached(films, "Cloud Atlas", "DIRECTED", inverse=True) == {"Lana Wachowski"}
    assert one(films, "70").id == "=REVIEWED.rating:70"
    schema = films.schema()
    assert (schema.words("Movie.released"), schema.words("Movie.released", inverse=True)) == (
        "year released",
        "movie released in",
    )


def test_odd_names_values_labels_and_lists(odd: ForeignReader) -> None:
    agree(odd)
    assert reached(odd, "Änne Überall", "Thing.tags") == {"red", "blue"}
    assert reached(odd, "red", "Thing.tags", inverse=True) == {"Änne Überall"}
    day = reached(odd, "1964-09-02", "Thing.day", inverse=True)
    assert len(day) == 2
    assert "Änne Überall" in day
    assert any(name.startswith("thing ") for name in day)
    for relation, value in (
        ("at", "2020-01-02T03:04:05.600000000+01:00"),
        ("local", "2020-01-02T03:04:00"),
        ("clock", "10:00:00+01:00"),
        ("span", "P1Y2M"),
        ("weight", "1.5"),
        ("old", "true"),
        ("on", "3"),
    ):
        (text,) = reached(odd, "Änne Überall", f"Thing.{relation}")
        assert text.rstrip("0Z")[:10] == value.rstrip("0Z")[:10], relation
        assert odd.expand(
            [Group(f"=Thing.{relation}:{odd_text(odd, relation)}", f"Thing.{relation}", True, 9)]
        ).entities
    knows = reached(odd, "Änne Überall", "kennt / knows.since")
    assert knows == {"2001-01-01", "2002-01-01"}
    assert reached(odd, "on", foreign_graph.ODD, inverse=True) == {foreign_graph.ODD}
    assert reached(odd, "on", f"~{foreign_graph.ODD}.{foreign_graph.ODD}") == {"5"}
    nameless = [entity for entity in odd.all_entities() if entity.label == "Entity"]
    assert [entity.name.split()[0] for entity in nameless] == ["entity"]


def odd_text(reader: ForeignReader, key: str) -> str:
    """The text of the only value of a property."""
    ids = [fact.tail for fact in reader.all_facts() if fact.relation == f"Thing.{key}"]
    return ids[0].partition(":")[2]


def test_values_that_do_not_fit_their_property_are_shown_as_they_are_written(neo4j_server: Neo4jServer) -> None:
    foreign_graph.days(neo4j_server)

    def named_by_day(schema: Schema) -> Schema:
        event = schema.labels["Event"]
        return schema.model_copy(
            update={"labels": {**schema.labels, "Event": event.model_copy(update={"aliases": ("moved",)})}}
        )

    neo4j_server.run("MATCH (e:Event {name: 'plain'}) SET e.moved = [date('-0044-03-16')]")
    with opened(neo4j_server, named_by_day) as reader:
        assert reader.schema().labels["Event"].properties["day"].type == "date"
        assert one(reader, "plain").aliases == ("-0044-03-16",)
        for name, (_, shown) in foreign_graph.DAYS.items():
            assert sorted(reached(reader, name, "Event.day")) == shown, name
            assert sorted(reached(reader, name, "HELD.on")) == shown, name
        back = ("plain", "leap", "no such day", "a text like a day", "words", "before", "far", "several")
        for name in back:
            for text in foreign_graph.DAYS[name][1]:
                id_ = f"=Event.day:{text}"
                at = reader.step([Group(id_, "Event.day", True, 100)]).ids
                assert name in {entity.name for entity in reader.entities(at).values()}, (name, text)
                assert reader.holds([Fact(one(reader, name).id, "Event.day", id_)]) == [True]
                reader.offer([id_])
        for text in ("2021-02-30", "2021-02-29", "12345-01-01", "2021-13-01", "2021-00-00", "0000-00-00"):
            reader.lookup([name_key(text)])
            assert list(reader.offer([f"=Event.day:{text}"]).relation[:1]) in ([], [1])
        Snapshot.build(reader)
    foreign_graph.empty(neo4j_server)


def test_a_question_takes_hops_and_two_round_trips(films: ForeignReader) -> None:
    films.start(["speed", "1964"])  # the first one reads the names
    before = films.round_trips
    start = films.start(["speed", "1964"])
    step = films.step([Group(start.ids[0], "ACTED_IN", True, 10), Group("=Person.born:1964", "Person.born", True, 10)])
    step = films.step([Group(id_, "ACTED_IN.roles", False, 10) for id_ in step.ids])
    films.prove([], step.ids)
    assert films.round_trips - before == 4


def test_a_hub_is_met_without_fetching_it(neo4j_server: Neo4jServer) -> None:
    foreign_graph.hub(neo4j_server, 100_000)
    with opened(neo4j_server) as reader:
        reader.start(["drama"])
        start = reader.start(["drama"])
        drama = start.named["drama"][0].id
        names = [start.offer.relations[r // 2] for r in start.offer.relation.tolist()]
        assert dict(zip(names, start.offer.count.tolist(), strict=True)) == {"HAS_GENRE": 100_000, "POPULAR_IN": 1}
        groups = [Group(drama, "HAS_GENRE", True, 20), Group(drama, "POPULAR_IN", False, 20)]
        step = reader.step(groups)
        assert Counter(step.neighbours.group.tolist()) == {0: 20, 1: 1}
        step = reader.step([Group(id_, "HAS_GENRE", False, 5) for id_ in step.ids])
        assert drama in step.ids
        assert reader.holds([Fact(one(reader, "Film 7").id, "HAS_GENRE", drama), Fact(drama, "HAS_GENRE", drama)]) == [
            True,
            False,
        ]
        # A year that isn't indexed: found by a look at all films, for a question names it.
        assert len(reader.expand([Group("=Film.year:1907", "Film.year", True, 2000)]).entities) == 1000
    foreign_graph.empty(neo4j_server)


def test_names_of_large_labels_are_found_by_index(neo4j_server: Neo4jServer, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign_graph.films(neo4j_server)
    monkeypatch.setattr(foreign_names, "READ", 5)  # people are more than that, films aren't
    monkeypatch.setattr("kgqa.stores.foreign.reader.READ", 5)
    with opened(neo4j_server) as reader:
        found = reader.lookup(["tom hanks", "speed", "1964", "1999", "nobody", "neo"])
        assert {key: [e.name for e in bearers] for key, bearers in found.items()} == {
            "tom hanks": ["Tom Hanks"],
            "speed": ["Speed"],
            "1964": ["1964"],
            "1999": ["1999"],
        }
        assert reached(reader, "1964", "Person.born", inverse=True) == {"Keanu Reeves", "Sandra Bullock"}
    foreign_graph.empty(neo4j_server)


def test_an_index_of_names_takes_over(films: ForeignReader) -> None:
    index = NamesIndex()
    index.refresh(films.all_entities())
    films.use(index)
    assert {e.name for e in films.lookup(["keanu reeves"])["keanu reeves"]} == {"Keanu Reeves"}
    assert films.start(["1964"]).ids == ("=Person.born:1964",)


def test_what_others_commit_is_seen(films: ForeignReader, neo4j_server: Neo4jServer) -> None:
    changes = films.changes()
    assert films.changes() == changes
    assert films.lookup(["heat"]) == {}
    neo4j_server.run("CREATE (:Movie {title: 'Heat', released: 1995})<-[:DIRECTED]-(:Person {name: 'Michael Mann'})")
    assert films.changes() != changes
    assert reached(films, "Heat", "DIRECTED", inverse=True) == {"Michael Mann"}
    neo4j_server.run("MATCH (m:Movie {title: 'Heat'}) SET m.title = 'Collateral', m.released = 2004")
    films.changes()
    assert reached(films, "Collateral", "Movie.released") == {"2004"}
    assert films.lookup(["heat"]) == {}


def test_a_snapshot_is_the_same_graph(films: ForeignReader) -> None:
    snapshot = Snapshot.build(films)
    assert Counter(snapshot.all_facts()) == Counter(films.all_facts())
    assert {e.id: e for e in snapshot.all_entities()} == {e.id: e for e in films.all_entities()}
    assert reached(snapshot, "1964", "Person.born", inverse=True) == {"Keanu Reeves", "Sandra Bullock"}
    assert (films.info().facts, films.info().entities) == (13, 13)


def test_of_several_labels_the_first_one_listed_tells_a_property(neo4j_server: Neo4jServer) -> None:
    foreign_graph.empty(neo4j_server)
    neo4j_server.run(
        "CREATE (:Person {name: 'A', born: 1950}), (:Person:Actor {name: 'B', born: 1950, prize: 'Oscar'}),"
        "(:Actor:Robot {name: 'C', born: 1950})"
    )
    with opened(neo4j_server) as reader:
        agree(reader)
        relations = Counter(fact.relation for fact in reader.all_facts())
        assert sum(relations[name] for name in relations if name.endswith(".born")) == 3
    foreign_graph.empty(neo4j_server)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.model_copy(update={"labels": {**s.labels, "Ghost": s.labels["Movie"]}}), "label Ghost"),
        (
            lambda s: s.model_copy(update={"relations": {**s.relations, "GONE": s.relations["DIRECTED"]}}),
            "relation GONE",
        ),
        (
            lambda s: s.model_copy(
                update={"labels": {**s.labels, "Movie": s.labels["Movie"].model_copy(update={"name": "nom"})}}
            ),
            "name nom",
        ),
        (lambda s: s.model_copy(update={"layout": None}), "doesn't say how the database lies"),
    ],
)
def test_a_schema_that_names_what_is_not_there(
    neo4j_server: Neo4jServer, change: Callable[[Schema], Schema], said: str
) -> None:
    foreign_graph.films(neo4j_server)
    with pytest.raises(SchemaError, match=said) as raised, opened(neo4j_server, change):
        pass
    assert "kgqa connect" in str(raised.value)
    foreign_graph.empty(neo4j_server)


def test_nothing_is_ever_written(films: ForeignReader, neo4j_server: Neo4jServer) -> None:
    """Names, values, ids and relations that look like code, in a thousand calls: the transaction log stands still."""
    everything = "MATCH (n) OPTIONAL MATCH (n)-[r]->() RETURN count(DISTINCT n), count(r), sum(size(keys(n)))"
    hostile = [
        *NASTY,
        foreign_graph.ODD,
        "x'; MATCH (n) DETACH DELETE n;",
        "=Movie.title:' }) SET n.x = 1 //",
        "$given",
    ]
    neo4j_server.run("CREATE (:Movie {title: $odd, released: 1})-[:IN]->(:Movie {title: 'x'})", odd=hostile[-4])
    before = neo4j_server.run(everything), committed(neo4j_server)
    for _ in range(8):
        for text in hostile:
            films.start([name_key(text), text, "speed"])
            films.step([Group(text, "ACTED_IN", False, 5), Group(one(films, "Speed").id, text, True, 5)])
            films.step([Group(f"=Person.born:{text}", "Person.born", True, 5)])
            films.prove([Fact(text, text, text), Fact(one(films, "Speed").id, "Movie.released", text)], [text])
            films.suggest(text)
            films.offer([text, f"=ACTED_IN.roles:{text}"])
    assert films.round_trips > 1_000
    assert (neo4j_server.run(everything), committed(neo4j_server)) == before


def test_a_schema_full_of_code_reads_and_nothing_else(neo4j_server: Neo4jServer) -> None:
    foreign_graph.odd(neo4j_server)
    everything = "MATCH (n) OPTIONAL MATCH (n)-[r]->() RETURN count(DISTINCT n), count(r), sum(size(keys(n)))"
    before = neo4j_server.run(everything), committed(neo4j_server)
    with opened(neo4j_server) as reader:
        agree(reader)
        with pytest.raises(Exception, match=r"(?i)read access mode|not allowed"):
            reader._connection.rows("CREATE (:Thing)")
    assert (neo4j_server.run(everything), committed(neo4j_server)) == before
    foreign_graph.empty(neo4j_server)


def committed(server: Neo4jServer) -> Any:
    """The last transaction that was committed."""
    return server.run("SHOW DATABASES YIELD name, lastCommittedTxn WHERE name = 'neo4j' RETURN lastCommittedTxn")


def test_a_query_that_takes_too_long_is_ended(films: ForeignReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(films._connection, "_seconds", 0.5)
    slow = "UNWIND range(1, 100000000) AS x UNWIND range(1, 1000) AS y RETURN count(x + y) AS n"
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="took too long"):
        films._connection.rows(slow)
    assert time.monotonic() - began < 20


def test_the_driver_is_told_to_read(films: ForeignReader) -> None:
    session = films._connection._session()
    assert session._config.default_access_mode == neo4j.READ_ACCESS
    session.close()
    assert connection.QUERY_SECONDS > 0
