"""Readers by format. A new format is a function of the kind ``Reader`` and an entry in ``READERS``."""

from __future__ import annotations

from typing import Protocol

from ingest.delimited import read_delimited
from ingest.options import LoadOptions
from ingest.records import Reject, Table
from ingest.sources import ByteStream


class Reader(Protocol):
    """Makes rows of a stream; what can't be a row goes to ``reject`` and doesn't end the reading."""

    def __call__(self, stream: ByteStream, options: LoadOptions, reject: Reject) -> Table: ...


READERS: dict[str, Reader] = {
    "auto": read_delimited,
    "tsv": read_delimited,
    "pipe": read_delimited,
    "csv": read_delimited,
}
"""By ``LoadOptions.format``."""
