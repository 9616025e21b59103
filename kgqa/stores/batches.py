"""What every store does to a batch before it writes it: refuse what no store can keep, and merge what comes twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import count, repeat

import numpy as np

from graph_schema.errors import InputError
from graph_schema.merging import combined, shown
from graph_schema.text import name_key
from graph_schema.texts import Texts, distinct
from graph_schema.types import Batch, Entity, Fact, Facts, Int64s, Properties, Value
from kgqa.stores.properties import check_properties, storable

__all__ = [
    "Pairs",
    "Prepared",
    "Said",
    "by_relation",
    "check_ids",
    "check_relations",
    "combined",
    "declared_of",
    "id_texts",
    "keys_of_names",
    "line_numbers",
    "name_keys",
    "numbered",
    "prepare",
    "said_of_entities",
    "shown",
    "storable",
]

MAX_ID_BYTES = 8_000  # of UTF-8; Neo4j's index takes 8,167 and stops the whole database beyond its limits
MAX_NAME_CHARACTERS = 500  # of a relation or label; the same limit as in a schema file
Pair = tuple[str, str]
_WORDS = bytes(
    ord(chr(code).lower()) if chr(code).isalnum() or chr(code) in "_\n" else ord(" ") for code in range(128)
).ljust(256)
"""What stands for each ASCII character in a key."""


@dataclass(slots=True)
class Said:
    """What a batch says of one entity.

    Attributes:
        line: of the first time; 0: not known.
        told: each time, in order.
    """

    line: int
    told: list[Entity]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Distinct facts of one relation, ascending by head and tail, in columns of the same length.

    Attributes:
        heads, tails: positions in ``Prepared.ids``; int64 [F].
        lines: the first line of each, 0: not known; int64 [F].
        properties: of those that have any, by place, merged in the batch's order.
    """

    heads: Int64s
    tails: Int64s
    lines: Int64s
    properties: dict[int, dict[str, Value]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.heads)

    def told(self, places: Int64s) -> dict[int, Properties]:
        """Properties of some of the facts, by position among ``places``, their own in the columns."""
        if not self.properties:
            return {}
        found = ((at, self.properties.get(place)) for at, place in enumerate(places.tolist()))
        return {at: properties for at, properties in found if properties}


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch, checked.

    Attributes:
        ids: of all entities, those that only facts mention too, ascending.
        entities: what the batch says of entities, by id, in its order.
        facts: by relation name, ascending.
        given: how many facts the batch had, duplicates counted.
        entity_lines: of each entity that the batch says something of, the first line.
        declared: ids of the entities that ``Batch.declared`` says.
    """

    ids: list[str]
    entities: dict[str, list[Entity]]
    facts: dict[str, Pairs]
    given: int
    entity_lines: dict[str, int] = field(default_factory=dict)
    declared: AbstractSet[str] = frozenset()


def prepare(batch: Batch) -> Prepared:
    """Check and sort a batch.

    Raises:
        InputError: an id, name, relation or property that can't be kept in every store.
    """
    said = said_of_entities(batch)
    facts = Facts.of(batch.facts)
    ids = sorted({*said}.union(distinct(facts.heads), distinct(facts.tails)))
    check_ids(ids)
    relations = sorted(distinct(facts.relations))
    check_relations(relations)
    if batch.fact_properties:
        check_properties(batch.fact_properties)
    return Prepared(
        ids,
        {id_: heard.told for id_, heard in said.items()},
        _pairs(batch, facts, ids, relations),
        len(facts),
        {id_: heard.line for id_, heard in said.items()},
        declared_of(batch, said),
    )


def _pairs(batch: Batch, facts: Facts, ids: Sequence[str], relations: Sequence[str]) -> dict[str, Pairs]:
    """The facts of a batch by relation, given all ids and relations that it has, ascending."""
    heads, tails, kinds = _places(facts.heads, ids), _places(facts.tails, ids), _places(facts.relations, relations)
    lines = line_numbers(batch)
    order = np.lexsort((tails, heads, kinds))  # stable: of a fact that comes twice, the first stays before the second
    first = np.ones(len(order), bool)
    for column in (kinds, heads, tails):
        column[:] = column[order]
    first[1:] = (kinds[1:] != kinds[:-1]) | (heads[1:] != heads[:-1]) | (tails[1:] != tails[:-1])
    kept = np.flatnonzero(first)
    bounds = np.searchsorted(kinds[kept], np.arange(len(relations) + 1)).tolist()
    found = {}
    for relation, low, high in zip(relations, bounds, bounds[1:], strict=False):
        chosen = kept[low:high]
        found[relation] = Pairs(heads[chosen], tails[chosen], lines[order[chosen]])
    if batch.fact_properties:
        place = np.empty(len(order), np.int64)
        place[order] = np.cumsum(first) - 1
        start = dict(zip(relations, bounds, strict=False))
        for at, (relation, given) in enumerate(zip(facts.relations, batch.fact_properties, strict=True)):
            if given:
                found[relation].properties.setdefault(int(place[at]) - start[relation], {}).update(given)
    return found


def _places(texts: Sequence[str], among: Sequence[str]) -> Int64s:
    """Position of each in a list that has all of them."""
    place = dict(zip(among, range(len(among)), strict=True))
    names, which = numbered(texts)
    return np.fromiter(map(place.__getitem__, names), np.int64, len(names))[which]


def numbered(texts: Sequence[str]) -> tuple[Sequence[str], Int64s]:
    """Each of some texts at least once, and for each place which of them stands there."""
    if isinstance(texts, Texts):
        return texts.distinct()
    numbers: defaultdict[str, int] = defaultdict(count().__next__)
    places = np.fromiter(map(numbers.__getitem__, texts), np.int64, len(texts))
    return [*numbers], places


def line_numbers(batch: Batch) -> Int64s:
    """Of the facts of a batch."""
    lines = batch.fact_lines
    if isinstance(lines, range):
        return np.arange(lines.start, lines.stop, lines.step)
    return np.fromiter(lines or repeat(0, len(batch.facts)), np.int64, len(batch.facts))


def said_of_entities(batch: Batch) -> dict[str, Said]:
    """What a batch says of entities, by id, in its order; checked, but for the ids.

    Raises:
        InputError: a name, alias, label or property that can't be kept in every store.
    """
    entities, lines = batch.entities, batch.entity_lines or [0] * len(batch.entities)
    said = {entity.id: Said(line, [entity]) for entity, line in zip(entities, lines, strict=True)}
    if len(said) < len(entities):
        said = {}
        for entity, line in zip(entities, lines, strict=True):
            said.setdefault(entity.id, Said(line, [])).told.append(entity)
    _check_texts([entity.name for entity in entities])
    _check_texts([alias for entity in entities if entity.aliases for alias in entity.aliases])
    _check_identifiers("label", {entity.label for entity in entities} - {""})
    check_properties([entity.properties for entity in entities if entity.properties])
    return said


def declared_of(batch: Batch, said: Mapping[str, Said]) -> AbstractSet[str]:
    """Ids of the entities that ``Batch.declared`` says; ``said``: what ``said_of_entities`` gives."""
    if batch.declared is None or batch.declared >= len(batch.entities):
        return said.keys()
    return {entity.id for entity in batch.entities[: batch.declared]}


def name_keys(entity: Entity) -> tuple[str, ...]:
    """The distinct keys that the entity is found by; a blank name has none."""
    if not entity.aliases:
        key = name_key(entity.name)
        return (key,) if key else ()
    return tuple(key for key in dict.fromkeys(map(name_key, (entity.name, *entity.aliases))) if key)


def keys_of_names(names: Sequence[str]) -> list[str]:
    """``text.name_key`` of each, many at once: ASCII names are folded as one text."""
    text = "\n".join(names)
    if not text.isascii():
        text = "\n".join([name if name.isascii() else "" for name in names])
    text = text.encode().translate(_WORDS).decode()
    while "  " in text:
        text = text.replace("  ", " ")
    keys = text.replace(" \n", "\n").replace("\n ", "\n").strip(" ").split("\n")
    if len(keys) != len(names):  # some have a line break in them
        return list(map(name_key, names))
    return [key or name_key(name) for key, name in zip(keys, names, strict=True)]


def by_relation(facts: Sequence[Fact]) -> dict[str, list[Pair]]:
    """The distinct facts as (head, tail) by relation, both sorted."""
    pairs: dict[str, set[Pair]] = {}
    for fact in facts:
        pairs.setdefault(fact.relation, set()).add((fact.head, fact.tail))
    return {relation: sorted(pairs[relation]) for relation in sorted(pairs)}


def check_ids(ids: Sequence[str]) -> None:
    """Refuse ids that can't be kept in every store.

    Raises:
        InputError: naming the first of them.
    """
    _check_texts(ids)
    lengths = [*map(len, ids)]
    if not lengths or (min(lengths) and max(lengths) <= MAX_ID_BYTES // 4):
        return
    for id_ in ids:
        if not id_:
            raise InputError("an entity has an empty id", fix="Give every entity an id of at least one character")
        if len(id_) > MAX_ID_BYTES // 4 and len(id_.encode()) > MAX_ID_BYTES:
            raise InputError(
                f"the entity id {id_[:60]!r}... is longer than {MAX_ID_BYTES:,} bytes",
                fix="Use a shorter id and keep the text as the entity's name",
            )


def id_texts(ids: Sequence[str]) -> Texts:
    """Ids as a column of texts.

    Raises:
        InputError: one has half of a surrogate pair.
    """
    try:
        return Texts.of(ids)
    except UnicodeEncodeError:
        _check_texts(ids)
        raise


def check_relations(names: Iterable[str]) -> None:
    """Refuse relations that can't be kept in every store.

    Raises:
        InputError: naming the first of them.
    """
    _check_identifiers("relation", names)


def _check_texts(texts: Iterable[str]) -> None:
    texts = list(texts)
    if storable("".join(texts)):  # one pass over all; a pair of halves that only joins here is found in the next pass
        return
    for text in texts:
        if not storable(text):
            raise InputError(f"{text[:60]!r} has a NUL or half of a surrogate pair in it", fix="Clean the text first")


def _check_identifiers(kind: str, names: Iterable[str]) -> None:
    for name in names:
        if not name or len(name) > MAX_NAME_CHARACTERS or not storable(name):
            raise InputError(
                f"{name[:60]!r} can't be the name of a {kind}",
                fix=f"Use 1 to {MAX_NAME_CHARACTERS} characters, without NUL or half surrogate pairs",
            )
