"""What the stages hand each other: rows as read, triples as mapped, and what was set aside on the way.

Rows travel in blocks, column by column, because that is how they are read, checked and written fastest; a block is some
thousands of rows, never a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol, TypeVar

from graph_schema import Value
from graph_schema.types import DEFAULT_LABEL

T = TypeVar("T")


class Reason(StrEnum):
    """Why a line was set aside; reports count by it."""

    FIELD_COUNT = "wrong number of fields"
    EMPTY_FIELD = "empty field"
    NOT_UTF8 = "not valid UTF-8"
    NUL = "NUL character"
    QUOTING = "bad quoting"
    LINE_TOO_LONG = "line too long"
    ENTITY_TOO_LONG = "entity name too long"
    RELATION_TOO_LONG = "relation name too long"
    RELATION_CONTROL = "control character in a relation name"
    ID_CONTROL = "control character in an id or label"
    BAD_NUMBER = "not a number"
    BAD_DATE = "not a date"
    BAD_BOOLEAN = "not true or false"
    NESTED = "nested value"
    VALUE_TOO_LONG = "value too long"
    REQUIRED = "required value missing"
    CONTRADICTION = "id declared twice"
    NOT_UNIQUE = "value not unique"
    DANGLING = "no such node"
    WRONG_LABEL = "node of another label"
    BAD_JSON = "not a JSON object"
    BAD_RDF = "not an RDF statement"
    BAD_VALUE = "value that can't be read"
    NOT_A_ROW = "not a quarantined row"


DISPUTED = frozenset({Reason.DANGLING, Reason.WRONG_LABEL, Reason.NOT_UNIQUE})
"""Reasons that depend on what is in the store."""

_FIXES = {
    Reason.FIELD_COUNT: "Add what is missing, or quote or take out the delimiter that is too many",
    Reason.EMPTY_FIELD: "Fill it in",
    Reason.NOT_UTF8: "Write the character that is meant, as UTF-8",
    Reason.NUL: "Take it out",
    Reason.QUOTING: "Close the quotes, and double those inside of a field",
    Reason.LINE_TOO_LONG: "Find out whether line ends are missing, and write it as several lines",
    Reason.ENTITY_TOO_LONG: "Use a short id, and keep the text as a name or property",
    Reason.RELATION_TOO_LONG: "Shorten it",
    Reason.RELATION_CONTROL: "Take it out",
    Reason.BAD_JSON: "Mend its quotes, commas and braces; a line is one object",
}

Cell = str | int | float | bool | date | datetime | list[object] | dict[str, object] | None
"""A field as a reader gives it: text where the format has only text, else what the file says; None: nothing there."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a row: the kind of fault, what exactly (a phrase), what to do about it (a sentence)."""

    reason: Reason
    detail: str
    fix: str = ""


Faults = Mapping[int, Fault]
"""By position in a block: what is wrong with the row there."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """One line that was set aside.

    Attributes:
        source: name of the file.
        line: its 1-based line; of a record over several lines, the first.
        reason: the kind of fault.
        detail: what exactly, as a phrase.
        row: the line as read (bytes that aren't UTF-8 as ``\\xNN``), or its fields joined by tabs; at most ROW_KEPT
            characters of it.
        fix: what to do about it, as a sentence; that of the reason, if none is given.
        fields: the row's fields as read, a cell for each column; None if the line couldn't be taken apart.
        names: as in ``Records``.
    """

    source: str
    line: int
    reason: Reason
    detail: str
    row: str
    fix: str = ""
    fields: tuple[Cell, ...] | None = None
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.fix:
            object.__setattr__(self, "fix", _FIXES.get(self.reason, "Mend the line"))

    def __str__(self) -> str:
        return f"{self.source}:{self.line}: {self.reason}: {self.detail}"


ROW_KEPT = 65_536

Reject = Callable[[Rejected], None]
"""Takes what a stage sets aside. Called in line order within a stage; may raise to end the load."""


@dataclass(frozen=True, slots=True)
class Records:
    """Rows as read.

    Attributes:
        source: name of the file.
        lines: 1-based line of each row, or of formats without lines its number; ascending, and of Turtle, several rows
            may have the same.
        columns: one sequence for each column of the file, each as long as ``lines``; fields as they stand in the file.
            Delimited text gives only ``str``.
        through: last line that was read to make this block.
        names: of the columns, where these come as they are found (JSON lines): the table's header, and after it what
            came up later. Empty: there are only those of the header.
    """

    source: str
    lines: Sequence[int]
    columns: Sequence[Sequence[Cell]]
    through: int
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """What a reader makes of a stream.

    Attributes:
        format: which format it was found to be.
        header: the columns' names; None if the file doesn't say them.
        width: number of columns of every block in ``records``; there may be more where ``Records.names`` says so.
        records: to be drawn once, a block at a time.
        notes: what is odd about the file as a whole, a sentence each; complete when the records have been drawn.
        quoting: of delimited text, as in ``Dialect``.
        prefixes: namespaces by prefix, as an RDF file declares them; complete when the records have been drawn.
    """

    format: str
    header: tuple[str, ...] | None
    width: int
    records: Iterator[Records]
    notes: list[str] = field(default_factory=list)
    quoting: str = ""
    prefixes: dict[str, str] = field(default_factory=dict)


Column = Sequence[Value | None]
"""Values of one property, a row each; None where the row has none."""


@dataclass(frozen=True, slots=True)
class Ends:
    """What a mapping says of the ends of some facts.

    Attributes:
        head, tail: labels; ``DEFAULT_LABEL``: any.
        create: an end that isn't there becomes a node of its label; else it is a fault.
    """

    head: str = DEFAULT_LABEL
    tail: str = DEFAULT_LABEL
    create: bool = True


class Select(Protocol):
    """Takes some rows of a column."""

    def __call__(self, column: Sequence[T], /) -> Sequence[T]: ...


@dataclass(frozen=True, slots=True)
class Triples:
    """Rows as facts: position i of ``heads``, ``relations`` and ``tails`` is the fact of line ``lines[i]``.

    Attributes:
        properties: by name, a column as long as ``lines``.
        rows: position of each fact's row in the block of ``Records``, ascending; a row may give several facts, or none.
            Empty: fact i is that of row i.
        ends: what a mapping says of heads and tails; None: nothing, so the schema's labels count.
    """

    source: str
    lines: Sequence[int]
    heads: Sequence[str]
    relations: Sequence[str]
    tails: Sequence[str]
    through: int
    properties: Mapping[str, Column] = field(default_factory=dict)
    rows: Sequence[int] = ()
    ends: Ends | None = None

    @property
    def places(self) -> Sequence[int]:
        """``rows``, written out."""
        return self.rows or range(len(self.lines))

    def pick(self, select: Select) -> Triples:
        """The same with some of its rows; ``select`` takes the same ones of every column."""
        return replace(
            self,
            lines=select(self.lines),
            heads=select(self.heads),
            relations=select(self.relations),
            tails=select(self.tails),
            properties={name: select(column) for name, column in self.properties.items()},
            rows=select(self.places),
        )


@dataclass(frozen=True, slots=True)
class EntityRows:
    """Rows as entities of one label: position i of ``ids`` is the entity of line ``lines[i]``.

    Attributes:
        names: None: the ids.
        aliases: None: none.
        properties: by name, a column as long as ``lines``.
        rows: as in ``Triples``.
        merge: an id that comes again with other values is merged; else it is a fault.
        unique: properties whose values no two nodes of the label share.
    """

    source: str
    lines: Sequence[int]
    label: str
    ids: Sequence[str]
    names: Sequence[str] | None = None
    aliases: Sequence[tuple[str, ...]] | None = None
    properties: Mapping[str, Column] = field(default_factory=dict)
    rows: Sequence[int] = ()
    merge: bool = True
    unique: tuple[str, ...] = ()

    @property
    def places(self) -> Sequence[int]:
        """``rows``, written out."""
        return self.rows or range(len(self.lines))

    def pick(self, select: Select) -> EntityRows:
        """The same with some of its rows; ``select`` takes the same ones of every column."""
        return replace(
            self,
            lines=select(self.lines),
            ids=select(self.ids),
            names=None if self.names is None else select(self.names),
            aliases=None if self.aliases is None else select(self.aliases),
            properties={name: select(column) for name, column in self.properties.items()},
            rows=select(self.places),
        )


@dataclass(frozen=True, slots=True)
class Mapped:
    """What a block of rows means: a row may give entities, facts, or both.

    A row is loaded whole or set aside whole: whatever is at fault with a part of it.

    Attributes:
        through: as in ``Records``.
        records: the rows themselves, for what is set aside; None: they can't be had any more.
        faults: rows of which no sense could be made, by position in ``records``; validation takes them out.
        twice: rows of a quarantine that were set aside because their id was declared twice, by position: the detail.
    """

    source: str
    through: int
    entities: tuple[EntityRows, ...] = ()
    facts: tuple[Triples, ...] = ()
    records: Records | None = None
    faults: Faults = field(default_factory=dict)
    twice: Mapping[int, str] = field(default_factory=dict)

    @property
    def parts(self) -> tuple[EntityRows | Triples, ...]:
        """Entities and facts alike."""
        return (*self.entities, *self.facts)
