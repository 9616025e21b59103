"""``kgqa loads``"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from difflib import get_close_matches
from itertools import islice, product
from typing import Annotated, Any

import typer
from rich.markup import escape

from graph_schema import ConfigError, Fact, GraphStore, InputError, Load, LoadLedger, Origin
from graph_schema.text import counted, name_key
from kgqa.cli import common
from kgqa.cli.loading import fact_text, withdrawn_line

app = typer.Typer()

ROWS = 5_000  # facts that are asked about at once
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="Id of a load, or its beginning.")]


@app.callback(invoke_without_command=True)
def listed(
    context: typer.Context,
    store: common.StoreOption = None,
    user: common.UserOption = None,
    password: common.PasswordOption = None,
    as_json: common.JsonOption = False,
    config: common.ConfigOption = None,
) -> None:
    """List the loads of a store, oldest first: when, facts that each was the first to bring, rows set aside, sources.

    Example: [bold]kgqa loads --store sqlite:///films.db[/]
    """
    if context.invoked_subcommand:
        if (store, user, password, config) != (None,) * 4 or as_json:
            raise ConfigError("options go after the command", where=f"kgqa loads {context.invoked_subcommand}")
        return
    chosen = common.settings(config, store=store, user=user, password=password)
    with common.opened(chosen) as opened:
        found = opened.loads()
    if as_json:
        print(json.dumps([load_dict(load) for load in found], ensure_ascii=False))
        return
    if not found:
        common.out.print("No loads.")
        return
    for load in found:
        aside = f", {rejected(load):,} set aside" if rejected(load) else ""
        common.out.print(
            f"{load.id}  {load.began}  {state(load)}  {counted(facts(load), 'fact')}{aside}  {escape(_sources(load))}"
        )


@app.command("show")
def show(
    id_: IdArgument,
    store: common.StoreOption = None,
    user: common.UserOption = None,
    password: common.PasswordOption = None,
    as_json: common.JsonOption = False,
    config: common.ConfigOption = None,
) -> None:
    """Show one load: when, how far, what each of its sources brought first, and how many of its rows were set aside.

    Example: [bold]kgqa loads show 20261124-101500-1 --store sqlite:///films.db[/]
    """
    chosen = common.settings(config, store=store, user=user, password=password)
    with common.opened(chosen) as opened:
        load = find(opened.loads(), id_)
    if as_json:
        print(json.dumps(load_dict(load), ensure_ascii=False))
        return
    common.out.print(f"{load.id}: {state(load)}")
    common.out.print(f"  began {load.began}{f', ended {load.ended}' if load.ended else ''}")
    for source in load.sources:
        size = f"{source.size:,} bytes, digest {source.digest}" if source.digest else "a stream"
        common.out.print(f"  {escape(source.name)} ({size})")
        common.out.print(
            f"    first to bring {counted(source.facts, 'fact')} and {counted(source.entities, 'entity', 'entities')}"
            + (f"; in up to line {source.through:,}" if load.state == "running" else "")
            + f"; {counted(source.rejected, 'row')} set aside"
        )


@app.command("undo")
def undo(
    id_: IdArgument,
    yes: common.YesOption = False,
    store: common.StoreOption = None,
    user: common.UserOption = None,
    password: common.PasswordOption = None,
    as_json: common.JsonOption = False,
    config: common.ConfigOption = None,
) -> None:
    """Take a load back; facts that another load brought too stay. Broken off, the same command goes on.

    Example: [bold]kgqa loads undo 20261124-101500-1 --store sqlite:///films.db[/]
    """
    chosen = common.settings(config, store=store, user=user, password=password)
    with common.opened(chosen) as opened:
        load = find(opened.loads(), id_)
        if load.state == "undone":
            raise ConfigError("that load has been taken back already", where=load.id, fix="See kgqa loads")
        if not yes:
            with common.errors.status("counting"):
                going, staying = count(opened, load)
            common.errors.print(
                f"{load.id} ({escape(_sources(load))}): {counted(going, 'fact')} to go, {staying:,} to stay, for "
                "other loads brought them too"
                + ("; it is still running, or was broken off" if load.state == "running" else ""),
                soft_wrap=True,
            )
        if not common.confirmed("Take it back?", yes=yes):
            common.errors.print("nothing was changed")
            raise typer.Exit(1)
        with common.errors.status("taking it back"):
            done = opened.withdraw([source.origin for source in load.sources], undone=load.id)
            opened.finish()
    if as_json:
        print(json.dumps({"load": load.id, **asdict(done)}))
        return
    common.out.print(f"{load.id} is undone: {withdrawn_line(done)}")


@app.command("of")
def of(
    head: Annotated[str, typer.Argument(help="Id or name of the fact's head.")],
    relation: Annotated[str, typer.Argument(help="Its relation.")],
    tail: Annotated[str, typer.Argument(help="Id or name of its tail.")],
    store: common.StoreOption = None,
    user: common.UserOption = None,
    password: common.PasswordOption = None,
    as_json: common.JsonOption = False,
    config: common.ConfigOption = None,
) -> None:
    """Show where a fact comes from: load, source and line of each that brought it.

    Example: [bold]kgqa loads of Heat directed_by "Michael Mann" --store sqlite:///films.db[/]
    """
    chosen = common.settings(config, store=store, user=user, password=password)
    with common.opened(chosen) as opened:
        found = _held(opened, head, relation, tail)
        origins = opened.origins(found)
    if as_json:
        for fact, from_ in zip(found, origins, strict=True):
            print(json.dumps({**asdict(fact), "origins": [asdict(o) for o in from_]}, ensure_ascii=False))
        return
    for fact, from_ in zip(found, origins, strict=True):
        common.out.print(escape(fact_text(fact)))
        for origin in from_:
            common.out.print(f"  {escape(origin_text(origin))}")
        if not from_:
            common.out.print("  not brought by a load")


def find(loads: Sequence[Load], id_: str) -> Load:
    """The load of this id, or the only one whose id begins so.

    Raises:
        ConfigError: there is none, or there are several.
    """
    fitting = [load for load in loads if load.id == id_] or [load for load in loads if id_ and load.id.startswith(id_)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise ConfigError(
            f"{len(fitting)} loads begin so", where=id_, fix=f"Which of {', '.join(load.id for load in fitting[:5])}?"
        )
    near = get_close_matches(id_, [load.id for load in loads], 3, 0.5)
    raise ConfigError(
        "no such load", where=id_, fix=f"Did you mean {', '.join(near)}?" if near else "See kgqa loads for all of them"
    )


def count(ledger: LoadLedger, load: Load) -> tuple[int, int]:
    """How many facts go if a load is taken back, and how many stay since other loads brought them too."""
    going = staying = 0
    stream = ledger.facts_of([source.origin for source in load.sources])
    while part := [*islice(stream, ROWS)]:
        others = sum(any(origin.load != load.id for origin in found) for found in ledger.origins(part))
        going, staying = going + len(part) - others, staying + others
    return going, staying


def state(load: Load) -> str:
    """A load's state in words."""
    return {"running": "running or broken off", "undoing": "partly undone"}.get(load.state, load.state)


def facts(load: Load) -> int:
    """How many facts it was the first to bring."""
    return sum(source.facts for source in load.sources)


def rejected(load: Load) -> int:
    """How many rows were set aside, of all its sources."""
    return sum(source.rejected for source in load.sources)


def load_dict(load: Load) -> dict[str, Any]:
    """Plain JSON types."""
    return {
        **asdict(load),
        "sources": [asdict(source) for source in load.sources],
        "facts": facts(load),
        "rejected": rejected(load),
    }


def origin_text(origin: Origin) -> str:
    """Source, line and load on one line."""
    line = f":{origin.line}" if origin.line else ""
    return f"{origin.source}{line} (load {origin.load})"


def _sources(load: Load) -> str:
    names = [source.name for source in load.sources]
    return ", ".join(names[:3]) + (f" and {len(names) - 3:,} more" if len(names) > 3 else "")


def _held(store: GraphStore, head: str, relation: str, tail: str) -> list[Fact]:
    """The facts that are meant: the ends by id, else by name.

    Raises:
        InputError: there is none.
    """
    asked = [Fact(one, relation, other) for one, other in product([*_meant(store, head)], [*_meant(store, tail)])]
    found = [fact for fact, there in zip(asked, store.holds(asked), strict=True) if there]
    if not found:
        known = store.relations()
        near = [] if relation in known else get_close_matches(relation, known, 3, 0.5)
        raise InputError(
            "the graph has no such fact",
            where=f"{head} {relation} {tail}",
            fix=f"Did you mean {', '.join(near)}?" if near else "Ids and names are matched as a whole",
        )
    return found


def _meant(store: GraphStore, text: str) -> Iterator[str]:
    if text in store.entities([text]):
        yield text
    else:
        key = name_key(text)
        yield from (entity.id for entity in store.lookup([key]).get(key, ()))
