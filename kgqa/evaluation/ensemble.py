"""Several readers as one: the mean of their probabilities, which is what a student of theirs is taught by.

Each is asked by itself, through the pipeline that it would be asked through alone, and what they say is put together as
in ``kgqa.training.distill``. They all have the same settings, so that a text is encoded once for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from kgqa.answering import Answerer
from kgqa.answering.run import Ranked, in_order
from kgqa.data import Question
from kgqa.evaluation.accuracy import Evaluated, ranked, scored
from kgqa.retrieval.expander import Expander
from kgqa.retrieval.keys import key_node, key_row, make_key
from kgqa.stores.snapshot import Snapshot
from kgqa.training.distill import together


def mean_ranked(rankings: Sequence[Ranked], expander: Expander) -> Ranked:
    """The rankings of several readers as one, by the mean of their probabilities."""
    key, score = together([(make_key(one.question, one.node), one.score) for one in rankings])
    return in_order(key_row(key), key_node(key), score, expander)


def evaluate_together(
    answerers: Sequence[Answerer], questions: Sequence[Question], snapshot: Snapshot, *, brackets: bool = True
) -> Evaluated:
    """``evaluate`` of an ensemble; ``right_topic`` is the share of its readers that had the right topics."""
    found = [ranked(answerer, questions, snapshot, brackets=brackets) for answerer in answerers]
    ranking = mean_ranked([one for one, _ in found], answerers[0].expander(snapshot))
    right = torch.tensor([right for _, right in found], dtype=torch.float64).mean(0)
    return scored(questions, snapshot, ranking, right)
