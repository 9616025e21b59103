"""The walk: from topics outward, hop by hop, only where the question leads.

For each row (one topic of one question) the frontier is a soft set: entities with a mass in [0, 1]. At hop t

    the relations around the frontier are offered; p_t = softmax over those and "none" of scores (``RelationScorer``);
    w_g = mass_source p_t,relation for each group g = (source, relation); groups below ``prune`` of the best are left;
    mass_v = min(1, sum over edges g -> v of w_g), times the coming-back gate where v is a topic of the row;

and what counts in the end is the mixture sum_t stop_t mass_t. Soft sets following relations: Cohen et al. 2020
(scalable neural methods for reasoning with a symbolic knowledge base); the transparent form after Shi et al. 2021.

Only one loop, over hops: rows and nodes are batched. The same code runs over a snapshot and over a live store.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from kgqa.model.controller import Plan
from kgqa.model.network import ReaderNetwork
from kgqa.model.relations import RelationTable
from kgqa.model.slots import Memory, compressed
from kgqa.retrieval.asked import Kinds
from kgqa.retrieval.expander import Expander, Groups
from kgqa.retrieval.guesses import ASKED, Guesser
from kgqa.retrieval.keys import key_node, key_row, make_key
from kgqa.retrieval.surroundings import likeliest


@dataclass(frozen=True)
class Budget:
    """What one row may expand at one hop; what is over it is cut, the lightest groups first, and said."""

    edges: int = 20_000


@dataclass(frozen=True)
class Hop:
    """What was done at one hop.

    Attributes:
        weights: [B, D], weights of the directed relations offered.
        source_key: [G], (row, node) that each expanded group starts from. relation: [G]. weight: [G], mass on an edge.
        edge_group: [M], edge_target: [M], for each edge its group and the reached entity, positions in G and V.
        key: [V], the (row, node) reached, ascending. mass: [V].
        cut_row, cut_relation, cut_count: [C], facts left out for the budget.
        guessed: [G], whether the group is one guessed fact. proving: [G], whether it isn't, nor was its source reached
            by guesses alone. proven: [V], reached over facts alone.
    """

    weights: Float[Tensor, "B D"]
    source_key: Int[Tensor, " G"]
    relation: Int[Tensor, " G"]
    weight: Float[Tensor, " G"]
    edge_group: Int[Tensor, " M"]
    edge_target: Int[Tensor, " M"]
    key: Int[Tensor, " V"]
    mass: Float[Tensor, " V"]
    cut_row: Int[Tensor, " C"]
    cut_relation: Int[Tensor, " C"]
    cut_count: Int[Tensor, " C"]
    guessed: Bool[Tensor, " G"]
    proving: Bool[Tensor, " G"]
    proven: Bool[Tensor, " V"]


@dataclass(frozen=True)
class Walk:
    """All that B rows have reached.

    Attributes:
        key: [M], (row, node) of each reached entity, ascending; the topics are among them.
        mass: [M], mixture over the hops, in [0, 1].
        memory: the slots, and which one each reached entity has; None if the model has none.
        hops: one entry for each hop that any row took.
        proven: [M], reached over facts alone, in one way at least.
    """

    key: Int[Tensor, " M"]
    mass: Float[Tensor, " M"]
    memory: Memory | None
    hops: tuple[Hop, ...]
    proven: Bool[Tensor, " M"]


def walk(
    network: ReaderNetwork,
    plan: Plan,
    table: RelationTable,
    expander: Expander,
    topic_row: Int[Tensor, " K"],
    topic_node: Int[Tensor, " K"],
    budget: Budget,
    hide: Int[Tensor, " B"] | None = None,
    *,
    soften: bool = False,
    guessing: Bool[Tensor, " B"] | None = None,
    kinds: Kinds | None = None,
) -> Walk:
    """Follow a plan from the topics of B rows.

    Args:
        kinds: what rows ask for, and which relations they name: of those on offer, some aren't meant then
            (``Kinds.narrowed``); None: no row says anything of it.
        guessing: which rows may follow facts that the graph lacks, if the expander has who guesses them; None: no row.
        hide: for each row, the 0-based hop at which the relation it would follow first is kept from it, -1 for never;
            what is then left can't answer the question, which is how "the graph doesn't know" is learned.
            How relations score isn't learned from such a row.
        soften: spread the weights over the relations on offer instead of following the best ones, to find what is
            never looked at otherwise; and write no slots.
        plan, table: what ``network`` made of the questions and of the expander's relations.
        topic_row, topic_node: the topics' nodes and the row that each belongs to; every row may have several, or none.
    """
    config = network.config
    topics = torch.unique(make_key(topic_row, topic_node))
    key, mass = topics, torch.ones(len(topics), device=topics.device)
    proven = torch.ones_like(topics, dtype=torch.bool)
    memory_key, memory_mass = topics, torch.zeros(len(topics), device=topics.device)
    memory_proven = torch.zeros_like(proven)
    memory = _topics(network, topics) if config.slots and not soften else None
    heaviest = mass
    hops = []
    left = plan.stop.flip(1).cumsum(1).flip(1)  # [B, T]: probability that hop t is taken at all
    for hop in range(config.max_hops):
        going = left[key_row(key), hop] >= (0 if soften else config.min_stop)
        key, mass, proven = key[going], mass[going], proven[going]
        if not len(key):
            break
        taken = _hop(
            network,
            plan,
            hop,
            table,
            expander,
            key,
            mass,
            proven,
            topics,
            budget,
            hide,
            guessing,
            kinds,
            soften=soften,
        )
        hops.append(taken)
        old_key = memory_key
        memory_key, position = torch.unique(torch.cat([old_key, taken.key]), return_inverse=True)
        stop = plan.stop[key_row(taken.key), hop]
        grown = torch.cat([memory_mass, stop * taken.mass])
        memory_mass = grown.new_zeros(len(memory_key)).index_add(0, position, grown)
        shown = torch.cat([memory_proven, taken.proven & (stop * taken.mass > 0)])
        memory_proven = torch.zeros(len(memory_key), dtype=torch.bool, device=key.device)
        memory_proven[position[shown]] = True
        if memory is not None:
            brought = torch.cat([heaviest, taken.mass.detach()])
            heaviest = brought.new_zeros(len(memory_key)).scatter_reduce(0, position, brought, "amax")
            memory = _write(network, plan, hop, table, expander, taken, old_key, memory, memory_key, heaviest, position)
        key, mass, proven = taken.key, taken.mass, taken.proven
    return Walk(memory_key, memory_mass, memory, tuple(hops), memory_proven)


def _topics(network: ReaderNetwork, topics: Tensor) -> Memory:
    """The memory before the first hop: a slot for each topic, all alike."""
    slots = network.writer.topic.expand(len(topics), -1)
    return Memory(slots, key_row(topics), torch.arange(len(topics), device=topics.device))


def _hop(
    network: ReaderNetwork,
    plan: Plan,
    hop: int,
    table: RelationTable,
    expander: Expander,
    key: Tensor,
    mass: Tensor,
    proven: Tensor,
    topics: Tensor,
    budget: Budget,
    hide: Tensor | None,
    guessing: Tensor | None,
    kinds: Kinds | None,
    *,
    soften: bool,
) -> Hop:
    """One hop: offer, choose, expand, guess, add up."""
    rows = len(plan.stop)
    guesser = None if guessing is None else expander.guesser
    groups = expander.offer(key_node(key))
    row = key_row(key)[groups.owner]
    offered = torch.zeros(rows, len(table.key), dtype=torch.bool, device=key.device)
    offered[row, groups.relation] = True
    if guesser is not None and guessing is not None:
        may = torch.nonzero(guessing[key_row(key)]).squeeze(-1)
        at, relation = torch.nonzero(guesser.fitting(key_node(key)[may]), as_tuple=True)
        owner = may[at]
        offered[key_row(key)[owner], relation] = True
    if kinds is not None:
        offered = kinds.narrowed(offered, plan.stop.argmax(-1) == hop)
    weights = _weights(network, plan, hop, table, offered, expander.part, hide, soften=soften)
    weight = mass[groups.owner] * weights[row, groups.relation]

    best = weight.detach().new_zeros(rows).scatter_reduce(0, row, weight.detach(), "amax")
    if guesser is not None:
        asked = mass[owner] * weights[key_row(key)[owner], relation]
        best = best.scatter_reduce(0, key_row(key)[owner], asked.detach(), "amax")
    chosen = torch.nonzero((weight.detach() >= network.config.prune * best[row]) & (weight.detach() > 0)).squeeze(-1)
    limit = groups.count[chosen]
    cut_row, cut_relation, cut_count = (limit.new_zeros(0) for _ in range(3))
    if bool((limit.new_zeros(rows).index_add(0, row[chosen], limit) > budget.edges).any()):
        rank = expander.rank(key_node(key)[groups.owner[chosen]])
        allowed = _within(row[chosen], weight.detach()[chosen], rank, groups, chosen, budget.edges)
        short = torch.nonzero(allowed < limit).squeeze(-1)
        cut_row, cut_relation = row[chosen[short]], groups.relation[chosen[short]]
        cut_count = (limit - allowed)[short]
        chosen, limit = chosen[allowed > 0], allowed[allowed > 0]

    edge_group, target = expander.expand(groups.handle[chosen], limit)
    source, directed, weight = groups.owner[chosen], groups.relation[chosen], weight[chosen]
    facts = len(chosen)
    if guesser is not None:
        worth = asked.detach() >= network.config.prune * best[key_row(key)[owner]]
        found = _guessed(guesser, key, owner[worth], relation[worth], asked[worth])
        edge_group = torch.cat([edge_group, torch.arange(len(found[0]), device=key.device) + facts])
        source, directed, weight, target = (
            torch.cat(both) for both in zip((source, directed, weight, target), found, strict=True)
        )
    guessed = torch.arange(len(source), device=key.device) >= facts
    proving = ~guessed & proven[source]
    reached, edge_target = torch.unique(make_key(key_row(key)[source[edge_group]], target), return_inverse=True)
    total = _together(weight[edge_group], proving[edge_group], edge_target, len(reached))
    back = plan.back[key_row(reached), hop]
    new_mass = total * torch.where(torch.isin(reached, topics), back, torch.ones_like(back))
    shown = torch.zeros(len(reached), dtype=torch.bool, device=key.device)
    shown[edge_target[proving[edge_group]]] = True
    return Hop(
        weights, key[source], directed, weight, edge_group, edge_target, reached, new_mass,
        cut_row, cut_relation, cut_count, guessed, proving, shown,
    )  # fmt: skip


def _guessed(
    guesser: Guesser, key: Tensor, owner: Tensor, relation: Tensor, asked: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Guesses at the (frontier position, directed relation) pairs of most weight: pair, mass on it, and node."""
    some = likeliest(key_row(key)[owner], asked, ASKED)
    owner, relation, asked = owner[some], relation[some], asked[some]
    found = guesser.guess(key_node(key)[owner], relation)
    return owner[found.query], relation[found.query], asked[found.query] * found.probability, found.node


def _weights(
    network: ReaderNetwork,
    plan: Plan,
    hop: int,
    table: RelationTable,
    offered: Tensor,
    part: Tensor | None,
    hide: Tensor | None,
    *,
    soften: bool,
) -> Tensor:
    """Weights of the relations offered, without the one that is to be hidden at this hop; see ``walk``."""
    frozen = None if hide is None else hide >= 0
    weights = network.follow(plan, hop, table, offered, part, frozen, soften=soften)
    if hide is None or not (hide == hop).any() or not offered.any():
        return weights
    first = weights.detach().argmax(-1)
    offered[hide == hop, first[hide == hop]] = False
    return network.follow(plan, hop, table, offered, part, frozen, soften=soften)


def _together(weight: Tensor, proving: Tensor, target: Tensor, size: int) -> Tensor:
    """The mass of ``size`` targets, from their edges: added up, up to 1, where facts prove them.

    Of what rests on guesses, the greatest counts: these are right or wrong together.
    """
    nothing = weight.new_zeros(size)
    total = nothing.index_add(0, target[proving], weight[proving]).clamp(max=1.0)
    if bool(proving.all()):
        return total
    return torch.maximum(total, nothing.scatter_reduce(0, target[~proving], weight[~proving], "amax"))


def _within(row: Tensor, weight: Tensor, rank: Tensor, groups: Groups, chosen: Tensor, edges: int) -> Tensor:
    """How many facts of each chosen group fit the budget of its row, heaviest groups first; [len(chosen)].

    Weights are rounded first, so that groups which differ by rounding error only are ordered by entity and relation,
    which is the same on every store and device.
    """
    count = groups.count[chosen]
    order = torch.arange(len(chosen), device=row.device)
    for by in (groups.relation[chosen], rank, -(weight * 1e5).round(), row):
        order = order[torch.sort(by[order], stable=True).indices]
    ordered, ordered_row = count[order], row[order]
    before = ordered.cumsum(0) - ordered
    # What the row's own groups before this one take: subtract what came before the row's first group.
    first = torch.searchsorted(ordered_row, ordered_row)
    allowed = torch.minimum((edges - (before - before[first])).clamp(min=0), ordered)
    result = torch.empty_like(count)
    result[order] = allowed
    return result


def _write(
    network: ReaderNetwork,
    plan: Plan,
    hop: int,
    table: RelationTable,
    expander: Expander,
    taken: Hop,
    old_key: Tensor,
    old: Memory,
    key: Tensor,
    heaviest: Tensor,
    position: Tensor,
) -> Memory:
    """The memory after a hop, of the entities ``key``; ``position`` says where old and reached ones stand in it.

    Args:
        heaviest: the most mass that came to each of them at any hop: who keeps a slot of its own.
    """
    padded = torch.cat([old.slots, old.slots.new_zeros(1, old.slots.shape[1])])

    def slot_of(key: Tensor) -> Tensor:
        at = torch.searchsorted(old_key, key).clamp(max=len(old_key) - 1)
        return padded[torch.where(old_key[at] == key, old.of[at], len(old.slots))]

    written, _ = network.writer(
        slot_of(taken.source_key),
        table.key[taken.relation],
        key_row(taken.source_key),
        taken.weight,
        taken.edge_group,
        taken.edge_target,
        slot_of(taken.key),
        key_row(taken.key),
        plan.state[:, hop],
    )
    # Each remembered entity takes the written slot if it was reached at this hop, and keeps the old one otherwise.
    kept = torch.empty_like(key)
    kept[position[: len(old_key)]] = old.of
    kept[position[len(old_key) :]] = torch.arange(len(written), device=key.device) + len(old.slots)
    slots, row = torch.cat([old.slots, written])[kept], key_row(key)
    budget = network.config.slot_budget
    own = Memory(slots, row, torch.arange(len(key), device=key.device))
    if not budget or int(torch.bincount(row).max()) <= budget:
        return own
    return compressed(own, heaviest, expander.rank(key_node(key)), budget)
