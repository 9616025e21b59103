"""The values that the stages hand each other. All are frozen; none knows a store or a tensor library.

Index spaces: an *entity id* is a stable string, the same in every store and every run. Inside one ``Subgraph`` or one
snapshot, entities are dense ints; such an int means nothing outside of it. A *directed relation* is
``2 * r`` for relation ``r`` read from head to tail and ``2 * r + 1`` for tail to head, ``r`` an index into the sorted
relation names that the same object carries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from graph_schema.loads import Origin

Int64s = npt.NDArray[np.int64]
Int32s = npt.NDArray[np.int32]
Float32s = npt.NDArray[np.float32]

Scalar = str | int | float | bool | date | datetime
Value = Scalar | tuple[Scalar, ...]
"""What a property may hold: a scalar, or a tuple of scalars of one type. Ints are of 64 bits, datetimes have a zone."""
Properties = Mapping[str, Value]

DEFAULT_LABEL = "Entity"


@dataclass(frozen=True, slots=True)
class Entity:
    """A node: ``id`` is stable and unique in a store, ``name`` what people call it, ``aliases`` what else they do.

    ``properties`` are what else is known of it; they count for equality, not for the hash.
    """

    id: str
    name: str
    label: str = DEFAULT_LABEL
    aliases: tuple[str, ...] = ()
    properties: Properties = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, order=True)
class Fact:
    """One edge: ``head`` and ``tail`` are entity ids, ``relation`` a relation's name."""

    head: str
    relation: str
    tail: str


@dataclass(frozen=True, slots=True)
class EvidenceStep:
    """One step of a proof: a fact, walked from head to tail or (``inverse``) from tail to head.

    ``weight`` is the attention weight that chose the fact's relation at this hop, in [0, 1].
    """

    fact: Fact
    inverse: bool
    weight: float
    kind: Literal["hop"] = "hop"

    @property
    def source(self) -> str:
        """Entity id that the step leaves from."""
        return self.fact.tail if self.inverse else self.fact.head

    @property
    def target(self) -> str:
        """Entity id that the step arrives at."""
        return self.fact.head if self.inverse else self.fact.tail


@dataclass(frozen=True, slots=True)
class EvidencePath:
    """A chain of facts from a topic entity to an answer.

    ``holds``: True if every fact was found again in the store after the answer was made, False if one was gone by
    then, None if nobody looked.
    """

    steps: tuple[EvidenceStep, ...]
    holds: bool | None = None

    def __post_init__(self) -> None:
        for left, right in zip(self.steps, self.steps[1:], strict=False):
            if left.target != right.source:
                raise ValueError(f"broken path: a step ends at {left.target!r}, the next starts at {right.source!r}")

    @property
    def facts(self) -> tuple[Fact, ...]:
        return tuple(step.fact for step in self.steps)


@dataclass(frozen=True, slots=True)
class Answer:
    """One entity that answers, its score (a probability in [0, 1]) and one path from each topic that proves it.

    ``supposed``: facts that the graph doesn't have and that the answer rests on. With any, it is a guess, and from a
    topic that no facts alone lead from there is no path.
    """

    entity: Entity
    score: float
    evidence: tuple[EvidencePath, ...] = ()
    supposed: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True)
class Topic:
    """A mention found in a question: characters [start, end) of it, and the entities that it was taken to mean.

    Attributes:
        how: how the text matches their name: exact, normal, or as what it was guessed from: reordered, joined, typo,
            acronym, partial. score: how well, in (0, 1].
        alternatives: entities that it might mean as well, best first.
    """

    start: int
    end: int
    text: str
    entities: tuple[Entity, ...]
    how: str = "exact"
    score: float = 1.0
    alternatives: tuple[Entity, ...] = ()

    @property
    def ambiguous(self) -> bool:
        return len(self.entities) + len(self.alternatives) > 1


@dataclass(frozen=True, slots=True)
class Cut:
    """What retrieval left out for its budget: at hop ``hop`` (1-based), ``facts`` facts of relation ``relation``."""

    hop: int
    relation: str
    inverse: bool
    facts: int


@dataclass(frozen=True, slots=True)
class Edge:
    """One expanded edge: its fact, whether it was walked from tail to head, its hop (1-based), the mass over it."""

    fact: Fact
    inverse: bool
    hop: int
    weight: float


@dataclass(frozen=True)
class Subgraph:
    """What a question touched: the facts expanded hop by hop from its topics.

    Attributes:
        entities: entity ids; position = local entity index, ascending by id.
        relations: relation names, sorted; position = relation index r.
        topics: int64 [K], local entity indices the walk started from.
        source, target: int64 [E], local entity indices of each expanded edge, in walking direction.
        relation: int32 [E], directed relation (2 r or 2 r + 1).
        hop: int64 [E], 1-based hop at which the edge was expanded.
        weight: float32 [E], mass that went over the edge, in [0, 1].
        cut: what the budget left out, hop by hop.
    """

    entities: tuple[str, ...]
    relations: tuple[str, ...]
    topics: Int64s
    source: Int64s
    relation: Int32s
    target: Int64s
    hop: Int64s
    weight: Float32s
    cut: tuple[Cut, ...] = ()

    def __post_init__(self) -> None:
        edges = {a.shape for a in (self.source, self.relation, self.target, self.hop, self.weight)}
        if len(edges) != 1:
            raise ValueError(f"Subgraph: edge arrays differ in shape: {sorted(edges)}")

    def edges(self) -> Iterator[Edge]:
        """The expanded edges, in the order of the arrays."""
        columns = (self.source, self.relation, self.target, self.hop, self.weight)
        for source, relation, target, hop, weight in zip(*(column.tolist() for column in columns), strict=True):
            head, tail = (target, source) if relation % 2 else (source, target)
            fact = Fact(self.entities[head], self.relations[relation // 2], self.entities[tail])
            yield Edge(fact, bool(relation % 2), hop, weight)

    def facts(self) -> tuple[Fact, ...]:
        """The distinct facts, sorted."""
        return tuple(sorted({edge.fact for edge in self.edges()}))


@dataclass(frozen=True, slots=True)
class HopTrace:
    """Why one hop went where it went, for ``--explain``.

    ``words``: (token, attention weight) of the question's tokens at this hop; ``relations``: (name, inverse, weight)
    offered, best first; ``stop``: probability that this hop is the last one.
    """

    hop: int
    words: tuple[tuple[str, float], ...]
    relations: tuple[tuple[str, bool, float], ...]
    stop: float


@dataclass(frozen=True, slots=True)
class Response:
    """What comes back for one question.

    Attributes:
        question: as asked.
        answers: the entities decided to be answers, best first; empty means: the graph doesn't know.
        ranking: the best scored entities, answers or not, best first, without evidence.
        topics: the mentions that were read as topics.
        notes: what the asker should know (ambiguous or unknown names, what was cut), one sentence each.
        subgraph: what was touched; None if no topic was found.
        trace: one entry per hop taken.
        fusion: weight of the question's side and of the graph's side in the logits.
        seconds: wall-clock seconds by stage: encoder, linking, retrieval, reading, evidence.
        origins: where each fact of the evidence comes from, if that was asked for and the store knows it.
        names: of the entities that the evidence passes, by id; an id that isn't there is as good as a name.
    """

    question: str
    answers: tuple[Answer, ...]
    ranking: tuple[Answer, ...] = ()
    topics: tuple[Topic, ...] = ()
    notes: tuple[str, ...] = ()
    subgraph: Subgraph | None = None
    trace: tuple[HopTrace, ...] = ()
    fusion: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    origins: Mapping[Fact, tuple[Origin, ...]] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types; the subgraph is given as counts."""
        return {
            "question": self.question,
            "answers": [_answer_dict(a, self.origins, self.names) for a in self.answers],
            "ranking": [{"id": a.entity.id, "name": a.entity.name, "score": a.score} for a in self.ranking],
            "topics": [
                {
                    "text": t.text,
                    "start": t.start,
                    "end": t.end,
                    "how": t.how,
                    "score": t.score,
                    "entities": [_entity_dict(e) for e in t.entities],
                    "alternatives": [_entity_dict(e) for e in t.alternatives],
                }
                for t in self.topics
            ],
            "notes": list(self.notes),
            "touched": {
                "entities": len(self.subgraph.entities) if self.subgraph else 0,
                "edges": len(self.subgraph.source) if self.subgraph else 0,
                "cut": [
                    {"hop": c.hop, "relation": c.relation, "inverse": c.inverse, "facts": c.facts}
                    for c in (self.subgraph.cut if self.subgraph else ())
                ],
            },
            "trace": [
                {
                    "hop": h.hop,
                    "stop": h.stop,
                    "words": [list(w) for w in h.words],
                    "relations": [{"name": n, "inverse": i, "weight": w} for n, i, w in h.relations],
                }
                for h in self.trace
            ],
            "fusion": dict(self.fusion),
            "seconds": dict(self.seconds),
        }


def _entity_dict(entity: Entity) -> dict[str, Any]:
    return {"id": entity.id, "name": entity.name, "label": entity.label, "aliases": list(entity.aliases)}


def _answer_dict(
    answer: Answer, origins: Mapping[Fact, tuple[Origin, ...]], names: Mapping[str, str]
) -> dict[str, Any]:
    return {
        **_entity_dict(answer.entity),
        "score": answer.score,
        "guessed": bool(answer.supposed),
        "supposed": [
            {
                "head": fact.head,
                "relation": fact.relation,
                "tail": fact.tail,
                "head_name": names.get(fact.head, fact.head),
                "tail_name": names.get(fact.tail, fact.tail),
            }
            for fact in answer.supposed
        ],
        "evidence": [
            {
                "holds": path.holds,
                "steps": [
                    {
                        "kind": s.kind,
                        "head": s.fact.head,
                        "relation": s.fact.relation,
                        "tail": s.fact.tail,
                        "head_name": names.get(s.fact.head, s.fact.head),
                        "tail_name": names.get(s.fact.tail, s.fact.tail),
                        "inverse": s.inverse,
                        "weight": s.weight,
                        "origins": [
                            {"load": o.load, "source": o.source, "line": o.line} for o in origins.get(s.fact, ())
                        ],
                    }
                    for s in path.steps
                ],
            }
            for path in answer.evidence
        ],
    }


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """Counts of a store. ``changes`` grows with every write that altered something."""

    facts: int
    entities: int
    relations: tuple[str, ...]
    changes: int


class Facts(Sequence[Fact]):
    """Facts as three columns of the same length, without an object for each; reads like a list of ``Fact``."""

    __slots__ = ("heads", "relations", "tails")

    def __init__(self, heads: Sequence[str], relations: Sequence[str], tails: Sequence[str]) -> None:
        if not len(heads) == len(relations) == len(tails):
            raise ValueError(f"Facts: columns of {len(heads)}, {len(relations)} and {len(tails)} rows")
        self.heads, self.relations, self.tails = heads, relations, tails

    @classmethod
    def of(cls, facts: Sequence[Fact]) -> Facts:
        """The columns of any facts."""
        if isinstance(facts, Facts):
            return facts
        return cls([f.head for f in facts], [f.relation for f in facts], [f.tail for f in facts])

    def __len__(self) -> int:
        return len(self.heads)

    @overload
    def __getitem__(self, place: int) -> Fact: ...
    @overload
    def __getitem__(self, place: slice) -> Facts: ...
    def __getitem__(self, place: int | slice) -> Fact | Facts:
        if isinstance(place, slice):
            return Facts(self.heads[place], self.relations[place], self.tails[place])
        return Fact(self.heads[place], self.relations[place], self.tails[place])

    def __iter__(self) -> Iterator[Fact]:
        return map(Fact, self.heads, self.relations, self.tails)

    def __repr__(self) -> str:
        return f"Facts({list(self)!r})"


@dataclass(frozen=True, slots=True)
class Batch:
    """What is written together. Entities that only facts mention need not be listed.

    Attributes:
        entities: what is said of entities; the same id may come several times, and is merged in order.
        facts: a list of ``Fact``, or ``Facts``; the same fact may come several times.
        fact_properties: properties of each fact, as long as ``facts``; or empty: none has any.
        origin: the source of a load that brings all of this (``LoadSource.origin``); 0: nobody's, and never undone.
        entity_lines, fact_lines: 1-based line of each in that source, as long as ``entities`` and ``facts``; or
            empty: 0, not known.
        through: with it, all of the source's rows up to this line are in the store; 0: says nothing. The journal.
    """

    entities: Sequence[Entity] = ()
    facts: Sequence[Fact] = ()
    fact_properties: Sequence[Properties] = ()
    origin: int = 0
    entity_lines: Sequence[int] = ()
    fact_lines: Sequence[int] = ()
    through: int = 0

    def __post_init__(self) -> None:
        for name, column, of in (
            ("fact_properties", self.fact_properties, self.facts),
            ("entity_lines", self.entity_lines, self.entities),
            ("fact_lines", self.fact_lines, self.facts),
        ):
            if len(column) not in (0, len(of)):
                raise ValueError(f"Batch: {name} has {len(column)} rows for {len(of)}")


@dataclass(frozen=True, slots=True)
class Written:
    """What a write did.

    Attributes:
        facts_created, entities_created: that were new.
        facts_merged, entities_merged: that were there already, or came more than once.
        facts_unchanged, entities_unchanged: of those merged, the ones in which nothing changed: no mark of another
            origin, no property, name, alias or label was added. An entity that facts only mention is unchanged.
    """

    facts_created: int = 0
    facts_merged: int = 0
    entities_created: int = 0
    entities_merged: int = 0
    facts_unchanged: int = 0
    entities_unchanged: int = 0

    def __add__(self, other: Written) -> Written:
        return Written(
            self.facts_created + other.facts_created,
            self.facts_merged + other.facts_merged,
            self.entities_created + other.entities_created,
            self.entities_merged + other.entities_merged,
            self.facts_unchanged + other.facts_unchanged,
            self.entities_unchanged + other.entities_unchanged,
        )
