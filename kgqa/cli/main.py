"""The command ``kgqa``: its subcommands, and how errors and interrupts end it."""

from __future__ import annotations

import sys
from typing import Annotated

import click
import typer

from graph_schema import KgqaError
from kgqa import __version__
from kgqa.cli import ask, bench, ingest, schema, store, train
from kgqa.cli.common import errors

app = typer.Typer(
    name="kgqa",
    help="Ask a knowledge graph in plain language: proven answers, no LLM, no data leaving the machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command("ingest")(ingest.command)
app.command("ask")(ask.command)
app.command("train")(train.command)
app.add_typer(bench.app, name="bench")
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


def main() -> None:
    """Run the command line. Exit status: 0 done, 1 an error said in one line, 2 wrong usage, 130 interrupted."""
    try:
        status = app(standalone_mode=False)
    except KgqaError as error:
        errors.print(f"[bold red]error:[/] {_plain(str(error))}", soft_wrap=True)
        sys.exit(1)
    except click.exceptions.Abort:
        errors.print("stopped")
        sys.exit(130)
    except KeyboardInterrupt:
        errors.print("stopped; what was finished before is kept, run the same command to go on")
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    sys.exit(status if isinstance(status, int) else 0)


def _plain(text: str) -> str:
    """Keep what is in square brackets from being read as markup, and the message on one line."""
    return " ".join(text.replace("[", "\\[").split("\n"))
