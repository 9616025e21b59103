"""A question set's graph in memory: loaded from its facts, with facts taken out, and walked along gold paths."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import ingest
from graph_schema import Entity, Fact, InputError, Schema
from graph_schema.text import name_key
from kgqa.data.questions import GoldPath, Question
from kgqa.stores import open_store
from kgqa.stores.snapshot import Snapshot


def load_graph(
    facts: Path | None, schema: Schema | None = None, mapping: Path | None = None, aside: Collection[Path] = ()
) -> Snapshot:
    """The graph of a file of facts, of any format that ``kgqa ingest`` reads, or of files that a mapping explains.

    Args:
        facts: a fact a line; None: there is only a mapping. Beside one, the ends of its facts are ids of the mapping's
            nodes, or new ones; a file that the mapping itself names is read as that says, and not again.
        mapping: a mapping file, whose files lie beside it.
        aside: files there that are none of its own, though its patterns may fit them.

    Raises:
        InputError: a file can't be read, or a line of it can't be loaded: a set that has lost facts measures nothing.
        MappingError: the mapping is none, or there is no file for it.
    """
    loads: list[tuple[Sequence[ingest.Source | Path], ingest.MappingFile | None]] = []
    explained: set[Path | None] = set()
    if mapping is not None:
        by = ingest.MappingFile.load(mapping)
        own = [mapping, *aside, *([facts] if facts else [])]
        sources = ingest.files_of(by, mapping.parent, own=own)
        explained = {source.path for source in sources}
        loads.append((sources, by))
    if facts is not None and facts not in explained:
        loads.append(([facts], None))
    with TemporaryDirectory(prefix="kgqa-set-") as scratch:
        store = open_store(f"sqlite:///{scratch}/set.db", create=True)
        try:
            for some, by_mapping in loads:
                options = ingest.LoadOptions(max_errors=0)
                ingest.load(some, store, mapping=by_mapping, schema=schema, options=options)
            return Snapshot.build(store)
        finally:
            store.close()


def graph_of(facts: Iterable[Fact], like: Snapshot) -> Snapshot:
    """The graph of some of the facts of ``like``, with its schema; an entity that no fact mentions is in it no more."""
    kept = set(facts)
    known = like.entities(sorted({end for fact in kept for end in (fact.head, fact.tail)}))
    return _graph(kept, known.values(), like)


def with_facts(snapshot: Snapshot, facts: Iterable[Fact]) -> Snapshot:
    """The graph with more facts; an entity that it doesn't know yet is called by its id."""
    every = {*snapshot.all_facts(), *facts}
    known = {entity.id: entity for entity in snapshot.all_entities()}
    for end in {end for fact in every for end in (fact.head, fact.tail)} - known.keys():
        known[end] = Entity(end, end)
    return _graph(every, known.values(), snapshot)


def _graph(facts: Collection[Fact], entities: Iterable[Entity], like: Snapshot) -> Snapshot:
    """The graph of facts and entities, with the schema of ``like``."""
    kept = sorted(facts)
    nodes = sorted(entities, key=lambda entity: entity.id)
    index = {entity.id: position for position, entity in enumerate(nodes)}
    relations = sorted({fact.relation for fact in kept})
    position = {relation: at for at, relation in enumerate(relations)}
    return Snapshot.from_columns(
        nodes,
        relations,
        np.fromiter((index[fact.head] for fact in kept), np.int64, len(kept)),
        np.fromiter((position[fact.relation] for fact in kept), np.int64, len(kept)),
        np.fromiter((index[fact.tail] for fact in kept), np.int64, len(kept)),
        schema=like.schema(),
        url=like.url,
        changes=like.changes(),
    )


def without(snapshot: Snapshot, facts: Collection[Fact]) -> Snapshot:
    """The graph without some facts.

    Raises:
        InputError: nothing would be left.
    """
    left = [fact for fact in snapshot.all_facts() if fact not in facts]
    if not left:
        raise InputError("no fact of the graph would be left", fix="Take out a smaller share")
    return graph_of(left, snapshot)


def thinned(snapshot: Snapshot, keep: float, seed: int) -> Snapshot:
    """The graph with a share ``keep`` of each relation's facts, drawn by seed, and one at least."""
    of: dict[str, list[Fact]] = {}
    for fact in sorted(snapshot.all_facts()):
        of.setdefault(fact.relation, []).append(fact)
    rng = random.Random(seed)
    kept = [fact for facts in of.values() for fact in rng.sample(facts, max(1, round(keep * len(facts))))]
    return graph_of(kept, snapshot)


Steps = tuple[tuple[str, bool], ...]

ASKED_OF = 3  # topics at least of which two ways have to give the same, to be taken for two ways to say it
WIDE = 1000  # entities; a way over more isn't looked at


class Walker:
    """Follows gold paths on a graph. Entities are ids; a topic or an answer may be written as id or as name."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.facts: tuple[Fact, ...] = tuple(snapshot.all_facts())
        self._far: dict[tuple[str, str, bool], list[str]] = {}
        self._between: dict[frozenset[str], list[Fact]] = {}
        for fact in self.facts:
            self._far.setdefault((fact.head, fact.relation, False), []).append(fact.tail)
            self._far.setdefault((fact.tail, fact.relation, True), []).append(fact.head)
            self._between.setdefault(frozenset((fact.head, fact.tail)), []).append(fact)

    def ids(self, names: Iterable[str]) -> set[str]:
        """Ids of the entities of these ids or, where there is no such id, of these names."""
        wanted = list(names)
        known = self.snapshot.entities(wanted)
        named = self.snapshot.lookup([name_key(name) for name in wanted if name not in known])
        return {*known, *(entity.id for found in named.values() for entity in found)}

    def frontiers(self, path: GoldPath) -> list[set[str]]:
        """The topic's entities, and those reached after each hop: one set more than there are hops."""
        start = self.ids([path.topic])
        reached = [start]
        for relation, inverse in path.steps:
            far = {end for node in reached[-1] for end in self._far.get((node, relation, inverse), ())}
            reached.append(far - start if path.no_return else far)
        return reached

    def answers(self, question: Question) -> set[str]:
        """What all the gold paths of a question reach; nothing if it has none."""
        ends = [self.frontiers(path)[-1] for path in question.paths]
        return set.intersection(*ends) if ends else set()

    def answers_some(self, question: Question) -> bool:
        """Whether the graph still answers a question: its gold paths lead to one of its answers at least.

        Of a question without gold paths nobody knows what proves its answers, so it is asked whether one is there.
        """
        there = self.ids(question.answers)
        return bool(there & self.answers(question) if question.paths else there)

    @cached_property
    def _around(self) -> dict[str, list[tuple[str, bool]]]:
        around: dict[str, list[tuple[str, bool]]] = {}
        for node, relation, inverse in self._far:
            around.setdefault(node, []).append((relation, inverse))
        return around

    def ways(self, topic: str, hops: int, *, no_return: bool = False) -> Iterator[tuple[Steps, set[str]]]:
        """Every way of up to so many hops from a topic, with what it reaches; none on from more than ``WIDE``."""
        start = self.ids([topic])

        def on(steps: Steps, here: set[str]) -> Iterator[tuple[Steps, set[str]]]:
            if len(steps) == hops or len(here) > WIDE:
                return
            for relation, inverse in sorted({step for node in here for step in self._around.get(node, ())}):
                far = {end for node in here for end in self._far.get((node, relation, inverse), ())}
                far = far - start if no_return else far
                if far:
                    yield (*steps, (relation, inverse)), far
                    yield from on((*steps, (relation, inverse)), far)

        return on((), start)

    def same(self, questions: Sequence[Question]) -> dict[tuple[Steps, bool], list[Steps]]:
        """For each (steps, no_return) of gold paths, the other ways, no longer, that always give the same answers.

        Always: from every topic that is asked so, which have to be ``ASKED_OF`` at least.
        """
        asked: dict[tuple[Steps, bool], set[str]] = {}
        for path in (path for question in questions for path in question.paths):
            asked.setdefault((path.steps, path.no_return), set()).add(path.topic)
        found = {}
        for (steps, no_return), of in asked.items():
            ends = {topic: self.frontiers(GoldPath(topic, steps, no_return))[-1] for topic in sorted(of)}
            if len(ends) < ASKED_OF:
                continue
            first = max(ends, key=lambda topic: len(ends[topic]))
            others = [way for way, end in self.ways(first, len(steps), no_return=no_return) if end == ends[first]]
            found[steps, no_return] = [
                way
                for way in others
                if way != steps
                and all(self.frontiers(GoldPath(topic, way, no_return))[-1] == end for topic, end in ends.items())
            ]
        return found

    def proofs(self, path: GoldPath, answers: Collection[str]) -> list[set[Fact]]:
        """For each hop, the facts that lie on a way of this path from its topic to one of ``answers``."""
        frontiers = self.frontiers(path)
        towards = frontiers[-1] & set(answers)
        proofs: list[set[Fact]] = []
        for (relation, inverse), sources in zip(reversed(path.steps), reversed(frontiers[:-1]), strict=True):
            used = {
                (node, end)
                for node in sources
                for end in self._far.get((node, relation, inverse), ())
                if end in towards
            }
            proofs.append({Fact(end, relation, node) if inverse else Fact(node, relation, end) for node, end in used})
            towards = {node for node, _ in used}
        return proofs[::-1]

    def entities(self, question: Question) -> set[str]:
        """All entities a question rests on: topics, answers, and what lies on its gold paths between them."""
        answers = self.ids(question.answers)
        touched = self.ids(question.topics) | answers
        for path in question.paths:
            for facts in self.proofs(path, answers):
                touched |= {end for fact in facts for end in (fact.head, fact.tail)}
        return touched

    def between(self, fact: Fact) -> list[Fact]:
        """All facts between the two ends of a fact, itself among them: those that may say the same in other words."""
        return self._between[frozenset((fact.head, fact.tail))]

    def degrees(self) -> Mapping[str, int]:
        """How many facts mention each entity."""
        count: dict[str, int] = {}
        for fact in self.facts:
            for end in {fact.head, fact.tail}:
                count[end] = count.get(end, 0) + 1
        return count
