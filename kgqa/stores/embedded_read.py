"""Reading the embedded store beyond what its arrays know; inside a transaction of the caller."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from graph_schema.ports import Group, Neighbours, Offer
from graph_schema.types import DEFAULT_LABEL, Entity, Fact, Int64s, Value
from kgqa.stores import embedded_sql as sql
from kgqa.stores.batches import shown, storable
from kgqa.stores.embedded_arrays import EmbeddedArrays
from kgqa.stores.embedded_log import FactIndex, key_list
from kgqa.stores.embedded_names import entity_of
from kgqa.stores.properties import decoded

FACTS = 20_000  # of a stream, put into words at a time


def row_keys_of(connection: sqlite3.Connection, ids: Sequence[str]) -> Int64s:
    """The row key of each id, int64; -1 where there is none."""
    found = dict(connection.execute(sql.KEYS, (_distinct(ids),)))
    return np.fromiter((found.get(id_, -1) for id_ in ids), np.int64, len(ids))


def ids_of(connection: sqlite3.Connection, keys: Int64s) -> dict[int, str]:
    """The id of each row key."""
    return dict(connection.execute(sql.IDS, (key_list(np.unique(keys)),)))


def values(
    connection: sqlite3.Connection, label: str, name: str, without: Sequence[int]
) -> Iterator[tuple[str, Value]]:
    """See ``LoadLedger.values``."""
    given = None if label == DEFAULT_LABEL else label, json.dumps([*without])
    for id_, text in connection.execute(sql.VALUES, given):
        if (value := decoded(text).get(name)) is not None:
            yield id_, value


def keys_of(connection: sqlite3.Connection, index: FactIndex, facts: Sequence[Fact]) -> tuple[Int64s, Int64s]:
    """Positions and keys of the facts whose ends and relations are known; they needn't be there."""
    relations = dict(connection.execute(sql.RELATION_KEYS))
    heads = row_keys_of(connection, [fact.head for fact in facts])
    tails = row_keys_of(connection, [fact.tail for fact in facts])
    kinds = np.fromiter((relations.get(fact.relation, -1) for fact in facts), np.int64, len(facts))
    at = np.flatnonzero((heads >= 0) & (kinds >= 0) & (tails >= 0))
    return at, index.layout.pack(heads[at], kinds[at], tails[at])


def lookup(connection: sqlite3.Connection, keys: Sequence[str]) -> dict[str, tuple[Entity, ...]]:
    """See ``GraphReader.lookup``."""
    found: dict[str, list[Entity]] = {}
    for key, *columns in connection.execute(sql.LOOKUP, (_distinct(keys),)):
        found.setdefault(key, []).append(shown(entity_of(columns)))
    return {key: tuple(found[key]) for key in keys if key in found}


def entities(connection: sqlite3.Connection, ids: Sequence[str]) -> dict[str, Entity]:
    """See ``GraphReader.entities``."""
    found = (shown(entity_of(columns)) for columns in connection.execute(sql.ENTITIES, (_distinct(ids),)))
    return {entity.id: entity for entity in found}


def holds(connection: sqlite3.Connection, index: FactIndex, facts: Sequence[Fact]) -> list[bool]:
    """See ``GraphReader.holds``."""
    held = np.zeros(len(facts), bool)
    at, keys = keys_of(connection, index, facts)
    held[at] = index.forward.contains(keys)
    return [bool(fact) for fact in held]


def offer(
    connection: sqlite3.Connection,
    index: FactIndex,
    ids: Sequence[str],
    relations: tuple[str, ...],
    relation_rank: Mapping[int, int],
) -> Offer:
    """See ``GraphReader.offer``; ``relation_rank``: place among the names of ``relations`` by row key."""
    nodes = row_keys_of(connection, ids)
    known = np.flatnonzero(nodes >= 0)
    around = index.layout.around(nodes[known])
    rank = np.zeros(max(relation_rank, default=0) + 1, np.int64)
    rank[list(relation_rank)] = list(relation_rank.values())
    codes = []
    for inverse, facts in enumerate((index.forward, index.backward)):
        owner, keys = facts.between(*around)
        codes.append((known[owner] << 32) | (2 * rank[index.layout.kind(keys)] + inverse))
    groups, count = np.unique(np.concatenate(codes), return_counts=True)
    return Offer(groups >> 32, groups & (2**32 - 1), count.astype(np.int64), relations)


def expand(
    connection: sqlite3.Connection,
    index: FactIndex,
    groups: Sequence[Group],
    relation_key: Mapping[str, int],
    arrays: EmbeddedArrays | None,
) -> Neighbours:
    """See ``GraphReader.expand``."""
    nodes = row_keys_of(connection, [group.entity for group in groups])
    kinds = np.fromiter((relation_key.get(group.relation, -1) for group in groups), np.int64, len(groups))
    limits = [max(group.limit, 0) for group in groups]
    far: list[Int64s] = [np.zeros(0, np.int64)] * len(groups)
    inverse = np.fromiter((group.inverse for group in groups), bool, len(groups))
    for back, facts in ((False, index.forward), (True, index.backward)):
        asked = np.flatnonzero((nodes >= 0) & (kinds >= 0) & (inverse == back))
        low = index.layout.pack(nodes[asked], kinds[asked], np.zeros(len(asked), np.int64))
        owner, keys = facts.between(low, low + (1 << index.layout.entity))
        order = np.argsort(owner, kind="stable")
        ends = np.cumsum(np.bincount(owner, minlength=len(asked)))
        for at, part in zip(asked.tolist(), np.split(index.layout.far(keys[order]), ends[:-1]), strict=False):
            far[at] = _first(part, limits[at], arrays)
    names = ids_of(connection, np.concatenate([np.zeros(0, np.int64), *far]))
    found = [sorted(names[key] for key in keys.tolist())[:limit] for keys, limit in zip(far, limits, strict=True)]
    counts = np.fromiter(map(len, found), np.int64, len(found))
    return Neighbours(np.repeat(np.arange(len(groups)), counts), [id_ for ids in found for id_ in ids])


def _first(keys: Int64s, limit: int, arrays: EmbeddedArrays | None) -> Int64s:
    """Of these row keys, those that may be among the first by id: the first of those with a rank, and all without."""
    if arrays is None or len(keys) <= limit:
        return keys if limit else keys[:0]
    ranked = keys < len(arrays.rank)
    ranked[ranked] = arrays.rank[keys[ranked]] >= 0
    known = keys[ranked]
    if limit < len(known):
        known = known[np.argpartition(arrays.rank[known], limit)[:limit]]
    return np.concatenate((known, keys[~ranked]))


def facts_in_words(connection: sqlite3.Connection, index: FactIndex, keys: Int64s) -> Iterator[Fact]:
    """Keys of facts as facts; a bounded number in memory at a time."""
    relations = {key: name for name, key in connection.execute(sql.RELATION_KEYS)}
    layout = index.layout
    for start in range(0, len(keys), FACTS):
        part = keys[start : start + FACTS]
        heads, tails = layout.near(part), layout.far(part)
        names = ids_of(connection, np.concatenate((heads, tails)))
        for head, kind, tail in zip(heads.tolist(), layout.kind(part).tolist(), tails.tolist(), strict=True):
            yield Fact(names[head], relations[kind], names[tail])


def _distinct(texts: Sequence[str]) -> str:
    """Each text once that can be in a store, as JSON."""
    return json.dumps([text for text in dict.fromkeys(texts) if storable(text)])
