"""Whether a reader knows that it doesn't know: questions that the graph answers against questions that it doesn't."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import torch

from graph_schema import InputError
from kgqa.answering import Answerer
from kgqa.data.graph import Walker
from kgqa.data.questions import Question
from kgqa.data.unanswerable import (
    FACTS_REMOVED,
    UNKNOWN_ENTITY,
    UNKNOWN_RELATION,
    remove_facts,
    unknown_entities,
    unknown_relations,
)
from kgqa.evaluation.accuracy import evaluate
from kgqa.evaluation.calibration import auroc
from kgqa.stores.snapshot import Snapshot

KINDS = (FACTS_REMOVED, UNKNOWN_ENTITY, UNKNOWN_RELATION)


@dataclass(frozen=True)
class Abstention:
    """Half answerable, half not, of one kind of unanswerable questions.

    Attributes:
        answerable, unanswerable: how many questions of each.
        auroc: of the confidence, for there being an answer. abstained: share of the unanswerable that get no answer.
        f1: on the answerable ones.
    """

    answerable: int
    unanswerable: int
    auroc: float
    abstained: float
    f1: float


def abstention(
    answerer: Answerer, questions: Sequence[Question], walker: Walker, seed: int, *, brackets: bool
) -> dict[str, Abstention]:
    """Figures by kind, see ``kgqa.data.unanswerable``; none of a kind that no question could be made of.

    Args:
        questions: of a set; those that the graph answers (``Walker.answers_some``) are asked, and made into ones
            that it doesn't; facts are removed for those of them with gold paths.
        walker: over the graph that is asked.
    """
    questions = [question for question in questions if walker.answers_some(question)]
    graph = walker.snapshot
    generator = random.Random(f"abstention {seed}")
    shuffled = list(questions)
    generator.shuffle(shuffled)
    half = len(shuffled) // 2
    answerable, others = shuffled[half:], shuffled[:half]
    found = {}
    pathed = [question for question in questions if question.paths]
    with suppress(InputError):  # nothing would be left of the graph
        removed = remove_facts(pathed, walker, 0.5, seed)
        lost, kept = list(removed.unanswerable), list(removed.answerable)
        if size := min(len(lost), len(kept)):
            some = generator.sample(kept, size), generator.sample(lost, size)
            found[FACTS_REMOVED] = _measured(answerer, *some, removed.snapshot, brackets)
    strange: list[Question] = []
    with suppress(InputError):  # no topic is marked, or the graph has relations for whatever can be asked
        strange = unknown_relations(questions, graph, half, seed) if half else []
    for made in (unknown_entities(others, graph, half, seed), strange):
        if made:
            found[made[0].part] = _measured(answerer, answerable[: len(made)], made, graph, brackets)
    return found


def _measured(
    answerer: Answerer,
    answerable: Sequence[Question],
    unanswerable: Sequence[Question],
    graph: Snapshot,
    brackets: bool,
) -> Abstention:
    # A relation that lost all its facts is no reason to refuse the checkpoint.
    own = Answerer(graph, answerer.checkpoint, answerer.encoder, answerer.budget_edges, any_schema=True)
    scores = evaluate(own, [*answerable, *unanswerable], graph, brackets=brackets).scores
    has = torch.arange(len(answerable) + len(unanswerable)) < len(answerable)
    return Abstention(
        len(answerable),
        len(unanswerable),
        auroc(scores.confidence, has),
        scores.means(~has)["exact"],
        scores.means(has)["f1"],
    )
