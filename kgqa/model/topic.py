"""Which of several readings of a question has the right topic.

Names hide common words (films are called "Stars", "Director", "The Movies"), so a question can be masked in several
ways. Each reading i, with mean token state x_i of the question masked so and the mention's share l_i of its words:

    p = softmax_i(v . tanh(W x_i + w l_i))

A question masked at the wrong place reads oddly ("who acted in [MASK] directed by Heat"), which is what is learned.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from kgqa.model.config import ModelConfig


class TopicScorer(nn.Module):
    """Scores readings; the softmax over the readings of one question is the caller's."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width, state = config.encoder_dim, config.state_dim
        self.hidden = nn.Linear(2 * width + 1, state)
        self.out = nn.Linear(state, 1)

    def forward(
        self,
        tokens: Float[Tensor, "B L E"],
        mask: Bool[Tensor, "B L"],
        mention: Bool[Tensor, "B L"],
        share: Float[Tensor, " B"],
    ) -> Float[Tensor, " B"]:
        """Logits of B readings.

        Args:
            tokens: states of the masked questions. mask: True at real tokens.
            mention: True at the tokens that stand for the mention.
            share: the mention's share of the question's characters, in [0, 1].
        """

        def mean(at: Tensor) -> Tensor:
            chosen = at.unsqueeze(-1).to(tokens.dtype)
            return (tokens * chosen).sum(1) / chosen.sum(1).clamp(min=1)

        both = torch.cat([mean(mask), mean(mention), share.unsqueeze(-1)], -1)
        logits: Tensor = self.out(torch.tanh(self.hidden(both))).squeeze(-1)
        return logits
