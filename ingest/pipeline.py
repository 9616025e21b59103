"""The load: parse, map, validate, batch, write; one block in flight at a time."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence

from graph_schema import ConfigError, GraphWriter, InputError, Schema
from ingest.batching import batches
from ingest.expand import expand
from ingest.header import positions
from ingest.mapping import TripleMapping, mapped
from ingest.options import LoadOptions
from ingest.readers import READERS
from ingest.records import Mapped, Records
from ingest.report import FileReport, LoadReport, Progress, ProgressCallback, Tally
from ingest.sources import ByteStream, Source
from ingest.validation import validated


def load(
    sources: Sequence[Source | str | os.PathLike[str]],
    writer: GraphWriter,
    *,
    schema: Schema | None = None,
    options: LoadOptions | None = None,
    progress: ProgressCallback | None = None,
) -> LoadReport:
    """Read facts and write them to a store; what can't be a fact is set aside and counted.

    All files are looked at before the first is read. Each batch is one transaction, so whenever a load ends early, by
    an error or by Ctrl-C, whole batches are in the store, ``writer.finish`` has been called (unless it was the store
    that failed, or nothing had been written), and loading the same again adds what is missing and doubles nothing.

    Args:
        sources: paths, folders, patterns, ``-`` for standard input, or Source objects; as ``expand`` takes them.
        writer: the store; it is migrated before the first batch and finished after the last, and stays open.
        schema: gives entities the labels of their relations' ends, and is kept by the store; None: no labels.
        options: how to read and write; None: everything found from the files.
        progress: called after each block and each batch.

    Raises:
        InputError: a source is missing, unreadable, empty, binary or damaged, or has no usable line.
        TooManyRejects: more lines are bad than ``options.max_errors``.
        ConfigError: no source, or standard input twice.
        StoreError: the store failed.
    """
    options = options or LoadOptions()
    schema = schema or Schema()
    notes: list[str] = []
    given = expand(sources, notes.append)
    _check(given)
    started = time.perf_counter()
    run = _Run(given, writer, schema, options, progress)
    try:
        for source in given:
            run.load(source)
    except (InputError, OSError, KeyboardInterrupt):
        if run.migrated:
            writer.finish()
        raise
    writer.finish()
    return LoadReport(tuple(run.reports), time.perf_counter() - started, notes=tuple(notes))


def _check(sources: Sequence[Source]) -> None:
    if not sources:
        raise ConfigError("nothing to load", where="sources", fix="Name at least one file, or - for standard input")
    streams = [source.name for source in sources if source.stream is not None]
    if len(set(streams)) < len(streams):
        raise ConfigError("a stream can be read only once", where=streams[0], fix="Name it once")
    for source in sources:
        source.check()


class _Run:
    """One load: what is the same for all of its files, and the sums over those done."""

    def __init__(
        self,
        sources: Sequence[Source],
        writer: GraphWriter,
        schema: Schema,
        options: LoadOptions,
        progress: ProgressCallback | None,
    ) -> None:
        sizes = [source.size for source in sources]
        self._total = None if None in sizes else sum(size for size in sizes if size is not None)
        self._writer = writer
        self._schema = schema
        self._options = options
        self._progress = progress
        self._bytes = self._lines = self._facts = self._rejected = 0
        self.reports: list[FileReport] = []
        self.migrated = False

    def load(self, source: Source) -> None:
        """One source, from its first byte to its last batch."""
        tally = Tally(source.name, self._options, self._rejected)
        with source.open() as stream:
            table = READERS[self._options.format](stream, self._options, tally.reject)
            mapping = TripleMapping(*positions(source.name, table.header, self._options))
            read = self._watched(table.records, stream, tally)
            facts = _counted(validated(mapped(read, mapping), tally.reject), tally)
            for batch in batches(facts, self._options.batch_size, self._schema):
                self._migrate()
                tally.written += self._writer.write(batch)
                tally.sent += len(batch.facts)
                self._tell(stream, tally)
        if not tally.read:
            raise _nothing(tally, table.width if self._options.columns is None else None)
        self.reports.append(tally.report(table.format, table.header))
        self._bytes += stream.position
        self._lines += tally.lines
        self._facts += tally.read
        self._rejected += tally.rejects

    def _migrate(self) -> None:
        """Once there is something to write, and not before: of a load without a fact, nothing is left in the store."""
        if not self.migrated:
            self._writer.migrate(self._schema)
            self.migrated = True

    def _watched(self, records: Iterable[Records], stream: ByteStream, tally: Tally) -> Iterator[Records]:
        for block in records:
            tally.lines = max(tally.lines, block.through)
            self._tell(stream, tally)
            yield block

    def _tell(self, stream: ByteStream, tally: Tally) -> None:
        if self._progress:
            self._progress(
                Progress(
                    source=tally.source,
                    bytes_read=self._bytes + stream.position,
                    bytes_total=self._total,
                    lines=self._lines + tally.lines,
                    facts=self._facts + tally.sent,
                    rejected=self._rejected + tally.rejects,
                )
            )


def _counted(blocks: Iterable[Mapped], tally: Tally) -> Iterator[Mapped]:
    for block in blocks:
        tally.read += sum(len(triples.lines) for triples in block.facts)
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
