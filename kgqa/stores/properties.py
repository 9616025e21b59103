"""Properties of entities and facts: what no store can keep is refused, and how they are written as JSON.

JSON has no dates: ``{"date": "2020-02-29"}`` and ``{"datetime": "2020-02-29T12:00:00+00:00"}`` stand for them. Keys are
sorted, so that the same properties have the same text; ``1``, ``1.0`` and ``true`` have different ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from graph_schema.errors import InputError
from graph_schema.types import Properties, Scalar, Value

MAX_NAME_CHARACTERS = 500  # the same limit as for relations and labels
INTS = range(-(2**63), 2**63)


def check_properties(given: Iterable[Properties]) -> None:
    """Refuse names and values that can't be kept in every store.

    Raises:
        InputError: naming the first of them.
    """
    for properties in given:
        for name, value in properties.items():
            if not isinstance(name, str) or not name or len(name) > MAX_NAME_CHARACTERS or not storable(name):
                raise InputError(
                    f"{str(name)[:60]!r} can't be the name of a property",
                    fix=f"Use 1 to {MAX_NAME_CHARACTERS} characters, without NUL or half surrogate pairs",
                )
            parts = value if isinstance(value, tuple) else (value,)
            fault = next(filter(None, map(_fault, parts)), None)
            if fault is None and len(set(map(type, parts))) > 1:
                fault = "has values of several types"
            if fault:
                raise InputError(f"property {name!r} {fault}", fix="Give a text, number, boolean, date or tuple of one")


def encoded(properties: Properties) -> str:
    """As JSON; empty if there are none."""
    if not properties:
        return ""
    return json.dumps(dict(properties), ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=_tagged)


def decoded(text: str) -> dict[str, Value]:
    """Back from ``encoded``."""
    if not text:
        return {}
    return {name: _value(value) for name, value in json.loads(text).items()}


def together(said: Mapping[int, Properties]) -> dict[str, Value]:
    """What several origins said: that of the highest counts for each property."""
    found: dict[str, Value] = {}
    for origin in sorted(said):
        found.update(said[origin])
    return found


def storable(text: str) -> bool:
    """Whether the text is one that any store can hold: neither a NUL nor half of a surrogate pair in it."""
    if "\0" in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _fault(value: object) -> str | None:
    match value:
        case bool() | float():
            return None
        case str():
            return None if storable(value) else "has a NUL or half of a surrogate pair in it"
        case int():
            return None if value in INTS else "is a number beyond 64 bits"
        case datetime():
            return None if value.tzinfo else "is a time without a zone"
        case date():
            return None
    return f"is of type {type(value).__name__}"


def _tagged(value: object) -> dict[str, str]:
    if isinstance(value, datetime):
        return {"datetime": value.isoformat()}
    if isinstance(value, date):
        return {"date": value.isoformat()}
    raise TypeError(f"not a property's value: {value!r}")


def _value(value: Any) -> Value:
    if isinstance(value, list):
        return tuple(map(_scalar, value))
    return _scalar(value)


def _scalar(value: Any) -> Scalar:
    if isinstance(value, dict):
        return datetime.fromisoformat(value["datetime"]) if "datetime" in value else date.fromisoformat(value["date"])
    scalar: Scalar = value
    return scalar
