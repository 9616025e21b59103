"""What a sample of a file's rows shows of its columns: types, keys, nulls, lists, whether there is a header."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import PurePath

from graph_schema import InputError, PropertyType
from graph_schema.text import counted
from ingest.dialect import DELIMITERS, quoted_fields
from ingest.header import broken_header, names_a_column, repeated, role
from ingest.mapping_plan import unpacked
from ingest.options import LoadOptions
from ingest.readers import read
from ingest.records import Cell, Rejected
from ingest.sources import Source
from ingest.validation import MAX_ENTITY
from ingest.values import Parser, as_text

ROWS = 100_000
"""Rows looked at of each file."""
NULLS = ("NULL", "null", "\\N", "NA", "N/A", "n/a", "None", "NaN", "nan", "-")
DATES = ("", "%d.%m.%Y", "%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y")
SEPARATORS = ("|", ";")
_SCREENED = 1_000  # values by which a type is ruled out before all are tried
_PADDED = re.compile(r"[+-]?0\d+")
_WORDED = re.compile(r"(?!\d)[:#$\w][\w :.,()\[\]{}/#$%&?+-]{0,80}")
_COMMA_NUMBER = re.compile(r"[+-]?\d+(,\d+)?(e[+-]?\d+)?", re.IGNORECASE)
_STRANGE = ("^", "~", "\x01", "\x1f", "¦", "§", ":")  # may stand between fields, and can't be read so
_IMPORT = re.compile(r"(?P<name>[^:]*):(?P<kind>\w+)(?P<list>\[\])?(\((?P<space>[^)]*)\))?")


@dataclass
class Column:
    """One column of a sample.

    Attributes:
        name: as the header has it; or its position.
        cells: of the rows looked at.
        commas: a comma may stand before the fraction of a number.
    """

    name: str
    cells: Sequence[Cell]
    commas: bool = False

    @cached_property
    def texts(self) -> list[str]:
        """Its cells as text, nulls left out."""
        found = (cell for cell in self.cells if not isinstance(cell, list | dict) and cell is not None)
        return [text for text in map(as_text, found) if text and text not in self.nulls]

    @cached_property
    def nulls(self) -> tuple[str, ...]:
        """Words for nothing that come up."""
        seen = {cell.strip() for cell in self.cells if isinstance(cell, str)}
        found = tuple(word for word in NULLS if word in seen)
        return () if seen and seen <= {*found} else found

    @cached_property
    def distinct(self) -> set[str]:
        return set(self.texts)

    @property
    def nested(self) -> bool:
        return any(isinstance(cell, list | dict) for cell in self.cells)

    @cached_property
    def several(self) -> bool:
        """Its cells are lists."""
        return any(isinstance(cell, list) for cell in self.cells)

    @cached_property
    def complete(self) -> bool:
        return len(self.texts) == len(self.cells) > 0

    @cached_property
    def unique(self) -> bool:
        """Every row has a value, and no two the same one."""
        return self.complete and len(self.distinct) == len(self.cells)

    @cached_property
    def separator(self) -> str:
        """Between the values of a list in one text; empty if there is none."""
        for mark in SEPARATORS:
            parted = [text for text in self.texts if mark in text.strip(mark)]
            items = [item.strip() for text in parted for item in text.split(mark)]
            if len(parted) * 10 > len(self.texts) and items and all(items) and max(map(len, items)) <= 60:
                return mark
        return ""

    @cached_property
    def items(self) -> set[str]:
        """Distinct values, those of lists one by one."""
        if self.several:
            cells = (item for cell in self.cells if isinstance(cell, list) for item in cell)
            return {as_text(item) for item in cells if item is not None and not isinstance(item, list | dict)}
        if not self.separator:
            return self.distinct
        return {item.strip() for text in self.texts for item in text.split(self.separator)} - {""}

    @cached_property
    def type(self) -> tuple[PropertyType, str]:
        """Type and date format that all its values fit; string if none does."""
        if self.several:
            return "string", ""
        mark = self.separator
        texts = [item.strip() for text in self.texts for item in text.split(mark)] if mark else self.texts
        if not texts or any(map(_PADDED.fullmatch, texts[:_SCREENED])):
            return "string", ""
        for type_, format_ in self._candidates(texts):
            parser = Parser(self.name, type_, format_, decimal=self.decimal)
            if not parser.parse(texts[:_SCREENED])[1] and not parser.parse(texts)[1]:
                return type_, format_
        return "string", ""

    @cached_property
    def decimal(self) -> str:
        """What stands before the fraction of its numbers."""
        found = self.commas and any("," in text for text in self.texts)
        return "," if found and all(map(_COMMA_NUMBER.fullmatch, self.texts)) else "."

    @property
    def typed(self) -> bool:
        """Whether all its values, of which there are some, are of one type that isn't text."""
        return bool(self.texts) and self.type[0] != "string"

    def _candidates(self, texts: Sequence[str]) -> list[tuple[PropertyType, str]]:
        if {text.casefold() for text in texts[:_SCREENED]} <= {"true", "false", "yes", "no", "t", "f", "y", "n"}:
            return [("boolean", "")]
        dates: list[tuple[PropertyType, str]] = [("date", format_) for format_ in DATES]
        return [("integer", ""), ("float", ""), *(dates if len(texts[0]) >= 8 else []), ("datetime", "")]

    @cached_property
    def imported(self) -> tuple[str, str, str]:
        """Name, kind and label of a column that is named as neo4j-admin's import wants it; else its name alone."""
        match = _IMPORT.fullmatch(self.name)
        return (match["name"], match["kind"].upper(), match["space"] or "") if match else (self.name, "", "")


@dataclass
class Profile:
    """A file as its sample shows it.

    Attributes:
        source: the file.
        format: as found.
        header: whether its first line names the columns; None: of a format that always names them.
        columns: of the rows looked at.
        more: there are rows that weren't looked at.
        bad: lines that can't be read.
        doubt: about the header, as a phrase.
    """

    source: Source
    format: str
    header: bool | None
    columns: list[Column]
    more: bool
    bad: int = 0
    doubt: str = ""
    rows: int = field(init=False)

    def __post_init__(self) -> None:
        self.rows = len(self.columns[0].cells) if self.columns else 0

    @property
    def file(self) -> str:
        """The file's name, without what says that it is compressed."""
        return PurePath(unpacked(self.source.name)).name

    @property
    def stem(self) -> str:
        return PurePath(self.file).stem

    def named(self, name: str) -> Column | None:
        return next((column for column in self.columns if column.name == name), None)


def profiled(source: Source, options: LoadOptions) -> Profile:
    """Look at the first rows of a file.

    Raises:
        InputError: it can't be read, has a header with a name twice, or is delimited by something else.
    """
    bad: list[int] = []

    def count(rejected: Rejected) -> None:
        bad.append(rejected.line)

    chosen = replace(options, header="no", columns=None, table=True, rejects=count)
    with source.open() as stream:
        table = read(stream, chosen, count)
        blocks, rows, names = [], 0, table.header or ()
        for block in table.records:
            names = block.names or names
            blocks.append(block)
            rows += len(block.lines)
            if rows > ROWS:
                break
    width = max([len(block.columns) for block in blocks], default=table.width)
    columns: list[list[Cell]] = [[] for _ in range(width)]
    for block in blocks:
        for place, column in enumerate(columns):
            column.extend(block.columns[place] if place < len(block.columns) else [None] * len(block.lines))
    header: bool | None = None
    doubt = ""
    if table.format in DELIMITERS and width == 1:
        doubt = _one_column(source.name, table.format, columns[0])
    if table.header is None:
        header = options.header == "yes"
        if options.header == "auto":
            header, maybe = _has_header(columns)
            doubt = "; ".join(filter(None, (doubt, maybe)))
        first = [as_text(column[0]) for column in columns if column] if header else []
        if repeated(first, exactly=True):
            raise broken_header(source.name, next(line for block in blocks for line in block.lines), first, table=True)
        names = tuple(as_text(column[0]) for column in columns) if header else tuple(map(str, range(width)))
        columns = [column[1:] for column in columns] if header else columns
    commas = table.format == "semicolon"
    made = [Column(name, cells[:ROWS], commas) for name, cells in zip(names, columns, strict=True)]
    return Profile(source, table.format, header, made, rows > ROWS, len(bad), doubt)


def _one_column(source: str, format_: str, cells: Sequence[Cell]) -> str:
    """A doubt about lines that aren't delimited, as a phrase.

    Raises:
        InputError: each has as many of a mark that delimits fields elsewhere, or in another format.
    """
    texts = [as_text(cell) for cell in cells[:_SCREENED]]
    known = {mark: name for name, mark in DELIMITERS.items() if name != format_}
    for mark in (*known, *_STRANGE):
        times = {len(quoted_fields(text, mark) or text.split(mark)) - 1 for text in texts}
        if len(texts) < 2 or len(times) > 1 or times == {0}:
            continue
        what = f"only one column was found, and each line has {counted(times.pop(), 'time', 'times')} {mark!r}"
        if mark == ":":
            return f"{what}, which can't delimit columns"
        fix = "Write tabs, |, commas or semicolons instead"
        if mark in known:
            fix = f"Say its format: {known[mark]}, or auto"
        raise InputError(what, where=source, fix=fix)
    return "only one column was found; tabs, |, commas and semicolons can delimit several"


def _has_header(columns: Sequence[Sequence[Cell]]) -> tuple[bool, str]:
    """Whether the first row names the columns: words, all different, that don't come again as values; one that plainly
    does may have odd names, or one twice. And a doubt, as a phrase.
    """
    if not columns or not columns[0]:
        return False, ""
    first = [as_text(column[0]) for column in columns]
    if any(name in map(as_text, column[1:]) for name, column in zip(first, columns, strict=True)):
        return len({*first}) == len(first) and all(map(role, first)), ""
    odd = [name for name in first if not _WORDED.fullmatch(name)]
    twice = repeated(first, exactly=True)
    if not odd and not twice:
        return True, ""
    plain = _plainly_named(columns, first, odd)
    nameless = [name for name in odd if len(name) > MAX_ENTITY or not any(map(str.isalpha, name))]
    if plain and not nameless:
        return True, ""
    what = f"has {', '.join(map(repr, twice))} twice" if twice else f"has {', '.join(map(repr, odd))} in it"
    doubt = f"the first row may name the columns, but {what}, and so was taken for data"
    return False, doubt if plain or not nameless else ""


def _plainly_named(columns: Sequence[Sequence[Cell]], first: Sequence[str], odd: Sequence[str]) -> bool:
    """Whether the names that aren't odd leave no doubt that they are names: words for columns; or one isn't of the type
    that all other values of its column are.
    """
    sound = [name for name in first if name not in odd]
    if sound and all(map(names_a_column, sound)):
        return True
    return any(
        name and Column("", column[1:ROWS]).typed and not Column("", column[:ROWS]).typed
        for name, column in zip(first, columns, strict=True)
    )
