"""Teaching the link predictor, from the graph alone: facts are hidden, and it has to find them again.

At each step, a new part of the facts is hidden for some steps; queries are drawn from those, by relation (evenly over
the square roots of how many there are). The loss is that of answers (``kgqa.training.loss``): what is asked is who else
stands at the other end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from kgqa.model.links import LinkPredictor
from kgqa.retrieval.expander import SnapshotExpander
from kgqa.retrieval.scores import Scores
from kgqa.retrieval.surroundings import kinds, surroundings
from kgqa.training.loss import answer_loss

HIDDEN_FOR = 20  # steps that the same facts are hidden


@dataclass(frozen=True)
class Hidden:
    """A graph some of whose facts are hidden.

    Attributes:
        graph: without them. kind: see ``surroundings.kinds``, of that graph.
        pair: [H], (node, directed relation) of each hidden edge as one number. end: [H], the node at its other end.
        weight: [H], how often each is asked for.
    """

    graph: SnapshotExpander
    kind: Tensor
    pair: Int[Tensor, " H"]
    end: Int[Tensor, " H"]
    weight: Float[Tensor, " H"]


class Facts:
    """The facts of a snapshot, each by its two edges, so that some can be hidden."""

    def __init__(self, whole: SnapshotExpander) -> None:
        self._whole = whole
        self._directed = 2 * len(whole.relations)
        group = torch.repeat_interleave(whole.edge_start.diff())
        self._source = torch.repeat_interleave(whole.group_start.diff())[group]
        self._relation, self._target = whole.group_relation[group], whole.edge_target
        # Both in the order of (head, relation, tail), so that the edges at one position are of one fact.
        inverse = self._relation % 2 == 1
        head, tail = torch.where(inverse, self._target, self._source), torch.where(inverse, self._source, self._target)
        order = torch.arange(len(group), device=group.device)
        for by in (tail, self._relation, head):
            order = order[torch.sort(by[order], stable=True).indices]
        self._edges = torch.stack([order[~inverse[order]], order[inverse[order]]])  # [2, F]

    def hide(self, most: float, generator: torch.Generator) -> Hidden:
        """Hide a part of them: a share between a tenth of ``most`` and ``most``."""
        count = self._edges.shape[1]
        share = most * (0.1 + 0.9 * float(torch.rand((), generator=generator)))
        gone = torch.randperm(count, generator=generator)[: max(1, int(share * count))].to(self._edges.device)
        edges = self._edges[:, gone].flatten()
        keep = torch.ones(len(self._source), dtype=torch.bool, device=edges.device)
        keep[edges] = False
        graph = self._whole.keeping(keep)
        relation = self._relation[edges]
        seldom = torch.bincount(relation, minlength=self._directed).float().rsqrt()
        pair = self._source[edges] * self._directed + relation
        return Hidden(
            graph,
            kinds(graph.group_start, graph.group_relation, self._directed),
            pair,
            self._target[edges].long(),
            seldom[relation].cpu(),
        )


@dataclass(frozen=True)
class LinkTraining:
    """How a link predictor is taught.

    Args:
        steps: optimizer steps. queries: facts to be found again in a step.
        hidden: share of the facts that is hidden, at most.
        seed: of all that is drawn. learning_rate: at its highest.
    """

    steps: int
    queries: int
    hidden: float
    seed: int
    learning_rate: float = 3e-3

    def steps_on(
        self, links: LinkPredictor, whole: SnapshotExpander, relation_text: Float[Tensor, "D E"]
    ) -> Iterator[float]:
        """Teach it on a graph; gives the loss of each step, which is taken as it is asked for."""
        facts = Facts(whole)
        generator = torch.Generator().manual_seed(self.seed)
        optimizer = torch.optim.AdamW(links.parameters(), lr=self.learning_rate, weight_decay=1e-4)
        hidden = facts.hide(self.hidden, generator)
        for step in range(self.steps):
            if step and step % HIDDEN_FOR == 0:
                hidden = facts.hide(self.hidden, generator)
            rate = min(1.0, (step + 1) / 20) * max(0.05, 1 - step / self.steps)
            for group in optimizer.param_groups:
                group["lr"] = self.learning_rate * rate
            loss = self._loss(links, links.keys(relation_text), hidden, generator)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(links.parameters(), 1.0)
            optimizer.step()
            yield float(loss.detach())

    def _loss(self, links: LinkPredictor, keys: Tensor, hidden: Hidden, generator: torch.Generator) -> Tensor:
        drawn = torch.multinomial(hidden.weight, self.queries, replacement=True, generator=generator)
        pair = torch.unique(hidden.pair[drawn])
        around = surroundings(hidden.graph, hidden.kind, pair // len(keys), pair % len(keys))
        mine = torch.isin(hidden.pair, pair)
        scores = Scores(around.query, around.node, functional.logsigmoid(links(keys, around)))
        answerable = torch.ones(len(pair), dtype=torch.bool, device=pair.device)
        return answer_loss(scores, torch.searchsorted(pair, hidden.pair[mine]), hidden.end[mine], answerable)
