"""What a row must be like to be loaded. A validator looks at a whole block at once, and closer only if it must."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import compress
from typing import Protocol, TypeVar

import numpy as np

from graph_schema import Value
from graph_schema.texts import Texts, distinct
from ingest.known import Known
from ingest.records import ROW_KEPT, EntityRows, Fault, Faults, Mapped, Reason, Reject, Rejected, Triples

Part = TypeVar("Part", EntityRows, Triples)
T = TypeVar("T")

MAX_ENTITY = 2_000
MAX_RELATION = 500
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")
_CONTROL_ID = re.compile(r"[\x01-\x1f\x7f-\x9f]")


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


def storable(triples: Triples) -> Faults:
    """No field holds half of a surrogate pair, which UTF-8 can't say."""
    return {
        place: Fault(Reason.NOT_UTF8, f"half of a surrogate pair in the {name}")
        for name, values in _fields(triples)
        if not _encodable("".join(values))
        for place, value in enumerate(values)
        if not _encodable(value)
    }


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def plainly_good(triples: Triples) -> bool:
    """Whether one look at all fields together shows that no validator has anything to find."""
    for values in (triples.heads, triples.tails):
        if not isinstance(values, Texts):
            return False
        characters, ends = values.bytes()
        lengths = np.diff(ends)  # in bytes; of characters there are no more
        if lengths.min(initial=1) == 0 or lengths.max(initial=0) > MAX_ENTITY or not characters.all():
            return False
    names = distinct(triples.relations)
    return all(0 < len(name) <= MAX_RELATION and _encodable(name) and not _CONTROL.search(name) for name in names)


VALIDATORS: tuple[Validator, ...] = (no_empty_field, no_nul, bounded_length, printable_relation, storable)


def node_faults(part: EntityRows) -> Faults:
    """What is wrong with nodes: ids and labels that are empty, too long or hold control characters, and texts that
    can't be kept.
    """
    faults: dict[int, Fault] = {}
    if len(part.label) > MAX_RELATION or _CONTROL.search(part.label):
        what = f"the label has {len(part.label):,} characters, {MAX_RELATION:,} are allowed"
        fault = Fault(Reason.ID_CONTROL, f"in the label {part.label!r}", "Take it out")
        if len(part.label) > MAX_RELATION:
            fault = Fault(Reason.RELATION_TOO_LONG, what, "Shorten it")
        return dict.fromkeys(range(len(part.lines)), fault)
    for place in _matching(part.ids, _CONTROL_ID):
        found = _CONTROL_ID.search(part.ids[place])
        faults[place] = Fault(Reason.ID_CONTROL, f"U+{ord(found.group()) if found else 0:04X} in the id", "Take it out")
    texts: list[tuple[str, Sequence[str]]] = [("id", part.ids)]
    if part.names is not None:
        texts.append(("name", part.names))
    if part.aliases is not None:
        texts.append(("aliases", [max(aliases, key=len, default="") for aliases in part.aliases]))
    for name, values in texts:
        if max(map(len, values), default=0) > MAX_ENTITY:
            for place, value in enumerate(values):
                if len(value) > MAX_ENTITY:
                    what = f"the {name} has {len(value):,} characters, {MAX_ENTITY:,} are allowed"
                    faults.setdefault(place, Fault(Reason.ENTITY_TOO_LONG, what, "Shorten it"))
    kept = [*texts, *_property_texts(part)]
    if part.aliases is not None:
        kept[-1:] = [*kept[-1:], ("aliases", ["".join(aliases) for aliases in part.aliases])]
    for place, fault in _unkeepable(kept):
        faults.setdefault(place, fault)
    return faults


def _property_texts(part: EntityRows | Triples) -> Iterator[tuple[str, list[str]]]:
    """Texts in properties, by row."""
    for name, column in part.properties.items():
        texts = [_text_of(value) for value in column]
        if any(texts):
            yield name, texts


def _text_of(value: Value | None) -> str:
    if isinstance(value, str):
        return value
    return "".join(item for item in value if isinstance(item, str)) if isinstance(value, tuple) else ""


def _unkeepable(columns: Iterable[tuple[str, Sequence[str]]]) -> Iterator[tuple[int, Fault]]:
    """Rows with a NUL or half of a surrogate pair in some text."""
    for name, values in columns:
        together = "".join(values)
        if "\0" not in together and _encodable(together):
            continue
        for place, value in enumerate(values):
            if "\0" in value:
                yield place, Fault(Reason.NUL, f"in the {name}", "Take it out")
            elif not _encodable(value):
                yield place, Fault(Reason.NOT_UTF8, f"half of a surrogate pair in the {name}", "Take it out")


def _matching(values: Sequence[str], pattern: re.Pattern[str]) -> list[int]:
    if not pattern.search("".join(values)):
        return []
    return [place for place, value in enumerate(values) if pattern.search(value)]


def validated(
    blocks: Iterable[Mapped],
    reject: Reject,
    validators: Sequence[Validator] = VALIDATORS,
    known: Known | None = None,
) -> Iterator[Mapped]:
    """The blocks without their faulty rows; of several faults of a row, the mapping's, else the first found counts.

    Args:
        known: what nodes there are, to be checked last and added to; None: ends and repeated ids aren't checked.
    """
    for block in blocks:
        faults = dict(block.faults)
        for part in block.entities:
            for place, fault in node_faults(part).items():
                faults.setdefault(part.places[place], fault)
        for triples in block.facts:
            sound = validators is VALIDATORS and plainly_good(triples)
            for validator in () if sound else validators:
                for place, fault in validator(triples).items():
                    faults.setdefault(triples.places[place], fault)
            for place, fault in _unkeepable(_property_texts(triples)):
                faults.setdefault(triples.places[place], fault)
        good = _kept_rows(block, faults) if faults else block
        if known is not None and (found := known.check(good)):
            faults.update(found)
            good = _kept_rows(good, found)
        _reject(block, faults, reject)
        yield good


def _reject(block: Mapped, faults: Faults, reject: Reject) -> None:
    """The rows at these positions are set aside, in their order."""
    if not faults:
        return
    records = block.records
    lines = dict(_lines(block)) if records is None else records.lines
    for row in sorted(faults):
        fault = faults[row]
        fields = None if records is None else tuple(column[row] for column in records.columns)
        shown = "\t".join("" if cell is None else str(cell) for cell in fields or ())[:ROW_KEPT]
        names = () if records is None else records.names
        reject(Rejected(block.source, lines[row], fault.reason, fault.detail, shown, fault.fix, fields, names))


def _kept_rows(block: Mapped, faults: Faults) -> Mapped:
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
