"""Literals of RDF as values of properties."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

from graph_schema import Scalar, Value
from ingest.rdf_terms import XSD
from ingest.records import Fault, Reason
from ingest.values import MAX_VALUE

_INT64 = 1 << 63
_ZONE = re.compile(r"(?:Z|[+-]\d\d:\d\d)$")
_DATE = re.compile(r"(-?\d{4,})-\d\d-\d\d(?:T.*)?", re.DOTALL)
_INTEGER = re.compile(r"[+-]?\d+")
_FIX = "Mend it, or give it another datatype"


class FaultError(Exception):
    """A literal that isn't what its datatype says: ``fault`` says why."""

    def __init__(self, reason: Reason, detail: str) -> None:
        self.fault = Fault(reason, detail, _FIX)
        super().__init__(detail)


def value(text: str, datatype: str) -> Scalar:
    """A literal's value: of the common XSD types as Python's own, of all others the text as it stands.

    A decimal that a float can't hold, and a date beyond the years 1 to 9999, stay text. A date's zone is let go; a time
    without a zone is taken as UTC.

    Raises:
        FaultError: the text isn't of the type; or it is too long, or has a NUL.
    """
    if "\0" in text:
        raise FaultError(Reason.NUL, "in a literal")
    if len(text) > MAX_VALUE:
        raise FaultError(Reason.VALUE_TOO_LONG, f"{len(text):,} characters, {MAX_VALUE:,} are allowed")
    read = _READERS.get(datatype)
    return text if read is None else read(text.strip())


def together(values: Sequence[Scalar]) -> Value:
    """One value as it is; several as a tuple of one type: of numbers floats, of any other mixture texts."""
    distinct = [*{(type(one), one): one for one in values}.values()]
    if len(distinct) == 1:
        return distinct[0]
    types = {*map(type, distinct)}
    if len(types) == 1:
        return tuple(distinct)
    if types == {int, float}:
        return tuple(dict.fromkeys(float(one) for one in distinct if isinstance(one, int | float)))
    return tuple(dict.fromkeys(map(as_text, distinct)))


def as_text(one: Scalar) -> str:
    """A value as XSD writes it."""
    if isinstance(one, bool):
        return str(one).lower()
    return one.isoformat() if isinstance(one, date) else str(one)


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise FaultError(Reason.BAD_NUMBER, f"{text[:60]!r} is no whole number")
    if len(text) > 30 or not -_INT64 <= int(text) < _INT64:
        raise FaultError(Reason.BAD_NUMBER, f"{text[:60]} is beyond 64 bits")
    return int(text)


def _decimal(text: str) -> Scalar:
    try:
        exact = Decimal(text)
    except InvalidOperation:
        raise FaultError(Reason.BAD_NUMBER, f"{text[:60]!r} is no decimal") from None
    if not exact.is_finite():
        raise FaultError(Reason.BAD_NUMBER, f"{text[:60]!r} is no decimal")
    near = float(exact)
    return near if math.isfinite(near) and Decimal(repr(near)) == exact else text


def _double(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise FaultError(Reason.BAD_NUMBER, f"{text[:60]!r} is no number") from None
    if "_" in text or not math.isfinite(number):
        raise FaultError(Reason.BAD_NUMBER, f"{text[:60]!r} is no finite number")
    return number


def _boolean(text: str) -> bool:
    if text not in ("true", "false", "1", "0"):
        raise FaultError(Reason.BAD_BOOLEAN, f"{text[:60]!r} is neither true nor false")
    return text in ("true", "1")


def _date(text: str) -> date | str:
    plain = _ZONE.sub("", text)
    try:
        return date.fromisoformat(plain)
    except ValueError as error:
        return _beyond(text, plain, error)


def _datetime(text: str) -> datetime | str:
    try:
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except ValueError as error:
        return _beyond(text, text, error)


def _beyond(text: str, plain: str, error: ValueError) -> str:
    """A date whose year Python hasn't got, as text."""
    found = _DATE.fullmatch(plain)
    if found and not 1 <= int(found[1][:9]) <= 9999:
        return text
    raise FaultError(Reason.BAD_DATE, f"{text[:60]!r}: {error}") from None


def _year(text: str) -> int:
    plain = _ZONE.sub("", text)
    if not re.fullmatch(r"-?\d{4,18}", plain):
        raise FaultError(Reason.BAD_DATE, f"{text[:60]!r} is no year")
    return int(plain)


_WHOLE = (
    "integer", "int", "long", "short", "byte", "nonNegativeInteger", "nonPositiveInteger", "positiveInteger",
    "negativeInteger", "unsignedInt", "unsignedLong", "unsignedShort", "unsignedByte",
)  # fmt: skip
_READERS: dict[str, Callable[[str], Scalar]] = {
    **{XSD + name: _integer for name in _WHOLE},
    XSD + "decimal": _decimal,
    XSD + "double": _double,
    XSD + "float": _double,
    XSD + "boolean": _boolean,
    XSD + "date": _date,
    XSD + "dateTime": _datetime,
    XSD + "dateTimeStamp": _datetime,
    XSD + "gYear": _year,
}
