"""How the lines of a delimited file become fields: found from its first lines, as far as it isn't said."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from graph_schema import InputError
from ingest.header import broken_header, is_broken_header, is_header
from ingest.options import LoadOptions

DELIMITERS = {"tsv": "\t", "pipe": "|", "csv": ",", "semicolon": ";"}
_LOOKED_AT = 65_536
_DECIMAL = re.compile(r"(?<=\d),(?=\d)")


@dataclass(frozen=True, slots=True)
class Dialect:
    """Attributes:
    format: a key of DELIMITERS.
    quoting: "yes", "no", or "rescue": only on a line that has the wrong number of fields without.
    header: the columns' names if the first line gives them.
    width: number of fields that each line must have.
    table: the rows aren't facts as they stand.
    """

    format: str
    quoting: Literal["yes", "no", "rescue"]
    header: tuple[str, ...] | None
    width: int
    table: bool = False

    @property
    def delimiter(self) -> str:
        return DELIMITERS[self.format]


def detect(source: str, start: bytes, options: LoadOptions, number: int = 1) -> Dialect:
    """The dialect in which the most of the first lines have the columns asked for.

    Args:
        start: the file's beginning, from its first line that isn't blank.
        number: of that line.

    Raises:
        InputError: the lines end in carriage returns alone, or the first is a header that has a name twice.
    """
    text = start[:_LOOKED_AT].decode("utf-8", "replace")
    _refuse_bare_returns(source, text)
    lines = [line.rstrip("\r") for line in text.split("\n") if line.strip(" \r")]
    found = _best(lines, options)
    if options.header != "auto" or options.table or found.header is not None:
        return found
    return _without_broken_header(source, number, lines, found, options)


def _best(lines: Sequence[str], options: LoadOptions) -> Dialect:
    """The dialect that fits the lines best. Semicolons often stand in lists, and commas in numbers of files with
    semicolons: where both fit the same lines, they are commas, unless each stands between two digits.
    """
    if options.format != "auto":
        return _fit(options.format, lines, options)[1]
    *others, semicolons = (_fit(name, lines, options) for name in DELIMITERS)
    best = max(others, key=lambda fit: fit[0])
    if semicolons[0][:2] > best[0][:2]:
        return semicolons[1]
    same = semicolons[0][:2] == best[0][:2] and best[1].format == "csv"
    numbers = same and all("," not in _DECIMAL.sub("", line) for line in lines)
    return semicolons[1] if numbers and semicolons[0][2] else best[1]


def _without_broken_header(
    source: str, number: int, lines: Sequence[str], found: Dialect, options: LoadOptions
) -> Dialect:
    """The same, after a look whether the first line is a fact at all; where columns are said by position, its names
    don't matter.
    """
    places = [place for place in options.columns or range(3) if isinstance(place, int)]
    rows = (_fields(line, found.delimiter, found.quoting) for line in lines)
    asked = ([row[place] for place in places] for row in rows if len(row) == found.width)
    names = _fields(lines[0], found.delimiter, found.quoting)
    if len(names) != found.width or not is_broken_header(next(asked), asked):
        return found
    if options.columns is None:
        raise broken_header(source, number, names)
    return replace(found, header=tuple(name.strip() for name in names))


def _fit(name: str, lines: Sequence[str], options: LoadOptions) -> tuple[tuple[bool, int, int], Dialect]:
    """How well one format fits the lines (columns found, lines that fit, delimiters seen), and its dialect."""
    delimiter = DELIMITERS[name]
    counts = [line.count(delimiter) for line in lines]
    quoting: Literal["yes", "no", "rescue"] = "rescue"
    if options.quoting != "auto":
        quoting = options.quoting
    elif name in ("csv", "semicolon") or all(
        line[0] == '"' and all(map(_quoted, line.split(delimiter))) for line in lines
    ):
        quoting = "yes"
    first = _fields(lines[0], delimiter, quoting)
    header = tuple(cell.strip() for cell in first) if is_header(first, options) else None
    widths = Counter([count + 1 for count in counts])
    if any('"' in line or "\r" in line for line in lines):
        widths = Counter(
            count + 1 if '"' not in line and "\r" not in line else len(_fields(line, delimiter, quoting))
            for count, line in zip(counts, lines, strict=True)
        )
    width = 3
    found = True
    if options.columns is not None:
        needed = max([2, *(column for column in options.columns if isinstance(column, int))]) + 1
        width = max((w for w in widths if w >= needed), key=lambda w: widths[w], default=needed)
        if header is not None:
            width = len(header)
            found = {column for column in options.columns if isinstance(column, str)} <= set(header)
    if options.table:
        width = len(header) if header is not None else max(widths, key=lambda w: (widths[w], w))
        found = width > 1
    return (found, widths[width], sum(counts)), Dialect(name, quoting, header, width, options.table)


def _fields(line: str, delimiter: str, quoting: str) -> list[str]:
    return line.split(delimiter) if quoting != "yes" else quoted_fields(line, delimiter) or [line]


def _quoted(cell: str) -> bool:
    return len(cell) > 1 and cell[0] == cell[-1] == '"'


def quoted_fields(line: str, delimiter: str) -> list[str] | None:
    """The fields of one line by RFC 4180; None if its quotes are wrong or it doesn't end the record."""
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True, skipinitialspace=True), [])
    except csv.Error:
        return None


def _refuse_bare_returns(source: str, text: str) -> None:
    """Lines of the old Macintosh kind would be read as one. (A name may hold a carriage return; whole facts don't.)"""
    lines = [line for line in text.split("\r") if line.strip()]
    if "\n" in text.strip() or len(lines) < 2:
        return
    if any(all(line.count(delimiter) >= 2 for line in lines) for delimiter in DELIMITERS.values()):
        raise InputError(
            "its lines end in carriage returns without line feeds",
            where=source,
            fix="Convert it, for instance with: tr '\\r' '\\n'",
        )
