"""Where a reader is good and where not: the questions told apart by what makes them hard.

hops         of the longest gold path
relation     of the gold paths, each (^: walked from tail to head); a question is in the slice of each of its relations
topic facts  how many facts are around the topic, the most popular one if there are several: its degree in the graph
answers      size of the gold set
gold path    whether it leads to all the answers in the graph asked (whole), to some (partly), or to none (broken)
namesakes    how many entities bear the topic's name, the most if there are several topics
trained      whether a training question has its gold path (path), all relations of it (relations), or neither (new)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from graph_schema.text import name_key
from kgqa.data.graph import Walker
from kgqa.data.questions import Question
from kgqa.stores.snapshot import Snapshot

DEGREES = (2, 10, 100)
SIZES = (0, 1, 5, 20)
NAMESAKES = (1, 2)

Slices = dict[str, dict[str, Bool[Tensor, " Q"]]]


def slices(questions: Sequence[Question], walker: Walker, trained: Sequence[Question] = ()) -> Slices:
    """For each slicing its values, and which questions have each; what isn't known of a question puts it in none.

    Args:
        trained: the training questions.
    """
    snapshot = walker.snapshot
    around = [_topics(question, snapshot) for question in questions]
    labels: dict[str, list[tuple[str, ...]]] = {
        "hops": [(str(q.hops),) if q.hops else () for q in questions],
        "relation": [
            tuple({f"^{r}" if inverse else r: None for path in q.paths for r, inverse in path.steps}) for q in questions
        ],
        "topic facts": [(binned(max(degrees), DEGREES),) if degrees else () for degrees, _ in around],
        "answers": [(binned(len(q.answers), SIZES, 0),) for q in questions],
        "gold path": [(_path(question, walker),) if question.paths else () for question in questions],
        "namesakes": [(binned(bearers, NAMESAKES),) if bearers else () for _, bearers in around],
        "trained": _trained(questions, trained),
    }
    return {
        name: {
            value: torch.tensor([value in own for own in of])
            for value in sorted({v for own in of for v in own}, key=_in_order)
        }
        for name, of in labels.items()
    }


def binned(value: int, ends: Sequence[int], low: int = 1) -> str:
    """The bin of a count: the first from ``low``, each up to one of ``ends`` (included), and an open one after them.

    >>> [binned(n, (1, 5)) for n in (1, 2, 6)]
    ['1', '2-5', '6+']
    """
    for end in ends:
        if value <= end:
            return str(end) if low == end else f"{low}-{end}"
        low = end + 1
    return f"{low}+"


def _trained(questions: Sequence[Question], trained: Sequence[Question]) -> list[tuple[str, ...]]:
    """What training has of each question's gold path; nothing of one whose path isn't known, or without training."""
    paths = {path.steps for question in trained for path in question.paths}
    relations = {step for steps in paths for step in steps}
    found: list[tuple[str, ...]] = []
    for question in questions:
        own = [path.steps for path in question.paths] if paths else []
        known = all(step in relations for steps in own for step in steps)
        found.append(("path" if paths.issuperset(own) else "relations" if known else "new",) if own else ())
    return found


def _path(question: Question, walker: Walker) -> str:
    """Whether the gold paths lead to the gold answers; an answer that isn't in the graph is one they don't lead to."""
    reached = walker.answers(question)
    missed = sum(walker.ids([answer]).isdisjoint(reached) for answer in question.answers)
    return "whole" if not missed else "broken" if missed == len(question.answers) else "partly"


def _topics(question: Question, snapshot: Snapshot) -> tuple[list[int], int]:
    """Degrees of the topics, and how many entities bear the same name at most.

    A topic that is written as a name is whatever bears it; one that is written as an id is that entity alone.
    """
    known = snapshot.entities(question.topics)
    names = {topic: known[topic].name if topic in known else topic for topic in question.topics}
    found = snapshot.lookup([name_key(name) for name in names.values()])
    meant = [
        id_
        for topic, name in names.items()
        for id_ in ([topic] if name != topic else [entity.id for entity in found.get(name_key(name), ())])
    ]
    nodes = snapshot.index_of(meant)
    ends = snapshot.edge_start[snapshot.group_start[np.stack([nodes, nodes + 1])]] if len(nodes) else np.zeros((2, 0))
    return (ends[1] - ends[0]).tolist(), max(map(len, found.values()), default=0)


def _in_order(value: str) -> tuple[int, str]:
    """Numbers by size, then names."""
    number = value.rstrip("+").partition("-")[0]
    return (int(number), "") if number.isdigit() else (-1, value)
