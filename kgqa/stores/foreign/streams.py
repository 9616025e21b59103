"""All facts that properties of a foreign database are, as a stream."""

from __future__ import annotations

from collections.abc import Iterator

from graph_schema.types import Fact
from kgqa.stores.foreign import cypher_read
from kgqa.stores.foreign.connection import Connection
from kgqa.stores.foreign.plan import Plan


def value_facts(connection: Connection, plan: Plan) -> Iterator[Fact]:
    """Each once."""
    for label in plan.labels:
        yield from _of_label(connection, plan, label)
    for type_ in plan.types:
        yield from dict.fromkeys(_of_type(connection, plan, type_))


def _of_label(connection: Connection, plan: Plan, label: str) -> Iterator[Fact]:
    own = cypher_read.own(plan, label)
    if not own:
        return
    for record in connection.stream(cypher_read.names(plan, label)):
        id_, labels, _ = record["shown"]
        for property_, texts in zip(own, record["values"], strict=True):
            if plan.told_at(labels, property_.name) is property_:
                for text in dict.fromkeys(text for text in texts if text is not None):
                    yield Fact(id_, property_.relations[0], property_.value_id(text))


def _of_type(connection: Connection, plan: Plan, type_: str) -> Iterator[Fact]:
    held = cypher_read.held_by(plan, type_)
    if not held:
        return
    for record in connection.stream(cypher_read.held(plan, type_)):
        ends = (record["head"], record["tail"])
        for property_, texts in zip(held, record["values"], strict=True):
            for text in texts:
                if text is not None:
                    for end, relation in zip(ends, property_.relations, strict=True):
                        yield Fact(end, relation, property_.value_id(text))
