"""What an import's files can't say, noted in the database: done by the next kgqa that brings it up to date."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from graph_schema.types import Value
from kgqa.stores import cypher_write
from kgqa.stores.neo4j_write import Run
from kgqa.stores.properties import decoded, encoded

LATER = "later/"
NOTES = 1_000  # carried out in one transaction


def later_entity(id_: str, properties: Mapping[str, Value]) -> str:
    """A note: this entity has also these properties, as they are to be stored."""
    return json.dumps([[id_], encoded(properties)], ensure_ascii=False)


def later_fact(head: str, relation: str, tail: str, properties: Mapping[str, Value]) -> str:
    """A note: this fact has also these properties, as they are to be stored."""
    return json.dumps([[head, relation, tail], encoded(properties)], ensure_ascii=False)


def carry_out(run: Run) -> bool:
    """Do what some of the notes say, and take them away; returns whether there may be more."""
    notes = run(cypher_write.NOTES, {"most": NOTES})[0]
    entities: list[tuple[Any, ...]] = []
    facts: list[tuple[Any, ...]] = []
    for note in notes:
        of, properties = json.loads(note["note"])
        (entities if len(of) == 1 else facts).append((*of, decoded(properties)))
    if entities:
        run(cypher_write.SET_ENTITIES, {"given": {"rows": entities}})
    if facts:
        run(cypher_write.ADD_TO_FACTS, {"rows": facts})
    if notes:
        run(cypher_write.DROP_NOTES, {"ids": [note["id"] for note in notes]})
    return len(notes) == NOTES
