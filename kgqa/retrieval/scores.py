"""From rows to questions: a question with several topics has a row for each, and an answer must be reached from all."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from kgqa.model.controller import Plan
from kgqa.model.decision import Calibration
from kgqa.model.network import ReaderNetwork, Reading
from kgqa.model.relations import RelationTable
from kgqa.retrieval.asked import Kinds
from kgqa.retrieval.expander import Expander
from kgqa.retrieval.keys import key_node, key_row, make_key
from kgqa.retrieval.walk import Budget, Walk, walk

UNFIT = 4.0  # that the logit of an entity is lowered by if it isn't of the kind asked for
NEVER = 20.0  # the same, where nothing else is to count


@dataclass(frozen=True)
class Scores:
    """Scored entities of Q questions.

    Attributes:
        question: [N], ascending. node: [N], ascending within a question. log_probability: [N], of being an answer.
        supposed: [N], which were reached over guesses only, from one topic at least; None: none was.
        around: [N], which of these were guessed from what lies around the topic; None: none was.
    """

    question: Int[Tensor, " N"]
    node: Int[Tensor, " N"]
    log_probability: Float[Tensor, " N"]
    supposed: Bool[Tensor, " N"] | None = None
    around: Bool[Tensor, " N"] | None = None

    def of(self, question: Int[Tensor, " Q"]) -> Scores:
        """Those of some questions."""
        mine = torch.isin(self.question, question)
        parts = (None if flag is None else flag[mine] for flag in (self.supposed, self.around))
        return Scores(self.question[mine], self.node[mine], self.log_probability[mine], *parts)

    def replaced(self, question: Int[Tensor, " Q"], by: Scores) -> Scores:
        """These scores, with others for some questions.

        Args:
            question: those questions, ascending. by: their scores, in order; of no other.
        """
        kept = ~torch.isin(self.question, question)
        order = torch.sort(torch.cat([self.question[kept], by.question]), stable=True).indices

        def joined(own: Tensor | None, other: Tensor | None) -> Tensor:
            parts = (
                (own[kept] if own is not None else kept.new_zeros(int(kept.sum()))),
                (other if other is not None else kept.new_zeros(len(by.question))),
            )
            return torch.cat(parts)[order]

        return Scores(
            joined(self.question, by.question),
            joined(self.node, by.node),
            joined(self.log_probability, by.log_probability),
            joined(self.supposed, by.supposed),
            joined(self.around, by.around),
        )

    def probability(self, facts: Calibration, guesses: Calibration | None = None) -> Float[Tensor, " N"]:
        """Calibrated probabilities of being an answer.

        Args:
            facts: of what facts lead to. guesses: of the others; None: the same.
        """
        sure = facts(self.log_probability)
        if self.supposed is not None and guesses is not None:
            sure = torch.where(self.supposed, guesses(self.log_probability), sure)
        return sure.exp()


def read(
    network: ReaderNetwork,
    plan: Plan,
    table: RelationTable,
    expander: Expander,
    topic_row: Int[Tensor, " K"],
    topic_node: Int[Tensor, " K"],
    budget: Budget,
    hide: Int[Tensor, " B"] | None = None,
    guessing: Bool[Tensor, " B"] | None = None,
    kinds: Kinds | None = None,
) -> tuple[Walk, Reading]:
    """Walk from the topics and score what was reached; M of the walk and of the reading are the same.

    Args:
        guessing: see ``walk``. kinds: what is asked for; it counts for networks with a question's side.
        hide: see ``walk``; the plan of a row with something hidden is frozen, so that it isn't unlearned.
    """
    if hide is not None:
        plan = plan.frozen(hide >= 0)
    reached = walk(
        network,
        plan,
        table,
        expander,
        topic_row,
        topic_node,
        budget,
        hide,
        guessing=guessing,
        kinds=kinds,
    )
    none = topic_row.new_zeros(0)
    owner, relation = none, none
    if network.config.question_side and len(reached.key):
        around = expander.offer(key_node(reached.key))
        owner, relation = around.owner, around.relation
    config, vectors = network.config, None
    if config.vector_dim:
        vectors = expander.vectors(key_node(reached.key), config.vector_property, config.vector_dim)
    reading = network.read(plan, table, key_row(reached.key), reached.mass, reached.memory, owner, relation, vectors)
    if kinds is not None and len(owner):
        reading = replace(reading, of_kind=kinds.fit(key_row(reached.key), owner, relation))
    return reached, reading


def unfit(reached: Walk, reading: Reading, *, only: bool = False) -> Float[Tensor, " M"]:
    """What the logits of reached entities are lowered by: ``UNFIT`` where one is of another kind than is asked for.

    Where none that was reached is of the kind asked for, all stay as they are: the schema may call them otherwise.

    Args:
        only: nothing of another kind counts at all.
    """
    if reading.of_kind is None:
        return torch.zeros_like(reading.logits)
    row = key_row(reached.key)
    some = torch.zeros(len(reading.fit), dtype=torch.bool, device=row.device)
    some[row[(reading.of_kind > 0) & (reached.mass > 0)]] = True
    return ((reading.of_kind < 0) & (only | some[row])) * (NEVER if only else UNFIT)


def combine(reached: Walk, reading: Reading, row_question: Int[Tensor, " B"], *, only: bool = False) -> Scores:
    """Scores by question: the product of its rows' probabilities, over the entities that all of them reached.

    Args:
        row_question: the question of each row, ascending. only: see ``unfit``.
    """
    # A topic that no hop came back to is remembered, but wasn't reached: nothing could prove it.
    got = reached.mass > 0
    logits, row = (reading.logits - unfit(reached, reading, only=only))[got], key_row(reached.key[got])
    log_probability, supposed = functional.logsigmoid(logits), ~reached.proven[got]
    node = key_node(reached.key[got])
    question = row_question[row]
    if len(torch.unique(row_question)) == len(row_question):
        return Scores(question, node, log_probability, supposed)
    key, position = torch.unique(make_key(question, node), return_inverse=True)
    total = log_probability.new_zeros(len(key)).index_add(0, position, log_probability)
    rows = torch.bincount(row_question, minlength=int(row_question.max()) + 1)
    met = torch.bincount(position, minlength=len(key)) == rows[key_row(key)]
    any_supposed = torch.zeros(len(key), dtype=torch.bool, device=key.device)
    any_supposed[position[supposed]] = True
    return Scores(key_row(key)[met], key_node(key)[met], total[met], any_supposed[met])
