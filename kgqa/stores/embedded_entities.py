"""Entities in the embedded store's file: made, told more of, told less of, dropped; in a transaction of the caller."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import repeat

import numpy as np

from graph_schema.texts import Texts
from graph_schema.types import Entity, Int64s
from kgqa.stores import embedded_sql as sql
from kgqa.stores.batches import Said, check_ids, combined, id_texts, name_keys, shown
from kgqa.stores.embedded_log import NO_ORIGIN, key_list, text_list
from kgqa.stores.embedded_names import Names, NoNames, columns_of, entity_of
from kgqa.stores.idtable import NO_ROW, IdTable
from kgqa.stores.properties import encoded, together

REMEMBERED_IDS = 4_000_000  # ids whose row is kept in memory between batches; at most 128 MiB
KEPT_IDS = 1_000_000  # of these, when a load has ended
REMEMBERED_TOLD = 500_000  # things said of entities that are known to change nothing
ENTITIES_AT_ONCE = 5_000
Records = dict[int, tuple[int, Entity]]  # what each origin said of an entity: first line, all of it
Thing = tuple[int, str, str, str, tuple[str, ...]]  # that was said: origin, id, name, label, aliases


class EntityWriter:
    """Knows which row each id has, so that a load doesn't ask for it again with every batch.

    Args:
        scratch: of a ``ScratchStore``: names aren't kept, and there is no index of ids before one is needed.

    """

    def __init__(self, connection: sqlite3.Connection, *, scratch: bool = False) -> None:
        self._connection = connection
        self._scratch = scratch
        self._indexed = not scratch
        self._rows = IdTable()
        self._all_rows = False  # whether these are all
        self._told: set[Thing] = set()
        self._made = False  # whether this transaction made any
        self._new_told: list[Thing] = []

    # ---- memory

    def begin(self, *, others_wrote: bool) -> None:
        """A transaction has begun."""
        self._all_rows &= not others_wrote
        if len(self._rows) > REMEMBERED_IDS:
            self._rows.clear()
            self._all_rows = False
        if len(self._told) > REMEMBERED_TOLD:
            self._told.clear()
        self._made, self._new_told = False, []

    def rolled_back(self) -> None:
        """The transaction came to nothing."""
        self._indexed = not self._scratch
        if self._made:
            self._rows.clear()
            self._all_rows = False
        self._told.difference_update(self._new_told)

    def make_room(self) -> None:
        """Something else needs memory."""
        if len(self._rows) > KEPT_IDS:
            self._rows.clear()
            self._all_rows = False
        self._told.clear()

    def forget(self) -> None:
        """Something was deleted."""
        self._rows.clear()
        self._all_rows = False
        self._told.clear()

    # ---- looking

    def there(self, ids: Sequence[str]) -> list[str]:
        """Those of these ids that are there."""
        rows = self._rows.find(self._rows.prints(id_texts(ids)))
        unknown = {ids[place] for place in np.flatnonzero(rows == NO_ROW).tolist()}
        if unknown and not self._all_rows:
            unknown = self._look_up(unknown)
        return [id_ for id_ in ids if id_ not in unknown]

    def index_ids(self) -> None:
        """See that there is an index of ids."""
        if not self._indexed:
            self._connection.execute(sql.INDEX_IDS)
            self._indexed = True

    def rows_for(self, ids: Texts, said: Mapping[str, Said], origin: int) -> tuple[Int64s, dict[str, int]]:
        """The row key of each; those that aren't there are made, and returned with their row keys, too.

        Args:
            said: what is said of some of them.

        Raises:
            InputError: an id that can't be kept in every store.
        """
        prints = self._rows.prints(ids)
        rows = self._rows.find(prints)
        missing = np.flatnonzero(rows == NO_ROW)
        first, which = self._rows.alike((prints[0][missing], prints[1][missing]))
        once = missing[first]
        unknown = ids.take(once)
        created = self._create(set(unknown), said, origin)
        made = np.fromiter(map(created.get, unknown, repeat(NO_ROW)), np.int64, len(unknown))
        rows[missing] = made[which]
        new = once[made != NO_ROW]
        self._rows.add((prints[0][new], prints[1][new]), rows[new])
        if len(created) < len(unknown):
            rows[missing] = self._rows.find((prints[0][missing], prints[1][missing]))
        return rows, created

    # ---- writing

    def _create(self, unknown: set[str], said: Mapping[str, Said], origin: int) -> dict[str, int]:
        """Make those entities that aren't there, of some whose rows aren't known; returns their ids and row keys.

        Raises:
            InputError: an id that can't be kept in every store.
        """
        if unknown and not self._all_rows:
            unknown = self._look_up(unknown)
        if not unknown:
            return {}
        check_ids([*unknown])
        names = self._names()
        bare = sorted(unknown.difference(said))
        declared = [id_ for id_ in said if id_ in unknown]
        (last,) = self._connection.execute(sql.GET_META, ("last_entity",)).fetchone()
        self._connection.execute(sql.ADD_BARE, (last + 1, text_list(bare)))
        names.add_ids(last + 1, bare)
        entities = [
            (key, combined(None, said[id_].told), said[id_].line or None)
            for key, id_ in enumerate(declared, last + 1 + len(bare))
        ]
        self._connection.executemany(
            sql.ADD_ENTITY,
            [(key, entity.id, *columns_of(entity), origin, line) for key, entity, line in entities],
        )
        names.add_entities([(key, entity) for key, entity, _ in entities])
        rows = range(last + 1, last + 1 + len(unknown))
        created = dict(zip((*bare, *declared), rows, strict=True))
        self._made = True
        self._connection.execute(sql.SET_META, ("last_entity", last + len(created)))
        self._connection.execute(sql.SET_META, ("last_name", names.last))
        return created

    def say(self, said: Mapping[str, Said], origin: int) -> tuple[int, set[str]]:
        """What is said of entities that are there.

        Returns:
            Of how many something is said anew, and the ids of those that are shown otherwise than before.
        """
        told = self._told
        news: dict[str, Said] = {}
        for id_, heard in said.items():
            things = [(origin, e.id, e.name, e.label, e.aliases) for e in heard.told]
            if told.issuperset(things) and not any(e.properties for e in heard.told):
                continue
            news[id_] = heard
        others: set[str] = set()
        if not news:
            return 0, others
        names = self._names()
        altered = 0
        self.index_ids()
        for *columns, sole, line in self._connection.execute(sql.STORED, (json.dumps([*news]),)).fetchall():
            key, live = columns[0], entity_of(columns)
            heard = news[live.id]
            records = what_each_said(self._connection, key, live, sole, line)
            before = records.get(origin)
            after = combined(before and before[1], heard.told)
            if before is None or not same(before[1], after):
                altered += 1
                records[origin] = (before[0] if before else heard.line, after)
                properties = together({at: record.properties for at, (_, record) in records.items()})
                new = combined(live, heard.told)
                new = Entity(new.id, new.name, new.label, new.aliases, properties)
                if not _shown_alike(live, new):
                    others.add(live.id)
                self._keep(key, live, new, records, names, changed=(origin,), was_sole=sole)
            self._new_told += [(origin, e.id, e.name, e.label, e.aliases) for e in heard.told if not e.properties]
        told.update(self._new_told)
        self._connection.execute(sql.SET_META, ("last_name", names.last))
        return altered, others

    def drop(self, entities: Int64s, *, declared: bool = True) -> list[int]:
        """Entities go, and their names and what was said of them; returns the row keys of those that went.

        Args:
            declared: those that an origin spoke of, too.
        """
        self.forget()
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
        self.forget()
        names = self._names()
        silent = []
        for start in range(0, len(entities), ENTITIES_AT_ONCE):
            asked = json.dumps(entities[start : start + ENTITIES_AT_ONCE])
            for *columns, sole, line in self._connection.execute(sql.STORED_BY_KEY, (asked,)).fetchall():
                key, live = columns[0], entity_of(columns)
                records = what_each_said(self._connection, key, live, sole, line)
                self._connection.executemany(sql.UNSAY, [(key, origin) for origin in origins])
                records = {origin: record for origin, record in records.items() if origin not in origins}
                self._keep(key, live, remade(live.id, records), records, names, changed=(), was_sole=sole)
                if not records:
                    silent.append(key)
        self._connection.execute(sql.SET_META, ("last_name", names.last))
        return silent

    # ---- inside

    def _names(self) -> Names:
        kind = NoNames if self._scratch else Names
        return kind(self._connection, self._connection.execute(sql.GET_META, ("last_name",)).fetchone()[0])

    def _look_up(self, ids: set[str]) -> set[str]:
        """Learn the rows of these ids, or of all if these are many; returns those that have none."""
        (count,) = self._connection.execute(sql.COUNT_ENTITIES).fetchone()
        if not count:
            self._rows.clear()
            self._all_rows = True
            return ids
        if count <= min(REMEMBERED_IDS, 20 * len(ids)):
            self._rows.clear()
            self._rows.learn(self._connection.execute(sql.ALL_KEYS))
            self._all_rows = True
        else:
            self.index_ids()
            self._rows.learn(self._connection.execute(sql.KEYS, (json.dumps([*ids]),)))
        asked = id_texts([*ids])
        rows = self._rows.find(self._rows.prints(asked))
        return {*asked.take(np.flatnonzero(rows == NO_ROW))}

    def _keep(
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


def what_each_said(
    connection: sqlite3.Connection, key: int, live: Entity, sole: int | None, line: int | None
) -> Records:
    """What each origin said of an entity, ascending; its columns are as they stand in its row."""
    if sole is None:
        return {}
    if sole >= 0:
        return {sole: (line or 0, live)}
    rows = connection.execute(sql.SAID, (key,)).fetchall()
    return {origin: (at, entity_of((key, live.id, *columns))) for origin, at, *columns in rows}


def remade(id_: str, records: Records) -> Entity:
    """An entity of which just this was said."""
    made = combined(Entity(id_, id_), [record for _, record in records.values()])
    properties = together({origin: record.properties for origin, (_, record) in records.items()})
    return Entity(made.id, made.name, made.label, made.aliases, properties)


def same(left: Entity, right: Entity) -> bool:
    """Whether two entities are stored alike; unlike for ``==``, 1 isn't True."""
    return (left.name, left.label, left.aliases) == (right.name, right.label, right.aliases) and encoded(
        left.properties
    ) == encoded(right.properties)


def _shown_alike(left: Entity, right: Entity) -> bool:
    """``same`` of what is shown of two entities, without a text for each."""
    left, right = shown(left), shown(right)
    if left != right:
        return False
    for name, value in left.properties.items():
        other = right.properties[name]
        if type(value) is not type(other):
            return False
        if isinstance(value, tuple) and isinstance(other, tuple) and [*map(type, value)] != [*map(type, other)]:
            return False
    return True
