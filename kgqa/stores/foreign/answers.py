"""What is asked of a foreign database, and what its answers mean in the terms of the ports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graph_schema.ports import Group, Neighbours, Offer
from graph_schema.types import Fact
from kgqa.stores.batches import storable
from kgqa.stores.foreign.plan import Plan, Property

FOLLOWED = 1_000  # nodes to which a value that a hop has reached is followed back at most
LIST_VALUES = 4  # values of a list property of relationships that are reckoned for each relationship of a hub

Directed = tuple[int, int]
"""A directed relation, and how many facts it has."""


@dataclass
class Asked:
    """Groups, sorted by how they are followed; the lists are what the query is given, see ``cypher_read``."""

    edges: list[list[Any]] = field(default_factory=list)
    said: list[list[Any]] = field(default_factory=list)
    told: list[list[Any]] = field(default_factory=list)
    back: dict[str, list[list[Any]]] = field(default_factory=dict)
    valued: dict[int, Property] = field(default_factory=dict)
    most: int = 0

    def given(self) -> dict[str, Any]:
        return {"edges": self.edges, "said": self.said, "told": self.told, "back": self.back, "most": self.most}


def asked_groups(plan: Plan, groups: Sequence[Group]) -> Asked:
    """What is to be asked for these groups; those that can't have neighbours are left out."""
    asked = Asked()
    for at, group in enumerate(groups):
        way = plan.ways.get(group.relation)
        if way is None or group.limit <= 0 or not storable(group.entity):
            continue
        value = plan.value_at(group.entity)
        if way.property is None:
            if value is None:
                asked.edges.append([at, group.entity, way.name, group.inverse, group.limit])
                asked.most = max(asked.most, group.limit)
            continue
        property_ = way.property
        if group.inverse:
            if value is not None and value[0] is property_:
                row = [at, value[1], group.limit, way.side]
                asked.back.setdefault(f"b{property_.at}", []).append(row)
                asked.valued[property_.at] = property_
                asked.most = max(asked.most, group.limit)
        elif value is None:
            asked.most = max(asked.most, group.limit)
            if property_.of == "label":
                row = [at, group.entity, property_.name, group.limit, property_.owner, property_.before, property_.at]
                asked.said.append(row)
            else:
                row = [at, group.entity, way.property.owner, property_.name, way.side == 1, group.limit, property_.at]
                asked.told.append(row)
    return asked


def neighbours_of(plan: Plan, count: int, record: Mapping[str, Any]) -> Neighbours:
    """Neighbours of ``count`` groups."""
    ends: list[list[str]] = [[] for _ in range(count)]
    for at, ids in record["found"]:
        ends[at] += ids
    for part in ("said", "told"):
        for at, texts, property_ in record[part]:
            ends[at] += map(plan.properties[property_].value_id, texts)
    ends = [sorted(set(ids)) for ids in ends]
    counts = np.fromiter(map(len, ends), np.int64, count)
    return Neighbours(np.repeat(np.arange(count), counts), [id_ for ids in ends for id_ in ids])


def near_nodes(plan: Plan, near: Iterable[Sequence[Any]]) -> dict[str, list[Directed]]:
    """The relations around nodes: rows [id, labels, ..., what lies around]."""
    return {row[0]: _around(plan, row[1], row[-1]) for row in near}


def near_values(plan: Plan, counts: Iterable[Sequence[Any]]) -> dict[str, list[Directed]]:
    """The relations around values: rows [position, text, how many have it, how many at the tail]."""
    found = {}
    for at, text, *many in counts:
        property_ = plan.properties[at]
        found[property_.value_id(text)] = [
            (2 * plan.index[name] + 1, n) for name, n in zip(property_.relations, many, strict=False) if n
        ]
    return found


def ways_back(plan: Plan, ids: Iterable[str], most: int) -> dict[str, list[Directed]]:
    """The relations around those of these ids that are values, and the most facts that each may have.

    To count them would take a look at all nodes that have any value, at each hop.

    Args:
        most: nodes or relationships that may be looked through, if they are walked back.
    """
    found: dict[str, list[Directed]] = {}
    for id_ in ids:
        value = plan.value_at(id_)
        if value and can_be_found(value[0], most):
            bound = max(min(value[0].rows, FOLLOWED), 1)
            found[id_] = [(2 * plan.index[name] + 1, bound) for name in value[0].relations]
    return found


def can_be_found(property_: Property, most: int) -> bool:
    """Whether what has a value of it may be looked for: by an index, or among not too many."""
    return (property_.laid.indexed and not property_.laid.list) or property_.rows <= most


def offer_of(plan: Plan, ids: Sequence[str], near: Mapping[str, Sequence[Directed]]) -> Offer:
    """The relations around ``ids``, of which ``near`` may know more than one asks for."""
    rows = [(owner, relation, count) for owner, id_ in enumerate(ids) for relation, count in sorted(near.get(id_, ()))]
    table = np.array(rows, np.int64).reshape(-1, 3).T
    return Offer(table[0].copy(), table[1].copy(), table[2].copy(), plan.relations)


def asked_facts(plan: Plan, facts: Sequence[Fact]) -> dict[str, list[list[Any]]]:
    """Rows that ask for facts; a fact that can't be there isn't among them."""
    given: dict[str, list[list[Any]]] = {"edges": [], "said": [], "told": []}
    for at, fact in enumerate(facts):
        way = plan.ways.get(fact.relation)
        if way is None or not storable(fact.head) or not storable(fact.tail) or plan.value_at(fact.head):
            continue
        value = plan.value_at(fact.tail)
        if way.property is None:
            if value is None:
                given["edges"].append([at, fact.head, way.name, fact.tail])
        elif value is not None and value[0] is way.property:
            p, text = value
            if p.of == "label":
                given["said"].append([at, fact.head, p.name, 1, p.owner, p.before, text])
            else:
                given["told"].append([at, fact.head, p.owner, p.name, way.side, text])
    return given


def _around(plan: Plan, labels: Sequence[str], lies: Sequence[Any]) -> list[Directed]:
    out, into, many_out, many_into, own = lies
    found: dict[int, int] = {}
    for side, rows, degrees in ((0, out, many_out), (1, into, many_into)):
        for at, n, held in rows:
            type_ = plan.types[at]
            found[2 * plan.index[type_] + side] = n
            for name, values in zip(plan.held, held, strict=True):
                if values and (property_ := plan.held_at(type_, name)):
                    found[2 * plan.index[property_.relations[side]]] = values
        for type_, n in zip(plan.types, degrees, strict=False):
            if n:
                found[2 * plan.index[type_] + side] = n
                for name in plan.held:
                    if property_ := plan.held_at(type_, name):
                        several = LIST_VALUES if property_.laid.list else 1
                        found[2 * plan.index[property_.relations[side]]] = several * n
    for at, n in own:
        if n and (property_ := plan.told_at(labels, plan.keys[at])):
            found[2 * plan.index[property_.relations[0]]] = n
    return list(found.items())
