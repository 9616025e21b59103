"""Delimited text: TSV, ``|``-separated, CSV.

A block of lines that is all as it should be is taken apart by one call over the whole block; a block with anything
odd in it (a wrong field count, a blank line, bytes that aren't UTF-8, a quote where quotes count) is read line by line.
Both give the same rows.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from graph_schema.texts import Texts
from ingest.dialect import Dialect, detect, quoted_fields
from ingest.lines import blocks
from ingest.options import LoadOptions
from ingest.records import ROW_KEPT, Reason, Records, Reject, Rejected, Table
from ingest.sources import ByteStream
from ingest.validation import MAX_ENTITY

MAX_RECORD = 131_072
ROWS = 16_384
_BLANKS = b" \r\n"
_BOM = b"\xef\xbb\xbf"


def read_delimited(stream: ByteStream, options: LoadOptions, reject: Reject) -> Table:
    """Find the dialect from the first lines, as far as ``options`` leave it open, and read with it.

    Raises:
        InputError: the lines end in carriage returns alone, or the first is a header that has a name twice.
    """
    numbered = blocks(stream, reject)
    number, block = next((drawn for drawn in numbered if drawn[1].strip(_BLANKS)), (1, b""))
    start = block.lstrip(_BLANKS)
    number += block[: len(block) - len(start)].count(b"\n")
    if not start:
        return Table(options.format, None, 3, iter(()))
    dialect = detect(stream.name, start, options, number)
    if dialect.header is not None:
        start = start[start.find(b"\n") + 1 :]
        number += 1
    begun = Records(stream.name, (), ((),) * dialect.width, number - 1)
    records = _Lines(stream.name, dialect, reject).records(chain([(number, start)] if start else [], numbered))
    return Table(dialect.format, dialect.header, dialect.width, chain([begun], records), quoting=dialect.quoting)


def read_lines(
    source: str, dialect: Dialect, numbered: Iterable[tuple[int, bytes]], reject: Reject
) -> Iterator[Records]:
    """Rows of blocks of lines whose dialect is known; each block with the number of its first line."""
    return _Lines(source, dialect, reject).records(iter(numbered))


class _Lines:
    """Blocks of lines to rows, by one dialect."""

    def __init__(self, source: str, dialect: Dialect, reject: Reject) -> None:
        self._source = source
        self._dialect = dialect
        self._reject = reject
        import pyarrow as pa  # noqa: PLC0415 - heavy, so only where such a file is read
        from pyarrow import csv as columnar  # noqa: PLC0415

        names = [f"{place}" for place in range(dialect.width)]
        self._names = names
        self._parse = columnar.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char=False,
            double_quote=False,
            escape_char=False,
            ignore_empty_lines=False,
        )
        self._convert = columnar.ConvertOptions(
            column_types=dict.fromkeys(names, pa.large_string()), strings_can_be_null=False
        )

    def records(self, numbered: Iterator[tuple[int, bytes]]) -> Iterator[Records]:
        """Rows of all blocks."""
        for number, block in numbered:
            columns = self._whole(block)
            if columns is None:
                yield from self._one_by_one(_Waiting(number, block, numbered))
            else:
                end = number + len(columns[0])
                yield Records(self._source, range(number, end), columns, end - 1)

    def _whole(self, block: bytes) -> Sequence[Sequence[str]] | None:
        """Columns of a block in which every line has the right number of fields; None for any other."""
        if b"\r" in block:
            block = block.replace(b"\r\n", b"\n")
        if self._dialect.quoting == "yes" and b'"' in block:
            return self._whole_quoted(block)
        # A carriage return, an empty line and a byte order mark mean something to the reader that they don't mean here.
        if b"\r" in block or b"\n\n" in block or block.startswith((b"\n", _BOM)):
            return None
        import pyarrow as pa  # noqa: PLC0415
        from pyarrow import csv as columnar  # noqa: PLC0415

        read = columnar.ReadOptions(use_threads=False, block_size=len(block) + 1, column_names=self._names)
        try:
            table = columnar.read_csv(pa.BufferReader(block), read, self._parse, self._convert)
        except pa.ArrowInvalid:
            return None
        return [Texts(column.combine_chunks()) for column in table.columns]

    def _whole_quoted(self, block: bytes) -> list[tuple[str, ...]] | None:
        """The same where fields stand in quotes, as long as no record spans lines."""
        try:
            lines = block[:-1].decode().split("\n")
        except UnicodeDecodeError:
            return None
        try:
            rows = [*csv.reader(lines, delimiter=self._dialect.delimiter, strict=True, skipinitialspace=True)]
        except csv.Error:
            return None
        if len(rows) != len(lines) or {*map(len, rows)} != {self._dialect.width}:
            return None
        return [*zip(*rows, strict=True)]

    def _one_by_one(self, waiting: _Waiting) -> Iterator[Records]:
        """The same with each line looked at; draws further blocks where a quoted field reaches into them."""
        lines: list[int] = []
        rows: list[list[str]] = []
        while waiting:
            line, raw = waiting.take()
            fields = self._fields(line, raw, waiting)
            if fields is not None:
                lines.append(line)
                rows.append(fields)
            if not waiting or len(rows) >= ROWS:
                columns = list(zip(*rows, strict=True)) or [()] * self._dialect.width
                yield Records(self._source, lines, columns, waiting.number - 1)
                lines, rows = [], []

    def _fields(self, line: int, raw: bytes, waiting: _Waiting) -> list[str] | None:
        """One record's fields; None if the line is blank or was rejected."""
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            what = f"byte 0x{raw[error.start]:02x} at {error.start + 1}"
            self._set_aside(line, raw, Reason.NOT_UTF8, what)
            return None
        text = text.removesuffix("\n").removesuffix("\r")
        delimiter, quoting, width = self._dialect.delimiter, self._dialect.quoting, self._dialect.width
        if delimiter not in text and not text.strip():
            return None
        fields = text.split(delimiter)
        if '"' in text and quoting == "yes":
            try:
                fields = self._quoted_record(raw, waiting)
            except csv.Error as error:
                self._set_aside(line, raw, Reason.QUOTING, str(error))
                return None
        elif '"' in text and quoting == "rescue" and len(fields) != width:
            rescued = quoted_fields(text, delimiter)
            fields = rescued if rescued and len(rescued) == width else fields
        if len(fields) != width:
            self._set_aside(line, raw, Reason.FIELD_COUNT, f"{len(fields)}, not {width}")
            return None
        return fields

    def _quoted_record(self, raw: bytes, waiting: _Waiting) -> list[str]:
        """A record by RFC 4180, over as many lines as its quotes span.

        A stray quote must not swallow the good lines after it: what spans lines and then isn't a record that could be
        loaded is faulted at its first line alone, and the lines after it are read anew.

        Raises:
            csv.Error: the quotes are wrong.
        """
        drawn: list[tuple[int, bytes]] = []

        def texts() -> Iterator[str]:
            yield raw.decode()
            size = len(raw)
            while size < MAX_RECORD and waiting.more():
                drawn.append(waiting.take())
                size += len(drawn[-1][1])
                yield drawn[-1][1].decode()

        width = self._dialect.width
        try:
            fields = next(csv.reader(texts(), delimiter=self._dialect.delimiter, strict=True, skipinitialspace=True))
            longest = max(len(field) for field in fields)
            if drawn and (len(fields) != width or (width == 3 and not self._dialect.table and longest > MAX_ENTITY)):
                raise csv.Error(f"makes no fact with line {drawn[-1][0]}, where it is closed")
        except (csv.Error, UnicodeDecodeError) as error:
            waiting.put_back(drawn)
            raise csv.Error(f"a quote is opened and not closed well ({error})" if drawn else str(error)) from error
        return fields

    def _set_aside(self, line: int, raw: bytes, reason: Reason, detail: str) -> None:
        row = raw[:ROW_KEPT].decode("utf-8", "backslashreplace").rstrip("\r\n")
        self._reject(Rejected(self._source, line, reason, detail, row))


class _Waiting:
    """Numbered lines still to be read: of one block, and of those after it once a record asks for more.

    ``number`` is the line after the last one taken.
    """

    def __init__(self, number: int, block: bytes, numbered: Iterator[tuple[int, bytes]]) -> None:
        self._numbered = numbered
        self._lines: deque[tuple[int, bytes]] = deque()
        self.number = number
        self._fill(number, block)

    def _fill(self, number: int, block: bytes) -> None:
        self._lines.extend(enumerate((line + b"\n" for line in block[:-1].split(b"\n")), number))

    def __bool__(self) -> bool:
        return bool(self._lines)

    def more(self) -> bool:
        """Whether there is a line, after drawing on the next block if need be."""
        if not self._lines and (drawn := next(self._numbered, None)):
            self._fill(*drawn)
        return bool(self._lines)

    def take(self) -> tuple[int, bytes]:
        line = self._lines.popleft()
        self.number = line[0] + 1
        return line

    def put_back(self, lines: list[tuple[int, bytes]]) -> None:
        if lines:
            self._lines.extendleft(reversed(lines))
            self.number = lines[0][0]
