"""A set's graph with the facts that its training questions tell, and how many of them are true."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graph_schema import Fact
from kgqa.answering import Answerer
from kgqa.data import Question
from kgqa.data.graph import Walker, with_facts
from kgqa.evaluation.record import Recorder, Row
from kgqa.model.checkpoint import Checkpoint
from kgqa.model.encoder import Encoder
from kgqa.stores.snapshot import Snapshot
from kgqa.told import Telling, tell


@dataclass(frozen=True)
class ToldGraphs:
    """Attributes:
    training: the graph with what some of the questions tell. asked: with what all of them tell.
    """

    training: Snapshot
    asked: Snapshot
    telling: Telling


def told_graphs(
    snapshot: Snapshot, questions: Sequence[Question], hold: float, reader: Checkpoint, encoder: Encoder
) -> ToldGraphs:
    """A graph with the facts that questions tell.

    Args:
        questions: in random order. hold: the share of them, the first ones, that tell the training graph nothing.
    """
    answerer = Answerer(snapshot, reader, encoder, any_schema=True)
    telling = tell(answerer, snapshot, questions)
    some = tell(answerer, snapshot, questions[round(hold * len(questions)) :]) if hold else telling
    training, asked = (with_facts(snapshot, (told.fact for told in one.told)) for one in (some, telling))
    return ToldGraphs(training, asked, telling)


def told_rows(set_: str, telling: Telling, whole: Walker, kept: Walker, recorder: Recorder) -> Iterator[Row]:
    """How many of the facts told are true, and how many of those that the graph lacks are told."""
    true: set[Fact] = set(whole.facts)
    told = {one.fact for one in telling.told}
    lacking = true.difference(kept.facts)
    yield recorder.row(set_, "told_precision", len(told & true) / max(1, len(told)), len(told))
    yield recorder.row(set_, "told_recall", len(told & lacking) / max(1, len(lacking)), len(lacking))
