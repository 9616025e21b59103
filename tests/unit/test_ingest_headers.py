"""First lines that name the columns, badly: a name twice, or names that hardly are names."""

from __future__ import annotations

from pathlib import Path

import pytest

from graph_schema import Fact, InputError
from ingest import LoadOptions, Source
from ingest.mapping_file import MappingFile
from ingest.suggest import suggest
from tests.unit.ingest_helpers import load_bytes
from tests.unit.mapping_helpers import load_paths


@pytest.mark.parametrize(
    ("first", "said"),
    [
        ("head,head,tail", "has 'head' more than once: 'head', 'head', 'tail'"),
        ("Head, relation ,head_", "has 'Head' more than once"),
        ("head\trelation\trelation", "has 'relation' more than once"),
        ("source|type|type", "has 'type' more than once"),
        ("id,name,id", "has 'id' more than once"),
        ("subject,from,object", "doesn't say one each for head, relation and tail"),
        ('"head","head","tail"', "has 'head' more than once"),
    ],
)
def test_a_header_with_a_name_twice_is_no_fact(first: str, said: str) -> None:
    delimiter = next(mark for mark in ",\t|" if mark in first)
    content = f"\n{first}\n{delimiter.join('arb')}\n".encode()
    with pytest.raises(InputError, match=rf"^facts:2: its first line looks like a header that {said}") as raised:
        load_bytes(content)
    for way in ("Rename", "columns: 0,1,2", "header: no"):
        assert way in raised.value.fix


def test_what_is_said_makes_a_header_with_a_name_twice_a_fact_or_not() -> None:
    content = b"head,head,tail\na,r,b\n"
    assert load_bytes(content, LoadOptions(header="no"))[0] == {Fact("head", "head", "tail"), Fact("a", "r", "b")}
    facts, report = load_bytes(content, LoadOptions(columns=(0, 1, 2)))
    assert facts == {Fact("a", "r", "b")}
    assert report.files[0].header == ("head", "head", "tail")
    assert load_bytes(b"id,id,head,tail\n1,a,r,b\n", LoadOptions(columns=(1, 2, 3)))[0]


@pytest.mark.parametrize(
    "lines",
    [
        "Head,directed_by,Bob Rafelson\nHead,type,Film\n",
        "Head,similar to,Head\nAlien,similar to,Heat\n",
        "Source,type,Source\nHeat,type,Film\n",
        "Property,type,Property\nProperty,type,Class\n",
        "Type,label,type\nHeat,label,heat\n",
        "Heat,heat,heat\n",
    ],
)
def test_facts_about_things_that_are_called_like_columns_are_facts(lines: str) -> None:
    facts, report = load_bytes(lines.encode())
    assert len(facts) == lines.count("\n")
    assert report.files[0].header is None


def suggested(folder: Path, content: str, options: LoadOptions | None = None) -> str:
    (folder / "films.csv").write_text(content, "utf-8")
    return suggest([Source.of(folder / "films.csv")], options)


@pytest.mark.parametrize(
    ("content", "options"),
    [
        ("id,name,name\n1,Heat,H\n2,Alien,A\n", None),
        ("film,title,title\n1,Heat,H\n2,Alien,A\n", None),
        ("head,head,tail\na,r,b\nc,r,d\n", None),
        ("film,title,title\nh,Heat,H\na,Alien,A\n", LoadOptions(header="yes")),
    ],
)
def test_no_mapping_is_suggested_for_a_header_with_a_name_twice(
    content: str, options: LoadOptions | None, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"films\.csv:2: its first line looks like a header that has '\w+' more than"):
        suggested(tmp_path, f"\n{content}", options)


def test_a_header_with_a_name_twice_can_have_names_by_a_mapping(tmp_path: Path) -> None:
    (tmp_path / "films.csv").write_text("id,name,name\n1,Heat,H\n")
    mapping = (
        "sources: [{files: films.csv, header: 'yes', columns: [id, name, short], nodes: "
        "[{label: Film, id: id, name: name, properties: {short: short}}]}]"
    )
    graph = load_paths(MappingFile.from_yaml(mapping), [tmp_path / "films.csv"])
    assert {id_: dict(entity.properties) for id_, entity in graph.entities.items()} == {"1": {"short": "H"}}


@pytest.mark.parametrize("odd", ["DETACH DELETE n` ", "x'}) DETACH DELETE n //", '"a\\""{b}"', "prix en €", "année*"])
def test_odd_names_are_names_where_the_others_plainly_are(odd: str, tmp_path: Path) -> None:
    for first, rows in (("id,name", "tt1,Heat,x\ntt2,Alien,y\n"), ("film,shown", "a,1995,x\nb,1979,y\n")):
        text = suggested(tmp_path, f"{first},{odd}\n{rows}")
        assert "header: 'yes'" in text
        assert "may name the columns" not in text
        graph = load_paths(MappingFile.from_yaml(text), [tmp_path / "films.csv"])
        assert not graph.rejected
        assert len(graph.entities) == 2


@pytest.mark.parametrize(
    ("content", "odd"),
    [
        ("film,actor,actor\nHeat,Al,Bob\nAlien,Cid,Dan\n", "'actor' twice"),
        ("film,actor,x`\nHeat,Al,Bob\nAlien,Cid,Dan\n", "'x`' in it"),
        (",film,year\n1,Heat,1995\n2,Alien,1979\n", "'' in it"),
    ],
)
def test_a_header_that_may_be_data_is_commented(content: str, odd: str, tmp_path: Path) -> None:
    text = suggested(tmp_path, content)
    assert "header: 'no'" in text
    assert f"# the first row may name the columns, but has {odd}, and so was taken for data" in text


@pytest.mark.parametrize("content", ["1,Heat,1995\n2,Alien,1979\n", "?,Heat,1995\nx,Alien,1979\n"])
def test_rows_of_data_alone_raise_no_doubt(content: str, tmp_path: Path) -> None:
    text = suggested(tmp_path, content)
    assert "header: 'no'" in text
    assert "may name" not in text
