"""How a load looks while it runs and when it has ended."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Column
from rich.text import Text

import ingest
from graph_schema import Entity, Fact, Value, Withdrawn
from graph_schema.text import counted
from kgqa.cli import common

if TYPE_CHECKING:
    from kgqa.stores.neo4j_offline import ImportPlan

MOST_SHOWN = 60
"""Characters of a value."""
PLAIN_SECONDS = 5.0
"""Between two lines of progress where there is no terminal."""
WIDE = 120
"""Columns of a terminal in which there is room for a bar, too."""
_BAR = 20  # columns
_SHARE = 22  # the share read and the time left
_COUNTS = 50  # lines, rate and those set aside, at most


class _Left(TimeRemainingColumn):
    """How long it still takes, as ``01:23 left``; nothing if the size isn't known."""

    def render(self, task: Task) -> Text:
        left = super().render(task)
        return left.append(" left") if left.plain else left


class LoadingBar:
    """Progress as an ``ingest.ProgressCallback``: a bar on a terminal, else a line now and then; nothing if quiet."""

    def __init__(self, *, quiet: bool) -> None:
        self._bar = not quiet and common.errors.is_terminal
        self._lines = not quiet and not self._bar
        columns: list[ProgressColumn] = [
            TextColumn("{task.description}"),
            TaskProgressColumn(),
            _Left(compact=True, table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[sofar]}"),
        ]
        if common.errors.width >= WIDE:
            columns.insert(1, BarColumn(_BAR))
        self._progress = Progress(
            *columns,
            console=common.errors,
            disable=not self._bar,
            transient=True,
        )
        self._task = self._progress.add_task("loading", total=None, sofar="")
        self._began = self._said = time.monotonic()
        self.facts = 0

    def __enter__(self) -> LoadingBar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, now: ingest.Progress) -> None:
        self.facts = now.facts
        seconds = time.monotonic() - self._began
        if self._bar:
            room = common.errors.width - _SHARE - (_BAR + 1) * (common.errors.width >= WIDE)
            name = _shortened(Path(now.source).name, room - _COUNTS)
            self._progress.update(
                self._task,
                completed=now.bytes_read,
                total=now.bytes_total,
                sofar=_briefly(now, seconds, room - len(name)),
                description=escape(name),
            )
        elif self._lines and time.monotonic() - self._said >= PLAIN_SECONDS:
            self._said = time.monotonic()
            share = now.bytes_read / now.bytes_total if now.bytes_total else 0.0
            left = f", about {seconds / share - seconds:,.0f} s left" if share else ""
            percent = f"{share:.0%}, " if share else ""
            common.errors.print(
                f"{escape(Path(now.source).name)}: {percent}{_so_far(now, seconds)}{left}", soft_wrap=True
            )


def _so_far(now: ingest.Progress, seconds: float) -> str:
    rate = f", {now.lines / seconds:,.0f} a second" if seconds > 1 else ""
    aside = f", {now.rejected:,} set aside" if now.rejected else ""
    return f"{counted(now.lines, 'line')}{rate}, {counted(now.facts, 'fact')}{aside}"


def _briefly(now: ingest.Progress, seconds: float, room: int) -> str:
    """The same in fewer columns, what matters most first; facts only if there is room."""
    rate = f", {now.lines / seconds:,.0f}/s" if seconds > 1 else ""
    said = f"{counted(now.lines, 'line')}{rate}, {now.rejected:,} set aside"
    whole = f"{said}, {counted(now.facts, 'fact')}"
    return whole if len(whole) <= room else _shortened(said, room)


def _shortened(name: str, room: int) -> str:
    return name if len(name) <= room else f"{name[: room - 1]}…" if room > 1 else ""


def report_lines(report: ingest.LoadReport, *, dry: bool = False, offline: bool = False) -> Iterator[str]:
    """The report as lines with rich markup."""
    new = "would be new" if dry else "new"
    altered = report.merged - report.unchanged if report.load else 0
    yield (
        f"{_read(report)} read: {report.created:,} {new}, {report.merged:,} there already or repeated"
        + (f" ({altered:,} of them with something new)" if altered else "")
        + f"; {counted(report.entities_created, 'new entity', 'new entities')}"
        + _merged_nodes(report, dry=dry)
        + f"; {report.seconds:.1f} s ({report.facts_per_second:,.0f} facts/s)"
    )
    if len(report.files) > 1:
        for file in report.files[:20]:
            yield (
                f"  {escape(file.source)}: {_read(file)}, {file.created:,} {new}"
                + (f", {counted(sum(file.rejected.values()), 'line')} set aside" if file.rejected else "")
            )
        if len(report.files) > 20:
            yield f"  ... and {len(report.files) - 20:,} more files"
    for file in report.files:
        if file.resumed_at:
            yield f"  {escape(file.source)}: gone on with after line {file.resumed_at:,}, where it had been broken off"
    for note in report.notes:
        yield f"  {escape(note)}"
    if report.rejected_lines:
        yield f"[yellow]{counted(report.rejected_lines, 'line')} set aside:[/]"
        for file in report.files:
            yield from _rejected_lines(file.rejected, file.examples)
    if dry:
        yield "Nothing was written (--dry-run)."
    elif report.load and not offline:
        yield f"[dim]load {report.load}; to take it back: kgqa loads undo {report.load}[/]"


def _merged_nodes(report: ingest.LoadReport, *, dry: bool) -> str:
    """What became of nodes that had been there, or came several times."""
    if not report.entities_merged:
        return ""
    altered = report.entities_merged - report.entities_unchanged
    changed = f" ({altered:,} of them {'would change' if dry else 'changed'})" if altered else ", unchanged"
    return f", {counted(report.entities_merged, 'node')} there already or repeated{changed}"


def _rejected_lines(counts: Mapping[str, int], examples: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Lines that are set aside, by reason: the first of them, and how many more."""
    for reason, shown in examples.items():
        yield from (f"  {escape(example)}" for example in shown)
        if counts[reason] > len(shown):
            yield f"  ... and {counts[reason] - len(shown):,} more: {escape(reason)}"


def import_lines(plan: ImportPlan) -> Iterator[str]:
    """What is to be done with the files of an import, as lines with rich markup."""
    made = f"{counted(plan.entities, 'node')} and {counted(plan.facts, 'relationship')}"
    yield f"{made} are in {escape(str(plan.folder))}. To import them"
    yield "into a database that is stopped or not made yet, run where the server's files are:"
    yield f"  {escape(plan.command())}"
    yield "or, into the volume of a container that is stopped (put its name for VOLUME):"
    yield f"  {escape(plan.docker_command('VOLUME'))}"
    yield f"Then start it, and run {escape(plan.afterwards)} in it; a kgqa that loads into it does the same."


def import_dict(plan: ImportPlan) -> dict[str, Any]:
    """The same as plain JSON types."""
    return {
        "folder": str(plan.folder),
        "nodes": list(plan.nodes),
        "relationships": list(plan.relationships),
        "afterwards": plan.afterwards,
        "entities": plan.entities,
        "facts": plan.facts,
    }


def _read(of: ingest.LoadReport | ingest.FileReport) -> str:
    return counted(of.facts, "fact") + (f" and {counted(of.entities, 'node')}" if of.entities else "")


def difference_lines(found: ingest.Difference) -> Iterator[str]:
    """What replacing would change, as lines with rich markup."""
    changed = f", {found.changed:,} with other properties" if found.changed else ""
    shared = f" ({found.shared:,} of these others brought too: they stay in the graph)" if found.shared else ""
    yield f"{counted(found.new, 'new fact')}, {found.gone:,} to go, {found.kept:,} to stay{changed}{shared}"
    yield from _signed("+", map(fact_text, found.new_examples), found.new)
    yield from _signed("-", map(fact_text, found.gone_examples), found.gone)
    yield from _signed("~", map(change_text, found.changed_examples), found.changed)
    if found.entities_new or found.entities_gone or found.entities_changed:
        yield (
            f"{counted(found.entities_new, 'new entity', 'new entities')}, {found.entities_gone:,} to go, "
            f"{found.entities_changed:,} to change"
        )
        yield from _signed("+", map(entity_text, found.entities_new_examples), found.entities_new)
        yield from _signed("-", map(entity_text, found.entities_gone_examples), found.entities_gone)
        yield from _signed("~", map(change_text, found.entities_changed_examples), found.entities_changed)
    if count := sum(found.rejected.values()):
        yield f"[yellow]{counted(count, 'line')} would be set aside, so what they said before goes:[/]"
        yield from _rejected_lines(found.rejected, found.rejected_examples)
    if found.older:
        yield f"  taken back: {', '.join(older.load for older in found.older)}"


def _signed(sign: str, texts: Iterable[str], count: int) -> Iterator[str]:
    """Examples with a sign before each, and how many more there are."""
    colour = {"+": "green", "-": "red", "~": "yellow"}[sign]
    shown = [*texts]
    yield from (f"  [{colour}]{sign} {escape(text)}[/]" for text in shown)
    if count > len(shown):
        yield f"  [{colour}]{sign} ... and {count - len(shown):,} more[/]"


def fact_text(fact: Fact) -> str:
    """A fact on one line."""
    return f"{fact.head} -{fact.relation}-> {fact.tail}"


def entity_text(entity: Entity) -> str:
    """An entity on one line: its id, and its name if that is another."""
    return entity.id if entity.name == entity.id else f"{entity.id} {_short(entity.name)}"


def change_text(change: ingest.Change) -> str:
    """What changes about an entity or fact, on one line."""
    of = change.of if isinstance(change.of, str) else fact_text(change.of)
    values = (f"{name}: {_value_text(before)} -> {_value_text(after)}" for name, before, after in change.values)
    return f"{of} {', '.join(values)}"


def _value_text(value: Value | None) -> str:
    match value:
        case None | ():
            return "(none)"
        case tuple():
            return _short(", ".join(map(str, value)))
    return _short(str(value))


def _short(text: str) -> str:
    """A value on part of a line."""
    text = " ".join(text.split()) or "(empty)"
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."


def withdrawn_line(done: Withdrawn) -> str:
    """What taking marks back did."""
    return (
        f"gone: {counted(done.facts_deleted, 'fact')} and {counted(done.entities_deleted, 'entity', 'entities')}; "
        f"to stay, for others brought them too: {counted(done.facts_kept, 'fact')}"
    )
