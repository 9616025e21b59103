"""The walk as its docstrings say it, in plain Python, one row at a time; and strategies for small graphs to walk on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from graph_schema import Entity, Fact, Schema
from kgqa.model.config import ModelConfig
from kgqa.model.controller import Plan
from kgqa.model.encoder import TokenStates
from kgqa.model.network import ReaderNetwork, Reading
from kgqa.model.relations import RelationTable
from kgqa.retrieval.expander import Expander
from kgqa.retrieval.keys import key_node, key_row
from kgqa.retrieval.scores import read
from kgqa.retrieval.walk import Budget, Walk
from kgqa.stores.snapshot import Snapshot

SMALL = ModelConfig(encoder_dim=12, state_dim=8, relation_dim=10, slot_dim=6, max_hops=3, prune=0.1, min_stop=0.05)


@dataclass(frozen=True)
class Case:
    """A graph, and rows to walk on it.

    Attributes:
        topics: entity ids of each row. seed: of the questions and of the relations' texts.
        alike: all relations are said in the same words, so that ties must be settled.
    """

    entities: tuple[str, ...]
    facts: frozenset[Fact]
    topics: tuple[tuple[str, ...], ...]
    seed: int
    alike: bool = False

    @property
    def relations(self) -> list[str]:
        return sorted({fact.relation for fact in self.facts})

    def texts(self) -> dict[str, Tensor]:
        """Made-up text embeddings of each relation, forward and inverse: [2, E]."""
        generator = torch.Generator().manual_seed(self.seed)
        drawn = {name: torch.randn(2, SMALL.encoder_dim, generator=generator) for name in self.relations}
        return {name: drawn[self.relations[0] if self.alike else name] for name in self.relations}

    def tokens(self) -> list[Tensor]:
        """Made-up token states of each row's question, [L, E], of different lengths."""
        generator = torch.Generator().manual_seed(self.seed + 1)
        return [torch.randn(3 + row % 3, SMALL.encoder_dim, generator=generator) for row in range(len(self.topics))]

    def snapshot(self) -> Snapshot:
        ids = sorted(self.entities)
        index = {id_: i for i, id_ in enumerate(ids)}
        facts = sorted(self.facts)
        return Snapshot.from_columns(
            [Entity(id_, id_) for id_ in ids],
            self.relations,
            np.array([index[f.head] for f in facts], np.int64),
            np.array([self.relations.index(f.relation) for f in facts], np.int64),
            np.array([index[f.tail] for f in facts], np.int64),
            schema=Schema(),
            url="test",
            changes=0,
        )


@st.composite
def cases(draw: st.DrawFn, *, max_rows: int = 4) -> Case:
    """Graphs of up to 7 entities and 3 relations, with self-loops, parallel relations and entities without facts."""
    entities = tuple(f"entity {i}" for i in range(draw(st.integers(1, 7))))
    entity, relation = st.sampled_from(entities), st.sampled_from(["knows", "made", "in"])
    facts = draw(st.frozensets(st.builds(Fact, entity, relation, entity), max_size=16))
    rows = st.lists(st.lists(entity, max_size=3, unique=True).map(tuple), min_size=1, max_size=max_rows)
    return Case(entities, facts, tuple(draw(rows)), draw(st.integers(0, 9999)), draw(st.booleans()))


def network(seed: int, config: ModelConfig = SMALL) -> ReaderNetwork:
    """A network with decided opinions: every parameter drawn anew, and wider than training starts with."""
    torch.manual_seed(seed)
    made = ReaderNetwork(config).eval().requires_grad_(False)
    for parameter in made.parameters():
        parameter.normal_(0, 0.6)
    last = made.controller.stop[-1]
    assert isinstance(last, nn.Linear)
    last.weight.mul_(4)  # so that some rows stop early
    return made


@dataclass(frozen=True)
class Walked:
    """One pass through the network."""

    plan: Plan
    table: RelationTable
    walk: Walk
    reading: Reading
    expander: Expander

    def by_row(self, values: Tensor) -> dict[tuple[int, str], float]:
        """A value of each reached entity, by row and entity id."""
        ids = self.expander.ids(key_node(self.walk.key))
        return dict(zip(zip(key_row(self.walk.key).tolist(), ids, strict=True), values.tolist(), strict=True))


def go(
    net: ReaderNetwork,
    expander: Expander,
    texts: Mapping[str, Tensor],
    tokens: Sequence[Tensor],
    topics: Sequence[Sequence[str]],
    *,
    budget: Budget | None = None,
    hide: Tensor | None = None,
) -> Walked:
    """Pad, plan, walk and read."""
    states = torch.nn.utils.rnn.pad_sequence(list(tokens), batch_first=True)
    mask = (torch.arange(states.shape[1]) < torch.tensor([len(t) for t in tokens]).unsqueeze(1)).to(net.device)
    ids = torch.zeros(mask.shape, dtype=torch.int64, device=net.device)
    plan = net.plan(TokenStates(states, mask, ids, states.roll(1, -1)))
    none = states.new_zeros(0, states.shape[2])
    table = net.relations.table(torch.cat([none, *(texts[name] for name in expander.relations)]))
    row = torch.tensor([r for r, own in enumerate(topics) for _ in own], dtype=torch.int64, device=net.device)
    node = expander.nodes([topic for own in topics for topic in own])
    walk, reading = read(net, plan, table, expander, row, node, budget or Budget(), hide)
    return Walked(plan, table, walk, reading, expander)


@dataclass(frozen=True)
class ReferenceHop:
    """Edges as (source, directed relation, target, weight); masses after the hop; facts cut, by directed relation."""

    edges: list[tuple[str, int, str, float]]
    mass: dict[str, float]
    cut: dict[int, int]


def reference(
    case: Case,
    topics: Sequence[str],
    logits: Sequence[Sequence[float]],
    stop: Sequence[float],
    back: Sequence[float],
    config: ModelConfig = SMALL,
    *,
    edges_allowed: int = 20_000,
    hide: int = -1,
    absent: float,
) -> tuple[dict[str, float], list[ReferenceHop]]:
    """One row's walk.

    Args:
        logits: [T][D + 1], of each directed relation at each hop, and last of none.
        absent: log of what an absent relation counts for none.

    Returns:
        The mixture of masses by entity, topics among them, and what was done at each hop.
    """
    around: dict[str, dict[int, list[str]]] = {id_: {} for id_ in case.entities}
    for fact in case.facts:
        directed = 2 * case.relations.index(fact.relation)
        around[fact.head].setdefault(directed, []).append(fact.tail)
        around[fact.tail].setdefault(directed + 1, []).append(fact.head)
    frontier = dict.fromkeys(topics, 1.0)
    mixture = dict.fromkeys(topics, 0.0)
    hops: list[ReferenceHop] = []
    for t in range(config.max_hops):
        if sum(stop[t:]) < config.min_stop or not frontier:
            break
        offered = {directed for source in frontier for directed in around[source]}
        share = _softmax(logits[t], offered, absent)
        if hide == t and offered:
            share = _softmax(logits[t], offered - {max(offered, key=share.__getitem__)}, absent)
        groups = [
            (source, directed, mass * share.get(directed, 0.0))
            for source, mass in frontier.items()
            for directed in around[source]
        ]
        best = max((weight for *_, weight in groups), default=0.0)
        groups = [g for g in groups if g[2] >= config.prune * best and g[2] > 0]
        left, total = edges_allowed, dict[str, float]()
        hop = ReferenceHop([], {}, {})
        for source, directed, weight in sorted(groups, key=lambda g: (-round(g[2] * 1e5), g[0], g[1])):
            targets = sorted(around[source][directed])
            taken = targets[: max(left, 0)]
            left -= len(targets)
            if len(taken) < len(targets):
                hop.cut[directed] = hop.cut.get(directed, 0) + len(targets) - len(taken)
            for target in taken:
                hop.edges.append((source, directed, target, weight))
                total[target] = total.get(target, 0.0) + weight
        frontier = {v: min(1.0, mass) * (back[t] if v in topics else 1.0) for v, mass in total.items()}
        hop.mass.update(frontier)
        hops.append(hop)
        for v, mass in frontier.items():
            mixture[v] = mixture.get(v, 0.0) + stop[t] * mass
    return mixture, hops


def _softmax(logits: Sequence[float], offered: set[int], absent: float) -> dict[int, float]:
    """Of those offered, of none, and for none of the others; what none gets is left out."""
    lacked = sum(math.exp(logits[directed] + absent) for directed in range(len(logits) - 1) if directed not in offered)
    total = math.exp(logits[-1]) + lacked + sum(math.exp(logits[directed]) for directed in offered)
    return {directed: math.exp(logits[directed]) / total for directed in offered}


def reference_chain(hops: Sequence[ReferenceHop], stop: Sequence[float], answer: str) -> list[tuple[str, int, str]]:
    """The chain of facts to one answer: (source, directed relation, target) of each step."""
    best, length = 0.0, 0
    for number, hop in enumerate(hops):
        gain = stop[number] * hop.mass.get(answer, 0.0)
        if gain > best + 1e-6:
            best, length = gain, number + 1
    chain: list[tuple[str, int, str]] = []
    here = answer
    for hop in reversed(hops[:length]):
        source, directed, _, _ = min(
            (edge for edge in hop.edges if edge[2] == here), key=lambda e: (-round(e[3] * 1e5), e[0], e[1])
        )
        chain.insert(0, (source, directed, here))
        here = source
    return chain
