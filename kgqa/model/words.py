"""Words encoded alone: what a word means wherever it stands, next to what it means in its question.

A token's contextual state is of its neighbours, too: in "the track of X 's release" the state of "track" is like a
release. A word by itself is like the relation that it names, whatever else is asked. And which word it is, by how it
is spelt, says what no meaning does: where a graph has the relations "release" and "releases", a question means the one
that it names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

KEPT = 20_000  # words, at most, whose embeddings are kept
CODE = 256  # numbers of a word's code
_BATCH = 256
_PIECE = "##"


class WordsAlone:
    """What stands for the words that rows of token ids are of, each word looked at once and kept.

    A word has W numbers: its embedding, if it is wanted, and then its code, if that is: ``CODE`` times
    +-1 / sqrt(CODE), the bits of a digest of the word, so that the cosine of two bags of words is about the one that
    counting words gives.

    Args:
        tokenizer: of WordPiece. embed: embeddings of texts; None: these aren't wanted. width: of an embedding.
        spelled: whether codes are wanted.
    """

    def __init__(
        self,
        tokenizer: Any,
        embed: Callable[[Sequence[str]], Float[Tensor, "B E"]] | None,
        width: int,
        *,
        spelled: bool,
    ) -> None:
        self._tokenizer, self._embed, self._spelled = tokenizer, embed, spelled
        self.width = (width if embed else 0) + (CODE if spelled else 0)
        self._own = set(tokenizer.all_special_ids)
        self._place: dict[tuple[int, ...], int] = {}
        self._table = torch.zeros(1, self.width)  # row 0: no word

    def __call__(self, ids: Int[Tensor, "*S L"]) -> Float[Tensor, "*S L W"]:
        """One word a token, zero at the tokenizer's own ones; the pieces of a word have the numbers of the word."""
        if not self.width:
            return torch.zeros(*ids.shape, 0, device=ids.device)
        told = [self._words(row) for row in ids.flatten(0, -2).tolist()]
        self._learn({word for row in told for word in row if word})
        place = torch.tensor([[self._place[word] if word else 0 for word in row] for row in told], dtype=torch.int64)
        found: Tensor = self._table[place.reshape(ids.shape)].to(ids.device)
        return found

    def _words(self, row: Sequence[int]) -> list[tuple[int, ...]]:
        """For each token the ids of its word's pieces; none for the tokenizer's own."""
        pieces = self._tokenizer.convert_ids_to_tokens(row)
        words: list[tuple[int, ...]] = []
        start = 0
        for at in range(1, len(row) + 1):
            if at < len(row) and pieces[at].startswith(_PIECE):
                continue
            word = () if row[start] in self._own else tuple(row[start:at])
            words += [word] * (at - start)
            start = at
        return words

    def _learn(self, words: set[tuple[int, ...]]) -> None:
        """Encode the words that aren't kept; all that were kept are dropped where there is no more room."""
        new = sorted(words - self._place.keys())
        if not new:
            return
        if len(self._place) + len(new) > KEPT:
            new, self._place, self._table = sorted(words), {}, self._table[:1]
        said = ["".join(self._tokenizer.convert_ids_to_tokens(word)).replace(_PIECE, "") for word in new]
        parts = []
        for some in (said[i : i + _BATCH] for i in range(0, len(said), _BATCH)):
            both = [self._embed(some).cpu()] if self._embed else []
            parts.append(torch.cat([*both, *([codes(some)] if self._spelled else [])], -1))
        first = len(self._table)
        self._table = torch.cat([self._table, *parts])
        self._place |= {word: first + at for at, word in enumerate(new)}


def codes(words: Sequence[str]) -> Float[Tensor, "B CODE"]:
    """Codes of words; see ``WordsAlone``."""
    digests = b"".join(blake2b(word.encode(), digest_size=CODE // 8).digest() for word in words)
    bits = np.unpackbits(np.frombuffer(digests, np.uint8)).reshape(len(words), CODE)
    return torch.from_numpy(bits).float().mul(2).sub(1).div(CODE**0.5)
