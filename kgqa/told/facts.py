"""Facts that answered questions tell: who answers "who directed Heat" says a fact, whether the graph has it or not.

**One hop.** A question with one topic that is read as one hop over one relation (``kgqa.told.reading``), with a
probability of at least ``SURE``, says a fact by each answer. (Distant supervision, Mintz et al. 2009, takes text for a
relation where it names both ends of a fact; here the text's relation is known, and gives the fact.)

**Two hops, by elimination.** "When were the films by Mann released: 1986, 1995" says of each of his films that it came
out in one of these years. Of a thing on the way that has no fact of the last relation yet, each such question allows
its answers; where they have only one in common, and one question needs it there, since nothing else on its way is
without such a fact or explains this answer, it is told.

An end that the graph doesn't know is new, and called as it is written; of a fact one end at least is known,
or told of by one hop. What is called like several entities tells nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from graph_schema import Fact
from kgqa.answering.pipeline import Answerer
from kgqa.data import Question
from kgqa.data.graph import with_facts
from kgqa.stores.snapshot import Snapshot
from kgqa.told.answered import Answered, clear
from kgqa.told.reading import Reading

SURE = 0.9


@dataclass(frozen=True)
class Told:
    """A fact that the graph lacks.

    Attributes:
        question: who tells it; of several, the surest. probability: that the question is meant so.
        hops: 1, or 2 if it is told by elimination. new: its ends that the graph doesn't know.
    """

    fact: Fact
    question: Question
    probability: float
    hops: int = 1
    new: tuple[str, ...] = ()


@dataclass(frozen=True)
class Telling:
    """What answered questions tell.

    Attributes:
        told: facts that the graph lacks, each once; sorted. known: how many facts were told that the graph has.
        one_hop, two_hops: how many questions are read so. unsure: aren't read as either for sure. unclear: haven't one
            topic and an answer that are clear.
    """

    told: tuple[Told, ...]
    known: int
    one_hop: int
    two_hops: int
    unsure: int
    unclear: int


def tell(
    answerer: Answerer,
    snapshot: Snapshot,
    questions: Sequence[Question],
    *,
    sure: float = SURE,
    say: Callable[[str], None] = lambda _: None,
) -> Telling:
    """What questions tell that a graph lacks.

    Args:
        answerer: whose reader reads them. snapshot: the graph. questions: with their topic in brackets, or naming one
            thing that the graph knows. sure: see ``SURE``. say: told what is being done.
    """
    say(f"linking {len(questions):,} questions")
    asked = clear(questions, snapshot) if snapshot.relations() else []
    if not asked:
        return Telling((), 0, 0, 0, 0, len(questions))
    say(f"reading {len(asked):,} questions")
    facts, rest = _by_one_hop(Reading(answerer, snapshot, asked), snapshot.relations(), sure)
    held = dict(zip(facts, snapshot.holds(list(facts)), strict=True))
    told = {fact: one for fact, one in facts.items() if not held[fact]}
    known_already = len(facts) - len(told)
    more, two_hops = dict[Fact, Told](), 0
    if rest:
        say(f"reading {len(rest):,} of them as two hops")
        known = with_facts(snapshot, told)
        again = clear([one.question for one in rest], known)
        if again:
            more, two_hops = _by_elimination(Reading(answerer, known, again), known, sure)
    ends = sorted({end for fact in more for end in (fact.head, fact.tail)})
    new = {end for end, node in zip(ends, snapshot.index_of(ends).tolist(), strict=True) if node < 0}
    told |= {
        fact: replace(one, new=tuple(end for end in (fact.head, fact.tail) if end in new)) for fact, one in more.items()
    }
    return Telling(
        tuple(told[fact] for fact in sorted(told)),
        known_already,
        len(asked) - len(rest),
        two_hops,
        len(rest) - two_hops,
        len(questions) - len(asked),
    )


def _by_one_hop(reading: Reading, names: Sequence[str], sure: float) -> tuple[dict[Fact, Told], list[Answered]]:
    """The facts that questions of one hop say, and the questions that aren't of one."""
    relation, probability = reading.one_hop()
    best: dict[Fact, Told] = {}
    rest = []
    ways = zip(reading.asked, relation.tolist(), probability.tolist(), reading.fitting(relation), strict=True)
    for one, directed, chance, answers in ways:
        if chance < sure:
            rest.append(one)
            continue
        for answer in answers:
            fact = _fact(one.topic, names, directed, answer)
            new = tuple(end for end in (fact.head, fact.tail) if end not in one.known)
            if len(new) < 2 and (fact not in best or best[fact].probability < chance):
                best[fact] = Told(fact, one.question, chance, 1, new)
    return best, rest


def _by_elimination(reading: Reading, graph: Snapshot, sure: float) -> tuple[dict[Fact, Told], int]:
    """The facts that questions of two hops leave no choice in, and how many are read as two hops."""
    way, probability = reading.two_hops()
    certain = torch.nonzero((probability >= sure) & (reading.topic >= 0)).squeeze(-1)
    answers = reading.fitting(way[:, 1])
    allowed: dict[tuple[int, int], set[str]] = {}
    needed: dict[tuple[int, int, str], int] = {}
    for question, ends in _on_the_way(reading, certain, way):
        directed, listed = int(way[question, 1]), answers[question]
        silent = [node for node, far in ends.items() if not far]
        for node in silent:
            allowed[node, directed] = allowed.get((node, directed), set(listed)).intersection(listed)
        if len(silent) == 1:
            explained = set(graph.ids_of(np.array(sorted(set().union(*ends.values())), np.int64)))
            for answer in listed:
                if answer not in explained:
                    needed.setdefault((silent[0], directed, answer), question)
    found = {}
    names = graph.relations()
    for (node, directed, answer), question in needed.items():
        if allowed[node, directed] == {answer}:
            fact = _fact(graph.id_of(node), names, directed, answer)
            found[fact] = Told(fact, reading.asked[question].question, float(probability[question]), 2)
    return found, len(certain)


def _on_the_way(reading: Reading, asked: Tensor, way: Tensor) -> Iterator[tuple[int, dict[int, set[int]]]]:
    """Of each of some questions what is on its way, and where that leads; nothing of those with nothing on it, or with
    something that leads to too many to be looked at."""
    for some, through, there in reading.walked(asked, way):
        found: dict[int, dict[int, set[int]]] = {}
        at = list(zip(some[through.owner].tolist(), through.node.tolist(), strict=True))
        for question, node in at:
            found.setdefault(question, {})[node] = set()
        for between, end in zip(there.owner.tolist(), there.node.tolist(), strict=True):
            question, node = at[between]
            found[question][node].add(end)
        for between in there.wide.tolist():
            found.pop(at[between][0], None)
        yield from found.items()


def _fact(start: str, names: Sequence[str], directed: int, end: str) -> Fact:
    """The fact over a directed relation from one end to the other."""
    head, tail = (end, start) if directed % 2 else (start, end)
    return Fact(head, names[directed // 2], tail)
