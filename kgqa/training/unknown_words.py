"""Questions that ask for what no relation is about, made of those that there are: their relation words are replaced.

A reader that only ever saw questions whose words fit some relation takes the nearest one for any word. So in some of
the training questions the words that are likest to a relation's (cosine of the encoder's embeddings of the single
words) are replaced by words drawn from the encoder's vocabulary that are like none; such a question has no answer.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from kgqa.model.encoder import MASK, OTHER, Encoder

LIKE, UNLIKE = 0.45, 0.35  # cosine to the nearest relation: a relation's word from here on; a strange one up to here
DRAWN = 2000
_WORD = re.compile(r"[A-Za-z]{3,}")
_BATCH = 128


def unknown_words(
    texts: Sequence[str], encoder: Encoder, relation_text: Float[Tensor, "D E"], seed: int, versions: int = 1
) -> list[tuple[str, ...]]:
    """For each masked text, so many whose relation words are others; none for a text without words.

    Of the words that are like a relation's, the likest one and each of the others with a chance of 1/2 are replaced.
    From the second version on each other word, too, is replaced with a chance of 1/4 and left out with as much: else
    where wordings are few, these few would be known by heart.

    Args:
        relation_text: embeddings of the relations' words, see ``Encoder.relation_texts``.
    """
    if not len(relation_text):
        return [()] * len(texts)
    generator = random.Random(f"unknown words {seed}")
    split = [_words(text) for text in texts]
    known = sorted({word.lower() for words in split for word, _, _ in words})
    likeness = dict(zip(known, _likeness(known, encoder, relation_text), strict=True))
    vocabulary = [word for word in encoder.vocabulary() if word not in likeness]
    drawn = generator.sample(vocabulary, min(DRAWN, len(vocabulary)))
    strange = [w for w, like in zip(drawn, _likeness(drawn, encoder, relation_text), strict=True) if like <= UNLIKE]
    if not strange:
        return [()] * len(texts)

    def other(like: float, best: float, version: int) -> bool | None:
        """Whether a word is to be another one; None: whether it is to be left out."""
        if like == best:
            return True
        chance = generator.random()
        if like >= LIKE:
            return chance < 0.5
        return None if version and chance < 0.25 else bool(version) and chance < 0.5

    def made(text: str, words: Sequence[tuple[str, int, int]], version: int) -> str:
        best = max(likeness[word.lower()] for word, _, _ in words)
        parts, done = [], 0
        for word, start, end in words:
            another = other(likeness[word.lower()], best, version)
            if another is not False:
                parts += [text[done:start], generator.choice(strange) if another else ""]
                done = end
        return " ".join("".join([*parts, text[done:]]).split())

    return [
        tuple(made(text, words, version) for version in range(versions)) if words else ()
        for text, words in zip(texts, split, strict=True)
    ]


def _words(text: str) -> list[tuple[str, int, int]]:
    """Words with their bounds, less the marks that stand for topics."""
    found = ((m.group(), m.start(), m.end()) for m in _WORD.finditer(text))
    return [word for word in found if text[word[1] - 1 : word[2] + 1] not in (MASK, OTHER)]


def _likeness(words: Sequence[str], encoder: Encoder, relation_text: Tensor) -> list[float]:
    """Cosine of each word to the relation that it is likest to."""
    unit = functional.normalize(relation_text[:, : encoder.width], dim=-1)
    found: list[float] = []
    for start in range(0, len(words), _BATCH):
        own = functional.normalize(encoder.embed(words[start : start + _BATCH]), dim=-1)
        found += torch.amax(own @ unit.T, -1).tolist()
    return found
