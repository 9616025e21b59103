"""What a mapping makes of rows: nodes, relationships, properties, in the right order."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from graph_schema import Entity, MappingError
from ingest import columns, lines
from ingest.ids import Template
from ingest.mapping_file import MappingFile
from ingest.records import Reason
from tests.unit.mapping_helpers import load_mapped

WIDE = """
sources:
  - files: films.csv
    nulls: ["", "NULL"]
    nodes:
      - label: Film
        id: film/{film_id}
        name: title
        aliases: {column: aka, separator: "|"}
        properties:
          released: {column: year, type: integer}
          rating: {column: rating, type: float, decimal: ","}
          opened: {column: opened, type: date, format: "%d.%m.%Y"}
          seen: {column: seen, type: datetime, zone: Europe/Berlin}
          color: {column: color, type: boolean}
          genres: {column: genres, separator: ";"}
    relationships:
      - type: directed_by
        head: Film
        tail: {label: Person, key: director_id}
      - type: starred
        head: Film
        tail: {label: Person, key: actors, separator: "|"}
        properties: {billing: {column: billing, type: integer}}
  - files: people.csv
    nodes:
      - {label: Person, id: "person/{id}", name: "{first} {last}"}
"""
FILMS = (
    "film_id,title,aka,year,rating,opened,seen,color,genres,director_id,actors,billing\n"
    '1,Kismet,Fate|Destiny,1944,"6,5",22.08.1944,1944-08-22T20:00:00,no,Drama; Fantasy,7,8|9,1\n'
    "2,Gigi,,NULL,,,2024-07-01T12:00:00+00:00,Y,NULL,,8,NULL\n"
)
PEOPLE = "id,first,last\n7,William,Dieterle\n8,Ronald,Colman\n9,Marlene,Dietrich\n"


def test_a_wide_table_with_foreign_keys(tmp_path: Path) -> None:
    graph = load_mapped(WIDE, tmp_path, {"films.csv": FILMS, "people.csv": PEOPLE})
    assert not graph.rejected
    assert graph.order == ["people.csv", "films.csv"]
    assert graph.entities["film/1"] == Entity(
        "film/1",
        "Kismet",
        "Film",
        ("Fate", "Destiny"),
        {
            "released": 1944,
            "rating": 6.5,
            "opened": date(1944, 8, 22),
            "seen": datetime(1944, 8, 22, 18, tzinfo=UTC),
            "color": False,
            "genres": ("Drama", "Fantasy"),
        },
    )
    assert graph.entities["film/2"] == Entity(
        "film/2", "Gigi", "Film", (), {"seen": datetime(2024, 7, 1, 12, tzinfo=UTC), "color": True}
    )
    assert graph.entities["person/7"] == Entity("person/7", "William Dieterle", "Person")
    assert graph.triples == {
        ("film/1", "directed_by", "person/7"),
        ("film/1", "starred", "person/8"),
        ("film/1", "starred", "person/9"),
        ("film/2", "starred", "person/8"),
    }
    assert {f.tail: p for f, p in graph.facts.items() if f.head == "film/1" and f.relation == "starred"} == {
        "person/8": {"billing": 1},
        "person/9": {"billing": 1},
    }


def test_the_schema_is_filled() -> None:
    schema = MappingFile.from_yaml(WIDE).filled_schema()
    assert {name: (p.type, p.list) for name, p in schema.labels["Film"].properties.items()} == {
        "released": ("integer", False),
        "rating": ("float", False),
        "opened": ("date", False),
        "seen": ("datetime", False),
        "color": ("boolean", False),
        "genres": ("string", True),
    }
    assert (schema.relations["directed_by"].head, schema.relations["directed_by"].tail) == ("Film", "Person")


def test_the_schema_file_beside_it_gives_words_and_types(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(
        "labels: {Film: {words: film, properties: {released: {words: release year, type: integer, required: true}}}}\n"
        "relations: {r: {words: related to}}\n",
        "utf-8",
    )
    (tmp_path / "m.yaml").write_text(
        "schema: s.yaml\nsources: [{files: f.csv, nodes: [{label: Film, id: id, properties: {released: year}}]}]\n",
        "utf-8",
    )
    file = MappingFile.load(tmp_path / "m.yaml")
    assert file.filled_schema().relations["r"].words == "related to"
    graph = load_mapped(file, tmp_path, {"f.csv": "id,year\na,1944\nb,\nc,soon\n"})
    assert graph.entities["a"].properties == {"released": 1944}
    assert graph.reasons == [("f.csv", 3, Reason.REQUIRED), ("f.csv", 4, Reason.BAD_NUMBER)]
    assert MappingFile.from_dict(file.to_dict()) == file


def test_labels_and_types_from_columns_and_ids_with_a_prefix(tmp_path: Path) -> None:
    mapping = """
    sources:
      - files: nodes.tsv
        nodes: [{label: {column: kind, values: {g: Gene}}, id: id, name: name}]
      - files: "edges/*.tsv"
        relationships:
          - type: {column: how}
            head: {label: Gene, id: "Gene::{:START_ID(Gene)}"}
            tail: {label: Disease, id: "Disease::{:END_ID(Disease)}"}
            properties: {score: {column: score, type: float}}
    """
    files = {
        "nodes.tsv": "id\tname\tkind\nGene::1\tA1BG\tg\nDisease::2\tflu\tDisease\nOther::3\tx\t\n",
        "edges/e.tsv": ":START_ID(Gene)\t:END_ID(Disease)\thow\tscore\n1\t2\tcauses\t.5\n1\t3\tcauses\t\n2\t2\t\t\n",
    }
    graph = load_mapped(mapping, tmp_path, files)
    assert graph.entities["Gene::1"].label == "Gene"
    assert {f.relation: p for f, p in graph.facts.items()} == {"causes": {"score": 0.5}}
    assert graph.triples == {("Gene::1", "causes", "Disease::2")}
    assert graph.reasons == [
        ("nodes.tsv", 4, Reason.EMPTY_FIELD),
        ("e.tsv", 3, Reason.DANGLING),
        ("e.tsv", 4, Reason.EMPTY_FIELD),
    ]


@pytest.mark.parametrize("triples", ["[0, 1, 2]", "{head: 0, relation: 1, tail: 2}", "[h, r, t]"])
def test_triples(tmp_path: Path, triples: str) -> None:
    columns = "columns: [h, r, t], " if "h, r" in triples else ""
    mapping = f"sources: [{{files: t.txt, {columns}triples: {triples}}}]"
    graph = load_mapped(mapping, tmp_path, {"t.txt": "a\tr\tb\nc\tr\td\n"})
    assert graph.triples == {("a", "r", "b"), ("c", "r", "d")}
    # with names and no "columns", the first line is the header
    graph = load_mapped("sources: [{files: t.txt, triples: [t, r, h]}]", tmp_path, {"t.txt": "h\tr\tt\nc\tr\td\n"})
    assert graph.triples == {("d", "r", "c")}


def test_a_row_may_refer_to_later_rows_and_files_to_each_other(tmp_path: Path) -> None:
    mapping = """
    sources:
      - files: staff.csv
        nodes: [{label: Employee, id: "e{id}"}]
        relationships:
          - {type: reports_to, head: Employee, tail: {label: Employee, key: boss}}
          - {type: works_in, head: Employee, tail: {label: Department, key: dept}}
      - files: departments.csv
        nodes: [{label: Department, id: "d{id}"}]
        relationships: [{type: led_by, head: Department, tail: {label: Employee, key: head}}]
    """
    files = {
        "staff.csv": "id,boss,dept\n1,3,1\n2,1,1\n3,,2\n4,9,1\n5,4,1\n",
        "departments.csv": "id,head\n1,2\n2,3\n3,4\n",
    }
    graph = load_mapped(mapping, tmp_path, files)
    # 9 isn't there; so row 4 is set aside, and then what speaks of 4
    assert graph.reasons == [
        ("staff.csv", 5, Reason.DANGLING),
        ("staff.csv", 6, Reason.DANGLING),
        ("departments.csv", 4, Reason.DANGLING),
    ]
    assert graph.triples == {
        ("e1", "reports_to", "e3"),
        ("e1", "works_in", "d1"),
        ("e2", "reports_to", "e1"),
        ("e2", "works_in", "d1"),
        ("e3", "works_in", "d2"),
        ("d1", "led_by", "e2"),
        ("d2", "led_by", "e3"),
    }


@pytest.mark.parametrize("block", [40, 262_144])
@pytest.mark.parametrize("remembered", [0, 2, 100_000])
@pytest.mark.parametrize("dangling", ["reject", "create"])
def test_ids_that_come_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int, remembered: int, dangling: str
) -> None:
    """However many of them are remembered, and whether or not a block has anything new in it."""
    monkeypatch.setattr(lines, "BLOCK", block)
    monkeypatch.setattr(columns, "REMEMBERED", remembered)
    mapping = f"""
sources:
  - files: nodes.csv
    nodes: [{{label: {{column: label}}, id: id}}]
  - files: edges.csv
    relationships:
      - type: r
        head: {{label: A, id: a}}
        tail: {{label: B, id: b}}
        dangling: {dangling}
        optional: true
"""
    plain = [(f"a{number % 3}", f"b{number % 2}") for number in range(60)]
    rows = [*plain, ("a0", "a1"), *plain, (" a0 ", "new"), ("", "b0"), *plain, ("new", "b0"), ("a1", "b1")]
    nodes = "id,label\n" + "".join(f"{label}{number},{label.upper()}\n" for label in "ab" for number in range(3))
    edges = "a,b\n" + "".join(f"{head},{tail}\n" for head, tail in rows)
    graph = load_mapped(mapping, tmp_path, {"nodes.csv": nodes, "edges.csv": edges})
    wrong = [("edges.csv", 62, Reason.WRONG_LABEL)]
    if dangling == "reject":
        wrong += [("edges.csv", 123, Reason.DANGLING), ("edges.csv", 185, Reason.DANGLING)]
    else:
        wrong += [("edges.csv", 185, Reason.WRONG_LABEL)]
    assert graph.reasons == wrong
    made = {("a0", "r", "new")} if dangling == "create" else set()
    assert graph.triples == {(head, "r", tail) for head, tail in plain} | made


def test_cells_that_are_equal_and_not_the_same(tmp_path: Path) -> None:
    mapping = "sources: [{files: t.jsonl, nodes: [{label: T, id: x}]}]"
    cells = ["1", 1, True, 1.0, "1", "true", None, "1"] * 3
    rows = "".join(json.dumps({"x": cell}) + "\n" for cell in cells)
    graph = load_mapped(mapping, tmp_path, {"t.jsonl": rows})
    assert {*graph.entities} == {"1", "true"}
    assert len(graph.rejected) == 3


def test_composite_keys_do_not_collide() -> None:
    template = Template.parse("{a}/{b}")
    assert template.filled([["x/y", "x", "%"], ["z", "y/z", None]]) == ["x%2Fy/z", "x/y%2Fz", None]
    assert Template.parse("f{{{a}}}").filled([["1"]]) == ["f{1}"]
    assert Template.of(["a", "b"]) == template


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("film,year", "no column 'film_id'; no column 'title'"),
        ("film_id,film_id,title", "more than one column 'film_id'"),
    ],
)
def test_columns_that_are_not_there_are_all_named(tmp_path: Path, header: str, said: str) -> None:
    mapping = "sources: [{files: f.csv, nodes: [{label: Film, id: film_id, name: title}]}]"
    with pytest.raises(MappingError, match=said) as caught:
        load_mapped(mapping, tmp_path, {"f.csv": f"{header}\n1,2,3\n"})
    assert caught.value.where.endswith("f.csv")
    assert "film" in caught.value.fix


def test_a_file_that_the_mapping_does_not_speak_of(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"says nothing of .*other\.csv.*they are for f\.csv"):
        load_mapped("sources: [{files: f.csv, nodes: [{label: A, id: a}]}]", tmp_path, {"other.csv": "a\n"})


WRONG = [
    ("[]", "a mapping is a YAML mapping"),
    ("sources: [", "not valid YAML"),
    ("sources: []", "sources: "),
    ("schema: gone.yaml\nsources: []", "can't read the schema"),
    ("schema: {labels: {A: {word: x}}}\nsources: [{files: x, triples: [0,1,2]}]", "schema.labels.A.word: unknown key"),
    ("sources: [{files: x}]", "sources.0: say nodes and relationships, or triples, or rdf"),
    ("sources: [{files: x, nodes: [{label: A, id: 'a{b'}]}]", "single {"),
    ("sources: [{files: x, nodes: [{label: A, id: '{a}{b}'}]}]", "nothing between"),
    ("sources: [{files: x, nodes: [{label: A, id: '{{a}}'}]}]", "no column in it"),
    ("sources: [{files: x, nodes: [{label: A, id: a, properties: {p: {column: c, zone: Mars}}}]}]", "no time zone"),
    (
        "sources: [{files: x, nodes: [{label: A, id: a, nmae: b, properties: {p: {column: c, type: int}}}]}]",
        r"properties\.p\.type: Input should be 'string'.*nmae: unknown key",
    ),
    (
        "sources: [{files: x, relationships: [{type: r, head: A, tail: {label: B}}]}]",
        r"tail: say either key \(columns\) or id",
    ),
    (
        "sources: [{files: x, relationships: [{type: r, head: A, tail: {label: B, key: b}}]}]",
        r"'A' isn't the label of one node.*no source has nodes 'B'",
    ),
    (
        "sources: [{files: x, nodes: [{label: A, id: 'a/{x}'}]}, {files: y, nodes: [{label: A, id: x}]}]",
        "A: its ids are written in different ways",
    ),
    (
        "sources: [{files: x, nodes: [{label: A, id: [x, y]}],"
        " relationships: [{type: r, head: A, tail: {label: A, key: z}}]}]",
        "key has 1 columns, ids of A are made from 2",
    ),
]


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_a_wrong_mapping_is_one_clear_error(text: str, said: str) -> None:
    with pytest.raises(MappingError, match=said) as caught:
        MappingFile.from_yaml(text, where="m.yaml")
    assert caught.value.where == "m.yaml"
    assert "\n" not in str(caught.value)


def test_a_mapping_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="can't read the mapping: No such file"):
        MappingFile.load(tmp_path / "gone.yaml")
    (tmp_path / "m.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(MappingError, match="not UTF-8"):
        MappingFile.load(tmp_path / "m.yaml")


def test_the_fingerprint_is_of_the_meaning() -> None:
    one = MappingFile.from_yaml("sources: [{files: x, triples: [0, 1, 2]}]")
    same = MappingFile.from_yaml("version: 1\nsources:\n- {files: [x], triples: {head: 0, relation: 1, tail: 2}}")
    other = MappingFile.from_yaml("sources: [{files: x, triples: [0, 2, 1]}]")
    assert one.fingerprint() == same.fingerprint() != other.fingerprint()
