"""``kgqa facts``"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graph_schema import ConfigError, InputError
from kgqa.cli import common
from kgqa.data import Question, read_questions
from kgqa.data.questions import bracketed
from kgqa.files import write_atomically
from kgqa.stores import without_password

if TYPE_CHECKING:
    from kgqa.told import Telling


def command(
    questions: Annotated[
        list[Path], typer.Argument(help="Files of answered questions: question TAB answer|answer, a line each.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="File for the facts (JSON lines); it mustn't be there yet. Left out: printed."),
    ] = None,
    sure: Annotated[
        float, typer.Option("--sure", min=0, max=1, help="How sure it must be which relation a question asks for.")
    ] = 0.9,
    store: common.StoreOption = None,
    schema: common.SchemaOption = None,
    user: common.UserOption = None,
    password: common.PasswordOption = None,
    checkpoint: common.CheckpointOption = None,
    encoder: common.EncoderOption = None,
    device: common.DeviceOption = None,
    threads: common.ThreadsOption = None,
    any_schema: common.AnySchemaOption = None,
    config: common.ConfigOption = None,
) -> None:
    r"""Facts that answered questions tell and the graph lacks, to be looked at and loaded by kgqa ingest.

    Example: [bold]kgqa facts questions.tsv --store sqlite:///films.db --out told.jsonl[/]
    """
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
        any_schema=any_schema,
    )
    if out is not None and out.exists():
        raise ConfigError("there is something already", where=f"--out {out}", fix="Give another place, or delete it")
    if out is not None and not out.absolute().parent.is_dir():
        raise ConfigError("there is no such directory", where=str(out.absolute().parent), fix="Make it first")
    given: list[Question] = [question for path in questions for question in read_questions(path)]
    if not any(question.answers for question in given):
        raise InputError("no question has an answer", where=", ".join(map(str, questions)), fix="Give some that have")
    with common.importing():
        from kgqa.stores.snapshot import Snapshot  # noqa: PLC0415  slow to import
        from kgqa.told import tell  # noqa: PLC0415  as above
    with common.reading(chosen) as opened:
        with common.errors.status("reading the graph"):
            snapshot = Snapshot.build(opened)
        # A name written otherwise tells nothing, so no index of names is made.
        answerer = common.answerer(chosen.model_copy(update={"names": False}), snapshot)
    with common.errors.status("reading questions") as status:
        telling = tell(answerer, snapshot, given, sure=sure, say=status.update)
    lines = _lines(telling)
    if out is None:
        print("".join(lines), end="")
    elif lines:
        try:
            write_atomically(out, "".join(lines).encode())
        except OSError as error:
            raise InputError(f"can't write the facts: {error.strerror}", where=str(out)) from error
    _say(telling, len(given))
    if out is not None and lines:
        load = f"kgqa ingest {out} --store {without_password(chosen.store)}"
        own = f"Look at {out}; your database is only read, so what is right is for you to add to it"
        common.out.print(own if chosen.schema_file else f"Look at {out}, then: {load}", markup=False)


def _lines(telling: Telling) -> list[str]:
    """A JSON object a fact, as ``kgqa ingest`` reads it."""
    return [
        json.dumps(
            {
                "head": told.fact.head,
                "relation": told.fact.relation,
                "tail": told.fact.tail,
                "told_by": bracketed(told.question),
                "probability": round(told.probability, 4),
                "hops": told.hops,
                **({"new": list(told.new)} if told.new else {}),
            },
            ensure_ascii=False,
        )
        + "\n"
        for told in telling.told
    ]


def _say(telling: Telling, questions: int) -> None:
    """What came of it, in words."""
    new = {end for told in telling.told for end in told.new}
    facts = len(telling.told) + telling.known
    common.errors.print(
        f"{telling.one_hop:,} of {questions:,} questions are read as one hop, {telling.two_hops:,} as two; the graph "
        f"lacks {len(telling.told):,} of {facts:,} facts that they tell (names that are new to it: {len(new):,})",
        soft_wrap=True,
    )
    if telling.unsure:
        common.errors.print(f"Not read for sure: {telling.unsure:,}", soft_wrap=True)
    if telling.unclear:
        common.errors.print(f"Without one topic and an answer that are clear: {telling.unclear:,}", soft_wrap=True)
