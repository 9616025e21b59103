"""Writing to the embedded store: one batch, or a deletion, inside a transaction that the caller holds.

What a transaction would change in memory is kept apart, and comes into force once the caller says it was committed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from graph_schema.texts import Texts
from graph_schema.types import Batch, Fact, Facts, Int64s, Value, Written
from kgqa.stores import embedded_sql as sql
from kgqa.stores.batches import check_relations, declared_of, id_texts, line_numbers, numbered, said_of_entities
from kgqa.stores.embedded_entities import EntityWriter
from kgqa.stores.embedded_log import BROUGHT, NO_ORIGIN, TAKEN_OUT, FactIndex, log_rows, origin_set
from kgqa.stores.embedded_read import keys_of
from kgqa.stores.keys import KeySet, distinct
from kgqa.stores.properties import check_properties, decoded, encoded

REMEMBERED_ORIGINS = 4
Bools = np.ndarray[tuple[int], np.dtype[np.bool_]]


class EmbeddedWriter:
    """Knows what is there, so that a load doesn't ask for it again with every batch.

    Args:
        scratch: as in ``EntityWriter``.

    Attributes:
        entities: writes these.
        index: the facts as they will be if the transaction is committed.
        undisturbed: set when a load begins; not any more once another process has written, or something was taken out.
    """

    def __init__(self, connection: sqlite3.Connection, *, scratch: bool = False) -> None:
        self._connection = connection
        self.entities = EntityWriter(connection, scratch=scratch)
        self._relations: dict[str, int] = {}
        self._origins: dict[int, KeySet] = {}
        self._changed_origins: dict[int, KeySet] = {}
        self._as_of = -1
        self._changes = -1
        self.index = FactIndex()
        self.undisturbed = False

    # ---- transactions

    def begin(self, index: FactIndex, changes: int, *, forget: bool) -> None:
        """A transaction has begun; ``index`` and ``changes`` are as of now.

        Args:
            forget: others have deleted something since the last time.
        """
        self.entities.begin(others_wrote=changes != self._as_of)
        self.undisturbed &= changes == self._as_of
        if forget:
            self.entities.forget()
        if forget or changes != self._as_of or index.layout != self.index.layout:
            self._origins.clear()  # others may have marked facts for the same origin
        self.index = index.copy()
        self._changes = changes
        self._changed_origins = {}

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
        self.entities.rolled_back()
        self._relations.clear()
        self._changed_origins = {}

    def make_room(self) -> None:
        """Something else needs memory."""
        self.entities.make_room()
        self._origins.clear()

    def count_change(self) -> None:
        """The change counter grows by one."""
        self._changes += 1
        self._connection.execute(sql.SET_META, ("changes", self._changes))

    # ---- a batch

    def write(self, batch: Batch) -> Written:
        """See ``GraphWriter.write``; raises what SQLite raises."""
        said = said_of_entities(batch)
        facts = Facts.of(batch.facts)
        count = len(facts)
        ids = Texts.joined([id_texts(column) for column in (facts.heads, facts.tails, [*said])])
        rows, created = self.entities.rows_for(ids, said, batch.origin)
        mentioned = len(distinct(rows))
        known = {id_: heard for id_, heard in said.items() if id_ not in created}
        declared = declared_of(batch, said)
        altered, others = self.entities.say(known, batch.origin)
        told = len(created.keys() & declared), len(others & declared)
        ends = rows[:count], rows[count : 2 * count]
        new, changed, marked = self._write_facts(batch, facts, ends) if count else (0, 0, 0)
        if batch.origin:
            counts = (batch.origin, batch.through, new, len(created), changed, *told)
            if any(counts[1:]):
                self._connection.execute(sql.COUNT_ORIGIN, counts)
        if created or altered or new or changed or marked:
            self.count_change()
        merged, again = count - new, mentioned - len(created)
        return Written(new, merged, len(created), again, merged - changed, again - altered, *told)

    # ---- its facts

    def _write_facts(self, batch: Batch, facts: Facts, ends: tuple[Int64s, Int64s]) -> tuple[int, int, int]:
        """Returns how many were created; of the others, how many were changed; and how many marks were set."""
        given = self._packed(facts.relations, *ends)
        order = np.argsort(given)
        ordered = given[order]
        first = np.ones(len(ordered), bool)
        first[1:] = ordered[1:] != ordered[:-1]
        keys, places = ordered[first], np.minimum.reduceat(order, np.flatnonzero(first))
        there = self.index.forward.contains(keys)
        marked = self._marked(batch.origin, keys, there)
        lines = line_numbers(batch)[places] if batch.fact_lines else None
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

    def _packed(self, relations: Sequence[str], heads: Int64s, tails: Int64s) -> Int64s:
        """Facts as keys; their relations needn't be there."""
        names, kinds = numbered(relations)
        new = sorted(set(names).difference(self._relations))
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
        keys = np.array([self._relations[name] for name in names], np.int64)
        return self.index.layout.pack(heads, keys[kinds], tails)

    def _marked(self, origin: int, keys: Int64s, there: Bools) -> Bools:
        """Which of these facts have the origin's mark."""
        known = self._origins.get(origin)
        if known is None and not there.any():
            return there
        if known is None:
            known = self._origins[origin] = origin_set(self._connection, origin, self.index.layout)
        self._changed_origins[origin] = known.copy()
        marked = np.zeros(len(keys), bool)
        marked[there] = known.contains(keys[there])  # what isn't there has no mark
        return marked

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
            self.entities.drop(self.unmentioned(gone))
            self.count_change()
        return len(gone)

    def take_out(self, keys: Int64s) -> Int64s:
        """Take facts out, whoever brought them; returns those that were there."""
        gone = keys[self.index.forward.contains(keys)]
        if len(gone):
            self.undisturbed = False
            self.entities.forget()
            self._origins.clear()
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


def written_meanwhile(batches: Iterable[Batch], write: Callable[[Batch], Written]) -> Iterator[Written]:
    """Write each batch while the next one is drawn; yields once for each, in order, when it is in."""
    failure: Exception | None = None
    writing: Future[Written] | None = None
    drawn = iter(batches)
    with ThreadPoolExecutor(1, "kgqa-load") as pool:
        while True:
            batch = None
            try:
                batch = next(drawn, None) if failure is None else None
            except Exception as error:  # noqa: BLE001  what was drawn before is written, then it is raised
                failure = error
            before, writing = writing, None
            if before is not None:
                yield before.result()
            if batch is None:
                break
            writing = pool.submit(write, batch)
    if failure is not None:
        raise failure
