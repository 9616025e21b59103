"""Facts that answered questions tell: who answers "who directed Heat" says a fact, whether the graph has it or not.

A question tells facts if it has one topic and is read as one hop over one relation, for sure. With stop_1 the
probability that the first hop is the last, z the logits of the directed relations, and F those of them that such a
topic may have, the reader says

    q_d = stop_1 exp(z_d) / sum_{f in F} exp(z_f), or 0 where most of the answers can't be at the other end of d

of what the words mean. The graph has its say, too: of all questions in the same words, h_d is how many answers stand
at the other end of d already, and m_d how many stand there that aren't answers. An answer speaks for d by ``FOR``,
another speaks against it by ``AGAINST``, all together by ``MOST`` at most:

    log p_d / (1 - p_d) = log q_d / (1 - q_d) + clamp(h_d log FOR - m_d log AGAINST, +- log MOST)

and the likeliest d is taken if p_d is at least ``SURE``. All relations of the graph are looked at, not only those
around the topic: where a fact is missing, its relation may be, too. (Distant supervision, Mintz et al. 2009, takes text
for a relation where it names both ends of a fact; here the text's relation is known, and gives the fact.)

An end that the graph doesn't know is new, and called as it is written; of a fact one end at least is known. What is
called like several entities tells nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from graph_schema import Fact
from graph_schema.text import name_key
from kgqa.answering.pipeline import Answerer
from kgqa.data import Question
from kgqa.linking import find_mentions
from kgqa.linking.topics import row_texts
from kgqa.retrieval.keys import make_key
from kgqa.retrieval.surroundings import kinds
from kgqa.stores.snapshot import Snapshot
from kgqa.training.prepare import TextStates

SURE = 0.9
FOR, AGAINST, MOST = 3.0, 10.0, 50.0
POSSIBLE = 0.03  # what shares a relation with so many that have another may have that, too
AT_ONCE = 1024  # questions that are read together


@dataclass(frozen=True)
class Told:
    """A fact that the graph lacks.

    Attributes:
        question: who tells it. probability: that this relation is meant. new: its ends that the graph doesn't know.
    """

    fact: Fact
    question: Question
    probability: float
    new: tuple[str, ...] = ()


@dataclass(frozen=True)
class Telling:
    """What answered questions tell.

    Attributes:
        told: facts that the graph lacks, each once, by the question that is surest; sorted. known: how many facts were
            told that the graph has.
        read: how many questions tell any. unsure: aren't read as one hop over one relation for sure. unclear: haven't
            one topic and an answer that are clear.
    """

    told: tuple[Told, ...]
    known: int
    read: int
    unsure: int
    unclear: int


@dataclass(frozen=True)
class _Asked:
    """A question that may tell something: its text, its topic's id, those of its answers, and which the graph has."""

    question: Question
    text: str
    topic: str
    answers: tuple[str, ...]
    known: frozenset[str]


def tell(
    answerer: Answerer,
    snapshot: Snapshot,
    questions: Sequence[Question],
    *,
    sure: float = SURE,
    progress: Callable[[int], None] = lambda _: None,
) -> Telling:
    """What questions tell that a graph lacks.

    Args:
        answerer: whose reader reads them. snapshot: the graph. questions: with their topic in brackets, or naming one
            thing that the graph knows. sure: see ``SURE``. progress: called with how many of those that may tell
            something are read.
    """
    asked = _asked(questions, snapshot)
    if not asked:
        return Telling((), 0, 0, 0, len(questions))
    reader = _Reader(answerer, snapshot, asked)
    names = snapshot.relations()
    best: dict[Fact, Told] = {}
    read = 0
    for begin in range(0, len(asked), AT_ONCE):
        some = asked[begin : begin + AT_ONCE]
        for one, (directed, probability, answers) in zip(some, reader.read(begin, begin + AT_ONCE), strict=True):
            if probability < sure:
                continue
            read += 1
            for answer in answers:
                head, tail = (answer, one.topic) if directed % 2 else (one.topic, answer)
                fact = Fact(head, names[directed // 2], tail)
                new = tuple(end for end in (head, tail) if end not in one.known)
                if len(new) < 2 and (fact not in best or best[fact].probability < probability):
                    best[fact] = Told(fact, one.question, probability, new)
        progress(begin + len(some))
    facts = sorted(best)
    held = snapshot.holds(facts)
    told = tuple(best[fact] for fact, there in zip(facts, held, strict=True) if not there)
    return Telling(told, sum(held), read, len(asked) - read, len(questions) - len(asked))


class _Reader:
    """Reads questions as one hop over a graph.

    Args:
        asked: all questions that will be read, in order.
    """

    def __init__(self, answerer: Answerer, snapshot: Snapshot, asked: Sequence[_Asked]) -> None:
        self._answerer, self._snapshot = answerer, snapshot
        self._expander = answerer.expander(snapshot)
        self._asked = asked
        distinct = {text: place for place, text in enumerate(dict.fromkeys(one.text for one in asked))}
        self._text = torch.tensor([distinct[one.text] for one in asked], dtype=torch.int64)
        self._states = TextStates(answerer.encoder, list(distinct))
        self._directed = 2 * len(snapshot.relations())
        kind = kinds(self._expander.group_start, self._expander.group_relation, self._directed)
        self._may_have = torch.maximum(kind, kind.T) >= POSSIBLE  # few films have votes; what has votes is a film
        self._by_graph = self._heard()

    @torch.inference_mode()
    def read(self, begin: int, end: int) -> Iterator[tuple[int, float, list[str]]]:
        """Of each of some questions the likeliest directed relation, its probability, 0 where none fits, and the
        answers that fit it."""
        asked = self._asked[begin:end]
        text, of_text = torch.unique(self._text[begin:end], return_inverse=True)
        plan, table = self._answerer.planned(self._states.take(text, self._expander.device), self._snapshot)
        text, of_text = text.to(self._expander.device), of_text.to(self._expander.device)
        logits = self._answerer.network.relations(plan, 0, table)[of_text, :-1]
        owner = torch.tensor([place for place, one in enumerate(asked) for _ in one.answers], device=text.device)
        back = torch.arange(self._directed, device=text.device) ^ 1
        may = self._may([answer for one in asked for answer in one.answers])[:, back]
        topics = self._may([one.topic for one in asked])
        read = logits.masked_fill(~topics, float("-inf")).softmax(-1).nan_to_num(0.0) * plan.stop[of_text, :1]
        fitting = torch.zeros_like(read).index_add(0, owner, may.float())
        said = read * (fitting >= torch.bincount(owner).unsqueeze(-1) / 2)
        best = torch.sigmoid(said.clamp(max=1 - 1e-6).logit() + self._by_graph[text][of_text]).max(-1)
        told = iter(may[torch.arange(len(owner)), best.indices[owner]].tolist())
        for one, directed, probability in zip(asked, best.indices.tolist(), best.values.tolist(), strict=True):
            yield directed, probability, [answer for answer in one.answers if next(told)]

    def _may(self, ids: Sequence[str]) -> Bool[Tensor, "E D"]:
        """Which directed relations each end may have; of what is new nobody knows."""
        node = self._expander.nodes(ids)
        known = torch.nonzero(node >= 0).squeeze(-1)
        groups = self._expander.offer(node[known])
        ways = torch.zeros(len(ids), self._directed, device=node.device)
        ways.index_add_(0, known[groups.owner], self._may_have[groups.relation].float())
        return (ways > 0) | (node < 0).unsqueeze(-1)

    def _heard(self) -> Float[Tensor, "T D"]:
        """What the graph says of each text and directed relation, see the module's text."""
        expander, device = self._expander, self._expander.device
        topic = expander.nodes([one.topic for one in self._asked])
        there = torch.nonzero(topic >= 0).squeeze(-1)
        groups = expander.offer(topic[there])
        asked = there[groups.owner]
        _, target = expander.expand(groups.handle, groups.count)
        group = torch.repeat_interleave(groups.count)
        owner = torch.tensor([place for place, one in enumerate(self._asked) for _ in one.answers], device=device)
        answer = expander.nodes([answer for one in self._asked for answer in one.answers])
        listed = make_key(owner[answer >= 0], answer[answer >= 0])
        right = torch.isin(make_key(asked[group], target), listed)
        weight = torch.where(right, math.log(FOR), -math.log(AGAINST))
        said = torch.zeros(int(self._text.max()) + 1, self._directed, device=device)
        place = (self._text.to(device)[asked[group]], groups.relation[group])
        return said.index_put(place, weight, accumulate=True).clamp(-math.log(MOST), math.log(MOST))


def _asked(questions: Sequence[Question], snapshot: Snapshot) -> list[_Asked]:
    """The questions with one topic and an answer that are clear."""
    called = _called([answer for question in questions for answer in question.answers], snapshot)
    found = []
    for question in questions:
        mentions = find_mentions(question.plain, question.spans, snapshot)
        if len(mentions) != 1 or len(mentions[0].entities) > 1:
            continue
        topic = mentions[0].entities[0].id if mentions[0].entities else mentions[0].text.strip()
        answers = dict.fromkeys(id_ for answer in question.answers if (id_ := called[answer]) is not None)
        answers.pop(topic, None)
        ends = [topic, *answers]
        known = frozenset(end for end, node in zip(ends, snapshot.index_of(ends).tolist(), strict=True) if node >= 0)
        if answers and known:
            (text,) = row_texts(question.plain, mentions, settled=True)
            found.append(_Asked(question, text, topic, tuple(answers), known))
    return found


def _called(names: Sequence[str], snapshot: Snapshot) -> dict[str, str | None]:
    """The id of what is called each of these: itself if it is one, the entity's of that name, or itself if it is new;
    None: several bear the name."""
    distinct = list(dict.fromkeys(names))
    nodes = snapshot.index_of(distinct).tolist()
    named = snapshot.lookup([name_key(name) for name, node in zip(distinct, nodes, strict=True) if node < 0])
    found: dict[str, str | None] = {}
    for name, node in zip(distinct, nodes, strict=True):
        bearers = () if node >= 0 else named.get(name_key(name), ())
        found[name] = name.strip() if not bearers else bearers[0].id if len(bearers) == 1 else None
    return found
