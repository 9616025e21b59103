"""One source, from its bytes to blocks of checked entities and facts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from graph_schema import InputError
from ingest.formats import NAMED
from ingest.header import positions
from ingest.mapping import TripleMapping, mapped
from ingest.options import LoadOptions
from ingest.readers import read
from ingest.records import Mapped, Records
from ingest.report import FileReport, Tally
from ingest.sources import ByteStream, Source
from ingest.validation import validated


@dataclass(frozen=True)
class Reading:
    """A source that is open.

    Attributes:
        tally: counts what is read.
        blocks: what the source says, to be drawn once.
        format, header, notes: as in ``Table``.
    """

    tally: Tally
    stream: ByteStream
    format: str
    header: tuple[str, ...] | None
    notes: list[str]
    blocks: Iterator[Mapped]

    def report(self) -> FileReport:
        return self.tally.report(self.format, self.header)


def _nothing_to_tell() -> None:
    pass


@contextmanager
def reading(
    source: Source, options: LoadOptions, tally: Tally, tell: Callable[[], None] = _nothing_to_tell
) -> Iterator[Reading]:
    """Open a source and read it; what is set aside goes to the tally.

    Args:
        tell: called after each block read.

    Raises:
        InputError: it can't be read; or, when its blocks have been drawn, there was nothing in it.
    """
    with source.open() as stream:
        table = read(stream, options, tally.reject)
        mapping = TripleMapping(*positions(source.name, table.header, options, named=table.format in NAMED))
        records = _watched(table.records, tally, tell)
        blocks = _counted(validated(mapped(records, mapping), tally.reject), tally)
        yield Reading(tally, stream, table.format, table.header, table.notes, blocks)
    if not tally.facts and not tally.entities:
        raise _nothing(tally, table.width if options.columns is None and table.format not in NAMED else None)


def _watched(records: Iterable[Records], tally: Tally, tell: Callable[[], None]) -> Iterator[Records]:
    for block in records:
        tally.lines = max(tally.lines, block.through)
        tell()
        yield block


def _counted(blocks: Iterable[Mapped], tally: Tally) -> Iterator[Mapped]:
    for block in blocks:
        tally.facts += sum(len(part.lines) for part in block.facts)
        tally.entities += sum(len(part.lines) for part in block.entities)
        yield block


def _nothing(tally: Tally, width: int | None) -> InputError:
    """Why a file gave no fact."""
    if not tally.rejects:
        return InputError("has no facts", where=tally.source, fix="Give a file of lines: head, relation, tail")
    shown = [example for examples in tally.examples.values() for example in examples][:3]
    fix = "Say the format and the columns, if they were found wrongly"
    if set(tally.rejected) == {"not valid UTF-8"}:
        fix = "Convert it to UTF-8, for instance with iconv"
    elif width is not None:
        fix = "A line is head, relation, tail, with tabs, | or commas between; of a wider file, say the three columns"
    return InputError(
        f"none of its {tally.rejects:,} lines can be read as a fact ({'; '.join(shown)})", where=tally.source, fix=fix
    )
