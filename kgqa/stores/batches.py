"""What every store does to a batch before it writes it: refuse what no store can keep, and merge what comes twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from graph_schema.errors import InputError
from graph_schema.text import name_key
from graph_schema.types import DEFAULT_LABEL, Batch, Entity, Fact

MAX_ID_BYTES = 8_000  # of UTF-8; Neo4j's index takes 8,167 and stops the whole database beyond its limits
MAX_NAME_CHARACTERS = 500  # of a relation or label; the same limit as in a schema file


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch, checked.

    Attributes:
        ids: of all entities, those that only facts mention too, ascending.
        entities: what the batch says of entities, by id, in its order.
        facts: the distinct facts by relation name, each list ascending.
        given: how many facts the batch had, duplicates counted.
    """

    ids: list[str]
    entities: dict[str, list[Entity]]
    facts: dict[str, list[tuple[str, str]]]
    given: int


def prepare(batch: Batch) -> Prepared:
    """Check and sort a batch.

    Raises:
        InputError: an id, name or relation that can't be kept in every store.
    """
    said: dict[str, list[Entity]] = {}
    for entity in batch.entities:
        said.setdefault(entity.id, []).append(entity)
    pairs: dict[str, set[tuple[str, str]]] = {}
    for fact in batch.facts:
        pairs.setdefault(fact.relation, set()).add((fact.head, fact.tail))
    mentioned = set(said)
    for found in pairs.values():
        for pair in found:
            mentioned.update(pair)
    ids = sorted(mentioned)
    _check_ids(ids)
    _check_texts(text for entity in batch.entities for text in (entity.name, *entity.aliases))
    _check_identifiers("relation", pairs)
    _check_identifiers("label", {entity.label for entity in batch.entities} - {""})
    return Prepared(
        ids,
        said,
        {relation: sorted(pairs[relation]) for relation in sorted(pairs)},
        len(batch.facts),
    )


def combined(old: Entity | None, said: Iterable[Entity]) -> Entity:
    """What is said of an entity, merged in order into what is stored of it, as ``GraphWriter.write`` describes.

    What comes back is to be stored: unlike in an entity that is shown, an alias may equal the name while that is only
    the id, since it stays one when a name comes. So a batch written twice changes nothing the second time.
    """
    for new in said:
        old = old or Entity(new.id, new.id)
        name = new.name if old.name == old.id and new.name else old.name
        second = (new.name,) if new.name != new.id else ()
        aliases = dict.fromkeys((*old.aliases, *second, *new.aliases))
        kept = tuple(alias for alias in aliases if alias and (alias != name or name == old.id))
        old = Entity(old.id, name, (new.label or DEFAULT_LABEL) if old.label == DEFAULT_LABEL else old.label, kept)
    if old is None:
        raise ValueError("nothing was said of the entity")
    return old


def shown(stored: Entity) -> Entity:
    """A stored entity as readers get it: its name isn't an alias too."""
    if stored.name not in stored.aliases:
        return stored
    aliases = tuple(alias for alias in stored.aliases if alias != stored.name)
    return Entity(stored.id, stored.name, stored.label, aliases)


def name_keys(entity: Entity) -> tuple[str, ...]:
    """The distinct keys that the entity is found by; a blank name has none."""
    if not entity.aliases:
        key = name_key(entity.name)
        return (key,) if key else ()
    return tuple(key for key in dict.fromkeys(map(name_key, (entity.name, *entity.aliases))) if key)


def by_relation(facts: Sequence[Fact]) -> dict[str, list[tuple[str, str]]]:
    """The distinct facts as (head, tail) by relation, both sorted."""
    pairs: dict[str, set[tuple[str, str]]] = {}
    for fact in facts:
        pairs.setdefault(fact.relation, set()).add((fact.head, fact.tail))
    return {relation: sorted(pairs[relation]) for relation in sorted(pairs)}


def storable(text: str) -> bool:
    """Whether the text is one that any store can hold: neither a NUL nor half of a surrogate pair in it."""
    if "\0" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_ids(ids: Sequence[str]) -> None:
    _check_texts(ids)
    for id_ in ids:
        if not id_:
            raise InputError("an entity has an empty id", fix="Give every entity an id of at least one character")
        if len(id_) > MAX_ID_BYTES // 4 and len(id_.encode()) > MAX_ID_BYTES:
            raise InputError(
                f"the entity id {id_[:60]!r}... is longer than {MAX_ID_BYTES:,} bytes",
                fix="Use a shorter id and keep the text as the entity's name",
            )


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
