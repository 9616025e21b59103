"""Writing to the embedded store: one batch, or a deletion, inside a transaction that the caller holds."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from itertools import chain, repeat

from graph_schema.types import Batch, Entity, Fact, Written
from kgqa.stores import embedded_sql as sql
from kgqa.stores.batches import by_relation, combined, name_keys, prepare, storable

REMEMBERED_IDS = 2_000_000  # ids whose row is kept in memory between batches; about 150 bytes each
Row = tuple[int, str, str, str, str]  # key, id, name, label, aliases as JSON


class EmbeddedWriter:
    """Knows which row each id has, so that a load doesn't ask for it again with every batch."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._rows: dict[str, int] = {}
        self._as_of = -1

    def write(self, batch: Batch) -> Written:
        """See ``GraphWriter.write``; raises what SQLite raises."""
        prepared = prepare(batch)
        self._forget_if_stale()
        created, altered = self._write_entities(prepared.ids, prepared.entities)
        facts = sum(self._write_facts(relation, pairs) for relation, pairs in prepared.facts.items())
        if created or altered or facts:
            self.count_change()
        return Written(facts, prepared.given - facts, created, len(prepared.ids) - created)

    def delete(self, facts: Sequence[Fact]) -> int:
        """See ``GraphWriter.delete``."""
        self.forget()
        asked = {r: p for r, p in by_relation(facts).items() if all(map(storable, chain([r], *p)))}
        ids = sorted({id_ for pairs in asked.values() for pair in pairs for id_ in pair})
        entities = {row[1]: row for row in self._stored(ids)}
        gone = 0
        ends: set[str] = set()
        for relation, pairs in asked.items():
            found = self._connection.execute(sql.RELATION_KEY, (relation,)).fetchone()
            there = [pair for pair in pairs if found and entities.keys() >= set(pair)]
            dropped = [pair for pair in there if self._drop_fact(entities[pair[0]][0], found[0], entities[pair[1]][0])]
            if dropped:
                self._connection.execute(sql.COUNT_RELATION, (-len(dropped), found[0]))
                gone += len(dropped)
                ends.update(*dropped)
        if gone:
            for row in (entities[id_] for id_ in sorted(ends)):
                if not self._connection.execute(sql.MENTIONED, (row[0],)).fetchone()[0]:
                    self._drop_names(row[0], name_keys(entity_of(row[1:])))
                    self._connection.execute(sql.DROP_ENTITY, (row[0],))
            self.count_change()
        return gone

    def count_change(self) -> None:
        """The change counter grows by one."""
        self._as_of = self._connection.execute(sql.CHANGES).fetchone()[0] + 1
        self._connection.execute(sql.SET_META, ("changes", self._as_of))

    def forget(self) -> None:
        """To be called when a transaction was undone."""
        self._rows.clear()
        self._as_of = -1

    def _forget_if_stale(self) -> None:
        changes = self._connection.execute(sql.CHANGES).fetchone()[0]
        if changes != self._as_of or len(self._rows) > REMEMBERED_IDS:
            self._rows.clear()
        self._as_of = changes

    def _write_entities(self, ids: list[str], said: dict[str, list[Entity]]) -> tuple[int, int]:
        """Returns how many were created, and how many of the others were altered."""
        fresh = [id_ for id_ in ids if id_ not in self._rows]
        if fresh:
            self._rows.update(self._connection.execute(sql.KEYS, (json.dumps(fresh),)))
        created = [id_ for id_ in fresh if id_ not in self._rows]
        last = self._connection.execute(sql.LAST_ENTITY_KEY).fetchone()[0]
        new = [
            (key, combined(None, said[id_]) if id_ in said else Entity(id_, id_))
            for key, id_ in enumerate(created, last + 1)
        ]
        self._connection.executemany(sql.ADD_ENTITY, (_row(key, entity) for key, entity in new))
        self._rows.update((entity.id, key) for key, entity in new)
        self._add_names((key, name_keys(entity)) for key, entity in new)

        created_ids = set(created)
        telling = [id_ for id_, heard in said.items() if id_ not in created_ids and set(heard) != {Entity(id_, id_)}]
        altered = 0
        for row in self._stored(telling):
            old = entity_of(row[1:])
            merged = combined(old, said[old.id])
            if merged != old:
                altered += 1
                self._connection.execute(sql.SET_ENTITY, (*_row(row[0], merged)[2:], row[0]))
                before, after = name_keys(old), name_keys(merged)
                self._drop_names(row[0], [key for key in before if key not in after])
                self._add_names([(row[0], [key for key in after if key not in before])])
        return len(created), altered

    def _write_facts(self, relation: str, pairs: list[tuple[str, str]]) -> int:
        self._connection.execute(sql.ADD_RELATION, (relation,))
        key = self._connection.execute(sql.RELATION_KEY, (relation,)).fetchone()[0]
        row_of = self._rows.__getitem__
        heads, tails = zip(*pairs, strict=True)
        rows = zip(map(row_of, heads), repeat(key), map(row_of, tails), strict=False)
        before = self._connection.total_changes
        self._connection.executemany(sql.ADD_FACT, rows)
        added = self._connection.total_changes - before
        self._connection.execute(sql.COUNT_RELATION, (added, key))
        return added

    def _drop_fact(self, head: int, relation: int, tail: int) -> bool:
        return self._connection.execute(sql.DROP_FACT, (head, relation, tail)).rowcount > 0

    def _stored(self, ids: list[str]) -> list[Row]:
        return self._connection.execute(sql.ENTITIES, (json.dumps(ids),)).fetchall() if ids else []

    def _add_names(self, keys: Iterable[tuple[int, Sequence[str]]]) -> None:
        last = self._connection.execute(sql.LAST_NAME_ROW).fetchone()[0]
        pairs = [(key, entity) for entity, found in keys for key in found]
        rows = [(row, key, entity) for row, (key, entity) in enumerate(pairs, last + 1)]
        self._connection.executemany(sql.ADD_NAME, rows)
        self._connection.executemany(sql.ADD_LIKENESS, [row[:2] for row in rows])

    def _drop_names(self, entity: int, keys: Iterable[str]) -> None:
        for key in keys:
            (row,) = self._connection.execute(sql.FIND_NAME, (key, entity)).fetchone()
            self._connection.execute(sql.DROP_LIKENESS, (row, key))
            self._connection.execute(sql.DROP_NAME, (row,))


def entity_of(columns: tuple[str, str, str, str]) -> Entity:
    """An entity as it is stored, from its columns id, name, label, aliases."""
    id_, name, label, aliases = columns
    return Entity(id_, name, label, () if aliases == "[]" else tuple(json.loads(aliases)))


def _row(key: int, entity: Entity) -> Row:
    aliases = json.dumps(entity.aliases, ensure_ascii=False) if entity.aliases else "[]"
    return key, entity.id, entity.name, entity.label, aliases
