"""Writing to Neo4j: one batch, or a deletion, inside a transaction that the caller holds and may repeat."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, LiteralString, Protocol, TypeVar

import numpy as np
from neo4j import Record

from graph_schema.types import DEFAULT_LABEL, Entity, Int64s, Properties, Written
from kgqa.stores import cypher, cypher_write
from kgqa.stores.batches import Prepared, combined, keys_of_names, name_keys, shown
from kgqa.stores.heard import ENTITIES, FACTS, Heard, changed, listen
from kgqa.stores.neo4j_counts import Counted, account
from kgqa.stores.neo4j_seen import all_there
from kgqa.stores.neo4j_values import (
    MARKS,
    ORIGIN,
    SAID,
    entities_said,
    entity_of,
    kept_entities,
    kept_properties,
    mark,
    marks,
    marks_of,
    of_relationship,
    on_node,
    on_relationship,
    properties_said,
)

Item = TypeVar("Item")
ROWS = 20_000  # a statement; one transaction may run many
MAX_KEY_CHARACTERS = 2_000  # Lucene stops the whole database at a term beyond 32,766 bytes

Nodes = dict[str, int]
"""Internal ids of nodes by the ids of their entities."""


class EntityGoneError(Exception):
    """An entity that was known to be there has been deleted by somebody else."""


class Run(Protocol):
    """Runs one statement: its records, and the counters of what it did."""

    def __call__(
        self, query: LiteralString, parameters: Mapping[str, Any] | None = None
    ) -> tuple[list[Record], Mapping[str, int]]: ...


@dataclass
class Made:
    """What merging entities made.

    Attributes:
        created: how many are new. declared: how many of these the batch declares.
        nodes: of all that were merged.
        differing: ids of those that were there, and of which something is said that may be new.
    """

    created: int = 0
    declared: int = 0
    nodes: Nodes = field(default_factory=dict)
    differing: list[str] = field(default_factory=list)

    def add(self, other: Made) -> None:
        """One more part."""
        self.created += other.created
        self.declared += other.declared
        self.nodes |= other.nodes
        self.differing += other.differing


@dataclass(frozen=True)
class Rows:
    """Facts of one relation, as columns of the same length.

    Attributes:
        heads, tails: internal ids.
        marks: one of each.
        told: properties of some of them, by place.
    """

    relation: str
    heads: Sequence[int]
    tails: Sequence[int]
    marks: Sequence[int]
    told: Mapping[int, Properties] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.heads)

    def only(self, places: Sequence[int]) -> Rows:
        """The facts at these places."""
        told = {new: self.told[old] for new, old in enumerate(places) if old in self.told} if self.told else {}
        heads, tails, marks = ([column[at] for at in places] for column in (self.heads, self.tails, self.marks))
        return Rows(self.relation, heads, tails, marks, told)

    def without(self, places: Sequence[int]) -> Rows:
        """The facts at all other places."""
        if not places:
            return self
        left_out = set(places)
        return self.only([at for at in range(len(self)) if at not in left_out])


@dataclass
class Guess:
    """Whether facts turn out to be there already, so that they are better looked at first."""

    there: bool = False


def write(run: Run, prepared: Prepared, known: Nodes, slot: str, origin: int, through: int) -> tuple[Written, Nodes]:
    """See ``GraphWriter.write``. Returns also the nodes of the batch.

    Args:
        known: entities that are there already; those that facts mention needn't be merged again.
        slot: id of the change counter to use.

    Raises:
        EntityGoneError: not all of ``known`` are there; to be repeated without.
    """
    made = merge_entities(run, prepared, prepared.ids, known, origin)
    entities_altered, others = settle_entities(run, prepared, sorted(made.differing), origin)
    nodes = made.nodes
    if prepared.facts:
        kept = {known[id_]: id_ for id_ in prepared.ids if id_ not in nodes}
        verify(run, kept)
        nodes |= {id_: node for node, id_ in kept.items()}
    places = nodes_of(prepared, nodes)
    rows = []
    for relation, pairs in prepared.facts.items():
        heads, tails = places[pairs.heads].tolist(), places[pairs.tails].tolist()
        rows.append(Rows(relation, heads, tails, marks(origin, pairs.lines).tolist(), pairs.properties))
    created, altered = write_facts(run, rows, [*prepared.facts], origin, Guess(not made.created))
    counted = Counted(created, made.created, altered, made.declared, others, entities_altered)
    account(run, slot, origin, counted, through)
    merged = len(prepared.ids) - made.created
    repeated = prepared.given - created
    alike = repeated - altered, merged - entities_altered
    return Written(created, repeated, made.created, merged, *alike, made.declared, others), nodes


def merge_entities(run: Run, prepared: Prepared, ids: Iterable[str], known: Mapping[str, int], origin: int) -> Made:
    """Make those of some entities of a batch that aren't there, with all that it says of them.

    Those that facts only mention and that are known are left out. Nothing that was there is changed.
    """
    made = Made()
    by_label: dict[tuple[str, bool], list[Entity]] = {}
    mentioned: list[str] = []
    for id_ in ids:
        said = prepared.entities.get(id_)
        if said is not None:
            entity = combined(None, said)
            by_label.setdefault((entity.label, id_ in prepared.declared), []).append(entity)
        elif id_ not in known:
            mentioned.append(id_)
    for part in _chunks(mentioned):
        keys = [key[:MAX_KEY_CHARACTERS] for key in keys_of_names(part)]
        records, counters = run(cypher_write.MERGE_MENTIONED, {"given": {"ids": part, "keys": keys}})
        made.created += counters.get("nodes_created", 0)
        made.nodes.update(zip(part, records[0]["nodes"], strict=True))
    for label, declared in sorted(by_label):
        for entities in _chunks(by_label[label, declared]):
            created = _merge_told(run, label, entities, prepared, origin, made)
            made.declared += created if declared else 0
    return made


def settle_entities(run: Run, prepared: Prepared, ids: Sequence[str], origin: int) -> tuple[int, int]:
    """Say of entities that are there what a batch says of them.

    Returns:
        Of how many something is said anew, and how many of those declared are shown otherwise than before.
    """
    altered = others = 0
    for part in _chunks(ids):
        found = []
        for record in run(cypher_write.LOCK_ENTITIES, {"given": {"ids": part}})[0]:
            if (old := heard_entity(record)) is None:
                continue
            id_ = old.state.id
            new = listen(ENTITIES, old, Entity(id_, id_), origin, prepared.entity_lines[id_], prepared.entities[id_])
            if changed(ENTITIES, old, new):
                found.append((old, new))
                alike = old.state is new.state or ENTITIES.same(shown(old.state), shown(new.state))
                others += not alike and id_ in prepared.declared
        set_entities(run, found)
        altered += len(found)
    return altered, others


def verify(run: Run, nodes: Mapping[int, str]) -> None:
    """Whether these are the nodes of these entities, until the transaction ends.

    Args:
        nodes: ids of entities by the internal ids of their nodes.

    Raises:
        EntityGoneError: not all of them.
    """
    for part in _chunks([*nodes]):
        ids = [nodes[node] for node in part]
        if run(cypher_write.VERIFY, {"given": {"nodes": part, "ids": ids}})[0][0]["n"] != len(part):
            raise EntityGoneError


def nodes_of(prepared: Prepared, nodes: Mapping[str, int]) -> Int64s:
    """Internal ids of all entities of a batch, in the order of its ids; int64."""
    return np.fromiter(map(nodes.__getitem__, prepared.ids), np.int64, len(prepared.ids))


def write_facts(
    run: Run, facts: Sequence[Rows], relations: Sequence[str], origin: int, guess: Guess
) -> tuple[int, int]:
    """Merge facts; returns how many are new, and how many others were changed.

    Args:
        facts: each relation's. relations: all that a statement may name; the same for many calls, so that it is planned
            once.
        guess: what is known from other facts; brought up to date.

    Raises:
        EntityGoneError: an end isn't there any more.
    """
    bounds = {"low": origin * ORIGIN, "high": (origin + 1) * ORIGIN}
    told = [sorted(of.told) for of in facts]
    plain = [of.without(places) for of, places in zip(facts, told, strict=True)]
    if guess.there:
        guess.there = all_there(run, plain, relations, bounds)
    created = altered = 0
    if not guess.there:
        for part in chain.from_iterable(map(_parts, plain)):
            columns = {"heads": part.heads, "tails": part.tails, "marks": part.marks}
            new = _merge_facts(run, cypher_write.merge_facts(part.relation), columns)
            created += new
            if new < len(part):
                altered += run(cypher_write.mark_facts(part.relation), {"given": columns, **bounds})[0][0]["n"]
                altered += _resolve_facts(run, part, [{}] * len(part), bounds, origin)
        guess.there = not created
    for of, places in zip(facts, told, strict=True):
        for part in _parts(of.only(places)):
            properties = [part.told[at] for at in range(len(part))]
            columns = {"heads": part.heads, "tails": part.tails, "marks": part.marks}
            kept = [*map(on_relationship, properties)]
            new = _merge_facts(run, cypher_write.merge_facts_with(part.relation), {**columns, "properties": kept})
            created += new
            if new < len(part):
                altered += _resolve_facts(run, part, properties, bounds, origin)
    return created, altered


def delete(run: Run, facts: Mapping[str, list[tuple[str, str]]], slot: str) -> int:
    """See ``GraphWriter.delete``; ``facts`` are (head, tail) by relation."""
    known = {record["relation"] for record in run(cypher.RELATION_TYPES)[0]}
    gone: list[tuple[str, str]] = []
    for relation, pairs in facts.items():
        for chunk in _chunks(pairs if relation in known else []):
            gone += [
                (record["head"], record["tail"])
                for record in run(cypher_write.delete_facts(relation), {"rows": chunk})[0]
            ]
    if gone:
        for part in _chunks(sorted({id_ for pair in gone for id_ in pair})):
            run(cypher_write.DELETE_ORPHANS, {"ids": part})
        run(cypher_write.COUNT_CHANGE, {"slot": slot})
    return len(gone)


def stored_keys(keys: Sequence[str]) -> list[str]:
    """Name keys as they are kept in the index: very long ones cut; a hit is verified against the name itself."""
    return [key[:MAX_KEY_CHARACTERS] for key in keys if key]


def kept_entity(heard: Heard[Entity]) -> dict[str, Any]:
    """Everything of a node but its id and labels; None: not there. An import can't make empty lists: none is kept."""
    entity = heard.state
    return {
        **on_node(entity.properties),
        "name": entity.name,
        "aliases": list(entity.aliases) or None,
        "name_keys": stored_keys(name_keys(entity)),
        MARKS: list(heard.marks) or None,
        SAID: kept_entities(heard.said),
    }


def kept_fact(heard: Heard[Properties]) -> dict[str, Any]:
    """Everything of a relationship."""
    said = kept_properties(heard.said)
    return {**on_relationship(heard.state), MARKS: list(heard.marks), **({SAID: said} if said else {})}


def heard_entity(record: Mapping[str, Any]) -> Heard[Entity] | None:
    """What is known of an entity, from a record of a statement that locks; None if its id is no text."""
    state = entity_of(record)
    if state is None:
        return None
    return Heard(tuple(marks_of(record["marks"])), entities_said(record["said"], state.id), state)


def heard_fact(kept: Mapping[str, Any]) -> Heard[Properties]:
    """What is known of a fact that is there, from the properties of its relationship."""
    marks = tuple(marks_of(kept.get(MARKS))) or (mark(0, 0),)
    return Heard(marks, properties_said(kept.get(SAID)), of_relationship(kept))


def set_entities(run: Run, altered: Sequence[tuple[Heard[Entity], Heard[Entity]]]) -> None:
    """Write what is known of entities, given what was before."""
    labels: dict[tuple[str, bool], list[str]] = {}
    rows = []
    for old, new in altered:
        kept = kept_entity(new)
        rows.append((new.state.id, {**dict.fromkeys(on_node(old.state.properties).keys() - kept.keys()), **kept}))
        if old.state.label != new.state.label:
            labels.setdefault((old.state.label, False), []).append(new.state.id)
            labels.setdefault((new.state.label, True), []).append(new.state.id)
    for part in _chunks(rows):
        run(cypher_write.SET_ENTITIES, {"given": {"rows": part}})
    for (label, to), ids in labels.items():
        if label != DEFAULT_LABEL:
            run(cypher_write.set_label(label, to=to), {"ids": ids})


def _merge_told(run: Run, label: str, entities: Sequence[Entity], prepared: Prepared, origin: int, made: Made) -> int:
    """Merge entities that something is said of; returns how many are new."""
    rows = []
    for entity in entities:
        kept = kept_entity(Heard((mark(origin, prepared.entity_lines[entity.id]),), None, entity))
        del kept[SAID]
        rows.append((entity.id, kept))
    records, counters = run(cypher_write.merge_entities(label), {"given": {"rows": rows}})
    created = counters.get("nodes_created", 0)
    made.created += created
    made.nodes.update(zip((entity.id for entity in entities), records[0]["nodes"], strict=True))
    if created < len(rows):
        bounds = {"low": origin * ORIGIN, "high": (origin + 1) * ORIGIN}
        made.differing += run(cypher_write.differing_entities(label), {"given": {"rows": rows}, **bounds})[0][0]["ids"]
    return created


def _merge_facts(run: Run, query: LiteralString, columns: Mapping[str, Sequence[object]]) -> int:
    records, counters = run(query, {"given": columns})
    if records[0]["n"] < len(columns["heads"]):
        raise EntityGoneError
    return counters.get("relationships_created", 0)


def _resolve_facts(
    run: Run, facts: Rows, properties: Sequence[Properties], bounds: Mapping[str, int], origin: int
) -> int:
    """Say of facts that are there what is said of them; returns how many were changed."""
    columns = {"heads": facts.heads, "tails": facts.tails, "properties": [*map(on_relationship, properties)]}
    records = run(cypher_write.lock_facts(facts.relation), {"given": columns, **bounds})[0]
    altered: dict[int, dict[str, Any]] = {}
    for at, kept in {record["at"]: record["properties"] for record in records}.items():
        old = heard_fact(kept)
        new = listen(FACTS, old, {}, origin, facts.marks[at] % ORIGIN, [properties[at]])
        if MARKS not in kept or changed(FACTS, old, new):
            altered[at] = kept_fact(new)
    if altered:
        row = {
            "heads": [facts.heads[at] for at in altered],
            "tails": [facts.tails[at] for at in altered],
            "properties": [*altered.values()],
        }
        run(cypher_write.set_facts(facts.relation), {"given": row})
    return len(altered)


def _parts(facts: Rows) -> Iterator[Rows]:
    for start in range(0, len(facts), ROWS):
        yield facts.only(range(start, min(start + ROWS, len(facts)))) if len(facts) > ROWS else facts


def _chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), ROWS):
        yield items[start : start + ROWS]
