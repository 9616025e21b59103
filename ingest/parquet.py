"""Parquet: batches of rows from its row groups, only the columns that are needed, as Python's own types.

Structs become columns of their own, with a dot between the names. A row's number stands for its line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, date, datetime
from itertools import compress
from typing import Any

from graph_schema import InputError
from ingest.options import LoadOptions
from ingest.records import ROW_KEPT, Cell, Reason, Records, Reject, Rejected, Table
from ingest.sources import ByteStream

ROWS = 8_192
_BUFFER = 1_048_576
_EXACT_DIGITS = 15  # decimals of so many digits come back the same from a float

Bad = dict[int, tuple[Reason, str]]
"""By position in a batch: why a cell can't be had."""


def read_parquet(stream: ByteStream, options: LoadOptions, reject: Reject) -> Table:
    """Rows of a Parquet file; of a stream, by way of a temporary copy.

    The header has all columns. With ``options.needed``, the others are not read, and empty.

    Raises:
        InputError: it is cut off or damaged; also while the rows are drawn.
    """
    from pyarrow import ArrowException  # noqa: PLC0415 - heavy, so only where such a file is read
    from pyarrow.parquet import ParquetFile  # noqa: PLC0415

    with ExitStack() as opening:
        source = opening.enter_context(stream.seekable())
        try:
            # Without pre-buffering, pages are decoded as they are reached; a row group is never held whole.
            file = ParquetFile(source, pre_buffer=False, buffer_size=_BUFFER, page_checksum_verification=True)
            names = [*_flat_names(file.schema_arrow)]
        except (ArrowException, OSError) as error:
            raise _damaged(stream.name, error, "") from error
        rows = _Rows(stream, file, names, options.needed, reject)
        records = rows.records(opening.pop_all(), ArrowException)
    return Table("parquet", tuple(names), len(names), records)


class _Rows:
    """Batches of one file to rows."""

    def __init__(
        self, stream: ByteStream, file: Any, names: Sequence[str], needed: tuple[str, ...] | None, reject: Reject
    ) -> None:
        self._stream = stream
        self._file = file
        self._names = names
        self._reject = reject
        self._used = {
            name for name in names if needed is None or any(f"{want}.".startswith(f"{name}.") for want in needed)
        }

    def records(self, opened: ExitStack, failure: type[Exception]) -> Iterator[Records]:
        """All rows; ``opened`` is closed after the last."""
        with opened:
            done, batches = 0, self._batches()
            while True:
                try:
                    batch = next(batches, None)
                except (failure, OSError) as error:
                    raise _damaged(self._stream.name, error) from error
                if batch is None:
                    return
                yield self._rows(batch, done)
                done += batch.num_rows
                if self._stream.total is not None and self._stream.path is not None:
                    self._stream.position = self._stream.total * done // self._file.metadata.num_rows

    def _batches(self) -> Iterator[Any]:
        top = {field.name for field in self._file.schema_arrow}
        columns = sorted({name for name in top if any(f"{used}.".startswith(f"{name}.") for used in self._used)})
        batches: Iterator[Any] = self._file.iter_batches(ROWS, columns=columns, use_threads=False)
        return batches

    def _rows(self, batch: Any, before: int) -> Records:
        """One batch; ``before``: rows before it."""
        count = batch.num_rows
        arrays = dict(_flat_arrays(batch))
        bad: Bad = {}
        columns: list[Sequence[Cell]] = []
        for name in self._names:
            columns.append(_cells(name, arrays[name], bad) if name in self._used else [None] * count)
        lines: Sequence[int] = range(before + 1, before + count + 1)
        for place in sorted(bad):
            row = "\t".join("" if column[place] is None else str(column[place]) for column in columns)[:ROW_KEPT]
            self._reject(Rejected(self._stream.name, lines[place], *bad[place], row))
        if bad:
            good = [place not in bad for place in range(count)]
            lines = [*compress(lines, good)]
            columns = [[*compress(column, good)] for column in columns]
        return Records(self._stream.name, lines, columns, before + count)


def _damaged(
    name: str, error: Exception, stays: str = "; facts of earlier rows may be in the store, and stay"
) -> InputError:
    return InputError(
        f"is a damaged Parquet file, or one cut off ({' '.join(str(error).split())[:200].rstrip('.')}){stays}",
        where=name,
        fix="Get the file anew and load it again: a fact that is there already isn't doubled",
    )


def _flat_names(fields: Any, before: str = "") -> Iterator[str]:
    """Names of the columns; of a struct, those of its fields."""
    from pyarrow import types  # noqa: PLC0415

    for field in fields:
        if types.is_struct(field.type):
            yield from _flat_names(
                [field.type.field(place) for place in range(field.type.num_fields)], f"{before}{field.name}."
            )
        else:
            yield before + field.name


def _flat_arrays(batch: Any) -> Iterator[tuple[str, Any]]:
    """The same with the arrays; a field of a struct that is null is null."""
    from pyarrow import types  # noqa: PLC0415

    def flat(name: str, array: Any) -> Iterator[tuple[str, Any]]:
        if types.is_struct(array.type):
            for place, inner in enumerate(array.flatten()):
                yield from flat(f"{name}.{array.type.field(place).name}", inner)
        else:
            yield name, array

    for name, array in zip(batch.schema.names, batch.columns, strict=True):
        yield from flat(name, array)


def _cells(name: str, array: Any, bad: Bad) -> list[Cell]:
    """A column's cells; what can't be had of it is None, and in ``bad``."""
    plain = _conversion(array.type)
    array = _in_microseconds(array)
    try:
        cells = array.to_pylist()
        return cells if plain is None else [None if cell is None else plain(cell) for cell in cells]
    except (ValueError, OverflowError, ArithmeticError):
        pass
    found: list[Cell] = []
    for place, scalar in enumerate(array):
        try:
            cell = scalar.as_py()
            found.append(None if cell is None else plain(cell) if plain else cell)
        except UnicodeDecodeError as error:
            found.append(None)
            bad.setdefault(
                place, (Reason.NOT_UTF8, f"{name}, byte 0x{error.object[error.start]:02x} at {error.start + 1}")
            )
        except (ValueError, OverflowError, ArithmeticError) as error:
            found.append(None)
            bad.setdefault(place, (Reason.BAD_VALUE, f"{name}: {error}"))
    return found


def _in_microseconds(array: Any) -> Any:
    """Times finer than Python's are cut; those with a zone come in UTC. Anything else is as it is."""
    import pyarrow as pa  # noqa: PLC0415

    kind = array.type
    if pa.types.is_timestamp(kind) and (kind.unit == "ns" or kind.tz):
        unit = "us" if kind.unit == "ns" else kind.unit
        return array.cast(pa.timestamp(unit, "UTC" if kind.tz else None), safe=False)
    return array


def _conversion(kind: Any) -> Callable[[Any], Cell] | None:
    """What makes cells of the values of a type; None: they are cells."""
    from pyarrow import types  # noqa: PLC0415

    if types.is_dictionary(kind):
        return _conversion(kind.value_type)
    if (
        types.is_null(kind)
        or types.is_boolean(kind)
        or types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_date(kind)
        or (types.is_timestamp(kind) and not kind.tz)
        or types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_string_view(kind)
    ):
        return None
    if types.is_decimal(kind):
        if kind.scale <= 0:
            return int
        return float if kind.precision <= _EXACT_DIGITS else str
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        inner = _conversion(kind.value_type)
        return None if inner is None else lambda cells: [None if cell is None else inner(cell) for cell in cells]
    return _plain


def _plain(value: Any) -> Cell:
    """Any value that pyarrow gives, as a cell: bytes as the text they hold, or in hex if they hold none."""
    match value:
        case datetime():
            return value.astimezone(UTC) if value.tzinfo else value
        case None | str() | int() | float() | date():
            return value
        case list() | tuple():
            return [_plain(one) for one in value]
        case dict():
            return {key: _plain(one) for key, one in value.items()}
        case bytes():
            return _text(value)
    return str(value)


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return f"0x{value.hex()}"
