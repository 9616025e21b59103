"""Made-up families, towns and countries as a question set, as large as a test wants it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from graph_schema import Entity, Fact, Schema
from kgqa.data.graph import Walker
from kgqa.data.questions import GoldPath, Question
from kgqa.stores.snapshot import Snapshot

WORDINGS = {
    (("parent", False),): ("who is the parent of {} ?", "{} 's parent ?"),
    (("parent", True),): ("who are the children of {} ?",),
    (("lives_in", False),): ("where does {} live ?", "home of {} ?"),
    (("parent", False), ("lives_in", False)): ("where does the parent of {} live ?", "home of {} 's parent ?"),
    (("lives_in", False), ("country", False)): ("in which country does {} live ?",),
    (("likes", False),): ("what does {} like ?",),
}


def graph(facts: Iterable[Fact], names: Mapping[str, str] | None = None) -> Snapshot:
    """A snapshot of these facts; every entity is called as its id, if no other name is given."""
    kept = sorted(set(facts))
    ids = sorted({end for fact in kept for end in (fact.head, fact.tail)})
    relations = sorted({fact.relation for fact in kept})
    return Snapshot.from_columns(
        [Entity(id_, (names or {}).get(id_, id_)) for id_ in ids],
        relations,
        np.array([ids.index(fact.head) for fact in kept], dtype=np.int64),
        np.array([relations.index(fact.relation) for fact in kept], dtype=np.int64),
        np.array([ids.index(fact.tail) for fact in kept], dtype=np.int64),
        schema=Schema(),
        url="test",
        changes=0,
    )


def family(people: int, towns: int = 4, countries: int = 2) -> list[Fact]:
    """Person i is the child of person i // 2, lives in a town, and each third one likes something of their own."""
    facts = [Fact(f"town{t}", "country", f"country{t % countries}") for t in range(towns)]
    for i in range(people):
        facts.append(Fact(f"person{i}", "lives_in", f"town{i * 7 % towns}"))
        facts += [Fact(f"person{i}", "parent", f"person{i // 2}")] if i else []
        facts += [Fact(f"person{i}", "likes", f"thing{i}")] if i % 3 == 0 else []
    return facts


def asked(walker: Walker, people: int) -> list[Question]:
    """Every question of WORDINGS that the graph answers, of every person, in every wording."""
    questions = []
    for i in range(people):
        for steps, wordings in WORDINGS.items():
            path = GoldPath(f"person{i}", steps)
            answers = tuple(sorted(walker.frontiers(path)[-1]))
            for wording in wordings if answers else ():
                start = wording.index("{}")
                text = wording.format(path.topic)
                span = (start, start + len(path.topic))
                questions.append(Question(text, (span,), answers, f"{len(steps)}-hop", answers[0], (path,)))
    return questions
