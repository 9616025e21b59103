"""The words that questions are made of: how a step is said, what things are called, and chance."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from types import MappingProxyType

from graph_schema import Schema
from graph_schema.types import DEFAULT_LABEL
from kgqa.adapt.phrases import Phrases, label_nouns, number, phrases
from kgqa.adapt.thesaurus import asked_without
from kgqa.adapt.verbs import plural, singular

TOPIC, OTHER = "\0", "\1"  # where names stand in a text
_OPENERS = """what is|what are|name|list|show|show me|give me|find|tell me|can you name|do you know|
i want to know|i would like to know|can you tell me|please tell me|
who or what is|which is|please list|describe|what|which|who is|who are|
list all|show all|find all|give me all|name all|what are all"""
OPENERS = tuple(opener.replace("\n", "") for opener in _OPENERS.split("|"))
# Kinds of thing that say nothing of a relation: a reader is to pass over them. Those in the words, and in the other
# words, of the graph's relations are left out.
_KINDS = """movie film book song album series game company organisation team club city town
country place building school university product part drug disease gene protein animal plant paper article patent event
project recipe vehicle device word thing one entry item entity title work"""
KINDS = tuple(_KINDS.split())
EMPTIER = ("name", "type", "kind")  # of "the name of the director of": they say no more
BALANCED = 0.5  # of the phrases, those of which each kind (by its nouns, by its verbs ...) comes as often as any other
SYNONYMS = 0.4  # of the places where a synonym could stand
LIKELY = 0.7  # of the things whose label says nothing, those that are called what they may well be
PEOPLE = ("person", "person", "man", "woman", "artist", "one")


class Words:
    """What all wordings draw from.

    Args:
        schema: whose words are used. relations: of the graph. generator: what is random.
        synonyms: of some relations, words that now and then stand for its own, from head to tail.
        kinds: what things whose label says nothing may well be; they are called so more than by any other word.
        people: (relation, inverse) of the steps that lead to people, beside those whose words say it.
    """

    def __init__(
        self,
        schema: Schema,
        relations: Sequence[str],
        generator: random.Random,
        synonyms: Mapping[str, Sequence[str]] = MappingProxyType({}),
        kinds: Sequence[str] = (),
        people: Set[tuple[str, bool]] = frozenset(),
    ) -> None:
        self._synonyms, self._people = synonyms, people
        self._schema, self._random = schema, generator
        said = {w for r in relations for inverse in (False, True) for w in schema.words(r, inverse=inverse).split()}
        said |= {word for r in relations for words in synonyms.get(r, ()) for word in words.split()}
        said |= {word.replace("z", "s") for word in said}  # "organization"
        said |= {singular(word) for word in said} | {plural(word) for word in said}
        self._emptier = [word for word in EMPTIER if word not in said]
        self._kinds = {
            who: tuple(kind for kind in kinds if kind not in said) or ("one",)
            for who, kinds in ((False, KINDS), (True, PEOPLE))
        }
        self._likely = tuple(kind for kind in kinds if kind in self._kinds[False])
        self._known: dict[tuple[str, bool, str], Phrases] = {}
        nouns = {r: phrases(schema, r, inverse=False, label=DEFAULT_LABEL).nouns for r in relations}
        asked = {r: asked_without((schema.words(r), *nouns[r], *synonyms.get(r, ()))) for r in relations}
        times = Counter(one for of in asked.values() for one in of)
        # What could ask for two relations says neither.
        self._unnamed = {r: [one for one in of if times[one] == 1] for r, of in asked.items()}

    def _called(self, name: str, label: str, must: bool, share: float = 0.5, who: bool = False) -> str:
        """A name, in some cases with its kind; its own one if that must be said."""
        if must and (known := label_nouns(self._schema, label)):
            return self._pick(f"{known[0]} {name}", f"{known[0]} {name}", f"the {known[0]} {name}")
        if self._chance(share):
            kind = self._kind(label, who)
            return self._pick(f"the {kind} {name}", f"{kind} {name}", f"{kind} {name}", f"the {name} {kind}")
        return name

    def _phrases(self, relation: str, inverse: bool, label: str) -> Phrases:
        key = (relation, inverse, label)
        if key not in self._known:
            known = phrases(self._schema, relation, inverse, label)
            self._known[key] = known | Phrases(who=(relation, inverse) in self._people)
        how, near = self._known[key], self._synonyms.get(relation)
        if near and (how.nouns or how.whose) and self._chance(SYNONYMS):
            word = (self._pick(*near),)
            how = Phrases(nouns=word if how.nouns else (), whose=word if how.whose else (), who=how.who)
        return how

    def _kind(self, label: str, who: bool = False) -> str:
        """What a thing of a label is called; where the label says nothing, anything, or anything people are called."""
        known = label_nouns(self._schema, label)
        if known and self._chance(0.8):
            return self._pick(*known)
        likely = self._likely and not who and self._chance(LIKELY)
        return self._pick(*self._likely) if likely else self._pick(*self._kinds[who])

    def _things(self, label: str, several: bool, who: bool = False) -> str:
        return self._pick("the ", "the ", "") + number(self._kind(label, who), several)

    def _possessive(self, said: str) -> str:
        return said + self._pick("'s", "'s", " 's")

    def _any(self, made: Sequence[str]) -> str:
        return self._random.choice([one for one in made if one])

    def _of_kinds(self, *kinds: Sequence[str]) -> str:
        """One of them, in a share of the cases each kind as often as any other.

        What can be said with many words, or by many nouns, would hardly ever be said in another way.
        """
        there = [some for kind in kinds if (some := [one for one in kind if one])]
        if self._chance(BALANCED):
            return self._any(self._random.choice(there))
        return self._any([one for some in there for one in some])

    def _pick(self, *of: str) -> str:
        return self._random.choice(of)

    def _chance(self, share: float) -> bool:
        return self._random.random() < share
