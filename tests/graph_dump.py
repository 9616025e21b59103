"""All that a store holds, in an order of its own: for comparing the graphs that two ways of loading leave."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from graph_schema import Entity, Fact, GraphStore

ROWS = 5_000


@dataclass(frozen=True)
class Dump:
    """Entities by id with all that is said of them; facts with their properties, and the sources and lines of each."""

    entities: dict[str, tuple[Any, ...]]
    facts: dict[Fact, tuple[Any, ...]]
    relations: tuple[str, ...]


def dump(store: GraphStore) -> Dump:
    """The graph as it is now. Which load a mark is of is left out, and so is the order in which things came."""
    facts = {}
    for part in _parts(store.all_facts()):
        for fact, origins, properties in zip(part, store.origins(part), store.fact_properties(part), strict=True):
            assert fact not in facts, "a fact is there twice"
            facts[fact] = (tuple(sorted((o.source, o.line) for o in origins)), tuple(sorted(properties.items())))
    entities = {entity.id: _all_of(entity) for entity in store.all_entities()}
    assert store.info().facts == len(facts)
    assert store.info().entities == len(entities)
    return Dump(entities, facts, store.relations())


def same_graph(one: Dump, other: Dump) -> None:
    """Fail with the first differences, not with megabytes."""
    for name in ("entities", "facts"):
        left, right = getattr(one, name), getattr(other, name)
        different = [key for key in left.keys() | right.keys() if left.get(key) != right.get(key)]
        shown = [(key, left.get(key), right.get(key)) for key in different[:3]]
        assert not different, f"{len(different)} of {len(left)} and {len(right)} {name} differ: {shown}"
    assert one.relations == other.relations


def _all_of(entity: Entity) -> tuple[Any, ...]:
    return entity.name, entity.label, tuple(sorted(entity.aliases)), tuple(sorted(entity.properties.items()))


def _parts(facts: Iterator[Fact]) -> Iterator[list[Fact]]:
    while part := [*islice(facts, ROWS)]:
        yield part
