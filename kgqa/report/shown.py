"""Single questions as a report shows them: what was said and proved, and where attention went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from graph_schema import Answer, EvidencePath, Response
from kgqa.answering import Answerer, Stopwatch
from kgqa.answering.run import Run
from kgqa.data.questions import GoldPath, Question, bracketed
from kgqa.linking.topics import find_topics, link
from kgqa.model.network import log_odds
from kgqa.retrieval.keys import key_node, key_row
from kgqa.stores.snapshot import Snapshot

SLOTS = 8
GOLD = 10


@dataclass(frozen=True)
class SlotWeights:
    """One memory slot: its entity, the weight of each read hop, the path score, the correction that reading gave."""

    entity: str
    weights: tuple[float, ...]
    path_score: float
    correction: float


@dataclass(frozen=True)
class TopicSlots:
    """The slots that were attended to most on the way from one topic, best first; ``topic`` as the question has it."""

    topic: str
    slots: tuple[SlotWeights, ...]


@dataclass(frozen=True)
class Shown:
    """One question.

    Attributes:
        text: with its topics in brackets. gold: right answers, the first ``GOLD``. more: how many there are besides.
        all_gold: all of them.
        gold_paths: where the set has them, in words. response: with trace.
        scores: Hits@1, F1 and confidence. slices: (slicing, value) that it is in.
        memories: slots by topic, each topic's by themselves, as they are read; none where the reader has none.
    """

    text: str
    gold: tuple[str, ...]
    more: int
    all_gold: frozenset[str]
    gold_paths: tuple[str, ...]
    response: Response
    hits_at_1: float
    f1: float
    confidence: float
    slices: tuple[tuple[str, str], ...]
    memories: tuple[TopicSlots, ...] = ()

    def answers(self) -> list[tuple[str, float, bool, list[str]]]:
        """What was said: name, probability, whether it is right, and in words the evidence, or that it is a guess."""
        return [
            (a.entity.name, a.score, self._right(a.entity.id, a.entity.name), self._because(a))
            for a in self.response.answers
        ]

    def _because(self, answer: Answer) -> list[str]:
        names = self.response.names
        supposed = (f"{names.get(f.head, f.head)} −{f.relation}→ {names.get(f.tail, f.tail)}" for f in answer.supposed)
        guess = [f"a guess: it supposes {', '.join(supposed)}, which the graph doesn't say"] if answer.supposed else []
        if answer.guessed and not answer.supposed:
            guess = ["a guess from what is around; no facts lead there"]
        return [path_words(path, names) for path in answer.evidence] + guess

    def ranking(self) -> list[tuple[str, float, bool]]:
        """The best scored entities, answers or not."""
        return [(a.entity.name, a.score, self._right(a.entity.id, a.entity.name)) for a in self.response.ranking[:5]]

    def _right(self, id_: str, name: str) -> bool:
        return id_ in self.all_gold or name in self.all_gold


def path_words(path: EvidencePath, names: Mapping[str, str]) -> str:
    """A chain of facts from the topic to the answer; ``names``: of entities that aren't called as their ids."""
    parts = [names.get(step.source, step.source) for step in path.steps[:1]]
    for step in path.steps:
        arrow = f"←{step.fact.relation}−" if step.inverse else f"−{step.fact.relation}→"
        parts += [arrow, names.get(step.target, step.target)]
    return " ".join(parts) + ("" if path.holds else " (not in the store)")


def called(written: str, snapshot: Snapshot) -> str:
    """An entity as a set writes it; one that it writes as an id by its name, too."""
    known = snapshot.entities([written]).get(written)
    return f"{known.name} ({written})" if known and known.name != written else written


def gold_words(path: GoldPath, topic: str) -> str:
    """A gold path; ``topic``: what it starts from is called."""
    return " ".join([topic, *(f"←{name}−" if inverse else f"−{name}→" for name, inverse in path.steps)])


def shown(
    answerer: Answerer,
    question: Question,
    snapshot: Snapshot,
    scores: tuple[float, float, float],
    slices: Sequence[tuple[str, str]],
    *,
    brackets: bool,
    slots: bool = False,
) -> Shown:
    """Ask one question again, with all that can be told of it.

    Args:
        scores: Hits@1, F1 and confidence, as measured. brackets: use the topics marked. slots: also where reading went.
    """
    text = bracketed(question)
    response = answerer.ask_many([text if brackets else question.plain], snapshot, explain=True)[0]
    return Shown(
        text=text,
        gold=tuple(called(answer, snapshot) for answer in question.answers[:GOLD]),
        more=max(0, len(question.answers) - GOLD),
        all_gold=frozenset(question.answers),
        gold_paths=tuple(gold_words(path, called(path.topic, snapshot)) for path in question.paths),
        response=response,
        hits_at_1=scores[0],
        f1=scores[1],
        confidence=scores[2],
        slices=tuple(slices),
        memories=_memories(answerer, text if brackets else question.plain, snapshot) if slots else (),
    )


@torch.inference_mode()
def _memories(answerer: Answerer, text: str, snapshot: Snapshot) -> tuple[TopicSlots, ...]:
    """For each topic, the slots with the largest weights: attention adds up to 1 over a topic's own."""
    linked = [link(text, snapshot)]
    device = answerer.network.device
    tokens = answerer.encoder.encode(linked[0].texts).to(device)
    linked, tokens = find_topics(linked, tokens, answerer.network, answerer.encoder)
    run = answerer.run(linked, tokens, answerer.expander(snapshot), Stopwatch())
    if run is None or run.reached.memory is None:
        return ()
    attention = run.reading.attention[:, run.reached.memory.of]
    row = key_row(run.reached.key)
    found = []
    for number, topic in enumerate(run.linked[0].topics):
        own = torch.nonzero(row == number).squeeze(-1)
        best = own[torch.sort(attention[:, own].amax(0), descending=True, stable=True).indices[:SLOTS]]
        found.append(TopicSlots(topic.text, _heaviest(run, attention, best, snapshot)))
    return tuple(one for one in found if one.slots)


def _heaviest(run: Run, attention: Tensor, best: Tensor, snapshot: Snapshot) -> tuple[SlotWeights, ...]:
    """The slots at ``best``, in that order; attention: [read hops, reached entities]."""
    ids = run.expander.ids(key_node(run.reached.key[best]))
    known = snapshot.entities(ids)
    mass = run.reached.mass[best]
    correction = run.reading.graph[best] - log_odds(mass)
    return tuple(
        SlotWeights(known[id_].name, tuple(weights), path_score, change)
        for id_, weights, path_score, change in zip(
            ids, attention[:, best].T.tolist(), mass.tolist(), correction.tolist(), strict=True
        )
    )
