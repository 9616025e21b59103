"""Writing the index of names: all that entities are called, and only what has changed since the last time."""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice

import numpy as np
import numpy.typing as npt

from graph_schema.types import Entity
from kgqa.names import forms, sql

ENTITIES = 20_000  # taken in at a time
STAGED = 4_000_000  # rows of one table that are sorted before they are written
MAX_NAME = 500  # characters of a name; a longer one is a text, which nobody asks for by name
Columns = tuple["array[int]", ...]


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh did, in entities."""

    added: int
    changed: int
    removed: int
    unchanged: int


class _Staged:
    """Rows of a table of ints, written in the order of its key: into a large B-tree that is many times faster."""

    def __init__(self, connection: sqlite3.Connection, insert: str, columns: int) -> None:
        self._connection = connection
        self._insert = insert
        self._columns: Columns = tuple(array("q") for _ in range(columns))

    def add(self, *row: int) -> None:
        for column, value in zip(self._columns, row, strict=True):
            column.append(value)
        if len(self._columns[0]) >= STAGED:
            self.flush()

    def flush(self) -> None:
        arrays: list[npt.NDArray[np.int64]] = [np.array(column, np.int64) for column in self._columns]
        order = np.lexsort(arrays[::-1]) if len(arrays[0]) else np.zeros(0, np.int64)
        for at in range(0, len(order), 100_000):
            some = order[at : at + 100_000]
            self._connection.executemany(self._insert, zip(*(column[some].tolist() for column in arrays), strict=True))
        self._columns = tuple(array("q") for _ in self._columns)


class Writer:
    """Brings the index up to date, in a transaction that the caller holds."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._forms = _Staged(connection, sql.ADD_FORM, 3)
        self._postings = _Staged(connection, sql.ADD_POSTING, 2)
        self._near = _Staged(connection, sql.ADD_NEAR, 2)
        self._labels: dict[str, int] = dict(connection.execute(sql.LABELS))
        self._words: dict[str, int] = {}
        (self._last,) = connection.execute(sql.LAST_ENTITY).fetchone()
        (self._last_word,) = connection.execute(sql.LAST_WORD).fetchone()

    def refresh(self, entities: Iterable[Entity], progress: Callable[[int], None]) -> Refreshed:
        """Take in all entities; those that don't come are dropped."""
        added = changed = done = 0
        there = self._last + 1
        seen = np.zeros(there, bool)
        for some in _parts(entities):
            known = self._known(some)
            new = [entity for entity in some if known.get(entity.id, (-1, -1))[1] != _said(entity)]
            self._learn({word for entity in new for text in names_of(entity) for word in forms.words_of(text)})
            for entity in some:
                said = _said(entity)
                row, before = known.get(entity.id, (-1, -1))
                if row >= 0:
                    if row < there:
                        seen[row] = True
                    if said == before:
                        continue
                    self._drop(row)
                    changed += 1
                else:
                    self._last = row = self._last + 1
                    added += 1
                known[entity.id] = (row, said)  # one that comes twice counts as it comes last
                self._add(row, entity, said)
            done += len(some)
            progress(done)
        gone = [row for (row,) in self._connection.execute(sql.ENTITY_ROWS, (there,)) if not seen[row]]
        for row in gone:
            self._drop(row)
        for staged in (self._forms, self._postings, self._near):
            staged.flush()
        return Refreshed(added, changed, len(gone), done - added - changed)

    def _known(self, entities: Sequence[Entity]) -> dict[str, tuple[int, int]]:
        asked = json.dumps([entity.id for entity in entities])
        return {id_: (row, said) for id_, row, said in self._connection.execute(sql.KNOWN, (asked,))}

    def _add(self, row: int, entity: Entity, said: int) -> None:
        if entity.label not in self._labels:
            self._labels[entity.label] = int(self._connection.execute(sql.ADD_LABEL, (entity.label,)).lastrowid or 0)
        self._connection.execute(sql.ADD_ENTITY, (row, entity.id, self._labels[entity.label], said))
        for name, text in enumerate(names_of(entity), sql.NAMES * row):
            self._connection.execute(sql.ADD_NAME, (name, None if text == entity.id else text))
            words = forms.words_of(text)
            for hash_, kind in forms_of(words):
                self._forms.add(hash_, kind, name)
            for word in set(words):
                self._postings.add(self._words[word], name)

    def _drop(self, row: int) -> None:
        for staged in (self._forms, self._postings):  # an entity that came twice may still be on its way in
            staged.flush()
        names = [text for _, text in self._connection.execute(sql.NAMES_OF, (json.dumps([row]),))]
        listed = [forms.words_of(text) for text in names]
        self._learn({word for words in listed for word in words})
        for name, words in enumerate(listed, sql.NAMES * row):
            for hash_, kind in forms_of(words):
                self._connection.execute(sql.DROP_FORM, (hash_, kind, name))
            for word in set(words):
                self._connection.execute(sql.DROP_POSTING, (self._words[word], name))
            self._connection.execute(sql.DROP_NAME, (name,))
        self._connection.execute(sql.DROP_ENTITY, (row,))

    def _learn(self, words: set[str]) -> None:
        """Give each new word a row."""
        new = sorted(words - self._words.keys())
        if not new:
            return
        self._words.update(self._connection.execute(sql.WORDS, (json.dumps(new),)))
        for word in new:
            if word not in self._words:
                self._last_word = self._words[word] = self._last_word + 1
                self._connection.execute(sql.ADD_WORD, (self._last_word, word))
                if forms.correctable(word):
                    for hash_ in forms.neighbourhood(word):
                        self._near.add(hash_, self._last_word)


def names_of(entity: Entity) -> list[str]:
    """What an entity is called, each once, as far as it is indexed; its name is the first."""
    told = (entity.name, *entity.aliases)
    names = dict.fromkeys(name for name in told if len(name) <= MAX_NAME and "\0" not in name)  # no store keeps a NUL
    return list(names)[: sql.NAMES]


def forms_of(words: Sequence[str]) -> list[tuple[int, int]]:
    """(hash, kind) of each form of a name."""
    if not words:
        return []
    made = [(forms.bag(words), sql.BAG)]
    if len(words) > 1:
        made.append((forms.joined(words), sql.JOINED))
    made += [(forms.word_hash(name), sql.ACRONYM) for name in forms.initials(words)]
    return made


def _said(entity: Entity) -> int:
    text = json.dumps([entity.name, entity.label, entity.aliases])
    return int.from_bytes(blake2b(text.encode(), digest_size=6).digest(), "big")


def _parts(entities: Iterable[Entity]) -> Iterator[list[Entity]]:
    drawn = iter(entities)
    while some := list(islice(drawn, ENTITIES)):
        yield some
