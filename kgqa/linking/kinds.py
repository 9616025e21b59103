"""What kinds of things a graph has, and what they are called: labels, values of properties, who acts, times.

Where a graph has no labels, a kind is what its relations call the things that they lead to: "director", "release year".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from graph_schema import RelationSchema, Schema
from graph_schema.text import relation_words
from graph_schema.types import DEFAULT_LABEL
from kgqa.adapt.phrases import PEOPLE, VALUES, WHEN, held_property, number, phrases, property_noun, thing_noun
from kgqa.adapt.verbs import AGENTS, doers, done_by, singular, verb_of
from kgqa.linking.topics import ALSO
from kgqa.stores.foreign.wording import PREPOSITIONS, is_thing

PROPERTY = "."  # what kinds begin with that aren't labels
WHO, TIMES = ".who", ".when"
# When words say what is asked for: after "which" or "list" alone; also before "of"; wherever they stand first.
ASKED_FOR, OF_WHAT, EVER = range(3)
MOST_RELATIONS = (
    3_000  # of a graph whose properties and relations give kinds; of more, only labels do: a kind costs a row
)
_DATES = frozenset(("date", "datetime"))
_MEASURES = frozenset(("amount", "level", "number", "quantity", "value"))
# What isn't a person, but acts: who produced a film may be a company.
_ACTING_THINGS = """agency association band bank company club firm institution office organisation organization
party school source studio team university"""
_ACTING = frozenset(_ACTING_THINGS.split())


class Called(NamedTuple):
    """Words for a kind, and when they say that it is asked for."""

    said: str
    when: int
    kind: str


@dataclass
class Kinds:
    """The kinds of a graph.

    Attributes:
        of: of each kind, the directed relations that lead from things of it. known: those that lead from things whose
            kind is known, though it may have no name.
        called: words for them. ends: a relation's words, that stand for what it leads to at the end of a chain ("X's
            parents' people born here").
        types: of the relationships that are things and have properties, how each is said.
        doing: forms of verbs, each with the kind of those who do it ("wrote"); of a graph without labels.
    """

    of: dict[str, set[int]]
    known: set[int] = field(default_factory=set)
    called: set[Called] = field(default_factory=set)
    ends: dict[str, str] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    doing: dict[str, str] = field(default_factory=dict)

    def add(self, kind: str, directed: int) -> None:
        """A directed relation that leads from things of a kind."""
        self.of.setdefault(kind, set()).add(directed)
        self.known.add(directed)


def kinds_of(schema: Schema, relations: Sequence[str], *, by_nouns: bool = False) -> Kinds:
    """The kinds of a graph that has these relations.

    Args:
        by_nouns: a graph without labels has kinds, too. One of more than ``MOST_RELATIONS`` has labels at most.
    """
    few = len(relations) <= MOST_RELATIONS
    ends = [schema.relations.get(name) for name in relations]
    labels = {label for one in ends if one for label in (one.head, one.tail)} & set(schema.labels)
    kinds = Kinds({label: set() for label in sorted(labels)})
    if labels:
        kinds.called |= {words for label in labels for words in _words_of_a_label(schema, label)}
        for at, (name, one) in enumerate(zip(relations, ends, strict=True)):
            if one is not None:
                _add_relation(kinds, schema, labels, at, name, one, values=few)
        for label in sorted(labels):
            if _acts(schema, label):
                for directed in kinds.of[label]:
                    kinds.add(WHO, directed)
    elif by_nouns and few:
        for directed in range(2 * len(relations)):
            _add_nouns(kinds, schema, relations[directed // 2], directed)
        kinds.known |= set(range(2 * len(relations))) if kinds.of else set()
        _add_doers(kinds)
    if WHO in kinds.of:
        for agent in AGENTS.keys() - {words.said for words in kinds.called}:
            kinds.called |= {Called(agent, OF_WHAT, WHO), Called(number(agent, True), EVER, WHO)}
    return kinds


def _add_relation(
    kinds: Kinds, schema: Schema, labels: set[str], at: int, name: str, one: RelationSchema, *, values: bool
) -> None:
    """What a relation of a graph with labels says of the kinds; of ``values``, too, if these are to be told apart."""
    if one.head in labels:
        kinds.add(one.head, 2 * at)
    if one.tail in labels:
        kinds.add(one.tail, 2 * at + 1)
        kinds.called |= _of_what(thing_noun(schema, name), one.tail)
    elif one.tail in VALUES:
        kinds.known.add(2 * at + 1)
        if not values:
            return
        held = held_property(schema, name)
        if held and is_thing(held[0]):
            kinds.types[held[0]] = schema.words(held[0]).lower()
        for noun in _value_nouns(schema, name):
            for kind in _held_kinds(noun, kinds.types, held):
                kinds.add(kind, 2 * at + 1)
            kinds.called |= _of_what(noun, f"{PROPERTY}{noun}")
        if one.tail in _DATES or (one.tail == "integer" and _a_time(schema.words(name))):
            kinds.add(TIMES, 2 * at + 1)


def _add_nouns(kinds: Kinds, schema: Schema, relation: str, directed: int) -> None:
    """What a relation of a graph without labels calls the things that it leads to."""
    told = phrases(schema, relation, bool(directed % 2), DEFAULT_LABEL)
    words = schema.words(relation).lower()
    last = {*words.split()[-1:]}
    if directed % 2 == 0 and not told.nouns and last and not last & (PREPOSITIONS | {"by", "of"}):
        kinds.add(f"{PROPERTY}{words}", directed ^ 1)
        kinds.ends[words] = f"{PROPERTY}{words}"
    for noun in {number(noun.lower(), False) for noun in told.nouns}:
        kinds.add(f"{PROPERTY}{noun}", directed ^ 1)
        kinds.called |= _of_what(noun, f"{PROPERTY}{noun}")
        if WHEN & {*noun.split()}:
            kinds.add(TIMES, directed ^ 1)
    if told.who:
        kinds.add(WHO, directed ^ 1)


def _add_doers(kinds: Kinds) -> None:
    """Who does something, by what they are called; those who are called otherwise, but do the same, together."""
    for form, agents in doers([kind.removeprefix(PROPERTY) for kind in kinds.of]).items():
        first, *others = (f"{PROPERTY}{agent}" for agent in agents)
        if any(kinds.of[other] != kinds.of[first] for other in others):
            together = f"{PROPERTY}{' or '.join(agents)}"
            kinds.of[together] = set().union(*(kinds.of[kind] for kind in (first, *others)))
            first = together
        kinds.doing[form] = first


def _value_nouns(schema: Schema, relation: str) -> Iterable[str]:
    """What the values of a property are called, all of it and the last word: "report date", "date"."""
    held = held_property(schema, relation)
    said = property_noun(schema, *held[:2]) if held else schema.words(relation).lower()
    *before, last = said.split() or [""]
    if last and verb_of(last) is None and last not in PREPOSITIONS:
        yield from dict.fromkeys((said, last, *([" ".join(before)] if before and last in _MEASURES else ())))


def _acts(schema: Schema, label: str) -> bool:
    """Whether things of a label are asked for by "who": people, or what does as they do (a company)."""
    words = (schema.labels[label].words or relation_words(label)).lower().split()
    last = singular(words[-1]) if words else ""
    return last in PEOPLE or bool(done_by(last)) or last in _ACTING or last.endswith(("er", "or", "ist"))


def _a_time(words: str) -> bool:
    """Whether a number so called is a time: "release year", "born"."""
    last = words.split()[-1:]
    return bool(last) and (last[0] in WHEN or verb_of(last[0]) is not None)


def _words_of_a_label(schema: Schema, label: str) -> Iterable[Called]:
    words = (schema.labels[label].words or relation_words(label)).lower()
    for kind in (words, *ALSO.get(words, ())):
        yield Called(kind, ASKED_FOR, label)
        yield from (Called(several, EVER, label) for several in (number(kind, True), f"{kind}s"))


def _of_what(noun: str, kind: str) -> set[Called]:
    return {Called(said, OF_WHAT, kind) for said in (noun, number(noun, True))} if noun else set()


def _held_kinds(noun: str, types: Iterable[str], held: tuple[str, str, bool] | None) -> Iterable[str]:
    """The kinds that values called so are of."""
    yield f"{PROPERTY}{noun}"
    if held and held[0] in types:
        yield f"{PROPERTY}{noun} IN {held[0]}"
