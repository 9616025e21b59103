"""One source, from its bytes to blocks of checked entities and facts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from graph_schema import InputError
from ingest.formats import NAMED
from ingest.header import positions
from ingest.known import Known
from ingest.mapping import Mapping, TripleMapping, mapped
from ingest.mapping_file import MappingFile
from ingest.mapping_plan import Planned, planned
from ingest.options import LoadOptions
from ingest.readers import read
from ingest.records import Mapped, Records, Table
from ingest.report import FileReport, Tally
from ingest.sources import ByteStream, Source
from ingest.validation import validated


@dataclass(frozen=True, slots=True)
class Item:
    """A source, how it is read, and what a mapping file says of it; without one, its rows are facts."""

    source: Source
    options: LoadOptions
    planned: Planned | None = None

    def mapping(self, table: Table) -> Mapping:
        """What the rows mean.

        Raises:
            InputError: columns that are asked for aren't there.
        """
        if self.planned is not None:
            return self.planned.mapping(table.header, table.width)
        named = table.format in NAMED
        return TripleMapping(*positions(self.source.name, table.header, self.options, named=named))


def items(sources: Sequence[Source], options: LoadOptions, mapping: MappingFile | None) -> tuple[Item, ...]:
    """The sources in the order in which they are to be read: as given, but by a mapping, nodes before their edges.

    Raises:
        MappingError: the mapping has nothing for one of them.
    """
    if mapping is None:
        return tuple(Item(source, options) for source in sources)
    return tuple(Item(one.source, one.options(options), one) for one in planned(mapping, sources))


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
    item: Item, tally: Tally, known: Known | None, tell: Callable[[], None] = _nothing_to_tell
) -> Iterator[Reading]:
    """Open a source and read it; what is set aside goes to the tally.

    Args:
        known: which nodes there are; None: facts may speak of any.
        tell: called after each block read.

    Raises:
        InputError: it can't be read; or, when its blocks have been drawn, there was nothing in it.
    """
    with item.source.open() as stream:
        table = read(stream, item.options, tally.reject)
        records = _watched(table.records, tally, tell)
        blocks = _counted(validated(mapped(records, item.mapping(table)), tally.reject, known=known), tally)
        yield Reading(tally, stream, table.format, table.header, table.notes, blocks)
    if not tally.facts and not tally.entities:
        raise _nothing(tally, item, table)


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


def _nothing(tally: Tally, item: Item, table: Table) -> InputError:
    """Why a file gave no fact."""
    if not tally.rejects:
        fix = "Give a file of lines: head, relation, tail" if item.planned is None else "Give a file with rows"
        return InputError("has no facts", where=tally.source, fix=fix)
    shown = [example for examples in tally.examples.values() for example in examples][:3]
    fix = "Say the format and the columns, if they were found wrongly"
    if set(tally.rejected) == {"not valid UTF-8"}:
        fix = "Convert it to UTF-8, for instance with iconv"
    elif item.planned is not None:
        fix = "Mend the mapping or the file"
    elif item.options.columns is None and table.format not in NAMED:
        fix = "A line is head, relation, tail, with tabs, | or commas between; of a wider file, say the three columns"
    what = f"none of its {tally.rejects:,} lines can be read as a fact ({'; '.join(shown)})"
    return InputError(what, where=tally.source, fix=fix)
