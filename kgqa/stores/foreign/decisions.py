"""What a catalogue means: which property names a node, which are facts to ask for, how all is said; and why."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

from graph_schema.layout import Ends, LabelLayout, Layout, PropertyLayout, RelationLayout, StoredType
from graph_schema.schema import (
    LabelSchema,
    PropertySchema,
    PropertyType,
    RelationPropertySchema,
    RelationSchema,
    Schema,
)
from graph_schema.text import relation_words
from graph_schema.types import DEFAULT_LABEL
from kgqa.stores.foreign.catalogue import Catalogue, Label, Property, Relation
from kgqa.stores.foreign.wording import label_words, property_wording, relation_property_wording, relation_wording

Place = tuple[str, ...]
"""Where in a schema file: ("labels", "Movie", "name")."""

STORED_TYPES = frozenset(get_args(StoredType))
MAX_NAME = 500  # characters of a label, type or property; a schema takes no longer ones
EVERYWHERE = 0.9  # of all nodes: a label that says nothing ("Node", "Resource")
LONG_LIST = 50  # items; longer lists of numbers are vectors
LONG_TEXT = 50.0  # characters; longer ones on the average aren't what a question names
NAME_LENGTH = 80.0
YEARS = range(1000, 2101)
MOST = 0.9

_NAMES = ("name", "title", "label", "caption", "display name", "full name", "preferred name", "preferred label", "term")
_ALSO_NAMES = re.compile(
    r"\b(alias|aliases|synonyms?|aka|also known as|alt(ernate|ernative)? (names?|titles?|labels?)|nick ?names?|acronym|"
    r"abbreviations?|original (title|name)|short name|other names?|former names?)\b"
)
_IDENTIFIER = re.compile(r"\b(id|ids|uuid|guid|key|identifier|pk|oid|rowid|element id)$")
_SECRET = re.compile(r"\b(pass ?word|passwd|secret|salt|hash|token|api key|private key)\b")
_ADDRESS = re.compile(
    r"\b(url|uri|iri|link|href|website|homepage|image|photo|poster|picture|thumbnail|avatar|file|path)\b"
)
_LETTERS = re.compile(r"[^\W\d_]{2,}")


@dataclass
class Decided:
    """A schema with its ``layout``, and why each part of it is as it is."""

    schema: Schema
    why: dict[Place, str] = field(default_factory=dict)


def decide(catalogue: Catalogue) -> Decided:
    """Make a schema of what was found. Labels come in the order in which the first one of a node's labels counts."""
    why: dict[Place, str] = {}
    order = _in_order(catalogue)
    listed = {name: _listed(name, catalogue.labels, order) for name in order}
    labels = {name: _label(name, catalogue.labels[name], listed[name], why) for name in order}
    shared = _shared(catalogue)
    relations, ends = {}, {}
    for name, found in sorted(catalogue.relations.items()):
        if len(name) > MAX_NAME:
            continue
        ends[name] = _ends(found, order)
        relations[name] = _relation(name, found, ends[name], shared, why)
    layout = Layout(
        labels={name: _label_layout(catalogue.labels[name], listed[name]) for name in order},
        relations={
            name: RelationLayout(
                facts=catalogue.relations[name].facts, ends=ends[name], properties=_laid(catalogue.relations[name])
            )
            for name in relations
        },
    )
    return Decided(Schema(labels=labels, relations=relations, layout=layout), why)


# ---- labels


def _in_order(catalogue: Catalogue) -> list[str]:
    """Labels, larger ones first; one that nearly all nodes bear beside another one says least, and comes last."""
    said = [name for name in catalogue.labels if len(name) <= MAX_NAME]

    def empty(name: str) -> bool:
        label = catalogue.labels[name]
        beside = sum(label.with_others.values()) >= MOST * label.sampled
        return beside and label.nodes >= EVERYWHERE * catalogue.nodes and len(label.with_others) > 1

    return sorted(said, key=lambda name: (empty(name), -catalogue.labels[name].nodes, name))


def _listed(name: str, labels: Mapping[str, Label], order: Sequence[str]) -> dict[str, Property]:
    """The properties that are told of at this label: not those that all its nodes have by a label before it."""
    label = labels[name]
    above = [
        other
        for other in order[: order.index(name)]
        if label.sampled and label.with_others.get(other, 0) >= label.sampled
    ]
    return {
        key: found
        for key, found in label.properties.items()
        if len(key) <= MAX_NAME and not any(key in labels[other].properties for other in above)
    }


def _label(name: str, label: Label, listed: Mapping[str, Property], why: dict[Place, str]) -> LabelSchema:
    named, reason = _name(name, label)
    why["labels", name, "name"] = reason
    aliases = tuple(
        key
        for key, found in sorted(label.properties.items())
        if key != named and found.type == "STRING" and _ALSO_NAMES.search(relation_words(key))
    )
    if aliases:
        why["labels", name, "aliases"] = "their names say so"
    properties = {}
    for key, found in listed.items():
        if key == named or key in aliases:
            continue
        place = ("labels", name, "properties", key)
        skip, why[place] = _skipped(key, found)
        words, inverse = property_wording(key, name, years=_years(found), dates=_dates(found))
        properties[key] = PropertySchema(
            words=words,
            inverse=inverse,
            type=_type(found),
            list=found.list > 0,
            unique=found.unique,
            skip=skip,
            start=_starts(key, found),
        )
    return LabelSchema(name=named, aliases=aliases, words=label_words(name), properties=properties)


def _name(label: str, found: Label) -> tuple[str | None, str]:
    """The property that names the nodes of a label, and why."""
    scored = sorted(
        ((score, key) for key, held in found.properties.items() if (score := _name_score(key, held, label)) > 0),
        key=lambda pair: (-pair[0], pair[1]),
    )
    if not scored:
        return None, "no property of these nodes looks like a name; they are shown by label and number"
    key = scored[0][1]
    held = found.properties[key]
    said = [
        "no two nodes share it (constraint)"
        if held.unique
        else f"{100 * held.distinct:.0f} % of its values seen are distinct",
        f"{100 * held.coverage:.0f} % of the nodes seen have it",
    ]
    if held.type != "STRING":
        said.insert(0, "there is no text that would do")
    if len(scored) > 1:
        said.append(f"next best: {scored[1][1]}")
    return key, "; ".join(said)


def _name_score(key: str, found: Property, label: str) -> float:
    """How well a property would do as the name; 0: not at all."""
    words, thing = relation_words(key), label_words(label)
    if found.list or found.coverage < 0.3 or _SECRET.search(words) or len(key) > MAX_NAME:
        return 0.0
    if found.type != "STRING":  # a number, if it tells nodes apart, is better than none
        return 0.1 if found.type == "INTEGER" and found.unique else 0.0
    if _ALSO_NAMES.search(words) or found.mean_length > 3 * NAME_LENGTH:
        return 0.05
    called = 0.0
    if words in _NAMES:
        called = 3.0 - 0.1 * _NAMES.index(words)
    elif words in (thing, f"{thing} name", f"{thing} title", f"{thing} label"):
        called = 2.5
    elif words.split()[-1] in ("name", "title", "label"):
        called = 1.5
    textual = sum(bool(_LETTERS.search(value)) for value in found.values) / max(len(found.values), 1)
    score = called + found.distinct + found.coverage + textual + 0.5 * found.unique + 0.25 * found.indexed
    if _IDENTIFIER.search(words) or _ADDRESS.search(words) or words.split()[-1] == "code":
        score -= 2.0
    if found.mean_length > NAME_LENGTH:
        score -= 1.0
    if not called and found.distinct < 0.5:
        return 0.0  # a kind, a state, a unit: many nodes share it
    return max(score, 0.01)


# ---- relations


def _ends(found: Relation, order: Sequence[str]) -> tuple[Ends, ...]:
    """What a type joins, by the first label of each end; of the samples' shares, in relationships."""
    place = {name: at for at, name in enumerate(order)}
    counts: dict[tuple[str, str], int] = {}
    for sides, n in found.ends.items():
        head, tail = (
            min((label for label in side if label in place), key=place.__getitem__, default=DEFAULT_LABEL)
            for side in sides
        )
        counts[head, tail] = counts.get((head, tail), 0) + n
    return tuple(
        Ends(head=head, tail=tail, facts=round(found.facts * n / max(found.sampled, 1)))
        for (head, tail), n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    )


def _relation(
    name: str, found: Relation, ends: Sequence[Ends], shared: frozenset[str], why: dict[Place, str]
) -> RelationSchema:
    heads = list(dict.fromkeys(end.head for end in ends))
    tails = list(dict.fromkeys(end.tail for end in ends))
    words, inverse = relation_wording(name, heads, tails)
    why["relations", name] = "; ".join(f"{end.head} -> {end.tail}, about {end.facts:,}" for end in ends[:5]) + (
        f"; {len(ends) - 5} more" if len(ends) > 5 else ""
    )
    properties = {}
    for key, held in found.properties.items():
        if len(key) > MAX_NAME:
            continue
        skip, why["relations", name, "properties", key] = _skipped(key, held)
        said = relation_property_wording(key, name, heads, tails, shared=key in shared)
        properties[key] = RelationPropertySchema(
            words=said[0],
            inverse=said[1],
            tail_words=said[2],
            tail_inverse=said[3],
            type=_type(held),
            list=held.list > 0,
            skip=skip,
            start=_starts(key, held),
        )
    return RelationSchema(words=words, inverse=inverse, head=heads[0], tail=tails[0], properties=properties)


def _shared(catalogue: Catalogue) -> frozenset[str]:
    """Properties of relationships whose name alone doesn't say which is meant."""
    held = [key for found in catalogue.relations.values() for key in found.properties]
    nodes = {key for found in catalogue.labels.values() for key in found.properties}
    return frozenset(key for key in held if held.count(key) > 1 or key in nodes)


# ---- properties


def _skipped(key: str, found: Property) -> tuple[bool, str]:
    """Whether a property is no fact to ask for, and why it is or isn't."""
    words = relation_words(key)
    seen = f"{100 * found.coverage:.0f} % have it"
    if found.type.lower() not in STORED_TYPES:
        return True, f"no fact: values of type {found.type}"
    if _SECRET.search(words):
        return True, "no fact: by its name it is a secret"
    if found.longest_list > LONG_LIST and found.type in ("FLOAT", "INTEGER"):
        return True, f"no fact: a vector of {found.longest_list} numbers"
    if _IDENTIFIER.search(words) or (found.unique and key.lower().endswith("id")):
        return True, "no fact: an identifier"
    example = next((value for value in found.values if value), "")
    shown = example if len(example) <= 40 else f"{example[:37]}..."
    return False, f"{seen}; such as {shown!r}"


def _starts(key: str, found: Property) -> bool:
    """Whether a question may start from a value."""
    if found.type in ("BOOLEAN", "POINT", "DURATION"):
        return False
    return not (found.type == "STRING" and (found.mean_length > LONG_TEXT or _ADDRESS.search(relation_words(key))))


def _type(found: Property) -> PropertyType:
    types: dict[str, PropertyType] = {
        "INTEGER": "integer",
        "FLOAT": "float",
        "BOOLEAN": "boolean",
        "DATE": "date",
        "ZONED DATETIME": "datetime",
        "LOCAL DATETIME": "datetime",
    }
    return types.get(found.type, "string")


def _years(found: Property) -> bool:
    if found.type != "INTEGER" and not (found.type == "STRING" and found.mean_length == 4):
        return False
    return bool(found.values) and sum(v.isdecimal() and int(v) in YEARS for v in found.values) >= MOST * len(
        found.values
    )


def _dates(found: Property) -> bool:
    return found.type in ("DATE", "ZONED DATETIME", "LOCAL DATETIME")


def _label_layout(label: Label, listed: Mapping[str, Property]) -> LabelLayout:
    properties = _held({key: found for key, found in label.properties.items() if key in listed or len(key) <= MAX_NAME})
    return LabelLayout(nodes=label.nodes, properties=properties)


def _laid(found: Relation) -> dict[str, PropertyLayout]:
    return _held(found.properties)


def _held(properties: Mapping[str, Property]) -> dict[str, PropertyLayout]:
    return {
        key: PropertyLayout.model_validate(
            {"type": found.type.lower(), "list": found.list > 0, "indexed": found.indexed and not found.list}
        )
        for key, found in properties.items()
        if found.type.lower() in STORED_TYPES and len(key) <= MAX_NAME
    }
