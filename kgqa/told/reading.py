"""Answered questions, read as one hop or as two over a graph, by a reader and by what the graph knows.

With z_t the logits of the directed relations at hop t, stop_t the probability that it is the last, and F those of them
that what the hop starts from may have, the reader says of a way d_1 .. d_T (T is 1 or 2)

    q = stop_T prod_t exp(z_t,d_t) / sum_{f in F_t} exp(z_t,f), or 0 where most of the answers can't be at its end

The graph has its say, too: of all questions in the same words that are read so, h is how many answers stand at the end
of the way already, and m how many stand there that aren't answers. An answer speaks for the way by ``FOR``, another
against it by ``AGAINST``, all together by ``MOST`` at most:

    log p / (1 - p) = log q / (1 - q) + clamp(h log FOR - m log AGAINST, +- log MOST)

All relations of the graph are looked at, not only those around the topic: where a fact is missing, its relation may be,
too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from kgqa.answering.pipeline import Answerer
from kgqa.retrieval.keys import make_key
from kgqa.retrieval.surroundings import kinds
from kgqa.stores.snapshot import Snapshot
from kgqa.told.answered import Answered
from kgqa.training.prepare import TextStates

FOR, AGAINST, MOST = 3.0, 10.0, 50.0
POSSIBLE = 0.03  # what shares a relation with so many that have another may have that, too
AT_ONCE = 1024  # questions that are read together
WIDE = 200  # entities that one hop may lead to
FAINT = 0.002  # what is read with less can't become sure


@dataclass(frozen=True)
class Hop:
    """Where one hop leads from some starts.

    Attributes:
        owner: position of the start. node: where it leads. wide: starts from which it would lead to more than ``WIDE``.
    """

    owner: Int[Tensor, " E"]
    node: Int[Tensor, " E"]
    wide: Int[Tensor, " W"]


class Reading:
    """Questions over a graph.

    Args:
        asked: the questions, one at least.
    """

    def __init__(self, answerer: Answerer, snapshot: Snapshot, asked: Sequence[Answered]) -> None:
        self.asked = asked
        self._answerer, self._snapshot = answerer, snapshot
        self._expander = answerer.expander(snapshot)
        device = self._expander.device
        distinct = {text: place for place, text in enumerate(dict.fromkeys(one.text for one in asked))}
        self._text = torch.tensor([distinct[one.text] for one in asked], dtype=torch.int64)
        self._states = TextStates(answerer.encoder, list(distinct))
        self._directed = 2 * len(snapshot.relations())
        kind = kinds(self._expander.group_start, self._expander.group_relation, self._directed)
        self._may_have = torch.maximum(kind, kind.T) >= POSSIBLE  # few films have votes; what has votes is a film
        self.topic = self._expander.nodes([one.topic for one in asked])
        self._owner = torch.tensor([place for place, one in enumerate(asked) for _ in one.answers], device=device)
        self._answer = self._expander.nodes([answer for one in asked for answer in one.answers])
        self._listed = make_key(self._owner, self._answer)[self._answer >= 0]
        nodes, self._at = torch.unique(self._answer, return_inverse=True)
        self._fits = self._may(nodes)[:, torch.arange(self._directed, device=device) ^ 1]

    def one_hop(self) -> tuple[Int[Tensor, " Q"], Float[Tensor, " Q"]]:
        """The likeliest directed relation of each question, and its probability."""
        said = torch.cat([part for part, _, _ in self._planned(1)])
        there = torch.nonzero(self.topic >= 0).squeeze(-1)
        groups = self._expander.offer(self.topic[there])
        group, node = self._expander.expand(groups.handle, groups.count.clamp(max=WIDE))
        asked, relation = there[groups.owner][group], groups.relation[group]
        heard = torch.zeros(int(self._text.max()) + 1, self._directed, device=said.device)
        text = self._text.to(said.device)
        heard.index_put_((text[asked], relation), self._weight(asked, node), accumulate=True)
        best = _probability(said, heard[text]).max(-1)
        return best.indices, best.values

    def two_hops(self) -> tuple[Int[Tensor, "Q 2"], Float[Tensor, " Q"]]:
        """The likeliest way of two hops of each question, hop by hop, and its probability."""
        parts = list(self._planned(2))
        said, first, second = (torch.cat([part[i] for part in parts]) for i in range(3))
        said = said.gather(1, second.unsqueeze(-1)).squeeze(-1)
        way = torch.stack([first, second], -1)
        key = (self._text.to(said.device) * self._directed + first) * self._directed + second
        distinct, place = torch.unique(key, return_inverse=True)
        heard = torch.zeros(len(distinct), device=said.device)
        possible = torch.nonzero((said > FAINT) & (self.topic >= 0)).squeeze(-1)
        for some, through, there in self.walked(possible, way):
            asked = some[through.owner[there.owner]]
            other = there.node != self.topic[asked]  # who comes back to the topic says nothing
            heard.index_add_(0, place[asked[other]], self._weight(asked[other], there.node[other]))
        return way, _probability(said, heard[place])

    def walked(self, asked: Int[Tensor, " C"], way: Int[Tensor, "Q 2"]) -> Iterator[tuple[Int[Tensor, " S"], Hop, Hop]]:
        """Where ways lead from the topics of some questions: some of the questions at once, what is on their ways, and
        where that leads.

        Args:
            asked: positions of questions whose topic is known. way: of all questions.
        """
        for begin in range(0, len(asked), AT_ONCE):
            some = asked[begin : begin + AT_ONCE]
            first, last = way[some].unbind(-1)
            through = self._hop(self.topic[some], first)
            yield some, through, self._hop(through.node, last[through.owner])

    def _hop(self, node: Int[Tensor, " S"], relation: Int[Tensor, " S"]) -> Hop:
        """Where a directed relation leads from each node."""
        groups = self._expander.offer(node)
        same, wide = groups.relation == relation[groups.owner], groups.count > WIDE
        followed = same & ~wide
        edge, target = self._expander.expand(groups.handle[followed], groups.count[followed])
        return Hop(groups.owner[followed][edge], target, groups.owner[same & wide])

    def fitting(self, relation: Int[Tensor, " Q"]) -> list[list[str]]:
        """The answers of each question that may stand at the other end of a directed relation."""
        fits = iter(self._fits[self._at, relation[self._owner]].tolist())
        return [[answer for answer in one.answers if next(fits)] for one in self.asked]

    @torch.inference_mode()
    def _planned(self, hops: int) -> Iterator[tuple[Float[Tensor, "C D"], Int[Tensor, " C"], Int[Tensor, " C"]]]:
        """What the reader says of each directed relation at the last hop; the likeliest at the first, and at the last
        of those that lead to the answers."""
        device = self._expander.device
        for begin in range(0, len(self.asked), AT_ONCE):
            some = slice(begin, begin + AT_ONCE)
            text, of_text = torch.unique(self._text[some], return_inverse=True)
            plan, table = self._answerer.planned(self._states.take(text, device), self._snapshot)
            of_text = of_text.to(device)
            most = self._most(begin, len(of_text))
            read = plan.stop[of_text, hops - 1 : hops]
            may = self._may(self.topic[some])
            first = torch.zeros_like(of_text)
            for hop in range(hops):
                logits = self._answerer.network.relations(plan, hop, table)[of_text, :-1]
                chances = logits.masked_fill(~may, float("-inf")).softmax(-1).nan_to_num(0.0)
                if hop == hops - 1:
                    said = read * chances * most
                    yield said, first, said.argmax(-1)
                    break
                best = chances.max(-1)
                first, read = best.indices, read * best.values.unsqueeze(-1)
                may = self._may_have[first ^ 1]

    def _most(self, begin: int, count: int) -> Bool[Tensor, "C D"]:
        """Of ``count`` questions, at whose end of which directed relations most answers may be."""
        mine = torch.nonzero((self._owner >= begin) & (self._owner < begin + count)).squeeze(-1)
        owner, fits = self._owner[mine] - begin, self._fits[self._at[mine]].float()
        found = torch.zeros(count, self._directed, device=fits.device).index_add(0, owner, fits)
        return found >= torch.bincount(owner, minlength=count).unsqueeze(-1) / 2

    def _may(self, node: Int[Tensor, " E"]) -> Bool[Tensor, "E D"]:
        """Which directed relations each node may have; of what is new (-1), or has no fact yet, nobody knows."""
        known = torch.nonzero(node >= 0).squeeze(-1)
        groups = self._expander.offer(node[known])
        ways = torch.zeros(len(node), self._directed, device=node.device)
        ways.index_add_(0, known[groups.owner], self._may_have[groups.relation].float())
        bare = torch.bincount(known[groups.owner], minlength=len(node)) == 0
        return (ways > 0) | bare.unsqueeze(-1)

    def _weight(self, asked: Int[Tensor, " E"], node: Int[Tensor, " E"]) -> Float[Tensor, " E"]:
        """What each end that is reached says for a way, in log odds."""
        right = torch.isin(make_key(asked, node), self._listed)
        return torch.where(right, math.log(FOR), -math.log(AGAINST))


def _probability(read: Tensor, heard: Tensor) -> Tensor:
    heard = heard.clamp(-math.log(MOST), math.log(MOST))
    return torch.where(read > 0, torch.sigmoid(read.clamp(max=1 - 1e-6).logit() + heard), 0.0)
