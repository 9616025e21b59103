"""From blocks of facts to the batches that are written, each in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import starmap

from graph_schema import Batch, Entity, Fact, Schema
from graph_schema.types import DEFAULT_LABEL
from ingest.records import Triples

Key = tuple[str, str, str]


def batches(blocks: Iterable[Triples], size: int, schema: Schema) -> Iterator[Batch]:
    """Batches of at most ``size`` distinct facts, in the order of their first appearance.

    Only the facts not yet handed on are held, so a fact that returns after its batch has gone is left to the store,
    which merges it.
    """
    labels = _labels(schema)
    waiting: dict[Key, None] = {}
    for triples in blocks:
        waiting |= dict.fromkeys(zip(triples.heads, triples.relations, triples.tails, strict=True))
        if len(waiting) >= size:
            keys = [*waiting]
            whole = len(keys) - len(keys) % size
            for start in range(0, whole, size):
                yield _batch(keys[start : start + size], labels)
            waiting = dict.fromkeys(keys[whole:])
    if waiting:
        yield _batch([*waiting], labels)


def _labels(schema: Schema) -> dict[str, tuple[str, str]]:
    """By relation, the labels of its head and tail, where the schema says any."""
    return {
        name: (relation.head, relation.tail)
        for name, relation in schema.relations.items()
        if (relation.head, relation.tail) != (DEFAULT_LABEL, DEFAULT_LABEL)
    }


def _batch(keys: list[Key], labels: dict[str, tuple[str, str]]) -> Batch:
    """Entities are listed only where a relation gives them a label; the first one that does so counts."""
    entities: dict[str, str] = {}
    if labels:
        for head, relation, tail in keys:
            if relation in labels:
                for name, label in zip((head, tail), labels[relation], strict=True):
                    if label != DEFAULT_LABEL:
                        entities.setdefault(name, label)
    return Batch(
        [Entity(name, name, label) for name, label in entities.items()],
        [*starmap(Fact, keys)],
    )
