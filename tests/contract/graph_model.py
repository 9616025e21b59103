"""What a store must behave like, as plain dicts and sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import numpy as np

from graph_schema import (
    Batch,
    Entity,
    Fact,
    GraphReader,
    Group,
    LoadLedger,
    Offer,
    Origin,
    Value,
    Withdrawn,
    Written,
)
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


@dataclass
class Told:
    """What is known of an entity; the name may be among the aliases while it is only the id."""

    name: str
    label: str = "Entity"
    aliases: list[str] = field(default_factory=list)
    properties: dict[str, Value] = field(default_factory=dict)

    def say(self, entity: Entity) -> None:
        if self.name == entity.id:
            self.name = entity.name
        elif entity.name not in (entity.id, self.name):
            self.aliases.append(entity.name)
        if self.label == "Entity":
            self.label = entity.label
        self.aliases += entity.aliases
        self.aliases = [a for a in dict.fromkeys(self.aliases) if a != self.name or a == entity.id]
        self.properties |= entity.properties


@dataclass
class Mark:
    """One origin's mark on a fact."""

    line: int
    properties: dict[str, Value] = field(default_factory=dict)


@dataclass
class Journal:
    through: int = 0
    facts: int = 0
    entities: int = 0
    facts_changed: int = 0
    declared_created: int = 0
    declared_changed: int = 0


@dataclass
class Model:
    """A graph as dicts; its methods do what the docstrings of the ports say."""

    live: dict[str, Told] = field(default_factory=dict)
    told: dict[str, dict[int, Told]] = field(default_factory=dict)  # by entity, by origin
    facts: dict[Fact, dict[int, Mark]] = field(default_factory=dict)  # by origin
    journals: dict[int, Journal] = field(default_factory=dict)

    def write(self, batch: Batch) -> Written:
        before, old_facts, origin = {id_: exact(self.entity(id_)) for id_ in self.live}, set(self.facts), batch.origin
        records, marks = exact(self.told), exact(self.facts)
        for entity in batch.entities:
            self.live.setdefault(entity.id, Told(entity.id)).say(entity)
            said = self.told.setdefault(entity.id, {})
            said.setdefault(origin, Told(entity.id)).say(entity)
            self.live[entity.id].properties = together({o: told.properties for o, told in said.items()})
        lines = batch.fact_lines or [0] * len(batch.facts)
        properties = batch.fact_properties or [{}] * len(batch.facts)
        for fact, line, had in zip(batch.facts, lines, properties, strict=True):
            for end in (fact.head, fact.tail):
                self.live.setdefault(end, Told(end))
            self.facts.setdefault(fact, {}).setdefault(origin, Mark(line)).properties |= had
        mentioned = {e.id for e in batch.entities} | {i for f in batch.facts for i in (f.head, f.tail)}
        created, new = len(self.facts) - len(old_facts), len(self.live) - len(before)
        declared = {entity.id for entity in batch.entities[: batch.declared]}
        others = sum(before[id_] != exact(self.entity(id_)) for id_ in declared & before.keys())
        told = len(declared - before.keys()), others
        changed = sum(marks.get(fact) != exact(self.facts[fact]) for fact in set(batch.facts) & old_facts)
        altered = sum(records.get(id_, {}) != exact(self.told.get(id_, {})) for id_ in mentioned & before.keys())
        if origin:
            journal = self.journals.setdefault(origin, Journal())
            journal.through = max(journal.through, batch.through)
            journal.facts, journal.entities = journal.facts + created, journal.entities + new
            journal.facts_changed += changed
            journal.declared_created += told[0]
            journal.declared_changed += told[1]
        merged, again = len(batch.facts) - created, len(mentioned & before.keys())
        return Written(created, merged, new, again, merged - changed, again - altered, *told)

    def delete(self, facts: Sequence[Fact]) -> int:
        there = set(facts) & set(self.facts)
        for fact in there:
            del self.facts[fact]
        self._drop(self._lonely(there))
        return len(there)

    def withdraw(self, origins: Sequence[int]) -> Withdrawn:
        lost = {fact for fact, marks in self.facts.items() if set(marks) & set(origins)}
        spoken = {id_ for id_, told in self.told.items() if set(told) & set(origins)}
        for origin in origins:
            self.journals[origin] = Journal()
            for marks in self.facts.values():
                marks.pop(origin, None)
        gone = {fact for fact in lost if not self.facts[fact]}
        for fact in gone:
            del self.facts[fact]
        for id_ in spoken:
            self.told[id_] = {o: told for o, told in self.told[id_].items() if o not in origins}
            self.live[id_] = Told(id_)
            for _, told in sorted(self.told[id_].items()):
                self.live[id_].say(Entity(id_, told.name, told.label, tuple(told.aliases), told.properties))
        lonely = self._lonely(gone, *spoken)
        dropped = {id_ for id_ in lonely if not self.told.get(id_)}
        self._drop(dropped)
        return Withdrawn(len(gone), len(lost - gone), len(dropped), len(spoken - dropped))

    def without(self, origins: Sequence[int]) -> dict[str, tuple[Entity, Entity | None]]:
        """Entities that these origins spoke of: as they are, and as the others alone would have made them."""
        found: dict[str, tuple[Entity, Entity | None]] = {}
        for id_, told in self.told.items():
            if set(told) & set(origins):
                rest = Model()
                for origin in sorted(set(told) - set(origins)):
                    one = told[origin]
                    rest.write(Batch([Entity(id_, one.name, one.label, tuple(one.aliases), one.properties)], origin=0))
                found[id_] = self.entity(id_), rest.entity(id_) if rest.live else None
        return found

    def properties_without(self, origins: Sequence[int]) -> dict[Fact, tuple[object, object]]:
        """Facts that these origins gave properties: what they have, and what they would have without."""
        found: dict[Fact, tuple[object, object]] = {}
        for fact, marks in self.facts.items():
            if any(marks[origin].properties for origin in set(marks) & set(origins)):
                rest = {origin: mark.properties for origin, mark in marks.items() if origin not in origins}
                found[fact] = self.properties(fact), together(rest) if rest else None
        return found

    def entity(self, id_: str) -> Entity:
        told = self.live[id_]
        return Entity(id_, told.name, told.label, tuple(a for a in told.aliases if a != told.name), told.properties)

    def properties(self, fact: Fact) -> dict[str, Value]:
        return together({origin: mark.properties for origin, mark in self.facts.get(fact, {}).items()})

    def neighbours(self, id_: str, relation: str, inverse: bool) -> list[str]:
        if inverse:
            return sorted(f.head for f in self.facts if f.tail == id_ and f.relation == relation)
        return sorted(f.tail for f in self.facts if f.head == id_ and f.relation == relation)

    def graph(self) -> object:
        """All but the journals, to be compared."""
        return exact((self.live, self.told, self.facts))

    def _lonely(self, gone: set[Fact], *more: str) -> set[str]:
        ends = {i for f in gone for i in (f.head, f.tail)} | set(more)
        return ends - {i for f in self.facts for i in (f.head, f.tail)}

    def _drop(self, ids: set[str]) -> None:
        for id_ in ids:
            del self.live[id_]
            self.told.pop(id_, None)


def together(said: dict[int, dict[str, Value]]) -> dict[str, Value]:
    """Of two origins that give a property, the higher one counts."""
    found: dict[str, Value] = {}
    for _, properties in sorted(said.items()):
        found |= properties
    return found


def exact(value: object) -> Any:
    """A copy that equals another only if the types do too: 1 isn't True."""
    if isinstance(value, dict):
        return {key: exact(part) for key, part in value.items() if part != {}}
    if isinstance(value, list | tuple):
        return [exact(part) for part in value]
    if is_dataclass(value) and not isinstance(value, type):
        return [exact(getattr(value, part.name)) for part in fields(value)]
    return type(value).__name__, value


def check(reader: GraphReader, model: Model, changes: int | None = None) -> None:
    """Hold everything that can be read against the model."""
    relations = tuple(sorted({fact.relation for fact in model.facts}))
    info = reader.info()
    assert (info.facts, info.entities, info.relations) == (len(model.facts), len(model.live), relations)
    assert info.changes == reader.changes() == (info.changes if changes is None else changes)
    assert reader.relations() == relations
    assert set(relations) <= set(reader.schema().relations)

    everything = {id_: model.entity(id_) for id_ in model.live}
    listed, facts = list(reader.all_entities()), list(reader.all_facts())
    assert len(listed) == len(everything)
    assert exact({entity.id: entity for entity in listed}) == exact(everything)
    assert Counter(facts) == Counter(set(model.facts))

    ids = [*sorted(model.live), "nobody has this id", *sorted(model.live)[:2]]
    assert exact(reader.entities(ids)) == exact(everything)
    check_neighbourhoods(reader, model, ids, relations)

    asked = [*sorted(model.facts), *(Fact(f.tail, f.relation, f.head) for f in sorted(model.facts))]
    asked += [Fact("nobody has this id", "r", "x"), *(Fact(f.head, f.relation + "?", f.tail) for f in model.facts)]
    assert reader.holds(asked) == [fact in model.facts for fact in asked]
    proof = reader.prove(asked, ids)
    assert proof.holds == [fact in model.facts for fact in asked]
    assert exact(proof.entities) == exact(everything)

    if properties_of := getattr(reader, "fact_properties", None):
        assert exact(properties_of(asked)) == exact([model.properties(fact) for fact in asked])

    bearers: dict[str, set[Entity]] = {}
    for entity in everything.values():
        for name in (entity.name, *entity.aliases):
            bearers.setdefault(name_key(name), set()).add(entity)
    expected = {k: tuple(sorted(v, key=lambda e: e.id)) for k, v in bearers.items() if k}
    keys = [*bearers, "nobody has this name"]
    assert reader.lookup(keys) == expected
    start = reader.start(keys)
    assert (start.named, start.changes) == (expected, info.changes)
    borne = {entity.id for entities in expected.values() for entity in entities}
    assert set(start.ids) <= borne
    assert len(start.ids) >= min(50, len(borne))
    check_offer(start.offer, model, start.ids, relations)


def check_offer(offer: Offer, model: Model, ids: Sequence[str], relations: tuple[str, ...]) -> None:
    """Hold what is said to lie around these ids against the model."""
    rows = [
        (owner, 2 * index + inverse, len(far))
        for owner, id_ in enumerate(ids)
        for index, relation in enumerate(relations)
        for inverse in (False, True)
        if (far := model.neighbours(id_, relation, inverse))
    ]
    assert offer.relations == relations
    assert [a.dtype for a in (offer.owner, offer.relation, offer.count)] == [np.dtype(np.int64)] * 3
    assert list(zip(offer.owner.tolist(), offer.relation.tolist(), offer.count.tolist(), strict=True)) == rows


def check_neighbourhoods(reader: GraphReader, model: Model, ids: list[str], relations: tuple[str, ...]) -> None:
    """Hold ``offer``, ``expand`` and ``step`` against the model."""
    check_offer(reader.offer(ids), model, ids, relations)
    groups = [
        Group(id_, relation, inverse, limit)
        for id_ in ids
        for relation in (*relations, "no such relation")
        for inverse in (False, True)
        for limit in (0, 1, 2, 1000)
    ]
    reached = [model.neighbours(g.entity, g.relation, g.inverse)[: g.limit] for g in groups]
    for asked, found in ((groups, reached), (groups[::7], reached[::7])):
        step = reader.step(asked)
        for neighbours in (reader.expand(asked), step.neighbours):
            assert neighbours.group.dtype == np.int64
            assert neighbours.group.tolist() == [position for position, far in enumerate(found) for _ in far]
            assert neighbours.entities == [id_ for far in found for id_ in far]
        assert step.ids == tuple(sorted({id_ for far in found for id_ in far}))
        check_offer(step.offer, model, step.ids, relations)


def check_marks(ledger: LoadLedger, model: Model, sources: dict[int, tuple[str, str]]) -> None:
    """Hold marks and journals against the model; ``sources``: load and name by origin."""
    asked = [*sorted(model.facts), Fact("nobody has this id", "r", "x"), *sorted(model.facts)[:2]]
    assert ledger.origins(asked) == [
        tuple(sorted(Origin(*sources[o], mark.line) for o, mark in model.facts.get(fact, {}).items() if o))
        for fact in asked
    ]
    for origins in ([], [0], [*sources], *([origin] for origin in sources)):
        expected = {fact for fact, marks in model.facts.items() if set(marks) & set(origins)}
        assert Counter(ledger.facts_of(origins)) == Counter(expected)
        alone = {fact for fact in expected if set(model.facts[fact]) <= set(origins)}
        assert Counter(ledger.facts_of(origins, alone=True)) == Counter(alone)
        entities = [*ledger.entities_without(origins)]
        assert len(entities) == len({now.id for now, _ in entities})
        assert exact({now.id: pair for pair in entities for now in pair[:1]}) == exact(model.without(origins))
        properties = [*ledger.properties_without(origins)]
        assert exact({fact: (now, rest) for fact, now, rest in properties}) == exact(model.properties_without(origins))
        assert len(properties) == len({fact for fact, _, _ in properties})
    ids = [*sorted(model.live), "nobody has this id", "\0"]
    assert ledger.spoken_of(ids) == {id_ for id_ in model.live if model.told.get(id_)}
    names = [field.name for field in fields(Journal)]
    held = [source for load in ledger.loads() for source in load.sources]
    journals = {source.origin: Journal(*(getattr(source, name) for name in names)) for source in held}
    assert journals == {origin: model.journals.get(origin, Journal()) for origin in sources}
