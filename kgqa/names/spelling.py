"""Which names a stretch of words may be a misspelling of.

Every word has its variants: words of the index within a few edits. A stretch with one or two words replaced by variants
has a bag (see ``forms``) that is a sum; the sums of all stretches are made at once, those that are no name's go through
the sieve, and of what is left the letters are compared.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
from rapidfuzz import process
from rapidfuzz.distance import OSA

from kgqa.names import forms, sql
from kgqa.names.sieve import Hashes, Sieve

MAX_WORDS = 12  # of a stretch
VARIANTS = 200  # of a word, the nearest ones


@dataclass(frozen=True)
class Word:
    """A word of a question or of a name that is asked for.

    Attributes:
        text: folded. known: whether the index has it. value: its summand of a bag.
        other, edits: int64 [V], summands of its variants, and how many edits each is away.
        variants: V words, nearest first.
    """

    text: str
    known: bool
    value: int
    other: Hashes
    edits: npt.NDArray[np.int64]
    variants: tuple[str, ...]


def words_with_variants(
    connection: sqlite3.Connection, words: Sequence[str], correct: Sequence[bool]
) -> tuple[Word, ...]:
    """Each word with what it may have been meant to be, in two queries for all.

    Args:
        correct: for each word, whether it is looked into, though the index may have it.
    """
    distinct = list(dict.fromkeys(words))
    there = {text for text, _ in connection.execute(sql.WORDS, (json.dumps(distinct),))}
    wanted = {
        word for word, may in zip(words, correct, strict=True) if (may or word not in there) and forms.correctable(word)
    }
    asked: dict[int, list[str]] = {}
    for word in sorted(wanted):
        for hash_ in forms.neighbourhood(word):
            asked.setdefault(hash_, []).append(word)
    near: dict[str, set[str]] = {word: set() for word in wanted}
    if asked:
        for hash_, text in connection.execute(sql.NEAR, (json.dumps(list(asked)),)):
            for word in asked[hash_]:
                near[word].add(text)
    made = {word: _word(word, word in there, near.get(word, set())) for word in distinct}
    return tuple(made[word] for word in words)


def _word(text: str, known: bool, near: set[str]) -> Word:
    near.discard(text)
    ranked = process.extract(text, sorted(near), scorer=OSA.distance, score_cutoff=2, limit=VARIANTS, processor=None)
    found = [
        (int(edits), other) for other, edits, _ in ranked if edits <= max(forms.forgiven(max(len(other), len(text))), 1)
    ]
    return Word(
        text,
        known or text in forms.ARTICLES,
        _value(text),
        np.array([_value(other) for _, other in found], np.int64),
        np.array([edits for edits, _ in found], np.int64),
        tuple(other for _, other in found),
    )


def _value(word: str) -> int:
    return 0 if word in forms.ARTICLES else forms.word_hash(word)


def misspelt(words: Sequence[Word], sieve: Sieve) -> list[tuple[int, int, int]]:
    """(first word, last word, bag) of every stretch that may be a name when up to two of its words are replaced."""
    stretches: list[tuple[int, int]] = []
    sums: list[Hashes] = []
    for first in range(len(words)):
        for last in range(first, min(first + MAX_WORDS, len(words))):
            inside = words[first : last + 1]
            unknown = [place for place, word in enumerate(inside) if not word.known]
            if len(unknown) > 2 or any(not len(inside[place].other) for place in unknown):
                break
            # One letter may be missing, so that the name is a letter longer.
            allowed = forms.forgiven(sum(len(word.text) for word in inside) + 1)
            total = sum(word.value for word in inside)
            for wrong in _wrong(inside, unknown, allowed):
                stretches.append((first, last))
                sums.append((total + _difference([inside[place] for place in wrong], allowed)) % forms.MODULUS)
    if not sums:
        return []
    bags = np.concatenate(sums)
    owner = np.repeat(np.arange(len(sums)), [len(part) for part in sums])
    left = np.flatnonzero(sieve.may_hold(bags))
    return [(*stretches[at], bag) for at, bag in zip(owner[left].tolist(), bags[left].tolist(), strict=True)]


def _wrong(inside: Sequence[Word], unknown: Sequence[int], allowed: int) -> Iterator[tuple[int, ...]]:
    """Which words to replace: those that aren't known, and beside them others that have variants."""
    may = [place for place, word in enumerate(inside) if len(word.other)]
    for count in range(max(len(unknown), 1), allowed + 1):
        for wrong in combinations(may, count):
            if set(unknown) <= set(wrong):
                yield wrong


def _difference(wrong: Sequence[Word], allowed: int) -> Hashes:
    """What the bag changes by when these words are replaced by their variants, in every way that is allowed."""
    change, edits = wrong[0].other - wrong[0].value, wrong[0].edits
    for word in wrong[1:]:
        change = np.add.outer(change, word.other - word.value).ravel()
        edits = np.add.outer(edits, word.edits).ravel()
    return change[edits <= allowed]


def edits_between(asked: Sequence[str], name: Sequence[str]) -> int | None:
    """How many edits make one list of words the other, articles or order aside; None: more than are forgiven."""
    left, right = forms.telling(asked), forms.telling(name)
    most = forms.forgiven(sum(map(len, right)))
    for one, other in ((left, right), (asked, name), (sorted(left), sorted(right))):
        edits = OSA.distance(" ".join(one), " ".join(other), score_cutoff=most)
        if edits <= most:
            return edits
    return None
