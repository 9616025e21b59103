"""``kgqa ingest``"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import asdict
from dataclasses import replace as replaced
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import typer
from rich.markup import escape

import ingest
from graph_schema import ConfigError, GraphStore, KgqaError, Schema, StoreError
from graph_schema.text import counted
from ingest.options import BATCH_SIZE
from kgqa.cli import common
from kgqa.cli.loading import LoadingBar, difference_lines, import_dict, import_lines, report_lines, withdrawn_line
from kgqa.config import Settings
from kgqa.files import write_atomically
from kgqa.stores import NEO4J_SCHEMES, files_of, is_there, without_password

if TYPE_CHECKING:
    from kgqa.stores.neo4j_offline import ImportPlan

NEO4J_WORKERS = 2
WRITTEN = (
    "A load would write beside them: a node with the label Entity for each thing, relationships between these, nodes "
    "KgqaMeta, KgqaLoad and KgqaOrigin that keep account, five constraints and two indexes. What is there would stay; "
    "an Entity of the same id would be added to"
)
INSTEAD = "To ask what is there, use kgqa connect; to load, better name an empty database with ?database=NAME"


def command(
    files: Annotated[
        list[str] | None,
        typer.Argument(help="Files, folders, patterns; - for standard input. Of a mapping: those beside it."),
    ] = None,
    store: common.StoreOption = None,
    user: common.UserOption = None,
    password: common.PasswordOption = None,
    format_: Annotated[
        str,
        typer.Option(
            "--format", help="auto, tsv, pipe, csv, semicolon, jsonl, parquet, ntriples, nquads, turtle or trig."
        ),
    ] = "auto",
    header: Annotated[
        str, typer.Option("--header", help="Whether the first line names the columns: auto, yes, no.")
    ] = "auto",
    columns: Annotated[
        str | None, typer.Option("--columns", help="Columns of head, relation and tail: 0,1,2 or names.")
    ] = None,
    mapping: Annotated[
        Path | None,
        typer.Option("--mapping", help="Mapping file (YAML): what columns mean, as nodes and relationships."),
    ] = None,
    schema: Annotated[Path | None, typer.Option("--schema", help="Schema file (YAML) to keep with the facts.")] = None,
    source: Annotated[
        str | None, typer.Option("--source", help="What the source goes by, instead of the files' paths.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Make the source's facts exactly what the files say; shows what changes.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do all but write, and report.")] = False,
    offline: Annotated[
        Path | None,
        typer.Option("--offline", help="Write files for an import into an empty Neo4j here, and say the command."),
    ] = None,
    max_errors: Annotated[
        int | None, typer.Option("--max-errors", min=0, help="Stop when more lines than this are bad.")
    ] = None,
    suggest: Annotated[
        bool, typer.Option("--suggest", help="Print a mapping proposed from the data, to be edited; load nothing.")
    ] = False,
    quarantine: Annotated[
        Path | None,
        typer.Option("--quarantine", help="File for lines set aside; NAME.rejected.jsonl in this folder if not given."),
    ] = None,
    no_quarantine: Annotated[
        bool, typer.Option("--no-quarantine", help="Only count and show lines set aside.")
    ] = False,
    report: Annotated[Path | None, typer.Option("--report", help="Write the report to this file, as JSON.")] = None,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Facts written at once.")] = BATCH_SIZE,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Batches written at once; 1, on Neo4j 2 if not given.")
    ] = None,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes", help="Go on without asking, though something goes or changes, or others made the database."
        ),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
    as_json: common.JsonOption = False,
    config: common.ConfigOption = None,
) -> None:
    """Load facts into a store; what is there already stays as it is. Broken off, the same command goes on.

    Example: [bold]kgqa ingest kb.txt.gz --store sqlite:///films.db[/]
    """
    if not files and not mapping:
        raise typer.BadParameter("give files to load, - for standard input, or --mapping", param_hint="'files'")
    chosen = common.settings(config, store=store, user=user, password=password)
    # What can be checked without touching the store comes first, so that a typo doesn't make an empty store.
    notes: list[str] = []
    by = ingest.MappingFile.load(mapping) if mapping else None
    own = [*files_of(chosen.store), *(path for path in (report, quarantine, offline) if path)]
    given: list[str | ingest.Source] = [*files] if files else []
    if by and mapping and not files:
        given = [*ingest.files_of(by, mapping.parent, notes.append, own)]
    sources = ingest.expand(given, notes.append, own)
    options = ingest.LoadOptions(
        **_literal(format=format_, header=header),
        columns=_columns(columns),
        max_errors=max_errors,
        batch_size=batch_size,
        source=source,
        workers=workers or (NEO4J_WORKERS if chosen.store.partition(":")[0] in NEO4J_SCHEMES else 1),
    )
    _check(sources, report)
    if suggest:
        print(ingest.suggest(sources, options), end="")
        return
    held = None
    if quarantine or not (no_quarantine or dry_run):
        held = ingest.Quarantine(quarantine or _rejected(sources))
    load = _Load(sources, options, by, Schema.load(schema) if schema else None, held, quiet or as_json, yes)
    if offline:
        _refuse_with_offline({"--replace": replace, "--dry-run": dry_run})
        done, lines = _offline(load, offline, store)
    elif dry_run:
        done, lines = _dry_run(load, chosen, replace=replace)
    elif replace:
        done, lines = _replace(load, chosen, show=not as_json)
    else:
        loaded = load.load(chosen)
        done, lines = loaded.as_dict(), [*report_lines(loaded)]
    lines = [*notes, *lines]
    if held and held.rows:
        done["quarantine"] = str(held.kept)
        lines += _kept(held)
    if report:
        _write(report, json.dumps(done, ensure_ascii=False, indent=1) + "\n")
    if as_json:
        print(json.dumps(done, ensure_ascii=False))
        return
    for line in lines:
        common.out.print(line)


Done = tuple[dict[str, Any], list[str]]
"""What was done, as JSON and as lines."""


def _offline(load: _Load, folder: Path, store: str | None) -> Done:
    report, plan = load.offline(folder)
    done = {**report.as_dict(), "import": {**import_dict(plan), "command": plan.command()}}
    lines = [*report_lines(report, offline=True), *import_lines(plan)]
    if store:
        lines.append(f"--store {escape(without_password(store))} was left as it is: --offline writes files alone.")
    return done, lines


def _dry_run(load: _Load, chosen: Settings, *, replace: bool) -> Done:
    if replace:
        found = load.difference(chosen)
        return {"difference": found.as_dict()}, [*difference_lines(found), "Nothing was written (--dry-run)."]
    foreseen = load.foresee(chosen)
    return foreseen.as_dict(), [*report_lines(foreseen, dry=True)]


def _replace(load: _Load, chosen: Settings, *, show: bool) -> Done:
    made = load.replace(chosen, show=show)
    done = {
        **made.report.as_dict(),
        "difference": made.difference.as_dict(),
        "withdrawn": asdict(made.withdrawn),
    }
    return done, [*report_lines(made.report), withdrawn_line(made.withdrawn)]


def _kept(held: ingest.Quarantine) -> Iterator[str]:
    yield f"They are kept in {escape(str(held.kept))}: mend them there, and load it with the same command."
    if held.older:
        yield f"An older file of that name is {escape(str(held.older))} now."


def _refuse_with_offline(flags: dict[str, bool]) -> None:
    for flag, given in flags.items():
        if given:
            raise ConfigError(f"there is nothing yet for {flag} to look at", where="--offline", fix=f"Leave {flag} out")


class _How(TypedDict):
    """What every way to load takes."""

    mapping: ingest.MappingFile | None
    schema: Schema | None
    options: ingest.LoadOptions


class _Load:
    """What is to be loaded, and the ways to do it."""

    def __init__(
        self,
        sources: Sequence[ingest.Source],
        options: ingest.LoadOptions,
        mapping: ingest.MappingFile | None,
        schema: Schema | None,
        quarantine: ingest.Quarantine | None,
        quiet: bool,
        yes: bool,
    ) -> None:
        self._sources = sources
        self._quarantine = quarantine
        if quarantine is not None:
            options = replaced(options, rejects=quarantine)
        self._how: _How = {"mapping": mapping, "schema": schema, "options": options}
        self._quiet = quiet
        self._yes = yes

    def load(self, chosen: Settings) -> ingest.LoadReport:
        with self._writable(chosen) as opened, self._progress() as bar:
            return ingest.load(self._sources, opened, progress=bar, **self._how)

    def offline(self, folder: Path) -> tuple[ingest.LoadReport, ImportPlan]:
        """Load into files for an import; no store is opened."""
        from kgqa.stores.neo4j_offline import OfflineWriter  # noqa: PLC0415  the driver takes 0.3 s to import

        with closing(OfflineWriter(folder)) as writer, self._progress() as bar:
            report = ingest.load(self._sources, writer, progress=bar, **self._how)
            return report, writer.export()

    def foresee(self, chosen: Settings) -> ingest.LoadReport:
        """What ``load`` would do; a store that isn't there is not made."""
        with self._progress() as bar:
            if not is_there(chosen.store):
                return ingest.load(self._sources, ingest.DryRun(None), progress=bar, **self._how)
            with common.opened(chosen) as opened:
                return ingest.load(self._sources, ingest.DryRun(opened), progress=bar, **self._how)

    def difference(self, chosen: Settings) -> ingest.Difference:
        with common.opened(chosen) as opened, common.errors.status("comparing"):
            return ingest.difference(self._sources, opened, **self._how)

    def replace(self, chosen: Settings, *, show: bool) -> ingest.Replaced:
        def agreed(found: ingest.Difference) -> bool:
            if show:
                for line in difference_lines(found):
                    common.out.print(line)
            return found.only_adds or common.confirmed("Go on?", yes=self._yes)

        with self._writable(chosen) as opened, self._progress() as bar:
            done = ingest.replace(self._sources, opened, agreed=agreed, progress=bar, **self._how)
        if done is None:
            common.errors.print("nothing was changed")
            raise typer.Exit(1)
        return done

    @contextmanager
    def _writable(self, chosen: Settings) -> Iterator[GraphStore]:
        """The store; a database with nodes that kgqa didn't bring only if the user agrees."""
        with common.opened(chosen, create=True) as opened:
            nodes = getattr(opened, "strangers", int)()
            if nodes and not self._yes:
                _ask_to_write(counted(nodes, "node"), without_password(chosen.store))
            yield opened

    @contextmanager
    def _progress(self) -> Iterator[LoadingBar]:
        with self._quarantine or nullcontext(), LoadingBar(quiet=self._quiet) as bar:
            try:
                yield bar
            except KgqaError as error:
                if self._quarantine is not None and not bar.facts:
                    self._quarantine.discard()
                if bar.facts and isinstance(error, StoreError):
                    common.errors.print("what was written before is kept; run the same command to go on")
                raise


def _ask_to_write(nodes: str, store: str) -> None:
    """Ask whether to write into a database that somebody else made.

    Raises:
        ConfigError: there is no terminal to ask on. Exit: the user says no.
    """
    what = f"the database has {nodes} that kgqa didn't load. {WRITTEN}"
    if not common.can_ask():
        raise ConfigError(what, where=store, fix=f"{INSTEAD}; to write into this one all the same, add --yes")
    common.errors.print(escape(f"{store}: {what}. {INSTEAD}."), soft_wrap=True)
    if not common.agreed("Write into it?"):
        common.errors.print("nothing was changed")
        raise typer.Exit(1)


def _check(sources: Sequence[ingest.Source], report: Path | None) -> None:
    for one in sources:
        one.check()
    if report and not report.absolute().parent.is_dir():
        raise ConfigError("its folder doesn't exist", where=f"--report {report}", fix="Make it first")


def _rejected(sources: Sequence[ingest.Source]) -> Path:
    """The quarantine file: named after the first source, in this folder, for sources may lie where none can write."""
    first = sources[0].path.name if sources and sources[0].path else "stdin"
    return Path(f"{first}.rejected.jsonl")


def _write(path: Path, text: str) -> None:
    try:
        write_atomically(path, text.encode())
    except OSError as error:
        raise ConfigError(
            f"can't be written: {error.strerror}; the load itself is done", where=f"--report {path}"
        ) from error


def _literal(**values: str) -> dict[str, Any]:
    """Values that LoadOptions checks itself, with a better message than a type could give."""
    return values


def _columns(text: str | None) -> Any:
    if text is None:
        return None
    return tuple(int(part) if part.strip().isdigit() else part.strip() for part in text.split(","))
