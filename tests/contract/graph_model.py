"""What a store must behave like, as plain dicts and sets; and strategies for graphs that are hard on stores."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st

from graph_schema import Batch, Entity, Fact, GraphReader, Group, Written
from graph_schema.text import name_key

NASTY = (
    '"}) DETACH DELETE n //',
    "'; DROP TABLE fact;--",
    "` MATCH (n) DETACH DELETE n //",
    "a``b",
    "\\u0060 {x: 1}",
    "\\",
    "%s {} $x ?1 :name",
    "AND OR NOT * ? ~ : ^ [a TO b]",
    'say "it" \'s',
    "two\nlines\r\nand\ttabs",
    "\x01\x1b[31m\x7f\u0085\u2028",
    "👩‍👩‍👧 e\u0301 ﬁ",
    "\ue000",
    "\uffee",
    "𝔉ilm",
    "שלום עולם\u202e",
    "İstanbul ẞ",
    " leading and trailing ",
    "$",
    "Entity",
    "KgqaMeta",
    "null",
)

texts = st.sampled_from(NASTY) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=6
)
few_texts = st.lists(texts, min_size=2, max_size=6, unique=True)


@dataclass
class Model:
    """A graph as dicts; ``write`` and ``delete`` do what the port's docstrings say."""

    names: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, list[str]] = field(default_factory=dict)  # the name may be among them while it is only the id
    facts: set[Fact] = field(default_factory=set)

    def write(self, batch: Batch) -> Written:
        before, old_facts = set(self.names), len(self.facts)
        for entity in batch.entities:
            self._say(entity)
        for fact in batch.facts:
            self._say(Entity(fact.head, fact.head))
            self._say(Entity(fact.tail, fact.tail))
            self.facts.add(fact)
        mentioned = {e.id for e in batch.entities} | {i for f in batch.facts for i in (f.head, f.tail)}
        created = len(self.facts) - old_facts
        return Written(created, len(batch.facts) - created, len(set(self.names) - before), len(mentioned & before))

    def delete(self, facts: list[Fact]) -> int:
        there = set(facts) & self.facts
        self.facts -= there
        for id_ in {i for f in there for i in (f.head, f.tail)} - {i for f in self.facts for i in (f.head, f.tail)}:
            for table in (self.names, self.labels, self.aliases):
                del table[id_]
        return len(there)

    def entity(self, id_: str) -> Entity:
        return Entity(
            id_, self.names[id_], self.labels[id_], tuple(a for a in self.aliases[id_] if a != self.names[id_])
        )

    def neighbours(self, id_: str, relation: str, inverse: bool) -> list[str]:
        if inverse:
            return sorted(f.head for f in self.facts if f.tail == id_ and f.relation == relation)
        return sorted(f.tail for f in self.facts if f.head == id_ and f.relation == relation)

    def _say(self, entity: Entity) -> None:
        id_ = entity.id
        if id_ not in self.names:
            self.names[id_], self.labels[id_], self.aliases[id_] = id_, "Entity", []
        if self.names[id_] == id_:
            self.names[id_] = entity.name
        elif entity.name not in (id_, self.names[id_]):
            self.aliases[id_].append(entity.name)
        if self.labels[id_] == "Entity":
            self.labels[id_] = entity.label
        self.aliases[id_] += entity.aliases
        self.aliases[id_] = [a for a in dict.fromkeys(self.aliases[id_]) if a != self.names[id_] or a == id_]


@st.composite
def batches(draw: st.DrawFn, ids: list[str], relations: list[str]) -> Batch:
    """A batch over these ids and relations, duplicates and self-loops among it."""
    id_, relation = st.sampled_from(ids), st.sampled_from(relations)
    facts = draw(st.lists(st.builds(Fact, id_, relation, id_), max_size=8))
    said = st.builds(
        Entity,
        id_,
        texts | id_,
        st.sampled_from(["Entity", "Film", 'La"b`el']),
        st.lists(texts, max_size=2).map(tuple),
    )
    return Batch(draw(st.lists(said, max_size=3)), facts)


@st.composite
def histories(draw: st.DrawFn) -> list[Batch | list[Fact]]:
    """What happens to a store: batches to write, and lists of facts to delete."""
    ids, relations = draw(few_texts), draw(few_texts)[:3]
    deletions = st.lists(
        st.builds(Fact, st.sampled_from(ids), st.sampled_from(relations), st.sampled_from(ids)), max_size=6
    )
    steps: list[Batch | list[Fact]] = draw(st.lists(batches(ids, relations) | deletions, min_size=1, max_size=4))
    return steps


def check(reader: GraphReader, model: Model, changes: int | None = None) -> None:
    """Hold everything that can be read against the model."""
    relations = tuple(sorted({fact.relation for fact in model.facts}))
    info = reader.info()
    assert (info.facts, info.entities, info.relations) == (len(model.facts), len(model.names), relations)
    assert info.changes == reader.changes() == (info.changes if changes is None else changes)
    assert reader.relations() == relations
    assert set(relations) <= set(reader.schema().relations)

    everything = {id_: model.entity(id_) for id_ in model.names}
    listed, facts = list(reader.all_entities()), list(reader.all_facts())
    assert len(listed) == len(everything)
    assert {entity.id: entity for entity in listed} == everything
    assert Counter(facts) == Counter(model.facts)

    ids = [*sorted(model.names), "nobody has this id", *sorted(model.names)[:2]]
    assert reader.entities(ids) == everything
    check_neighbourhoods(reader, model, ids, relations)

    asked = [*sorted(model.facts), *(Fact(f.tail, f.relation, f.head) for f in sorted(model.facts))]
    asked += [Fact("nobody has this id", "r", "x"), *(Fact(f.head, f.relation + "?", f.tail) for f in model.facts)]
    assert reader.holds(asked) == [fact in model.facts for fact in asked]

    bearers: dict[str, set[Entity]] = {}
    for entity in everything.values():
        for name in (entity.name, *entity.aliases):
            bearers.setdefault(name_key(name), set()).add(entity)
    expected = {k: tuple(sorted(v, key=lambda e: e.id)) for k, v in bearers.items() if k}
    assert reader.lookup([*bearers, "nobody has this name"]) == expected


def check_neighbourhoods(reader: GraphReader, model: Model, ids: list[str], relations: tuple[str, ...]) -> None:
    """Hold ``offer`` and ``expand`` against the model."""
    rows = [
        (owner, 2 * index + inverse, len(far))
        for owner, id_ in enumerate(ids)
        for index, relation in enumerate(relations)
        for inverse in (False, True)
        if (far := model.neighbours(id_, relation, inverse))
    ]
    offer = reader.offer(ids)
    assert [a.dtype for a in (offer.owner, offer.relation, offer.count)] == [np.dtype(np.int64)] * 3
    assert list(zip(offer.owner.tolist(), offer.relation.tolist(), offer.count.tolist(), strict=True)) == rows

    groups = [
        Group(id_, relation, inverse, limit)
        for id_ in ids
        for relation in (*relations, "no such relation")
        for inverse in (False, True)
        for limit in (0, 1, 2, 1000)
    ]
    reached = [model.neighbours(g.entity, g.relation, g.inverse)[: g.limit] for g in groups]
    neighbours = reader.expand(groups)
    assert neighbours.group.dtype == np.int64
    assert neighbours.group.tolist() == [position for position, found in enumerate(reached) for _ in found]
    assert neighbours.entities == [id_ for found in reached for id_ in found]
