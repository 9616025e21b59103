"""How a graph would change if some origins were taken back, and files said what they say in their place."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Generic, Protocol, Self, TypeVar

import numpy as np

from graph_schema import Batch, Entity, Fact, Offer, Properties, Value
from graph_schema.loads import LoadLedger
from graph_schema.merging import combined, shown
from ingest.hashes import Counts, Hashes
from ingest.known import Spilled
from ingest.values import plain

_ROWS = 16_384
_ASKED = 2_000
_HELD = 100_000

T = TypeVar("T")


class Compared(LoadLedger, Protocol):
    """A store that keeps loads, and can be read: the methods of ``GraphReader`` that are needed; see there."""

    def entities(self, ids: Sequence[str]) -> dict[str, Entity]: ...

    def holds(self, facts: Sequence[Fact]) -> list[bool]: ...

    def offer(self, ids: Sequence[str]) -> Offer: ...


@dataclass(frozen=True, slots=True)
class Change:
    """An entity that stays, or a fact, and what would be other about it.

    Attributes:
        of: the entity's id, or the fact.
        values: name of a property (of an entity also ``name``, ``label``, ``aliases``), its value before and after;
            None: it has none.
    """

    of: str | Fact
    values: tuple[tuple[str, Value | None, Value | None], ...]

    def as_dict(self) -> dict[str, object]:
        """Plain JSON types; what JSON hasn't got, as text."""
        of = self.of if isinstance(self.of, str) else [self.of.head, self.of.relation, self.of.tail]
        return {"of": of, "values": [[name, plain(before), plain(after)] for name, before, after in self.values]}


@dataclass(slots=True)
class Some(Generic[T]):
    """How many there are, and the first of them."""

    most: int
    count: int = 0
    examples: list[T] = field(default_factory=list)

    def add(self, one: T) -> None:
        self.count += 1
        if len(self.examples) < self.most:
            self.examples.append(one)


class Told(Generic[T]):
    """What files say of things, by a text for each; beyond some number, in a temporary file."""

    def __init__(self) -> None:
        self._said = Spilled(_HELD)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._said.close()

    def get(self, keys: Sequence[str]) -> dict[str, T]:
        """What is said of these; those of which nothing is are left out."""
        return {key: pickle.loads(what) for key, what in self._said.get(keys).items()}

    def update(self, said: Mapping[str, T]) -> None:
        self._said.update({key: pickle.dumps(what) for key, what in said.items()})

    def items(self) -> Iterator[tuple[str, T]]:
        """All, each once; nothing may be added meanwhile."""
        return ((key, pickle.loads(what)) for key, what in self._said.items())


class Comparison:
    """Takes what files say, a batch at a time, and compares it with the store.

    Memory: eight bytes for each fact of either side, each entity that the files mention, and each that one of the
    origins spoke of; 16 for each fact that goes. What is said of entities and of facts is kept in temporary files.

    Args:
        older: origins that will be taken back. planned: those under which the files are loaded, if there are any yet.
        complete: whether all of the files is in under these already, so that loading them changes nothing.
        examples: how many of each kind are kept.

    Attributes:
        new, kept: numbers of facts; as in ``Difference``, as are the others.
    """

    def __init__(
        self, store: Compared, older: Sequence[int], planned: Sequence[int], *, complete: bool, examples: int
    ) -> None:
        self._store = store
        self._older = [*older]
        self._settled = [*planned] if complete else []
        self._known, self._said = Hashes(), Hashes()  # facts of the store from these origins, and of the files
        self._ends = Hashes()  # entities that the files' facts mention
        self._looked_up, self._fresh = Hashes(), Hashes()  # ends of new facts; entities that the store hasn't got
        self._fresh_ids: list[str] = []
        self._examples = examples
        self._open = ExitStack()
        self._entities: Told[Entity] = self._open.enter_context(Told[Entity]())
        self._properties: Told[tuple[Fact, Properties]] = self._open.enter_context(Told[tuple[Fact, Properties]]())
        self._lost = Counts()  # entities at the ends of the facts that go, once for each
        self.new_facts: dict[Fact, None] = {}
        self.gone, self.changed = Some[Fact](examples), Some[Change](examples)
        self.entities_gone, self.entities_changed = Some[Entity](examples), Some[Change](examples)
        self.shared = 0
        for rows in _chunks(map(_hash, store.facts_of([*older, *planned])) if older or planned else ()):
            self._known.add(rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @property
    def kept(self) -> int:
        return self._said.common(self._known)

    @property
    def new(self) -> int:
        return len(self._said) - self.kept

    @property
    def entities_new(self) -> Some[Entity]:
        """Entities that the store hasn't got."""
        told = self._entities.get(self._fresh_ids)
        found = [told.get(id_, Entity(id_, id_)) for id_ in self._fresh_ids]
        return Some(self._examples, len(self._fresh), found)

    # ---- what the files say

    def take(self, batch: Batch) -> None:
        """What the files say next."""
        facts = [*batch.facts]
        hashes = [*map(_hash, facts)]
        fresh = [fact for fact, there in zip(facts, self._known.has(hashes), strict=True) if not there]
        if len(self.new_facts) < self._examples:
            self.new_facts = dict.fromkeys(islice(dict.fromkeys((*self.new_facts, *fresh)), self._examples))
        self._said.add(hashes)
        self._ends.add(map(hash, _ends(facts)))
        self._look_up(dict.fromkeys(_ends(fresh)))
        said: dict[str, list[Entity]] = {}
        for entity in batch.entities:
            said.setdefault(entity.id, []).append(entity)
        before = self._entities.get([*said])
        self._entities.update({id_: combined(before.get(id_), told) for id_, told in said.items()})
        if batch.fact_properties:
            self._take_properties(facts, batch.fact_properties)

    def _take_properties(self, facts: Sequence[Fact], properties: Sequence[Properties]) -> None:
        having = [(_key(fact), fact, had) for fact, had in zip(facts, properties, strict=True) if had]
        told = self._properties.get([*{key for key, _, _ in having}])
        for key, fact, had in having:
            old = told[key][1] if key in told else {}
            told[key] = fact, {**old, **had}
        self._properties.update(told)

    def _look_up(self, ids: Iterable[str]) -> None:
        """Which ends of facts, that aren't in the store from these origins, are no entities yet."""
        asked = _without([*ids], self._looked_up)
        self._looked_up.add(map(hash, asked))
        for part in _parts(asked):
            there = self._store.entities(part)
            self._add_fresh([id_ for id_ in part if id_ not in there])

    def _add_fresh(self, ids: Sequence[str]) -> None:
        room = self._examples - len(self._fresh_ids)
        if room > 0:
            self._fresh_ids += _without(ids, self._fresh)[:room]
        self._fresh.add(map(hash, ids))

    # ---- what comes of it

    def finish(self) -> None:
        """All was said: find what goes and what changes."""
        self._find_facts_gone()
        self._compare_entities()
        self._find_unmentioned()
        self._compare_facts()

    def _find_facts_gone(self) -> None:
        self.gone.count = len(self._known) - self.kept
        if not self.gone.count:
            return
        self.gone.examples = [*islice(self._unsaid(self._store.facts_of(self._older)), self._examples)]
        for part in _chunks(self._unsaid(self._store.facts_of(self._older, alone=True))):
            self._lost.add(map(hash, _ends(part)))
        self.shared = self.gone.count - len(self._lost) // 2

    def _unsaid(self, facts: Iterable[Fact]) -> Iterator[Fact]:
        for part in _chunks(facts):
            yield from (fact for fact, there in zip(part, self._said.has(map(_hash, part)), strict=True) if not there)

    def _compare_entities(self) -> None:
        settled, seen = Hashes(), Hashes()
        for pairs in _chunks(self._store.entities_without(self._settled) if self._settled else ()):
            settled.add(hash(now.id) for now, _ in pairs)
        for pairs in _chunks(self._store.entities_without(self._older) if self._older else ()):
            ids = [now.id for now, _ in pairs]
            seen.add(map(hash, ids))
            told = self._entities.get(_without(ids, settled))
            silent: list[Entity] = []
            for now, rest in pairs:
                if rest is None and now.id not in told:
                    silent.append(now)
                else:
                    self._compare(now, rest, told.get(now.id))
            self._compare_silent(silent)
        for part in _chunks(self._entities.items()):
            told = dict(part)
            there = self._store.entities(_without([*told], seen))
            self._add_fresh([id_ for id_ in _without([*told], seen) if id_ not in there])
            for id_ in _without([*there], settled):
                self._compare(there[id_], there[id_], told[id_])

    def _compare_silent(self, entities: Sequence[Entity]) -> None:
        """Entities of which nobody will say anything: they go, unless a fact mentions them."""
        by_id = {entity.id: entity for entity in entities}
        going = {*self._lonely([*by_id])}
        for id_, entity in by_id.items():
            if id_ in going:
                self.entities_gone.add(entity)
            else:
                self._compare(entity, None, None)

    def _compare(self, now: Entity, rest: Entity | None, said: Entity | None) -> None:
        """An entity as it is, as it would be if only others spoke of it, and what the files say of it."""
        after = shown(combined(rest or Entity(now.id, now.id), [said] if said else []))
        if values := _differences(_values(now), _values(after)):
            self.entities_changed.add(Change(now.id, values))

    def _find_unmentioned(self) -> None:
        """Entities that go with their last fact, since nothing was said of them."""
        if not len(self._lost):
            return
        asked = Hashes()
        for part in _chunks(self._unsaid(self._store.facts_of(self._older, alone=True))):
            ids = _without([*dict.fromkeys(_ends(part))], asked)
            asked.add(map(hash, ids))
            ids = self._lonely(ids)
            for some in _parts(ids):
                spoken = self._store.spoken_of(some)
                for id_ in some:
                    if id_ not in spoken:
                        self.entities_gone.add(Entity(id_, id_))

    def _lonely(self, ids: Sequence[str]) -> list[str]:
        """Those of these entities that no fact would mention."""
        found: list[str] = []
        for part in _parts(_without(ids, self._ends)):
            offer = self._store.offer(part)
            now = np.bincount(offer.owner, offer.count, len(part))
            lost = self._lost.of(map(hash, part))
            found += [id_ for id_, left in zip(part, now > lost, strict=True) if not left]
        told = self._entities.get(found)
        return [id_ for id_ in found if id_ not in told]

    def _compare_facts(self) -> None:
        settled, seen = Hashes(), Hashes()
        for facts in _chunks(self._store.facts_of(self._settled) if self._settled else ()):
            settled.add(map(_hash, facts))
        for rows in _chunks(self._store.properties_without(self._older) if self._older else ()):
            facts = [fact for fact, _, _ in rows]
            hashes = [*map(_hash, facts)]
            seen.add(hashes)
            told = self._properties.get([*map(_key, facts)])
            here, done = self._said.has(hashes), settled.has(hashes)
            for (fact, now, rest), stays, there in zip(rows, here, done, strict=True):
                if stays or rest is not None:
                    more = {} if there else told.get(_key(fact), (fact, {}))[1]
                    self._compare_fact(fact, now, {**(rest or {}), **more})
        for part in _chunks(said for _, said in self._properties.items()):
            facts = [fact for fact, _ in part]
            told_of = dict(part)
            hashes = [*map(_hash, facts)]
            known = zip(facts, seen.has(hashes), settled.has(hashes), strict=True)
            facts = [fact for fact, *done in known if not any(done)]
            facts = [fact for fact, there in zip(facts, self._store.holds(facts), strict=True) if there]
            for fact, now in zip(facts, self._store.fact_properties(facts), strict=True):
                self._compare_fact(fact, now, {**now, **told_of[fact]})

    def _compare_fact(self, fact: Fact, now: Properties, after: Properties) -> None:
        if values := _differences(dict(now), dict(after)):
            self.changed.add(Change(fact, values))


def _values(entity: Entity) -> dict[str, Value | None]:
    """All that may change about an entity, by name."""
    own: dict[str, Value | None] = {
        "name": entity.name,
        "label": entity.label,
        "aliases": tuple(sorted(entity.aliases)),
    }
    return {**own, **{f"{name} (property)" if name in own else name: v for name, v in entity.properties.items()}}


def _differences(
    before: Mapping[str, Value | None], after: Mapping[str, Value | None]
) -> tuple[tuple[str, Value | None, Value | None], ...]:
    names = sorted(before.keys() | after.keys())
    pairs = ((name, before.get(name), after.get(name)) for name in names)
    return tuple((name, old, new) for name, old, new in pairs if _exact(old) != _exact(new))


def _exact(value: Value | None) -> object:
    """What two values have in common only if their types are the same, too: 1 isn't True."""
    return [*map(_exact, value)] if isinstance(value, tuple) else (type(value), value)


def _without(ids: Sequence[str], known: Hashes) -> list[str]:
    return [id_ for id_, there in zip(ids, known.has(map(hash, ids)), strict=True) if not there]


def _ends(facts: Iterable[Fact]) -> Iterator[str]:
    return chain.from_iterable((fact.head, fact.tail) for fact in facts)


def _chunks(items: Iterable[T]) -> Iterator[list[T]]:
    each = iter(items)
    while part := [*islice(each, _ROWS)]:
        yield part


def _parts(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), _ASKED):
        yield items[start : start + _ASKED]


def _hash(fact: Fact) -> int:
    return hash((fact.head, fact.relation, fact.tail))


def _key(fact: Fact) -> str:
    return json.dumps([fact.head, fact.relation, fact.tail])
