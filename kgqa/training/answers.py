"""Teaching the answer predictor, from the training questions of which facts say nothing, or nothing that holds.

The reader is trained by then, and stays as it is. The loss is that of answers (``kgqa.training.loss``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn import functional

from kgqa.model.answers import Sought
from kgqa.model.decision import Calibration
from kgqa.model.network import ReaderNetwork
from kgqa.model.relations import RelationTable
from kgqa.retrieval.again import alone, sure
from kgqa.retrieval.answers import AnswerGuesser, seek, taken, together
from kgqa.retrieval.expander import SnapshotExpander
from kgqa.retrieval.scores import Scores, combine, read
from kgqa.retrieval.walk import Budget
from kgqa.training.loss import answer_loss
from kgqa.training.prepare import Prepared, TextStates

AT_ONCE = 256  # questions that are read together


@dataclass(frozen=True)
class LeftOpen:
    """A question that facts leave open: what it seeks (``Sought`` of one question), and its gold answers."""

    sought: Sought
    gold: Int[Tensor, " A"]


@torch.no_grad()
def left_open(
    network: ReaderNetwork,
    expander: SnapshotExpander,
    table: RelationTable,
    data: Prepared,
    texts: TextStates,
    order: Int[Tensor, " Q"],
    budget: Budget,
    facts: Calibration,
    most: int,
) -> list[LeftOpen]:
    """Questions of one topic that have an answer, and of which facts say nothing, or nothing they are sure of.

    Args:
        order: positions in ``data`` of questions with a topic and an answer, which are read in this order.
        facts: calibration of what facts lead to. most: how many are enough.
    """
    network.eval()
    device, found = network.device, list[LeftOpen]()
    for begin in range(0, len(order), AT_ONCE):
        some = order[begin : begin + AT_ONCE].sort().values
        question, row = data.rows.take(some)
        question = question.to(device)
        topic_row, topic_node = (t.to(device) for t in data.row_topics.take(row))
        plan = network.plan(texts.take(data.row_text[row], device))
        scores = combine(*read(network, plan, table, expander, topic_row, topic_node, budget), question)
        guessing = ~sure(scores, facts, len(some))[question]
        rows = alone(question, guessing)
        walked = read(network, plan, table, expander, topic_row, topic_node, budget, guessing=guessing)
        guesses = combine(*walked, question)
        asked = seek(network, plan, table, expander, rows, question, topic_row, topic_node, scores, guesses)
        if asked is None:
            continue
        for at, number in enumerate(some[asked.question.cpu()].tolist()):
            gold = data.answers.values[data.answers.start[number] : data.answers.start[number + 1]]
            if len(gold):
                found.append(LeftOpen(taken(asked.sought, at, at + 1), gold.to(device)))
        if len(found) >= most:
            break
    return found[:most]


@dataclass(frozen=True)
class AnswerTraining:
    """How an answer predictor is taught.

    Args:
        steps: optimizer steps. questions: of one step. seed: of the draws. learning_rate: at its highest.
    """

    steps: int
    questions: int
    seed: int
    learning_rate: float = 3e-3

    def steps_on(self, guesser: AnswerGuesser, unsettled: Sequence[LeftOpen]) -> Iterator[float]:
        """Teach it on these questions; gives the loss of each step, which is taken as it is asked for."""
        generator = torch.Generator().manual_seed(self.seed)
        optimizer = torch.optim.AdamW(guesser.answers.parameters(), lr=self.learning_rate, weight_decay=1e-4)
        for step in range(self.steps):
            rate = min(1.0, (step + 1) / 20) * max(0.05, 1 - step / self.steps)
            for group in optimizer.param_groups:
                group["lr"] = self.learning_rate * rate
            drawn = torch.randint(len(unsettled), (self.questions,), generator=generator).tolist()
            loss = _loss(guesser, [unsettled[at] for at in drawn])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(guesser.answers.parameters(), 1.0)
            optimizer.step()
            yield float(loss.detach())


def _loss(guesser: AnswerGuesser, unsettled: Sequence[LeftOpen]) -> Tensor:
    sought = together([one.sought for one in unsettled])
    around = guesser.around(sought)
    scores = Scores(around.query, around.node, functional.logsigmoid(guesser.logits(sought, around)))
    gold = torch.cat([one.gold for one in unsettled])
    count = torch.tensor([len(one.gold) for one in unsettled], device=gold.device)
    of = torch.repeat_interleave(torch.arange(len(unsettled), device=gold.device), count)
    answerable = torch.ones(len(unsettled), dtype=torch.bool, device=gold.device)
    return answer_loss(scores, of, gold, answerable)
