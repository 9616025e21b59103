"""Looking at dev questions: scores, and how they are calibrated."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from kgqa.model.decision import Calibration, decide, fit_calibration
from kgqa.model.network import ReaderNetwork
from kgqa.model.relations import RelationTable
from kgqa.retrieval.again import read_again
from kgqa.retrieval.expander import SnapshotExpander
from kgqa.retrieval.keys import make_key
from kgqa.retrieval.scores import Scores, combine, read
from kgqa.retrieval.surroundings import likeliest
from kgqa.retrieval.walk import Budget
from kgqa.training.prepare import Prepared, TextStates

UNANSWERABLE = 0.1  # what all questions without an answer weigh, all others weighing 1
COUNTED = math.log(1e-3)  # log probability from which on an entity counts in a calibration


@dataclass(frozen=True, slots=True)
class DevScore:
    """Means over dev questions, in [0, 1], with the calibration that they gave.

    ``abstained``: of those that have no answer, the share of which nothing is said; 1 without any.
    """

    hits_at_1: float
    f1: float
    scale: float
    shift: float
    questions: int
    abstained: float = 1.0
    most: float = 1.0

    @property
    def quality(self) -> float:
        """What the best checkpoint is chosen by: questions without an answer count as a tenth, as in the calibration.

        They are trained on from some step on only (``hide_from``); without them, a checkpoint may be the best that has
        never learned to say nothing.
        """
        return (self.hits_at_1 + self.f1) / 2 + UNANSWERABLE * self.abstained

    @property
    def calibration(self) -> Calibration:
        return Calibration(scale=self.scale, shift=self.shift, most=self.most)

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
    table: RelationTable,
    data: Prepared,
    texts: TextStates,
    chosen: Tensor,
    budget: Budget,
    batch: int = 256,
    *,
    facts: Calibration | None = None,
) -> Scored:
    """Score the questions at ``chosen`` (positions in ``data``); one that nothing was linked in scores nothing.

    Args:
        facts: guess where facts say nothing, under this calibration of theirs; None: don't.
    """
    network.eval()
    parts, golds, counts = [], [], []
    for begin in range(0, len(chosen), batch):
        some = chosen[begin : begin + batch]
        question, row = data.rows.take(some)
        if len(row):
            tokens = texts.take(data.row_text[row], network.device)
            topic_row, topic_node = (t.to(network.device) for t in data.row_topics.take(row))
            plan = network.plan(tokens)
            asked = question.to(network.device)
            if facts is None:
                found = combine(*read(network, plan, table, expander, topic_row, topic_node, budget), asked)
            else:
                found = read_again(network, plan, table, expander, topic_row, topic_node, budget, asked, facts)[3]
            gold_question, gold_node = (t.to(network.device) for t in data.answers.take(some))
            key = make_key(found.question, found.node)
            golds.append(torch.isin(key, make_key(gold_question, gold_node)).cpu())
            parts.append(
                Scores(
                    found.question.cpu() + begin,
                    found.node.cpu(),
                    found.log_probability.cpu(),
                    found.supposed.cpu() if found.supposed is not None else None,
                )
            )
        counts.append(data.answers.start[some + 1] - data.answers.start[some] + data.missing[some])
    if not parts:
        none = torch.zeros(0, dtype=torch.int64)
        parts.append(Scores(none, none, torch.zeros(0), none.bool()))
        golds.append(torch.zeros(0, dtype=torch.bool))
    scores = Scores(
        torch.cat([p.question for p in parts]),
        torch.cat([p.node for p in parts]),
        torch.cat([p.log_probability for p in parts]),
        torch.cat([p.supposed for p in parts if p.supposed is not None]),
    )
    return Scored(scores, torch.cat(golds), torch.cat(counts))


def fit_guesses(scored: Scored) -> Calibration | None:
    """The calibration of what rests on guesses, by the likeliest one of each question; None if nothing does.

    Hardly ever is more than one said, and of several that are guessed the others tell little of how sure that one is.

    Args:
        scored: with guesses where facts say nothing.
    """
    scores = scored.scores
    if scores.supposed is None or not bool(scores.supposed.any()):
        return None
    at = torch.nonzero(scores.supposed).squeeze(-1)
    at = at[likeliest(scores.question[at], scores.log_probability[at], 1)]
    return fit_calibration(scores.log_probability[at], scored.gold[at], torch.ones(len(at)))


def judge(scored: Scored, unanswerable: Scored | None = None) -> DevScore:
    """Hits@1 and F1 as the answerer will have them, with the calibration that these questions give.

    Every question counts the same in the calibration, and so do its entities of more than ``COUNTED``: answers that
    the reader sees nothing of say nothing about how sure it may be of others.

    Args:
        unanswerable: questions that have no answer; all of them together count as a tenth of the others.
    """
    questions = len(scored.gold_count)
    scores = scored.scores
    score, right, weight = _counted(scored)
    if unanswerable is not None:
        more = _counted(unanswerable)
        share = UNANSWERABLE * questions / max(1, len(unanswerable.gold_count))
        score, right, weight = (
            torch.cat([score, more[0]]), torch.cat([right, more[1]]), torch.cat([weight, share * more[2]])
        )  # fmt: skip
    calibration = fit_calibration(score, right, weight)
    question, probability, order = _ordered(scores, calibration)
    gold = scored.gold[order]
    said, _ = decide(question, probability, questions)
    zero = torch.zeros(questions)
    number = zero.index_add(0, question, said.float())
    found = zero.index_add(0, question, (said & gold).float())
    f1 = 2 * found / (number + scored.gold_count).clamp(min=1)
    first = torch.searchsorted(question, question) == torch.arange(len(question))
    hit = zero.index_add(0, question, (first & gold).float())
    abstained = 1.0 if unanswerable is None else _abstained(unanswerable, calibration)
    return DevScore(
        float(hit.mean()),
        float(f1.mean()),
        calibration.scale,
        calibration.shift,
        questions,
        abstained,
        calibration.most,
    )


def _abstained(unanswerable: Scored, calibration: Calibration) -> float:
    """The share of the questions of which nothing is said."""
    question, probability = _ordered(unanswerable.scores, calibration)[:2]
    asked = len(unanswerable.gold_count)
    said, _ = decide(question, probability, asked)
    return 1 - len(torch.unique(question[said])) / max(1, asked)


def _ordered(scores: Scores, calibration: Calibration) -> tuple[Tensor, Tensor, Tensor]:
    """Question and calibrated probability of each entity, by question and best first; and the order itself."""
    order = torch.sort(scores.log_probability, descending=True, stable=True).indices
    order = order[torch.sort(scores.question[order], stable=True).indices]
    return scores.question[order], calibration(scores.log_probability[order]).exp(), order


def _counted(part: Scored) -> tuple[Tensor, Tensor, Tensor]:
    """Log probability, whether it is gold, and weight of the entities that count in a calibration."""
    counted = part.scores.log_probability > COUNTED
    number = torch.bincount(part.scores.question[counted], minlength=len(part.gold_count))
    weight = 1 / number[part.scores.question[counted]].float()
    return part.scores.log_probability[counted], part.gold[counted], weight
