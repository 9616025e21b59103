"""Teaching the way itself, where it is known: of questions that were made from a graph, not of people's.

The loss from answers (``loss``) finds ways by itself, but takes its time, and a wording that the reader is unsure of
spreads its mass over several ways. Of a row with the directed relations r_1 ... r_n of a known way

    loss = sum_t -log softmax(score_t)[r_t] / n  -  log stop_n

the softmax being over all relations of the graph and "none of these", whatever is around the topic, and [r_t] standing
for all that are said in the very words of r_t: no question tells one from the other, only where the walk is. Of several
graphs side by side, each has its own relations.

No graph is walked for it, so that steps on this loss alone, before all others (``way_steps``), cost next to nothing.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from graph_schema.text import name_key
from kgqa.model.controller import Plan
from kgqa.model.network import ReaderNetwork
from kgqa.model.relations import RelationTable
from kgqa.stores.snapshot import Snapshot
from kgqa.training.prepare import Prepared

SAME = 0.9999  # cosine of two relations' words that are the same; they may have been encoded in different batches


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


def twins(relation_text: Float[Tensor, "D X"], relation: Int[Tensor, " N"]) -> Bool[Tensor, "N D"]:
    """For some directed relations, which ones in the same direction are said in the same words, each itself too."""
    said, inverse = functional.normalize(relation_text), torch.arange(len(relation_text), device=relation.device) % 2
    same = (said[relation] @ said.T > SAME) & (inverse == inverse[relation].unsqueeze(1))
    same[torch.arange(len(relation)), relation] = True
    return same


def steps_loss(
    network: ReaderNetwork,
    plan: Plan,
    table: RelationTable,
    steps: Int[Tensor, "B T"],
    relation_text: Float[Tensor, "D X"],
    taught: Bool[Tensor, " B"] | None = None,
    part: Int[Tensor, " D"] | None = None,
) -> Float[Tensor, ""]:
    """The sum over the rows that are ``taught`` (all, if not given) and whose steps are known.

    Args:
        relation_text: see ``Encoder.relation_texts``.
        part: of several graphs side by side, the one that each directed relation is of.
    """
    length = (steps >= 0).sum(-1)
    known = length > 0 if taught is None else taught & (length > 0)
    rows = torch.nonzero(known).squeeze(-1)
    steps, length, plan = steps[rows], length[rows], plan.take(rows)
    total = plan.stop.new_zeros(())
    for hop in range(int(length.max()) if len(rows) else 0):
        there = torch.nonzero(hop < length).squeeze(-1)
        scores = network.relations(plan, hop, table)[there]
        if part is not None:
            foreign = part != part[steps[there, hop]].unsqueeze(1)
            scores = scores.masked_fill(functional.pad(foreign, (0, 1)), -torch.inf)
        unlike = functional.pad(~twins(relation_text, steps[there, hop]), (0, 1), value=True)
        missed = scores.logsumexp(-1) - scores.masked_fill(unlike, -torch.inf).logsumexp(-1)
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
