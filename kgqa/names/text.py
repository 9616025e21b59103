"""What in a text may name something, though no name is written so: misspelt, in part, as initials, run together."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from graph_schema.text import tokens
from kgqa.names import forms, sql
from kgqa.names.hits import Stretch, score_of
from kgqa.names.reading import Found, best, how_whole, misspelt, named, partial
from kgqa.names.sieve import Sieve
from kgqa.names.spelling import MAX_WORDS, Word, words_with_variants
from kgqa.names.spelling import misspelt as spellings

STRETCHES = 4  # that are told of one text
HITS = 8  # of one stretch
JOINED_WORDS = 4  # that may have been one word
TELLING = 50  # names that a word may stand in, to tell anything alone


@dataclass(frozen=True)
class _Text:
    """A text's words, where they stand, which are doubted or in no name, and which may be parts of names."""

    spans: Sequence[tuple[int, int]]
    words: tuple[Word, ...]
    odd: Sequence[bool]
    parts: Sequence[bool]
    plain: str


def in_text(
    connection: sqlite3.Connection, sieve: Sieve, plain: str, doubted: Sequence[bool], parts: Sequence[bool]
) -> tuple[Stretch, ...]:
    """Stretches of a text that may be names, the likeliest ones, in the order they stand in.

    Args:
        doubted: for each of ``tokens(plain)``, whether it may be misspelt, though it is a word of some name. Words
            that no name has are doubted anyway.
        parts: for each, whether it may be a part of a name that stands for all of it.
    """
    found = tokens(plain)
    words = words_with_variants(connection, [word for _, _, word in found], doubted)
    odd = [doubt or not word.known for doubt, word in zip(doubted, words, strict=True)]
    if not any(odd) and not any(parts):
        return ()
    text = _Text([(start, end) for start, end, _ in found], words, odd, parts, plain)
    by_stretch: dict[tuple[int, int], list[Found]] = {}
    found_whole = (*_reordered(connection, sieve, text), *_written_otherwise(connection, text))
    for stretch, hit in (*_misspelt(connection, sieve, text), *found_whole):
        by_stretch.setdefault(stretch, []).append(hit)
    for stretch, hits in _partial(connection, text):
        if not any(first <= stretch[1] and stretch[0] <= last for first, last in by_stretch):
            by_stretch[stretch] = hits
    by_stretch = {stretch: hits for stretch, hits in by_stretch.items() if not _explained(stretch, hits, by_stretch)}
    likely = sorted(by_stretch.items(), key=lambda item: -_weight(text, *item))[:STRETCHES]
    return tuple(
        Stretch(text.spans[first][0], text.spans[last][1], best(connection, hits, HITS))
        for (first, last), hits in sorted(likely)
    )


def _explained(
    stretch: tuple[int, int], hits: Sequence[Found], others: Mapping[tuple[int, int], Sequence[Found]]
) -> bool:
    """Whether a longer stretch around this one is a name with no more misspelt: then that is what was meant."""
    edits = min(hit.edits for hit in hits)
    return any(
        other != stretch
        and other[0] <= stretch[0]
        and stretch[1] <= other[1]
        and any(hit.edits <= edits for hit in longer)
        for other, longer in others.items()
    )


def _weight(text: _Text, stretch: tuple[int, int], hits: Sequence[Found]) -> float:
    letters = sum(len(word.text) for word in text.words[stretch[0] : stretch[1] + 1])
    return letters * max(hit.score for hit in hits)


def _misspelt(connection: sqlite3.Connection, sieve: Sieve, text: _Text) -> list[tuple[tuple[int, int], Found]]:
    """Of stretches that differ only by words around it ("the matrx", "matrx"), a name gets the one most like it."""
    made: dict[int, list[tuple[int, int]]] = {}
    for first, last, bag in spellings(text.words, sieve):
        if (first, last) not in made.setdefault(bag, []):
            made[bag].append((first, last))
    if not made:
        return []
    told = {bag: [[word.text for word in text.words[a : b + 1]] for a, b in of] for bag, of in made.items()}
    nearest: dict[int, tuple[int, int, tuple[int, int], Found]] = {}
    for bag, place, hit in misspelt(connection, told):
        first, last = made[bag][place]
        own = forms.words_of(hit.name.text)
        extra = abs((last - first + 1) - len(own))
        rank = (extra, hit.edits, (first, last), hit)
        if hit.name.row not in nearest or rank[:3] < nearest[hit.name.row][:3]:
            nearest[hit.name.row] = rank
    return [(stretch, hit) for _, _, stretch, hit in nearest.values()]


def _reordered(connection: sqlite3.Connection, sieve: Sieve, text: _Text) -> list[tuple[tuple[int, int], Found]]:
    """Stretches with a word that may be a part of a name, and all the others of it, articles aside, in some order."""
    stretches = [
        (first, last)
        for first in range(len(text.words))
        for last in range(first, min(first + MAX_WORDS, len(text.words)))
        if any(text.parts[first : last + 1]) and all(word.known for word in text.words[first : last + 1])
    ]
    bags = np.array([forms.bag([w.text for w in text.words[a : b + 1]]) for a, b in stretches], np.int64)
    asked: dict[int, list[tuple[int, int]]] = {}
    for place in np.flatnonzero(sieve.may_hold(bags)).tolist():
        asked.setdefault(int(bags[place]), []).append(stretches[place])
    found = []
    for hash_, names in named(connection, asked, {sql.BAG}).items():
        for name in names:
            for first, last in asked[hash_]:
                start, end = text.spans[first][0], text.spans[last][1]
                how = how_whole(text.plain[start:end], [w.text for w in text.words[first : last + 1]], name.text)
                if how == "reordered":
                    found.append(((first, last), Found(name, how, score_of(how, 0))))
    return found


def _written_otherwise(connection: sqlite3.Connection, text: _Text) -> list[tuple[tuple[int, int], Found]]:
    """Words that are one in the name or the other way round, and initials."""
    asked: dict[int, list[tuple[int, int]]] = {}
    for first in range(len(text.words)):
        for last in range(first, min(first + JOINED_WORDS, len(text.words))):
            if any(text.odd[first : last + 1]):
                asked.setdefault(forms.joined(w.text for w in text.words[first : last + 1]), []).append((first, last))
    found = []
    for hash_, names in named(connection, asked, {sql.BAG, sql.JOINED, sql.ACRONYM}).items():
        for name in names:
            for first, last in asked[hash_]:
                start, end = text.spans[first][0], text.spans[last][1]
                how = how_whole(text.plain[start:end], [w.text for w in text.words[first : last + 1]], name.text)
                if how == "joined" or (how == "acronym" and _as_initials(text, first, last)):
                    found.append(((first, last), Found(name, how, score_of(how, 0))))
    return found


def _as_initials(text: _Text, first: int, last: int) -> bool:
    """Whether a stretch is written as initials are: "LOTR", "lotr" if that is no word, "U.S.A."."""
    written = [text.plain[start:end] for start, end in text.spans[first : last + 1]]
    if first < last:
        return all(len(letter) == 1 for letter in written)
    return written[0].isupper() or (written[0].islower() and not text.words[first].known)


def _partial(connection: sqlite3.Connection, text: _Text) -> list[tuple[tuple[int, int], list[Found]]]:
    """Runs of words as parts of names."""
    runs: list[list[int]] = [[]]
    for place, word in enumerate(text.words):
        if text.parts[place] and (word.known or word.variants):
            runs[-1].append(place)
        elif runs[-1]:
            runs.append([])
    found = []
    for run in runs:
        if run and (hits := partial(connection, [text.words[place] for place in run], TELLING)):
            found.append(((run[0], run[-1]), hits))
    return found
