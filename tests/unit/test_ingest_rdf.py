"""What RDF means as entities and facts: names, types, values, owl:sameAs, languages, ids."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph_schema import Entity, Fact, GraphStore, InputError, MappingError, Value
from ingest import LoadOptions, Progress, Reason, Source, load, rdf_read
from ingest.mapping_file import MappingFile
from ingest.quarantine import Quarantine
from ingest.rdf_options import RdfOptions
from ingest.rdf_terms import WELL_KNOWN, Shortener, apart, local, words
from kgqa.stores import open_store
from tests.unit.ingest_helpers import MemoryWriter
from tests.unit.rdf_helpers import AT, EX, PREFIXES, Graph, Node, graph_of


def as_set(value: Value) -> set[object]:
    return {*value} if isinstance(value, tuple) else {value}


SAME = "<http://www.w3.org/2002/07/owl#sameAs>"


def test_names_aliases_types_and_facts() -> None:
    graph = graph_of("""
        ex:Kismet a ex:Film ; rdfs:label "Kismet"@en ; skos:altLabel "Kismet!", "Fate"@en ; ex:directedBy ex:WD .
        ex:WD a foaf:Person ; foaf:name "William Dieterle" .
    """)
    assert graph.facts == {Fact("ex:Kismet", "directedBy", "ex:WD"): AT + 2}
    assert graph.nodes == {
        "ex:Kismet": Node("Kismet", "Film", {"Kismet!", "Fate"}),
        "ex:WD": Node("William Dieterle", "Person"),
    }
    assert not graph.rejected
    assert not graph.notes


def test_every_predicate_that_names() -> None:
    for predicate in (
        "rdfs:label",
        "skos:prefLabel",
        "foaf:name",
        "<http://schema.org/name>",
        "<https://schema.org/name>",
    ):
        assert graph_of(f'ex:a {predicate} "A" .').nodes == {"ex:a": Node("A")}
    assert graph_of('ex:a ex:title "A" ; foaf:name "B" .', names=["ex:title"], aliases="foaf:name").nodes == {
        "ex:a": Node("A", aliases={"B"})
    }


def test_several_types_are_a_label_and_facts() -> None:
    turtle = "ex:a a owl:Thing, ex:Film, ex:Work, owl:NamedIndividual ; a ex:Film ."
    graph = graph_of(turtle)
    assert graph.nodes["ex:a"].label == "Film"
    assert set(graph.facts) == {Fact("ex:a", "type", "ex:Work")}
    facts = {Fact("ex:a", "type", "ex:Film"), Fact("ex:a", "type", "ex:Work")}
    for types, label in (("facts", "Entity"), ("both", "Film")):
        graph = graph_of(turtle, types=types)
        assert set(graph.facts) == facts
        assert graph.nodes["ex:a"].label == label


VALUES = [
    ('"1"^^xsd:integer', 1),
    ("-7", -7),
    ('"007"^^xsd:nonNegativeInteger', 7),
    ("1.5", 1.5),
    ('"0.1234567890123456789"^^xsd:decimal', "0.1234567890123456789"),
    ("1e3", 1000.0),
    ('"0.5"^^xsd:float', 0.5),
    ("true", True),
    ('"0"^^xsd:boolean', False),
    ('"1999-03-31"^^xsd:date', date(1999, 3, 31)),
    ('"1999-03-31+02:00"^^xsd:date', date(1999, 3, 31)),
    ('"-0044-03-15"^^xsd:date', "-0044-03-15"),
    ('"12000-03-15T00:00:00Z"^^xsd:dateTime', "12000-03-15T00:00:00Z"),
    ('"1999-03-31T01:02:03"^^xsd:dateTime', datetime(1999, 3, 31, 1, 2, 3, tzinfo=UTC)),
    (
        '"1999-03-31T01:02:03.5+02:00"^^xsd:dateTime',
        datetime(1999, 3, 31, 1, 2, 3, 500_000, timezone(timedelta(hours=2))),
    ),
    ('"1999"^^xsd:gYear', 1999),
    ('"-0044"^^xsd:gYear', -44),
    ('" x "', " x "),
    ('"x"^^ex:unknown', "x"),
    ('"P1D"^^xsd:duration', "P1D"),
    ("1, 2, 1, 01", (1, 2)),
    ("1, 2.5", (1.0, 2.5)),
    ('1, "1", true, "1999-03-31"^^xsd:date', ("1", "true", "1999-03-31")),
]


@pytest.mark.parametrize(("written", "value"), VALUES)
def test_literals_are_values_of_their_types(written: str, value: object) -> None:
    graph = graph_of(f"ex:a ex:p {written} .")
    found = graph.nodes["ex:a"].properties["p"]
    assert found == value
    assert type(found) is type(value)
    if isinstance(found, tuple) and isinstance(value, tuple):
        assert [*map(type, found)] == [*map(type, value)]


BAD_VALUES = [
    ('"x"^^xsd:integer', Reason.BAD_NUMBER),
    ('"1_0"^^xsd:integer', Reason.BAD_NUMBER),
    ('"99999999999999999999"^^xsd:integer', Reason.BAD_NUMBER),
    ('"1,5"^^xsd:decimal', Reason.BAD_NUMBER),
    ('"NaN"^^xsd:decimal', Reason.BAD_NUMBER),
    ('"INF"^^xsd:double', Reason.BAD_NUMBER),
    ('"yes"^^xsd:boolean', Reason.BAD_BOOLEAN),
    ('"1999-02-30"^^xsd:date', Reason.BAD_DATE),
    ('"31.3.1999"^^xsd:date', Reason.BAD_DATE),
    ('"1999-03-31T25:00:00"^^xsd:dateTime', Reason.BAD_DATE),
    ('"99"^^xsd:gYear', Reason.BAD_DATE),
    ('"a\\u0000b"', Reason.NUL),
    ('"' + "x" * 100_001 + '"', Reason.VALUE_TOO_LONG),
]


@pytest.mark.parametrize(("written", "reason"), BAD_VALUES, ids=lambda value: repr(value)[:30])
def test_what_is_not_of_its_type_is_set_aside_and_the_rest_stays(written: str, reason: Reason) -> None:
    graph = graph_of(f'\n ex:a ex:p "good" ;\n ex:p {written} ;\n ex:q 1 ; ex:r ex:b .')
    assert [(one.line, one.reason) for one in graph.rejected] == [(AT + 3, reason)]
    assert graph.nodes["ex:a"].properties == {"p": "good", "q": 1}
    assert set(graph.facts) == {Fact("ex:a", "r", "ex:b")}


@pytest.mark.parametrize(
    ("written", "reason"),
    [('" "', Reason.EMPTY_FIELD), ('"\\u0000"', Reason.NUL), ('"' + "x" * 2001 + '"', Reason.ENTITY_TOO_LONG)],
)
def test_what_can_name_nothing_is_set_aside(written: str, reason: Reason) -> None:
    graph = graph_of(f'ex:a rdfs:label {written} ; skos:altLabel {written} ; rdfs:label "A" .')
    assert [one.reason for one in graph.rejected] == [reason, reason]
    assert graph.nodes == {"ex:a": Node("A")}


def test_an_iri_that_is_too_long_is_set_aside() -> None:
    long = f"<http://ex.org/{'x' * 2000}>"
    graph = graph_of(f"ex:a ex:p {long} .\n{long} ex:p 1 .\nex:a ex:p ex:b .")
    assert [one.reason for one in graph.rejected] == [Reason.ENTITY_TOO_LONG] * 2
    assert set(graph.facts) == {Fact("ex:a", "p", "ex:b")}


LABELS = 'ex:a rdfs:label "A (de)"@de, "A (en)"@en-GB, "A" , "A (fr)"@fr ; ex:p "de"@de, "fr"@fr, "de2"@de .'


@pytest.mark.parametrize(
    ("languages", "name", "aliases", "value", "left_out"),
    [
        (["en", "*"], "A (en)", {"A", "A (de)", "A (fr)"}, ("de", "fr", "de2"), 0),
        (["de", "en"], "A (de)", {"A", "A (en)"}, ("de", "de2"), 2),
        (["fr", "*"], "A (fr)", {"A", "A (de)", "A (en)"}, "fr", 2),
        (["it"], "A", set(), None, 6),
        (["de", "*"], "A (de)", {"A", "A (en)", "A (fr)"}, ("de", "de2"), 1),
        ([], "A", set(), None, 6),
    ],
)
def test_languages_by_preference(
    languages: list[str], name: str, aliases: set[str], value: Value | None, left_out: int
) -> None:
    graph = graph_of(LABELS, languages=languages)
    assert graph.nodes == {"ex:a": Node(name, aliases=aliases, properties={} if value is None else {"p": value})}
    assert graph.notes == ([f"x.ttl: {left_out} literals in other languages were left out"] if left_out else [])


def test_literals_as_entities_or_not_at_all() -> None:
    turtle = 'ex:a ex:p 7, "x"@en, "y", "two\\nlines" ; rdfs:label "A" .'
    graph = graph_of(turtle, literals="facts")
    assert set(graph.facts) == {
        Fact("ex:a", "p", '"7"^^xsd:integer'),
        Fact("ex:a", "p", '"x"@en'),
        Fact("ex:a", "p", '"y"'),
        Fact("ex:a", "p", '"two\\nlines"'),
    }
    assert graph.nodes['"7"^^xsd:integer'] == Node("7", "Literal")
    graph = graph_of(turtle, literals="none")
    assert graph.nodes == {"ex:a": Node("A")}
    assert graph.notes == ["x.ttl: 4 literals were left out, as the settings say"]


@pytest.mark.parametrize(
    "same",
    [
        f"ex:b {SAME} ex:a . ex:b {SAME} ex:c .",
        f"ex:a {SAME} ex:b . ex:b {SAME} ex:c . ex:c {SAME} ex:a . ex:a {SAME} ex:a .",
        f"ex:c {SAME} ex:b . ex:c {SAME} ex:a .",
    ],
)
def test_same_as_is_one_entity_however_it_is_said(same: str) -> None:
    statements = 'ex:c rdfs:label "C" ; a ex:T . ex:b ex:p 1 . ex:c ex:p 2 . ex:d ex:q ex:c . ex:b ex:q ex:d .'
    for turtle in (f"{same}\n{statements}", f"{statements}\n{same}"):
        graph = graph_of(turtle)
        assert graph.nodes["ex:a"].properties.pop("sameAs") in (("ex:b", "ex:c"), ("ex:c", "ex:b"))
        assert graph.nodes == {"ex:a": Node("C", "T", properties={"p": (1, 2)}), "ex:d": Node("d")}
        assert set(graph.facts) == {Fact("ex:d", "q", "ex:a"), Fact("ex:a", "q", "ex:d")}
    graph = graph_of(f"{same}\n{statements}", same_as=False)
    assert Fact("ex:d", "q", "ex:c") in graph.facts
    assert {fact.relation for fact in graph.facts} == {"q", "sameAs"}


def test_same_as_reaches_over_files_and_prefers_iris_to_blank_nodes(tmp_path: Path) -> None:
    (tmp_path / "1.nt").write_text("<http://ex.org/z> <http://ex.org/p> <http://ex.org/y> .\n")
    (tmp_path / "2.ttl").write_text(f"{PREFIXES}ex:m {SAME} ex:z .\n_:x {SAME} ex:y . _:x ex:q 1 .\n")
    (tmp_path / "3.csv").write_text("head,relation,tail\na,r,b\n")
    graph = graph_of([*sorted(tmp_path.iterdir())])
    assert set(graph.facts) == {Fact("ex:m", "p", "ex:y"), Fact("a", "r", "b")}
    assert graph.nodes["ex:y"].properties["q"] == 1


def plain(statements: list[tuple[str, str, str]]) -> tuple[set[Fact], dict[str, set[str]]]:
    """Facts and values by a plain way: merging names until nothing changes."""
    name = {iri: iri for s, p, o in statements for iri in (s, o)}
    changed = True
    while changed:
        changed = False
        for s, p, o in statements:
            if p == "same" and name[s] != name[o]:
                less, more = sorted((name[s], name[o]))
                name = {iri: less if one == more else one for iri, one in name.items()}
                changed = True
    facts = {Fact(f"ex:{name[s]}", p, f"ex:{name[o]}") for s, p, o in statements if p in "rq"}
    values: dict[str, set[str]] = {}
    for s, p, o in statements:
        if p == "v":
            values.setdefault(f"ex:{name[s]}", set()).add(o)
    return facts, values


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.sampled_from(["same", "r", "q", "v", "v"]), st.sampled_from("abcdef")),
        min_size=1,
        max_size=30,
    ),
    st.integers(1, 8),
)
def test_nothing_depends_on_the_order_of_statements_or_on_blocks(
    statements: list[tuple[str, str, str]], block: int
) -> None:
    written = {
        "same": f"ex:{{0}} {SAME} ex:{{2}} .",
        "r": "ex:{0} ex:r ex:{2} .",
        "q": "ex:{0} ex:q ex:{2} .",
        "v": 'ex:{0} ex:v "{2}" .',
    }
    turtle = "\n".join(written[p].format(s, p, o) for s, p, o in statements)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(rdf_read, "ROWS", block)
        graph = graph_of(turtle)
    facts, values = plain(statements)
    assert set(graph.facts) == facts
    found = {id_: node.properties["v"] for id_, node in graph.nodes.items() if "v" in node.properties}
    assert {id_: as_set(value) for id_, value in found.items()} == values


def test_names_types_and_values_may_be_far_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rdf_read, "ROWS", 5)
    between = "".join(f"ex:x{n} ex:r ex:y{n} .\n" for n in range(20))
    graph = graph_of(
        f'ex:a rdfs:label "de"@de ; ex:p 1 ; a ex:T .\n{between}ex:a rdfs:label "en"@en ; ex:p 2 .\n{between}'
        f"ex:a a ex:U ; ex:p 3 .\n"
    )
    assert graph.nodes["ex:a"] == Node("en", "T", {"de"}, {"p": (1, 2, 3)})
    assert Fact("ex:a", "type", "ex:U") in graph.facts


def test_relations_with_the_same_last_part_are_kept_apart() -> None:
    graph = graph_of(
        "ex:a ex:p ex:b . ex:a other:p ex:b . ex:a ex:q ex:b ; <http://x.org/r/> ex:b . ex:c a ex:T, other:T ."
    )
    assert {fact.relation for fact in graph.facts} == {"ex:p", "other:p", "q", "http://x.org/r/", "type"}
    assert graph.nodes["ex:c"].label == "ex:T"
    graph = graph_of("ex:a ex:p ex:b . ex:a other:p ex:b .", relations={"ex:p": "named", "http://other.org/p": "p"})
    assert {fact.relation for fact in graph.facts} == {"named", "p"}


def test_ids_are_short_and_unambiguous() -> None:
    graph = graph_of(
        "<http://dbpedia.org/resource/A> ex:p <http://unknown.org/B> . <ex:a> ex:p <dbr:A> . <mailto:x@y> ex:p ex:a ."
    )
    assert {id_ for fact in graph.facts for id_ in (fact.head, fact.tail)} == {
        "dbr:A",
        "http://unknown.org/B",
        "<ex:a>",
        "<dbr:A>",
        "mailto:x@y",
        "ex:a",
    }


prefixes = st.dictionaries(
    st.sampled_from(["a", "ab", "http", "x"]), st.sampled_from(["http://a/", "http://a/b#", "a:", "x:y/"])
)


@given(
    prefixes, st.lists(st.sampled_from(["http://a/", "http://a/b#", "a:", "x:y/", "b", "<", ">", ":", "a"]), max_size=5)
)
def test_an_id_says_which_iri_it_is(prefixes: dict[str, str], parts: list[str]) -> None:
    shortener = Shortener(prefixes)
    iri = "".join(["a:", *(part for part in parts if part not in "<>")])
    assert shortener.full(shortener.short(iri)) == iri


def test_prefixes_of_the_files_count_if_asked_for_and_if_they_agree(tmp_path: Path) -> None:
    (tmp_path / "1.ttl").write_text("@prefix f: <http://f.org/> . @prefix g: <http://g.org/> . f:a g:p f:b .")
    (tmp_path / "2.ttl").write_text("@prefix g: <http://h.org/> . @prefix : <http://f.org/x/> . g:a g:q :b .")
    files = sorted(tmp_path.iterdir())
    assert set(graph_of(files).facts) == {
        Fact("http://f.org/a", "p", "http://f.org/b"),
        Fact("http://h.org/a", "q", "http://f.org/x/b"),
    }
    assert set(graph_of(files, file_prefixes=True).facts) == {
        Fact("f:a", "p", "f:b"),
        Fact("http://h.org/a", "q", "f:x/b"),
    }


def test_entities_without_a_name_are_named_by_their_iri(tmp_path: Path) -> None:
    (tmp_path / "1.nt").write_text("<http://ex.org/William%20_Dieterle> <http://ex.org/p> <http://ex.org/named> .\n")
    (tmp_path / "2.ttl").write_text(
        PREFIXES + 'ex:named rdfs:label "A name" . ex:no-more a ex:T . <http://h.org/> ex:p _:b .'
    )
    graph = graph_of(sorted(tmp_path.iterdir()))
    blank = next(id_ for id_ in graph.nodes if id_.startswith("_:"))
    assert {id_: node.name for id_, node in graph.nodes.items()} == {
        "ex:William%20_Dieterle": "William  Dieterle",
        "ex:named": "A name",
        "ex:no-more": "no-more",
        "http://h.org/": "http://h.org/",
        blank: blank,
    }
    assert graph_of("ex:a ex:p ex:b .", words=False).nodes["ex:a"] == Node("ex:a")


def test_blank_nodes_are_the_same_each_time_and_others_in_each_file(tmp_path: Path) -> None:
    turtle = "_:b ex:p [ ex:p ( 1 ) ] . [] ex:q _:b ."
    for name in ("1.ttl", "2.ttl"):
        (tmp_path / name).write_text(PREFIXES + turtle)
    one, again, two = (graph_of([tmp_path / name]) for name in ("1.ttl", "1.ttl", "2.ttl"))
    assert one == again
    assert len(one.facts) == len(two.facts) == 4
    assert not {*one.nodes} & {*two.nodes} - {"rdf:nil"}
    assert graph_of(turtle) == graph_of(turtle)
    assert not {*graph_of(turtle).nodes} & {*graph_of(turtle + "\n").nodes} - {"rdf:nil"}


def test_a_stream_is_read_from_a_copy(tmp_path: Path) -> None:
    (tmp_path / "1.ttl").write_text(PREFIXES + f"ex:a {SAME} ex:b .")
    sources: list[Source | Path] = [
        Source("x", stream=io.BytesIO(f"{PREFIXES}ex:b ex:p ex:c . ex:c {SAME} ex:d .".encode())),
        tmp_path / "1.ttl",
    ]
    graph = graph_of(sources)
    assert set(graph.facts) == {Fact("ex:a", "p", "ex:c")}


def test_a_load_from_turtle(tmp_path: Path) -> None:
    path = tmp_path / "films.ttl"
    path.write_text(PREFIXES + "ex:Kismet ex:directedBy ex:WD .\n")
    writer = MemoryWriter()
    report = load([path], writer)
    assert writer.facts == {Fact("http://ex.org/Kismet", "directedBy", "http://ex.org/WD")}
    assert (report.files[0].format, report.files[0].header, report.lines) == ("turtle", None, AT + 1)
    again = load([path], writer)
    assert (again.created, again.merged) == (0, 1)


def test_what_was_read_before_a_syntax_error_stays(tmp_path: Path) -> None:
    path = tmp_path / "films.ttl"
    good = "".join(f"ex:a ex:p ex:b{n} .\n" for n in range(3000))
    path.write_text(PREFIXES + good + "ex:a ex:p oops .\n" + good)
    writer = MemoryWriter()
    with pytest.raises(InputError, match=rf"films\.ttl:{AT + 3001}: isn't Turtle from here on: .*stay\. Mend the line"):
        load([path], writer, options=LoadOptions(batch_size=1000))
    assert 2000 < len(writer.facts) <= 3000  # whole batches


def test_a_load_broken_off_anywhere_and_gone_on_with_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rdf_read, "ROWS", 20)
    rng = random.Random(6)
    names = [f"ex:{n}" for n in range(25)]
    said = [f"{rng.choice(names)} ex:p {rng.choice(names)} , {rng.choice(names)} ." for _ in range(120)]
    said += [
        f'{rng.choice(names)} ex:v "{rng.randrange(9)}" ; rdfs:label "N{rng.randrange(9)}"@de .' for _ in range(120)
    ]
    said += [f"{rng.choice(names)} {SAME} {rng.choice(names)} ; a ex:T{rng.randrange(3)} ." for _ in range(6)]
    rng.shuffle(said)
    path = tmp_path / "x.ttl"
    path.write_text(PREFIXES + "\n".join(said))

    def dump(store: GraphStore) -> tuple[list[Fact], dict[str, Entity]]:
        return sorted(store.all_facts()), {entity.id: entity for entity in store.all_entities()}

    whole = open_store(f"sqlite:///{tmp_path / 'whole.db'}", create=True)
    load([path], whole)
    expected = dump(whole)
    whole.close()
    for stop in range(1, 30, 3):
        store = open_store(f"sqlite:///{tmp_path / f'{stop}.db'}", create=True)
        calls = count()

        def interrupt(_: Progress, calls: Iterator[int] = calls, stop: int = stop) -> None:
            if next(calls) == stop:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            load([path], store, options=LoadOptions(batch_size=30), progress=interrupt)
        load([path], store, options=LoadOptions(batch_size=17))
        assert dump(store) == expected
        store.close()


@pytest.mark.parametrize("by_mapping", [False, True])
def test_what_is_set_aside_can_be_mended_and_loaded(tmp_path: Path, by_mapping: bool) -> None:
    path, held = tmp_path / "films.nt", tmp_path / "rejected.jsonl"
    path.write_text(
        "<http://ex.org/a> <http://ex.org/p> <http://ex.org/b> .\n<http://ex.org/a> <http://ex.org/p> oops .\n"
        '<http://ex.org/a> <http://ex.org/year> "soon"^^<http://www.w3.org/2001/XMLSchema#gYear> .\n'
    )
    said: dict[str, object] = {"sources": [{"files": "*.nt", "rdf": {"prefixes": EX}}]}
    mapping = MappingFile.from_dict(said) if by_mapping else None
    store = open_store(f"sqlite:///{tmp_path / 'films.db'}", create=True)
    try:
        with Quarantine(held) as rejects:
            report = load([path], store, mapping=mapping, options=LoadOptions(rejects=rejects))
        assert report.rejected == {Reason.BAD_RDF: 1, Reason.BAD_DATE: 1}
        held.write_text(held.read_text().replace("oops", "<http://ex.org/c>").replace('"soon"', '"1944"'))
        with Quarantine(held) as rejects:
            report = load([held], store, mapping=mapping, options=LoadOptions(rejects=rejects))
        assert not report.rejected
        before = "ex:" if by_mapping else "http://ex.org/"
        assert {*store.all_facts()} == {Fact(f"{before}a", "p", f"{before}{tail}") for tail in "bc"}
        (film,) = store.entities([f"{before}a"]).values()
        assert (film.name, film.properties) == ("a", {"year": 1944})
    finally:
        store.close()


def test_a_mapping_that_is_not_for_rdf_and_rdf_without_one(tmp_path: Path) -> None:
    path, other = tmp_path / "films.ttl", tmp_path / "films.csv"
    path.write_text(PREFIXES + "ex:a ex:p ex:b .")
    other.write_text("a,r,b\n")
    columns = MappingFile.from_dict({"sources": [{"files": "*", "triples": ["a", "b", "c"]}]})
    with pytest.raises(MappingError, match=r"films\.ttl: is RDF, and the mapping has columns for it\. Say rdf: {}"):
        load([path], MemoryWriter(), mapping=columns)
    rdf = MappingFile.from_dict({"sources": [{"files": "*", "rdf": {}}]})
    with pytest.raises(MappingError, match=r"films\.csv: is csv, not RDF as the mapping says"):
        load([other], MemoryWriter(), mapping=rdf)
    with pytest.raises(MappingError, match="rdf: 'nonsense' is no setting"):
        MappingFile.from_dict({"sources": [{"files": "*", "rdf": {"nonsense": 1}}]})


def test_settings_that_are_wrong_are_all_named() -> None:
    with pytest.raises(MappingError, match=r"'lang' is no setting; words can't be 'yes'; types can't be 1"):
        RdfOptions.of({"lang": "en", "words": "yes", "types": 1})
    with pytest.raises(
        MappingError, match=r"'e n' is no language tag; '1' is no prefix; .*schema is http.*types is 'x'"
    ):
        RdfOptions.of({"languages": ["e n"], "prefixes": {"1": "http://x/", "schema": "http://x/"}, "types": "x"})
    with pytest.raises(MappingError, match="two relations have the same name"):
        RdfOptions.of({"relations": {"ex:a": "x", "ex:b": "x"}})
    assert RdfOptions.of({}) == RdfOptions()
    assert RdfOptions.of({"languages": "de"}).languages == ("de",)


def test_well_known_prefixes_are_distinct() -> None:
    assert len({*WELL_KNOWN.values()}) == len(WELL_KNOWN)
    assert [*WELL_KNOWN] == sorted(WELL_KNOWN)


def test_readable_parts() -> None:
    assert [local(iri) for iri in ("http://a/b#c", "http://a/b/c%20d", "urn:x:y", "http://a/")] == ["c", "c d", "y", ""]
    assert words("http://a/William_Dieterle_") == "William Dieterle"
    assert words("http://a/x%00y") == ""
    names = apart(["http://a/x", "http://b/x", "http://a/y"], {"http://c/z": "y"}, Shortener({"a": "http://a/"}))
    assert names == {"http://c/z": "y", "http://a/x": "a:x", "http://b/x": "http://b/x", "http://a/y": "a:y"}


def test_a_large_random_graph_comes_back(tmp_path: Path) -> None:
    rng = random.Random(5)
    facts = {
        Fact(f"ex:{rng.randrange(3000)}", f"r{rng.randrange(9)}", f"ex:{rng.randrange(3000)}") for _ in range(30_000)
    }
    lines = [
        f"<http://ex.org/{f.head[3:]}> <http://ex.org/{f.relation}> <http://ex.org/{f.tail[3:]}> .\n" for f in facts
    ]
    lines += [f'<http://ex.org/{n}> <http://ex.org/v> "{rng.randrange(5)}" .\n' for n in range(3000) for _ in range(4)]
    rng.shuffle(lines)
    (tmp_path / "x.nt").write_text("".join(lines))
    graph: Graph = graph_of([tmp_path / "x.nt"])
    assert set(graph.facts) == facts
    values: dict[str, set[str]] = {}
    for line in lines:
        if '"' in line:
            values.setdefault("ex:" + line.split("/")[3].split(">")[0], set()).add(line.split('"')[1])
    got = {id_: node.properties["v"] for id_, node in graph.nodes.items() if "v" in node.properties}
    assert {id_: as_set(value) for id_, value in got.items()} == values
