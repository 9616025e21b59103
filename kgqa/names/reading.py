"""Reading the index's tables; inside a transaction of the caller."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from graph_schema.types import Entity
from kgqa.names import forms, sql
from kgqa.names.hits import Hit, How, score_of
from kgqa.names.spelling import Word, edits_between

COMMON = 1_000  # names that are looked at of those that have a word
BEGUN = 50  # words that begin as the last one does
GUESSES = 5  # variants of a word that are tried in partial names


@dataclass(frozen=True, slots=True)
class Name:
    """One name: its row, its text, the row of the entity that bears it."""

    row: int
    text: str
    entity: int


@dataclass(frozen=True, slots=True)
class Found:
    """A name that a text matches; see ``hits.Hit``."""

    name: Name
    how: How
    score: float
    edits: int = 0


def names_of_rows(connection: sqlite3.Connection, rows: Collection[int]) -> dict[int, Name]:
    asked = json.dumps(sorted(rows))
    return {row: Name(row, text, row // sql.NAMES) for row, text in connection.execute(sql.NAMED, (asked,))}


def entities_of(connection: sqlite3.Connection, rows: Collection[int]) -> dict[int, Entity]:
    """Entities by row, without properties."""
    asked = json.dumps(sorted(rows))
    names: dict[int, list[str]] = {}
    for row, text in connection.execute(sql.NAMES_OF, (asked,)):
        names.setdefault(row, []).append(text)
    return {
        row: Entity(id_, names[row][0], label, tuple(names[row][1:])) if row in names else Entity(id_, id_, label)
        for row, id_, label in connection.execute(sql.ENTITIES, (asked,))
    }


def named(connection: sqlite3.Connection, hashes: Iterable[int], kinds: Collection[int]) -> dict[int, list[Name]]:
    """Names that have a form of these kinds, by its hash."""
    rows: dict[int, list[int]] = {}
    for hash_, kind, name in connection.execute(sql.FORMS, (json.dumps(list(hashes)),)):
        if kind in kinds:
            rows.setdefault(hash_, []).append(name)
    names = names_of_rows(connection, {name for found in rows.values() for name in found})
    return {hash_: [names[name] for name in found if name in names] for hash_, found in rows.items()}


def whole(connection: sqlite3.Connection, text: str, words: Sequence[str]) -> list[Found]:
    """Names that are this text, its words in any order, or its letters with other spaces or as initials."""
    bag, joined = forms.bag(words), forms.joined(words)
    found: list[Found] = []
    every = named(connection, {bag, joined}, {sql.BAG, sql.JOINED, sql.ACRONYM})
    for name in {name.row: name for names in every.values() for name in names}.values():
        how = how_whole(text, words, name.text)
        if how:
            found.append(Found(name, how, score_of(how, 0)))
    return found


def how_whole(text: str, words: Sequence[str], name: str) -> How | None:
    """How a text is a name without any misspelling; None: it isn't."""
    other = forms.words_of(name)
    if name == text.strip():
        return "exact"
    if list(words) == list(other):
        return "normal"
    if sorted(forms.telling(words)) == sorted(forms.telling(other)):
        return "reordered"
    if "".join(words) == "".join(other):
        return "joined"
    return "acronym" if "".join(words) in forms.initials(other) else None


def misspelt(
    connection: sqlite3.Connection, stretches: Mapping[int, Sequence[Sequence[str]]]
) -> list[tuple[int, int, Found]]:
    """Names that are a few edits from the words they were made of: (bag, place among its stretches, name).

    Args:
        stretches: for each bag, the words of the stretches of text that it was made for.
    """
    found = []
    for bag, names in named(connection, stretches, {sql.BAG}).items():
        for name in names:
            other = forms.words_of(name.text)
            for place, words in enumerate(stretches[bag]):
                edits = edits_between(words, other)
                if edits:
                    found.append(
                        (bag, place, Found(name, "typo", score_of("typo", sum(map(len, other)), edits), edits))
                    )
    return found


def partial(connection: sqlite3.Connection, words: Sequence[Word], most: int = COMMON) -> list[Found]:
    """Names that have these words, or words like them, beside others; if none has all, those that have one.

    Args:
        most: names with a word, beyond which it tells too little.
    """
    asked = [word for word in words if word.text not in forms.ARTICLES or len(words) == 1]
    able = [word for word in asked if word.known or (word.variants and forms.forgiven(len(word.text)))]
    choices = [[word.text] if word.known else list(word.variants[:GUESSES]) for word in able]
    if not choices:
        return []
    rows = dict(connection.execute(sql.WORDS, (json.dumps([text for some in choices for text in some]),)))
    sets = [
        {
            name
            for text in choice
            if text in rows
            for (name,) in connection.execute(sql.SOME_HAVING, (rows[text], most + 1))
        }
        for choice in choices
    ]
    rare = [names for names in sets if 0 < len(names) <= most]
    if not rare:
        return []
    names = set.intersection(*rare) or set.union(*rare)
    spelt = {text for choice in choices for text in choice}
    asked_letters = sum(len(word.text) for word in asked)
    found = []
    for name in names_of_rows(connection, names).values():
        other = forms.telling(forms.words_of(name.text))
        shared = sum(len(word) for word in other if word in spelt)
        if shared and len(other) > 1:
            share = shared / sum(map(len, other)) * min(shared / asked_letters, 1.0)
            found.append(Found(name, "partial", score_of("partial", 0, share=share)))
    return found


def starting(connection: sqlite3.Connection, words: Sequence[str]) -> set[int]:
    """Names that have all of these words, of the last one its beginning."""
    begun = [row for (row,) in connection.execute(sql.STARTING, (words[-1], BEGUN))]
    rows = dict(connection.execute(sql.WORDS, (json.dumps(list(words[:-1])),)))
    if any(word not in rows for word in words[:-1]):
        return set()
    names = {name for row in begun for (name,) in connection.execute(sql.SOME_HAVING, (row, COMMON))}
    for word in words[:-1]:
        having = {name for (name,) in connection.execute(sql.SOME_HAVING, (rows[word], COMMON))}
        names = having if len(having) < min(len(names), COMMON) else names
    return {
        row
        for row, name in names_of_rows(connection, names).items()
        if set(words[:-1]) <= set(own := forms.words_of(name.text)) and any(w.startswith(words[-1]) for w in own)
    }


def best(connection: sqlite3.Connection, found: Iterable[Found], limit: int) -> tuple[Hit, ...]:
    """The best hits, equal ones by id; of an entity, the name that fits best."""
    ordered = sorted(found, key=lambda hit: (-hit.score, hit.name.row))
    of_entity: dict[int, Found] = {}
    for hit in ordered:
        of_entity.setdefault(hit.name.entity, hit)
    # All that are as good as the last one are looked at, so that the id decides and not the order of writing.
    kept = list(of_entity.values())
    if len(kept) > limit:
        kept = [hit for hit in kept if hit.score >= kept[limit - 1].score][: max(COMMON, limit)]
    entities = entities_of(connection, {hit.name.entity for hit in kept})
    hits = [Hit(entities[hit.name.entity], hit.name.text, hit.how, round(hit.score, 4), hit.edits) for hit in kept]
    return tuple(sorted(hits, key=lambda hit: (-hit.score, hit.entity.id))[:limit])


def parts(rows: Iterator[tuple[int]], size: int) -> Iterator[list[int]]:
    """Single numbers, many at a time."""
    many: list[int] = []
    for (number,) in rows:
        many.append(number)
        if len(many) >= size:
            yield many
            many = []
    if many:
        yield many
