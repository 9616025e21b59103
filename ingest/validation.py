"""What a fact must be like to be loaded. A validator looks at a whole block at once, and closer only if it must."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import compress
from typing import Protocol

from ingest.records import ROW_KEPT, Reason, Reject, Rejected, Triples

MAX_ENTITY = 2_000
MAX_RELATION = 500
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")

Faults = dict[int, tuple[Reason, str]]
"""By position in the block: what is wrong with the fact there."""


class Validator(Protocol):
    """Finds the faulty facts of a block."""

    def __call__(self, triples: Triples) -> Faults: ...


def _fields(triples: Triples) -> tuple[tuple[str, Sequence[str]], ...]:
    return (("head", triples.heads), ("relation", triples.relations), ("tail", triples.tails))


def no_empty_field(triples: Triples) -> Faults:
    """Head, relation and tail are there."""
    return {
        place: (Reason.EMPTY_FIELD, f"no {name}")
        for name, values in reversed(_fields(triples))
        if not all(values)
        for place, value in enumerate(values)
        if not value
    }


def no_nul(triples: Triples) -> Faults:
    """No field holds a NUL, which many stores can't keep."""
    return {
        place: (Reason.NUL, f"in the {name}")
        for name, values in _fields(triples)
        if "\0" in "".join(values)
        for place, value in enumerate(values)
        if "\0" in value
    }


def bounded_length(triples: Triples) -> Faults:
    """Entities have at most MAX_ENTITY characters, relations at most MAX_RELATION."""
    faults: Faults = {}
    for name, values in _fields(triples):
        limit, reason = (
            (MAX_RELATION, Reason.RELATION_TOO_LONG) if name == "relation" else (MAX_ENTITY, Reason.ENTITY_TOO_LONG)
        )
        if max(map(len, values), default=0) > limit:
            for place, value in enumerate(values):
                if len(value) > limit:
                    faults[place] = (reason, f"the {name} has {len(value):,} characters, {limit:,} are allowed")
    return faults


def printable_relation(triples: Triples) -> Faults:
    """A relation's name has no control character but tab: it becomes a relationship type and is shown as words."""
    bad = {name: found for name in set(triples.relations) if (found := _CONTROL.search(name))}
    if not bad:
        return {}
    return {
        place: (Reason.RELATION_CONTROL, f"U+{ord(bad[name].group()):04X}")
        for place, name in enumerate(triples.relations)
        if name in bad
    }


VALIDATORS: tuple[Validator, ...] = (no_empty_field, no_nul, bounded_length, printable_relation)


def validated(
    blocks: Iterable[Triples], reject: Reject, validators: Sequence[Validator] = VALIDATORS
) -> Iterator[Triples]:
    """The blocks without their faulty facts; a fact is rejected for the first validator that faults it."""
    for triples in blocks:
        faults: Faults = {}
        for validator in validators:
            faults = {**validator(triples), **faults}
        if not faults:
            yield triples
            continue
        for place in sorted(faults):
            row = "\t".join(values[place] for _, values in _fields(triples))[:ROW_KEPT]
            reject(Rejected(triples.source, triples.lines[place], *faults[place], row))
        good = [place not in faults for place in range(len(triples.lines))]
        yield replace(
            triples,
            lines=[*compress(triples.lines, good)],
            heads=[*compress(triples.heads, good)],
            relations=[*compress(triples.relations, good)],
            tails=[*compress(triples.tails, good)],
        )
