"""Which of several relations of nearly the same name a question means: the one that it writes as it is called.

To an encoder "release" and "releases", or "date" and "release date", are almost one word. A text that writes one of
them, and the other nowhere, means the one: exact matches count beside dense ones, as in hybrid retrieval.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from graph_schema import Schema
from kgqa.adapt.verbs import singular
from kgqa.linking.kinds import MOST_RELATIONS
from kgqa.model.encoder import MASK, OTHER

Words = tuple[str, ...]
_TOPIC = "[]"  # no word


class NamedRelations:
    """Knows which relations a graph has of nearly the same name, and which of them a text writes.

    Attributes:
        over: (x, y), positions of relations: y isn't meant where x is written and y isn't. The words of both are the
            same but for singular and plural, or those of y are some of those of x, which stand together. Of more than
            ``MOST_RELATIONS`` relations there are none: pairs may be as many as their square.

    >>> named = NamedRelations(Schema(), ["release", "releases", "release_date", "song"])
    >>> named.over
    [(0, 1), (1, 0), (2, 0), (2, 1)]
    >>> [named("the releases of the release date of [MASK]"), named("the song of [MASK]")]
    [[1, 2], []]
    """

    def __init__(self, schema: Schema, relations: Sequence[str]) -> None:
        words = [_words(schema.words(name)) for name in relations] if len(relations) <= MOST_RELATIONS else []
        stems = [tuple(map(singular, own)) for own in words]
        of_stem: dict[Words, list[int]] = {}
        for at, stem in enumerate(stems):
            of_stem.setdefault(stem, []).append(at)
        self.over = [
            (x, y)
            for x, stem in enumerate(stems)
            for part in dict.fromkeys(_parts(stem))
            for y in of_stem.get(part, ())
            if words[x] != words[y]
        ]
        self._of_words: dict[Words, list[int]] = {}
        for at in sorted({at for pair in self.over for at in pair}):
            self._of_words.setdefault(words[at], []).append(at)
        self._longest = max(map(len, self._of_words), default=0)

    def __call__(self, text: str) -> list[int]:
        """Those of the relations in ``over`` that a text writes; of words in several names, the longest name counts.

        Args:
            text: with its topic masked.
        """
        if not self.over:
            return []
        written, at, found = _words(text.replace(MASK, f" {_TOPIC} ").replace(OTHER, f" {_TOPIC} ")), 0, set[int]()
        while at < len(written):
            lengths = range(min(self._longest, len(written) - at), 0, -1)
            length = next((n for n in lengths if written[at : at + n] in self._of_words), 0)
            found.update(self._of_words[written[at : at + length]] if length else ())
            at += max(length, 1)
        return sorted(found)


def _words(text: str) -> Words:
    return tuple(re.findall(r"\[\]|[^\W_]+", text.lower()))


def _parts(words: Words) -> Iterator[Words]:
    """All that stand together in some words, and are no others."""
    for begin in range(len(words)):
        for end in range(begin + 1, len(words) + 1):
            yield words[begin:end]
