"""Statements of RDF as rows: each with its line, bad ones set aside or the end of the file, memory bounded."""

from __future__ import annotations

import io
import random
import resource
from typing import Any

import pyoxigraph as ox
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_schema import InputError
from ingest import LoadOptions, Reason, Rejected, Source, lines, rdf_read
from ingest.readers import read
from tests.unit.ingest_helpers import read_rows

XSD = "http://www.w3.org/2001/XMLSchema#"


def rows_of(content: bytes, name: str = "x.nt") -> list[tuple[int, tuple[object, ...]]]:
    return [(line, tuple(row.values())) for line, row in read_rows(content, name=name)[1]]


NT = b"""\xef\xbb\xbf<http://a/1> <http://a/p> <http://a/2> .
# a comment

_:b <http://a/p> "x"@en . # and another
  <http://a/1> <http://a/p> _:b .\r
<http://a/1><http://a/p>"1"^^<http://www.w3.org/2001/XMLSchema#integer>.
<http://a/1> <http://a/p> "a\\nb\\u00e9\xc3\xa9\\"" ."""
NT_ROWS = [
    (1, ("http://a/1", "http://a/p", "http://a/2")),
    (4, ("_:b", "http://a/p", "x", "http://www.w3.org/1999/02/22-rdf-syntax-ns#langString", "en")),
    (5, ("http://a/1", "http://a/p", "_:b")),
    (6, ("http://a/1", "http://a/p", "1", XSD + "integer")),
    (7, ("http://a/1", "http://a/p", 'a\nbéé"', XSD + "string")),
]


@pytest.mark.parametrize("block", [3, 7, 50, 10_000])
def test_ntriples_by_line(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "BLOCK", block)
    assert rows_of(NT) == NT_ROWS


@pytest.mark.parametrize("rows", [1, 2, 10_000])
def test_the_same_as_turtle(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rdf_read, "ROWS", rows)
    assert rows_of(NT, "x.ttl") == NT_ROWS


BAD_LINES = [
    (b"<http://a/1> <http://a/p> nonsense .", Reason.BAD_RDF, "The object of a triple must be"),
    (b"<http://a/1> <http://a/p> <http://a/2>", Reason.BAD_RDF, ""),
    (b"<http://a/1> <http://a/p> <http://a b> .", Reason.BAD_RDF, "Invalid IRI code point ' '"),
    (b"<http://a/1> <http://a/p> <relative> .", Reason.BAD_RDF, "No scheme found"),
    (b'<http://a/1> <http://a/p> "\\uD800" .', Reason.BAD_RDF, "The escape sequence"),
    (b'"x" <http://a/p> <http://a/2> .', Reason.BAD_RDF, ""),
    (b"<http://a/1> _:p <http://a/2> .", Reason.BAD_RDF, ""),
    (b"<a:1> <a:p> <a:2> . <a:1> <a:p> <a:3> .", Reason.BAD_RDF, "Only a single triple"),
    (b"<http://a/1> <http://a/p> <<( <a:1> <a:p> <a:2> )>> .", Reason.BAD_RDF, "a statement about a statement"),
    (b"a|r|b", Reason.BAD_RDF, ""),
    (b'<http://a/1> <http://a/p> "caf\xe9" .', Reason.NOT_UTF8, "byte 0xe9 at 31"),
    (
        b'<http://a/1> <http://a/p> "' + b"x" * lines.MAX_LINE + b'" .',
        Reason.LINE_TOO_LONG,
        "more than 1,048,576 bytes",
    ),
]
GOOD = b"<http://a/1> <http://a/p> <http://a/2> ."
GOOD_ROW = ("http://a/1", "http://a/p", "http://a/2")


@pytest.mark.parametrize(("bad", "reason", "detail"), BAD_LINES, ids=lambda value: repr(value)[:40])
def test_a_bad_line_is_named_and_set_aside(bad: bytes, reason: Reason, detail: str) -> None:
    content = b"\n".join([GOOD, bad, b"# comment", GOOD])
    _, rows, rejected = read_rows(content, name="kb.nt")
    assert [(line, tuple(row.values())) for line, row in rows] == [(1, GOOD_ROW), (4, GOOD_ROW)]
    assert [(r.source, r.line, r.reason) for r in rejected] == [("kb.nt", 2, reason)]
    assert rejected[0].detail.startswith(detail)
    assert rejected[0].detail
    assert "line" not in rejected[0].detail.split() or "one line" in rejected[0].detail


@given(st.lists(st.sampled_from([*range(len(BAD_LINES) - 1), None, "#", ""]), max_size=12), st.integers(8, 300))
def test_any_mixture_of_good_and_bad_lines_is_counted_exactly(kinds: list[int | str | None], block: int) -> None:
    written = [
        GOOD if kind is None else kind.encode() if isinstance(kind, str) else BAD_LINES[kind][0] for kind in kinds
    ]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(lines, "BLOCK", block)
        _, rows, rejected = read_rows(b"\n".join([GOOD, *written]), LoadOptions(format="ntriples"))
    assert [line for line, _ in rows] == [1, *(place for place, kind in enumerate(kinds, 2) if kind is None)]
    assert {r.line: r.reason for r in rejected} == {
        place: BAD_LINES[kind][1] for place, kind in enumerate(kinds, 2) if isinstance(kind, int)
    }


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.nq", GOOD[:-1] + b"<http://g/> .\n" + GOOD + b"\n"),
        ("x.trig", b"<http://g/> {\n" + GOOD + b" }\n" + GOOD),
    ],
)
def test_names_of_graphs_are_let_go_and_counted(name: str, content: bytes) -> None:
    table, rows, _ = read_rows(content, name=name)
    assert [tuple(row.values()) for _, row in rows] == [GOOD_ROW, GOOD_ROW]
    assert table.notes == [f"{name}: 1 statements are in named graphs, whose names aren't kept"]


TURTLE = b"""@prefix ex: <http://ex.org/> .
ex:a ex:p ex:b , ex:c ;
   ex:q 1 ;
   ex:r [ ex:s "x"@en ;
     ex:s _:lab ] .
ex:z ex:p ( 1
  2 ) . ex:y ex:p 3 .
"""


def test_lines_of_turtle_are_those_on_which_statements_end() -> None:
    found = [(line, row[0], row[2]) for line, row in rows_of(TURTLE, "x.ttl")]
    assert found == [
        (2, "http://ex.org/a", "http://ex.org/b"),
        (2, "http://ex.org/a", "http://ex.org/c"),
        (3, "http://ex.org/a", "1"),
        (4, "_:[1]", "x"),
        (5, "_:[1]", "_:lab"),
        (5, "http://ex.org/a", "_:[1]"),
        (6, "_:[2]", "1"),
        (6, "http://ex.org/z", "_:[2]"),
        (7, "_:[3]", "2"),
        (7, "_:[2]", "_:[3]"),
        (7, "_:[3]", "http://www.w3.org/1999/02/22-rdf-syntax-ns#nil"),
        (7, "http://ex.org/y", "3"),
    ]


def test_prefixes_are_found() -> None:
    assert read_rows(TURTLE, name="x.ttl")[0].prefixes == {"ex": "http://ex.org/"}


def test_a_block_ends_with_a_line_and_says_no_more_than_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rdf_read, "ROWS", 4)
    content = b"@prefix e: <http://e/> .\n" + b"e:a e:p e:b , e:c , e:d .\n" * 5 + b"e:a e:p 1" + b" , 2" * 30 + b" .\n"
    with Source("x.ttl", stream=io.BytesIO(content)).open() as stream:
        blocks = [
            (b.lines[0], b.lines[-1], len(b.lines), b.through) for b in read(stream, LoadOptions(), print).records
        ]
    assert blocks == [(2, 3, 6, 3), (4, 5, 6, 5), (6, 7, 16, 6), (7, 7, 16, 6), (7, 7, 2, 7)]


def see(source: Source, seen: list[int]) -> list[Rejected]:
    """Read a source; the lines of its rows go to ``seen``, what is set aside comes back."""
    rejected: list[Rejected] = []
    with source.open() as stream:
        for block in read(stream, LoadOptions(), rejected.append).records:
            seen += block.lines
    return rejected


@pytest.mark.parametrize("at", [1, 2, 77, 3000])
@pytest.mark.parametrize(
    "bad", [b"ex:a ex:p oops .", b'ex:a ex:p "open .', b"ex:a ex:p <b> ; ; , .", b"\xff", b"@prefix x ."]
)
def test_a_syntax_error_ends_the_reading_at_its_line(at: int, bad: bytes) -> None:
    good = [b"@prefix ex: <http://ex.org/> .", *(b"ex:a ex:p ex:b%d ." % n for n in range(1, 4000))]
    content = b"\n".join([*good[:at], bad, *good[at:]])
    seen: list[int] = []
    with pytest.raises(InputError, match=rf"^kb\.ttl:{at + 1}: isn't Turtle from here on: .*stay") as caught:
        see(Source("kb.ttl", stream=io.BytesIO(content)), seen)
    assert seen == [*range(2, at + 1)]
    assert "\n" not in str(caught.value)


def test_a_statement_about_a_statement_in_turtle_is_set_aside() -> None:
    content = b"<a:1> <a:p> <<( <a:1> <a:p> <a:2> )>> .\n" + GOOD
    _, rows, rejected = read_rows(content, name="x.ttl")
    assert [line for line, _ in rows] == [2]
    assert [(r.line, r.reason) for r in rejected] == [(1, Reason.BAD_RDF)]


class Endless(io.RawIOBase):
    """Some bytes, then one byte for a gigabyte, then some more, without ever holding them."""

    def __init__(self, start: bytes, end: bytes) -> None:
        self._start, self._left, self._end = start, 1 << 30, end

    def read(self, size: int = -1) -> bytes:
        if self._start:
            piece, self._start = self._start[:size], self._start[size:]
            return piece
        if self._left:
            count = min(size, self._left)
            self._left -= count
            return b"x" * count
        piece, self._end = self._end[:size], self._end[size:]
        return piece


@pytest.mark.parametrize("start", [b'<a:1> <a:p> "', b"<a:1> <a:p> <http://", b"# "])
def test_a_line_of_a_gigabyte_takes_no_memory(start: bytes) -> None:
    turtle: Any = Endless(GOOD + b"\n" + start, b"\n")
    ntriples: Any = Endless(GOOD + b"\n" + start, b"\n" + GOOD)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seen: list[int] = []
    with pytest.raises(InputError, match=r"x\.ttl:2: isn't Turtle from here on: a term or comment without end"):
        see(Source("x.ttl", stream=turtle), seen)
    assert seen == [1]
    found = see(Source("x.nt", stream=ntriples), seen)
    assert seen == [1, 1, 3]
    assert [(one.line, one.reason) for one in found] == [(2, Reason.LINE_TOO_LONG)]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


@given(st.data())
def test_what_is_written_is_read(data: st.DataObject) -> None:
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
    node = st.sampled_from([*map(ox.NamedNode, ("http://a/1", "urn:x:é")), *map(ox.BlankNode, ("b", "c1"))])
    literal = st.builds(ox.Literal, text) | st.builds(lambda t: ox.Literal(t, language="de"), text)
    triples = data.draw(
        st.lists(st.builds(ox.Triple, node, st.just(ox.NamedNode("http://a/p")), node | literal), max_size=10)
    )
    expected = [
        tuple(f"_:{term.value}" if isinstance(term, ox.BlankNode) else term.value for term in triple)
        for triple in triples
    ]
    for format_, name in ((ox.RdfFormat.N_TRIPLES, "x.nt"), (ox.RdfFormat.TURTLE, "x.ttl")):
        content = ox.serialize(triples, format=format_)
        assert content is not None
        assert [row[:3] for _, row in rows_of(content + b"# end\n", name)] == expected


def test_numbers_of_blank_nodes_do_not_depend_on_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(1)
    content = b"".join(b"[] <a:p> [ <a:p> %d ] .\n" % rng.randrange(9) for _ in range(300))
    whole = rows_of(content, "x.ttl")
    monkeypatch.setattr(rdf_read, "ROWS", 7)
    assert rows_of(content, "x.ttl") == whole
    assert len({row[0] for _, row in whole}) == 600
