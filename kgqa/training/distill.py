"""Distillation: a student learns from what larger readers make of a question, beside or instead of its answers.

Teachers score every question once, and an entity's target t_i is the mean of their probabilities (an ensemble). With
the student's p_i, both softened by the temperature T, p(T) = sigmoid(logit(p) / T), and normalised over a question's
entities, p^ = p / sum p:

    soft = T^2 ( max_i t_i KL(t^(T) || p^(T))  +  1/2 mean_i KL(t_i(T) || p_i(T)) )
    loss = (1 - w) answers + w soft

in the form of the loss from answers (``kgqa.training.loss``): the first pulls the mass to where the teachers have it,
as far as they are sure of there being an answer, the second makes each p_i the teachers' probability. T^2 keeps the
gradients at one size (Hinton, Vinyals and Dean 2015, Distilling the Knowledge in a Neural Network, section 2).

All sums are over the entities that the student has reached and that either side gives more than 0.001: the others have
no gradient. And all of it is taken of log p_i, so that it pulls no less where the student says next to nothing of what
the teachers say (see ``kgqa.training.loss``).

A training question without answers is one whose answers nobody wrote down: the teachers alone teach it. A question that
was made unanswerable in this step is one that the teachers haven't seen, and has no soft loss.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from kgqa.adapt.other_words import relation_table
from kgqa.model.checkpoint import Checkpoint
from kgqa.model.encoder import Encoder
from kgqa.retrieval.expander import SnapshotExpander, ragged
from kgqa.retrieval.keys import key_node, key_row, make_key
from kgqa.retrieval.scores import Scores
from kgqa.retrieval.walk import Budget
from kgqa.stores.snapshot import Snapshot
from kgqa.training.loss import log_sum_exp
from kgqa.training.prepare import Prepared, TextStates
from kgqa.training.selection import dev_scores

COUNTED = 1e-3
_TINY = 1e-6  # least 1 - p of the student, and how near 0 and 1 a target may be


@dataclass(frozen=True)
class Teaching:
    """What the teachers say of Q training questions.

    Attributes:
        start: [Q + 1], where each question's entities begin. node: [V], ascending within a question. target: [V].
        labelled: [Q], whether the question has answers of its own. weight, temperature: w and T of the module's text.
        teachers: tells these teachers from others.
    """

    start: Int[Tensor, " Q1"]
    node: Int[Tensor, " V"]
    target: Float[Tensor, " V"]
    labelled: Bool[Tensor, " Q"]
    weight: float
    temperature: float
    teachers: str

    def mixed(self, answers: Tensor, scores: Scores, chosen: Int[Tensor, " B"], taught: Bool[Tensor, " B"]) -> Tensor:
        """The whole loss, of the loss from answers and the soft one."""
        return (1 - self.weight) * answers + self.weight * self.loss(scores, chosen, taught)

    def with_answers(self, scores: Scores, chosen: Int[Tensor, " B"]) -> Scores:
        """The scores of those of the questions ``chosen`` that have answers; the others cost nothing then."""
        kept = self.labelled.to(scores.question.device)[chosen.to(scores.question.device)[scores.question]]
        return Scores(scores.question[kept], scores.node[kept], scores.log_probability[kept])

    def loss(self, scores: Scores, chosen: Int[Tensor, " B"], taught: Bool[Tensor, " B"]) -> Float[Tensor, ""]:
        """Mean soft loss of the questions ``chosen`` (positions in Q) over those ``taught``."""
        device = scores.question.device
        question, at = ragged(self.start[chosen], self.start[chosen + 1] - self.start[chosen])
        target_key = make_key(question, self.node[at]).to(device)
        key = make_key(scores.question, scores.node)
        target = torch.zeros(len(key), device=device)
        place = torch.searchsorted(key, target_key)
        reached = torch.isin(target_key, key)
        target[place[reached]] = self.target[at].to(device)[reached]
        counted = (target > COUNTED) | (scores.log_probability.detach().exp() > COUNTED)
        return _divergence(
            key_row(key[counted]), target[counted], scores.log_probability[counted], taught.to(device), self.temperature
        )


def _divergence(question: Tensor, target: Tensor, log_p: Tensor, taught: Tensor, temperature: float) -> Tensor:
    """The soft loss of entities that belong to ``question``; mean over the questions taught."""
    zero = log_p.new_zeros(len(taught))
    sure = zero.scatter_reduce(0, question, target, "amax")
    told = torch.logit(target, eps=_TINY) / temperature
    said = (log_p - torch.log(-torch.expm1(log_p.clamp(max=-_TINY)))) / temperature
    log_t, log_p = functional.logsigmoid(told), functional.logsigmoid(said)
    t = log_t.exp()
    whole_t = log_sum_exp(question, log_t, len(taught))[question]
    whole_p = log_sum_exp(question, log_p, len(taught))[question]
    mass = zero.index_add(0, question, (log_t - whole_t).exp() * (log_t - whole_t - log_p + whole_p))
    log_not_t, log_not_p = functional.logsigmoid(-told), functional.logsigmoid(-said)
    each = t * (log_t - log_p) + (1 - t) * (log_not_t - log_not_p)
    number = zero.index_add(0, question, torch.ones_like(each)).clamp(min=1)
    per_entity = zero.index_add(0, question, each) / number
    per_question = temperature**2 * (sure * mass + 0.5 * per_entity)
    return (per_question * taught).sum() / taught.sum().clamp(min=1)


def together(said: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """What an ensemble says: the mean of its readers' probabilities, by key, ascending; one not reached counts as 0.

    Args:
        said: of each reader, (question, node) keys and their probabilities, [N] each; of every reader another N.
    """
    key, place = torch.unique(torch.cat([key for key, _ in said]), return_inverse=True)
    p = torch.cat([p for _, p in said]) / len(said)
    return key, p.new_zeros(len(key)).index_add(0, place, p)


def teach(
    teachers: Sequence[Checkpoint],
    encoder: Encoder,
    snapshot: Snapshot,
    data: Prepared,
    weight: float,
    temperature: float,
) -> Teaching:
    """Ask the teachers every question once.

    Args:
        encoder: that all of them were trained with. weight, temperature: w and T of the module's text.
    """
    found: list[tuple[Tensor, Tensor]] = []
    states: dict[tuple[bool, bool, bool], TextStates] = {}
    everything = torch.arange(len(data.questions))
    for teacher in teachers:
        reading = encoder.reading(teacher.config.model)
        if reading.reads not in states:
            states[reading.reads] = TextStates(reading, data.texts)
        device = teacher.network.device
        with torch.inference_mode():
            table = relation_table(teacher.network, reading, snapshot.schema(), snapshot.relations(), snapshot.said)
        expander = SnapshotExpander(snapshot, device)
        scores = dev_scores(teacher.network, expander, table, data, states[reading.reads], everything, Budget()).scores
        p = teacher.config.calibration(scores.log_probability).exp()
        kept = p > COUNTED / 10
        found.append((make_key(scores.question[kept], scores.node[kept]), p[kept]))
    key, target = together(found)
    start = torch.searchsorted(key_row(key), torch.arange(len(data.questions) + 1))
    labelled = torch.tensor([bool(question.answers) for question in data.questions], dtype=torch.bool)
    digest = hashlib.sha256()
    for teacher in teachers:
        for name, value in sorted(teacher.network.state_dict().items()):
            digest.update(name.encode() + value.cpu().numpy().tobytes())
    return Teaching(start, key_node(key), target, labelled, weight, temperature, digest.hexdigest()[:16])
