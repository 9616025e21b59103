"""From rows to what they mean: entities and facts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from ingest.records import Cell, Ends, Mapped, Records, Triples


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
        heads, relations, tails = (stripped(records.columns[place]) for place in (self.head, self.relation, self.tail))
        triples = Triples(records.source, records.lines, heads, relations, tails, records.through, ends=self.ends)
        return Mapped(records.source, records.through, facts=(triples,), records=records)


def mapped(blocks: Iterable[Records], mapping: Mapping) -> Iterator[Mapped]:
    """Each block by the mapping."""
    return map(mapping.mapped, blocks)


def stripped(column: Sequence[Cell]) -> list[str]:
    """A column as text, without the white space around each field; empty where there is nothing."""
    try:
        return [*map(str.strip, cast("Sequence[str]", column))]
    except TypeError:
        return [cell.strip() if isinstance(cell, str) else "" if cell is None else str(cell) for cell in column]
