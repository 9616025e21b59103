"""How marks and properties lie on Neo4j's nodes and relationships.

Properties are native, under their own names, beside ours: a node has ``id``, ``name``, ``aliases`` and ``name_keys``,
and all that starts with ``kgqa_`` is bookkeeping. A property whose name is one of those gets an underscore before it
(``id`` lies under ``_id``, ``_id`` under ``__id``), on nodes; on relationships, only ``kgqa_...`` does.

``kgqa_from`` is the list of marks, each origin * 2^40 + line. ``kgqa_said`` is what each origin said, as a list of
texts, an origin and JSON; it is only there where they said different things.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta, timezone
from typing import Any

import numpy as np
from neo4j.time import Date, DateTime

from graph_schema.types import DEFAULT_LABEL, Entity, Int64s, Properties, Scalar, Value
from kgqa.stores.properties import decoded, encoded

MARKS = "kgqa_from"
SAID = "kgqa_said"
ORIGIN = 2**40  # a mark is origin * ORIGIN + line
MOST_LINES = ORIGIN - 1

_TAKEN_ON_NODES = re.compile(r"_*(id|name|aliases|name_keys|kgqa_.*)", re.DOTALL)
_TAKEN_ON_RELATIONSHIPS = re.compile(r"_*kgqa_.*", re.DOTALL)


def mark(origin: int, line: int) -> int:
    """One mark; lines beyond 2^40 all count as the last one."""
    return origin * ORIGIN + min(line, MOST_LINES)


def marks(origin: int, lines: Int64s) -> Int64s:
    """``mark`` of many lines."""
    return np.minimum(lines, MOST_LINES) + origin * ORIGIN


def marks_of(kept: object) -> list[int]:
    """The marks as they are kept; of a database that others write to, what is no mark is left out."""
    return [one for one in kept if isinstance(one, int)] if isinstance(kept, list) else []


# ---- properties


def on_node(properties: Properties) -> dict[str, Value]:
    """Properties as they lie on a node."""
    return _stored(properties, _TAKEN_ON_NODES)


def on_relationship(properties: Properties) -> dict[str, Value]:
    """Properties as they lie on a relationship."""
    return _stored(properties, _TAKEN_ON_RELATIONSHIPS)


def of_node(kept: Mapping[str, Any]) -> dict[str, Value]:
    """The properties of a node, without ours."""
    return _shown(kept, _TAKEN_ON_NODES)


def of_relationship(kept: Mapping[str, Any]) -> dict[str, Value]:
    """The properties of a relationship, without ours."""
    return _shown(kept, _TAKEN_ON_RELATIONSHIPS)


def _stored(properties: Properties, taken: re.Pattern[str]) -> dict[str, Value]:
    return {f"_{name}" if taken.fullmatch(name) else name: value for name, value in properties.items()}


def _shown(kept: Mapping[str, Any], taken: re.Pattern[str]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for name, value in kept.items():
        if not taken.fullmatch(name):
            found[name] = _value(value)
        elif name.startswith("_"):
            found[name[1:]] = _value(value)
    return found


def _value(kept: Any) -> Value:
    return tuple(map(_scalar, kept)) if isinstance(kept, list) else _scalar(kept)


def _scalar(kept: Any) -> Scalar:
    """A value of ours; what kgqa never writes (points, durations, times without a zone) is shown as text."""
    match kept:
        case bool() | int() | float() | str():
            return kept
        case Date():
            return date(kept.year, kept.month, kept.day)
        case DateTime() if kept.tzinfo is not None:
            native = kept.to_native()
            return native.replace(tzinfo=timezone(native.utcoffset() or timedelta()))
        case datetime() | date():
            return kept
    return kept.iso_format() if hasattr(kept, "iso_format") else str(kept)


# ---- what each origin said


def entities_said(kept: Sequence[str] | None, id_: str) -> dict[int, Entity] | None:
    """What each origin said of an entity; None if there is nothing about it."""
    if not kept:
        return None
    found = {}
    for origin, text in map(_split, kept):
        name, label, aliases, properties = json.loads(text)
        found[origin] = Entity(id_, name, label, tuple(aliases), decoded(properties))
    return found


def kept_entities(said: Mapping[int, Entity] | None) -> list[str] | None:
    """The same, to be kept."""
    if not said:
        return None
    rows = ((o, [e.name, e.label, e.aliases, encoded(e.properties)]) for o, e in sorted(said.items()))
    return [f"{origin} {json.dumps(row, ensure_ascii=False, separators=(',', ':'))}" for origin, row in rows]


def properties_said(kept: Sequence[str] | None) -> dict[int, Properties] | None:
    """What each origin said of a fact; None if there is nothing about it."""
    return {origin: decoded(text) for origin, text in map(_split, kept)} if kept else None


def kept_properties(said: Mapping[int, Properties] | None) -> list[str] | None:
    """The same, to be kept."""
    return [f"{origin} {encoded(properties)}" for origin, properties in sorted(said.items())] if said else None


def _split(kept: str) -> tuple[int, str]:
    origin, _, text = kept.partition(" ")
    return int(origin), text


# ---- entities as they are stored


def entity_of(record: Mapping[str, Any]) -> Entity | None:
    """An entity as it is stored, from id, name, labels, aliases, properties (None: it has none but ours).

    None if its id is no text, as ours all are.
    """
    id_, name, aliases, kept = record["id"], record["name"], record["aliases"], record["properties"]
    if not isinstance(id_, str):
        return None
    labels = sorted(label for label in record["labels"] if label != DEFAULT_LABEL)
    second: Iterable[object] = aliases if isinstance(aliases, list) else [aliases]
    return Entity(
        id_,
        name if isinstance(name, str) and name else id_,
        labels[0] if labels else DEFAULT_LABEL,
        tuple(alias for alias in second if isinstance(alias, str)),
        of_node(kept) if kept else {},
    )
