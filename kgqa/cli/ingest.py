"""``kgqa ingest``"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

import ingest
from graph_schema import Schema
from kgqa.cli import common


def command(
    files: Annotated[list[str], typer.Argument(help="Files, folders, patterns; - for standard input.")],
    store: common.StoreOption = None,
    user: common.UserOption = None,
    password: common.PasswordOption = None,
    format_: Annotated[str, typer.Option("--format", help="auto, tsv, pipe, csv, jsonl or parquet.")] = "auto",
    header: Annotated[
        str, typer.Option("--header", help="Whether the first line names the columns: auto, yes, no.")
    ] = "auto",
    columns: Annotated[
        str | None, typer.Option("--columns", help="Columns of head, relation and tail: 0,1,2 or names.")
    ] = None,
    schema: Annotated[Path | None, typer.Option("--schema", help="Schema file (YAML) to keep with the facts.")] = None,
    max_errors: Annotated[
        int | None, typer.Option("--max-errors", min=0, help="Stop when more lines than this are bad.")
    ] = None,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Facts in one transaction.")] = 20_000,
    as_json: common.JsonOption = False,
    config: common.ConfigOption = None,
) -> None:
    """Load facts (head, relation, tail) into a store; what is there already stays as it is.

    Example: [bold]kgqa ingest kb.txt.gz --store sqlite:///films.db[/]
    """
    chosen = common.settings(config, store=store, user=user, password=password)
    # What can be checked without touching the store comes first, so that a typo doesn't make an empty store.
    notes: list[str] = []
    sources = ingest.expand(files, notes.append)
    options = ingest.LoadOptions(
        **_literal(format=format_, header=header),
        columns=_columns(columns),
        max_errors=max_errors,
        batch_size=batch_size,
    )
    for source in sources:
        source.check()
    given = Schema.load(schema) if schema else None
    with common.opened(chosen, create=True) as opened, _LoadingBar(quiet=as_json) as bar:
        report = ingest.load(sources, opened, schema=given, options=options, progress=bar)
    if as_json:
        print(json.dumps(report.as_dict(), ensure_ascii=False))
        return
    common.out.print(
        f"{report.facts:,} facts read: {report.created:,} new, {report.merged:,} there already or repeated; "
        f"{report.entities_created:,} new entities; {report.seconds:.1f} s ({report.facts_per_second:,.0f} facts/s)"
    )
    for note in (*notes, *report.notes):
        common.out.print(escape(note))
    if report.rejected_lines:
        common.out.print(f"[yellow]{report.rejected_lines:,} lines set aside:[/]")
        for file in report.files:
            for reason, shown in file.examples.items():
                for example in shown:
                    common.out.print(f"  {escape(example)}")
                if file.rejected[reason] > len(shown):
                    common.out.print(f"  ... and {file.rejected[reason] - len(shown):,} more: {escape(reason)}")


def _literal(**values: str) -> dict[str, Any]:
    """Values that LoadOptions checks itself, with a better message than a type could give."""
    return values


def _columns(text: str | None) -> Any:
    if text is None:
        return None
    return tuple(int(part) if part.strip().isdigit() else part.strip() for part in text.split(","))


class _LoadingBar:
    """A progress bar that is an ``ingest.ProgressCallback``."""

    def __init__(self, *, quiet: bool) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[sofar]}"),
            TimeRemainingColumn(),
            console=common.errors,
            disable=quiet or not common.errors.is_terminal,
            transient=True,
        )
        self._task = self._progress.add_task("loading", total=None, sofar="")

    def __enter__(self) -> _LoadingBar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, now: ingest.Progress) -> None:
        self._progress.update(
            self._task,
            completed=now.bytes_read,
            total=now.bytes_total,
            sofar=f"{now.facts:,} facts" + (f", {now.rejected:,} lines set aside" if now.rejected else ""),
            description=escape(Path(now.source).name),
        )
