"""JSON lines: one object a line, its keys the columns.

Objects within objects become columns of their own, with a dot between the keys; lists stay lists. A key that comes up
in a later line makes a new column after the ones before, so a column's position never changes. Where it is said which
columns are needed, these are the columns, whether the first lines have them or not.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from ingest.lines import blocks
from ingest.options import LoadOptions
from ingest.records import ROW_KEPT, Cell, Reason, Records, Reject, Rejected, Table
from ingest.sources import ByteStream

MAX_COLUMNS = 10_000
MAX_DEPTH = 64
Row = dict[str, Cell]


class _BadRowError(ValueError):
    """What is JSON, but no row; the message says why."""


def read_jsonl(stream: ByteStream, options: LoadOptions, reject: Reject) -> Table:
    """Rows of JSON lines.

    The header has the columns of the first block, if ``options.needed`` is None. Else it has the needed ones; of a name
    with dots that isn't a key itself, the outermost key, whose objects and lists are then left as they are.
    """
    notes: list[str] = []
    rows = _Rows(stream, options.needed, reject, notes).records()
    first = next(rows, None)
    names = first.names if first is not None else (options.needed or ())
    return Table("jsonl", names, len(names), chain([first] if first is not None else [], rows), notes)


class _Rows:
    """Blocks of lines to rows."""

    def __init__(self, stream: ByteStream, needed: tuple[str, ...] | None, reject: Reject, notes: list[str]) -> None:
        self._stream = stream
        self._reject = reject
        self._needed = needed
        self._notes = notes
        self._columns: dict[str, None] = {}
        self._seen: set[str] = set()  # of the needed columns
        self._begun = False

    def records(self) -> Iterator[Records]:
        for number, block in blocks(self._stream, self._reject):
            lines: list[int] = []
            rows: list[Row] = []
            for line, raw in enumerate(block[:-1].split(b"\n"), number):
                row = self._row(line, raw)
                if row is not None:
                    lines.append(line)
                    rows.append(row)
            if self._needed is not None and not self._begun:
                known = set(chain.from_iterable(rows))
                self._columns = dict.fromkeys(
                    name if name in known else name.partition(".")[0] for name in self._needed
                )
                self._begun = True
            names = tuple(self._columns)
            if self._needed is not None and len(self._seen) < len(names):
                self._seen |= self._columns.keys() & set(chain.from_iterable(rows))
            through = number + block.count(b"\n") - 1
            yield Records(self._stream.name, lines, _columns(rows, names), through, names)
        if self._needed is not None and (missing := [name for name in self._columns if name not in self._seen]):
            shown = ", ".join(map(repr, missing))
            self._notes.append(f"{self._stream.name}: no line has a key {shown}")

    def _row(self, line: int, raw: bytes) -> Row | None:
        """One line's row; None if the line is blank or was set aside."""
        try:
            text = raw.decode().strip(" \t\r")
            if not text:
                return None
            row = _parsed(text, flat=self._needed is None)
            if self._needed is None and not row.keys() <= self._columns.keys():
                if len(self._columns) + len(row) > MAX_COLUMNS and len({*self._columns, *row}) > MAX_COLUMNS:
                    self._set_aside(line, raw, Reason.FIELD_COUNT, f"more than {MAX_COLUMNS:,} columns with this line")
                    return None
                self._columns |= dict.fromkeys(row)
        except UnicodeDecodeError as error:
            what = f"byte 0x{raw[error.start]:02x} at {error.start + 1}"
            self._set_aside(line, raw, Reason.NOT_UTF8, what)
        except json.JSONDecodeError as error:
            self._set_aside(line, raw, Reason.BAD_JSON, f"{error.msg.removesuffix(' at')} at character {error.pos + 1}")
        except RecursionError:
            self._set_aside(line, raw, Reason.BAD_JSON, f"nested deeper than {MAX_DEPTH}")
        except ValueError as error:  # ours, or Python's on a number of too many digits
            self._set_aside(line, raw, Reason.BAD_JSON, str(error).partition(";")[0])
        else:
            return row
        return None

    def _set_aside(self, line: int, raw: bytes, reason: Reason, detail: str) -> None:
        row = raw[:ROW_KEPT].decode("utf-8", "backslashreplace").rstrip("\r")
        self._reject(Rejected(self._stream.name, line, reason, detail, row))


def _columns(rows: Sequence[Row], names: Sequence[str]) -> list[Sequence[Cell]]:
    seen = set(chain.from_iterable(rows))
    empty = [None] * len(rows)
    return [[row.get(name) for row in rows] if name in seen else empty for name in names]


def _parsed(text: str, *, flat: bool) -> Row:
    """The row of a line.

    Raises:
        ValueError: it is none; of the subclass JSONDecodeError if it isn't JSON.
        RecursionError: it is nested too deep.
    """
    value, end = _DECODER.raw_decode(text)
    if end != len(text):
        raise _BadRowError(f"something after the value, from character {end + 1}")
    if not isinstance(value, dict):
        raise _BadRowError("not an object")
    if text.count("{") + text.count("[") > MAX_DEPTH:
        _check_depth(value, MAX_DEPTH)
    if "\\ud" in text or "\\uD" in text:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise _BadRowError("half of a surrogate pair") from None
    return _once([*_flat(value, "")]) if flat and dict in map(type, value.values()) else value


def _flat(value: dict[str, Any], before: str) -> Iterator[tuple[str, Cell]]:
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from _flat(inner, f"{before}{key}.")
        else:
            yield before + key, inner


def _once(pairs: Sequence[tuple[str, Cell]]) -> Row:
    """An object's keys and values."""
    row = dict(pairs)
    if len(row) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _BadRowError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} twice")
    return row


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _BadRowError(f"{text[:20]} is too large a number")
    return number


def _no_number(text: str) -> float:
    raise _BadRowError(f"{text} isn't JSON")


def _check_depth(value: object, left: int) -> None:
    if not left:
        raise RecursionError
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inner:
        _check_depth(one, left - 1)


_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_float=_finite, parse_constant=_no_number)
