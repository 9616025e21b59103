"""Answering a whole question set in batches, through the same pipeline as ``kgqa ask``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float64
from torch import Tensor

from kgqa.answering import Answerer, Stopwatch
from kgqa.answering.run import Ranked, rank
from kgqa.data import Question
from kgqa.evaluation.metrics import QuestionScores, score_questions
from kgqa.linking.guesses import Guesses
from kgqa.linking.mentions import find_mentions
from kgqa.linking.topics import Linked, find_topics
from kgqa.model.decision import decide
from kgqa.model.encoder import TokenStates
from kgqa.stores.snapshot import Snapshot
from kgqa.training.prepare import Ragged, TextStates, answer_nodes

BATCH = 256


@dataclass(frozen=True)
class Evaluated:
    """Scores of a question set. ``right_topic``: share of free-text questions whose topics are the bracketed ones."""

    questions: Sequence[Question]
    scores: QuestionScores
    right_topic: torch.Tensor

    def first_is_right(self) -> torch.Tensor:
        """Whether the best entity is a right answer, [Q]: what confidence is the probability of.

        Of a question without answers none is, though saying nothing is right.
        """
        has = torch.tensor([bool(question.answers) for question in self.questions], dtype=torch.bool)
        return self.scores.hits_at_1 * has

    def parts(self) -> dict[str, torch.Tensor]:
        """Which questions belong to each part, in order of appearance."""
        names = list(dict.fromkeys(question.part for question in self.questions))
        return {name: torch.tensor([question.part == name for question in self.questions]) for name in names}


def link_known(question: Question, snapshot: Snapshot, *, brackets: bool, guesses: Guesses | None = None) -> Linked:
    """A question of a set, linked by its brackets or as free text."""
    spans = question.spans if brackets else ()
    mentions = find_mentions(question.plain, spans, snapshot, guesses)
    topics = tuple(m for m in mentions if m.entities)
    return Linked(question.plain, question.plain, bool(spans), topics, settled=bool(spans))


def evaluate(
    answerer: Answerer,
    questions: Sequence[Question],
    snapshot: Snapshot,
    *,
    brackets: bool = True,
    progress: Callable[[int], None] = lambda _: None,
) -> Evaluated:
    """Answer and score every question.

    Each distinct masked text is encoded once: for accuracy only, speed is measured elsewhere.

    Args:
        brackets: use the topics marked in the questions; else find them in the text.
        progress: called with how many questions are done.
    """
    ranking, right = ranked(answerer, questions, snapshot, brackets=brackets, progress=progress)
    return scored(questions, snapshot, ranking, torch.tensor(right, dtype=torch.float64))


def ranked(
    answerer: Answerer,
    questions: Sequence[Question],
    snapshot: Snapshot,
    *,
    brackets: bool = True,
    progress: Callable[[int], None] = lambda _: None,
) -> tuple[Ranked, list[bool]]:
    """What a reader makes of every question, and whether it found the topics in brackets; see ``evaluate``."""
    parts, right, done = [], [], 0
    expander = answerer.expander(snapshot)
    config = answerer.checkpoint.config
    for some, tokens in linked_batches(answerer, questions, snapshot, brackets=brackets):
        run = answerer.run(some, tokens, expander, Stopwatch())
        right += right_topics(some if run is None else run.linked, questions[done : done + len(some)], snapshot)
        if run is not None:
            own = rank(run.scores, expander, config.calibration, config.guesses)
            parts.append(replace(own, question=own.question + done))
        done += len(some)
        progress(done)
    return _joined(parts), right


def scored(
    questions: Sequence[Question], snapshot: Snapshot, ranking: Ranked, right_topic: Float64[Tensor, " Q"]
) -> Evaluated:
    """Rankings of every question, scored. ``right_topic``: see ``Evaluated``."""
    gold = [answer_nodes(question.answers, snapshot) for question in questions]
    gold_question, gold_node = Ragged.of([nodes for nodes, _ in gold]).take(torch.arange(len(questions)))
    counts = torch.tensor([len(nodes) + absent for nodes, absent in gold], dtype=torch.int64)
    listed = torch.tensor([_listed(question, snapshot) for question in questions], dtype=torch.int64)
    said, _ = decide(ranking.question, ranking.score, len(questions))
    scores = score_questions(ranking, said, gold_question, gold_node, counts, listed)
    return Evaluated(questions, scores, right_topic)


def right_topics(linked: Sequence[Linked], questions: Sequence[Question], snapshot: Snapshot) -> list[bool]:
    """Whether the topics that were found are those in the questions' brackets."""
    return [
        topics_of(one) == topics_of(link_known(question, snapshot, brackets=True))
        for one, question in zip(linked, questions, strict=True)
    ]


def linked_batches(
    answerer: Answerer, questions: Sequence[Question], snapshot: Snapshot, *, brackets: bool
) -> Iterator[tuple[list[Linked], TokenStates]]:
    """The questions with their topics, a batch at a time, and the states of the texts of these; see ``evaluate``."""
    linked = [link_known(q, snapshot, brackets=brackets, guesses=answerer.names) for q in questions]
    position = {text: i for i, text in enumerate(dict.fromkeys(t for one in linked for t in one.texts))}
    states = TextStates(answerer.encoder, list(position))
    for begin in range(0, len(questions), BATCH):
        some = linked[begin : begin + BATCH]
        index = torch.tensor([position[text] for one in some for text in one.texts], dtype=torch.int64)
        tokens = states.take(index, answerer.network.device)
        yield find_topics(some, tokens, answerer.network, answerer.encoder)


def _listed(question: Question, snapshot: Snapshot) -> int:
    """Node of the answer that the set lists first; see ``score_questions``. Of several of one name, the first by id."""
    if not question.listed:
        return -2
    return next(iter(answer_nodes([question.listed], snapshot)[0]), -1)


def topics_of(one: Linked) -> set[str]:
    """Ids of the entities that a question was found to be about."""
    return {entity.id for topic in one.topics for entity in topic.entities}


def _joined(parts: Sequence[Ranked]) -> Ranked:
    none = torch.zeros(0, dtype=torch.int64)
    empty = Ranked(none, none, torch.zeros(0), none)
    return Ranked(
        *(torch.cat([getattr(p, name) for p in (empty, *parts)]) for name in ("question", "node", "score", "place"))
    )
