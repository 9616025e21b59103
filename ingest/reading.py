"""One source, from its bytes to blocks of checked entities and facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby

from graph_schema import Batch, InputError, MappingError, Schema
from graph_schema.text import counted
from ingest.formats import NAMED, RDF, find_format
from ingest.header import positions
from ingest.known import Known
from ingest.mapping import Mapping, TripleMapping, mapped
from ingest.mapping_file import MappingFile
from ingest.mapping_plan import Planned, expect_ahead, planned
from ingest.options import LoadOptions
from ingest.plan import names
from ingest.quarantine import Quarantine, context_of
from ingest.quarantine_file import QuarantineFile, is_quarantine
from ingest.rdf import RdfMapping
from ingest.rdf_survey import RdfSources
from ingest.readers import read
from ingest.records import Mapped, Reason, Records, Rejected, Table
from ingest.report import FileReport, Tally
from ingest.sources import ByteStream, Source
from ingest.targets import Looker, ValueLooker
from ingest.validation import validated


@dataclass(frozen=True, slots=True)
class Item:
    """A source, how it is read, and what its rows mean.

    Attributes:
        mapping: that was given; None: rows are facts, those of a quarantine file what it says itself.
        planned: what the mapping says of the source; None for a quarantine file too.
        rdf: the RDF among all sources.
        called: what it goes by in the store; of a quarantine file, what the files go by that its rows are from.
        again: whether it is a quarantine file.
    """

    source: Source
    options: LoadOptions
    rdf: RdfSources
    mapping: MappingFile | None = None
    planned: Planned | None = None
    called: tuple[str, ...] = ()
    again: bool = False

    def meaning(self, table: Table) -> Mapping:
        """What the rows of a table mean, that isn't RDF.

        Raises:
            InputError: columns that are asked for aren't there.
        """
        if self.planned is not None:
            if self.planned.spec.rdf is not None:
                fix = "Say its format, or what its columns mean"
                raise MappingError(f"is {table.format}, not RDF as the mapping says", where=self.source.name, fix=fix)
            return self.planned.mapping(table.header, table.width)
        named = table.format in NAMED
        return TripleMapping(*positions(self.source.name, table.header, self.options, named=named))


def items(sources: Sequence[Source], options: LoadOptions, mapping: MappingFile | None) -> tuple[Item, ...]:
    """The sources in the order in which they are to be read: as given, but by a mapping, nodes before their edges.

    Raises:
        MappingError: the mapping has nothing for one of them.
    """
    again = [source for source in sources if _is_quarantine(source)]
    if mapping is None:
        rdf = RdfSources([(source, options) for source in sources])
        found = [Item(source, options, rdf, again=source in again) for source in sources]
    else:
        plan = planned(mapping, [source for source in sources if source not in again])
        rdf = RdfSources([(one.source, one.options(options)) for one in plan])
        found = [Item(source, options, rdf, mapping, again=True) for source in again]
        found += [Item(one.source, one.options(options), rdf, mapping, one) for one in plan]
    own = iter(names([item.source for item in found if not item.again], options.source))
    return tuple(replace(item, called=_learned(item).sources() if item.again else (next(own),)) for item in found)


@contextmanager
def knowledge(
    read: Sequence[Item], options: LoadOptions, target: object, replaced: Sequence[int] = ()
) -> Iterator[Known | None]:
    """What is known of nodes while these are read, looked up in the store if it can be read; None if none need be.

    Ids that are needed before their turn are read first.

    Args:
        replaced: origins that will be taken back when these are in; values that only they brought are free.
    """
    again = [item for item in read if item.again]
    if not again and all(item.planned is None and item.source.size is not None for item in read):
        yield None  # a stream may be a quarantine file
        return
    values = partial(target.values, without=replaced) if isinstance(target, ValueLooker) else None
    with Known(target.entities if isinstance(target, Looker) else None, values) as known:
        for item in again:
            held = _learned(item)
            with item.source.open() as stream:
                for block in validated(held.mapped(stream, _nobody), _nobody):
                    known.expect(block)
        expect_ahead([item.planned for item in read if item.planned], options, known)
        yield known


def schemas(read: Sequence[Item], schema: Schema) -> Schema:
    """A schema with what the mappings say, that was given and those that quarantine files bring."""
    for item in read:
        if item.mapping is not None:
            schema = schema.merged(item.mapping.filled_schema())
        elif item.again:
            schema = schema.merged(_learned(item).schema())
    return schema


def _is_quarantine(source: Source) -> bool:
    """Whether a file is one of rejected rows; a stream isn't looked at."""
    if source.size is None:
        return False
    with source.open() as stream:
        return is_quarantine(stream)


def _learned(item: Item) -> QuarantineFile:
    held = QuarantineFile(item.source.name, item.mapping, item.options.source)
    if item.source.size is not None:
        with item.source.open() as stream:
            held.learn(stream)
    return held


def _nobody(_: Rejected) -> None:
    """Takes what is set aside; it is told when it is loaded."""


@dataclass(frozen=True)
class Reading:
    """A source that is open.

    Attributes:
        tally: counts what is read.
        blocks: what the source says, to be drawn once; of a quarantine file, under the names of ``called``.
        format, header, notes: as in ``Table``.
        called: as in ``Item``.
        held: the quarantine file that it is.
        aside: rows of a quarantine file that were set aside again, by what the file goes by that they are from.
    """

    tally: Tally
    stream: ByteStream
    format: str
    header: tuple[str, ...] | None
    notes: list[str]
    blocks: Iterator[Mapped]
    called: tuple[str, ...] = ()
    held: QuarantineFile | None = None
    aside: Counter[str] = field(default_factory=Counter)

    def parts(self) -> Iterator[tuple[int, Iterator[Mapped]]]:
        """The blocks, those together that follow each other and are of one source in the store; its place in
        ``called``."""
        if self.held is None:
            yield 0, self.blocks
            return
        for name, blocks in groupby(self.blocks, key=lambda block: block.source):
            yield self.called.index(name), blocks

    def to_write(self, batch: Batch, origin: int, through: int) -> Batch:
        """The batch as it is written: rows of a quarantine file with the lines that they had where they are from."""
        if self.held is None:
            return replace(batch, origin=origin, through=through)
        was = self.held.lines
        entity_lines, fact_lines = ([was[line] for line in lines] for lines in (batch.entity_lines, batch.fact_lines))
        for line in [line for line in was if line <= batch.through]:
            del was[line]
        return replace(batch, origin=origin, through=through, entity_lines=entity_lines, fact_lines=fact_lines)

    def rejected(self) -> list[int]:
        """How many rows were set aside, by each of ``called``."""
        return [self.tally.rejects] if self.held is None else [self.aside[name] for name in self.called]

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
    quarantine = item.options.rejects if isinstance(item.options.rejects, Quarantine) else None
    with _opened(item) as (stream, rdf):
        held: QuarantineFile | None = None
        aside: Counter[str] = Counter()
        if item.planned is None and is_quarantine(stream):
            again = _learned(item)
            if quarantine is not None:
                quarantine.begin_again(again)
            found = Found("quarantine")

            def reject(rejected: Rejected) -> None:
                aside[again.source_of(rejected.line)] += 1
                tally.disputed |= rejected.reason == Reason.CONTRADICTION  # it depends on what is in the store
                tally.reject(rejected)

            blocks = validated(again.mapped(stream, reject), reject, known=known)
            if item.again:  # a stream's names come too late for the plan
                blocks, held = again.returned(blocks), again
        else:
            table = read(stream, item.options, tally.reject)
            if quarantine is not None:
                quarantine.begin(context_of(item.source.name, table, item.options, item.mapping, item.called[0]))
            found = Found(table.format, table.header, table.notes, table.width)
            records = _watched(table.records, tally, tell)
            nodes = known if item.planned is not None else None
            blocks = validated(mapped(records, rdf or item.meaning(table)), tally.reject, known=nodes)
        counted = _counted(blocks, tally)
        yield Reading(tally, stream, found.format, found.header, found.notes, counted, item.called, held, aside)
        if rdf is not None:
            found.notes.extend(f"{item.source.name}: {note}" for note in rdf.notes())
    if not tally.facts and not tally.entities:
        raise _nothing(tally, item, found)


@contextmanager
def _opened(item: Item) -> Iterator[tuple[ByteStream, RdfMapping | None]]:
    """The bytes of a source, and if it is RDF, what its statements mean; a stream of RDF is read from a copy."""
    with ExitStack() as opened:
        stream = opened.enter_context(item.source.open())
        if find_format(stream, item.options.format).format not in RDF or is_quarantine(stream):
            yield stream, None
            return
        if item.planned is not None and item.planned.spec.rdf is None:
            raise MappingError("is RDF, and the mapping has columns for it", where=item.source.name, fix="Say rdf: {}")
        source = item.source
        if source.size is None:
            source = Source(source.name, stream=opened.enter_context(stream.seekable()))
        rdf = RdfMapping(*item.rdf.survey(source, item.options))
        yield stream if source is item.source else opened.enter_context(source.open()), rdf


@dataclass(frozen=True, slots=True)
class Found:
    """What a source was found to be; as in ``Table``."""

    format: str
    header: tuple[str, ...] | None = None
    notes: list[str] = field(default_factory=list)
    width: int = 0


def _watched(records: Iterable[Records], tally: Tally, tell: Callable[[], None]) -> Iterator[Records]:
    for block in records:
        tally.lines = max(tally.lines, block.through)
        tell()
        yield block


def _counted(blocks: Iterable[Mapped], tally: Tally) -> Iterator[Mapped]:
    for block in blocks:
        tally.lines = max(tally.lines, block.through)
        tally.facts += sum(len(part.lines) for part in block.facts)
        tally.entities += sum(len(part.lines) for part in block.entities)
        yield block


def _nothing(tally: Tally, item: Item, found: Found) -> InputError:
    """Why a file gave no fact."""
    if not tally.rejects:
        fix = "Give a file of lines: head, relation, tail" if item.planned is None else "Give a file with rows"
        return InputError("has no facts", where=tally.source, fix=fix)
    shown = [example for examples in tally.examples.values() for example in examples][:3]
    fix = "Say the format and the columns, if they were found wrongly"
    if set(tally.rejected) == {"not valid UTF-8"}:
        fix = "Convert it to UTF-8, for instance with iconv"
    elif found.format == "quarantine":
        fix = "Mend its rows"
    elif item.planned is not None:
        fix = "Mend the mapping or the file"
    elif item.options.columns is None and found.format not in NAMED:
        fix = "A line is head, relation, tail, with tabs, |, commas or semicolons between; of a wider file, "
        fix += "say the three columns, or what all mean in a mapping (--mapping; --suggest proposes one)"
    what = f"of {counted(tally.rejects, 'line')} none can be read as a fact ({'; '.join(shown)})"
    return InputError(what, where=tally.source, fix=fix)
