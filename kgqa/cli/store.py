"""``kgqa store``"""

from __future__ import annotations

import json

import typer
from rich.markup import escape

from kgqa.cli import common
from kgqa.stores import without_password

app = typer.Typer(help="Look at a store.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Look at a store."""


@app.command("info")
def info(
    store: common.StoreOption = None,
    schema: common.SchemaOption = None,
    user: common.UserOption = None,
    password: common.PasswordOption = None,
    as_json: common.JsonOption = False,
    config: common.ConfigOption = None,
) -> None:
    """Show how much a store holds: facts, entities, relations, change counter.

    Example: [bold]kgqa store info --store sqlite:///films.db[/]
    """
    chosen = common.settings(config, store=store, schema_file=schema, user=user, password=password)
    with common.reading(chosen) as opened:
        found = opened.info()
    if as_json:
        shown = {
            "store": without_password(chosen.store),
            "facts": found.facts,
            "entities": found.entities,
            "relations": list(found.relations),
            "changes": found.changes,
        }
        print(json.dumps(shown, ensure_ascii=False))
        return
    common.out.print(f"{escape(without_password(chosen.store))}")
    common.out.print(f"  facts      {found.facts:,}")
    common.out.print(f"  entities   {found.entities:,}")
    common.out.print(f"  relations  {len(found.relations):,}: {escape(', '.join(found.relations))}")
    common.out.print(f"  changes    {found.changes:,}")
