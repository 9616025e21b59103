"""Reading a quarantine file: its rows, as they were mended, by the format and the mapping that they came with."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from graph_schema import ConfigError, InputError, MappingError, Schema
from ingest.delimited import read_lines
from ingest.dialect import DELIMITERS, Dialect
from ingest.formats import NAMED, RDF
from ingest.header import positions
from ingest.lines import blocks
from ingest.mapping import Mapping, TripleMapping
from ingest.mapping_file import MappingFile
from ingest.mapping_plan import spec_for
from ingest.options import LoadOptions
from ingest.plan import absolute, same_source
from ingest.quarantine import AGAIN, READING, VERSION, FileContext
from ingest.rdf import RdfRows
from ingest.rdf_options import RdfOptions
from ingest.rdf_survey import blank_tag
from ingest.readers import READERS, read
from ingest.records import ROW_KEPT, Cell, Mapped, Reason, Records, Reject, Rejected
from ingest.sources import ByteStream, Source
from ingest.tables import fitted

MAX_LINE = 16_777_216
ROWS = 4_096
_START = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"quarantine"\s*:')
_BYTE = re.compile(r"\\x[0-9a-f]{2}")


def is_quarantine(stream: ByteStream) -> bool:
    """Whether a stream is a quarantine file; only before the first read."""
    return _START.match(stream.sample()) is not None


@dataclass(frozen=True, slots=True)
class Head:
    """How a load was done. ``mapping``: None: the rows are facts."""

    options: LoadOptions
    mapping: MappingFile | None = None


@dataclass(frozen=True, slots=True)
class _Row:
    """A row: its line in the quarantine, where it is from, and what it is: a text, or its cells.

    ``twice``: as in ``Mapped``.
    """

    line: int
    context: FileContext
    was: int
    content: str | tuple[Cell, ...]
    twice: str = ""


@dataclass
class QuarantineFile:
    """The rows of one quarantine file. What is faulted in them is told with its line in this file.

    Args:
        name: of the file, as in ``Records.source``.
        mapping: instead of the one in the file.
        source: as in ``LoadOptions``.

    Attributes:
        lines: of the rows that were drawn and not yet forgotten, by their lines here: those in the files they are from.
    """

    name: str
    mapping: MappingFile | None = None
    source: str | None = None
    lines: dict[int, int] = field(default_factory=dict)
    contexts: dict[str, FileContext] = field(default_factory=dict)
    _headed: bool = False
    _hows: dict[object, str] = field(default_factory=dict)
    _heads: dict[str, Head] = field(default_factory=dict)
    _sources: dict[str, None] = field(default_factory=dict)
    _origins: dict[int, tuple[str, int, FileContext]] = field(default_factory=dict)
    _mappings: dict[FileContext, dict[tuple[str, ...], Mapping]] = field(default_factory=dict)

    def origin(self, source: str, line: int) -> tuple[str, int, FileContext] | None:
        """Where a row of the blocks drawn last was first set aside: file, line, and how that is read."""
        return self._origins.get(line) if source == self.name else None

    def sources(self) -> tuple[str, ...]:
        """What the files that its rows are from go by in the store, once ``learn`` has read how these are read."""
        return tuple(self._sources) or (absolute(Path(self.name)),)

    def source_of(self, line: int) -> str:
        """What the file goes by that a row of the blocks drawn last is from."""
        found = self._origins.get(line)
        return found[2].source if found and found[2].format != AGAIN else self.sources()[0]

    def returned(self, blocks: Iterable[Mapped]) -> Iterator[Mapped]:
        """Blocks of its rows, under the names of the sources that these are from; ``lines`` grows by their lines."""
        for block in blocks:
            here = {line for part in block.parts for line in part.lines}
            self.lines.update((line, self._origins[line][1]) for line in here)
            yield replace(block, source=self.source_of(min(here, default=0)))

    def learn(self, stream: ByteStream) -> None:
        """Read only how files are read, which may stand after their rows; of a file that can be read twice."""
        first: dict[str, FileContext] = {}
        for line, text in _lines(stream, _ignore):
            record = _parsed(text)
            if isinstance(record, dict) and "row" not in record:
                self._say(line, record)
                first = {**self.contexts, **first}
        self.contexts = first

    def schema(self) -> Schema:
        """What its mappings say of labels and relations, once ``learn`` has read them."""
        made = Schema()
        for head in self._heads.values():
            if head.mapping is not None:
                made = made.merged(head.mapping.filled_schema())
        return made

    def mapped(self, stream: ByteStream, reject: Reject) -> Iterator[Mapped]:
        """The rows, in blocks; to be drawn once.

        Raises:
            InputError: it isn't a quarantine file of this version, or says wrongly how something is read.
        """
        waiting: list[_Row] = []
        for line, text in _lines(stream, reject):
            record = _parsed(text)
            if isinstance(record, dict) and "row" not in record and record.keys() & {"quarantine", "how", "format"}:
                self._say(line, record)
                continue
            if not self._headed:
                raise self._error(line, 'it must begin with the line {"quarantine": ...}')
            row = self._row(line, text, record, reject)
            if row is not None and waiting and (len(waiting) >= ROWS or not _alike(waiting[-1], row)):
                yield from self._block(waiting, reject)
                waiting = []
            if row is not None:
                waiting.append(row)
            if len(self._origins) > 2 * ROWS or (row is not None and len(waiting) == 1):
                kept = {one.line for one in waiting}
                self._origins = {at: origin for at, origin in self._origins.items() if at in kept}
        yield from self._block(waiting, reject)

    def _say(self, line: int, record: dict[str, Any]) -> None:
        """A line that says how something is read."""
        try:
            if "quarantine" in record:
                if record["quarantine"] != VERSION:
                    raise ValueError(f"version {record['quarantine']!r}, this release reads {VERSION}")
                self._headed = True
            elif "format" in record:
                header = record.get("header")
                context = FileContext(
                    record["file"],
                    record["format"],
                    int(record["width"]),
                    None if header is None else tuple(map(str, header)),
                    str(record.get("quoting", "")),
                    self._hows[record["how"]],
                    self._called(str(record.get("source") or absolute(Path(record["file"])))),
                )
                if context.format not in {*READERS, AGAIN}:
                    raise ValueError(f"format {context.format!r}")
                self.contexts[context.file] = context
                if context.format != AGAIN:
                    self._sources.setdefault(context.source)
            else:
                how = {name: value for name, value in record.items() if name != "how"}
                text = json.dumps(how, ensure_ascii=False)
                self._hows[record["how"]] = text
                self._heads[text] = self._head(line, how)
        except (LookupError, TypeError, ValueError, ConfigError) as error:
            raise self._error(line, f"it says wrongly how something is read ({error})") from error

    def _called(self, known: str) -> str:
        """What a file goes by, that went by ``known``, now that the load says what its source goes by."""
        return known if self.source is None or same_source(self.source, known) else self.source

    def _head(self, line: int, how: dict[str, Any]) -> Head:
        said = {name: value for name, value in how.get("options", {}).items() if name in READING}
        said.update({name: tuple(said[name]) for name in ("columns", "needed") if said.get(name) is not None})
        mapping = self.mapping
        if mapping is None and how.get("mapping") is not None:
            mapping = MappingFile.from_dict(how["mapping"], where=f"{self.name}:{line}: mapping")
        return Head(LoadOptions(**said), mapping)

    def _error(self, line: int, what: str) -> InputError:
        fix = "Take that line from the quarantine file as it was written; only rows are to be mended"
        return InputError(f"isn't a quarantine file that can be read: {what}", where=f"{self.name}:{line}", fix=fix)

    def _row(
        self,
        line: int,
        text: str,
        record: object,
        reject: Reject,
        outer: tuple[str, int, FileContext] | None = None,
    ) -> _Row | None:
        """A line as a row; None if it was set aside again.

        Args:
            outer: if the line is itself a row, that was a line of an older quarantine file: where it was first.
        """

        def bad(detail: str, fix: str, reason: Reason = Reason.NOT_A_ROW, row: str = text) -> None:
            reject(Rejected(self.name, line, reason, detail, row, fix))

        if not isinstance(record, dict):
            bad("the line isn't a JSON object", "Mend its quotes, commas and braces; a line is one row")
            return None
        row, file, was = record.get("row"), record.get("file"), record.get("line")
        context = self.contexts.get(file) if isinstance(file, str) else None
        if context is not None and context.format == AGAIN and isinstance(row, str) and isinstance(was, int):
            outer = self._origins[line] = (context.file, was, context)
            return self._row(line, row, _parsed(row), reject, outer)
        if context is None or not isinstance(was, int):
            bad(f"it isn't said how {file!r} is read", "Leave file and line as they were, and the line with its format")
            return None
        self._origins[line] = (context.file, was, context)
        twice = str(record.get("detail", "")) if record.get("reason") == Reason.CONTRADICTION else ""
        if record.get("cut") and isinstance(row, str):
            fix = f"Write the whole of line {was} of {context.file} and take cut out"
            bad(f"the row was cut at {ROW_KEPT:,} characters", fix, Reason.LINE_TOO_LONG, row)
        elif isinstance(row, str):
            if record.get("reason") == Reason.NOT_UTF8 and (found := _BYTE.search(row)):
                fix = "Write the right characters instead of each \\xNN; or take reason out if they are meant"
                bad(f"it still holds {found.group()}", fix, Reason.NOT_UTF8, row)
            else:
                return _Row(line, context, was, row, twice)
        else:
            cells, wrong = _cells(row, context)
            if not wrong:
                return _Row(line, context, was, cells, twice)
            del self._origins[line]  # set aside as it stands, so that nothing of it is lost
            if outer is not None:
                self._origins[line] = outer
            fix = "Write the row as it was: its columns with their values, as text, numbers or lists"
            bad(wrong, fix, Reason.FIELD_COUNT)
        return None

    def _block(self, rows: list[_Row], reject: Reject) -> Iterator[Mapped]:
        """Rows of one file, all texts or all cells."""
        if not rows:
            return
        context = rows[0].context
        if isinstance(rows[0].content, str):
            for row in rows:
                yield from self._read(row, reject)
            return
        columns = [*zip(*(cast("tuple[Cell, ...]", row.content) for row in rows), strict=True)]
        records = Records(self.name, [row.line for row in rows], columns, rows[-1].line)
        twice = {place: row.twice for place, row in enumerate(rows) if row.twice}
        yield replace(self._mapping(context, context.header, len(columns)).mapped(records), twice=twice)

    def _read(self, row: _Row, reject: Reject) -> Iterator[Mapped]:
        """What a row says that is a text: as a rule one record, or as many as it was mended to."""
        context = row.context
        raw = str(row.content).encode("utf-8", "replace").rstrip(b"\n") + b"\n"

        def again(rejected: Rejected) -> None:
            reject(replace(rejected, source=self.name, line=row.line))

        try:
            header, width, records = self._records(context, raw, again)
            for block in records:
                if block.lines:
                    lines = [row.line] * len(block.lines)
                    here = replace(block, source=self.name, lines=lines, through=row.line)
                    twice = dict.fromkeys(range(len(lines)), row.twice) if row.twice else {}
                    yield replace(self._mapping(context, header, width).mapped(here), twice=twice)
        except InputError as error:
            again(Rejected(self.name, row.line, Reason.NOT_A_ROW, error.what, str(row.content), error.fix))

    def _records(
        self, context: FileContext, raw: bytes, reject: Reject
    ) -> tuple[Sequence[str] | None, int, Iterator[Records]]:
        head = self._heads[context.how]
        if context.format in DELIMITERS:
            quoting = {"yes": "yes", "no": "no"}.get(context.quoting, "rescue")
            table = head.options.table or head.mapping is not None
            dialect = Dialect(context.format, cast("Any", quoting), context.header, context.width, table)
            return context.header, context.width, read_lines(self.name, dialect, [(1, raw)], reject)
        stream = ByteStream(self.name, io.BytesIO(raw), None)
        made = read(stream, replace(head.options, format=cast("Any", context.format)), reject)
        return made.header, made.width, made.records

    def _mapping(self, context: FileContext, header: Sequence[str] | None, width: int) -> Mapping:
        made = self._mappings.setdefault(context, {})
        key = (str(width), *(header or ()))
        if key not in made:
            made[key] = _fitted(self._heads[context.how], context, header, width)
        return made[key]


def _fitted(head: Head, context: FileContext, header: Sequence[str] | None, width: int) -> Mapping:
    """The mapping by which the rows of a file were read."""
    if context.format in RDF:
        said = spec_for(head.mapping, Source(context.file)) if head.mapping else None
        rdf = RdfOptions.of(said.rdf) if said is not None and said.rdf is not None else head.options.rdf
        return RdfRows(rdf, blank_tag(Source.of(context.file)))
    if head.mapping is None:
        named = context.format in NAMED
        return TripleMapping(*positions(context.file, header, head.options, named=named))
    source = Source(context.file)
    spec = spec_for(head.mapping, source)
    if spec is None:
        raise MappingError(f"the mapping says nothing of {context.file}", where="mapping", fix="Add it to its sources")
    return fitted(head.mapping, spec, context.file, header, width)


def _ignore(_: Rejected) -> None:
    pass


def _lines(stream: ByteStream, reject: Reject) -> Iterator[tuple[int, str]]:
    """The lines that aren't blank, with their numbers."""
    for number, block in blocks(stream, reject, MAX_LINE):
        for line, raw in enumerate(block[:-1].split(b"\n"), number):
            text = raw.decode("utf-8", "backslashreplace").strip()
            if text:
                yield line, text


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _alike(one: _Row, other: _Row) -> bool:
    return one.context == other.context and isinstance(one.content, str) == isinstance(other.content, str)


def _cells(row: object, context: FileContext) -> tuple[tuple[Cell, ...], str]:
    """The cells of a row, and what is wrong with it."""
    header = context.header or ()
    if isinstance(row, list):
        wrong = "" if len(row) == context.width else f"{len(row)}, not {context.width}"
        return tuple(row), wrong
    if isinstance(row, dict):
        unknown = [repr(name) for name in row if name not in header and context.format not in NAMED]
        wrong = f"{context.file} has no column {', '.join(unknown)}" if unknown else ""
        return tuple(row.get(name) for name in header), wrong
    return (), f"the row is {json.dumps(row)[:60]}, neither a text nor columns"
