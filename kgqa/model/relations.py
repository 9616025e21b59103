"""Relations as texts: the only thing the model knows of a relation is how it is said.

With text embeddings E_r (the encoder's, of the relation's words in the direction walked):

    key_r = W_fwd E_r  from head to tail,   W_inv E_r  from tail to head
    score_t,r = <query_t, key_r> / sqrt(d) + w cos(c_t, E_r) + w' cos(u_t, E_r) + w" cos(v_t, F_r)

    none_t = log( exp(<v, query_t> + b + 0.3 (w + w')) + e^a sum over the absent r of exp(score_t,r) )

so that a relation never seen in training is scored by its words; "none of these" competes with those on offer, so that
a question whose relation isn't there leads nowhere. Absent are the relations that the graph has, but not here: what is
asked for is chosen among all of them, and if that is one which isn't on offer, it is missed, and the next best doesn't
take its place. What they count is learned, from a = -3 on, so that of two relations with the same words the one
that is there is followed (not without ``absent``: then there is no such sum).

The cosines compare what the controller attends to with the relation's words directly, as it stands in the question
(c_t), each word alone (u_t; not without ``words_alone``) and whether they are the same words (v_t, the code of the
words attended to, with F_r, that of the relation's; only with ``spelled``). Their weights are learned, from 5, 10 and
5 on: training begins with the relation whose words are said, and the learned comparison, which knows nothing of words
that training lacks, is added to that. "None of these" weighs as much as a relation that is as unlike as most are: a
likeness of 0.3 (not without ``words_alone``).

A relation may be said in other words, too (only with ``wordings``): its score is then that of the best of all its
wordings, each with an embedding and a key of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from kgqa.model.config import ModelConfig
from kgqa.model.controller import Plan
from kgqa.model.words import CODE

UNLIKE = 0.3
_NOTHING = -1e4


@dataclass(frozen=True)
class Wordings:
    """Other words for directed relations, T of them in all.

    Attributes:
        text: [T, X], as in ``RelationTable``. of: [T], the directed relation that each says.
    """

    text: Float[Tensor, "T X"]
    of: Int[Tensor, " T"]

    def some(self, kept: Bool[Tensor, " T"]) -> Wordings:
        """Those that are kept."""
        return Wordings(self.text[kept], self.of[kept])

    def to(self, device: torch.device | str) -> Wordings:
        """The same on a device."""
        return Wordings(self.text.to(device), self.of.to(device))


@dataclass(frozen=True)
class RelationTable:
    """Texts of the R relations of one graph in both directions.

    Attributes:
        text: [2 R, X], of the words of directed relation 2 r (forward) and 2 r + 1 (inverse) the encoder's embedding
            and then, if words are read as they are spelt, their code.
        key: [2 R, K], the embedding, transformed by direction.
        other: other words for them, T in all, if there are any. other_key: [T, K], their keys.
    """

    text: Float[Tensor, "D X"]
    key: Float[Tensor, "D K"]
    other: Wordings | None = None
    other_key: Float[Tensor, "T K"] | None = None


def directed_keys(forward: nn.Linear, inverse: nn.Linear, text: Float[Tensor, "D X"]) -> Float[Tensor, "D K"]:
    """Keys of directed relations: text embeddings of one length, transformed by direction."""
    unit = _of_one_length(forward, text)
    return torch.stack([forward(unit[0::2]), inverse(unit[1::2])], 1).flatten(0, 1)


def _of_one_length(forward: nn.Linear, text: Float[Tensor, "D X"]) -> Float[Tensor, "D E"]:
    embedding = text[:, : forward.in_features]
    unit: Tensor = functional.normalize(embedding, dim=-1) * embedding.shape[-1] ** 0.5
    return unit


class RelationScorer(nn.Module):
    """Scores directed relations against a plan. Formula: see the module's text."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.forward_key = nn.Linear(config.encoder_dim, config.relation_dim)
        self.inverse_key = nn.Linear(config.encoder_dim, config.relation_dim)
        self.cosine_weight = nn.Parameter(torch.tensor(5.0))
        # Made only where it is used: a checkpoint has no weights that aren't read.
        self.words_weight = nn.Parameter(torch.tensor(10.0)) if config.words_alone else None
        self.spelled_weight = nn.Parameter(torch.tensor(5.0)) if config.spelled else None
        self.none = nn.Linear(config.relation_dim, 1)
        nn.init.zeros_(self.none.weight)
        nn.init.constant_(self.none.bias, -3.0)
        self.absent_weight = nn.Parameter(torch.tensor(-3.0)) if config.absent else None

    def table(self, text: Float[Tensor, "D X"], other: Wordings | None = None) -> RelationTable:
        """Transform the text embeddings of one graph's directed relations; done once per graph, not per question."""
        key = directed_keys(self.forward_key, self.inverse_key, text)
        if other is None or not len(other.of):
            return RelationTable(text, key)
        unit = _of_one_length(self.forward_key, other.text)
        back = (other.of % 2 == 1).unsqueeze(-1)
        return RelationTable(text, key, other, torch.where(back, self.inverse_key(unit), self.forward_key(unit)))

    def forward(self, plan: Plan, hop: int, table: RelationTable) -> Float[Tensor, "B D1"]:
        """Logits of all directed relations at hop ``hop`` (0-based), and last of none; masking is the caller's."""
        none = self.none(plan.query[:, hop])
        if self.words_weight is not None:
            none = none + UNLIKE * (self.cosine_weight + self.words_weight)
        score = self._likeness(plan, hop, table.text, table.key)
        if table.other is not None and table.other_key is not None:
            others = self._likeness(plan, hop, table.other.text, table.other_key)
            score = score.scatter_reduce(1, table.other.of.expand(len(others), -1), others, "amax")
        return torch.cat([score, none], -1)

    def _likeness(
        self, plan: Plan, hop: int, text: Float[Tensor, "D X"], key: Float[Tensor, "D K"]
    ) -> Float[Tensor, "B D"]:
        """What a plan asks for at a hop, compared with texts."""
        width, words = plan.context.shape[-1], plan.words[:, hop]
        score: Tensor = plan.query[:, hop] @ key.T / key.shape[-1] ** 0.5
        # Both cosines are with the same texts: one product.
        asked = self.cosine_weight * functional.normalize(plan.context[:, hop], dim=-1)
        if self.words_weight is not None:
            asked = asked + self.words_weight * functional.normalize(words[:, :width], dim=-1)
        score = score + asked @ functional.normalize(text[:, :width], dim=-1).T
        if self.spelled_weight is not None:
            score = score + self.spelled_weight * _cosines(words[:, -CODE:], text[:, width:])
        return score

    def choose(
        self, logits: Float[Tensor, "B D1"], offered: Bool[Tensor, "B D"], part: Int[Tensor, " D"] | None = None
    ) -> tuple[Float[Tensor, "B D1"], Bool[Tensor, "B D1"]]:
        """Logits with the absent relations added to none, and which of them can be chosen.

        Args:
            logits: of ``forward``. offered: which relations there are to follow. part: of several graphs side by side,
                the one that each relation is of; only those of the same one as what is offered can be absent.
        """
        if self.absent_weight is not None:
            # Finite, also where nothing is absent: the gradient must be, too.
            there = offered if part is None else offered | ~_beside(offered, part)
            absent = logits[:, :-1].masked_fill(there, _NOTHING).logsumexp(-1, keepdim=True)
            logits = torch.cat([logits[:, :-1], torch.logaddexp(logits[:, -1:], absent + self.absent_weight)], -1)
        return logits, torch.cat([offered, offered.new_ones(len(offered), 1)], -1)


def _cosines(these: Float[Tensor, "B N"], those: Float[Tensor, "D N"]) -> Float[Tensor, "B D"]:
    return functional.normalize(these, dim=-1) @ functional.normalize(those, dim=-1).T


def _beside(offered: Bool[Tensor, "B D"], part: Int[Tensor, " D"]) -> Bool[Tensor, "B D"]:
    """Which relations are of a graph that something on offer is of."""
    of = functional.one_hot(part).to(torch.float32)  # [D, graphs]
    beside: Tensor = (offered.to(torch.float32) @ of > 0).to(torch.float32) @ of.T > 0
    return beside
