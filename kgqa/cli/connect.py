"""``kgqa connect``"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from graph_schema import ConfigError, InputError, Schema, SchemaError, StoreError
from graph_schema.types import DEFAULT_LABEL
from kgqa.cli import common
from kgqa.config import Settings
from kgqa.files import write_atomically
from kgqa.stores import open_connection, without_password

if TYPE_CHECKING:
    from kgqa.stores.foreign.catalogue import Catalogue
    from kgqa.stores.foreign.connection import Connection
    from kgqa.stores.foreign.decisions import Decided

DEFAULT_OUT = Path("schema.yaml")


def command(
    url: Annotated[
        str | None,
        typer.Argument(help="URL of a Neo4j database: neo4j://host:7687; the store in the settings if none."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help=f"Schema file to write; {DEFAULT_OUT} if not given.")
    ] = None,
    refresh: Annotated[
        Path | None, typer.Option("--refresh", help="Schema file to bring up to date; what was changed in it stays.")
    ] = None,
    user: common.UserOption = None,
    password: common.PasswordOption = None,
    config: common.ConfigOption = None,
) -> None:
    """Look at a Neo4j database that somebody else modelled, and write down how it is to be asked. Reads only.

    Example: [bold]kgqa connect neo4j://localhost:7687 --out movies.yaml[/]
    """
    if out and refresh:
        raise ConfigError("--refresh writes to the file that it reads", where="--out", fix="Leave out one of the two")
    chosen = common.settings(config, store=url, user=user, password=password)
    path = refresh or out or DEFAULT_OUT
    if refresh:
        old = _read(refresh)
    elif path.exists():
        raise InputError(
            "the file is there already", where=str(path), fix=f"Bring it up to date with --refresh {path}, or use --out"
        )
    with _opened(chosen) as connection, common.errors.status("looking at the database") as status:
        # The driver is slow to import.
        from kgqa.model.english import known_words  # noqa: PLC0415
        from kgqa.stores.foreign import catalogue, decisions, schema_file, spelling  # noqa: PLC0415

        _check(connection)
        found = catalogue.read(connection, lambda name: status.update(f"looking at {escape(name)}"))
        decided = spelling.respelt(decisions.decide(found), known_words(chosen.encoder))
    if refresh:
        done = schema_file.refreshed(old, decided, where=str(refresh))
        _write(path, done.text)
        for what, names in (("new", done.added), ("gone", done.gone), ("back", done.returned)):
            for name in names:
                common.out.print(f"{what}: {escape(name)}")
        if not (done.added or done.gone or done.returned):
            common.out.print("nothing new, nothing gone")
    else:
        _write(path, schema_file.written(decided))
        for line in schema_file.lines_of(decided):
            common.out.print(escape(line))
    for note in _notes(found, decided, path):
        common.out.print(f"[yellow]{escape(note)}[/]")
    store = without_password(chosen.store)
    common.out.print(f'{escape(str(path))} written. Look it over, then: kgqa ask "..." --store {store} --schema {path}')


@contextmanager
def _opened(chosen: Settings) -> Iterator[Connection]:
    password = chosen.password.get_secret_value() if chosen.password else None
    connection = open_connection(chosen.store, user=chosen.user, password=password, timeout=chosen.timeout)
    try:
        yield connection
    finally:
        connection.close()


def _check(connection: Connection) -> None:
    """Refuse a database that has nothing, or that kgqa itself has loaded."""
    from kgqa.stores import cypher  # noqa: PLC0415  the driver is slow to import

    seen = connection.one(cypher.OURS)
    if seen["meta"]:
        raise ConfigError(
            "kgqa itself has loaded this database, and knows how it lies",
            where=connection.url,
            fix="Ask it as it is, without a schema file",
        )
    if not seen["nodes"]:
        raise StoreError(
            "the database is empty",
            where=connection.url,
            fix="Load something into it, or name another one with ?database=NAME",
        )


def _notes(found: Catalogue, decided: Decided, path: Path) -> Iterator[str]:
    """What should be known before asking."""
    schema = decided.schema
    yield from found.notes
    nameless = [name for name, label in schema.labels.items() if label.name is None]
    if nameless and len(nameless) == len(schema.labels):
        yield f"No node has a property that looks like a name: no question can name one. Set name: in {path}."
    elif nameless:
        yield f"Nodes without a name: {', '.join(nameless)}; they can be passed through, and not be asked about."
    if not found.facts:
        yield "There are no relationships: only properties can be asked for."
    relations = schema.layout.relations.values() if schema.layout else ()
    if any(
        DEFAULT_LABEL in (end.head, end.tail) and DEFAULT_LABEL not in schema.labels
        for r in relations
        for end in r.ends
    ):
        yield "There are nodes without a label: they can be passed through, and not be asked about."


def _read(path: Path) -> str:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise SchemaError(f"can't read the schema: {reason}", where=str(path)) from error
    if Schema.from_yaml(text, where=str(path)).layout is None:
        raise SchemaError("kgqa connect didn't write this schema", where=str(path), fix="Write one with --out")
    return text


def _write(path: Path, text: str) -> None:
    try:
        write_atomically(path, text.encode())
    except OSError as error:
        raise InputError(f"can't write the schema: {error.strerror}", where=str(path)) from error
