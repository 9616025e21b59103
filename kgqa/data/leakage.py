"""Splits of a question set, and what leaks through them from training to test.

Why this is a module of its own: PathQuestion has no official split, so the literature shuffles its questions 8:1:1.
Each of its (topic, relation path) pairs stands there in several wordings, and a shuffle puts some of them into training
and the others into test. ``kgqa bench leakage`` measures it, over five seeds: 95 % of the test questions of PQ-2H, 83 %
of PQ-3H's and 87 % of PQL-2H's ask for a (topic, relation path) that training has in other words; 11 % of PQL-3H's (a
third of whose relation paths are new), 35, 50 and 70 % of WC2014's (one hop, two hops, conjunctions). A model may look
such an answer up in its memory of the training set: what is measured then is not whether it can answer a new question.
So there are four kinds:

random    what the literature does, for comparison with it.
path      no (topic, relation path) pair of one part is in another, and no wording. Questions without gold paths
          are told apart by (topics, answers).
entity    no entity that a test question rests on (topic, answers, and what lies between) is in any training or dev
          question, nor in any fact of the training graph.
relation  no relation of a test question's gold path is in any training or dev question, nor in the training graph.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from graph_schema import InputError
from kgqa.data.graph import Walker, graph_of
from kgqa.data.questions import Question
from kgqa.stores.snapshot import Snapshot

Kind = Literal["random", "path", "entity", "relation"]
Parts = tuple[tuple[Question, ...], tuple[Question, ...], tuple[Question, ...]]
Shares = tuple[float, float, float]
SHARES: Shares = (0.8, 0.1, 0.1)


@dataclass(frozen=True)
class Split:
    """Training, dev and test questions, each question of the set in exactly one of the three.

    ``hidden_entities`` (ids) and ``hidden_relations``: what training must not see.
    """

    train: tuple[Question, ...]
    dev: tuple[Question, ...]
    test: tuple[Question, ...]
    hidden_entities: frozenset[str] = frozenset()
    hidden_relations: frozenset[str] = frozenset()

    def part(self, name: str) -> tuple[Question, ...]:
        """The questions of "train", "dev" or "test"."""
        parts: tuple[Question, ...] = getattr(self, name)
        return parts

    def training_graph(self, snapshot: Snapshot) -> Snapshot:
        """The graph that training may see: without the hidden entities and relations."""
        if not self.hidden_entities and not self.hidden_relations:
            return snapshot
        return graph_of(
            (fact for fact in snapshot.all_facts() if not self._hides(fact.relation, fact.head, fact.tail)), snapshot
        )

    def _hides(self, relation: str, *ends: str) -> bool:
        return relation in self.hidden_relations or not self.hidden_entities.isdisjoint(ends)


@dataclass(frozen=True)
class Leak:
    """What of ``questions`` held-out questions is in training too, as shares in [0, 1].

    Attributes:
        text: the very wording. path: the same topics by the same relation paths. answers: the same topics with the
            same answers. relation_path: the same relation paths from whatever topic. topic: a topic.
        known_entities: all entities that the question rests on. relations: all relations of its gold paths.
    """

    questions: int
    text: float
    path: float
    answers: float
    relation_path: float
    topic: float
    known_entities: float
    relations: float


def make_split(questions: Sequence[Question], kind: Kind, seed: int, walker: Walker, shares: Shares = SHARES) -> Split:
    """Split a set by seed.

    Sizes: "random" is exact; "path" is off by at most the largest group of questions that must stay together; "entity"
    and "relation" have at most the share asked for in test, as near to it as the entities or relations allow.

    Args:
        walker: over the set's whole graph. shares: of train, dev and test; they add up to 1.

    Raises:
        InputError: too few questions, shares that are none, or no such split: no gold paths, or nothing can be hidden.
    """
    if abs(sum(shares) - 1) > 1e-9 or min(shares) <= 0:
        raise InputError(f"{shares} are no shares of train, dev and test", fix="Give three above 0 that add up to 1")
    if len(questions) < 3:
        raise InputError(f"{len(questions)} questions can't be split into three parts", fix="Give more questions")
    generator = random.Random(f"{kind} {seed}")
    if kind in ("random", "path"):
        groups = [[i] for i in range(len(questions))] if kind == "random" else _together(questions)
        parts = _cut(groups, shares, generator)
        return Split(*_at(questions, parts))
    if kind == "relation" and not all(question.paths for question in questions):
        raise InputError("not every question has a gold path, so its relations aren't known", fix="Use another split")
    touched = [_relations(q) if kind == "relation" else walker.entities(q) for q in questions]
    hidden, held = _hide(touched, round(shares[2] * len(questions)), generator)
    if not held:
        raise InputError(
            f"every {kind} is in more questions than test may have",
            fix="Give test a larger share, or use another split",
        )
    rest = [i for i in range(len(questions)) if i not in held]
    generator.shuffle(rest)
    dev = round(shares[1] * len(questions))
    return Split(
        *_at(questions, (sorted(rest[dev:]), sorted(rest[:dev]), sorted(held))),
        hidden_entities=hidden if kind == "entity" else frozenset(),
        hidden_relations=hidden if kind == "relation" else frozenset(),
    )


def check(split: Split, kind: Kind, walker: Walker) -> list[str]:
    """What breaks the promise of a kind of split, a sentence each; empty if nothing does.

    Args:
        walker: over the set's whole graph.
    """
    seen = (*split.train, *split.dev)
    if kind == "path":
        parts = {"train": split.train, "dev": split.dev, "test": split.test}
        both = [
            (len({key(q) for q in parts[one]} & {key(q) for q in parts[other]}), f"{what} of {other} in {one} too")
            for key, what in ((path_key, "paths from a topic"), (text_key, "wordings"))
            for one, other in combinations(parts, 2)
        ]
        return [f"{count} {said}" for count, said in both if count]
    if kind == "entity":
        hidden = split.hidden_entities
        shown = {e for q in seen for e in walker.entities(q)}
        facts = {e for f in split.training_graph(walker.snapshot).all_facts() for e in (f.head, f.tail)}
        untouched = sum(hidden.isdisjoint(walker.entities(q)) for q in split.test)
    elif kind == "relation":
        hidden = split.hidden_relations
        shown = {r for q in seen for r in _relations(q)}
        facts = set(split.training_graph(walker.snapshot).relations())
        untouched = sum(hidden.isdisjoint(_relations(q)) for q in split.test)
    else:
        return []
    counted = (
        (len(hidden & shown), f"hidden: {kind} names in training or dev questions too"),
        (len(hidden & facts), f"hidden: {kind} names in the training graph too"),
        (untouched, "test questions rest on nothing hidden"),
    )
    return [f"{count} {said}" for count, said in counted if count]


def measure(train: Sequence[Question], held: Sequence[Question], walker: Walker) -> Leak:
    """How much of ``held`` is in ``train`` too.

    Raises:
        InputError: nothing is held out.
    """
    if not held:
        raise InputError("no question is held out")
    entities = {e for q in train for e in walker.entities(q)}
    relations = {r for q in train for r in _relations(q)}
    topics = {t for q in train for t in q.topics}

    def share(found: Iterable[bool]) -> float:
        return sum(found) / len(held)

    def same(key: Callable[[Question], Hashable]) -> float:
        known = {key(q) for q in train}
        return share(key(q) in known for q in held)

    return Leak(
        questions=len(held),
        text=same(text_key),
        path=same(path_key),
        answers=same(_answers_key),
        relation_path=same(_relation_path_key),
        topic=share(not topics.isdisjoint(q.topics) for q in held),
        known_entities=share(walker.entities(q) <= entities for q in held),
        relations=share(_relations(q) <= relations for q in held),
    )


def text_key(question: Question) -> Hashable:
    """The wording, without case and spacing."""
    return " ".join(question.plain.casefold().split())


def path_key(question: Question) -> Hashable:
    """The topics with their relation paths; for a question without gold paths the topics with the answers."""
    return frozenset(question.paths) if question.paths else _answers_key(question)


def _answers_key(question: Question) -> Hashable:
    return frozenset(question.topics), frozenset(question.answers)


def _relation_path_key(question: Question) -> Hashable:
    """Relation paths, as often as they are; unlike any other question's where they aren't known."""
    return tuple(sorted(path.steps for path in question.paths)) or question


def _relations(question: Question) -> set[str]:
    return {relation for path in question.paths for relation, _ in path.steps}


def _at(questions: Sequence[Question], parts: Sequence[Sequence[int]]) -> Parts:
    """The questions at the positions of train, dev and test."""
    train, dev, test = (tuple(questions[i] for i in part) for part in parts)
    return train, dev, test


def _together(questions: Sequence[Question]) -> list[list[int]]:
    """Positions of questions that must stay together, since they share a path key or a wording, directly or through
    others: the connected components, by union-find."""
    parent = list(range(len(questions)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for key in (text_key, path_key):
        first: dict[Hashable, int] = {}
        for i, question in enumerate(questions):
            parent[root(i)] = root(first.setdefault(key(question), i))
    groups: dict[int, list[int]] = {}
    for i in range(len(questions)):
        groups.setdefault(root(i), []).append(i)
    return list(groups.values())


def _cut(groups: list[list[int]], shares: Shares, generator: random.Random) -> list[list[int]]:
    """Groups in random order laid end to end, and cut by where each one's middle lies: positions of each part."""
    generator.shuffle(groups)
    count = sum(map(len, groups))
    ends = [round((1 - shares[1] - shares[2]) * count), round((1 - shares[2]) * count)]
    parts: list[list[int]] = [[], [], []]
    done = 0
    for group in groups:
        parts[bisect_right(ends, done + (len(group) - 1) / 2)] += group
        done += len(group)
    return [sorted(part) for part in parts]


def _hide(touched: Sequence[set[str]], most: int, generator: random.Random) -> tuple[frozenset[str], set[int]]:
    """Names drawn in random order, each hidden if the questions resting on hidden names stay at most ``most``.

    Names that alone would bring more than a tenth of those questions come last: a single country or profession would
    else be all that is hidden.

    Returns:
        The hidden names, and the positions of the questions that rest on them.
    """
    questions: dict[str, list[int]] = {}
    for i, names in enumerate(touched):
        for name in names:
            questions.setdefault(name, []).append(i)
    order = sorted(questions)
    generator.shuffle(order)
    order.sort(key=lambda name: len(questions[name]) > most / 10)
    hidden, held = set(), set[int]()
    for name in order:
        more = held.union(questions[name])
        if len(more) <= most:
            hidden.add(name)
            held = more
    return frozenset(hidden), held
