"""What Neo4j answers with, as the values of the ports. Each query of a question comes back as one record of lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graph_schema.ports import Group, Neighbours, Offer
from graph_schema.types import Entity, Fact
from kgqa.stores.batches import name_keys, shown, storable
from kgqa.stores.neo4j_values import entity_of

# [id, relations out, facts of each, relations in, facts of each]; a relation is its position in the list that the
# query was given, or its name if it isn't there.
Around = Sequence[Any]


@dataclass(frozen=True)
class Relations:
    """The relations in use as of a change counter; ``index`` is what a query is told."""

    changes: int = -1
    names: tuple[str, ...] = ()
    index: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", {name: position for position, name in enumerate(self.names)})


def entities_of(records: Iterable[Mapping[str, Any]]) -> Iterator[Entity]:
    """Entities from columns id, name, labels, aliases, properties; those whose id is no text are left out."""
    return (shown(entity) for entity in map(entity_of, records) if entity)


def bearers(keys: Sequence[str], candidates: Iterable[Entity]) -> dict[str, tuple[Entity, ...]]:
    """Which candidates bear which key, ascending by id; the index may have found too many."""
    found: dict[str, set[Entity]] = {}
    for entity in candidates:
        for key in name_keys(entity):
            found.setdefault(key, set()).add(entity)
    return {key: tuple(sorted(found[key], key=lambda e: e.id)) for key in keys if key in found}


def new_names(around: Iterable[Around]) -> set[str]:
    """Relations that the query wasn't told of."""
    return {code for row in around for code in (*row[1], *row[3]) if isinstance(code, str)}


def offer_of(ids: Sequence[str], around: Iterable[Around], told: Relations, now: Relations) -> Offer:
    """The relations around ``ids``.

    Args:
        around: of the distinct ids, in any order; an id that isn't there has none. told: what the query was given.
        now: the relations to answer in; one that has gone meanwhile is left out.
    """
    of = {row[0]: row for row in around}
    rows = [(position, of[id_]) for position, id_ in enumerate(ids) if id_ in of]
    owner = [position for position, row in rows for _ in (*row[1], *row[3])]
    code = [code for _, row in rows for part in (row[1], row[3]) for code in part]
    inverse = [way for _, row in rows for way, part in ((0, row[1]), (1, row[3])) for _ in part]
    count = [n for _, row in rows for part in (row[2], row[4]) for n in part]
    if told is not now:
        code = [now.index.get(c if isinstance(c, str) else told.names[c], -1) for c in code]
    table = np.array([owner, code, inverse, count], np.int64).reshape(4, -1)
    table = table[:, table[1] >= 0]
    table[1] = 2 * table[1] + table[2]
    table = table[:, np.lexsort((table[1], table[0]))]
    return Offer(table[0], table[1], table[3], now.names)


def asked_groups(groups: Sequence[Group]) -> tuple[dict[str, Any], list[int]]:
    """Parameters that ask for the groups, and which of them are asked for: the others can have no neighbours."""
    places = [
        place
        for place, group in enumerate(groups)
        if group.limit > 0 and storable(group.entity) and storable(group.relation)
    ]
    rows = [(groups[p].entity, groups[p].relation, groups[p].inverse, groups[p].limit) for p in places]
    return {"rows": rows, "most": max((limit for *_, limit in rows), default=0)}, places


def neighbours_of(count: int, places: Sequence[int], found: Iterable[tuple[int, list[Any]]]) -> Neighbours:
    """Neighbours of ``count`` groups, of which those at ``places`` were asked for."""
    ends: list[list[str]] = [[] for _ in range(count)]
    for at, ids in found:
        ends[places[at]] = sorted({id_ for id_ in ids if isinstance(id_, str)})
    counts = np.fromiter(map(len, ends), np.int64, count)
    return Neighbours(np.repeat(np.arange(count), counts), [id_ for ids in ends for id_ in ids])


def asked_facts(facts: Sequence[Fact]) -> tuple[list[tuple[str, str, str]], list[int]]:
    """Rows that ask for facts, and which of them are asked for: the others can't be in a store."""
    places = [place for place, fact in enumerate(facts) if all(map(storable, (fact.head, fact.relation, fact.tail)))]
    return [(facts[p].head, facts[p].relation, facts[p].tail) for p in places], places


def held_of(count: int, places: Sequence[int], held: Iterable[int]) -> list[bool]:
    """Which of ``count`` facts are held, of which those at ``places`` were asked for."""
    there = {places[at] for at in held}
    return [place in there for place in range(count)]


def distinct(texts: Sequence[str]) -> list[str]:
    """Each text once that can be in a store."""
    return [text for text in dict.fromkeys(texts) if text and storable(text)]
