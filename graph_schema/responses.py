"""What comes back for a question. All values are frozen; none knows a store or a tensor library.

Inside one ``Subgraph`` or one snapshot, entities are dense ints; such an int means nothing outside of it. A *directed
relation* is ``2 * r`` for relation ``r`` read from head to tail and ``2 * r + 1`` for tail to head, ``r`` an index into
the sorted relation names that the same object carries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from graph_schema.types import Entity, Fact, Float32s, Int32s, Int64s

if TYPE_CHECKING:
    from graph_schema.loads import Origin


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

    ``sides``: what its logit is made of, where that was asked for: ``path`` (log-odds of the mass that reached it),
    ``slots`` (what the memory makes of it) and ``question`` (how well it is of the kind asked for); of several topics,
    for the one that speaks least for it. The score is the calibrated sigmoid of their sum.

    ``supposed``: facts that the graph doesn't have and that the answer rests on. With any, it is a guess, and from a
    topic that no facts alone lead from there is no path. ``guessed``: whether it is one; a guess that was made from
    what lies around the topic may rest on no fact in particular, and has neither path nor ``supposed``.
    """

    entity: Entity
    score: float
    evidence: tuple[EvidencePath, ...] = ()
    supposed: tuple[Fact, ...] = ()
    guessed: bool = False
    sides: Mapping[str, float] = field(default_factory=dict, hash=False)


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
    offered, best first; ``stop``: probability that this hop is the last one; ``topic``: the name that is walked from.
    """

    hop: int
    words: tuple[tuple[str, float], ...]
    relations: tuple[tuple[str, bool, float], ...]
    stop: float
    topic: str = ""


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
        trace: one entry per hop taken, from one topic after the other.
        expected: the kind of answer that the question's words ask for, told by the relations that such a thing has:
            (name, inverse, how much it adds to a logit), best first; inverse: it stands at the relation's tail.
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
    expected: tuple[tuple[str, bool, float], ...] = ()
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
                    "topic": h.topic,
                    "hop": h.hop,
                    "stop": h.stop,
                    "words": [list(w) for w in h.words],
                    "relations": [{"name": n, "inverse": i, "weight": w} for n, i, w in h.relations],
                }
                for h in self.trace
            ],
            "expected": [{"name": n, "inverse": i, "weight": w} for n, i, w in self.expected],
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
        "sides": dict(answer.sides),
        "guessed": answer.guessed,
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
