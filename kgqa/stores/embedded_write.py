"""Writing to the embedded store: one batch, or a deletion, inside a transaction that the caller holds.

What a transaction would change in memory is kept apart, and comes into force once the caller says it was committed.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import numpy as np

from graph_schema.types import Batch, Entity, Fact, Facts, Int64s, Value, Written
from kgqa.stores import embedded_sql as sql
from kgqa.stores.batches import (
    Said,
    check_ids,
    check_relations,
    combined,
    keys_of_names,
    name_keys,
    said_of_entities,
)
from kgqa.stores.embedded_log import BROUGHT, NO_ORIGIN, TAKEN_OUT, FactIndex, key_list, log_rows, origin_set
from kgqa.stores.embedded_names import Names, columns_of, entity_of
from kgqa.stores.embedded_read import keys_of
from kgqa.stores.keys import KeySet, distinct
from kgqa.stores.properties import check_properties, decoded, encoded, together

REMEMBERED_IDS = 2_500_000  # ids whose row is kept in memory between batches; about 150 bytes each
KEPT_IDS = 250_000  # of these, when a load has ended
REMEMBERED_TOLD = 500_000  # things said of entities that are known to change nothing
REMEMBERED_ORIGINS = 4
ENTITIES_AT_ONCE = 5_000
Bools = np.ndarray[tuple[int], np.dtype[np.bool_]]
Records = dict[int, tuple[int, Entity]]  # what each origin said of an entity: first line, all of it


class EmbeddedWriter:
    """Knows which row each id has and what is there, so that a load doesn't ask for it again with every batch.

    Attributes:
        index: the facts as they will be if the transaction is committed.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._rows: dict[str, int] = {}
        self._all_rows = False  # whether these are all
        self._relations: dict[str, int] = {}
        self._told: set[tuple[int, str, str, str, tuple[str, ...]]] = set()
        self._origins: dict[int, KeySet] = {}
        self._changed_origins: dict[int, KeySet] = {}
        self._new_ids: list[str] = []
        self._new_told: list[tuple[int, str, str, str, tuple[str, ...]]] = []
        self._as_of = -1
        self._changes = -1
        self.index = FactIndex()

    # ---- transactions

    def begin(self, index: FactIndex, changes: int, *, forget: bool) -> None:
        """A transaction has begun; ``index`` and ``changes`` are as of now.

        Args:
            forget: others have deleted something since the last time.
        """
        if changes != self._as_of:
            self._all_rows = False
            self._origins.clear()  # others may have marked facts for the same origin
        if forget:
            self._forget()
        if len(self._rows) > REMEMBERED_IDS:
            self._rows.clear()
            self._all_rows = False
        if len(self._told) > REMEMBERED_TOLD:
            self._told.clear()
        if index.layout != self.index.layout:
            self._origins.clear()
        self.index = index.copy()
        self._changes = changes
        self._changed_origins = {}
        self._new_ids, self._new_told = [], []

    def end(self) -> None:
        """The transaction is about to be committed."""
        self.index.seq = self._connection.execute(sql.LAST_SEQ).fetchone()[0]

    def committed(self) -> tuple[FactIndex, int]:
        """The transaction was: the facts and the change counter as they are now."""
        self._origins.update(self._changed_origins)
        while len(self._origins) > REMEMBERED_ORIGINS:
            self._origins.pop(next(iter(self._origins)))
        self._as_of = self._changes
        return self.index, self._changes

    def rolled_back(self) -> None:
        """The transaction came to nothing."""
        for id_ in self._new_ids:
            self._rows.pop(id_, None)
        self._told.difference_update(self._new_told)
        self._relations.clear()
        self._changed_origins = {}

    def make_room(self) -> None:
        """Something else needs memory."""
        if len(self._rows) > KEPT_IDS:
            self._rows.clear()
            self._all_rows = False
        self._told.clear()
        self._origins.clear()

    def count_change(self) -> None:
        """The change counter grows by one."""
        self._changes += 1
        self._connection.execute(sql.SET_META, ("changes", self._changes))

    def _forget(self) -> None:
        self._rows.clear()
        self._all_rows = False
        self._told.clear()
        self._origins.clear()
        self._changed_origins = {}

    # ---- a batch

    def write(self, batch: Batch) -> Written:
        """See ``GraphWriter.write``; raises what SQLite raises."""
        said = said_of_entities(batch)
        facts = Facts.of(batch.facts)
        mentioned = {*facts.heads, *facts.tails, *said}
        names = self._names()
        created = self._create(mentioned, said, batch.origin, names)
        altered = self._say({id_: heard for id_, heard in said.items() if id_ not in created}, batch.origin, names)
        if created or altered:
            self._connection.execute(sql.SET_META, ("last_name", names.last))
        new, changed, marked = self._write_facts(batch, facts) if len(facts) else (0, 0, 0)
        if batch.origin:
            counts = (batch.origin, batch.through, new, len(created))
            if any(counts[1:]):
                self._connection.execute(sql.COUNT_ORIGIN, counts)
        if created or altered or new or changed or marked:
            self.count_change()
        merged, again = len(facts) - new, len(mentioned) - len(created)
        return Written(new, merged, len(created), again, merged - changed, again - altered)

    def _names(self) -> Names:
        return Names(self._connection, self._connection.execute(sql.GET_META, ("last_name",)).fetchone()[0])

    def _create(self, mentioned: set[str], said: dict[str, Said], origin: int, names: Names) -> set[str]:
        """Make those entities that aren't there; returns their ids."""
        unknown = mentioned.difference(self._rows)
        if unknown and not self._all_rows:
            unknown = self._look_up(unknown)
        if not unknown:
            return unknown
        check_ids([*unknown])
        bare = sorted(unknown.difference(said))
        declared = [id_ for id_ in said if id_ in unknown]
        (last,) = self._connection.execute(sql.GET_META, ("last_entity",)).fetchone()
        self._connection.execute(sql.ADD_BARE, (last + 1, json.dumps(bare)))
        names.add_ids(last + 1, bare)
        entities = [
            (key, combined(None, said[id_].told), said[id_].line or None)
            for key, id_ in enumerate(declared, last + 1 + len(bare))
        ]
        self._connection.executemany(
            sql.ADD_ENTITY,
            ((key, entity.id, *columns_of(entity), origin, line) for key, entity, line in entities),
        )
        simple = keys_of_names([entity.name for _, entity, _ in entities])
        names.add(
            (row, name_keys(entity) if entity.aliases else [key] if key else [])
            for key, (row, entity, _) in zip(simple, entities, strict=True)
        )
        created = [*bare, *declared]
        self._new_ids += created
        self._rows.update(zip(created, range(last + 1, last + 1 + len(created)), strict=True))
        self._connection.execute(sql.SET_META, ("last_entity", last + len(created)))
        return unknown

    def _look_up(self, ids: set[str]) -> set[str]:
        """Learn the rows of these ids, or of all if these are many; returns those that have none."""
        (count,) = self._connection.execute(sql.COUNT_ENTITIES).fetchone()
        if count <= min(REMEMBERED_IDS, 20 * len(ids)):
            self._rows = dict(self._connection.execute(sql.ALL_KEYS))
            self._all_rows = True
        else:
            self._rows.update(self._connection.execute(sql.KEYS, (json.dumps([*ids]),)))
        return ids.difference(self._rows)

    def _say(self, said: dict[str, Said], origin: int, names: Names) -> int:
        """What is said of entities that are there; returns how many were altered by it."""
        told = self._told
        news: dict[str, Said] = {}
        for id_, heard in said.items():
            things = [(origin, e.id, e.name, e.label, e.aliases) for e in heard.told]
            if told.issuperset(things) and not any(e.properties for e in heard.told):
                continue
            news[id_] = heard
        if not news:
            return 0
        altered = 0
        for *columns, sole, line in self._connection.execute(sql.STORED, (json.dumps([*news]),)).fetchall():
            key, live = columns[0], entity_of(columns)
            heard = news[live.id]
            records = self.records(key, live, sole, line)
            before = records.get(origin)
            after = combined(before and before[1], heard.told)
            if before is None or not same(before[1], after):
                altered += 1
                records[origin] = (before[0] if before else heard.line, after)
                properties = together({at: record.properties for at, (_, record) in records.items()})
                new = combined(live, heard.told)
                new = Entity(new.id, new.name, new.label, new.aliases, properties)
                self.keep(key, live, new, records, names, changed=(origin,), was_sole=sole)
            self._new_told += [(origin, e.id, e.name, e.label, e.aliases) for e in heard.told if not e.properties]
        told.update(self._new_told)
        return altered

    def records(self, key: int, live: Entity, sole: int | None, line: int | None) -> Records:
        """What each origin said of an entity, ascending."""
        if sole is None:
            return {}
        if sole >= 0:
            return {sole: (line or 0, live)}
        rows = self._connection.execute(sql.SAID, (key,)).fetchall()
        return {origin: (at, entity_of((key, live.id, *columns))) for origin, at, *columns in rows}

    def keep(
        self,
        key: int,
        old: Entity,
        new: Entity,
        records: Records,
        names: Names,
        *,
        changed: Sequence[int],
        was_sole: int | None,
    ) -> None:
        """Store an entity and what each origin said of it.

        Args:
            changed: the origins whose records are new or differ.
            was_sole: as it stands in the entity's row.
        """
        sole, line = None, None
        if len(records) == 1:
            ((sole, (line, _)),) = records.items()
            if was_sole == NO_ORIGIN:
                self._connection.execute(sql.UNSAY_ALL, (key,))
        elif records:
            sole = NO_ORIGIN
            for origin in records if was_sole != NO_ORIGIN else changed:
                at, record = records[origin]
                self._connection.execute(sql.SAY, (key, origin, at, *columns_of(record)))
        elif was_sole == NO_ORIGIN:
            self._connection.execute(sql.UNSAY_ALL, (key,))
        self._connection.execute(sql.SET_ENTITY, (key, *columns_of(new), sole, line or None))
        before, after = name_keys(old), name_keys(new)
        if before != after:
            names.drop(key, [k for k in before if k not in after])
            names.add([(key, [k for k in after if k not in before])])

    # ---- its facts

    def _write_facts(self, batch: Batch, facts: Facts) -> tuple[int, int, int]:
        """Returns how many were created; of the others, how many were changed; and how many marks were set."""
        given = self._packed(facts)
        order = np.argsort(given, kind="stable")
        ordered = given[order]
        first = np.ones(len(ordered), bool)
        first[1:] = ordered[1:] != ordered[:-1]
        keys, places = ordered[first], order[first]
        there = self.index.forward.contains(keys)
        marked = self._marked(batch.origin, keys, there)
        lines = np.fromiter(batch.fact_lines, np.int64, len(facts))[places] if batch.fact_lines else None
        unmarked = ~marked
        marks = keys[unmarked]
        self._connection.executemany(
            sql.ADD_LOG,
            log_rows(BROUGHT, batch.origin, marks, self.index.layout, None if lines is None else lines[unmarked]),
        )
        if (known := self._changed_origins.get(batch.origin)) is not None:
            known.add_new(marks)
        changed = there & unmarked
        if batch.fact_properties:
            changed |= self._write_properties(batch, given, keys, marked) & there
        new = keys[~there]
        self.index.add_new(new)
        self._count(new, 1)
        return len(new), int(changed.sum()), len(marks)

    def _packed(self, facts: Facts) -> Int64s:
        """Facts as keys; all of their entities are there, their relations needn't be."""
        new = sorted(set(facts.relations).difference(self._relations))
        if new:
            self._relations = dict(self._connection.execute(sql.RELATION_KEYS))
            new = [name for name in new if name not in self._relations]
            check_relations(new)
            for name in new:
                self._relations[name] = self._connection.execute(sql.ADD_RELATION, (name,)).lastrowid or 0
        layout = self.index.layout
        self.index.fit(*self._connection.execute(sql.LAST_ROW_KEYS).fetchone())
        if self.index.layout != layout:
            self._origins.clear()
        count, row_of = len(facts), self._rows.__getitem__
        return self.index.layout.pack(
            np.fromiter(map(row_of, facts.heads), np.int64, count),
            np.fromiter(map(self._relations.__getitem__, facts.relations), np.int64, count),
            np.fromiter(map(row_of, facts.tails), np.int64, count),
        )

    def _marked(self, origin: int, keys: Int64s, there: Bools) -> Bools:
        """Which of these facts have the origin's mark."""
        known = self._origins.get(origin)
        if known is None and not there.any():
            return there
        if known is None:
            known = self._origins[origin] = origin_set(self._connection, origin, self.index.layout)
        self._changed_origins[origin] = known.copy()
        return known.contains(keys)

    def _write_properties(self, batch: Batch, given: Int64s, keys: Int64s, marked: Bools) -> Bools:
        """Returns of which facts something was said anew."""
        having = [place for place, properties in enumerate(batch.fact_properties) if properties]
        check_properties([batch.fact_properties[place] for place in having])
        said: dict[int, dict[str, Value]] = {}
        for place, at in zip(having, np.searchsorted(keys, given[having]).tolist(), strict=True):
            said.setdefault(at, {}).update(batch.fact_properties[place])
        changed = np.zeros(len(keys), bool)
        rows = []
        for at, fact in zip(said, self.index.layout.triples(keys[[*said]]), strict=True):
            old = ""
            if marked[at] and (found := self._connection.execute(sql.FACT_PROPERTY, (*fact, batch.origin)).fetchone()):
                old = found[0]
            text = encoded({**decoded(old), **said[at]} if old else said[at])
            if text != old:
                changed[at] = True
                rows.append((*fact, batch.origin, text))
        self._connection.executemany(sql.SET_FACT_PROPERTY, rows)
        return changed

    def _count(self, keys: Int64s, sign: int) -> None:
        """Facts came or went: so many more or fewer of each relation."""
        kinds, counts = np.unique(self.index.layout.kind(keys), return_counts=True)
        self._connection.executemany(sql.COUNT_RELATION, zip((sign * counts).tolist(), kinds.tolist(), strict=True))

    # ---- taking out

    def delete(self, facts: Sequence[Fact]) -> int:
        """See ``GraphWriter.delete``."""
        gone = self.take_out(distinct(keys_of(self._connection, self.index, facts)[1]))
        if len(gone):
            self.drop_entities(self.unmentioned(gone))
            self.count_change()
        return len(gone)

    def take_out(self, keys: Int64s) -> Int64s:
        """Take facts out, whoever brought them; returns those that were there."""
        gone = keys[self.index.forward.contains(keys)]
        if len(gone):
            self._forget()
            self._connection.executemany(sql.ADD_LOG, log_rows(TAKEN_OUT, NO_ORIGIN, gone, self.index.layout, None))
            if self._connection.execute(sql.ANY_FACT_PROPERTY).fetchone()[0]:
                self._connection.executemany(sql.DROP_FACT_PROPERTIES, self.index.layout.triples(gone))
            self.index.discard(gone)
            self._count(gone, -1)
        return gone

    def unmentioned(self, gone: Int64s) -> Int64s:
        """The ends of these facts, as row keys, that no fact mentions any more."""
        layout = self.index.layout
        return self.without_facts(distinct(np.concatenate((layout.near(gone), layout.far(gone)))))

    def without_facts(self, entities: Int64s) -> Int64s:
        """Those of these row keys that no fact mentions."""
        around = self.index.layout.around(entities)
        degree = self.index.forward.count(*around) + self.index.backward.count(*around)
        return entities[np.flatnonzero(degree == 0)]

    def drop_entities(self, entities: Int64s, *, declared: bool = True) -> list[int]:
        """Entities go, and their names and what was said of them; returns the row keys of those that went.

        Args:
            declared: those that an origin spoke of, too.
        """
        self._forget()
        names = self._names()
        dropped = []
        for start in range(0, len(entities), ENTITIES_AT_ONCE):
            asked = key_list(entities[start : start + ENTITIES_AT_ONCE])
            for *columns, sole, _ in self._connection.execute(sql.STORED_BY_KEY, (asked,)).fetchall():
                if declared or sole is None:
                    names.drop(columns[0], name_keys(entity_of(columns)))
                    dropped.append(columns[0])
        self._connection.executemany(sql.UNSAY_ALL, ((key,) for key in dropped))
        self._connection.executemany(sql.DROP_ENTITY, ((key,) for key in dropped))
        return dropped

    def say_less(self, entities: Sequence[int], origins: AbstractSet[int]) -> list[int]:
        """Make entities again without what these origins said; returns those of which nothing is said any more."""
        self._forget()
        names = self._names()
        silent = []
        for start in range(0, len(entities), ENTITIES_AT_ONCE):
            asked = json.dumps(entities[start : start + ENTITIES_AT_ONCE])
            for *columns, sole, line in self._connection.execute(sql.STORED_BY_KEY, (asked,)).fetchall():
                key, live = columns[0], entity_of(columns)
                records = self.records(key, live, sole, line)
                self._connection.executemany(sql.UNSAY, [(key, origin) for origin in origins])
                records = {origin: record for origin, record in records.items() if origin not in origins}
                told = [record for _, record in records.values()]
                new = combined(Entity(live.id, live.id), told)
                properties = together({origin: record.properties for origin, (_, record) in records.items()})
                new = Entity(new.id, new.name, new.label, new.aliases, properties)
                self.keep(key, live, new, records, names, changed=(), was_sole=sole)
                if not records:
                    silent.append(key)
        self._connection.execute(sql.SET_META, ("last_name", names.last))
        return silent


def same(left: Entity, right: Entity) -> bool:
    """Whether two entities are stored alike; unlike for ``==``, 1 isn't True."""
    return (left.name, left.label, left.aliases) == (right.name, right.label, right.aliases) and encoded(
        left.properties
    ) == encoded(right.properties)
