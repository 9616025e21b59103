"""Columns of a file as a mapping names them: where each is, and its cells as texts, ids, labels and properties."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from graph_schema import MappingError, Value
from graph_schema import texts as plain
from ingest.ids import Template
from ingest.mapping_file import Choice, ColumnRef
from ingest.records import Cell, Fault, Reason, Records
from ingest.values import Parser, as_text

REMEMBERED = 100_000  # cells of a column, at most
REMEMBERED_CHARACTERS = 200  # of a cell, at most

Texts = Sequence[str | None]
Row = int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a column is: its position, and the keys on the way into nested cells."""

    name: str
    position: int
    inside: tuple[str, ...] = ()

    def cells(self, records: Records) -> Sequence[Cell]:
        column = records.columns[self.position]
        if isinstance(column, plain.Texts):
            column = [*column]
        return [_inside(cell, self.inside) for cell in column] if self.inside else column


def _inside(cell: object, keys: tuple[str, ...]) -> Cell:
    """What is under these keys; of a list, what is under them in each of its items."""
    for place, key in enumerate(keys):
        if isinstance(cell, list):
            return [_inside(item, keys[place:]) for item in cell]
        cell = cell.get(key) if isinstance(cell, dict) else None
    return cast("Cell", cell)


class Finder:
    """Finds columns, and remembers which weren't there."""

    def __init__(self, header: Sequence[str] | None, width: int) -> None:
        self._header = tuple(header or ())
        self._width = width
        self._faults: list[str] = []

    def place(self, ref: ColumnRef) -> Place:
        """A column by name, position, or as ``outer.inner``; one that isn't there is found out by ``check``."""
        if isinstance(ref, int):
            if ref >= self._width:
                self._faults.append(f"no column {ref}, there are {self._width}")
            return Place(self._header[ref] if ref < len(self._header) else f"column {ref}", ref)
        parts = ref.split(".")
        for cut in range(len(parts), 0, -1):
            name = ".".join(parts[:cut])
            if self._header.count(name) == 1:
                return Place(ref, self._header.index(name), tuple(parts[cut:]))
        times = "more than one" if self._header.count(ref) else "no"
        self._faults.append(f"{times} column {ref!r}")
        return Place(ref, 0)

    def check(self, name: str) -> None:
        """Raises MappingError, for the file of this name, that columns weren't there."""
        if self._faults:
            there = ", ".join(map(repr, self._header[:30]))
            raise MappingError(
                f"its mapping doesn't fit: {'; '.join(dict.fromkeys(self._faults))}",
                where=name,
                fix=f"It has {there}" if there else "It has no header; name its columns in the mapping, with columns",
            )


@dataclass(frozen=True, slots=True)
class IdColumns:
    """An id, or a name, that is made from columns.

    Attributes:
        nulls: texts that mean nothing.
        known: what was made of the texts of the only column; rows that have the same one share it.
    """

    template: Template
    places: tuple[Place, ...]
    nulls: frozenset[str]
    known: dict[str, str | None] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def found(cls, template: Template, finder: Finder, nulls: frozenset[str]) -> IdColumns:
        return cls(template, tuple(map(finder.place, template.columns)), nulls)

    @property
    def said(self) -> str:
        return ", ".join(place.name for place in self.places)

    def texts(self, records: Records) -> Texts:
        """One for each row; None where a column has nothing."""
        column = records.columns[self.places[0].position]
        if len(self.places) == 1 and isinstance(column, plain.Texts) and not self.places[0].inside:
            column = column.stripped()
            if not column.has_any(self.nulls):
                return column.between(self.template.texts[0], self.template.texts[-1])
        columns = [place.cells(records) for place in self.places]
        if len(columns) == 1 and (found := self._remembered(columns[0])) is not None:
            return found
        return self._filled(columns)

    def _filled(self, columns: Sequence[Sequence[Cell]]) -> Texts:
        return self.template.filled([texts(column, self.nulls) for column in columns])

    def _remembered(self, column: Sequence[Cell]) -> Texts | None:
        """The same for one column of texts in which most come again; None for any other."""
        cells = cast("Sequence[str]", column)  # anything else isn't found, for it equals no text
        try:
            return [*map(self.known.__getitem__, cells)]
        except KeyError:
            new = [*{*cells}.difference(self.known)]
        except TypeError:  # a list, which can't be looked up
            return None
        if 2 * len(new) > len(cells) or {*map(type, new)} != {str} or max(map(len, new)) > REMEMBERED_CHARACTERS:
            return None
        if len(self.known) + len(new) > REMEMBERED:
            self.known.clear()
            new = [*{*cells}]
        self.known.update(zip(new, self._filled([new]), strict=True))
        return [*map(self.known.__getitem__, cells)]

    def several(self, records: Records, separator: str) -> list[Texts] | None:
        """The same where cells are lists, or texts with a separator: columns that hold one give an id for each of its
        items, in step; None if no cell of the block is a list.
        """
        columns = [place.cells(records) for place in self.places]
        if not separator and not any(list in {*map(type, column)} for column in columns):
            return None
        return [
            self._of_row([items(cell, separator, self.nulls) for cell in row]) for row in zip(*columns, strict=True)
        ]

    def _of_row(self, columns: list[Texts]) -> Texts:
        longest = max(map(len, columns))
        filled = [
            [*column] * longest if len(column) == 1 else [*column] + [None] * (longest - len(column))
            for column in columns
        ]
        return self.template.filled(filled)


@dataclass(frozen=True, slots=True)
class LabelColumn:
    """A label or type: fixed, or what a column says, by way of ``values`` where it is among them."""

    fixed: str = ""
    place: Place | None = None
    values: Mapping[str, str] | None = None
    nulls: frozenset[str] = frozenset()

    @classmethod
    def found(cls, spec: str | Choice, finder: Finder, nulls: frozenset[str]) -> LabelColumn:
        return cls(spec) if isinstance(spec, str) else cls("", finder.place(spec.column), spec.values, nulls)

    @property
    def said(self) -> str:
        return self.place.name if self.place else self.fixed

    def texts(self, records: Records) -> Texts:
        if self.place is None:
            return [self.fixed] * len(records.lines)
        found = texts(self.place.cells(records), self.nulls)
        values = self.values
        return [text and values.get(text, text) for text in found] if values else found


@dataclass(frozen=True, slots=True)
class PropertyColumn:
    """A property from a column."""

    name: str
    place: Place
    parser: Parser
    required: bool
    unique: bool

    def values(
        self, records: Records, rows: Sequence[Row], items: Sequence[int] | None, faults: dict[Row, Fault]
    ) -> list[Value | None]:
        """Its values for these rows; what is wrong goes to ``faults``.

        Args:
            items: for each of ``rows``, which item of a nested list is meant; None: the cell as a whole.
        """
        cells = self.place.cells(records)
        if items is not None:
            cells = [_item(cells[row], item) for row, item in zip(rows, items, strict=True)]
        elif rows != range(len(cells)):
            cells = [cells[row] for row in rows]
        values, wrong = self.parser.parse(cells)
        for at, fault in wrong.items():
            faults.setdefault(rows[at], fault)
        if self.required and None in values:
            for at, value in enumerate(values):
                if value is None:
                    faults.setdefault(rows[at], Fault(Reason.REQUIRED, f"no {self.name}", "Fill it in"))
        return values


def _item(cell: Cell, number: int) -> Cell:
    if not isinstance(cell, list):
        return cell
    return cast("Cell", cell[number]) if number < len(cell) else None


def texts(column: Sequence[Cell], nulls: frozenset[str]) -> Texts:
    """A column as text without white space around; None where that is a null."""
    try:
        found = [*map(str.strip, cast("Sequence[str]", column))]
    except TypeError:
        return [None if cell is None or (text := as_text(cell)) in nulls else text for cell in column]
    return [*found] if nulls.isdisjoint(found) else [None if text in nulls else text for text in found]


def items(cell: Cell, separator: str, nulls: frozenset[str]) -> Texts:
    """A cell as a list of texts: its items, the parts of a text between separators, or the text alone."""
    if cell is None:
        return []
    if isinstance(cell, str) and cell.strip() in nulls:
        return []
    listed: Sequence[object] = [cell]
    if isinstance(cell, list):
        listed = cell
    elif isinstance(cell, str) and separator:
        listed = cell.split(separator)
    return texts(cast("Sequence[Cell]", listed), nulls)
