"""RDF: statements of N-Triples, N-Quads, Turtle and TriG as rows of five columns.

Columns: subject, predicate, object, datatype, language. Subject and object are IRIs, ``_:label`` for a labelled blank
node, ``_:[n]`` for the n-th one without a label; or the object is a literal, with its datatype's IRI; ``datatype`` and
``language`` are None where there is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO, TYPE_CHECKING, cast

from graph_schema import InputError
from ingest.lines import blocks
from ingest.options import LoadOptions
from ingest.records import ROW_KEPT, Cell, Reason, Records, Reject, Rejected, Table
from ingest.sources import ByteStream

if TYPE_CHECKING:
    from pyoxigraph import Quad, RdfFormat

COLUMNS = ("subject", "predicate", "object", "datatype", "language")
ROWS = 8_192
_READ = 65_536
_BOM = b"\xef\xbb\xbf"
_CALLED = {"turtle": "Turtle", "trig": "TriG"}
_WHERE = re.compile(r"Parser error (?:at|between) line \d+.*?: ", re.DOTALL)
_RANDOM = re.compile(r"[0-9a-f]{24,32}")  # as the parser labels blank nodes without a label
Row = tuple[str, str, str, str | None, str | None]


def read_ntriples(stream: ByteStream, _options: LoadOptions, reject: Reject) -> Table:
    """Statements, one a line; a line that is none is set aside."""
    return _lines(stream, reject, "ntriples")


def read_nquads(stream: ByteStream, _options: LoadOptions, reject: Reject) -> Table:
    """The same of N-Quads; the names of graphs are let go, and counted."""
    return _lines(stream, reject, "nquads")


def read_turtle(stream: ByteStream, _options: LoadOptions, reject: Reject) -> Table:
    """Statements of Turtle. A row's line is that on which the statement ends, so several rows may have the same.

    Memory: beside a block of rows, about 150 bytes for each blank node without a label.

    Raises:
        InputError: it isn't Turtle, from some line on; while the rows are drawn.
    """
    return _document(stream, "turtle", reject)


def read_trig(stream: ByteStream, _options: LoadOptions, reject: Reject) -> Table:
    """The same of TriG; the names of graphs are let go, and counted."""
    return _document(stream, "trig", reject)


def _lines(stream: ByteStream, reject: Reject, format_: str) -> Table:
    notes: list[str] = []
    return Table(format_, None, len(COLUMNS), _Lines(stream, reject, format_, notes).records(), notes)


class _Lines:
    """Blocks of lines, each a statement, to rows."""

    def __init__(self, stream: ByteStream, reject: Reject, format_: str, notes: list[str]) -> None:
        self._stream = stream
        self._reject = reject
        self._format = _parser_format(format_)
        self._notes = notes
        self._graphs = 0

    def records(self) -> Iterator[Records]:
        for number, block in blocks(self._stream, self._reject):
            lines, rows = self._block(number, block)
            yield _records(self._stream.name, lines, rows, number + block.count(b"\n") - 1)
        _note_graphs(self._stream.name, self._graphs, self._notes)

    def _block(self, number: int, block: bytes) -> tuple[Sequence[int], list[Row]]:
        count = block.count(b"\n")
        rows = self._whole(block, count)
        if rows is not None:
            return range(number, number + count), rows
        meant = [
            (line, raw)
            for line, raw in enumerate(block[:-1].split(b"\n"), number)
            if (stripped := raw.strip()) and not stripped.startswith(b"#")
        ]
        if len(meant) < count:
            rows = self._whole(b"".join(raw + b"\n" for _, raw in meant), len(meant))
            if rows is not None:
                return [line for line, _ in meant], rows
        lines, rows = [], []
        for line, raw in meant:
            if (row := self._one(line, raw)) is not None:
                lines.append(line)
                rows.append(row)
        return lines, rows

    def _whole(self, text: bytes, count: int) -> list[Row] | None:
        """The rows of ``count`` lines that are all as they should be; None for any other."""
        from pyoxigraph import parse  # noqa: PLC0415 - heavy, so only where such a file is read

        try:
            quads = [*parse(text, format=self._format)]
        except SyntaxError:
            return None
        if len(quads) != count:
            return None
        rows = [*_rows(quads, _label)]
        if len(rows) == count:
            self._graphs += _named_graphs(quads)
            return rows
        return None

    def _one(self, line: int, raw: bytes) -> Row | None:
        """One line's row; None if the line was set aside."""
        from pyoxigraph import parse  # noqa: PLC0415

        reason, detail = Reason.BAD_RDF, ""
        try:
            raw.decode()
            quads = [*parse(raw + b"\n", format=self._format)]
            rows = [*_rows(quads, _label)]
            if len(quads) == len(rows) == 1:
                self._graphs += _named_graphs(quads)
                return rows[0]
            detail = f"{len(quads)} statements on one line" if len(quads) != 1 else _NESTED
        except UnicodeDecodeError as error:
            reason, detail = Reason.NOT_UTF8, f"byte 0x{raw[error.start]:02x} at {error.start + 1}"
        except SyntaxError as error:
            detail = _said(error)
        row = raw[:ROW_KEPT].decode("utf-8", "backslashreplace").rstrip("\r")
        self._reject(Rejected(self._stream.name, line, reason, detail, row))
        return None


def _document(stream: ByteStream, format_: str, reject: Reject) -> Table:
    notes: list[str] = []
    prefixes: dict[str, str] = {}
    records = _statements(stream, format_, reject, notes, prefixes)
    return Table(format_, None, len(COLUMNS), records, notes, prefixes=prefixes)


def _statements(
    stream: ByteStream, format_: str, reject: Reject, notes: list[str], prefixes: dict[str, str]
) -> Iterator[Records]:
    """Rows of a document that can only be read as a whole."""
    from pyoxigraph import parse  # noqa: PLC0415

    feed = _Feed(stream)
    lines: list[int] = []
    rows: list[Row] = []
    numbers: dict[str, str] = {}
    graphs = 0

    def label(name: str) -> str:
        if not _RANDOM.fullmatch(name):
            return f"_:{name}"
        return numbers.setdefault(name, f"_:[{len(numbers) + 1}]")

    try:
        # The parser reads no further than it must, so the line that it was given last is the statement's.
        parser = parse(cast("IO[bytes]", feed), format=_parser_format(format_))
        for quad in parser:
            line = feed.line
            if len(rows) >= ROWS and (line > lines[-1] or len(rows) >= 4 * ROWS):
                # Lines are said to be read when all that stands on them has been given.
                yield _records(stream.name, lines, rows, line - 1)
                lines, rows = [], []
            found = [*_rows((quad,), label)]
            if not found:
                reject(Rejected(stream.name, line, Reason.BAD_RDF, _NESTED, str(quad)[:ROW_KEPT]))
                continue
            graphs += _named_graphs((quad,))
            rows += found
            lines.append(line)
    except (SyntaxError, MemoryError) as error:
        if isinstance(error, MemoryError) and not error.args:  # not the parser's own, on a term of more than 16 MiB
            raise
        if lines:
            yield _records(stream.name, lines, rows, lines[-1])
        line = (isinstance(error, SyntaxError) and error.lineno) or feed.line
        said = _said(error) if isinstance(error, SyntaxError) else "a term or comment without end"
        raise InputError(
            f"isn't {_CALLED[format_]} from here on: {said}; facts of earlier lines may be in the store, and stay",
            where=f"{stream.name}:{line}",
            fix="Mend the line and load the file again: a fact that is there already isn't doubled",
        ) from error
    prefixes.update(parser.prefixes)
    yield _records(stream.name, lines, rows, feed.line)
    _note_graphs(stream.name, graphs, notes)


class _Feed:
    """A stream as the parser reads it: a line at a time, so that it can be said which line it is at.

    ``line``: 1-based number of the line that was given last.
    """

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._block = b""
        self._at = 0
        self._ended = False
        self._begun = False
        self.line = 1

    def read(self, size: int = -1) -> bytes:
        """The rest of the line, or as much of it as fits."""
        if self._at == len(self._block):
            self._block, self._at = self._stream.read(_READ), 0
            if not self._begun:
                self._begun = True
                self._at = len(_BOM) if self._block.startswith(_BOM) else 0
        if self._ended and self._at < len(self._block):
            self._ended = False
            self.line += 1
        stop = len(self._block) if size < 0 else min(self._at + size, len(self._block))
        end = self._block.find(b"\n", self._at, stop)
        if end >= 0:
            self._ended = True
            stop = end + 1
        piece = self._block[self._at : stop]
        self._at = stop
        return piece


_NESTED = "a statement about a statement"


def _label(name: str) -> str:
    return f"_:{name}"


def _rows(quads: Iterable[Quad], label: Callable[[str], str]) -> Iterator[Row]:
    """The quads as rows; those that speak of other statements are left out."""
    from pyoxigraph import BlankNode, Literal, NamedNode  # noqa: PLC0415

    for quad in quads:
        subject, object_ = quad.subject, quad.object
        if isinstance(subject, NamedNode):
            of = subject.value
        elif isinstance(subject, BlankNode):
            of = label(subject.value)
        else:
            continue
        if isinstance(object_, NamedNode):
            yield of, quad.predicate.value, object_.value, None, None
        elif isinstance(object_, Literal):
            yield of, quad.predicate.value, object_.value, object_.datatype.value, object_.language
        elif isinstance(object_, BlankNode):
            yield of, quad.predicate.value, label(object_.value), None, None


def _named_graphs(quads: Iterable[Quad]) -> int:
    from pyoxigraph import DefaultGraph  # noqa: PLC0415

    return sum(not isinstance(quad.graph_name, DefaultGraph) for quad in quads)


def _records(source: str, lines: Sequence[int], rows: Sequence[Row], through: int) -> Records:
    columns: Sequence[Sequence[Cell]] = [*zip(*rows, strict=True)] or [()] * len(COLUMNS)
    return Records(source, lines, columns, through)


def _note_graphs(name: str, count: int, notes: list[str]) -> None:
    if count:
        notes.append(f"{name}: {count:,} statements are in named graphs, whose names aren't kept")


def _parser_format(format_: str) -> RdfFormat:
    from pyoxigraph import RdfFormat  # noqa: PLC0415

    return {
        "ntriples": RdfFormat.N_TRIPLES,
        "nquads": RdfFormat.N_QUADS,
        "turtle": RdfFormat.TURTLE,
        "trig": RdfFormat.TRIG,
    }[format_]


def _said(error: SyntaxError) -> str:
    """What the parser found, in one line, without the place."""
    return " ".join(_WHERE.sub("", error.msg or "").split())
