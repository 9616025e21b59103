"""Which relations a foreign database has in the terms of the ports, and how entities of it are called.

A relationship's type is a relation. So is a property: of a node, ``Label.property``, from the node to the value; of
relationships, ``TYPE.property`` from the head to the value, and ``~TYPE.property`` from the tail. A value is an entity
of its own, ``=Label.property:text``; any other id is Neo4j's own of a node, which never begins so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from shlex import quote
from typing import Literal

from graph_schema.errors import SchemaError
from graph_schema.layout import LabelLayout, PropertyLayout, RelationLayout
from graph_schema.schema import RelationSchema, Schema
from graph_schema.text import relation_words
from graph_schema.types import DEFAULT_LABEL, Entity

VALUE = "="
TAIL = "~"


@dataclass(frozen=True)
class Property:
    """A property that counts as a fact.

    Attributes:
        at: its position among all of them. owner: the label, or the type of relationship.
        before: labels listed earlier with a property of this name: a node that bears one of them tells it there.
        rows: how many nodes or relationships there were to have it. start: a question may start from a value.
        relations: relation from the node to the value; of relationships, from head and tail.
    """

    at: int
    of: Literal["label", "type"]
    owner: str
    name: str
    laid: PropertyLayout
    before: tuple[str, ...]
    rows: int
    start: bool
    relations: tuple[str, ...]

    @property
    def base(self) -> str:
        """What ids of its values begin with."""
        return self.relations[0].replace("%", "%25").replace(":", "%3A")

    def value_id(self, text: str) -> str:
        return f"{VALUE}{self.base}:{text}"

    def value(self, text: str) -> Entity:
        """The entity that a value is; a whole number kept as a float is called as one says it."""
        whole = text.removesuffix(".0") if self.laid.type == "float" else text
        return Entity(self.value_id(text), whole, self.laid.type, (text,) if whole != text else ())


@dataclass(frozen=True)
class Way:
    """What a relation is in the database: ``edge``: relationships of a type; ``value``: a property; ``side``: of a
    relationship's property, 0 from its head, 1 from its tail."""

    kind: Literal["edge", "value"]
    name: str
    property: Property | None = None
    side: int = 0


class Plan:
    """A schema with a layout, compiled.

    Args:
        where: the schema's file, url: the database's without password; both for messages.

    Attributes:
        schema: widened by the relations that properties are, with their words.
        relations: all names, sorted; ``ways``: what each is.
        types: types of relationship that are followed. labels: in the order in which they count.
        properties: those that are facts. keys: names of node properties among them.
        naming: all properties that name nodes, or are aliases.

    Raises:
        SchemaError: the schema has no layout.
    """

    def __init__(self, schema: Schema, where: str, url: str) -> None:
        if schema.layout is None:
            fix = f"Write one with kgqa connect {quote(url)} --out FILE"
            raise SchemaError("the schema doesn't say how the database lies", where=where, fix=fix)
        self.labels = tuple(schema.labels)
        self.types = tuple(name for name, relation in schema.relations.items() if not relation.skip)
        self.ways: dict[str, Way] = {name: Way("edge", name) for name in self.types}
        self.properties: list[Property] = []
        self._said: dict[str, RelationSchema] = {}
        self._label_layouts = schema.layout.labels
        for label, property_ in self._of_labels(schema):
            self._add(schema, label, property_)
        for type_ in self.types:
            self._add_held(schema, type_, schema.layout.relations.get(type_, RelationLayout()))
        self.schema = schema.model_copy(update={"relations": {**schema.relations, **self._said}})
        self.relations = tuple(sorted(self.ways))
        self.index = {name: at for at, name in enumerate(self.relations)}
        self.type_index = {name: at for at, name in enumerate(self.types)}
        self.keys = tuple(dict.fromkeys(p.name for p in self.properties if p.of == "label"))
        self.key_index = {name: at for at, name in enumerate(self.keys)}
        self.naming = tuple(
            dict.fromkeys(
                name
                for label in schema.labels.values()
                for name in ((label.name,) if label.name else ()) + label.aliases
            )
        )
        self.by_base = {p.base: p for p in self.properties}
        self._names = {name: (label.name, label.aliases, label.words) for name, label in schema.labels.items()}
        self._by_label = {(p.owner, p.name): p for p in self.properties if p.of == "label"}
        self._by_type = {(p.owner, p.name): p for p in self.properties if p.of == "type"}
        self.held = tuple(dict.fromkeys(p.name for p in self.properties if p.of == "type"))

    def nodes_of(self, label: str) -> int:
        """How many nodes a label had when the database was looked at."""
        return self._label_layouts.get(label, LabelLayout()).nodes

    def name_indexed(self, label: str) -> bool:
        """Whether nodes of a label are found by their name without looking at all of them."""
        name = self._names[label][0]
        laid = self._label_layouts.get(label, LabelLayout()).properties.get(name or "", PropertyLayout())
        return bool(name) and laid.indexed

    def name_of(self, label: str) -> str | None:
        return self._names[label][0]

    def primary(self, labels: Sequence[str]) -> str:
        """Which of a node's labels counts."""
        there = set(labels)
        return next((label for label in self.labels if label in there), next(iter(sorted(there)), DEFAULT_LABEL))

    def entity(self, id_: str, labels: Sequence[str], told: Sequence[object]) -> Entity:
        """A node as an entity.

        Args:
            told: values of ``naming``; a name may be a number, and an alias a list.
        """
        held = dict(zip(self.naming, told, strict=True))
        names: list[str] = []
        aliases: list[str] = []
        there = set(labels)
        for label in self.labels:
            if label in there:
                name, others, _ = self._names[label]
                names += _texts(held.get(name)) if name else []
                aliases += [text for other in others for text in _texts(held.get(other))]
        primary = self.primary(labels)
        if not names:
            number = id_.rpartition(":")[2]
            words = self._names[primary][2] if primary in self._names else None
            names = [f"{words or relation_words(primary)} {number}"]
        distinct = dict.fromkeys([*names, *aliases])
        first = names[0]
        return Entity(id_, first, primary, tuple(text for text in distinct if text != first))

    def value_at(self, id_: str) -> tuple[Property, str] | None:
        """The property and the text of a value's id; None if it is none."""
        if not id_.startswith(VALUE):
            return None
        base, colon, text = id_[1:].partition(":")
        found = self.by_base.get(base)
        return (found, text) if found and colon else None

    def told_at(self, labels: Sequence[str], key: str) -> Property | None:
        """Which property a node's property is: that of the first of its labels that lists it."""
        there = set(labels)
        return next((p for p in self.properties if p.of == "label" and p.name == key and p.owner in there), None)

    def held_at(self, type_: str, key: str) -> Property | None:
        return self._by_type.get((type_, key))

    def _of_labels(self, schema: Schema) -> Iterator[tuple[str, str]]:
        for label, said in schema.labels.items():
            for key, found in said.properties.items():
                if not found.skip and key != said.name and key not in said.aliases:
                    yield label, key

    def _add(self, schema: Schema, label: str, key: str) -> None:
        said = schema.labels[label].properties[key]
        laid = self._label_layouts.get(label, LabelLayout())
        before = tuple(p.owner for p in self.properties if p.of == "label" and p.name == key)
        name = self._free(f"{label}.{key}")
        property_ = Property(
            len(self.properties),
            "label",
            label,
            key,
            laid.properties.get(key, PropertyLayout(list=said.list)),
            before,
            laid.nodes,
            said.start,
            (name,),
        )
        self.properties.append(property_)
        self.ways[name] = Way("value", name, property_)
        words = said.words or relation_words(key)
        self._said[name] = RelationSchema(
            words=words,
            inverse=said.inverse,
            synonyms=said.synonyms,
            inverse_synonyms=said.inverse_synonyms,
            head=label,
            tail=said.type,
        )

    def _add_held(self, schema: Schema, type_: str, laid: RelationLayout) -> None:
        relation = schema.relations[type_]
        for key, said in relation.properties.items():
            if said.skip:
                continue
            names = (self._free(f"{type_}.{key}"), self._free(f"{TAIL}{type_}.{key}"))
            property_ = Property(
                len(self.properties),
                "type",
                type_,
                key,
                laid.properties.get(key, PropertyLayout(list=said.list)),
                (),
                laid.facts,
                said.start,
                names,
            )
            self.properties.append(property_)
            words = said.words or relation_words(key)
            sides = (
                (words, said.inverse, relation.head),
                (said.tail_words or words, said.tail_inverse or said.inverse, relation.tail),
            )
            for side, (name, (forward, inverse, end)) in enumerate(zip(names, sides, strict=True)):
                self.ways[name] = Way("value", name, property_, side)
                self._said[name] = RelationSchema(words=forward, inverse=inverse, head=end, tail=said.type)

    def _free(self, name: str) -> str:
        """A name that no relation has yet."""
        while name in self.ways:
            name += "'"
        return name


def _texts(value: object) -> list[str]:
    """Names in a property: a text, a number, or a list of these."""
    items = value if isinstance(value, list) else [value]
    return [text for item in items if item is not None and (text := str(item).strip())]
