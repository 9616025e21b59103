"""Who bears a name, where no index of names is at hand: names that were read once, and what the database can look up.

Names of small labels, and values of their properties, are read into memory, and anew when something was committed
since. Of larger labels, nodes are found by an index on the name, by the spellings that a key may stand for; values are
guessed from the key, and the database says which there are.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Protocol

from graph_schema.text import name_key
from graph_schema.types import Entity
from kgqa.stores.batches import name_keys
from kgqa.stores.foreign import cypher_read
from kgqa.stores.foreign.connection import Connection
from kgqa.stores.foreign.plan import Plan, Property

READ = 200_000  # nodes of a label, relationships of a type, that are read for their names
OFTEN = (
    20_000  # nodes and relationships that are read anew at once when something was committed, instead of after PAUSE
)
PAUSE = 60.0  # seconds
LONGEST = 200  # characters of a value that a question may name


class Names(Protocol):
    """Knows who bears a name; an index of names does, and so does ``linking.mentions.Names``."""

    def lookup(self, keys: Sequence[str]) -> dict[str, tuple[Entity, ...]]: ...


class ReadNames:
    """Names of the small labels, and values of small properties, in memory."""

    def __init__(self, connection: Connection, plan: Plan) -> None:
        self._connection = connection
        self._plan = plan
        self.labels = [label for label in plan.labels if plan.nodes_of(label) <= READ]
        self.properties = [p for p in plan.properties if p.start and p.rows <= READ]
        self._size = sum(plan.nodes_of(label) for label in self.labels) + sum(
            p.rows for p in self.properties if p.of == "type"
        )
        self._bearers: dict[str, dict[str, Entity]] = {}
        self._mark = ""
        self._read_at = 0.0

    def lookup(self, keys: Sequence[str]) -> dict[str, tuple[Entity, ...]]:
        self._bring_up_to_date()
        return {
            key: tuple(entity for _, entity in sorted(self._bearers[key].items()))
            for key in dict.fromkeys(keys)
            if key in self._bearers
        }

    def entities(self) -> Iterator[Entity]:
        """All of them."""
        self._bring_up_to_date()
        seen: set[str] = set()
        for found in self._bearers.values():
            for id_, entity in found.items():
                if id_ not in seen:
                    seen.add(id_)
                    yield entity

    def _bring_up_to_date(self) -> None:
        now = self._connection.mark
        if self._mark and (now == self._mark or (self._size > OFTEN and time.monotonic() - self._read_at < PAUSE)):
            return
        bearers: dict[str, dict[str, Entity]] = {}
        for entity in self._all():
            for key in name_keys(entity):
                if key:
                    bearers.setdefault(key, {})[entity.id] = entity
        self._bearers = bearers
        # What the stream read was as of some time after this mark; if it moves, the names are read once more.
        self._connection.touch()
        self._mark = self._connection.mark if not self._mark or now == self._connection.mark else now
        self._read_at = time.monotonic()

    def _all(self) -> Iterator[Entity]:
        plan = self._plan
        started = {p.at for p in self.properties}
        for label in self.labels:
            own = cypher_read.own(plan, label)
            values: list[set[str]] = [set() for _ in own]
            for record in self._connection.stream(cypher_read.names(plan, label)):
                id_, labels, told = record["shown"]
                if plan.primary(labels) == label:
                    yield plan.entity(id_, labels, told)
                for property_, texts, into in zip(own, record["values"], values, strict=True):
                    if property_.at in started and plan.told_at(labels, property_.name) is property_:
                        into.update(text for text in texts if text and len(text) <= LONGEST)
            yield from _values(own, values)
        for type_ in plan.types:
            held = [p for p in cypher_read.held_by(plan, type_) if p.at in started]
            if not held:
                continue
            places = [at for at, p in enumerate(cypher_read.held_by(plan, type_)) if p.at in started]
            values = [set() for _ in held]
            for record in self._connection.stream(cypher_read.held(plan, type_)):
                for at, into in zip(places, values, strict=True):
                    into.update(text for text in record["values"][at] if text and len(text) <= LONGEST)
            yield from _values(held, values)


def _values(properties: Sequence[Property], values: Sequence[set[str]]) -> Iterator[Entity]:
    for property_, texts in zip(properties, values, strict=True):
        yield from map(property_.value, texts)


def spellings(keys: Sequence[str]) -> list[str]:
    """How a name of one of these keys may be written, where only its very letters find it."""
    return [*dict.fromkeys(said for key in keys for said in (key, key.title(), key.upper(), key.capitalize()) if key)]


def guessed(property_: Property, keys: Sequence[str]) -> list[str]:
    """Texts of values of a property that have one of these keys."""
    type_ = property_.laid.type
    found: dict[str, None] = {}
    for key in keys:
        if type_ == "integer" and key.isdecimal() and key.isascii():
            found[key] = None
        elif type_ == "float" and key.replace(" ", "", 1).isdecimal() and key.isascii():
            found[key.replace(" ", ".") if " " in key else f"{key}.0"] = None
        elif type_ == "date" and len(parts := key.split()) == 3 and all(part.isdecimal() for part in parts):
            found["-".join(parts)] = None
    if type_ == "string" and property_.laid.indexed:
        found.update(dict.fromkeys(spellings(keys)))
    return [text for text in found if name_key(text)]
