"""From rows to what they mean: entities and facts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Protocol, cast

from graph_schema.texts import Texts
from ingest.records import Cell, Ends, Fault, Mapped, Reason, Records, Triples
from ingest.values import as_text


class Mapping(Protocol):
    """Says what a block of rows means."""

    def mapped(self, records: Records) -> Mapped:
        """The entities and facts of these rows, not checked yet; called once for each block of a source, in order."""


@dataclass(frozen=True, slots=True)
class TripleMapping:
    """Each row is a fact; the fields are positions of columns. White space around a field doesn't belong to it.

    ``ends``: as in ``Triples``.
    """

    head: int
    relation: int
    tail: int
    ends: Ends | None = None

    def mapped(self, records: Records) -> Mapped:
        columns = [records.columns[place] for place in (self.head, self.relation, self.tail)]
        faults: dict[int, Fault] = {}
        try:
            heads, relations, tails = (_texts(column) for column in columns)
        except TypeError:
            heads, relations, tails = map(stripped, columns)
            faults = _nested(columns)
        triples = Triples(records.source, records.lines, heads, relations, tails, records.through, ends=self.ends)
        if faults:
            good = [row not in faults for row in range(len(records.lines))]
            triples = triples.pick(lambda column: [*compress(column, good)])
        return Mapped(records.source, records.through, facts=(triples,), records=records, faults=faults)


def mapped(blocks: Iterable[Records], mapping: Mapping) -> Iterator[Mapped]:
    """Each block by the mapping."""
    return map(mapping.mapped, blocks)


def _texts(column: Sequence[Cell]) -> Sequence[str]:
    """A column of texts without the white space around each; a TypeError if it has anything else."""
    return column.stripped() if isinstance(column, Texts) else [*map(str.strip, cast("Sequence[str]", column))]


def stripped(column: Sequence[Cell]) -> list[str]:
    """A column as text, without the white space around each field; empty where there is nothing."""
    try:
        return [*map(str.strip, cast("Sequence[str]", column))]
    except TypeError:
        return ["" if cell is None else as_text(cell) for cell in column]


def _nested(columns: Sequence[Sequence[Cell]]) -> dict[int, Fault]:
    """Rows of which head, relation or tail is a list or an object."""
    faults: dict[int, Fault] = {}
    for name, column in zip(("head", "relation", "tail"), columns, strict=True):
        for row, cell in enumerate(column):
            if isinstance(cell, list | dict):
                kind = "list" if isinstance(cell, list) else "object"
                detail = f"the {name} is a {kind}, not one value"
                faults.setdefault(row, Fault(Reason.NESTED, detail, "Say with a mapping what it means"))
    return faults
