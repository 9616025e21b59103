"""Questions with their answers, as far as it is clear what both are about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graph_schema.text import name_key
from kgqa.data import Question
from kgqa.linking import find_mentions
from kgqa.linking.topics import row_texts
from kgqa.stores.snapshot import Snapshot


@dataclass(frozen=True)
class Answered:
    """A question with one topic, and its answers.

    Attributes:
        text: the question with its topic masked. topic, answers: ids; of what the graph doesn't know, as it is written.
        known: those of them that the graph knows, one at least.
    """

    question: Question
    text: str
    topic: str
    answers: tuple[str, ...]
    known: frozenset[str]


def clear(questions: Sequence[Question], snapshot: Snapshot) -> list[Answered]:
    """The questions with one topic and an answer that are clear. Answers that several bear the name of are left out."""
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
            found.append(Answered(question, text, topic, tuple(answers), known))
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
