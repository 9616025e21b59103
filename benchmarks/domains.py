"""Made-up graphs in many schemas, for ``general``: what is learnt of one graph's words doesn't hold in the next.

``domains.txt`` says of forty fields of life which things there are, how they are related, and in which ways people say
so. Of it graphs are drawn: one to three fields, things with made-up names, random facts; of each relation's ways to be
said one is its own, the others are synonyms, which people ask by (``RelationSchema.synonyms``). A third of the graphs
have no properties, as triples have none; the others are as ``kgqa connect`` reads a database.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from graph_schema import Entity, RelationSchema, Schema
from graph_schema.schema import LabelSchema, RelationPropertySchema
from kgqa.stores.foreign.plan import TAIL, VALUE
from kgqa.stores.foreign.wording import is_thing, property_wording, relation_property_wording, relation_wording
from kgqa.stores.snapshot import Snapshot

DOMAINS = Path(__file__).with_name("domains.txt")
THINGS = (25, 60)  # of a kind
MANY = 4  # things that one is related to in one way, at most, where it may be several
TOLD = 0.9  # of the things that could have a fact, those that have it
FIELDS = (1, 1, 2, 3)  # of life that are in a graph, by turns
PLAIN = 1 / 3  # of the graphs, those without properties
PREFIXED = 0.4  # of the types that are named for a thing, those that say that one has it or is it ("IS_GARNISH")
BACK = 0.5  # of the graphs, those whose relations have words for the way back, too
_SYLLABLES = """ba be bo ca da de do fa fi ga go ha ka ke ki la le li lo ma me mi mo na ne ni no pa pe ra re ri ro sa
se si so ta te ti to va ve vi wa za"""
SYLLABLES = tuple(_SYLLABLES.split())
ENDS = ("n", "r", "s", "l", "th", "nd", "x", "m", "ck", "")
TYPES = {"text": "string", "integer": "integer", "float": "float", "date": "date", "year": "integer"}


@dataclass(frozen=True)
class Related:
    """How things of a field are related. ``properties``: (key, type) of the relationship."""

    head: str
    tail: str
    several: bool
    said: tuple[str, ...]
    properties: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Told:
    """A property of things: what it is called, its type, what else it is called."""

    thing: str
    key: str
    type: str
    said: tuple[str, ...]


@dataclass(frozen=True)
class Domain:
    name: str
    related: tuple[Related, ...]
    told: tuple[Told, ...]


def read_domains(text: str) -> list[Domain]:
    """Raises:
    ValueError: a line is none of those that ``domains.txt`` describes; it says which.
    """
    found: list[tuple[str, list[Related], list[Told]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        try:
            if line.startswith("domain "):
                found.append((line.removeprefix("domain "), [], []))
            elif ">" in line:
                found[-1][1].append(_related(line))
            else:
                found[-1][2].append(_told(line))
        except (ValueError, IndexError) as error:
            raise ValueError(f"line {number}: {line!r}: {error}") from error
    return [Domain(name, tuple(related), tuple(told)) for name, related, told in found]


def _related(line: str) -> Related:
    ends, said = line.split(":", 1)
    head, tail = ends.split(">", 1)
    said, _, properties = said.partition("{")
    pairs = [one.split(":") for one in properties.removesuffix("}").split(",") if one]
    kept = tuple((key.strip(), _type(type_)) for key, type_ in pairs)
    ways = tuple(one.strip() for one in said.split(";"))
    return Related(head.strip(), tail.strip("> "), tail.startswith(">"), ways, kept)


def _told(line: str) -> Told:
    what, *others = line.replace(",", ";").split(";")
    thing, named = what.split(".", 1)
    key, type_ = named.strip().rsplit(" ", 1) if " " in named.strip() else (named.strip(), named.strip())
    return Told(thing, key, _type(type_), tuple(one.strip() for one in others))


def _type(said: str) -> str:
    if said.strip() not in TYPES:
        raise ValueError(f"no type: {said.strip()}; there are {', '.join(TYPES)}")
    return said.strip()


def graphs(domains: Sequence[Domain], number: int, seed: int) -> Iterator[tuple[str, Snapshot]]:
    """So many graphs, and what each is about. The same for a seed."""
    generator = random.Random(f"domains {seed}")
    left: list[Domain] = []
    for at in range(number):
        size = FIELDS[at % len(FIELDS)]
        if len(left) < size:
            left += generator.sample(domains, len(domains))
        taken, left = left[:size], left[size:]
        yield " and ".join(dict.fromkeys(one.name for one in taken)), _Made(taken, generator).snapshot(at)


class _Made:
    """One graph."""

    def __init__(self, domains: Sequence[Domain], generator: random.Random) -> None:
        self._random = generator
        self._plain, self._back = generator.random() < PLAIN, generator.random() < BACK
        self._entities: dict[str, Entity] = {}
        self._facts: set[tuple[str, str, str]] = set()
        self._relations: dict[str, RelationSchema] = {}
        self._names: set[str] = set()
        self._ids: dict[str, list[str]] = {}
        related = {(one.head, one.tail, one.said): one for domain in domains for one in domain.related}
        told = {(one.thing, one.key): one for domain in domains for one in domain.told}
        # What says two relations of a graph tells neither apart: it stays with one of them.
        self._keys = Counter(key for one in related.values() for key, _ in one.properties)
        lines: list[Related | Told] = generator.sample([*related.values(), *told.values()], len(related) + len(told))
        said = Counter(way for one in lines for way in _ways(one))
        for one in lines:
            ways = [way for way in _ways(one) if said[way] == 1] or [way for way in _ways(one) if said[way] > 0]
            for way in _ways(one):
                said[way] = 0 if way in ways else said[way]
            if ways and isinstance(one, Related):
                self._relate(one, generator.sample(ways, len(ways)))
            elif ways and isinstance(one, Told) and not self._plain:
                self._tell(one, ways)

    def snapshot(self, number: int) -> Snapshot:
        entities = sorted(self._entities.values(), key=lambda one: one.id)
        place = {one.id: at for at, one in enumerate(entities)}
        relations = sorted({relation for _, relation, _ in self._facts})
        at = {name: index for index, name in enumerate(relations)}
        facts = sorted(self._facts)
        labels = {one.label for one in entities} - set(TYPES.values())
        return Snapshot.from_columns(
            entities,
            relations,
            np.array([place[head] for head, _, _ in facts], np.int64),
            np.array([at[relation] for _, relation, _ in facts], np.int64),
            np.array([place[tail] for _, _, tail in facts], np.int64),
            schema=Schema(labels={label: LabelSchema() for label in sorted(labels)}, relations=self._relations),
            url=f"domains:{number}",
            changes=0,
        )

    def _relate(self, one: Related, ways: Sequence[str]) -> None:
        own, *others = ways
        head, tail = _label(one.head), _label(one.tail)
        type_ = own.replace(" ", "_").replace("-", "_")
        held = () if self._plain else one.properties
        if self._plain:
            self._relations[type_] = RelationSchema(words=own, synonyms=tuple(others), head=head, tail=tail)
        else:
            type_ = type_.upper()
            if is_thing(type_) and not type_.startswith(("IS_", "HAS_")) and self._random.random() < PREFIXED:
                type_ = f"{self._random.choice(('IS', 'HAS'))}_{type_}"
            words, inverse = relation_wording(type_, [head], [tail])
            self._relations[type_] = RelationSchema(
                words=words,
                inverse=inverse if self._back else None,
                synonyms=tuple(way for way in others if way != words),
                head=head,
                tail=tail,
                properties={key.replace(" ", "_"): RelationPropertySchema() for key, _ in held},
            )
        self._hold(type_, head, tail, [(key.replace(" ", "_"), type_of) for key, type_of in held])
        tails = self._things(one.tail)
        for id_ in self._things(one.head):
            if self._random.random() < TOLD:
                for other in self._random.sample(tails, self._random.randint(1, MANY) if one.several else 1):
                    if other != id_:
                        self._facts.add((id_, type_, other))
                        self._say(type_, id_, other, held)

    def _hold(self, type_: str, head: str, tail: str, held: Sequence[tuple[str, str]]) -> None:
        """The relations that a relationship's properties are, from both its ends."""
        for key, type_of in held:
            shared = self._keys[key.replace("_", " ")] > 1
            words = relation_property_wording(key, type_, [head], [tail], shared=shared)
            for before, end, forward, back in ((("", head, *words[:2])), ((TAIL, tail, *words[2:]))):
                inverse = back if self._back else None
                self._relations[f"{before}{type_}.{key}"] = RelationSchema(
                    words=forward, inverse=inverse, head=end, tail=TYPES[type_of]
                )

    def _say(self, type_: str, head: str, tail: str, held: Sequence[tuple[str, str]]) -> None:
        for key, type_of in held:
            name = f"{type_}.{key.replace(' ', '_')}"
            value = self._value(name, type_of)
            self._facts |= {(head, name, value), (tail, f"{TAIL}{name}", value)}

    def _tell(self, one: Told, ways: Sequence[str]) -> None:
        label = _label(one.thing)
        name = f"{label}.{one.key.replace(' ', '_')}"
        words, inverse = property_wording(one.key, label, years=one.type == "year", dates=one.type == "date")
        self._relations[name] = RelationSchema(
            words=words,
            inverse=inverse if self._back else None,
            synonyms=tuple(way for way in ways if way not in (one.key, words)),
            head=label,
            tail=TYPES[one.type],
        )
        for id_ in self._things(one.thing):
            if self._random.random() < TOLD:
                self._facts.add((id_, name, self._value(name, one.type)))

    def _value(self, relation: str, type_: str) -> str:
        pick = self._random
        if type_ == "text":
            text = _word(random.Random(f"{relation} {pick.randrange(12)}"))
        elif type_ == "date":
            text = f"{pick.randint(1960, 2025)}-{pick.randint(1, 12):02}-{pick.randint(1, 28):02}"
        elif type_ == "float":
            text = f"{pick.uniform(1, 100):.1f}"
        else:
            text = str(pick.randint(1950, 2025) if type_ == "year" else pick.randint(1, 60))
        id_ = f"{VALUE}{relation}:{text}"
        self._entities.setdefault(id_, Entity(id_, text, TYPES[type_]))
        return id_

    def _things(self, thing: str) -> list[str]:
        if thing not in self._ids:
            self._ids[thing] = [f"{thing}:{at}" for at in range(self._random.randint(*THINGS))]
            numbered = self._random.random() < 0.15
            for id_ in self._ids[thing]:
                self._entities[id_] = Entity(id_, self._name(numbered), _label(thing))
        return self._ids[thing]

    def _name(self, numbered: bool) -> str:
        """One that nothing else in the graph has."""
        while True:
            words = [_word(self._random).capitalize() for _ in range(self._random.choice((1, 2, 2, 3)))]
            name = str(self._random.randrange(10**5, 10**9)) if numbered else " ".join(words)
            if name not in self._names:
                self._names.add(name)
                return name


def _ways(one: Related | Told) -> tuple[str, ...]:
    return one.said if isinstance(one, Related) else (one.key, *one.said)


def _label(thing: str) -> str:
    return "".join(word.capitalize() for word in thing.split())


def _word(generator: random.Random) -> str:
    return "".join(generator.choices(SYLLABLES, k=generator.randint(2, 3))) + generator.choice(ENDS)
