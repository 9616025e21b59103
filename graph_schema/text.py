"""How things are written as text: the normal form that names are matched by, words for a relation, counts."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_WORD = re.compile(r"\w+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def fold(text: str) -> str:
    """Case and accents removed (Unicode NFKD without combining marks, case-folded); length may change."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()


def name_key(name: str) -> str:
    """The normal form that two spellings of one name share: words folded, punctuation and extra space gone.

    A name without any word character ("$", "...") keeps its folded characters, so that no name has an empty key
    unless it is blank itself.

    >>> name_key("  Léon:  The Professional ")
    'leon the professional'
    """
    folded = fold(name)
    return " ".join(_WORD.findall(folded)) or " ".join(folded.split())


def tokens(text: str) -> list[tuple[int, int, str]]:
    """The words of ``text`` as (start, end, folded word); offsets count characters of ``text`` as given.

    Runs of non-word, non-space characters are tokens only where they stand alone between spaces, so that names like
    "$" can be found. ``name_key(text[i.start:j.end])`` equals the joined words i..j.
    """
    found = []
    for match in re.finditer(r"\S+", text):
        words = [(m.start(), m.end(), fold(m.group())) for m in _WORD.finditer(match.group())]
        if words:
            found += [(match.start() + start, match.start() + end, word) for start, end, word in words]
        else:
            found.append((match.start(), match.end(), fold(match.group())))
    return found


@lru_cache(maxsize=4096)  # names of relations are few, and split again and again
def relation_words(name: str) -> str:
    """A relation's name as words: ``directed_by``, ``DIRECTED_BY`` and ``directedBy`` all give "directed by".

    Of an IRI or a dotted Freebase name only the last part is kept, and so of one written with two underscores
    (``ns0__directedBy``, ``__film__film__directed_by``).
    """
    last = re.split(r"[/#.:]|__+", name.rstrip("/#.:_"))[-1] or name
    spaced = _CAMEL.sub(" ", last).replace("_", " ").replace("-", " ")
    return " ".join(spaced.split()).lower() or name


def counted(number: int, noun: str, nouns: str = "") -> str:
    """So many of something: "1 line", "2,000 lines"; ``nouns`` is the plural where an s isn't all.

    >>> counted(1, "entity", "entities"), counted(0, "entity", "entities")
    ('1 entity', '0 entities')
    """
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"
