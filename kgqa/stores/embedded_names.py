"""Entities and their names in the embedded store's file: columns as entities, and the tables that names are found by.

``name`` has a row for each key of each entity; ``likeness``, the trigram index over it, gets up to date in ``finish``.
Row keys of entities and of names are never given twice.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence

from rapidfuzz import fuzz, process

from graph_schema.types import DEFAULT_LABEL, Entity
from kgqa.stores import embedded_sql as sql
from kgqa.stores.batches import keys_of_names, name_keys
from kgqa.stores.embedded_log import text_list
from kgqa.stores.properties import decoded, encoded

Columns = tuple[int, str, str | None, str | None, str | None, str | None]  # key, id, name, label, aliases, properties
ROWS = 20_000  # read at a time
NAMES_AT_ONCE = 50_000  # taken into the index; about 0.1 s


def entity_of(columns: Sequence[object]) -> Entity:
    """An entity as it is stored, from columns key, id, name, label, aliases, properties."""
    _, id_, name, label, aliases, properties = columns
    assert isinstance(id_, str)
    return Entity(
        id_,
        id_ if name is None else str(name),
        DEFAULT_LABEL if label is None else str(label),
        () if aliases is None else tuple(json.loads(str(aliases))),
        {} if properties is None else decoded(str(properties)),
    )


def columns_of(entity: Entity) -> tuple[str | None, str | None, str | None, str | None]:
    """Columns name, label, aliases, properties; the usual ones are NULL."""
    return (
        None if entity.name == entity.id else entity.name,
        None if entity.label == DEFAULT_LABEL else entity.label,
        json.dumps(entity.aliases, ensure_ascii=False) if entity.aliases else None,
        encoded(entity.properties) or None,
    )


class Names:
    """The names of entities, in a transaction that the caller holds.

    Args:
        last: the last row of ``name`` that was ever given.
    """

    def __init__(self, connection: sqlite3.Connection, last: int) -> None:
        self._connection = connection
        self.last = last

    def add_ids(self, first: int, ids: Sequence[str]) -> None:
        """Entities that are called by their ids; their row keys are ``first`` and those that follow."""
        if ids:
            keys = text_list(keys_of_names(ids))
            self._connection.execute(sql.ADD_BARE_NAMES, (self.last + 1, first, keys))
            self.last += len(ids)

    def add_entities(self, entities: Sequence[tuple[int, Entity]]) -> None:
        """New entities and their row keys."""
        keys = keys_of_names([entity.name for _, entity in entities])
        pairs = [(key, row) for key, (row, entity) in zip(keys, entities, strict=True) if key and not entity.aliases]
        self._add(pairs)
        self.add((row, name_keys(entity)) for row, entity in entities if entity.aliases)

    def add(self, keys: Iterable[tuple[int, Sequence[str]]]) -> None:
        """Keys by entity."""
        self._add([(key, entity) for entity, found in keys for key in found])

    def _add(self, pairs: Sequence[tuple[str, int]]) -> None:
        self._connection.executemany(sql.ADD_NAME, [(row, *pair) for row, pair in enumerate(pairs, self.last + 1)])
        self.last += len(pairs)

    def drop(self, entity: int, keys: Iterable[str]) -> None:
        """Keys that an entity has no more."""
        (through,) = self._connection.execute(sql.GET_META, ("likeness",)).fetchone()
        for key in keys:
            (row,) = self._connection.execute(sql.FIND_NAME, (key, entity)).fetchone()
            if row <= through:
                self._connection.execute(sql.DROP_LIKENESS, (row, key))
            self._connection.execute(sql.DROP_NAME, (row,))


class NoNames(Names):
    """Where nothing is ever looked up by its name."""

    def add_ids(self, first: int, ids: Sequence[str]) -> None:
        """Nothing."""

    def add_entities(self, entities: Sequence[tuple[int, Entity]]) -> None:
        """Nothing."""

    def add(self, keys: Iterable[tuple[int, Sequence[str]]]) -> None:
        """Nothing."""

    def drop(self, entity: int, keys: Iterable[str]) -> None:
        """Nothing."""


def index_likeness(connection: sqlite3.Connection) -> bool:
    """Take some of the names that came since the last time into the trigram index; returns whether there are more.

    In a transaction.
    """
    through, last = new_names(connection)
    some = min(last, through + NAMES_AT_ONCE)
    if some > through:
        connection.execute(sql.ADD_LIKENESS, (through, some))
        connection.execute(sql.SET_META, ("likeness", some))
    return last > some


def new_names(connection: sqlite3.Connection) -> tuple[int, int]:
    """The last row of ``name`` that is in the trigram index, and the last there is."""
    (through,) = connection.execute(sql.GET_META, ("likeness",)).fetchone()
    (last,) = connection.execute(sql.GET_META, ("last_name",)).fetchone()
    return through, last


def alike(connection: sqlite3.Connection, key: str, most: int) -> list[Columns]:
    """Entities that may bear a name like this key: by its beginning, by its trigrams, and by a look at all new ones."""
    rows: list[Columns] = connection.execute(sql.STARTS_WITH, (key, key + "\U0010ffff", most)).fetchall()
    trigrams = sorted({key[at : at + 3] for at in range(len(key) - 2)})[:most]
    if trigrams:
        query = " OR ".join('"' + trigram.replace('"', '""') + '"' for trigram in trigrams)
        rows += connection.execute(sql.LIKE, (query, most)).fetchall()
    (through,) = connection.execute(sql.GET_META, ("likeness",)).fetchone()
    near: set[int] = set()
    new = connection.execute(sql.NAMES_AFTER, (through,))
    while part := new.fetchmany(ROWS):
        names = [name for name, _ in part]
        for scorer in (fuzz.ratio, fuzz.token_set_ratio):
            found = process.extract(key, names, scorer=scorer, limit=most, score_cutoff=50, processor=None)
            near.update(part[place][1] for _, _, place in found)
    if near:
        rows += connection.execute(sql.ENTITIES_BY_KEY, (json.dumps(sorted(near)),)).fetchall()
    return rows
