"""Answers guessed from what lies around a topic (``kgqa.model.answers``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from kgqa.model.answers import LEAST, Sought
from kgqa.model.controller import Plan
from kgqa.model.network import ReaderNetwork
from kgqa.model.relations import RelationTable
from kgqa.retrieval.expander import Expander, ragged
from kgqa.retrieval.keys import key_node, key_row, make_key
from kgqa.retrieval.scores import Scores
from kgqa.retrieval.surroundings import kinds, likeliest, surroundings

if TYPE_CHECKING:
    from kgqa.model.answers import AnswerPredictor
    from kgqa.model.links import Surroundings
    from kgqa.retrieval.expander import SnapshotExpander

REACHED = 48  # entities that a walk reached which are candidates, the likeliest of a question
USUAL = 64  # who stands at the other end of most facts of a relation is a candidate, wherever the topic is
MET = 192  # whom walks met who are candidates, the likeliest of a question
AT_ONCE = 128  # questions that are looked at together


@dataclass(frozen=True)
class Asked:
    """Questions of one topic each, ``question`` [Q], ascending, and what they seek."""

    question: Int[Tensor, " Q"]
    sought: Sought


class AnswerGuesser:
    """Guesses by an answer predictor over a snapshot.

    Args:
        answers: trained, or in training. relation_text: of the snapshot's directed relations, [D, E].
    """

    def __init__(
        self, answers: AnswerPredictor, relation_text: Float[Tensor, "D E"], expander: SnapshotExpander
    ) -> None:
        self.answers = answers
        self._text, self._expander = relation_text, expander
        self._kind = kinds(expander.group_start, expander.group_relation, len(relation_text))
        self._usual_start, self._usual = _usual(expander, len(relation_text))

    def around(self, sought: Sought) -> Surroundings:
        """What lies around the topics of some questions, with the candidates for their answers."""
        query, at = ragged(self._usual_start[sought.last], self._usual_start.diff()[sought.last])
        usual = make_key(query, self._usual[at])
        topics = make_key(sought.topic_query, sought.topic_node)
        more = torch.unique(torch.cat([usual[~torch.isin(usual, topics)], sought.key]))
        return surroundings(
            self._expander, self._kind, sought.topic_node, sought.last, start=sought.topic_query, more=more,
            length=len(self.answers.channels), most=MET,
        )  # fmt: skip

    def logits(self, sought: Sought, around: Surroundings) -> Float[Tensor, " C"]:
        """Of the candidates of ``around``; differentiable."""
        candidate = make_key(around.query, around.node)
        logits: Tensor = self.answers(self.answers.keys(self._text), around, sought, candidate)
        return logits

    @torch.no_grad()
    def guess(self, asked: Asked) -> Scores:
        """The candidates of each question; all are guesses."""
        parts = []
        for begin in range(0, len(asked.question), AT_ONCE):
            sought = taken(asked.sought, begin, begin + AT_ONCE)
            around = self.around(sought)
            log_probability = functional.logsigmoid(self.logits(sought, around))
            parts.append((asked.question[begin + around.query], around.node, log_probability))
        question, node, log_probability = (torch.cat(part) for part in zip(*parts, strict=True))
        guessed = torch.ones(len(question), dtype=torch.bool, device=question.device)
        return Scores(question, node, log_probability, guessed, guessed)


def seek(
    network: ReaderNetwork,
    plan: Plan,
    table: RelationTable,
    expander: Expander,
    rows: Int[Tensor, " Q"],
    row_question: Int[Tensor, " B"],
    topic_row: Int[Tensor, " K"],
    topic_node: Int[Tensor, " K"],
    facts: Scores,
    guesses: Scores,
) -> Asked | None:
    """What the questions of some rows seek; None if nothing is around the topic of any.

    Args:
        rows: ascending, each the only one of its question. row_question: the question of each row.
        facts, guesses: what reading by facts, and with guessed facts, has found.
    """
    mine = torch.isin(topic_row, rows)
    owner = expander.offer(topic_node[mine]).owner
    rows = torch.unique(topic_row[mine][owner])  # a topic without any fact has nothing around
    if not len(rows):
        return None
    mine = torch.isin(topic_row, rows)
    own = plan.take(rows)
    logits = torch.stack([network.relations(own, hop, table)[:, :-1] for hop in range(own.stop.shape[1])], 1)
    if expander.part is not None:
        logits = logits.masked_fill(~_same_part(expander, topic_row[mine], topic_node[mine], rows)[:, None], -1e9)
    going = own.stop.flip(1).cumsum(1).flip(1)
    last = logits[torch.arange(len(rows), device=rows.device), own.stop.argmax(-1)].argmax(-1)
    question = row_question[rows]
    key, found = _reached(question, facts, guesses)
    topics = make_key(torch.searchsorted(rows, topic_row[mine]), topic_node[mine]).sort().values
    sought = Sought(logits, going, last, key_row(topics), key_node(topics), key, *found)
    return Asked(question, sought)


def taken(sought: Sought, begin: int, end: int) -> Sought:
    """What the questions at begin..end - 1 seek, numbered from 0."""
    number = len(sought.last)
    first, behind = (torch.tensor(max(0, min(at, number))) for at in (begin, end))
    topics = _between(sought.topic_query, first, behind)
    reached = _between(key_row(sought.key), first, behind)
    some = slice(int(first), int(behind))
    return Sought(
        sought.logits[some],
        sought.going[some],
        sought.last[some],
        sought.topic_query[topics] - int(first),
        sought.topic_node[topics],
        make_key(key_row(sought.key[reached]) - int(first), key_node(sought.key[reached])),
        sought.facts[reached],
        sought.guesses[reached],
    )


def together(parts: list[Sought]) -> Sought:
    """What several have sought, as one."""
    before = [0]
    for part in parts:
        before.append(before[-1] + len(part.last))
    numbered = list(zip(before, parts, strict=False))
    return Sought(
        torch.cat([part.logits for part in parts]),
        torch.cat([part.going for part in parts]),
        torch.cat([part.last for part in parts]),
        torch.cat([part.topic_query + number for number, part in numbered]),
        torch.cat([part.topic_node for part in parts]),
        torch.cat([make_key(key_row(part.key) + number, key_node(part.key)) for number, part in numbered]),
        torch.cat([part.facts for part in parts]),
        torch.cat([part.guesses for part in parts]),
    )


def _between(ascending: Tensor, first: Tensor, behind: Tensor) -> slice:
    ends = torch.stack([first, behind]).to(ascending)
    begin, end = torch.searchsorted(ascending.contiguous(), ends).tolist()
    return slice(begin, end)


def _reached(question: Tensor, facts: Scores, guesses: Scores) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """(position in ``question``, node) keys of what was reached, and log probabilities by facts and with guesses."""
    both = []
    for scores in (facts, guesses):
        mine = torch.nonzero(torch.isin(scores.question, question)).squeeze(-1)
        mine = mine[likeliest(scores.question[mine], scores.log_probability[mine], REACHED)]
        at = torch.searchsorted(question, scores.question[mine])
        both.append((make_key(at, scores.node[mine]), scores.log_probability[mine]))
    key = torch.unique(torch.cat([keys for keys, _ in both]))
    found = []
    for keys, log_probability in both:
        whole = log_probability.new_full((len(key),), LEAST)
        whole[torch.searchsorted(key, keys)] = log_probability
        found.append(whole)
    return key, (found[0], found[1])


def _same_part(
    expander: Expander, topic_row: Tensor, topic_node: Tensor, rows: Int[Tensor, " Q"]
) -> Bool[Tensor, "Q D"]:
    """Which directed relations are of the graph that each row's topics are in."""
    assert expander.part is not None
    around = expander.offer(topic_node)
    part = torch.full((len(rows),), -1, dtype=expander.part.dtype, device=rows.device)
    part[torch.searchsorted(rows, topic_row[around.owner])] = expander.part[around.relation]
    return expander.part == part.unsqueeze(-1)


def _usual(expander: SnapshotExpander, directed: int) -> tuple[Tensor, Tensor]:
    """Who stands at the other end of most facts of each directed relation: start [D + 1], node."""
    group = torch.repeat_interleave(expander.edge_start.diff())
    relation, target = expander.group_relation[group], expander.edge_target.long()
    pair, count = torch.unique(make_key(relation, target), return_counts=True)
    pair = pair[likeliest(key_row(pair), count.float(), USUAL)]
    start = torch.searchsorted(key_row(pair), torch.arange(directed + 1, device=pair.device))
    return start, key_node(pair)
