"""The index of names: one SQLite file that knows what the entities of a graph are called, and finds them by it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

import numpy as np

from graph_schema.errors import StoreError
from graph_schema.text import name_key
from graph_schema.types import Entity
from kgqa.names import forms, spelling, sql
from kgqa.names.file import MEMORY, connect, translated
from kgqa.names.hits import Hit, Stretch
from kgqa.names.reading import best, entities_of, misspelt, named, names_of_rows, partial, parts, starting, whole
from kgqa.names.sieve import Sieve
from kgqa.names.text import in_text
from kgqa.names.write import Refreshed, Writer

BAGS = 200_000  # bags put into the sieve at a time


class NamesIndex:
    """Names and aliases of entities, for several threads and processes at once.

    Everything it says is as of its last ``refresh``; see ``mark``. It is a ``linking.Names``.

    Args:
        path: the file, made if it isn't there; None: in memory only.
        timeout: seconds to wait for another process's refresh to end.
    """

    def __init__(self, path: Path | None = None, *, timeout: float = 5.0) -> None:
        self._path = MEMORY if path is None else path
        self._lock = RLock()
        self._connection: sqlite3.Connection | None = connect(self._path, timeout)
        self._sieve = Sieve(np.zeros(8, np.uint8))
        self._sieve_of = -1

    def __repr__(self) -> str:
        return f"NamesIndex({str(self._path)!r})"

    @property
    def path(self) -> Path | None:
        return None if self._path == MEMORY else self._path

    @property
    def mark(self) -> str:
        """What the last refresh was given as ``mark``; empty before the first."""
        with self._reading() as connection:
            found = connection.execute(sql.GET_META, ("mark",)).fetchone()
            return str(found[0]) if found else ""

    def __len__(self) -> int:
        """How many names there are."""
        with self._reading() as connection:
            return int(connection.execute(sql.COUNT_NAMES).fetchone()[0])

    def close(self) -> None:
        """Give the file back; safe to call twice."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    # ---- writing

    def refresh(
        self, entities: Iterable[Entity], mark: str = "", progress: Callable[[int], None] = lambda _: None
    ) -> Refreshed:
        """Make the index be that of these entities, in one transaction; what hasn't changed isn't written again.

        Args:
            entities: all of them, each once. mark: kept, to tell later what the index is as of.
            progress: called with how many entities were looked at.
        """
        with self._writing() as connection:
            done = Writer(connection).refresh(entities, progress)
            if done.added or done.changed or done.removed:
                count = connection.execute(sql.COUNT_NAMES).fetchone()[0]
                bags = parts(connection.execute(sql.BAGS), BAGS)
                sieve = Sieve.of((np.array(some, np.int64) for some in bags), count)
                connection.execute(sql.SET_META, ("sieve", sieve.bits.tobytes()))
                connection.execute(sql.SET_META, ("state", self._state(connection) + 1))
            connection.execute(sql.SET_META, ("mark", mark))
        with self._reading() as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # or the log would keep the size of the whole index
        return done

    # ---- looking up

    def lookup(self, keys: Sequence[str]) -> dict[str, tuple[Entity, ...]]:
        """Who bears a name with one of these keys; see ``GraphReader.lookup``. Entities are without properties."""
        distinct = list(dict.fromkeys(key for key in keys if key))
        with self._consistent() as connection:
            bearers: dict[str, set[int]] = {}
            for names in named(connection, {forms.bag(key.split(" ")) for key in distinct}, {sql.BAG}).values():
                for name in names:
                    bearers.setdefault(name_key(name.text), set()).add(name.entity)
            found = {key: bearers[key] for key in distinct if key in bearers}
            entities = entities_of(connection, {row for rows in found.values() for row in rows})
        return {key: tuple(sorted((entities[row] for row in rows), key=lambda e: e.id)) for key, rows in found.items()}

    def spelt(self, keys: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The names that have one of these keys, as they are written; keys that no name has are left out."""
        with self._consistent() as connection:
            found: dict[str, set[str]] = {}
            for names in named(connection, {forms.bag(key.split(" ")) for key in keys if key}, {sql.BAG}).values():
                for name in names:
                    found.setdefault(name_key(name.text), set()).add(name.text)
        return {key: tuple(sorted(found[key])) for key in keys if key in found}

    def find(self, text: str, limit: int = 10) -> tuple[Hit, ...]:
        """What a text may name, best first, equal ones by id; of an entity, the name that fits best.

        Misspellings are looked for if no name has just these words, partial names if no name is misspelt so either.
        """
        words = forms.words_of(text)
        if not words or limit < 1:
            return ()
        with self._consistent() as connection:
            found = whole(connection, text, words)
            if any(hit.how in ("exact", "normal", "reordered") for hit in found):
                return best(connection, found, limit)
            spelt = spelling.words_with_variants(connection, words, [True] * len(words))
            made = spelling.misspelt(spelt, self._current_sieve(connection))
            bags = {bag for first, last, bag in made if (first, last) == (0, len(words) - 1)}
            found += [hit for _, _, hit in misspelt(connection, {bag: [words] for bag in bags})]
            if all(hit.how == "acronym" for hit in found):
                found += partial(connection, spelt)
            return best(connection, found, limit)

    def in_text(self, plain: str, doubted: Sequence[bool], parts: Sequence[bool]) -> tuple[Stretch, ...]:
        """Stretches of a text that may be names, though no name is written so; see ``text.in_text``."""
        with self._consistent() as connection:
            return in_text(connection, self._current_sieve(connection), plain, doubted, parts)

    def suggest(self, text: str, limit: int = 5) -> tuple[Entity, ...]:
        """Entities that may be meant by a text, best first; see ``GraphReader.suggest``."""
        return tuple(hit.entity for hit in self.find(text, limit))

    def complete(self, text: str, limit: int = 10) -> tuple[str, ...]:
        """Names that have all words of a text, its last one begun only; those that begin so first, then short ones."""
        words = forms.words_of(text)
        if not words or limit < 1:
            return ()
        with self._consistent() as connection:
            names = names_of_rows(connection, starting(connection, words))
        key = " ".join(words)
        ordered = sorted(
            {name.text for name in names.values()},
            key=lambda name: (not name_key(name).startswith(key), len(name), name),
        )
        return tuple(ordered[:limit])

    # ---- inside

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, translated(self._path):
            if self._connection is None:
                raise StoreError("the index of names was closed", where=str(self._path))
            yield self._connection

    @contextmanager
    def _consistent(self, begin: str = "BEGIN") -> Iterator[sqlite3.Connection]:
        with self._reading() as connection:
            connection.execute(begin)
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._consistent("BEGIN IMMEDIATE") as connection:
            yield connection

    def _state(self, connection: sqlite3.Connection) -> int:
        found = connection.execute(sql.GET_META, ("state",)).fetchone()
        return int(found[0]) if found else 0

    def _current_sieve(self, connection: sqlite3.Connection) -> Sieve:
        """The sieve as of the transaction that has begun."""
        state = self._state(connection)
        if state != self._sieve_of:
            found = connection.execute(sql.GET_META, ("sieve",)).fetchone()
            self._sieve = Sieve(np.frombuffer(found[0] if found else bytes(8), np.uint8))
            self._sieve_of = state
        return self._sieve
