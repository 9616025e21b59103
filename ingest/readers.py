"""Readers by format. A new format is a function of the kind ``Reader``, and a line in ``formats`` and here."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from ingest.delimited import read_delimited
from ingest.formats import find_format
from ingest.jsonl import read_jsonl
from ingest.options import LoadOptions
from ingest.parquet import read_parquet
from ingest.rdf_read import read_nquads, read_ntriples, read_trig, read_turtle
from ingest.records import Reject, Table
from ingest.sources import ByteStream


class Reader(Protocol):
    """Makes rows of a stream; what can't be a row goes to ``reject`` and doesn't end the reading."""

    def __call__(self, stream: ByteStream, options: LoadOptions, reject: Reject, /) -> Table: ...


READERS: dict[str, Reader] = {
    "auto": read_delimited,
    "tsv": read_delimited,
    "pipe": read_delimited,
    "csv": read_delimited,
    "semicolon": read_delimited,
    "jsonl": read_jsonl,
    "parquet": read_parquet,
    "ntriples": read_ntriples,
    "nquads": read_nquads,
    "turtle": read_turtle,
    "trig": read_trig,
}
"""By format, as ``find_format`` gives it."""


def read(stream: ByteStream, options: LoadOptions, reject: Reject) -> Table:
    """The rows of a stream, whichever format it has.

    Raises:
        InputError: it is no such format, or a part of it can't be read that the rest can't do without; also while the
            rows are drawn.
    """
    found = find_format(stream, options.format)
    columns = tuple(column for column in options.columns or () if isinstance(column, str))
    if options.needed is None and len(columns) == 3:
        options = replace(options, needed=columns)
    table = READERS[found.format](stream, options, reject)
    table.notes[:0] = found.notes
    return table
