"""All that is measured of one reader on the questions of one set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from kgqa.answering import Answerer
from kgqa.data.graph import Walker
from kgqa.data.questions import Question
from kgqa.evaluation.abstention import abstention
from kgqa.evaluation.accuracy import evaluate
from kgqa.evaluation.evidence import evidence
from kgqa.evaluation.figures import Means, abstention_rows, accuracy_rows, evidence_rows, means, slice_rows
from kgqa.evaluation.record import Recorder, Row

Also = Literal["slices", "evidence", "abstention"]


@dataclass(frozen=True)
class Measured:
    """Rows, and the metrics by part that an experiment's expectations are held against."""

    rows: list[Row]
    means: Means


def measure(
    name: str,
    answerer: Answerer,
    questions: Sequence[Question],
    walker: Walker,
    recorder: Recorder,
    *,
    seed: int,
    brackets: bool = True,
    also: Sequence[Also] = (),
    trained: Sequence[Question] = (),
    say: Callable[[str], None] = lambda _: None,
) -> Measured:
    """Answer every question and score it.

    Args:
        name: of the set, for the rows. walker: over the graph that is asked.
        seed: draws the unanswerable questions. brackets: use the topics marked in the questions.
        also: besides accuracy and calibration. trained: the training questions, for the slices.
        say: told what is being done.
    """
    snapshot = walker.snapshot
    recorder = replace(recorder, config={**recorder.config, "topics": "brackets" if brackets else "free text"})
    say(f"answering {len(questions):,} questions")
    found = evaluate(answerer, questions, snapshot, brackets=brackets)
    rows = list(accuracy_rows(name, found, recorder, brackets=brackets))
    more: list[Row] = []
    if "slices" in also:
        rows += slice_rows(name, found, walker, recorder, trained)
    if "evidence" in also:
        say("walking the evidence again")
        more += evidence_rows(name, evidence(answerer, questions, snapshot, brackets=brackets), recorder)
    if "abstention" in also:
        say("asking what the graph doesn't know")
        more += abstention_rows(name, abstention(answerer, questions, walker, seed, brackets=brackets), recorder)
    by_part = means(found)
    for row in more:
        by_part.setdefault(row.set.removeprefix(f"{name}/"), {})[row.metric] = row.value
    return Measured([*rows, *more], by_part)
