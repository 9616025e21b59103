"""What a row must be like to be loaded. A validator looks at a whole block at once, and closer only if it must."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import compress
from typing import Protocol, TypeVar

from ingest.records import ROW_KEPT, EntityRows, Fault, Faults, Mapped, Reason, Reject, Rejected, Triples

Part = TypeVar("Part", EntityRows, Triples)
T = TypeVar("T")

MAX_ENTITY = 2_000
MAX_RELATION = 500
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")


class Validator(Protocol):
    """Finds the faulty facts of a block, by their position in it."""

    def __call__(self, triples: Triples) -> Faults: ...


def _fields(triples: Triples) -> tuple[tuple[str, Sequence[str]], ...]:
    return (("head", triples.heads), ("relation", triples.relations), ("tail", triples.tails))


def no_empty_field(triples: Triples) -> Faults:
    """Head, relation and tail are there."""
    return {
        place: Fault(Reason.EMPTY_FIELD, f"no {name}")
        for name, values in reversed(_fields(triples))
        if not all(values)
        for place, value in enumerate(values)
        if not value
    }


def no_nul(triples: Triples) -> Faults:
    """No field holds a NUL, which many stores can't keep."""
    return {
        place: Fault(Reason.NUL, f"in the {name}")
        for name, values in _fields(triples)
        if "\0" in "".join(values)
        for place, value in enumerate(values)
        if "\0" in value
    }


def bounded_length(triples: Triples) -> Faults:
    """Entities have at most MAX_ENTITY characters, relations at most MAX_RELATION."""
    faults: dict[int, Fault] = {}
    for name, values in _fields(triples):
        limit, reason = (
            (MAX_RELATION, Reason.RELATION_TOO_LONG) if name == "relation" else (MAX_ENTITY, Reason.ENTITY_TOO_LONG)
        )
        if max(map(len, values), default=0) > limit:
            for place, value in enumerate(values):
                if len(value) > limit:
                    what = f"the {name} has {len(value):,} characters, {limit:,} are allowed"
                    faults[place] = Fault(reason, what)
    return faults


def printable_relation(triples: Triples) -> Faults:
    """A relation's name has no control character but tab: it becomes a relationship type and is shown as words."""
    bad = {name: found for name in set(triples.relations) if (found := _CONTROL.search(name))}
    if not bad:
        return {}
    return {
        place: Fault(Reason.RELATION_CONTROL, f"U+{ord(bad[name].group()):04X}")
        for place, name in enumerate(triples.relations)
        if name in bad
    }


VALIDATORS: tuple[Validator, ...] = (no_empty_field, no_nul, bounded_length, printable_relation)


def validated(
    blocks: Iterable[Mapped], reject: Reject, validators: Sequence[Validator] = VALIDATORS
) -> Iterator[Mapped]:
    """The blocks without their faulty rows; of several faults of a row, the mapping's, else the first found counts."""
    for block in blocks:
        faults = dict(block.faults)
        for triples in block.facts:
            for validator in validators:
                for place, fault in validator(triples).items():
                    faults.setdefault(triples.rows[place] if triples.rows else place, fault)
        yield without(block, faults, reject) if faults else block


def without(block: Mapped, faults: Faults, reject: Reject) -> Mapped:
    """The block without the rows at these positions, which are rejected in their order."""
    records = block.records
    lines = dict(_lines(block)) if records is None else records.lines
    for row in sorted(faults):
        fault = faults[row]
        fields = None if records is None else tuple(column[row] for column in records.columns)
        shown = "\t".join("" if cell is None else str(cell) for cell in fields or ())[:ROW_KEPT]
        reject(Rejected(block.source, lines[row], fault.reason, fault.detail, shown, fault.fix, fields))
    return replace(
        block,
        entities=tuple(_kept(part, faults) for part in block.entities),
        facts=tuple(_kept(part, faults) for part in block.facts),
        faults={},
    )


def _lines(block: Mapped) -> Iterator[tuple[int, int]]:
    """The rows of a block that give anything, each with its line."""
    for part in block.parts:
        yield from zip(part.places, part.lines, strict=True)


def _kept(part: Part, faults: Faults) -> Part:
    good: list[bool] = [row not in faults for row in part.places]

    def select(column: Sequence[T]) -> Sequence[T]:
        return [*compress(column, good)]

    return part if all(good) else part.pick(select)
