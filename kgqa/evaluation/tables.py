"""Recorded rows as tables: variants against metrics, the mean and 95 % interval over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from graph_schema import InputError
from kgqa.evaluation.figures import ABSTENTION, EVIDENCE, MEASURED
from kgqa.evaluation.intervals import Interval, mean_interval
from kgqa.evaluation.record import Row

SHARES = (*MEASURED, *EVIDENCE, *ABSTENTION, "right_topic")
"""Metrics in [0, 1], shown in percent."""
FIRST = ("hits_at_1", "f1")
_NAMED = ("variant", "shots", "kind", "facts_kept", "slot_budget", "topics")
_USUAL = {"kind": "vanilla", "topics": "brackets"}  # what there is if nothing is said
_PARTS = ("1-hop", "2-hop", "3-hop", "conjunction")


@dataclass(frozen=True)
class Cell:
    """One figure: its interval over seeds, and whether it is a share, shown in percent."""

    interval: Interval
    share: bool

    def __str__(self) -> str:
        scale, digits = (100, 2) if self.share else (1, 1 if abs(self.interval.mean) >= 10 else 4)
        half = "" if self.interval.half is None else f" ± {scale * self.interval.half:.{digits}f}"
        return f"{scale * self.interval.mean:,.{digits}f}{half}"


@dataclass(frozen=True)
class VariantTable:
    """One experiment on one split.

    Attributes:
        title: what was measured. columns: (part, metric) of each column, after the variant's name.
        lines: a variant's name, how many seeds it has, and its figure in each column; None where there is none.
    """

    title: str
    columns: tuple[tuple[str, str], ...]
    lines: tuple[tuple[str, int, tuple[Cell | None, ...]], ...]


def read_rows(paths: Sequence[Path]) -> list[Row]:
    """Rows of files that ``kgqa bench ... --json`` wrote.

    Raises:
        InputError: a file can't be read, or a line of it is no row (file and line named).
    """
    row = TypeAdapter(Row)
    rows = []
    for path in paths:
        try:
            lines = path.read_text("utf-8").splitlines()
        except OSError as error:
            raise InputError(f"can't read the rows: {error.strerror}", where=str(path)) from error
        except UnicodeDecodeError as error:
            raise InputError("not UTF-8 text", where=str(path)) from error
        for number, line in enumerate(lines, 1):
            try:
                rows += [row.validate_json(line)] if line.strip() else []
            except ValidationError as error:
                first = error.errors()[0]
                key = ".".join(map(str, first["loc"])) or "the line"
                raise InputError(
                    f"no row of figures ({key}: {first['msg']})",
                    where=f"{path}:{number}",
                    fix="Give a file that kgqa bench --json wrote",
                ) from error
    return rows


def variant_tables(rows: Sequence[Row], metrics: Sequence[str] = FIRST) -> list[VariantTable]:
    """A table for each experiment, set and split, of rows of single seeds; slices are left out.

    Where a variant was measured again with the same seed, the later row counts. Rows without an experiment
    (``kgqa bench set``) are a table too.
    """
    # title -> variant -> (part, metric) -> seed -> value
    found: dict[str, dict[str, dict[tuple[str, str], dict[int, float]]]] = {}
    for row in rows:
        if row.seed is None or row.metric not in metrics or "slice" in row.config:
            continue
        name, _, part = row.set.partition("/")
        kind = row.config.get("split", "")
        title = ", ".join(filter(None, (str(row.config.get("experiment", "")), name, row.split, f"{kind}")))
        variant = ", ".join(_said(key, row.config[key]) for key in _NAMED if key in row.config and _tells(key, row))
        cells = found.setdefault(title, {}).setdefault(variant or "-", {})
        cells.setdefault((part, row.metric), {})[row.seed] = row.value
    return [_table(title, variants, metrics) for title, variants in found.items()]


def _tells(key: str, row: Row) -> bool:
    return bool(row.config[key] != _USUAL.get(key))


def _said(key: str, value: object) -> str:
    if key == "shots":
        return f"{value} question{'s' * (value != 1)}"
    return f"{key.replace('_', ' ')} {value}" if key in ("facts_kept", "slot_budget") else str(value)


def _table(
    title: str, variants: dict[str, dict[tuple[str, str], dict[int, float]]], metrics: Sequence[str]
) -> VariantTable:
    there = {column for cells in variants.values() for column in cells}
    order = {part: place for place, part in enumerate(_PARTS)}
    parts = sorted({part for part, _ in there}, key=lambda part: (part == "all", order.get(part, len(order)), part))
    columns = tuple((part, metric) for part in parts for metric in metrics if (part, metric) in there)
    lines = []
    for variant, cells in variants.items():
        values = [list(cells.get(column, {}).values()) for column in columns]
        line = tuple(
            Cell(mean_interval(own), metric in SHARES) if own else None
            for own, (_, metric) in zip(values, columns, strict=True)
        )
        lines.append((variant, max(map(len, values)), line))
    return VariantTable(title, columns, tuple(lines))
