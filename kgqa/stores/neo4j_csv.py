"""CSV as ``neo4j-admin database import full`` takes it: typed columns, tables of them, fields."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, TextIO

from graph_schema.types import Value
from kgqa.stores.neo4j_values import MARKS, SAID

DELIMITERS = "\x1f\x1e\x1d\x1c\x07\x06\x05\x04\x03\x02\x01"  # of lists; one that is in none of them is taken
PLAIN_NAME = re.compile(r'[^":{}\r\n]+')  # what a header can say
MOST_KINDS = 200  # of labels or relations, that have files of their own; all others share some
OURS = (f"{MARKS}:long[]", f"{SAID}:string[]")
TYPES: dict[type, str] = {
    str: "string",
    bool: "boolean",
    int: "long",
    float: "double",
    date: "date",
    datetime: "datetime",
}


@dataclass
class Table:
    """One file: its columns, and the types of those that are properties."""

    name: str
    fixed: tuple[str, ...]
    types: dict[str, str] = field(default_factory=dict)
    file: TextIO | None = None

    def takes(self, types: Mapping[str, str]) -> bool:
        """Whether a row with these types fits, columns being added."""
        return all(self.types.get(name, type_) == type_ for name, type_ in types.items())

    def header(self) -> str:
        return ",".join([*self.fixed, *(quoted(f"{name}:{type_}") for name, type_ in self.types.items())]) + "\n"


class Tables:
    """Tables of nodes or of relationships.

    Each kind (a label, a relation) has as many as its properties have types that are in conflict; what has no
    properties is of kind "".
    """

    def __init__(self, prefix: str, fixed: tuple[str, ...]) -> None:
        self._prefix = prefix
        self._fixed = fixed
        self._of: dict[str, list[Table]] = {}
        self._count = 0
        self.plan("", {})

    def plan(self, kind: str, types: Mapping[str, str]) -> None:
        """A row of these types will come."""
        if not types or (kind not in self._of and len(self._of) > MOST_KINDS):
            kind = ""
        tables = self._of.setdefault(kind, [])
        for table in tables:
            if table.takes(types):
                table.types |= types
                return
        self._count += 1
        tables.append(Table(f"{self._prefix}-{self._count}.csv", self._fixed, dict(types)))

    def find(self, kind: str, types: Mapping[str, str]) -> Table:
        """Where a row of these types goes."""
        tables = self._of[kind if types and kind in self._of else ""]
        return next(table for table in tables if types.items() <= table.types.items())

    def ordered(self) -> list[Table]:
        """All of them, in the order in which ``open`` names their files."""
        return [table for tables in self._of.values() for table in tables]

    def open(self, folder: Path, stack: ExitStack) -> tuple[str, ...]:
        """Begin all files; returns their names."""
        tables = self.ordered()
        for table in tables:
            table.file = stack.enter_context((folder / table.name).open("w", encoding="utf-8", newline=""))
            table.file.write(table.header())
        return tuple(table.name for table in tables)


@dataclass
class Written:
    """What was written of one kind of thing.

    Attributes:
        files: names. count: of rows. later: notes of what couldn't be said. multiline: whether texts have line breaks.
        longest: bytes of a line at most.
    """

    files: tuple[str, ...] = ()
    count: int = 0
    later: list[str] = field(default_factory=list)
    multiline: bool = False
    longest: int = 0

    def put(self, table: Table, line: str) -> None:
        """One more row."""
        assert table.file is not None
        self.multiline = self.multiline or "\n" in line or "\r" in line
        self.longest = max(self.longest, len(line) * 4)
        table.file.write(line + "\n")


def sayable(properties: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Value]]:
    """Properties that a file can say, and the others; ours are left out, as is what isn't there."""
    said: dict[str, Any] = {}
    rest: dict[str, Value] = {}
    for name, value in properties.items():
        if value is None or name in (MARKS, SAID):
            continue
        fits = PLAIN_NAME.fullmatch(name) and value not in ((), ("",)) and name.strip() == name
        (said if fits else rest)[name] = value
    return said, rest


def quoted(text: str) -> str:
    """As a field of the files."""
    return '"' + text.replace('"', '""') + '"'


def field_of(value: Any, delimiter: str) -> str:
    """A value as a field of the files; nothing at all for what isn't there."""
    if value is None or value in ((), []):
        return ""
    if isinstance(value, (list, tuple)):
        return quoted(delimiter.join(map(_text, value)))
    return quoted(value) if isinstance(value, str) else _text(value)


def _text(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return "NaN" if math.isnan(value) else repr(value).replace("inf", "Infinity")
        case date():
            return value.isoformat()
    return str(value)


def types_of(properties: Mapping[str, Any]) -> dict[str, str]:
    """The types of columns that hold these."""
    return {
        name: TYPES[type(value[0])] + "[]" if isinstance(value, tuple) else TYPES[type(value)]
        for name, value in properties.items()
    }
