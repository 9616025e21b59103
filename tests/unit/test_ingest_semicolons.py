"""Lines with semicolons between, as spreadsheets write CSV where the comma stands in numbers; and with other marks."""

from __future__ import annotations

from pathlib import Path

import pytest

from graph_schema import Fact, InputError
from ingest import LoadOptions, Source
from ingest.mapping_file import MappingFile
from ingest.quarantine import Quarantine
from ingest.suggest import suggest
from tests.unit.ingest_helpers import load_bytes, read_rows
from tests.unit.mapping_helpers import load_paths

FACTS = {Fact("a", "r", "b"), Fact("c", "r", "d;e")}


@pytest.mark.parametrize("first", ["", "head;relation;tail\n", '"head";"relation";"tail"\n'])
@pytest.mark.parametrize("options", [LoadOptions(), LoadOptions(format="semicolon")], ids=["found", "said"])
def test_facts_with_semicolons_between(first: str, options: LoadOptions) -> None:
    content = f'{first}a;r;b\r\nc;r;"d;e"\r\nbad;x\r\n'.encode()
    facts, report = load_bytes(content, options)
    assert facts == FACTS
    assert report.files[0].format == "semicolon"
    assert report.files[0].header == (("head", "relation", "tail") if first else None)
    assert report.rejected == {"wrong number of fields": 1}


def test_many_lines_are_read_alike_block_by_block_and_one_by_one() -> None:
    lines = [f"film {number};directed by;person {number % 7}" for number in range(20_000)]
    table, rows, rejected = read_rows("\n".join(lines).encode(), LoadOptions())
    _, slow, _ = read_rows("\n\n".join(lines).encode(), LoadOptions(format="semicolon"))  # a blank line is looked at
    assert table.format == "semicolon"
    assert not rejected
    assert [row for _, row in rows] == [row for _, row in slow]
    assert len(rows) == 20_000


@pytest.mark.parametrize(
    ("lines", "format_"),
    [
        (["1,a;b;c", "2,d;e;f"], "csv"),
        (["id,kinds", "1,a;b", "2,c;d"], "csv"),
        (["a;b,of,c;d", "e;f,of,g;h"], "csv"),
        (["h\tr\ta;b", "h\tr\tc;d"], "tsv"),
        (["h|a;b;c", "h|d;e;f"], "pipe"),
        (["1;Heat;1,50", "2;Alien;2,00"], "semicolon"),
        (["id;price", "1;1,50", "2;2,00"], "semicolon"),
        (["1;Heat, the;x", "2;Alien;y"], "semicolon"),
        (["Heat, the", "Alien"], "csv"),
        (["Heat"], "tsv"),
    ],
)
def test_lists_and_numbers_do_not_make_semicolons_the_delimiter_nor_commas(lines: list[str], format_: str) -> None:
    table, _, _ = read_rows("\n".join([*lines, ""]).encode(), LoadOptions(table=True, header="no"))
    assert table.format == format_


FILMS = 'id;name;year;price\n1;Heat;1995;1,50\n2;"Alien; the";1979;2\n3;Solo;1999;-0,5\n4;Lola;1961;\n5;A;1;3,125\n'


def test_a_mapping_is_suggested_and_loads(tmp_path: Path) -> None:
    (tmp_path / "films.csv").write_text(FILMS)
    text = suggest([Source.of(tmp_path / "films.csv")])
    assert "format: semicolon" in text
    assert "header: 'yes'" in text
    assert "price: {column: price, type: float, decimal: ','}" in text
    graph = load_paths(
        MappingFile.from_yaml(text.replace("{column: name, separator: ;}", "name")), [tmp_path / "films.csv"]
    )
    assert not graph.rejected
    prices = [entity.properties.get("price") for entity in graph.entities.values()]
    assert prices == [1.5, 2.0, -0.5, None, 3.125]


def test_rows_set_aside_are_mended_and_loaded(tmp_path: Path) -> None:
    mapping = MappingFile.from_yaml("sources: [{files: f.csv, nodes: [{label: F, id: id, name: name}]}]")
    (tmp_path / "f.csv").write_text("id;name\n1;Heat\n2\n")
    load_paths(mapping, [tmp_path / "f.csv"], quarantine=Quarantine(kept := tmp_path / "kept.jsonl"))
    kept.write_text(kept.read_text().replace('"row": "2"', '"row": "2;\\"a;b\\""'))
    graph = load_paths(None, [kept])
    assert [(entity.id, entity.name) for entity in graph.entities.values()] == [("2", "a;b")]


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        ("id^name^year\n1^Heat^1995\n2^Alien^1979\n", None, r"each line has 2 times '\^'\. Write tabs, \|, commas"),
        ("id~name\n1~Heat\n2~Alien\n", None, "each line has 1 time '~'"),
        (FILMS, LoadOptions(format="tsv"), "each line has 3 times ';'. Say its format: semicolon, or auto"),
    ],
)
def test_lines_with_another_mark_between_are_refused(
    content: str, options: LoadOptions | None, said: str, tmp_path: Path
) -> None:
    (tmp_path / "films.csv").write_text(content)
    with pytest.raises(InputError, match=rf"films\.csv: only one column was found, and {said}"):
        suggest([Source.of(tmp_path / "films.csv")], options)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("name\nHeat\nAlien; the\n", "# only one column was found; tabs, |, commas and semicolons can delimit several"),
        ("MESH:1\nMESH:2\n", "# only one column was found, and each line has 1 time ':', which can't delimit columns"),
    ],
)
def test_one_column_alone_is_commented(content: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "films.csv").write_text(content)
    assert said in suggest([Source.of(tmp_path / "films.csv")])
