"""Words encoded alone: what a word means wherever it stands, next to what it means in its question.

A token's contextual state is of its neighbours, too: in "the track of X 's release" the state of "track" is like a
release. A word by itself is like the relation that it names, whatever else is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

KEPT = 20_000  # words, at most, whose embeddings are kept
_BATCH = 256
_PIECE = "##"


class WordsAlone:
    """Embeddings of the words that rows of token ids are of, each word encoded once and kept.

    Args:
        tokenizer: of WordPiece. embed: embeddings of texts.
    """

    def __init__(self, tokenizer: Any, embed: Callable[[Sequence[str]], Float[Tensor, "B E"]], width: int) -> None:
        self._tokenizer, self._embed = tokenizer, embed
        self._own = set(tokenizer.all_special_ids)
        self._place: dict[tuple[int, ...], int] = {}
        self._table = torch.zeros(1, width)  # row 0: no word

    def __call__(self, ids: Int[Tensor, "*S L"]) -> Float[Tensor, "*S L E"]:
        """One embedding a token, zero at the tokenizer's own ones; the pieces of a word have that of the word."""
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
        parts = [self._embed(said[i : i + _BATCH]).cpu() for i in range(0, len(said), _BATCH)]
        first = len(self._table)
        self._table = torch.cat([self._table, *parts])
        self._place |= {word: first + at for at, word in enumerate(new)}
