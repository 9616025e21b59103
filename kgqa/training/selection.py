"""Looking at dev questions: scores, and the probability from which on an entity counts as an answer."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from kgqa.model.network import ReaderNetwork
from kgqa.retrieval.expander import SnapshotExpander
from kgqa.retrieval.scores import Scores, combine, read
from kgqa.retrieval.walk import Budget, make_key
from kgqa.training.prepare import Prepared, TextStates

_EQUAL = 5e-4


@dataclass(frozen=True, slots=True)
class DevScore:
    """Means over dev questions, in [0, 1], with the threshold that gave the best F1."""

    hits_at_1: float
    f1: float
    threshold: float
    questions: int

    @property
    def quality(self) -> float:
        """What the best checkpoint is chosen by."""
        return (self.hits_at_1 + self.f1) / 2

    def as_dict(self) -> dict[str, float | int]:
        return asdict(self)


@dataclass(frozen=True)
class Scored:
    """Scores of Q dev questions, with which entities are gold. ``gold_count``: [Q], with those not in the graph."""

    scores: Scores
    gold: Tensor
    gold_count: Tensor


@torch.inference_mode()
def dev_scores(
    network: ReaderNetwork,
    expander: SnapshotExpander,
    relation_text: Tensor,
    data: Prepared,
    texts: TextStates,
    chosen: Tensor,
    batch: int = 256,
) -> Scored:
    """Score the questions at ``chosen`` (positions in ``data``); one that nothing was linked in scores nothing."""
    network.eval()
    table = network.relations.table(relation_text)
    parts, golds, counts = [], [], []
    for begin in range(0, len(chosen), batch):
        some = chosen[begin : begin + batch]
        question, row = data.rows.take(some)
        if len(row):
            tokens = texts.take(data.row_text[row], network.device)
            topic_row, topic_node = (t.to(network.device) for t in data.row_topics.take(row))
            plan = network.plan(tokens.states, tokens.mask)
            reached, reading = read(network, plan, table, expander, topic_row, topic_node, Budget())
            found = combine(reached, reading, question.to(network.device))
            gold_question, gold_node = (t.to(network.device) for t in data.answers.take(some))
            key = make_key(found.question, found.node)
            golds.append(torch.isin(key, make_key(gold_question, gold_node)).cpu())
            parts.append(Scores(found.question.cpu() + begin, found.node.cpu(), found.log_probability.cpu()))
        counts.append(data.answers.start[some + 1] - data.answers.start[some] + data.missing[some])
    if not parts:
        parts.append(Scores(*(torch.zeros(0, dtype=torch.int64),) * 2, torch.zeros(0)))
        golds.append(torch.zeros(0, dtype=torch.bool))
    scores = Scores(
        torch.cat([p.question for p in parts]),
        torch.cat([p.node for p in parts]),
        torch.cat([p.log_probability for p in parts]),
    )
    return Scored(scores, torch.cat(golds), torch.cat(counts))


def choose_threshold(scored: Scored) -> DevScore:
    """The threshold, of 0.05, 0.10 ... 0.95, with the best mean F1; the middlemost of those within ``_EQUAL``."""
    questions = len(scored.gold_count)
    zero = torch.zeros(questions)
    probability = scored.scores.log_probability.exp()
    best = zero.scatter_reduce(0, scored.scores.question, probability, "amax")
    first = zero.long().fill_(len(probability)).scatter_reduce(
        0, scored.scores.question, torch.where(
            probability >= best[scored.scores.question], torch.arange(len(probability)), len(probability)
        ), "amin",
    )  # fmt: skip
    hit = torch.cat([scored.gold, torch.zeros(1, dtype=torch.bool)])[first].float().mean()
    found = []
    for step in sorted(range(1, 20), key=lambda s: abs(s - 10)):
        said = probability >= step / 20
        number = zero.index_add(0, scored.scores.question, said.float())
        right = zero.index_add(0, scored.scores.question, (said & scored.gold).float())
        f1 = 2 * right / (number + scored.gold_count).clamp(min=1)
        found.append((round(float(f1.mean()), 6), step / 20))
    most = max(f1 for f1, _ in found)
    chosen, threshold = next(item for item in found if item[0] >= most - _EQUAL)
    return DevScore(float(hit), chosen, threshold, questions)
