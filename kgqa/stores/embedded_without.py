"""What would be left in the embedded store without some origins; inside a transaction of the caller."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby, islice

import numpy as np

from graph_schema.types import Entity, Fact, Int64s, Properties
from kgqa.stores import embedded_sql as sql
from kgqa.stores.batches import shown, storable
from kgqa.stores.embedded_entities import remade, what_each_said
from kgqa.stores.embedded_ledger import kept_without
from kgqa.stores.embedded_log import FactIndex, origin_set
from kgqa.stores.embedded_names import entity_of
from kgqa.stores.embedded_read import facts_in_words
from kgqa.stores.keys import KeySet
from kgqa.stores.properties import decoded, together

ROWS = 5_000


def marked(connection: sqlite3.Connection, index: FactIndex, origins: Collection[int], *, alone: bool) -> Int64s:
    """The facts that have a mark of these origins, as keys, ascending; ``alone``: and no other."""
    found = KeySet()
    for origin in origins:
        found.add(origin_set(connection, origin, index.layout).all())
    keys = found.all()
    return keys[~kept_without(connection, keys, {*origins}, index.layout)] if alone else keys


def spoken_of(connection: sqlite3.Connection, ids: Sequence[str]) -> set[str]:
    """See ``LoadLedger.spoken_of``."""
    asked = json.dumps([id_ for id_ in dict.fromkeys(ids) if storable(id_)])
    return {row[1] for row in connection.execute(sql.STORED, (asked,)) if row[-2] is not None}


def entities_without(connection: sqlite3.Connection, origins: Sequence[int]) -> Iterator[tuple[Entity, Entity | None]]:
    """See ``LoadLedger.entities_without``."""
    keys = connection.execute(sql.SPOKEN_OF_ANY, (json.dumps([*origins]),))
    while part := [key for (key,) in islice(keys, ROWS)]:
        for *columns, sole, line in connection.execute(sql.STORED_BY_KEY, (json.dumps(part),)).fetchall():
            live = entity_of(columns)
            said = what_each_said(connection, columns[0], live, sole, line)
            rest = {origin: record for origin, record in said.items() if origin not in origins}
            yield shown(live), shown(remade(live.id, rest)) if rest else None


def properties_without(
    connection: sqlite3.Connection, index: FactIndex, origins: Sequence[int]
) -> Iterator[tuple[Fact, Properties, Properties | None]]:
    """See ``LoadLedger.properties_without``. Memory: 24 bytes a fact."""
    asked = (json.dumps([*origins]),)
    told = connection.execute(sql.TOLD_BY_ORIGINS, asked)
    rows = np.fromiter((number for fact in told for number in fact), np.int64).reshape(-1, 3)
    keys = index.layout.pack(*rows.T)
    kept = kept_without(connection, keys, {*origins}, index.layout)
    facts = facts_in_words(connection, index, keys)
    said = groupby(connection.execute(sql.PROPERTIES_BY_ORIGINS, asked), key=lambda row: row[:3])
    for fact, stays, (_, given) in zip(facts, kept.tolist(), said, strict=True):
        properties = {origin: decoded(text) for *_, origin, text in given}
        rest = {origin: had for origin, had in properties.items() if origin not in origins}
        yield fact, together(properties), together(rest) if stays else None
