"""Whether the paths shown prove the answers: each is walked again, fact by fact, on the graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from graph_schema import Answer, EvidencePath, Fact, GraphReader, Response
from kgqa.answering import Answerer
from kgqa.data.questions import Question, bracketed
from kgqa.stores.snapshot import Snapshot
from kgqa.training.prepare import answer_nodes

BATCH = 128


@dataclass(frozen=True)
class EvidenceScores:
    """Counts over questions.

    Attributes:
        paths: paths shown. proving: those that hold and end in a right answer.
        right: right answers in the decided sets. proven: those of them of which a path from each topic is shown, and
            every one holds.
    """

    paths: int
    proving: int
    right: int
    proven: int

    @property
    def precision(self) -> float:
        """proving / paths: how often a path that is shown leads from a topic to a right answer; 0 without paths."""
        return self.proving / self.paths if self.paths else 0.0

    @property
    def holds(self) -> float:
        """proven / right: how many right answers carry their proof; 0 without right answers."""
        return self.proven / self.right if self.right else 0.0


def walk_again(path: EvidencePath, topics: set[str], answer: str, facts: set[Fact]) -> bool:
    """Whether a path starts at a topic, goes from end to end over facts that are there, and arrives at the answer."""
    here = {step.source for step in path.steps[:1]} & topics
    for step in path.steps:
        here = {step.target} if step.source in here and step.fact in facts else set()
    return here == {answer}


def from_each_topic(answer: Answer, response: Response) -> bool:
    """Whether an answer shows a path from each topic of its question: of a conjunction one alone proves nothing."""
    starts = {step.source for path in answer.evidence for step in path.steps[:1]}
    of_topics = [{entity.id for entity in topic.entities} for topic in response.topics]
    return bool(starts) and not any(starts.isdisjoint(ids) for ids in of_topics)


def score_evidence(responses: Sequence[Response], gold: Sequence[set[str]], graph: GraphReader) -> EvidenceScores:
    """Score the evidence of responses against gold answers (entity ids), one set for each.

    What a response says of its own paths (``holds``) isn't believed: the facts are looked up in ``graph``.
    """
    shown = {f for r in responses for a in r.answers for path in a.evidence for f in path.facts}
    asked = sorted(shown)
    facts = {fact for fact, there in zip(asked, graph.holds(asked), strict=True) if there}
    paths = proving = right = proven = 0
    for response, answers in zip(responses, gold, strict=True):
        topics = {entity.id for topic in response.topics for entity in topic.entities}
        for answer in response.answers:
            held = [walk_again(path, topics, answer.entity.id, facts) for path in answer.evidence]
            is_right = answer.entity.id in answers
            paths += len(held)
            proving += sum(held) if is_right else 0
            right += is_right
            proven += is_right and all(held) and from_each_topic(answer, response)
    return EvidenceScores(paths, proving, right, proven)


def evidence(
    answerer: Answerer,
    questions: Sequence[Question],
    snapshot: Snapshot,
    *,
    brackets: bool,
    progress: Callable[[int], None] = lambda _: None,
) -> EvidenceScores:
    """Ask the questions in batches and score the evidence that comes with the answers.

    Args:
        brackets: use the topics marked in the questions. progress: called with how many questions are done.
    """
    gold = [set(snapshot.ids_of(np.array(answer_nodes(q.answers, snapshot)[0], dtype=np.int64))) for q in questions]
    texts = [bracketed(q) if brackets else q.plain for q in questions]
    responses: list[Response] = []
    for begin in range(0, len(texts), BATCH):
        responses += answerer.ask_many(texts[begin : begin + BATCH], snapshot)
        progress(len(responses))
    return score_evidence(responses, gold, snapshot)
