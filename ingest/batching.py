"""From blocks of entities and facts to the batches that are written."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, pairwise, repeat
from typing import TypeVar

import numpy as np

from graph_schema import Batch, Entity, Facts, Properties, Schema
from graph_schema.texts import Texts
from graph_schema.types import DEFAULT_LABEL
from ingest.records import EntityRows, Mapped, Triples

Part = TypeVar("Part", EntityRows, Triples)
T = TypeVar("T")
_NOTHING: Properties = {}


def batches(
    blocks: Iterable[Mapped], size: int, schema: Schema, origin: int = 0, first: int | None = None
) -> Iterator[Batch]:
    """Batches of at most ``size`` facts and declared entities, in the order of the rows.

    What one row gives stays together, so that ``through`` says of whole lines that they are in; a row that gives more
    than ``size`` makes a larger batch. A fact that comes twice is left to the store, which merges it.

    Args:
        schema: gives the ends of a relation their labels.
        origin: as in ``Batch``.
        first: instead of ``size``, for the first batch.
    """
    labels = _labels(schema)
    usual, size = size, first or size
    waiting: list[Mapped] = []
    count = through = 0
    for block in blocks:
        rest: Mapped | None = block
        while rest is not None and (there := _size(rest)) + count >= size:
            piece, rest = _cut(rest, size - count, there, at_least_one=not count)
            yield _batch([*waiting, piece], labels, origin)
            waiting, count, size = [], 0, usual
        if rest is not None:
            waiting.append(rest)
            count += _size(rest)
            through = rest.through
    if count:
        yield _batch([*waiting, Mapped("", through)], labels, origin)


def _size(block: Mapped) -> int:
    return sum(len(part.lines) for part in block.parts)


def _cut(block: Mapped, size: int, there: int, *, at_least_one: bool) -> tuple[Mapped, Mapped | None]:
    """The first rows of a block that give at most ``size`` in all, and the rest of it; None if nothing is left."""
    if there <= size:
        return block, None
    rows = np.concatenate([np.asarray(part.places, dtype=np.int64) for part in block.parts])
    rows.sort()
    row = int(rows[size])  # of all rows before this one, what they give fits
    if at_least_one and row == rows[0]:
        row += 1
    first, last = _split(block.entities, row), _split(block.facts, row)
    rest = Mapped(block.source, block.through, first[1], last[1])
    left = [part.lines[0] for part in rest.parts if part.lines]
    return (Mapped(block.source, min(left) - 1, first[0], last[0]), rest) if left else (block, None)


def _split(parts: tuple[Part, ...], row: int) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """Each part in two: rows before ``row``, and the others."""
    places = [bisect_left(part.places, row) for part in parts]
    before = tuple(_pick(part, slice(place)) for part, place in zip(parts, places, strict=True))
    after = tuple(_pick(part, slice(place, None)) for part, place in zip(parts, places, strict=True))
    return before, after


def _pick(part: Part, where: slice) -> Part:
    def select(column: Sequence[T]) -> Sequence[T]:
        return column[where]

    return part.pick(select)


def _labels(schema: Schema) -> dict[str, tuple[str, str]]:
    """By relation, the labels of its head and tail, where the schema says any."""
    return {
        name: (relation.head, relation.tail)
        for name, relation in schema.relations.items()
        if (relation.head, relation.tail) != (DEFAULT_LABEL, DEFAULT_LABEL)
    }


def _batch(pieces: list[Mapped], labels: dict[str, tuple[str, str]], origin: int) -> Batch:
    """Entities are those declared, and those that a relation gives a label; the first one that does so counts."""
    triples = [part for piece in pieces for part in piece.facts if part.lines]
    facts = Facts(
        _texts([part.heads for part in triples]),
        _texts([part.relations for part in triples]),
        _texts([part.tails for part in triples]),
    )
    lines = _lines([part.lines for part in triples])
    declared = [part for piece in pieces for part in piece.entities if part.lines]
    entities = [entity for part in declared for entity in _entities(part)]
    entity_lines = [*chain.from_iterable(part.lines for part in declared)]
    rows = len(entities)
    for id_, (label, line) in _labelled(triples, labels).items():
        entities.append(Entity(id_, id_, label))
        entity_lines.append(line)
    return Batch(
        entities,
        facts,
        _joined([_properties(part) for part in triples]) if any(part.properties for part in triples) else (),
        origin,
        entity_lines,
        lines,
        pieces[-1].through,
        rows,
    )


def _joined(columns: Sequence[Sequence[T]]) -> Sequence[T]:
    return columns[0] if len(columns) == 1 else [*chain.from_iterable(columns)]


def _texts(columns: Sequence[Sequence[str]]) -> Sequence[str]:
    arrays = [column for column in columns if isinstance(column, Texts)]
    return Texts.joined(arrays) if len(columns) == len(arrays) > 1 else _joined(columns)


def _lines(columns: Sequence[Sequence[int]]) -> Sequence[int]:
    spans = [column for column in columns if isinstance(column, range) and column.step == 1]
    if len(spans) == len(columns) > 1 and all(one.stop == other.start for one, other in pairwise(spans)):
        return range(spans[0].start, spans[-1].stop)
    return _joined(columns)


def _entities(part: EntityRows) -> Iterator[Entity]:
    return map(
        Entity,
        part.ids,
        part.names or part.ids,
        repeat(part.label),
        part.aliases or repeat(()),
        _properties(part),
    )


def _properties(part: EntityRows | Triples) -> Sequence[Properties]:
    """By row, the properties that it has."""
    if not part.properties:
        return [_NOTHING] * len(part.lines)
    names = [*part.properties]
    return [
        {name: value for name, value in zip(names, values, strict=True) if value is not None}
        for values in zip(*part.properties.values(), strict=True)
    ]


def _labelled(triples: Iterable[Triples], labels: Mapping[str, tuple[str, str]]) -> dict[str, tuple[str, int]]:
    """By entity id, the first label that a relation gives it, and the line of that fact."""
    given: dict[str, tuple[str, int]] = {}
    for part in triples:
        ends = part.ends
        if ends is None and labels:
            for head, relation, tail, line in zip(part.heads, part.relations, part.tails, part.lines, strict=True):
                if relation in labels:
                    for id_, label in zip((head, tail), labels[relation], strict=True):
                        if label != DEFAULT_LABEL and id_ not in given:
                            given[id_] = label, line
        elif ends is not None and ends.create:
            for column, label in ((part.heads, ends.head), (part.tails, ends.tail)):
                if label != DEFAULT_LABEL:
                    for id_, line in zip(column, part.lines, strict=True):
                        if id_ not in given:
                            given[id_] = label, line
    return given
