"""The schema file that ``kgqa connect`` writes, with the reasons as comments, and brings up to date, edits kept.

``layout`` is what was found, and is written anew each time. All else is the user's once it stands there: what is new is
added, what the database no longer has is moved to ``gone``, and comes back from there, wordings and all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from graph_schema.errors import SchemaError
from graph_schema.schema import Schema
from kgqa.stores.foreign.decisions import Decided, Place

HEAD = """How kgqa reads this database; written by kgqa connect. What you change in names, words, synonyms, skip
and start is kept by kgqa connect --refresh.
"""
LABELS = """Kinds of nodes; of a node's labels the first one here counts. name: the property that names a node (null:
none does); words, inverse: how a property is asked for, and how the way back from a value is said; synonyms: [came
out in]: other ways to say words; inverse_synonyms: to say inverse; skip: true: it is no fact to ask for; start: false:
no question starts from a value of it."""
RELATIONS = """words: how it is said from head to tail; inverse: from tail to head; synonyms: [starred in],
inverse_synonyms: [cast]: other ways to say these."""
LAYOUT = "What was found; written anew by kgqa connect --refresh, changes here are lost."
GONE = "What the database no longer had when it was last looked at; it is put back if it returns."
SEVERAL = ("labels", "relations")


@dataclass(frozen=True)
class Refreshed:
    """A schema file brought up to date: its text, what is new, what is gone, what has come back."""

    text: str
    added: tuple[str, ...]
    gone: tuple[str, ...]
    returned: tuple[str, ...]


def written(decided: Decided) -> str:
    """The text of a new file."""
    return _text(_document(decided))


def refreshed(old: str, decided: Decided, *, where: str) -> Refreshed:
    """The text of a file, brought up to date.

    Args:
        old: what stands in it. decided: from what the database holds now. where: the file's name.

    Raises:
        SchemaError: the file is no schema, or none that ``kgqa connect`` wrote.
    """
    known = Schema.from_yaml(old, where=where)
    if known.layout is None:
        raise SchemaError(
            "this schema wasn't written by kgqa connect: it has no layout",
            where=where,
            fix="Write one with --out",
        )
    try:
        document = _yaml().load(old)
    except YAMLError as error:  # what PyYAML takes and ruamel doesn't, a key that stands twice for one
        raise SchemaError(f"not valid YAML: {' '.join(str(error).split())}", where=where) from error
    fresh = _document(decided)
    attic = document.pop("gone", None) or CommentedMap()
    added: list[str] = []
    gone: list[str] = []
    returned: list[str] = []
    for part in SEVERAL:
        _bring(document, fresh, attic, part, (part,), fresh["layout"], (added, gone, returned))
    document["layout"] = fresh["layout"]
    document.move_to_end("layout")
    if attic:
        document["gone"] = attic
        document.yaml_set_comment_before_after_key("gone", before=f"\n{GONE}")
    text = _text(document)
    Schema.from_yaml(text, where=where)
    return Refreshed(text, tuple(added), tuple(gone), tuple(returned))


def _bring(
    into: CommentedMap,
    fresh: CommentedMap,
    attic: CommentedMap,
    key: str,
    place: Place,
    found: Mapping[str, Any],
    told: tuple[list[str], ...],
) -> None:
    """Bring the entries of ``into[key]`` up to date with those of ``fresh[key]``, and the properties of each.

    Args:
        found: what the database has, by name, properties that are no facts too; the part of the layout.
    """
    there = found.get(key) or {}
    added, gone, returned = told
    have = into.get(key)
    new: CommentedMap = fresh.get(key) or CommentedMap()
    if have is None:
        have = CommentedMap()
        if new:
            into[key] = have
    kept: CommentedMap = attic.get(key) or CommentedMap()
    for name in [*have]:
        if name not in new and name not in there:
            kept[name] = have.pop(name)
            gone.append(_said(place, name))
    for name in new:
        if name in have:
            if place[-1] in SEVERAL:
                below = kept.get(name)
                held = below if below is not None else CommentedMap()
                _bring(have[name], new[name], held, "properties", (*place, name), there[name], told)
                _keep(kept, name, held)
        elif place[-1] in SEVERAL and name in kept:
            have[name] = kept.pop(name)
            returned.append(_said(place, name))
            _bring(have[name], new[name], CommentedMap(), "properties", (*place, name), there[name], told)
        elif name in kept:
            have[name] = kept.pop(name)
            returned.append(_said(place, name))
        elif not _names_node(into, key, name):
            have[name] = new[name]
            added.append(_said(place, name))
    _keep(attic, key, kept)
    if not have:  # ruamel writes a block that has been emptied at the wrong place
        into.pop(key, None)


def _names_node(entry: Mapping[str, Any], key: str, name: str) -> bool:
    """Whether a property is the user's choice of a name or alias, so that it is no fact."""
    return key == "properties" and (name == entry.get("name") or name in (entry.get("aliases") or ()))


def _keep(attic: CommentedMap, key: str, kept: CommentedMap) -> None:
    if kept:
        attic[key] = kept
    else:
        attic.pop(key, None)


def _said(place: Place, name: str) -> str:
    if place[-1] in SEVERAL:
        return f"{place[-1].removesuffix('s')} {name}"
    return f"property {place[-1]}.{name}"


def _document(decided: Decided) -> CommentedMap:
    schema, why = decided.schema, decided.why
    labels = {
        name: {
            "name": label.name,
            "aliases": [*label.aliases],
            "words": label.words,
            "properties": {
                key: _given(found.model_dump(mode="json", exclude_defaults=True))
                for key, found in label.properties.items()
            },
        }
        for name, label in schema.labels.items()
    }
    relations = {
        name: _given(found.model_dump(mode="json", exclude_defaults=True)) for name, found in schema.relations.items()
    }
    document: CommentedMap = _mapped(
        {
            "version": schema.version,
            "labels": labels,
            "relations": relations,
            "layout": (schema.layout.model_dump(mode="json", exclude_defaults=True) if schema.layout else {}),
        }
    )
    document["layout"].setdefault("store", "neo4j")
    document["layout"].move_to_end("store", last=False)
    for part in document["layout"].values():
        for entry in part.values() if isinstance(part, CommentedMap) else ():
            for found in (*(entry.get("properties") or {}).values(), *(entry.get("ends") or ())):
                found.fa.set_flow_style()
    document.yaml_set_start_comment(HEAD)
    for key, text in (("labels", LABELS), ("relations", RELATIONS), ("layout", LAYOUT)):
        document.yaml_set_comment_before_after_key(key, before=f"\n{text}")
    for part in SEVERAL:
        for name, entry in document[part].items():
            if reason := why.get((part, name)):
                document[part].yaml_set_comment_before_after_key(name, before=_line(reason), indent=2)
            for key in ("name", "aliases"):
                if reason := why.get((part, name, key)):
                    entry.yaml_add_eol_comment(_line(reason), key, column=0)
            for key in entry.get("properties") or ():
                if reason := why.get((part, name, "properties", key)):
                    entry["properties"].yaml_set_comment_before_after_key(key, before=_line(reason), indent=6)
    return document


def _given(found: dict[str, Any]) -> dict[str, Any]:
    """Without properties where there are none."""
    return {key: value for key, value in found.items() if value != {}}


def _mapped(value: Any) -> Any:
    if isinstance(value, dict):
        return CommentedMap((_mapped(key), _mapped(part)) for key, part in value.items())
    return [_mapped(part) for part in value] if isinstance(value, list) else value


def _line(text: str) -> str:
    """As a comment: what a database holds may have line breaks in it, which would end the comment."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _yaml() -> YAML:
    made = YAML()
    made.width = 4096
    made.preserve_quotes = True
    made.indent(mapping=2, sequence=4, offset=2)
    # None as "null", for an empty value looks like a mistake
    made.representer.add_representer(
        type(None), lambda representer, _: representer.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    made.representer.add_representer(str, _represented)
    return made


def _represented(representer: Any, text: str) -> Any:
    """ "no" and "on" are texts in YAML 1.2, which ruamel writes, but not in 1.1, which PyYAML reads."""
    return representer.represent_scalar("tag:yaml.org,2002:str", text, style='"' if _misread(text) else None)


def _misread(text: str) -> bool:
    try:
        return bool(yaml.safe_load(text) != text)
    except yaml.YAMLError:
        return True


def _text(document: CommentedMap) -> str:
    out = StringIO()
    _yaml().dump(document, out)
    return out.getvalue()


def lines_of(decided: Decided) -> Iterator[str]:
    """What was decided and why, for a terminal."""
    schema, why = decided.schema, decided.why
    layout = schema.layout
    for name, label in schema.labels.items():
        nodes = layout.labels[name].nodes if layout and name in layout.labels else 0
        yield f"{name}: {nodes:,} nodes, named by {label.name or 'nothing'} ({why['labels', name, 'name']})"
        if label.aliases:
            yield f"  also called by {', '.join(label.aliases)}"
        asked = [f"{key} ({found.words})" for key, found in label.properties.items() if not found.skip]
        if asked:
            yield f"  facts: {', '.join(asked)}"
        for key, found in label.properties.items():
            if found.skip:
                yield f"  left out: {key} ({why['labels', name, 'properties', key]})"
    for name, relation in schema.relations.items():
        yield f'{name}: {why["relations", name]}; said "{relation.words}", back "{relation.inverse}"'
        held = [key for key, found in relation.properties.items() if not found.skip]
        if held:
            yield f"  facts of both ends: {', '.join(held)}"
