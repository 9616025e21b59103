"""The forms that a name is found by, as numbers.

A name's *bag* is the sum of its words' hashes modulo 2^48, articles left out: one number for every order of the words.
When one word is replaced by another, the new bag is had by a subtraction and an addition, so that thousands of
spellings of a stretch of text are tried in a few vector operations. Names of one bag are told apart by their text.
Names of several words have the hash of all words written together as well ("spiderman"), and of their initials.

Words are found by *deletion neighbourhoods* (Bocek et al. 2007; of a prefix only: SymSpell, Garbe 2012): words within
k edits have a form in common among those that arise by deleting up to k letters of each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import combinations
from zlib import crc32

from graph_schema.text import name_key

ARTICLES = frozenset(("a", "an", "the"))
MODULUS = 1 << 48  # of hashes: six bytes in a row of SQLite
PREFIX = 8  # letters of a word that deletions are made from
MAX_WORD = 64  # letters; longer ones (keys, hashes, texts) have no misspellings
LONG, SHORT = 8, 4  # letters from which on two edits, one edit are forgiven


def words_of(name: str) -> tuple[str, ...]:
    """The words of a name's normal form."""
    return tuple(name_key(name).split())


@lru_cache(maxsize=1 << 16)
def word_hash(word: str) -> int:
    """48 bits; the same on every machine."""
    return int.from_bytes(blake2b(word.encode("utf-8", "surrogatepass"), digest_size=6).digest(), "big")


def telling(words: Sequence[str]) -> list[str]:
    """The words without articles; all of them if there is nothing else.

    >>> telling(["the", "matrix"]), telling(["the", "the"])
    (['matrix'], ['the', 'the'])
    """
    return [word for word in words if word not in ARTICLES] or list(words)


def bag(words: Sequence[str]) -> int:
    """One number for these words in any order, with or without articles.

    >>> bag(["the", "matrix", "reloaded"]) == bag(["reloaded", "matrix"])
    True
    """
    return sum(map(word_hash, telling(words))) % MODULUS


def joined(words: Iterable[str]) -> int:
    """The hash of the words written as one."""
    return word_hash("".join(words))


def initials(words: Sequence[str]) -> tuple[str, ...]:
    """The acronyms of a name of three words or more: with its articles, without the first one, and without any.

    >>> initials("the lord of the rings".split())
    ('tlotr', 'lotr', 'lor')
    """
    begun = words[1:] if words and words[0] in ARTICLES else words
    made = ("".join(word[0] for word in chosen) for chosen in (words, begun, telling(words)))
    return tuple(dict.fromkeys(name for name in made if len(name) >= 3))


def forgiven(letters: int) -> int:
    """How many edits are forgiven in a name of so many letters, and in each word of a name (there one at least)."""
    return 2 if letters >= LONG else 1 if letters >= SHORT else 0


def correctable(word: str) -> bool:
    """Whether a word can be meant by another: one with a digit can't ("1994" is no misspelt "1995")."""
    return len(word) <= MAX_WORD and word.isalpha()


def neighbourhood(word: str, edits: int | None = None) -> set[int]:
    """32-bit hashes of what is left of the word's beginning when up to ``edits`` letters are deleted.

    Args:
        edits: None: as many as are forgiven in such a word; at least one, for short words of a long name.
    """
    most = max(forgiven(len(word)), 1) if edits is None else edits
    start = word[:PREFIX]
    left = {start}
    for count in range(1, most + 1):
        left.update("".join(kept) for kept in combinations(start, max(len(start) - count, 0)))
    return {crc32(text.encode("utf-8", "surrogatepass")) for text in left if text}
