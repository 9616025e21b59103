"""``kgqa schema``"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from graph_schema import ConfigError, GraphReader, Schema
from kgqa.cli import common
from kgqa.cli.render import example_line
from kgqa.config import Settings
from kgqa.stores import refuse_foreign


def command(
    store: common.StoreOption = None,
    schema_file: common.SchemaOption = None,
    user: common.UserOption = None,
    password: common.PasswordOption = None,
    put: Annotated[
        Path | None, typer.Option("--set", help="Schema file (YAML) to merge into the store's schema first.")
    ] = None,
    show_examples: Annotated[
        bool,
        typer.Option("--examples", help="Show questions that the graph can be asked, with their answers, instead."),
    ] = False,
    as_json: common.JsonOption = False,
    config: common.ConfigOption = None,
) -> None:
    """Show a store's schema as YAML: labels, relations, and how each relation is said.

    Example: [bold]kgqa schema --store sqlite:///films.db > films.yaml[/]
    """
    chosen = common.settings(config, store=store, schema_file=schema_file, user=user, password=password)
    if put:
        _merge(chosen, put)
    with common.reading(chosen) as opened:
        if show_examples:
            _show_examples(opened, as_json=as_json)
            return
        shown = opened.schema()
        said = {
            name: {**_given(shown, name), "words": shown.words(name), "inverse": shown.words(name, inverse=True)}
            for name in sorted(set(shown.relations) | set(opened.relations()))
        }
    if as_json:
        print(json.dumps({**shown.to_dict(), "relations": said}, ensure_ascii=False))
    else:
        full = Schema.from_dict({**shown.to_dict(), "relations": said})
        print(full.to_yaml(), end="")


def _merge(chosen: Settings, put: Path) -> None:
    """Merge a schema file into the store's schema; nothing is put into a database that somebody else modelled."""
    if chosen.schema_file:
        raise ConfigError(
            f"the schema of this database is {chosen.schema_file}, and nothing is written to the database",
            where="--set",
            fix=f"Change what is to be said otherwise in {chosen.schema_file}",
        )
    given = Schema.load(put)
    with common.opened(chosen) as opened:
        refuse_foreign(opened, chosen.store)
        opened.migrate(given)


def _show_examples(store: GraphReader, *, as_json: bool) -> None:
    from kgqa.examples import examples  # noqa: PLC0415  slow to import: the reader comes with it

    for example in examples(store):
        if as_json:
            said = {
                "question": example.question,
                "topic": example.topic.id,
                "relation": example.relation,
                "inverse": example.inverse,
                "answers": [entity.id for entity in example.answers],
                "count": example.count,
            }
            print(json.dumps(said, ensure_ascii=False))
        else:
            print(example_line(example))


def _given(schema: Schema, name: str) -> dict[str, object]:
    return schema.relations[name].model_dump(exclude_defaults=True) if name in schema.relations else {}
