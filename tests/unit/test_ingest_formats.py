"""Files that are as they should be: every format gives the same facts."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_schema import Fact, InputError
from ingest import LoadOptions, lines
from tests.unit.ingest_helpers import MemoryWriter, load_bytes

FACTS = {Fact("Kismet", "directed_by", "William Dieterle"), Fact("$", "has_tags", "bd-r")}


def write_rows(rows: list[tuple[str, str, str]], delimiter: str) -> bytes:
    text = io.StringIO(newline="")
    if delimiter == ",":
        csv.writer(text).writerows(rows)
    else:
        text.writelines(delimiter.join(row) + "\n" for row in rows)
    return text.getvalue().encode()


@pytest.mark.parametrize(("delimiter", "name"), [("\t", "tsv"), ("|", "pipe"), (",", "csv")])
@pytest.mark.parametrize("header", [None, ("head", "relation", "tail"), ("Subject", "PREDICATE", " object ")])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("said", [True, False])
def test_each_format_is_found_or_taken_as_said(
    delimiter: str, name: Any, header: tuple[str, ...] | None, bom: bytes, end: bytes, said: bool
) -> None:
    rows = ([header] if header else []) + [(fact.head, fact.relation, fact.tail) for fact in sorted(FACTS)]
    content = bom + end.join(delimiter.join(row).encode() for row in rows)
    options = LoadOptions(format=name) if said else None
    facts, report = load_bytes(content, options)
    assert facts == FACTS
    assert report.files[0].format == name
    assert report.files[0].header == (tuple(cell.strip() for cell in header) if header else None)
    assert report.lines == len(rows)


# Text without lone surrogates, which UTF-8 lacks, and the control characters that make a file look binary; trimmed.
odd = (
    st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\t\n\r\f\x85"), max_size=30)
    .map(str.strip)
    .filter(bool)
)
plain = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20).map(str.strip).filter(bool)


def without(names: st.SearchStrategy[str], *parts: str) -> st.SearchStrategy[str]:
    return names.filter(lambda name: not any(part in name for part in parts))


@pytest.mark.parametrize(("delimiter", "name"), [("\t", "tsv"), ("|", "pipe"), (",", "csv")])
@given(data=st.data())
def test_any_odd_names_come_back_the_same(delimiter: str, name: Any, data: st.DataObject) -> None:
    names, relations = (odd, plain) if name == "csv" else (without(s, delimiter, "\n") for s in (odd, plain))
    rows = data.draw(st.lists(st.tuples(names, relations, names), min_size=1, max_size=8))
    # Unless every field is quoted, quotes in TSV and | files are characters like any other.
    quoting: Any = "yes" if name == "csv" else "no"
    options = LoadOptions(format=name, header="no", quoting=quoting)
    facts, report = load_bytes(write_rows(rows, delimiter), options)
    assert facts == {Fact(*row) for row in rows}
    assert report.facts == len(rows)
    assert report.created + report.merged == len(rows)
    assert not report.rejected


@given(
    st.lists(st.tuples(*[st.sampled_from(['a"b', '"', "x", "'", "ä"])] * 3), min_size=1, max_size=30), st.integers(1, 9)
)
def test_small_blocks_and_batches_change_nothing(rows: list[tuple[str, str, str]], size: int) -> None:
    content = write_rows(rows, "\t")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(lines, "BLOCK", size)
        facts, report = load_bytes(content, LoadOptions(format="tsv", header="no", quoting="no", batch_size=size))
    assert facts == {Fact(*row) for row in rows}
    assert report.lines == report.facts == len(rows)
    assert report.created == len(facts)


def test_quotes_of_verbatim_formats_stay() -> None:
    content = b'"Great Performances" Cats|starred_actors|Elaine Paige\nOcean\'s "11"|has_tags|it\'s\n"|has_tags|x\n'
    assert load_bytes(content)[0] == {
        Fact('"Great Performances" Cats', "starred_actors", "Elaine Paige"),
        Fact('Ocean\'s "11"', "has_tags", "it's"),
        Fact('"', "has_tags", "x"),
    }


def test_a_line_that_fits_only_with_quoting_is_read_with_it() -> None:
    facts, report = load_bytes(b'"a"|r|b\n"c|d"|r|e\n')
    assert facts == {Fact('"a"', "r", "b"), Fact("c|d", "r", "e")}
    assert not report.rejected
    _, strict = load_bytes(b'a|r|b\n"c|d"|r|e\n', LoadOptions(quoting="no"))
    assert strict.rejected == {"wrong number of fields": 1}


def test_a_file_with_every_field_quoted_is_read_with_quoting() -> None:
    assert load_bytes(b'"a"|"r"|"b ""x"""\n"c"|"r"|"d"\n')[0] == {Fact("a", "r", 'b "x"'), Fact("c", "r", "d")}


def test_quoted_csv_spans_lines_and_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    content = b'a,r,"b\nc"\nd,r,e\n"f\n\ng",r,"h, ""i"""\n'
    expected = {Fact("a", "r", "b\nc"), Fact("d", "r", "e"), Fact("f\n\ng", "r", 'h, "i"')}
    assert load_bytes(content)[0] == expected
    monkeypatch.setattr(lines, "BLOCK", 5)
    facts, report = load_bytes(content)
    assert facts == expected
    assert report.lines == 6


def test_header_says_the_order() -> None:
    facts, _ = load_bytes(b"from\tto\ttype\nKismet\tDieterle\tdirected_by\n")
    assert facts == {Fact("Kismet", "directed_by", "Dieterle")}


def test_header_can_be_refused_or_demanded() -> None:
    content = b"from|type|to\na|r|b\n"
    assert Fact("from", "type", "to") in load_bytes(content, LoadOptions(header="no"))[0]
    assert load_bytes(b"x|y|z\na|r|b\n", LoadOptions(header="yes"))[0] == {Fact("a", "r", "b")}


@pytest.mark.parametrize(
    "content", [b"id,score,s,p,o\n1,0.5,a,r,b\n2,0.7,c,r,d\n", b'\n"id",score,s,p,"o"\n1,0,a,r,b\n2,,c,r,d']
)
def test_columns_by_name(content: bytes) -> None:
    facts, report = load_bytes(content, LoadOptions(columns=("s", "p", "o")))
    assert facts == {Fact("a", "r", "b"), Fact("c", "r", "d")}
    assert report.files[0].header == ("id", "score", "s", "p", "o")


def test_columns_by_position() -> None:
    facts, report = load_bytes(b"1\tb\ta\tr\n2\td\tc\tr\nshort\tx\ty\n", LoadOptions(columns=(2, 3, 1)))
    assert facts == {Fact("a", "r", "b"), Fact("c", "r", "d")}
    assert report.rejected == {"wrong number of fields": 1}
    facts, _ = load_bytes(b"n,target,source,type\n1,b,a,r\n", LoadOptions(columns=(2, 3, 1)))
    assert facts == {Fact("a", "r", "b")}


@pytest.mark.parametrize("content", [b"s,p,x\na,r,b\n", b"s,p,o,o\na,r,b,c\n"])
def test_a_column_that_is_not_there_once_is_an_error(content: bytes) -> None:
    with pytest.raises(InputError, match=r"column 'o'.*It names 's', 'p'"):
        load_bytes(content, LoadOptions(columns=("s", "p", "o")))


def test_gzip_is_found_by_content(tmp_path: Path) -> None:
    from ingest import load

    path = tmp_path / "facts.txt"
    path.write_bytes(gzip.compress(b"a|r|b\n") + gzip.compress(b"c|r|d\n"))
    writer = MemoryWriter()
    load([path], writer)
    assert writer.facts == {Fact("a", "r", "b"), Fact("c", "r", "d")}


def test_fields_are_trimmed_and_blank_lines_ignored() -> None:
    facts, report = load_bytes(b"\n \n a | r |  b \n\n\nc|r|d\n   \n")
    assert facts == {Fact("a", "r", "b"), Fact("c", "r", "d")}
    assert report.lines == 7
    assert not report.rejected


def test_the_replacement_character_is_one_like_others() -> None:
    assert load_bytes("\ufffd|r|\ufffd\ufffd\n".encode())[0] == {Fact("\ufffd", "r", "\ufffd\ufffd")}


def test_comments_are_facts_like_others() -> None:
    assert load_bytes(b"# a|r|b\n")[0] == {Fact("# a", "r", "b")}
