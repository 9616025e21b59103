"""A suggested mapping is what one would write, and loads the data as it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingest import LoadOptions, profile
from ingest.mapping_file import MappingFile
from ingest.sources import Source
from ingest.suggest import suggest
from tests.unit.mapping_helpers import Graph, load_paths


def suggested(folder: Path, files: Mapping[str, str]) -> tuple[str, Graph]:
    """The mapping for these files, and what it loads."""
    paths = []
    for name, content in files.items():
        paths.append(folder / name)
        paths[-1].parent.mkdir(parents=True, exist_ok=True)
        paths[-1].write_text(content, "utf-8")
    text = suggest([Source.of(path) for path in paths])
    return text, load_paths(MappingFile.from_yaml(text), paths)


MOVIES = {
    "movies.csv": (
        "movieId:ID(Movie),title,tagline,released:int\n"
        "tt0133093,The Matrix,Welcome to the Real World,1999\ntt0234215,The Matrix Reloaded,Free your mind,2003\n"
    ),
    "people.csv": "personId:ID(Person),name,born:int\n"
    "keanu,Keanu Reeves,1964\nlana,Lana Wachowski,1965\nnobody,Nobody,\n",
    "acted_in.csv": (
        ':START_ID(Person),:END_ID(Movie),roles\nkeanu,tt0133093,Neo\nkeanu,tt0234215,"Neo;Thomas Anderson"\n'
    ),
    "DIRECTED.csv": ":START_ID(Person),:END_ID(Movie)\nlana,tt0133093\nlana,tt0234215\n",
}


def test_movies_as_neo4j_imports_them(tmp_path: Path) -> None:
    text, graph = suggested(tmp_path, MOVIES)
    assert not graph.rejected
    assert graph.order[:2] == ["movies.csv", "people.csv"]
    assert graph.entities["tt0133093"].name == "The Matrix"
    assert graph.entities["tt0133093"].label == "Movie"
    assert graph.entities["tt0133093"].properties == {"tagline": "Welcome to the Real World", "released": 1999}
    assert graph.entities["nobody"].properties == {}
    assert graph.triples == {
        ("keanu", "acted_in", "tt0133093"),
        ("keanu", "acted_in", "tt0234215"),
        ("lana", "DIRECTED", "tt0133093"),
        ("lana", "DIRECTED", "tt0234215"),
    }
    assert sorted(map(str, (p.get("roles") for p in graph.facts.values() if p))) == [
        "('Neo', 'Thomas Anderson')",
        "('Neo',)",
    ]
    assert "# movieId:ID(Movie) is in each row, and no value comes twice" in text


NORTHWIND = {
    "customers.csv": (
        "customerID,companyName,contactName,city,phone\n"
        "ALFKI,Alfreds Futterkiste,Maria Anders,Berlin,030-0074321\nVINET,Vins et alcools,Paul Henriot,Reims,NULL\n"
        "TOMSP,Toms Spezialitaten,Karin Josephs,Munster,0251-031259\n"
    ),
    "employees.csv": (
        "employeeID,lastName,firstName,birthDate,reportsTo\n"
        "1,Davolio,Nancy,1948-12-08,2\n2,Fuller,Andrew,1952-02-19,NULL\n3,Leverling,Janet,1963-08-30,2\n"
    ),
    "categories.csv": "categoryID,categoryName\n1,Beverages\n2,Condiments\n",
    "products.csv": (
        "productID,productName,categoryID,unitPrice,discontinued\n"
        "1,Chai,1,18.00,false\n2,Chang,1,19.00,false\n3,Aniseed Syrup,2,10.00,true\n"
    ),
    "orders.csv": (
        "orderID,customerID,employeeID,orderDate,freight\n"
        "10248,VINET,3,04/07/1996,32.38\n10249,TOMSP,2,25/07/1996,11.61\n10250,ALFKI,1,08/07/1996,65.83\n"
        "10251,VINET,1,08/07/1996,41.34\n"
    ),
    "order_details.csv": (
        "orderID,productID,unitPrice,quantity,discount\n"
        "10248,1,14.00,12,0\n10248,2,9.80,10,0\n10249,3,18.60,9,0.15\n10250,1,7.70,10,0\n10251,1,14.00,5,0\n10251,3,9,6,0\n"
    ),
}


def test_northwind_with_its_foreign_keys(tmp_path: Path) -> None:
    text, graph = suggested(tmp_path, NORTHWIND)
    assert not graph.rejected
    order = graph.entities["order/10248"]
    assert order.label == "Order"
    assert order.properties == {"orderDate": date(1996, 7, 4), "freight": 32.38}
    assert graph.entities["employee/1"].name == "Nancy Davolio"
    assert graph.entities["employee/1"].properties == {"birthDate": date(1948, 12, 8)}
    assert graph.entities["VINET"].name == "Vins et alcools"
    assert "phone" not in graph.entities["VINET"].properties
    assert graph.entities["product/3"].properties == {"unitPrice": 10.0, "discontinued": True}
    relations = {r for _, r, _ in graph.triples}
    assert ("employee/1", "reportsTo", "employee/2") in graph.triples
    assert ("product/1", "has_category", "category/1") in graph.triples
    assert ("order/10248", "has_customer", "VINET") in graph.triples
    assert ("order/10248", "has_employee", "employee/3") in graph.triples
    details = {f: p for f, p in graph.facts.items() if f.relation == "order_details"}
    assert len(details) == 6
    assert {p["quantity"] for f, p in details.items() if f.head == "order/10248"} == {12, 10}
    assert len(relations) == 5
    assert "# day and month" not in text.split("order_details.csv")[1]
    assert len(graph.entities) == 3 + 3 + 2 + 3 + 4


def test_hetionets_nodes_and_edges(tmp_path: Path) -> None:
    """The beginnings of the real files, as they are."""
    nodes = ["id\tname\tkind"]
    nodes += [f"Gene::{n}\tG{n}\tGene" for n in (9021, 51676, 9, 10)]
    nodes += ["Anatomy::UBERON:0000002\tuterine cervix\tAnatomy", "Anatomy::UBERON:0000004\tnose\tAnatomy"]
    nodes += ["Disease::DOID:14227\tazoospermia\tDisease"]
    text, graph = suggested(
        tmp_path,
        {
            "nodes.tsv": "\n".join(nodes) + "\n",
            "Disease_Localizes_Anatomy.tsv": (
                ":START_ID(Disease)\t:END_ID(Anatomy)\nDOID:14227\tUBERON:0000002\nDOID:14227\tUBERON:0000004\n"
            ),
            "Gene_Interacts_Gene.tsv": ":START_ID(Gene)\t:END_ID(Gene)\n9021\t51676\n51676\t9\n9\t10\n",
        },
    )
    assert not graph.rejected
    assert len(graph.entities) == 7
    assert graph.entities["Anatomy::UBERON:0000004"].label == "Anatomy"
    assert ("Disease::DOID:14227", "Localizes", "Anatomy::UBERON:0000004") in graph.triples
    assert ("Gene::9021", "Interacts", "Gene::51676") in graph.triples
    assert "dangling" not in text


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "train.txt",
            "/m/027rn\t/location/country/form_of_government\t/m/06cx9\n"
            "/m/017dcd\t/tv/tv_program/regular_cast./tv/regular_tv_appearance/actor\t/m/06v8s0\n"
            "/m/07s9rl0\t/media_common/netflix_genre/titles\t/m/0170z3\n/m/01sl1q\t/award/x\t/m/044mz_\n"
            "/m/0cnk2q\t/location/country/form_of_government\t/m/02nzb8\n/m/02_j1w\t/award/x\t/m/01cwm1\n",
        ),
        (
            "kb.txt",
            "Kismet|directed_by|Dieterle\nKismet|written_by|Knoblock\nGigi|directed_by|Minnelli\nGigi|has_genre|x\n",
        ),
        ("t.csv", "subject,predicate,object\na,r,b\nc,s,d\n"),
    ],
)
def test_triples(name: str, content: str, tmp_path: Path) -> None:
    text, graph = suggested(tmp_path, {name: content})
    assert "triples: " in text
    assert not graph.rejected
    assert len(graph.facts) == content.count("\n") - content.startswith("subject")


def test_json_lines(tmp_path: Path) -> None:
    films = [
        {
            "id": 1,
            "title": "Kismet",
            "year": 1944,
            "genres": ["Drama", "Fantasy"],
            "studio": {"name": "MGM"},
            "cast": [7, 8],
        },
        {"id": 2, "title": "Gigi", "year": None, "genres": [], "studio": {"name": "MGM"}, "cast": [8]},
    ]
    people = [{"id": 7, "name": "Ronald Colman"}, {"id": 8, "name": "Marlene Dietrich"}]
    _, graph = suggested(
        tmp_path,
        {
            "films.jsonl": "".join(json.dumps(row) + "\n" for row in films),
            "cast.jsonl": "".join(json.dumps(row) + "\n" for row in people),
        },
    )
    assert not graph.rejected
    assert graph.entities["film/1"].properties == {"year": 1944, "genres": ("Drama", "Fantasy"), "studio_name": "MGM"}
    assert {t for t in graph.triples if t[0] == "film/1"} == {
        ("film/1", "has_cast", "cast/7"),
        ("film/1", "has_cast", "cast/8"),
    }


ODD = {
    "no header": ("t.csv", "a1,x,1.5,2020-01-01\nb2,x,2.5,2020-01-02\nc3,y,,2020-01-03\n", 3),
    "no key": ("visits.csv", "who,where,when\nann,zoo,2020-01-01\nann,zoo,2020-01-02\nbob,zoo,2020-01-01\n", 3),
    "no key at all": ("t.csv", "a,b,c,d\n1.5,,x,\n1.5,,x,\n,,,z\n", None),
    "padded numbers": ("zips.csv", "zip,city\n01067,Dresden\n01069,Dresden\n", 2),
    "braces and odd names": ("t.csv", 'id,"a {b}","c: d",#e\n1,x,y,z\n2,,,\n', 2),
    "one column": ("words.csv", "word\nred\ngreen\n", 2),
    "big numbers": ("t.csv", "id,n\na,9223372036854775808\nb,1\n", 2),
    "booleans": ("t.csv", "id,flag\na,yes\nb,no\n", 2),
    "two with one name": ("t.csv", "id,a b,a-b\n1,x,y\n", 1),
    "header only": ("t.csv", "id,name\n", 0),
    "a pattern's characters": ("t[1].csv", "id,name\na,b\n", 1),
}


@pytest.mark.parametrize("odd", ODD)
def test_odd_tables_are_loaded_as_they_are(odd: str, tmp_path: Path) -> None:
    name, content, entities = ODD[odd]
    text, graph = suggested(tmp_path, {name: content})
    assert MappingFile.from_yaml(text)
    if entities is not None:
        assert [str(r) for r in graph.rejected] == []
        assert len(graph.entities) == entities
    if odd == "no key":
        assert "NO KEY was found" in text
    if odd == "padded numbers":
        assert "01067" in graph.entities


def test_what_was_not_seen_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile, "ROWS", 10)
    monkeypatch.setattr("ingest.suggestion.ROWS", 10)
    monkeypatch.setattr("ingest.lines.BLOCK", 100)
    people = "id,name\n" + "".join(f"p{n},n{n}\n" for n in range(50))
    films = "id,title,person_id\n" + "".join(f"f{n},t{n},p{n + 20}\n" for n in range(40))
    text, graph = suggested(tmp_path, {"persons.csv": people, "films.csv": films})
    assert text.count("# only the first 10 rows were looked at") == 2
    assert not graph.rejected


def test_ends_that_are_not_there_are_made(tmp_path: Path) -> None:
    people = "id,name\n" + "".join(f"p{n},n{n}\n" for n in range(20))
    films = "id,title,person_id\n" + "".join(f"f{n},t{n},p{n + 1}\n" for n in range(20))
    text, graph = suggested(tmp_path, {"persons.csv": people, "films.csv": films})
    assert "dangling: create" in text
    assert "19 of its 20 values are id in persons.csv" in text
    assert not graph.rejected
    assert graph.entities["p20"].label == "Person"


def test_lines_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    text, graph = suggested(tmp_path, {"t.csv": "id,name\na,b\nc\nd,e\n"})
    assert "# 1 line can't be read" in text
    assert [r.line for r in graph.rejected] == [3]


cells = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters=',"'), max_size=6)


@settings(deadline=None)  # it writes files
@example(header=[":{"], rows=[[""] * 5])
@example(header=["a}", "b\\", "\\}"], rows=[["x"] * 5, ["y"] * 5])
@given(
    header=st.lists(cells.map(str.strip).filter(bool), min_size=1, max_size=5, unique=True),
    rows=st.lists(st.lists(cells, min_size=5, max_size=5), min_size=1, max_size=8),
)
def test_any_table_gets_a_mapping_that_fits(
    header: list[str], rows: list[list[str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("t")
    content = ",".join(header) + "\n" + "".join(",".join(row[: len(header)]) + "\n" for row in rows)
    (folder / "table.csv").write_text(content, "utf-8")
    source = Source.of(folder / "table.csv")
    text = suggest([source], LoadOptions(format="csv"))
    graph = load_paths(MappingFile.from_yaml(text), [folder / "table.csv"])
    assert {r.reason for r in graph.rejected} <= {"empty field", "control character in an id or label"}


PEOPLE = "id,name\n" + "".join(f"{number},Person {number}\n" for number in range(1, 101))


def films_with(column: str, numbers: range) -> str:
    return f"id,title,{column}\n" + "".join(
        f"{500 + place},Film {place},{number}\n" for place, number in enumerate(numbers)
    )


def test_a_column_of_ids_is_a_reference_where_only_one_file_fits_though_none_comes_twice(tmp_path: Path) -> None:
    text, graph = suggested(tmp_path, {"films.csv": films_with("director_id", range(60, 30, -1)), "people.csv": PEOPLE})
    assert "type: director  # 30 of its 30 values are id in people.csv" in text
    assert not graph.rejected
    assert len(graph.facts) == 30


@pytest.mark.parametrize(
    ("column", "numbers"),
    [("house_no", range(1, 31)), ("director_id", range(75, 103)), ("editor_key", range(30, 60))],
)
def test_numbers_that_may_be_ids_by_chance_are_commented(column: str, numbers: range, tmp_path: Path) -> None:
    text, _ = suggested(tmp_path, {"films.csv": films_with(column, numbers), "people.csv": PEOPLE})
    assert f"{column}: {{column: {column}, type: integer}}  # may refer to people.csv; by its values it" in text


def test_numbers_that_are_no_ids_are_not_commented(tmp_path: Path) -> None:
    text, _ = suggested(tmp_path, {"films.csv": films_with("minutes", range(1, 31)), "people.csv": PEOPLE})
    assert "may refer" not in text


def test_rdf_has_no_columns_to_be_told_apart(tmp_path: Path) -> None:
    files = {"r.ttl": "@prefix ex: <http://ex.org/> .\nex:a ex:r ex:b .\n", "films.csv": MOVIES["movies.csv"]}
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    text = suggest([Source.of(tmp_path / name) for name in files])
    assert "  - files: r.ttl\n    rdf: {}\n" in text
    assert "KEY" not in text.split("  - files: r.ttl")[0]
