"""The load: parse, map, validate, batch, write, and the journal that lets it go on."""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace as changed
from itertools import islice

from graph_schema import Batch, ConfigError, InputError, Schema
from graph_schema.loads import Load, LoadPlan
from ingest.batching import batches
from ingest.expand import expand
from ingest.known import Known
from ingest.mapping_file import MappingFile
from ingest.options import LoadOptions
from ingest.plan import make_plan
from ingest.reading import Item, Reading, items, knowledge, reading, schemas
from ingest.report import FileReport, LoadReport, Progress, ProgressCallback, Tally
from ingest.sources import Source
from ingest.targets import Remembers, Target


def load(
    sources: Sequence[Source | str | os.PathLike[str]],
    target: Target,
    *,
    mapping: MappingFile | None = None,
    schema: Schema | None = None,
    options: LoadOptions | None = None,
    progress: ProgressCallback | None = None,
) -> LoadReport:
    """Read facts and write them to a store; what can't be a fact is set aside and counted.

    All files are looked at before the first is read. The store keeps a journal of how far the load is, so one that
    was ended early, by an error, Ctrl-C or force, goes on when it is begun again: its files are read from the start,
    for the counts and what is set aside, but what is in isn't written again. A load that is complete is compared with
    the store when it comes again, and what is missing is put back.

    If a load ends early, whole batches are in the store, and ``target.finish`` has been called (unless it was the
    store that failed, or nothing had been written).

    Args:
        sources: paths, folders, patterns, ``-`` for standard input, or Source objects; as ``expand`` takes them.
        target: the store; it is migrated before the first batch and finished after the last, and stays open.
        mapping: what the rows mean; None: each is a fact.
        schema: gives entities the labels of their relations' ends, and is kept by the store; None: no labels but those
            that a mapping says.
        options: how to read and write; None: everything found from the files.
        progress: called after each block and each batch.

    Raises:
        InputError: a source is missing, unreadable, empty, binary or damaged, or has no usable line.
        TooManyRejects: more lines are bad than ``options.max_errors``.
        ConfigError: no source, or standard input twice.
        StoreError: the store failed.
    """
    return load_instead(sources, target, (), mapping, schema, options, progress)


def load_instead(
    sources: Sequence[Source | str | os.PathLike[str]],
    target: Target,
    replaced: Sequence[int],
    mapping: MappingFile | None = None,
    schema: Schema | None = None,
    options: LoadOptions | None = None,
    progress: ProgressCallback | None = None,
) -> LoadReport:
    """``load``, of sources for which the origins ``replaced`` will be taken back afterwards."""
    options = options or LoadOptions()
    notes: list[str] = []
    given = expand(sources, notes.append)
    check(given)
    started = time.perf_counter()
    read = items(given, options, mapping)
    meant = schemas(read, schema or Schema())
    plan = plan_of(read, options, meant, mapping)
    if (again := _unchanged(target, plan, meant, started)) is not None:
        return again
    with knowledge(read, options, target, replaced) as known:
        run = _Run(read, target, plan, meant, options, progress, known)
        try:
            run.write()
        except (ConfigError, InputError, OSError, KeyboardInterrupt):  # ConfigError: the quarantine can't be written
            if run.load is not None:
                run.count_rejected()
                target.finish()
            raise
    notes += run.notes()
    report = LoadReport(run.reports(), time.perf_counter() - started, run.load.id if run.load else "", tuple(notes))
    if run.load is not None:
        run.count_rejected()
        # One that was gone on with hasn't compared what was in before.
        target.end_load(run.load.id, "" if report.resumed else json.dumps(report.as_dict(), ensure_ascii=False))
    target.finish()
    return changed(report, seconds=time.perf_counter() - started)


def plan_of(read: Sequence[Item], options: LoadOptions, schema: Schema, mapping: MappingFile | None) -> LoadPlan:
    """The plan of a load that reads these; reads every file once, as ``make_plan`` says."""
    called = [item.called for item in read]
    return make_plan([item.source for item in read], options, schema, mapping.fingerprint() if mapping else "", called)


def _unchanged(target: Target, plan: LoadPlan, schema: Schema, started: float) -> LoadReport | None:
    """The report of a load that needn't be read again: the store is certain that all of it is in; else None.

    With rejected lines it is read again, so that they are told and set aside again.
    """

    def certain() -> Load | None:
        known = target.loads() if isinstance(target, Remembers) else ()
        return next((one for one in known if one.key == plan.key and one.report), None)

    if not all(source.digest for source in plan.sources) or certain() is None:
        return None
    target.migrate(schema)  # new words for a relation, say, are a change
    if (found := certain()) is None or (said := json.loads(found.report))["rejected"]:
        return None
    target.finish()
    files = tuple(FileReport.unchanged_since(file) for file in said["files"])
    notes = ("loaded before, and the store hasn't changed since; nothing was read again", *said["notes"])
    return LoadReport(files, time.perf_counter() - started, found.id, notes)


def check(sources: Sequence[Source]) -> None:
    """Find what is wrong with the sources before anything is read or written.

    Raises:
        ConfigError: there is none, or a stream comes twice. InputError: one can't be read, as ``Source.check`` says.
    """
    if not sources:
        raise ConfigError("nothing to load", where="sources", fix="Name at least one file, or - for standard input")
    streams = [source.name for source in sources if source.stream is not None]
    if len(set(streams)) < len(streams):
        raise ConfigError("a stream can be read only once", where=streams[0], fix="Name it once")
    for source in sources:
        source.check()


class _Run:
    """One load. Batches are read ahead of those written, as far as the store draws them."""

    def __init__(
        self,
        read: Sequence[Item],
        target: Target,
        plan: LoadPlan,
        schema: Schema,
        options: LoadOptions,
        progress: ProgressCallback | None,
        known: Known | None,
    ) -> None:
        sizes = [item.source.size for item in read]
        self._total = None if None in sizes else sum(size for size in sizes if size is not None)
        self._items = read
        self._target = target
        self._schema = schema
        self._known = known
        self._options = options
        self._progress = progress
        self._plan = plan
        self._files: list[Reading] = []
        self._writing: deque[tuple[Reading, int]] = deque()  # files and numbers of facts of the batches being written
        self._bytes = self._lines = self._rejected = 0  # of the files that are read
        self._facts = 0
        self._open: Reading | None = None
        self.load: Load | None = None

    def write(self) -> None:
        """All sources, from the first byte to the last batch."""
        drawn = self._batches()
        # Once there is something to write, and not before: a load without a fact leaves nothing in the store.
        first = [*islice(drawn, 1)]
        if not first:
            return
        for written in self._target.write_many(_put_back(first, drawn), workers=self._options.workers):
            file, facts = self._writing.popleft()
            file.tally.written += written
            self._facts += facts
            self._tell()

    def reports(self) -> tuple[FileReport, ...]:
        return tuple(file.report() for file in self._files)

    def count_rejected(self) -> None:
        """Let the store know how many rows were set aside, of each source that was read."""
        assert self.load is not None
        before = [source.rejected for source in self.load.sources]
        now = [rejected for file in self._files for rejected in file.rejected()]
        now += before[len(now) :]
        if now != before:
            self._target.count_rejected(self.load.id, now)

    def notes(self) -> list[str]:
        """What is odd about the files as a whole."""
        return [note for file in self._files for note in file.notes]

    def _batches(self) -> Iterator[Batch]:
        """What is to be written, over all sources."""
        number = 0  # of its first source in the store
        for item in self._items:
            tally = Tally(item.source.name, self._options, self._rejected)
            with reading(item, tally, self._known, self._tell) as file:
                self._files.append(file)
                self._open = file
                for place, blocks in file.parts():
                    first = None if self._writing or self._facts else self._options.first_batch
                    for batch in batches(blocks, self._options.batch_size, self._schema, first=first):
                        yield from self._to_write(number, place, file, batch)
            self._open = None
            number += len(item.called)
            self._bytes += file.stream.position
            self._lines += tally.lines
            self._rejected += tally.rejects

    def _to_write(self, first: int, place: int, file: Reading, batch: Batch) -> Iterator[Batch]:
        """The batch with its origin, unless the journal says that it is in.

        Args:
            first: number of the file's first source. place: of the batch's, among the file's.
        """
        if self.load is None:
            self._target.migrate(self._schema)
            self.load = self._target.begin_load(self._plan)
        source = self.load.sources[first + place]
        if self.load.state == "running":
            file.tally.before = self.load.sources[first : first + len(file.called)]
            if source.digest and 0 < batch.through <= source.through:
                self._facts += len(batch.facts)
                self._tell()
                return
        self._writing.append((file, len(batch.facts)))
        # What was set aside for what the store holds or not may be loadable when the load goes on: the journal says
        # no more than that all before it is in.
        yield file.to_write(batch, source.origin, 0 if file.tally.disputed else batch.through)

    def _tell(self) -> None:
        if self._progress:
            now = self._open
            self._progress(
                Progress(
                    source=self._files[-1].tally.source,
                    bytes_read=self._bytes + (now.stream.position if now else 0),
                    bytes_total=self._total,
                    lines=self._lines + (now.tally.lines if now else 0),
                    facts=self._facts,
                    rejected=self._rejected + (now.tally.rejects if now else 0),
                )
            )


def _put_back(first: list[Batch], rest: Iterator[Batch]) -> Iterator[Batch]:
    """All batches again after a look at the first one, which is held no longer than the others."""
    yield first.pop()
    yield from rest
