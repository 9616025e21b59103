"""A ``GraphReader`` over a Neo4j database that somebody else modelled. It never writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from shlex import quote
from typing import Any

from neo4j import Record

from graph_schema.errors import SchemaError
from graph_schema.ports import Group, Neighbours, Offer, Proof, Start, Step
from graph_schema.schema import Schema
from graph_schema.types import Entity, Fact, StoreInfo
from kgqa.stores.batches import name_keys, storable
from kgqa.stores.foreign import cypher, cypher_read
from kgqa.stores.foreign.answers import (
    asked_facts,
    asked_groups,
    can_be_found,
    near_nodes,
    near_values,
    neighbours_of,
    offer_of,
    ways_back,
)
from kgqa.stores.foreign.connection import Connection
from kgqa.stores.foreign.names import READ, Names, ReadNames, guessed, spellings
from kgqa.stores.foreign.plan import VALUE, Plan, Property
from kgqa.stores.foreign.streams import value_facts
from kgqa.stores.likeness import most_alike

DENSEST = 500  # relationships of a node that are counted one by one; of a denser one, degrees are taken
BEARERS = 50  # nodes of a question's names that are looked around
VALUES = 50  # values of one property that a question's texts may stand for
COUNTED = 200  # values of one property reached at a hop that are looked around
WALKED = 50_000  # nodes or relationships looked through for those that have a value, where there is no index
LOOKED = 2_000_000  # the same, for a value that a question names
AT_ONCE = 0  # properties that are always in the texts, if there are no more


class ForeignReader:
    """Reads a database by a schema that ``kgqa connect`` wrote. Safe to share between threads.

    A question takes hops + 2 round trips, see ``GraphReader``. What differs from a store of kgqa's own:

    - ids of nodes are Neo4j's own, and good as long as the node is there; a value's says property and text;
    - of more neighbours than ``Group.limit``, any are given, for the first ones would mean to look at all;
    - counts may be too high: of hubs they are degrees, in which two relationships between the same two nodes are two;
      of how many nodes have a value that a hop has reached, only the most that it may be is said;
    - ``relations`` are those of the schema; one that has lost all its facts stays;
    - ``changes`` only says whether anything was committed, or the schema changed: another number, not a higher one;
    - ``info`` counts nodes and relationships alone.

    Args:
        connection: closed with the reader. schema: with a ``layout``. names: an index of names; None: see ``names``.
        where: the schema's file, for messages.

    Raises:
        SchemaError: the schema has no layout, or names what the database doesn't have.
        StoreUnavailable, StoreAccessDenied: as for any reader.
    """

    def __init__(
        self, connection: Connection, schema: Schema, names: Names | None = None, *, where: str = "schema"
    ) -> None:
        self._connection = connection
        self._plan = Plan(schema, where, connection.url)
        self._check(where)
        self._said = schema.to_yaml()
        self._read = ReadNames(connection, self._plan)
        self._names: Names = names or self._read
        self._indexed = names is not None
        self._fixed = {"types": self._plan.type_index, "keys": self._plan.key_index, "densest": DENSEST}

    def __repr__(self) -> str:
        return f"ForeignReader({self.url!r})"

    @property
    def url(self) -> str:
        return self._connection.url

    @property
    def round_trips(self) -> int:
        """Queries sent so far."""
        return self._connection.round_trips

    def use(self, names: Names) -> None:
        """Look names up in this index from now on."""
        self._names, self._indexed = names, True

    def info(self) -> StoreInfo:
        """Relationships and nodes, from the count store. What properties are isn't among them: to count it would mean
        to read all of the graph."""
        found = self._connection.one(cypher_read.INFO)
        return StoreInfo(found["facts"], found["nodes"], self._plan.relations, self._changed())

    def changes(self) -> int:
        self._connection.touch()
        return self._changed()

    def schema(self) -> Schema:
        return self._plan.schema

    def relations(self) -> tuple[str, ...]:
        return self._plan.relations

    def lookup(self, keys: Sequence[str]) -> dict[str, tuple[Entity, ...]]:
        return self.start(keys).named

    def suggest(self, name: str, limit: int = 5) -> tuple[Entity, ...]:
        """Out of the names in memory; see ``names``."""
        return most_alike(name, self._read.entities(), limit)

    def entities(self, ids: Sequence[str]) -> dict[str, Entity]:
        return self.prove((), ids).entities

    def offer(self, ids: Sequence[str]) -> Offer:
        wanted = [*dict.fromkeys(ids)]
        nodes, values, valued = self._sorted(wanted, LOOKED)
        found = self._near(cypher_read.offer(self._plan, valued), nodes, values, len(nodes))
        return offer_of(self._plan, ids, self._around(found))

    def expand(self, groups: Sequence[Group]) -> Neighbours:
        return self.step(groups).neighbours

    def holds(self, facts: Sequence[Fact]) -> list[bool]:
        return self.prove(facts, ()).holds

    def start(self, keys: Sequence[str]) -> Start:
        wanted = [key for key in dict.fromkeys(keys) if key and storable(key)]
        known = self._names.lookup(wanted) if wanted else {}
        ids = [*dict.fromkeys(entity.id for entities in known.values() for entity in entities)]
        nodes, values, valued = self._sorted(ids, LOOKED)
        looked: list[str] = []
        if not self._indexed:
            looked = [n for n in self._plan.labels if self._plan.nodes_of(n) > READ and self._plan.name_indexed(n)]
            for property_ in self._plan.properties:
                if property_.start and property_ not in self._read.properties and can_be_found(property_, LOOKED):
                    values[f"b{property_.at}"] = guessed(property_, wanted)
                    valued = [*{**{p.at: p for p in valued}, property_.at: property_}.values()]
        text = cypher_read.start(self._plan, sorted(valued, key=lambda p: p.at), looked)
        found = self._near(text, nodes[:BEARERS], values, BEARERS, spellings(wanted) if looked else [])
        around = self._around(found)
        shown = {row[0]: self._plan.entity(*row[:3]) for row in found["near"]}
        skipped = {*nodes[BEARERS:], *(id_ for id_ in ids if id_.startswith(VALUE) and id_ not in around)}
        named = self._named(wanted, known, shown, around, skipped)
        borne = {entity.id for entities in named.values() for entity in entities}
        at = tuple(id_ for id_ in dict.fromkeys([*nodes[:BEARERS], *shown, *around]) if id_ in borne and id_ in around)
        return Start(named, at, offer_of(self._plan, at, around), self._changed())

    def step(self, groups: Sequence[Group]) -> Step:
        asked = asked_groups(self._plan, groups)
        valued = [p for _, p in sorted(asked.valued.items())]
        found = self._connection.one(cypher_read.step(self._plan, valued), **asked.given(), **self._fixed)
        neighbours = neighbours_of(self._plan, len(groups), found)
        ids = tuple(sorted(set(neighbours.entities)))
        around = near_nodes(self._plan, found["near"]) | ways_back(self._plan, ids, WALKED)
        return Step(neighbours, ids, offer_of(self._plan, ids, around))

    def prove(self, facts: Sequence[Fact], ids: Sequence[str]) -> Proof:
        wanted = [id_ for id_ in dict.fromkeys(ids) if id_ and storable(id_)]
        nodes = [id_ for id_ in wanted if not id_.startswith(VALUE)]
        found = self._connection.one(cypher_read.prove(self._plan), **asked_facts(self._plan, facts), ids=nodes)
        held = {at for part in ("edges", "said", "told") for at in found[part]}
        entities = {row[0]: self._plan.entity(*row) for row in found["entities"]}
        for id_ in wanted:
            if value := self._plan.value_at(id_):
                entities[id_] = value[0].value(value[1])
        return Proof([at in held for at in range(len(facts))], entities)

    def all_facts(self) -> Iterator[Fact]:
        for record in self._connection.stream(cypher_read.ALL_EDGES):
            if record["relation"] in self._plan.type_index:
                yield Fact(record["head"], record["relation"], record["tail"])
        yield from value_facts(self._connection, self._plan)

    def all_entities(self) -> Iterator[Entity]:
        for record in self._connection.stream(cypher_read.all_nodes(self._plan)):
            yield self._plan.entity(*record["shown"])
        seen: set[str] = set()
        for fact in value_facts(self._connection, self._plan):
            if fact.tail not in seen and (value := self._plan.value_at(fact.tail)):
                seen.add(fact.tail)
                yield value[0].value(value[1])

    def close(self) -> None:
        self._connection.close()

    # ---- inside

    def _check(self, where: str) -> None:
        """Refuse a schema that names what isn't there: what it says would never be found."""
        found = self._connection.one(cypher.NAMES)
        there = {part: set(found[part]) for part in ("labels", "types", "properties")}
        missing = [f"label {name}" for name in self._plan.labels if name not in there["labels"]]
        missing += [f"relation {name}" for name in self._plan.types if name not in there["types"]]
        missing += [f"property {p.owner}.{p.name}" for p in self._plan.properties if p.name not in there["properties"]]
        missing += [f"name {name}" for name in self._plan.naming if name not in there["properties"]]
        if missing:
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            raise SchemaError(
                f"the schema names what {self.url} doesn't have: {', '.join(missing[:5])}{more}",
                where=where,
                fix=f"Bring it up to date: kgqa connect {quote(self.url)} --refresh {quote(where)}",
            )

    def _changed(self) -> int:
        """The connection's mark and the schema as a number; 0 if the server gives no mark."""
        mark = self._connection.mark
        return int.from_bytes(blake2b((mark + self._said).encode(), digest_size=7).digest()) if mark else 0

    def _sorted(self, ids: Sequence[str], most: int) -> tuple[list[str], dict[str, list[str]], list[Property]]:
        """Nodes; texts of values by property; the properties of which values are to be looked for."""
        values: dict[str, list[str]] = {}
        valued: dict[int, Property] = {}
        nodes = []
        for id_ in ids:
            value = self._plan.value_at(id_)
            if value is None:
                if not id_.startswith(VALUE) and storable(id_) and id_:
                    nodes.append(id_)
            elif can_be_found(value[0], most):
                texts = values.setdefault(f"b{value[0].at}", [])
                if len(texts) < VALUES:
                    texts.append(value[1])
                valued[value[0].at] = value[0]
        return nodes, values, [p for _, p in sorted(valued.items())]

    def _near(
        self, text: Any, nodes: Sequence[str], values: dict[str, list[str]], most: int, spelled: Sequence[str] = ()
    ) -> Record:
        return self._connection.one(text, ids=[*nodes], values=values, bearers=most, spelled=[*spelled], **self._fixed)

    def _around(self, found: Record) -> dict[str, list[tuple[int, int]]]:
        return near_nodes(self._plan, found["near"]) | near_values(self._plan, found["counts"])

    def _named(
        self,
        keys: Sequence[str],
        known: dict[str, tuple[Entity, ...]],
        shown: dict[str, Entity],
        around: dict[str, list[tuple[int, int]]],
        skipped: set[str],
    ) -> dict[str, tuple[Entity, ...]]:
        """Who bears which key: what is known and still there, and what the database has found."""
        bearers: dict[str, dict[str, Entity]] = {}
        for key, entities in known.items():
            for entity in entities:
                if entity.id in shown or entity.id in around or entity.id in skipped:
                    bearers.setdefault(key, {})[entity.id] = shown.get(entity.id, entity)
        if not self._indexed:
            wanted = set(keys)
            values = [v[0].value(v[1]) for id_ in around if (v := self._plan.value_at(id_))]
            for entity in (*shown.values(), *values):
                for key in name_keys(entity):
                    if key in wanted:
                        bearers.setdefault(key, {})[entity.id] = entity
        return {key: tuple(e for _, e in sorted(bearers[key].items())) for key in keys if key in bearers}
