"""Which format a source has: as said, else by what it begins with and how its name ends."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

from graph_schema import InputError
from ingest.expand import bare
from ingest.sources import PARQUET, ByteStream

Format = Literal["auto", "tsv", "pipe", "csv", "semicolon", "jsonl", "parquet", "ntriples", "nquads", "turtle", "trig"]

DELIMITED = frozenset({"tsv", "pipe", "csv", "semicolon"})
RDF = frozenset({"ntriples", "nquads", "turtle", "trig"})
NAMED = frozenset({"jsonl", "parquet"})
"""Formats in which each value stands with the name of its column, so that there is always a header."""

_BY_NAME = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".nt": "ntriples",
    ".nq": "nquads",
    ".ttl": "turtle",
    ".trig": "trig",
    ".csv": "delimited",
    ".tsv": "delimited",
    ".tab": "delimited",
    ".psv": "delimited",
}
_CALLED = {
    "tsv": "TSV",
    "pipe": "| lines",
    "csv": "CSV",
    "semicolon": "; lines",
    "jsonl": "JSON lines",
    "parquet": "Parquet",
    "ntriples": "N-Triples",
    "nquads": "N-Quads",
    "turtle": "Turtle",
    "trig": "TriG",
    "delimited": "delimited text",
}
_LOOKED_AT = 100  # lines
_LONG = 10_000  # characters; such a line isn't matched
_TERM = r"(?:<[^<>\s]*>|_:\S+)"
_LITERAL = r'"(?:[^"\\]|\\.)*"(?:@[A-Za-z0-9-]+|\^\^<[^<>\s]*>)?'
_STATEMENT = re.compile(rf"\s*{_TERM}\s*<[^<>\s]*>\s*(?:{_TERM}|{_LITERAL})\s*({_TERM})?\s*\.\s*(?:#.*)?")
_DIRECTIVE = re.compile(r"\s*(?:@prefix\s+[^\s:]*:\s*<|@base\s*<|PREFIX\s+[^\s:]*:\s*<|BASE\s*<)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Found:
    """A value of ``Format``, "auto" for delimited text of some kind; and what is odd, a sentence each."""

    format: str
    notes: tuple[str, ...] = ()


def find_format(stream: ByteStream, said: str) -> Found:
    """The format of a stream that nothing was read of yet.

    What is said counts before all else, then what only one format begins with, then the name's end, then what the first
    lines look like.

    Args:
        said: a value of ``Format``.

    Raises:
        InputError: it is Parquet and something else was said, or the other way round; or it is one JSON array, or XML.
    """
    sample = stream.sample()
    is_parquet = sample.startswith(PARQUET)
    if said != "auto":
        if is_parquet != (said == "parquet"):
            raise InputError(
                f"is {'a' if is_parquet else 'no'} Parquet file, and {_CALLED[said]} was said",
                where=stream.name,
                fix="Leave the format out, or say the right one",
            )
        return Found(said)
    by_name = _BY_NAME.get(PurePath(bare(PurePath(stream.name).name)).suffix, "")
    if is_parquet:
        if by_name in ("parquet", ""):
            return Found("parquet")
        return Found("parquet", (f"{stream.name} is named like {_CALLED[by_name]}, but is Parquet, and was read so",))
    if by_name == "parquet":
        raise InputError("is named like Parquet, but isn't", where=stream.name, fix="Rename it, or say its format")
    text = sample.decode("utf-8", "replace").removeprefix("\ufeff")
    _refuse_other(stream.name, text)
    if by_name:
        return Found("auto" if by_name == "delimited" else by_name)
    return Found(_looks_like(text))


def _refuse_other(name: str, text: str) -> None:
    """Formats that would be taken for lines, each of them bad."""
    start = text[:1000].lstrip()
    if re.match(r"\[\s*(\{|$)|\{\s*\n", start):
        what, to = ("array", ".[]") if start[0] == "[" else ("document", ".")
        raise InputError(
            f"is one JSON {what}, not one object a line", where=name, fix=f"Convert it, for instance with: jq -c '{to}'"
        )
    if start.startswith(("<?xml", "<rdf:RDF")):
        raise InputError("is XML", where=name, fix="Convert RDF/XML to Turtle, for instance with: rapper -o turtle")


def _looks_like(text: str) -> str:
    """A format by its first lines."""
    first = text.split("\n", _LOOKED_AT)[:_LOOKED_AT]
    lines = [stripped for line in first if (stripped := line.strip()) and not stripped.startswith("#")]
    if not lines:
        return "auto"
    if lines[0].startswith("{") and ("\n" not in text or _is_object(lines[0])):
        return "jsonl"
    if _DIRECTIVE.match(lines[0]):
        return "turtle"
    statements = [_STATEMENT.fullmatch(line) if len(line) < _LONG else None for line in lines]
    fitting = [match for match in statements if match]
    if len(fitting) * 2 > len(lines):
        return "nquads" if any(match[1] for match in fitting) else "ntriples"
    return "auto"


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
