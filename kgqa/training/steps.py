"""Teaching the way itself, where it is known: of questions that were made from a graph, not of people's.

The loss from answers (``loss``) finds ways by itself, but takes its time, and a wording that the reader is unsure of
spreads its mass over several ways. Of a row with the directed relations r_1 ... r_n of a known way

    loss = sum_t -log softmax(score_t)[r_t] / n  -  log stop_n

the softmax being over all relations of the graph and "none of these"; or, where it is known what is around, over those
that the walk would be offered there, and all others count as in a walk (``RelationScorer.choose``). Of several graphs
side by side, each has its own relations.

What is around where a known way has come is looked up once for all questions, and no graph is walked while training, so
that steps on this loss alone, before all others (``way_steps``), cost next to nothing. As around counts, too, what
elsewhere is around things that the hop before leads to (``following``): few actors have directed, but whether films
are meant that they starred in or that they directed has to be told of those few as well. Graphs have relations that say
the same, or nearly so (PQL's ``recording`` and ``recordings``): among all of them no question tells the right one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.sparse import csr_matrix
from torch import Tensor
from torch.nn import functional

from graph_schema.text import name_key
from kgqa.model.controller import Plan
from kgqa.model.network import ReaderNetwork
from kgqa.model.relations import RelationTable
from kgqa.retrieval.expander import Expander, ragged
from kgqa.stores.snapshot import Snapshot
from kgqa.training.prepare import Prepared

LOOKED_AT = 100  # entities of a row that a hop begins with, at most: relations around so many are those around all
SELDOM = 0.01  # a relation around less of what another leads to doesn't follow it


def known_steps(data: Prepared, snapshot: Snapshot, hops: int) -> Int[Tensor, "R T"]:
    """The directed relation of each hop of each row's way; -1 after its last hop, and where the way isn't known."""
    place = {name: at for at, name in enumerate(snapshot.relations())}
    steps = torch.full((len(data.row_text), hops), -1)
    for at, question in enumerate(data.questions):
        if not question.paths:
            continue
        for row in data.rows.values[data.rows.start[at] : data.rows.start[at + 1]].tolist():
            nodes = data.row_topics.values[data.row_topics.start[row] : data.row_topics.start[row + 1]].tolist()
            for path in question.paths:
                way = [2 * place[name] + inverse for name, inverse in path.steps if name in place]
                if len(way) == len(path.steps) <= hops and set(_nodes(snapshot, path.topic)) & set(nodes):
                    steps[row, : len(way)] = torch.tensor(way)
                    break
    return steps


def surroundings(data: Prepared, steps: Int[Tensor, "R T"], expander: Expander) -> tuple[Int[Tensor, " _"], ...]:
    """For each hop of the known ways, ascending keys, row times D plus relation, of what is around where it begins.

    Of the many entities that a hop may begin with, the first ``LOOKED_AT`` are looked at.
    """
    relations = 2 * len(expander.relations)
    row, node = data.row_topics.take(torch.arange(len(steps)))
    found = []
    for hop in range(steps.shape[1]):
        on = steps[row, hop] >= 0
        row, node = row[on], node[on]
        groups = expander.offer(node.to(expander.device))
        of, relation = row[groups.owner.cpu()], groups.relation.cpu()
        found.append(torch.unique(of * relations + relation))
        gold = torch.nonzero(relation == steps[of, hop]).squeeze(-1).to(expander.device)
        at, there = expander.expand(groups.handle[gold], groups.count[gold])
        row, node = torch.unique(torch.stack([of[gold.cpu()][at.cpu()], there.cpu()]), dim=1).contiguous()
        first = torch.arange(len(row)) - torch.searchsorted(row, row) < LOOKED_AT
        row, node = row[first], node[first]
    return tuple(found)


def following(snapshot: Snapshot) -> Int[Tensor, " _"]:
    """Ascending keys, directed relation times D plus another, of which ones are around what each of them leads to.

    Those are left out that are around less than ``SELDOM`` of it: of a name that is a person's and a film's, say.
    """
    relations = 2 * len(snapshot.relations())
    has = csr_matrix(
        (np.ones(len(snapshot.group_relation), np.int64), snapshot.group_relation, snapshot.group_start),
        shape=(len(snapshot.group_start) - 1, relations),
    )
    both = (has.T @ has).tocoo()  # how many have both around them
    number = np.bincount(snapshot.group_relation, minlength=relations)
    often = both.data >= SELDOM * number[both.row]
    # What a relation leads to has its other direction around it.
    keys = (both.row[often].astype(np.int64) ^ 1) * relations + both.col[often]
    return torch.from_numpy(np.sort(keys))


def offered(
    around: Sequence[Int[Tensor, " _"]],
    row: Int[Tensor, " B"],
    steps: Int[Tensor, "B T"],
    relations: int,
    follow: Int[Tensor, " _"],
) -> list[Bool[Tensor, "_ _"]]:
    """For each hop, which of the D relations are offered to these rows; that of the known way always is.

    Args:
        around: of ``surroundings``. steps: of these rows. relations: D. follow: of ``following``.
    """
    masks = []
    for hop, keys in enumerate(around):
        mask = torch.zeros(len(row), relations, dtype=torch.bool)
        known = torch.nonzero(steps[:, hop] >= 0).squeeze(-1)
        mask[known, steps[known, hop]] = True
        _mark(mask, torch.arange(len(row)), row, keys)
        if hop:
            _mark(mask, known, steps[known, hop - 1], follow)
        masks.append(mask)
    return masks


def _mark(mask: Bool[Tensor, "B D"], rows: Int[Tensor, " N"], of: Int[Tensor, " N"], keys: Int[Tensor, " _"]) -> None:
    """Mark in each of these rows what the keys have of one thing: they are that times D plus what it has."""
    relations = mask.shape[1]
    start = torch.searchsorted(keys, of * relations)
    owner, at = ragged(start, torch.searchsorted(keys, (of + 1) * relations) - start)
    mask[rows[owner], keys[at] % relations] = True


def steps_loss(
    network: ReaderNetwork,
    plan: Plan,
    table: RelationTable,
    steps: Int[Tensor, "B T"],
    taught: Bool[Tensor, " B"] | None = None,
    part: Int[Tensor, " D"] | None = None,
    around: Sequence[Bool[Tensor, "_ _"]] | None = None,
) -> Float[Tensor, ""]:
    """The sum over the rows that are ``taught`` (all, if not given) and whose steps are known.

    Args:
        part: of several graphs side by side, the one that each directed relation is of.
        around: for each hop, which relations the softmax is over, see ``offered``; not given: all of them.
    """
    length = (steps >= 0).sum(-1)
    known = length > 0 if taught is None else taught & (length > 0)
    rows = torch.nonzero(known).squeeze(-1)
    steps, length, plan = steps[rows], length[rows], plan.take(rows)
    total = plan.stop.new_zeros(())
    for hop in range(int(length.max()) if len(rows) else 0):
        there = torch.nonzero(hop < length).squeeze(-1)
        scores = network.relations(plan, hop, table)[there]
        if around is not None:
            here = around[hop][rows[there].cpu()].to(scores.device)
            scores, allowed = network.relations.choose(scores, here, part)
            scores = scores.masked_fill(~allowed, -torch.inf)
        elif part is not None:
            foreign = part != part[steps[there, hop]].unsqueeze(1)
            scores = scores.masked_fill(functional.pad(foreign, (0, 1)), -torch.inf)
        missed = functional.cross_entropy(scores, steps[there, hop], reduction="none")
        total = total + (missed / length[there]).sum()
    last = plan.stop.gather(1, (length - 1).unsqueeze(1)) if len(rows) else plan.stop
    return total - last.clamp(min=1e-30).log().sum()


def _nodes(snapshot: Snapshot, topic: str) -> list[int]:
    """Of a topic given by its id, else of everything of that name."""
    node = int(snapshot.index_of([topic])[0])
    if node >= 0:
        return [node]
    key = name_key(topic)
    found: list[int] = snapshot.index_of([e.id for e in snapshot.lookup([key]).get(key, ())]).tolist()
    return found
