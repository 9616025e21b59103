"""Which format a file is taken for: as said, by its content, by its name, by its first lines."""

from __future__ import annotations

import io

import pytest

from graph_schema import InputError
from ingest import Source
from ingest.formats import find_format

NT = b'# made by hand\n\n<http://a/1> <http://a/p> <http://a/2> .\n_:b <http://a/p> "x \\" y"@en-GB .\n'
NQ = b"<http://a/1> <http://a/p> <http://a/2> <http://a/g> .\n"
TTL = b"# some\n# lines\n\n@prefix ex: <http://ex.org/> .\nex:a ex:b ex:c .\n"

LOOKS = [
    (b"a|r|b\n", "auto"),
    (b"a\tr\tb\n", "auto"),
    (b'{"a": 1}\n', "jsonl"),
    (b'\xef\xbb\xbf  {"a": 1}\n{"b": 2}\n', "jsonl"),
    (b'{"a": "' + b"x" * 100_000 + b'"}\n', "jsonl"),
    (b"{a}|r|b\n", "auto"),
    (b'{"a": 1}|r|b\n', "auto"),
    (b"[a]|r|b\n", "auto"),
    (NT, "ntriples"),
    (NT + b"nonsense\n", "ntriples"),
    (NT.replace(b"\n", b"\r\n"), "ntriples"),
    (NT + NQ, "nquads"),
    (b"<a>\t<b>\t<c>\n", "auto"),
    (b"<http://a/1>|<http://a/p>|<http://a/2>\n", "auto"),
    (TTL, "turtle"),
    (b"PREFIX ex: <http://ex.org/>\nex:a ex:b ex:c .\n", "turtle"),
    (b"@base <http://ex.org/> .\n", "turtle"),
    (b"prefix|r|b\n", "auto"),
    (b"#\n" * 10, "auto"),
]


def found(content: bytes, name: str = "facts", said: str = "auto") -> str:
    with Source(name, stream=io.BytesIO(content)).open() as stream:
        format_ = find_format(stream, said).format
        assert stream.read(10) == content[:10]
    return format_


@pytest.mark.parametrize(("content", "format_"), LOOKS, ids=lambda value: repr(value)[:30])
def test_without_a_name_the_first_lines_decide(content: bytes, format_: str) -> None:
    for name in ("facts", "dir.ttl/facts.txt", "x.gz", "facts.dat"):
        assert found(content, name) == format_


@pytest.mark.parametrize(
    ("name", "format_"),
    [
        ("x.csv", "auto"),
        ("x.tsv.gz", "auto"),
        ("x.jsonl", "jsonl"),
        ("X.NDJSON.ZST", "jsonl"),
        ("x.nt.bz2", "ntriples"),
        ("x.nq", "nquads"),
        ("x.ttl.xz", "turtle"),
        ("x.trig", "trig"),
    ],
)
def test_a_name_that_tells_decides(name: str, format_: str) -> None:
    for content in (b"a|r|b\n", b'{"a": 1}\n', NT, TTL):
        assert found(content, name) == format_


def test_what_is_said_counts_before_all() -> None:
    assert found(NT, "x.jsonl", "pipe") == "pipe"
    assert found(b"a|r|b\n", "x.csv", "turtle") == "turtle"


@pytest.mark.parametrize("content", [b'<?xml version="1.0"?>\n<rdf:RDF>', b"<rdf:RDF xmlns='x'>\n"])
def test_xml_is_refused_with_a_way_out(content: bytes) -> None:
    with pytest.raises(InputError, match=r"is XML\. Convert RDF/XML to Turtle"):
        found(content)


def test_a_long_line_of_junk_is_looked_at_quickly() -> None:
    assert found(b"_:" + b"_:" * 30_000 + b"\n") == "auto"
    assert found(b"<" * 60_000 + b"\n") == "auto"
