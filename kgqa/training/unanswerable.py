"""Which questions are made unanswerable while training, and how: a relation is hidden, or the words are of none.

All is drawn by seed and step, so that any step can be had without the ones before.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from kgqa.model.controller import Plan
from kgqa.model.encoder import Encoder
from kgqa.training.config import TrainConfig
from kgqa.training.prepare import Prepared, Ragged
from kgqa.training.unknown_words import unknown_words

UNKNOWN_TEXTS = 256  # texts in words of no relation: of fewer wordings, several are made of each
UNKNOWN_DEV = 64  # the same for the questions that are only looked at


class Unanswerable:
    """Draws for the questions of one prepared set.

    Args:
        texts: how many in words of no relation there are to be at least; fewer where no more would be drawn.

    Attributes:
        texts: all texts of the set, and after them those in words of no relation.
        unknown: [texts of the set, V], where the latter stand; -1: there is none.
    """

    def __init__(
        self,
        config: TrainConfig,
        data: Prepared,
        encoder: Encoder,
        relation_text: Float[Tensor, "D E"],
        texts: int = UNKNOWN_TEXTS,
    ) -> None:
        self.config, self.data = config, data
        self.texts = list(data.texts)
        asked = torch.unique(data.row_text).tolist()
        wanted = min(texts, math.ceil(config.steps * config.batch_size * config.unknown_share))
        versions = max(1, -(-wanted // max(len(asked), 1)))
        self.unknown = torch.full((len(self.texts), versions), -1)
        if config.unknown_share:
            made = unknown_words([self.texts[i] for i in asked], encoder, relation_text, config.seed, versions)
            for i, others in zip(asked, made, strict=True):
                self.unknown[i, : len(others)] = torch.arange(len(others)) + len(self.texts)
                self.texts += others

    def all_unknown(self) -> Prepared:
        """The same questions in words of no relation, without answers; none of them if not all have such words."""
        data = self.data
        row = torch.arange(len(data.row_text))
        at = self.unknown[data.row_text, row % self.unknown.shape[1]]
        if not len(at) or bool((at < 0).any()):
            return replace(data, questions=())
        nothing = Ragged.of([()] * len(data.questions))
        return replace(data, row_text=at, answers=nothing, missing=torch.zeros_like(data.missing))

    def hidden(self, step: int, count: int) -> Bool[Tensor, " count"]:
        """Which questions of this step have a relation hidden."""
        return self._drawn(step, count, self.config.hide_share, 0)

    def asked(
        self, step: int, row: Int[Tensor, " B"], question: Int[Tensor, " B"], count: int
    ) -> tuple[Int[Tensor, " B"], Bool[Tensor, " count"]]:
        """The text of each row, in some questions one with unknown words; and which questions these are.

        Args:
            row: rows of the set. question: the question of each, ascending, among the ``count`` ones of this step.
        """
        row_text = self.data.row_text[row]
        version = torch.randint(self.unknown.shape[1], (count,), generator=self._generator(step + 2))
        other = self.unknown[row_text, version[question]]
        without = torch.zeros(count, dtype=torch.bool)
        without[question[other < 0]] = True
        unknown = self._drawn(step, count, self.config.unknown_share, 1) & ~without
        return torch.where(unknown[question], other, row_text), unknown

    def hide_at(self, step: int, plan: Plan, hide: Bool[Tensor, " B"]) -> Int[Tensor, " B"]:
        """For each row to be made unanswerable, a hop that its question takes, drawn evenly; -1 for the others."""
        hops = plan.stop.detach().argmax(-1) + 1
        draw = torch.rand(len(hide), generator=self._generator(step + 1)).to(hops.device)
        return torch.where(hide, (draw * hops).long(), -1)

    def _drawn(self, step: int, count: int, share: float, kind: int) -> Tensor:
        """Which questions are made unanswerable in one of the two ways."""
        config = self.config
        if step < config.hide_from * config.steps:
            return torch.zeros(count, dtype=torch.bool)
        generator = torch.Generator().manual_seed((2 * config.seed + kind) * 1_000_003 + step)
        return torch.rand(count, generator=generator) < share

    def _generator(self, step: int) -> torch.Generator:
        return torch.Generator().manual_seed(self.config.seed * 1_000_003 + step)
