"""What kind of thing a question asks for, where it says so: "which movies", "list the cases that", "the age of"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from graph_schema import Schema
from graph_schema.text import relation_words
from kgqa.adapt.phrases import PEOPLE, VALUES, WHEN, held_property, number, property_noun, thing_noun
from kgqa.adapt.verbs import AGENTS, done_by, singular, verb_of
from kgqa.linking.topics import ALSO
from kgqa.model.encoder import MASK, OTHER
from kgqa.stores.foreign.wording import PREPOSITIONS, is_thing

_SMALL = frozenset(("of", "by", "to", "is", "are", "was", "were", "has", "have", "had", "the", "a"))
_OF = frozenset(("of", "in", "for"))
_MOST_BEFORE = 3  # words before a kind
_NAMES = r"(?:the )?(?:different |distinct )?(?:names? of )?(?:all )?(?:the )?"
_BEFORE = r"(?:(?:in|for|from|by|on|at|with|of|to) )?"
_ASKED = re.compile(
    rf"^(?:please,? )?{_BEFORE}"
    r"(?P<opener>(?:which|what|who)(?: (?:is|are|was|were))? |(?:list|name|find|show|give|tell)(?: me)?(?: all)? )?"
    rf"{_NAMES}(?P<rest>.+)$",
    re.IGNORECASE,
)
_WHO = re.compile(rf"{_BEFORE}whom?\b")
_WHEN = re.compile(rf"when\b|{_BEFORE}(?:what|which) (?:year|date|day|time)s?\b")
_HOW = re.compile(rf"{_BEFORE}how (\w+)")

_PROPERTY = "."  # what kinds begin with that aren't labels
_WHO_DOES, _TIMES = ".who", ".when"
_DATES = frozenset(("date", "datetime"))
_MEASURES = frozenset(("amount", "level", "number", "quantity", "value"))
# "How old" asks for the age.
_HOW_SO = {
    "old": ("age",), "long": ("duration", "length", "runtime"), "much": ("amount", "price", "cost", "quantity"),
    "tall": ("height",), "high": ("height", "elevation"), "heavy": ("weight",), "large": ("size", "area"),
    "big": ("size", "area"), "deep": ("depth",), "wide": ("width",), "fast": ("speed",), "far": ("distance",),
}  # fmt: skip
# What isn't a person, but acts: who produced a film may be a company.
_ACTING_THINGS = """agency association band bank company club firm institution office organisation organization
party school source studio team university"""
_ACTING = frozenset(_ACTING_THINGS.split())

# When words say what is asked for: after "which" or "list" alone; also before "of"; wherever they stand first.
_ASKED_FOR, _OF_WHAT, _EVER = range(3)


class _Called(NamedTuple):
    """Words for a kind."""

    said: str
    when: int
    kind: str


class AskedKinds:
    """Knows what the kinds of a graph are called, and which words after them say that another thing is meant.

    A kind is a label; or what a property is called ("rating", and of "reporter occupation" also "occupation"), whose
    values are of that kind, or what the relationships of one type have ("dose" of the primary suspect); or who does
    something, or when. In a graph that has no labels nothing is of any kind.

    Attributes:
        kinds: their names. of: of each kind, the directed relations that lead from things of it.
        held: of each kind, whether it is what relationships of one type have.
        from_values: the directed relations that lead from values. directed: how many directed relations there are.

    Args:
        schema: of the graph. relations: the ones it has. said: other wordings of these.
    """

    def __init__(self, schema: Schema, relations: Sequence[str], said: Iterable[Sequence[str]] = ()) -> None:
        self.directed = 2 * len(relations)
        self.from_values: list[int] = []
        ends = [schema.relations.get(name) for name in relations]
        labels = {label for one in ends if one for label in (one.head, one.tail)} & set(schema.labels)
        found: dict[str, set[int]] = {label: set() for label in sorted(labels)}
        called = {words for label in found for words in _words_of_a_label(schema, label)}
        types: dict[str, str] = {}  # of relationships that are things with properties: how each is said
        for at, (name, one) in enumerate(zip(relations, ends, strict=True)):
            if one is None or not labels:
                continue
            if one.head in found:
                found[one.head].add(2 * at)
            if one.tail in found:
                found[one.tail].add(2 * at + 1)
                called |= _of_what(thing_noun(schema, name), one.tail)
            elif one.tail in VALUES:
                self.from_values.append(2 * at + 1)
                held = held_property(schema, name)
                if held and is_thing(held[0]):
                    types[held[0]] = schema.words(held[0]).lower()
                for noun in _value_nouns(schema, name):
                    for kind in _held_kinds(noun, types, held):
                        found.setdefault(kind, set()).add(2 * at + 1)
                    called |= _of_what(noun, f"{_PROPERTY}{noun}")
                if one.tail in _DATES or (one.tail == "integer" and _a_time(schema.words(name))):
                    found.setdefault(_TIMES, set()).add(2 * at + 1)
        if agents := {at for label in labels if _acts(schema, label) for at in found[label]}:
            found[_WHO_DOES] = agents
            for agent in AGENTS:
                called |= {_Called(agent, _OF_WHAT, _WHO_DOES), _Called(number(agent, True), _EVER, _WHO_DOES)}
        self.kinds = list(found)
        self.of = [sorted(found[kind]) for kind in self.kinds]
        self.held = [" IN " in kind for kind in self.kinds]
        self._place = {kind: place for place, kind in enumerate(self.kinds)}
        self._types = sorted(((words, type_) for type_, words in types.items()), key=lambda one: -len(one[0]))
        # By the first word; the longest first, and labels before properties of the same name.
        self._called: dict[str, list[_Called]] = {}
        for words in sorted(called, key=lambda one: (-len(one.said), one.kind.startswith(_PROPERTY), one)):
            self._called.setdefault(words.said.split()[0], []).append(words)
        # Longer ones of the others are sentences ("movie with score").
        texts = [*_texts(schema, relations), *(text for others in said for text in others if text.count(" ") < 2)]
        self._nouns = {singular(word) for text in texts for word in text.lower().split()} - PREPOSITIONS - _SMALL

    def __call__(self, text: str) -> int:
        """The position in ``kinds`` of the kind that a text asks for, with its topic masked; -1 if it doesn't say.

        >>> schema = Schema.from_yaml("{labels: {Movie: {}}, relations: {DIRECTED: {head: Person, tail: Movie}}}")
        >>> asked = AskedKinds(schema, ["DIRECTED"])
        >>> [asked(f"{said} [MASK]") for said in ("Which movies share", "films by", "what movie's director is")]
        [0, 0, -1]
        """
        text = text.strip().lower()
        return self._place.get(self._said(text) or self._asked_by(text), -1)

    def _said(self, text: str) -> str:
        """The kind that a text names; nothing if it names none, or not as what it asks for."""
        found = _ASKED.match(text)
        rest = found["rest"] if found and self._called else ""
        for before in range(_MOST_BEFORE + 1):
            kind = self._begins(rest, bool(found and found["opener"]))
            if kind and not (before and kind == _WHO_DOES):  # "which movie's director is"
                return self._of_type(kind, rest)
            # "primary suspect drugs", "reporter's occupation": what stands before says more of the kind.
            word, _, rest = rest.partition(" ")
            if not rest or singular(re.sub(r"['’]s$", "", word)) not in self._nouns:
                return ""
        return ""

    def _asked_by(self, text: str) -> str:
        """The kind that a question word asks for: who, when, how old."""
        if _WHO.match(text):
            return _WHO_DOES
        if _WHEN.match(text):
            return _TIMES
        how = _HOW.match(text)
        nouns = _HOW_SO.get(how[1], ()) if how else ()
        kind = next((one for one in (f"{_PROPERTY}{noun}" for noun in nouns) if one in self._place), "")
        return self._of_type(kind, text)

    def _of_type(self, kind: str, text: str) -> str:
        """A property's kind, as relationships of a type have it if the text speaks of just these."""
        for words, type_ in self._types:
            if f"{kind} IN {type_}" in self._place and re.search(rf"\b{re.escape(words)}(?:s|es)?\b", text):
                return f"{kind} IN {type_}"
        return kind

    def _begins(self, text: str, opened: bool) -> str:
        """The kind that a text begins with the words for, if nothing else is meant."""
        for called in self._called.get(re.split(r"[^\w-]", text, maxsplit=1)[0], ()):
            after = text.removeprefix(called.said)
            if len(after) == len(text) or re.match(r"[\w'’]", after):
                continue  # a longer word, or whose
            words = after.split()
            told = opened or called.when == _EVER or (called.when == _OF_WHAT and words and words[0] in _OF)
            if told and self._alone(words):
                return called.kind
        return ""

    def _alone(self, after: Sequence[str]) -> bool:
        """Whether a kind followed by these words is what is asked for, and not said of something else."""
        if not after:
            return True
        word = after[0].strip("?.!,:;")
        if after[0].upper().startswith((MASK, OTHER)):
            return False
        return singular(word) not in self._nouns or verb_of(word) is not None or word.endswith(("ed", "ing"))


def _texts(schema: Schema, relations: Iterable[str]) -> Iterable[str]:
    for name in relations:
        yield schema.words(name)
        yield from schema.relations[name].synonyms if name in schema.relations else ()
    for label, known in schema.labels.items():
        yield known.words or relation_words(label)


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


def _words_of_a_label(schema: Schema, label: str) -> Iterable[_Called]:
    words = (schema.labels[label].words or relation_words(label)).lower()
    for kind in (words, *ALSO.get(words, ())):
        yield _Called(kind, _ASKED_FOR, label)
        yield from (_Called(several, _EVER, label) for several in (number(kind, True), f"{kind}s"))


def _of_what(noun: str, kind: str) -> set[_Called]:
    return {_Called(said, _OF_WHAT, kind) for said in (noun, number(noun, True))} if noun else set()


def _held_kinds(noun: str, types: Iterable[str], held: tuple[str, str, bool] | None) -> Iterable[str]:
    """The kinds that values called so are of."""
    yield f"{_PROPERTY}{noun}"
    if held and held[0] in types:
        yield f"{_PROPERTY}{noun} IN {held[0]}"
