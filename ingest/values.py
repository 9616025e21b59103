"""Cells of a file as values of a type. A column is taken whole; closer only where that fails."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo
from typing import cast

from graph_schema import PropertyType, Scalar, Value
from ingest.records import Cell, Fault, Reason

MAX_VALUE = 100_000
MAX_ITEMS = 10_000
_INT64 = 1 << 63
_TRUE = frozenset({"true", "t", "yes", "y", "1"})
_FALSE = frozenset({"false", "f", "no", "n", "0"})
_SHOWN = 60


class _Bad(Exception):
    """A cell that isn't of the type: ``fault`` says why."""

    def __init__(self, reason: Reason, detail: str, fix: str) -> None:
        self.fault = Fault(reason, detail, fix)
        super().__init__(detail)


@dataclass(frozen=True, slots=True)
class Parser:
    """How cells become values of one property.

    Attributes:
        name: the property's.
        type: as in ``graph_schema.PropertySchema``.
        format: of dates, as ``datetime.strptime`` takes it; empty: ISO 8601.
        zone: of datetimes that say none.
        separator: between the values of a list in one text; empty: a text is one value.
        several: the property is a list.
        nulls: texts that mean nothing.
        decimal: what stands before the fraction of a number.
    """

    name: str
    type: PropertyType = "string"
    format: str = ""
    zone: tzinfo = UTC
    separator: str = ""
    several: bool = False
    nulls: frozenset[str] = frozenset({""})
    decimal: str = "."

    def parse(self, column: Sequence[Cell]) -> tuple[list[Value | None], dict[int, Fault]]:
        """The values of a column, None where a cell has nothing; and what is wrong, by position."""
        if not self.several:
            try:
                return self._whole(column), {}
            except (_Bad, ValueError, TypeError, AttributeError, OverflowError):
                pass
        values: list[Value | None] = []
        faults: dict[int, Fault] = {}
        for place, cell in enumerate(column):
            try:
                values.append(self._listed(cell) if self.several else self._one(cell))
            except _Bad as bad:
                values.append(None)
                faults[place] = bad.fault
        return values, faults

    def _whole(self, column: Sequence[Cell]) -> list[Value | None]:
        """A column of texts that are all as they should be; raises for any other."""
        texts = [*map(str.strip, cast("Sequence[str]", column))]
        if not self.nulls.isdisjoint(texts):
            return [None if text in self.nulls else self._text(text) for text in texts]
        if self.type == "string":
            if max(map(len, texts), default=0) > MAX_VALUE:
                raise ValueError("too long")
            return [*texts]
        return [*map(self._text, texts)]

    def _listed(self, cell: Cell) -> Value | None:
        if cell is None or (isinstance(cell, str) and cell.strip() in self.nulls):
            return None
        items: Iterable[object] = [cell]
        if isinstance(cell, list):
            items = cell
        elif isinstance(cell, str) and self.separator:
            items = cell.split(self.separator)
        found = [value for value in map(self._one, items) if value is not None]
        if len(found) > MAX_ITEMS:
            what = f"{self.name} has {len(found):,} values, {MAX_ITEMS:,} are allowed"
            raise _Bad(Reason.VALUE_TOO_LONG, what, "Keep the first ones, or make them nodes")
        return tuple(found) or None

    def _one(self, cell: object) -> Scalar | None:
        if cell is None:
            return None
        if isinstance(cell, str):
            text = cell.strip()
            return None if text in self.nulls else self._text(text)
        if isinstance(cell, list | dict):
            kind = "a list" if isinstance(cell, list) else "an object"
            fix = (
                "Say list: true in the mapping" if isinstance(cell, list) else "Name a column inside of it: outer.inner"
            )
            raise _Bad(Reason.NESTED, f"{self.name} is {kind}, not one value", fix)
        return self._typed(cell)

    def _text(self, text: str) -> Scalar:
        """A text that is something."""
        if self.type == "string":
            if len(text) > MAX_VALUE:
                what = f"{self.name} has {len(text):,} characters, {MAX_VALUE:,} are allowed"
                raise _Bad(Reason.VALUE_TOO_LONG, what, "Shorten it")
            return text
        return _OF_TEXT[self.type](self, text)

    def _integer(self, text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise self._no_number(text, "a whole number") from None
        if "_" in text:
            raise self._no_number(text, "a whole number")
        return self._in_range(number)

    def _in_range(self, number: int) -> int:
        if not -_INT64 <= number < _INT64:
            fix = "Keep it as a string, or mend it"
            raise _Bad(Reason.BAD_NUMBER, f"{self.name} is {_shown(str(number))}, beyond 64 bits", fix)
        return number

    def _float(self, text: str) -> float:
        plain = text if self.decimal == "." else text.replace(".", "_").replace(self.decimal, ".")
        try:
            number = float(plain)
        except ValueError:
            raise self._no_number(text, "a number") from None
        if "_" in plain or not math.isfinite(number):
            raise self._no_number(text, "a finite number")
        return number

    def _boolean(self, text: str) -> bool:
        folded = text.casefold()
        if folded in _TRUE or folded in _FALSE:
            return folded in _TRUE
        fix = "Write true or false"
        raise _Bad(Reason.BAD_BOOLEAN, f"{self.name} is {_shown(text)}, neither true nor false", fix)

    def _date(self, text: str) -> date:
        try:
            return datetime.strptime(text, self.format).date() if self.format else date.fromisoformat(text)
        except ValueError as error:
            raise self._no_date(text, "a date", "YYYY-MM-DD", error) from None

    def _datetime(self, text: str) -> datetime:
        try:
            moment = datetime.strptime(text, self.format) if self.format else datetime.fromisoformat(text)
        except ValueError as error:
            raise self._no_date(text, "a date and time", "YYYY-MM-DDTHH:MM:SS", error) from None
        return moment if moment.tzinfo else moment.replace(tzinfo=self.zone)

    def _typed(self, cell: object) -> Scalar:
        """A cell that isn't text, of a format with types of its own."""
        value: Scalar
        match self.type, cell:
            case "boolean", bool():
                value = cell
            case "integer" | "float", bool():
                raise self._no_number(as_text(cell), "a number")
            case "integer", int():
                value = self._in_range(cell)
            case "integer", float() if cell.is_integer():
                value = self._in_range(int(cell))
            case "float", int() | float():
                value = self._float(repr(cell).replace(".", self.decimal))
            case "datetime", datetime():
                value = cell if cell.tzinfo else cell.replace(tzinfo=self.zone)
            case "date", datetime() if cell.time() == time():
                value = cell.date()
            case "date", date() if not isinstance(cell, datetime):
                value = cell
            case "datetime", date():
                value = datetime.combine(cell, time(), self.zone)
            case _:
                value = self._text(as_text(cell))
        return value

    def _no_number(self, text: str, kind: str) -> _Bad:
        fix = "Mend it, leave it empty, or add the text to nulls if it means nothing"
        return _Bad(Reason.BAD_NUMBER, f"{self.name} is {_shown(text)}, not {kind}", fix)

    def _no_date(self, text: str, kind: str, usual: str, error: ValueError) -> _Bad:
        wanted = self.format or usual
        why = f": {error}" if "range" in str(error) or "must be in" in str(error) else ""
        what = f"{self.name} is {_shown(text)}, not {kind} ({wanted}){why}"
        return _Bad(Reason.BAD_DATE, what, f"Write it as {wanted}, or say its format in the mapping")


_OF_TEXT: dict[str, Callable[[Parser, str], Scalar]] = {
    "integer": Parser._integer,
    "float": Parser._float,
    "boolean": Parser._boolean,
    "date": Parser._date,
    "datetime": Parser._datetime,
}


def as_text(cell: object) -> str:
    """A cell as text, the same whether a file says 603, "603" or 603.0; numbers, dates and booleans as in JSON."""
    if isinstance(cell, str):
        return cell.strip()
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1 << 53:
        return str(int(cell))
    if isinstance(cell, date | datetime):
        return cell.isoformat()
    return str(cell)


def plain(cell: object) -> object:
    """A cell as JSON has it; what JSON hasn't got, as text."""
    if cell is None or isinstance(cell, str | bool | int):
        return cell
    if isinstance(cell, float):
        return cell if math.isfinite(cell) else str(cell)
    if isinstance(cell, list | tuple):
        return [*map(plain, cell)]
    if isinstance(cell, dict):
        return {str(key): plain(value) for key, value in cell.items()}
    return as_text(cell)


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
