"""Writing to Neo4j: one batch, or a deletion, inside a transaction that the caller holds and the driver may repeat."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any, LiteralString, Protocol, TypeVar

from neo4j import Record

from graph_schema.text import name_key
from graph_schema.types import DEFAULT_LABEL, Entity, Written
from kgqa.stores import cypher
from kgqa.stores.batches import Prepared, combined, name_keys

Item = TypeVar("Item")
ROWS = 20_000  # a statement; one transaction may run many
MAX_KEY_CHARACTERS = 2_000  # Lucene stops the whole database at a term beyond 32,766 bytes


class EntityGoneError(Exception):
    """An entity that was known to be there has been deleted by somebody else."""


class Run(Protocol):
    """Runs one statement: its records, and the counters of what it did."""

    def __call__(
        self, query: LiteralString, parameters: Mapping[str, Any] | None = None
    ) -> tuple[list[Record], Mapping[str, int]]: ...


def write(run: Run, prepared: Prepared, known: Container[str], slot: str) -> Written:
    """See ``GraphWriter.write``.

    Args:
        known: ids whose entities are there already; those that facts mention needn't be merged again.
        slot: id of the change counter to use.

    Raises:
        EntityGoneError: not all of ``known`` are there; to be repeated without.
    """
    created = altered = facts = 0
    by_label: dict[str, list[Entity]] = {}
    mentioned: list[tuple[str, list[str]]] = []
    for id_ in prepared.ids:
        said = prepared.entities.get(id_)
        if said is None and id_ in known:
            continue
        entity = combined(None, said) if said else Entity(id_, id_)
        if set(said or ()) <= {Entity(id_, id_)}:
            mentioned.append((id_, stored_keys([name_key(id_)])))
        else:
            by_label.setdefault(entity.label, []).append(entity)
    for rows in _chunks(mentioned):
        created += run(cypher.MERGE_MENTIONED, {"rows": rows})[1].get("nodes_created", 0)
    for label in sorted(by_label):
        for entities in _chunks(by_label[label]):
            records, counters = run(cypher.merge_entities(label), {"rows": [_row(entity) for entity in entities]})
            created += counters.get("nodes_created", 0)
            differing = sorted({str(record["id"]) for record in records})
            altered += _merge_into(run, differing, prepared.entities) if differing else 0
    for relation, pairs in prepared.facts.items():
        for chunk in _chunks(pairs):
            records, counters = run(cypher.merge_facts(relation), {"rows": chunk})
            facts += counters.get("relationships_created", 0)
            if records[0]["n"] != len(chunk):
                raise EntityGoneError
    if created or altered or facts:
        run(cypher.COUNT_CHANGE, {"slot": slot})
    return Written(facts, prepared.given - facts, created, len(prepared.ids) - created)


def delete(run: Run, facts: Mapping[str, list[tuple[str, str]]], slot: str) -> int:
    """See ``GraphWriter.delete``; ``facts`` are (head, tail) by relation."""
    known = {record["relation"] for record in run(cypher.RELATION_TYPES)[0]}
    gone: list[tuple[str, str]] = []
    for relation, pairs in facts.items():
        for chunk in _chunks(pairs if relation in known else []):
            gone += [
                (record["head"], record["tail"]) for record in run(cypher.delete_facts(relation), {"rows": chunk})[0]
            ]
    if gone:
        for part in _chunks(sorted({id_ for pair in gone for id_ in pair})):
            run(cypher.DELETE_ORPHANS, {"ids": part})
        run(cypher.COUNT_CHANGE, {"slot": slot})
    return len(gone)


def entity_of(record: Record | Mapping[str, Any]) -> Entity | None:
    """An entity as it is stored, from columns id, name, labels, aliases; None if its id is no text, as ours all are."""
    id_, name, aliases = record["id"], record["name"], record["aliases"]
    if not isinstance(id_, str):
        return None
    labels = sorted(label for label in record["labels"] if label != DEFAULT_LABEL)
    second = aliases if isinstance(aliases, list) else [aliases] if isinstance(aliases, str) else []
    return Entity(
        id_,
        name if isinstance(name, str) and name else id_,
        labels[0] if labels else DEFAULT_LABEL,
        tuple(alias for alias in second if isinstance(alias, str)),
    )


def stored_keys(keys: Sequence[str]) -> list[str]:
    """Name keys as they are kept in the index: very long ones cut; a hit is verified against the name itself."""
    return [key[:MAX_KEY_CHARACTERS] for key in keys if key]


def _merge_into(run: Run, ids: list[str], said: Mapping[str, list[Entity]]) -> int:
    """Merge what is said into entities that are there; returns how many were altered by it."""
    rows: list[dict[str, Any]] = []
    labelled: dict[str, list[str]] = {}
    for record in run(cypher.LOCK_ENTITIES, {"ids": ids})[0]:
        old = entity_of(record)
        if old is None or (new := combined(old, said[old.id])) == old:
            continue
        rows.append(_row(new))
        if new.label != old.label:
            labelled.setdefault(new.label, []).append(new.id)
    if rows:
        run(cypher.SET_ENTITIES, {"rows": rows})
    for label, found in labelled.items():
        run(cypher.add_label(label), {"ids": found})
    return len(rows)


def _row(entity: Entity) -> dict[str, Any]:
    keys = stored_keys(name_keys(entity))
    return {"id": entity.id, "name": entity.name, "aliases": list(entity.aliases), "keys": keys}


def _chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), ROWS):
        yield items[start : start + ROWS]
