"""The command ``kgqa``: its subcommands, and how errors end it."""

from __future__ import annotations

import logging
import os
import sys
from typing import Annotated

import typer

from graph_schema import KgqaError
from kgqa import __version__
from kgqa.cli import adapt, ask, bench, connect, distill, facts, ingest, loads, report, schema, store, train
from kgqa.cli.common import fail

app = typer.Typer(
    name="kgqa",
    help="Ask a knowledge graph in plain language: proven answers, no LLM, no data leaving the machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command("ingest")(ingest.command)
app.add_typer(loads.app, name="loads")
app.command("connect")(connect.command)
app.command("ask")(ask.command)
app.command("adapt")(adapt.command)
app.command("train")(train.command)
app.command("facts")(facts.command)
app.command("distill")(distill.command)
app.add_typer(bench.app, name="bench")
app.command("report")(report.command)
app.command("schema")(schema.command)
app.add_typer(store.app, name="store")


def _version(wanted: bool) -> None:
    if wanted:
        print(f"kgqa {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def run() -> int:
    """Run the command line and give its exit status, see ``kgqa.cli.main``.

    Raises:
        SystemExit: where it ended otherwise than well. KeyboardInterrupt: interrupted before a command had begun.
    """
    # The Neo4j driver logs what its errors say anyway.
    logging.getLogger("neo4j").addHandler(logging.NullHandler())
    try:
        status = app(prog_name="kgqa", standalone_mode=False)
        sys.stdout.flush()  # here, so that a reader who went away is noticed here
    except KgqaError as error:
        fail(str(error), 1)
    except typer.TyperException as error:  # wrong usage; of no message where the help was shown instead
        fail(error.format_message(), 2, _advice(error))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter flushes once more at its end
        sys.exit(1)
    return status if isinstance(status, int) else 0


def _advice(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    return f" See {context.command_path} --help" if context else ""
