"""Ways through a graph that a question could take, each with what it leads to: drawn by seed, walked on a snapshot.

The first relation is drawn in proportion to the square root of how often it is, so that rare ones are asked for, too;
the next ones evenly among those around an entity reached. A way that turns back over the relation it came by asks for
what shares something with the topic: the topic itself is then dropped from all that is reached. One that comes back by
other relations ("the children of the parents of") says where it goes, and the topic stays, also if there is nothing
else. Where properties are
relations, there are many of them, and few are asked for: those of relationships are drawn seldom, and ways that go on
from a value, too. What a relationship says is a question about both its ends (``Between``), and what two things
have in common one about the two (``Both``).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any
from zlib import crc32

import numpy as np

from graph_schema import Entity, Fact, GraphReader, Schema, StoreInfo
from graph_schema.text import name_key
from kgqa.adapt.phrases import VALUES, held_property, label_nouns
from kgqa.linking.mentions import MAX_NAME_WORDS
from kgqa.stores.snapshot import Snapshot

FACTS = 2_000_000  # that a snapshot holds at most
REACHED = 1_000  # facts that are followed at one hop; a way over more is given up
ANSWERS = 200
BEARERS = 5  # entities of one name that a question may start from
BACK = 0.5  # of the hops that could turn back, how many may
NAME_CHARACTERS = 100
HOPS = (0.3, 0.35, 0.35)
TRIES = 8  # for each path that is wanted
HELD = 0.25  # weight of a property of relationships, beside that of a relation
FROM_VALUE = 0.2  # the same, of a way on from a value
BETWEEN = 20  # values that two things may have between them


@dataclass(frozen=True, slots=True)
class Path:
    """A way from everything called ``topic`` to the answers.

    Attributes:
        steps: (relation, inverse) of each hop. no_return: the topic is dropped from what is reached.
        answers: ids, ascending. labels: the commonest label of the topic and of what each hop reached.
        several: whether more than one entity was reached, after each hop. only: the id of the one that is meant, where
            things of other kinds bear its name, too, so that the kind has to be said; else empty.
    """

    topic: str
    steps: tuple[tuple[str, bool], ...]
    no_return: bool
    answers: tuple[str, ...]
    labels: tuple[str, ...]
    several: tuple[bool, ...]
    only: str = ""


@dataclass(frozen=True, slots=True)
class Between:
    """What a relationship says, asked with both its ends.

    Attributes:
        topics: names of head and tail. labels, only: as in ``Path``, of both. type: of the relationship. key: the
            property. relations: that it is from the head, and from the tail. answers: ids of the values, ascending.
    """

    topics: tuple[str, str]
    labels: tuple[str, str]
    only: tuple[str, str]
    type: str
    key: str
    relations: tuple[str, str]
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Both:
    """What is one step from each of two topics, and fewer than are from one of them alone.

    Attributes:
        topics: their names. labels, only: as in ``Path``, of both. steps: (relation, inverse) from each.
        answers: ids, ascending. label: the commonest one of the answers.
    """

    topics: tuple[str, str]
    labels: tuple[str, str]
    only: tuple[str, str]
    steps: tuple[tuple[str, bool], tuple[str, bool]]
    answers: tuple[str, ...]
    label: str


class PathSampler:
    """Draws paths.

    Args:
        snapshot: the graph. generator: what is random.
    """

    def __init__(self, snapshot: Snapshot, generator: random.Random) -> None:
        self._graph, self._random = snapshot, generator
        owner = np.repeat(np.arange(len(snapshot.group_start) - 1), np.diff(snapshot.group_start))
        order = np.argsort(snapshot.group_relation, kind="stable")
        kinds, first = np.unique(snapshot.group_relation[order], return_index=True)
        self._kinds: list[int] = kinds.tolist()
        self._sources = np.split(owner[order], first[1:])
        names, schema = snapshot.relations(), snapshot.schema()
        self._held = [held_property(schema, name) for name in names]
        to_value = [schema.relations[name].tail in VALUES - schema.labels.keys() for name in names]
        self._worth = [
            (HELD if self._held[kind // 2] else 1.0) * (FROM_VALUE if to_value[kind // 2] and kind % 2 else 1.0)
            for kind in range(2 * len(names))
        ]
        asked = zip(kinds.tolist(), self._sources, strict=True)
        self._weights = list(
            accumulate((HELD if self._held[kind // 2] else 1.0) * len(part) ** 0.5 for kind, part in asked)
        )
        self._named: dict[tuple[str, str], tuple[Any, str]] = {}
        self._between = self._told()

    def paths(self, number: int, hops: int) -> list[Path]:
        """About ``number`` distinct paths of 1 to ``hops`` hops, in the shares of ``HOPS`` where the graph has them."""
        seen: set[tuple[str, tuple[tuple[str, bool], ...]]] = set()
        found = []
        shares = HOPS[:hops]
        left = [round(number * share / sum(shares)) for share in shares]
        for _ in range(TRIES * number if self._kinds else 0):
            if not any(left):
                break
            length = self._random.choices(range(1, hops + 1), left)[0]
            one = self._path(length)
            if one is not None and (key := (name_key(one.topic), one.steps)) not in seen:
                seen.add(key)
                found.append(one)
                left[length - 1] -= 1
        return found

    def _path(self, hops: int) -> Path | None:
        at = self._random.choices(range(len(self._kinds)), cum_weights=self._weights)[0]
        sources = self._sources[at]
        one = self._graph.entity_at(int(sources[self._random.randrange(len(sources))]))
        topic = one.name
        starts, only = self._starts(topic, one.label)
        if not len(starts):
            return None
        taken = [self._kinds[at]]
        while len(taken) < hops:
            reached = self.walk(starts, taken)
            following = self._next(reached[-1], *taken[:-3:-1]) if reached else None
            if following is None:
                return None
            taken.append(following)
        reached = self.walk(starts, taken)
        if not reached or len(reached[-1]) > ANSWERS:
            return None
        names = self._graph.relations()
        return Path(
            topic,
            tuple((names[kind // 2], kind % 2 == 1) for kind in taken),
            turns_back(taken),
            tuple(sorted(self._graph.ids_of(reached[-1]))),
            tuple(self._label(nodes) for nodes in (starts, *reached)),
            tuple(len(nodes) > 1 for nodes in (starts, *reached)),
            only,
        )

    def between(self, number: int) -> list[Between]:
        """At most ``number`` distinct ones, the properties of relationships evenly; none where there are none."""
        found: dict[tuple[tuple[str, str], str, str], Between] = {}
        for _ in range(TRIES * number if self._between else 0):
            if len(found) == number:
                break
            one = self._one_between(*self._random.choice(self._between))
            if one is not None:
                found[one.topics, one.type, one.key] = one
        return list(found.values())

    def _told(self) -> list[tuple[str, str, int, int, int]]:
        """(type, property, directed relations: from head to tail, from the head to a value, from the tail to it)."""
        names = self._graph.relations()
        place = {name: at for at, name in enumerate(names)}
        sides: dict[tuple[str, str], dict[bool, int]] = {}
        for at, held in enumerate(self._held):
            if held:
                sides.setdefault(held[:2], {})[held[2]] = at
        return [
            (type_, key, 2 * place[type_], 2 * both[False], 2 * both[True])
            for (type_, key), both in sorted(sides.items())
            if len(both) == 2 and type_ in place
        ]

    def _one_between(self, type_: str, key: str, edge: int, of_head: int, of_tail: int) -> Between | None:
        sources = self._sources[self._kinds.index(of_head)]
        head = int(sources[self._random.randrange(len(sources))])
        tails = self.far(head, edge)
        if not len(tails):
            return None
        tail = int(tails[self._random.randrange(len(tails))])
        values = np.intersect1d(self.far(head, of_head), self.far(tail, of_tail))
        ends = [self._graph.entity_at(node) for node in (head, tail)]
        starts = [self._starts(end.name, end.label) for end in ends]
        # A question about something else of the same name would have other answers.
        if not 0 < len(values) <= BETWEEN or any(len(nodes) != 1 for nodes, _ in starts):
            return None
        names = self._graph.relations()
        return Between(
            (ends[0].name, ends[1].name),
            (ends[0].label, ends[1].label),
            (starts[0][1], starts[1][1]),
            type_,
            key,
            (names[of_head // 2], names[of_tail // 2]),
            tuple(sorted(self._graph.ids_of(values))),
        )

    def both(self, number: int) -> list[Both]:
        """At most ``number`` distinct ones."""
        found: dict[tuple[tuple[str, str], tuple[tuple[str, bool], tuple[str, bool]]], Both] = {}
        for _ in range(TRIES * number if self._kinds else 0):
            if len(found) == number:
                break
            one = self._one_both()
            if one is not None:
                found[one.topics, one.steps] = one
        return list(found.values())

    def _one_both(self) -> Both | None:
        at = self._random.choices(range(len(self._kinds)), cum_weights=self._weights)[0]
        sources = self._sources[at]
        answer = int(sources[self._random.randrange(len(sources))])
        other = self._next(np.array([answer]), None)
        if other is None:
            return None
        kinds = (self._kinds[at], other)
        ends, steps, reached, only = [], [], [], []
        for kind in kinds:
            far = self.far(answer, kind)
            end = self._graph.entity_at(int(far[self._random.randrange(len(far))]))
            starts, meant = self._starts(end.name, end.label)
            ends.append(end)
            only.append(meant)
            steps.append((self._graph.relations()[kind // 2], not kind % 2))
            reached.append(self.walk(starts, [kind ^ 1]))
        if name_key(ends[0].name) == name_key(ends[1].name) or not all(reached):
            return None
        alone = [nodes for (nodes,) in reached]
        common = np.intersect1d(*alone)
        topics = self._graph.index_of([end.id for end in ends])
        if not 0 < len(common) <= ANSWERS or len(common) == max(map(len, alone)) or np.isin(common, topics).any():
            return None
        return Both(
            (ends[0].name, ends[1].name),
            (ends[0].label, ends[1].label),
            (only[0], only[1]),
            (steps[0], steps[1]),
            tuple(sorted(self._graph.ids_of(common))),
            self._label(common),
        )

    def _starts(self, name: str, label: str) -> tuple[Any, str]:
        """Nodes of everything that a question with this name may mean, int64, none if it had better not be asked; and
        the id of the one of this kind, if others bear the name and it is the only one: then it alone is meant."""
        if (name, label) not in self._named:
            key = name_key(name)
            fits = key and len(name) <= NAME_CHARACTERS and len(key.split()) <= MAX_NAME_WORDS and "\n" not in name
            bearers = self._graph.lookup([key]).get(key, ()) if fits else ()
            own = [entity.id for entity in bearers if entity.label == label]
            others = {entity.label for entity in bearers} - {label, *VALUES}
            only = own[0] if len(own) == 1 and others and label_nouns(self._graph.schema(), label) else ""
            ids = [only] if only else [entity.id for entity in bearers]
            self._named[name, label] = self._graph.index_of(ids if len(bearers) <= BEARERS else []), only
        return self._named[name, label]

    def walk(self, starts: Any, kinds: Sequence[int]) -> list[Any]:
        """What each hop reaches, as distinct nodes; nothing if one reaches nothing, or follows too many facts."""
        reached: list[Any] = []
        nodes, back = starts, turns_back(kinds)
        for kind in kinds:
            parts = [self.far(int(node), kind) for node in nodes]
            if not parts or sum(map(len, parts)) > REACHED:
                return []
            nodes = np.unique(np.concatenate(parts)).astype(np.int64)
            if back:
                nodes = nodes[~np.isin(nodes, starts)]
            if not len(nodes):
                return []
            reached.append(nodes)
        return reached

    def far(self, node: int, kind: int) -> Any:
        """What a directed relation leads to from a node; none where it has none of that kind."""
        graph = self._graph
        begin, end = graph.group_start[node : node + 2].tolist()
        place = begin + int(np.searchsorted(graph.group_relation[begin:end], kind))
        if place == end or int(graph.group_relation[place]) != kind:
            return np.zeros(0, np.int64)
        return graph.edge_target[graph.edge_start[place] : graph.edge_start[place + 1]]

    def _next(self, nodes: Any, last: int | None, before: int | None = None) -> int | None:
        """A relation around one of the nodes, drawn; of those that could turn back, about a quarter do.

        None that goes there, back and there again: who directed films of the same director isn't asked.
        """
        node = int(nodes[self._random.randrange(len(nodes))])
        begin, end = self._graph.group_start[node : node + 2].tolist()
        offered: list[int] = self._graph.group_relation[begin:end].tolist()
        if last is not None:
            if self._random.random() >= BACK:
                offered = [kind for kind in offered if kind != last ^ 1]
            offered = [kind for kind in offered if not self._said_before(last, kind)]
            if before == last ^ 1 and last % 2:
                offered = [kind for kind in offered if kind != before]
        weights = [self._worth[kind] for kind in offered]
        if last is not None and last ^ 1 in offered:
            # What shares something with the topic is asked for more than any other way is.
            weights[offered.index(last ^ 1)] = max(1.0, sum(weights) - self._worth[last ^ 1])
        return self._random.choices(offered, weights)[0] if offered else None

    def _said_before(self, last: int, kind: int) -> bool:
        """Whether a step asks what the relationships of the step before say, at the end that it came to.

        "The roles of the actors of Heat" are those they have in Heat, which the film itself has, and not all of theirs.
        """
        held = self._held[kind // 2]
        return bool(
            held and kind % 2 == 0 and self._graph.relations()[last // 2] == held[0] and held[2] == (last % 2 == 0)
        )

    def _label(self, nodes: Any) -> str:
        labels = [self._graph.entity_at(int(node)).label for node in nodes[:5]]
        return max(sorted(set(labels)), key=labels.count)


def turns_back(kinds: Sequence[int]) -> bool:
    """Whether a hop goes back by the relation that the one before came by."""
    return any(following == kind ^ 1 for kind, following in pairwise(kinds))


class _Part:
    """A reader that shows the facts of some heads only; all that a snapshot is built from."""

    def __init__(self, reader: GraphReader, share: float) -> None:
        self._reader, self._below = reader, int(share * 2**32)
        self._ends: set[str] = set()
        self.url = reader.url

    def changes(self) -> int:
        return self._reader.changes()

    def schema(self) -> Schema:
        return self._reader.schema()

    def all_facts(self) -> Iterator[Fact]:
        self._ends = set()
        for fact in self._reader.all_facts():
            if crc32(fact.head.encode()) < self._below:
                self._ends |= {fact.head, fact.tail}
                yield fact

    def all_entities(self) -> Iterator[Entity]:
        return (entity for entity in self._reader.all_entities() if entity.id in self._ends)


def bounded_snapshot(reader: GraphReader, info: StoreInfo, most: int = FACTS) -> Snapshot:
    """The graph; of one of more than ``most`` facts a part, about so many, with all facts of each head in it.

    Raises:
        StoreError: the store failed.
    """
    if info.facts <= most:
        return Snapshot.build(reader)
    return Snapshot.build(_Part(reader, most / info.facts))
