"""The controller: reads the question once per hop, by attention over its token states.

For hops t = 1..T, with token states x_1..x_L of the frozen encoder and its own state s_t (s_0 from the mean of the
tokens):

    e_tj = <W_q s_{t-1}, W_k x_j> / sqrt(d)      a_t = softmax_j(e_t)      c_t = sum_j a_tj x_j
    s_t = GRU(W_c c_t, s_{t-1})         u_t = sum_j a_tj w_j, of the words by themselves

(a_t even over the tokens without ``token_attention``)

from which come a query for relations, the probability that hop t is the last, and a gate for coming back to the topic.
Additive-free dot attention after Vaswani et al. 2017; control by attention over the question after Hudson & Manning
2018 (MAC); the GRU cell after Cho et al. 2014.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from kgqa.model.config import ModelConfig


@dataclass(frozen=True)
class Plan:
    """What the question alone says, for B rows and T hops.

    Attributes:
        attention: [B, T, L], weight of each token at each hop; sums to 1 over the unpadded tokens.
        context: [B, T, E], attended token states c_t. words: [B, T, W], attended words by themselves u_t (and v_t, see
            ``RelationScorer``); W = 0 without them.
        state: [B, T, S], controller states s_t.
        query: [B, T, R], what is compared with relation texts at hop t.
        stop: [B, T], probability that hop t is the last one; sums to 1 over T.
        back: [B, T], in [0, 1]: how much of the mass that comes back to a topic at hop t is kept.
        pooled: [B, S], the whole question.
    """

    attention: Float[Tensor, "B T L"]
    context: Float[Tensor, "B T E"]
    words: Float[Tensor, "B T W"]
    state: Float[Tensor, "B T S"]
    query: Float[Tensor, "B T R"]
    stop: Float[Tensor, "B T"]
    back: Float[Tensor, "B T"]
    pooled: Float[Tensor, "B S"]

    def take(self, index: Int[Tensor, " N"]) -> Plan:
        """The rows at these positions, in this order; positions may repeat."""
        return Plan(**{part.name: getattr(self, part.name)[index] for part in fields(self)})

    def softened(self) -> Plan:
        """The same plan, less sure of how many hops it takes: see ``softened``."""
        logits = self.stop.clamp(min=1e-30).log()
        return replace(self, stop=softened(logits, torch.ones_like(logits, dtype=torch.bool)).softmax(-1))

    def ending(self, hops: Int[Tensor, " B"]) -> Plan:
        """The same plan, of which row b takes ``hops[b]`` hops for certain; 0: as many as it takes anyway."""
        number = torch.arange(1, self.stop.shape[1] + 1, device=hops.device)
        last = (hops.unsqueeze(-1) == number).to(self.stop.dtype)
        return replace(self, stop=torch.where((hops > 0).unsqueeze(-1), last, self.stop))

    def reordered(self, order: Int[Tensor, "B T"]) -> Plan:
        """The same plan with what it asks for at hop t asked for at the place of t in ``order``: row b first asks for
        its hop ``order[b, 0]``. How many hops are taken, and what is remembered of them, stays."""

        def moved(part: Tensor) -> Tensor:
            index = order.view(*order.shape, *[1] * (part.dim() - 2)).expand_as(part)
            return part.gather(1, index)

        return replace(
            self,
            attention=moved(self.attention),
            context=moved(self.context),
            words=moved(self.words),
            query=moved(self.query),
        )

    def frozen(self, rows: Bool[Tensor, " B"]) -> Plan:
        """The same plan, through which nothing is learned from these rows."""

        def freeze(part: Tensor) -> Tensor:
            return torch.where(rows.view(-1, *[1] * (part.dim() - 1)), part.detach(), part)

        return Plan(**{part.name: freeze(getattr(self, part.name)) for part in fields(self)})


def softened(logits: Float[Tensor, "B N"], allowed: Bool[Tensor, "B N"]) -> Float[Tensor, "B N"]:
    """Logits whose spread over what is allowed is at most 1, so that a softmax leaves nothing out.

    Their gradient is that of the logits given: where a softmax has become sure, it would be next to nothing.
    """
    count = allowed.sum(-1, keepdim=True).clamp(min=1)
    mean = torch.where(allowed, logits, 0).sum(-1, keepdim=True) / count
    spread = (torch.where(allowed, logits - mean, 0).square().sum(-1, keepdim=True) / count).sqrt()
    scaled = (logits - mean) / spread.clamp(min=1)
    return scaled.detach() + (logits - logits.detach())


class Controller(nn.Module):
    """Plans T hops from token states. Formula: see the module's text."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width, state = config.encoder_dim, config.state_dim
        self.hops, self.token_attention = config.max_hops, config.token_attention
        self.keys = nn.Linear(width, state, bias=False)
        self.start = nn.Linear(width, state)
        self.ask = nn.Linear(state, state)
        self.take = nn.Linear(width, state)
        self.cell = nn.GRUCell(state, state)
        self.query = nn.Sequential(nn.Linear(2 * state, config.relation_dim), nn.LayerNorm(config.relation_dim))
        self.stop = nn.Sequential(nn.Linear(2 * state, state), nn.Tanh(), nn.Linear(state, 1))
        self.back = nn.Linear(2 * state, 1)
        nn.init.constant_(self.back.bias, 0.0)
        # Made only where it is used: a checkpoint has no weights that aren't read.
        self.one_stop = None if config.question_stop else nn.Parameter(torch.zeros(config.max_hops))

    def forward(self, tokens: Float[Tensor, "B L E"], mask: Bool[Tensor, "B L"], words: Float[Tensor, "B L W"]) -> Plan:
        """Read the token states of B rows, padded to L; ``mask`` is True at real tokens. ``words``: each alone."""
        keys = self.keys(tokens)  # [B, L, S]
        real = mask.unsqueeze(-1).to(tokens.dtype)
        mean = (tokens * real).sum(1) / real.sum(1).clamp(min=1)
        pooled = torch.tanh(self.start(mean))
        state = pooled
        attention, context, states, queries, stops, backs = [], [], [], [], [], []
        for _ in range(self.hops):
            scores = torch.einsum("bs,bls->bl", self.ask(state), keys) / keys.shape[-1] ** 0.5
            if not self.token_attention:
                scores = torch.zeros_like(scores)
            weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
            attended = torch.einsum("bl,ble->be", weights, tokens)
            taken = torch.tanh(self.take(attended))
            state = self.cell(taken, state)
            both = torch.cat([state, taken], -1)
            attention.append(weights)
            context.append(attended)
            states.append(state)
            queries.append(self.query(both))
            stops.append(self.stop(torch.cat([state, pooled], -1)).squeeze(-1))
            backs.append(self.back(both).squeeze(-1))
        stop = torch.stack(stops, 1) if self.one_stop is None else self.one_stop.expand(len(tokens), -1)
        return Plan(
            attention=torch.stack(attention, 1),
            context=torch.stack(context, 1),
            words=torch.einsum("btl,blw->btw", torch.stack(attention, 1), words),
            state=torch.stack(states, 1),
            query=torch.stack(queries, 1),
            stop=stop.softmax(-1),
            back=torch.stack(backs, 1).sigmoid(),
            pooled=pooled,
        )
