"""From rows to facts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from ingest.records import Cell, Records, Triples


class Mapping(Protocol):
    """Says what a block of rows means."""

    def triples(self, records: Records) -> Triples:
        """The facts of these rows, one for each, not checked yet."""


@dataclass(frozen=True, slots=True)
class TripleMapping:
    """Each row is a fact; the fields are positions of columns. White space around a field doesn't belong to it."""

    head: int
    relation: int
    tail: int

    def triples(self, records: Records) -> Triples:
        heads, relations, tails = (
            [*map(_stripped, records.columns[place])] for place in (self.head, self.relation, self.tail)
        )
        return Triples(records.source, records.lines, heads, relations, tails, records.through)


def mapped(records: Iterable[Records], mapping: Mapping) -> Iterator[Triples]:
    """Each block by the mapping."""
    return map(mapping.triples, records)


def _stripped(cell: Cell) -> str:
    return cell.strip() if isinstance(cell, str) else "" if cell is None else str(cell)
