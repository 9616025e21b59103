"""Facts that the graph lacks, guessed where a walk would use them (``kgqa.model.links``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from kgqa.retrieval.expander import ragged
from kgqa.retrieval.surroundings import fitting, kinds, likeliest, surroundings

if TYPE_CHECKING:
    from kgqa.model.links import LinkPredictor
    from kgqa.retrieval.answers import AnswerGuesser
    from kgqa.retrieval.expander import SnapshotExpander

LEAST = 0.02  # probability from which on a guess counts
MOST = 16  # guesses at one node and relation
ASKED = 8  # (node, relation) pairs that one row may ask about at one hop, the heaviest
AT_ONCE = 128  # queries whose surroundings are looked at together
REMEMBERED = 100_000_000  # (node, relation) pairs up to which a graph's guesses are kept


@dataclass(frozen=True)
class Guessed:
    """X guessed facts of Q queries: ``query`` [X] ascending, the other end ``node`` [X], ``probability`` [X]."""

    query: Int[Tensor, " X"]
    node: Int[Tensor, " X"]
    probability: Float[Tensor, " X"]


@runtime_checkable
class Guesser(Protocol):
    """Says which facts there may be besides those that there are.

    Attributes:
        answers: guesses at what is asked for itself; None: nothing does.
    """

    answers: AnswerGuesser | None

    def fitting(self, node: Int[Tensor, " F"]) -> Bool[Tensor, "F D"]:
        """Which directed relations each node is of a kind to have."""

    def guess(self, node: Int[Tensor, " Q"], relation: Int[Tensor, " Q"]) -> Guessed:
        """Who may be at the other end of each node's directed relation, of those of whom the graph doesn't say so."""


class LinkGuesser:
    """Guesses by a link predictor over a snapshot; each guess is made once.

    Args:
        links: trained. relation_text: of the snapshot's directed relations, [D, E].
        answers: see ``Guesser``.
    """

    def __init__(
        self,
        links: LinkPredictor,
        relation_text: Float[Tensor, "D E"],
        expander: SnapshotExpander,
        answers: AnswerGuesser | None = None,
    ) -> None:
        self.answers = answers
        self._links, self._expander = links, expander
        with torch.no_grad():
            self._keys = links.keys(relation_text)
        self._kind = kinds(expander.group_start, expander.group_relation, len(relation_text))
        pairs = (len(expander.group_start) - 1) * len(relation_text)
        device = expander.device
        self._place = torch.full((pairs if pairs <= REMEMBERED else 0,), -1, dtype=torch.int32, device=device)
        self._start = torch.zeros(1, dtype=torch.int64, device=device)
        self._node = torch.zeros(0, dtype=torch.int64, device=device)
        self._probability = torch.zeros(0, device=device)

    def fitting(self, node: Int[Tensor, " F"]) -> Bool[Tensor, "F D"]:
        return fitting(self._expander, self._kind, node)

    @torch.no_grad()
    def guess(self, node: Int[Tensor, " Q"], relation: Int[Tensor, " Q"]) -> Guessed:
        if not len(self._place):
            return self._made(node, relation)
        pair = node * len(self._keys) + relation
        new = torch.unique(pair[self._place[pair] < 0])
        if len(new):
            made = self._made(new // len(self._keys), new % len(self._keys))
            self._place[new] = torch.arange(len(new), dtype=torch.int32, device=new.device) + len(self._start) - 1
            counts = torch.bincount(made.query, minlength=len(new))
            self._start = torch.cat([self._start, self._start[-1] + counts.cumsum(0)])
            self._node = torch.cat([self._node, made.node])
            self._probability = torch.cat([self._probability, made.probability])
        place = self._place[pair].long()
        query, at = ragged(self._start[place], self._start[place + 1] - self._start[place])
        return Guessed(query, self._node[at], self._probability[at])

    def _made(self, node: Tensor, relation: Tensor) -> Guessed:
        parts = []
        for begin in range(0, len(node), AT_ONCE):
            some = slice(begin, begin + AT_ONCE)
            around = surroundings(self._expander, self._kind, node[some], relation[some])
            probability = self._links(self._keys, around).sigmoid()
            kept = torch.nonzero(probability >= LEAST).squeeze(-1)
            kept = kept[likeliest(around.query[kept], probability[kept], MOST)]
            parts.append(Guessed(around.query[kept] + begin, around.node[kept], probability[kept]))
        none = node.new_zeros(0)
        return Guessed(
            torch.cat([none, *(part.query for part in parts)]),
            torch.cat([none, *(part.node for part in parts)]),
            torch.cat([self._keys.new_zeros(0), *(part.probability for part in parts)]),
        )
