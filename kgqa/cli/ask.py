"""``kgqa ask``"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from graph_schema import ConfigError, GraphReader, InputError, QuestionError
from kgqa.cli import common
from kgqa.cli.render import example_line, response_lines
from kgqa.linking import split_brackets
from kgqa.names import NamesIndex


def command(
    question: Annotated[
        str | None,
        typer.Argument(help="The question, in quotes; names may stand in \\[brackets]. None, on a terminal: a prompt."),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="Questions one a line; - for standard input.", allow_dash=True)
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show hops, relations and weights.")] = False,
    as_json: common.JsonOption = False,
    graph: Annotated[
        Path | None, typer.Option("--graph", help="Write what was touched to a file: .graphml, .gexf or .json.")
    ] = None,
    top: Annotated[int, typer.Option("--top", min=1, help="Answers shown with their evidence.")] = 10,
    store: common.StoreOption = None,
    schema: common.SchemaOption = None,
    user: common.UserOption = None,
    password: common.PasswordOption = None,
    checkpoint: common.CheckpointOption = None,
    encoder: common.EncoderOption = None,
    device: common.DeviceOption = None,
    threads: common.ThreadsOption = None,
    budget_edges: Annotated[
        int | None, typer.Option("--budget-edges", help="Facts one question may expand at one hop.")
    ] = None,
    any_schema: common.AnySchemaOption = None,
    snapshot: Annotated[
        bool,
        typer.Option(
            "--snapshot", help="Read the graph into memory in the background, and answer from there once it is."
        ),
    ] = False,
    config: common.ConfigOption = None,
) -> None:
    """Ask the graph a question; the answers come with the facts that prove them.

    Example: [bold]kgqa ask "who directed Heat" --store sqlite:///films.db[/]
    """
    if graph and file:
        raise ConfigError("--graph writes the graph of one question", where="--graph", fix="Leave out --file")
    in_turn = question is None and file is None and sys.stdin.isatty() and sys.stdout.isatty()
    questions = [] if in_turn else _questions(question, file)
    for one in questions:
        split_brackets(one)  # before anything slow: raises if it can't be asked
    chosen = common.settings(
        config,
        store=store,
        schema_file=schema,
        user=user,
        password=password,
        checkpoint=checkpoint,
        encoder=encoder,
        device=device,
        threads=threads,
        budget_edges=budget_edges,
        any_schema=any_schema,
    )
    with common.reading(chosen) as opened:
        answerer = common.answerer(chosen, opened)
        answerer.snapshot = snapshot

        def ask(one: str) -> None:
            response = answerer.ask(one, explain=explain, origins=explain or as_json)
            if graph:
                from kgqa.answering.export import export  # noqa: PLC0415  only where it is asked for

                export(response, graph)
            if as_json:
                print(json.dumps(response.as_dict(), ensure_ascii=False))
            else:
                for line in response_lines(response, top=top):
                    common.out.print(line)

        for one in questions:
            ask(one)
        if in_turn:
            _ask_in_turn(ask, opened, answerer.names)


def _ask_in_turn(ask: Callable[[str], None], store: GraphReader, names: object) -> None:
    """Say what can be asked, and ask for questions; ? shows examples."""
    from kgqa.cli.prompt import ask_in_turn  # noqa: PLC0415  as above
    from kgqa.examples import examples  # noqa: PLC0415  only where it is asked for

    def answer(question: str) -> None:
        if question == "?":
            for example in examples(store):
                common.out.print(f"  {escape(example_line(example))}")
        else:
            ask(question)

    info = store.info()
    common.out.print(
        f"{info.entities:,} entities, {info.facts:,} facts. Tab completes names, ? shows examples, Ctrl-D ends.",
        style="dim",
    )
    ask_in_turn(
        answer,
        names if isinstance(names, NamesIndex) else None,
        say=lambda line: common.errors.print(f"[bold red]error:[/] {escape(line)}", soft_wrap=True),
    )


def _questions(question: str | None, file: Path | None) -> list[str]:
    if (question is None) == (file is None):
        raise QuestionError("give one question, or --file", fix='For example: kgqa ask "who directed Heat"')
    if question is not None:
        return [question]
    try:
        text = sys.stdin.read() if str(file) == "-" else Path(str(file)).read_text("utf-8-sig")
    except OSError as error:
        raise InputError(f"can't read the questions: {error.strerror}", where=str(file)) from error
    except UnicodeDecodeError as error:
        raise InputError("not UTF-8 text", where=str(file), fix="Save the file as UTF-8") from error
    questions = [line for line in text.splitlines() if line.strip()]
    if not questions:
        raise InputError("no questions in the file", where=str(file))
    return questions
