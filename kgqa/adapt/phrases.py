"""How a relation can be said: what its words are (a noun, a verb, a passive ...), and what can be made of them.

A step leads from things M to things T. The words of a relation say "M words T": "Heat | directed by | Michael Mann".
From them come phrases for the step and for the one back.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import get_args

from graph_schema import RelationSchema, Schema
from graph_schema.schema import PropertyType, RelationPropertySchema
from graph_schema.text import relation_words
from graph_schema.types import DEFAULT_LABEL
from kgqa.adapt.thesaurus import done_with, other_verbs
from kgqa.adapt.verbs import PASSIVE, Verb, agents_of, done_by, plural, singular, verb_of
from kgqa.stores.foreign.plan import TAIL
from kgqa.stores.foreign.wording import PREPOSITIONS, is_thing

_IN = PREPOSITIONS | {"of", "by", "to"}
_LIGHT = frozenset(("has", "have", "had", "is", "are", "was", "were", "be"))
_HAPPENED = {
    "birth": "born", "death": "died", "release": "released", "publication": "published", "foundation": "founded",
    "founding": "founded", "burial": "buried", "marriage": "married", "production": "produced", "creation": "created",
    "event": "happened", "report": "reported", "order": "ordered", "start": "started", "end": "ended",
}  # fmt: skip
WHEN = frozenset(("year", "date", "time", "day"))
WHERE = frozenset(("place", "location", "city", "country", "birthplace", "town", "region"))
VALUES = frozenset(get_args(PropertyType))  # labels of values, of which no kind is said ("the integer 7")
_OLD = {"age": "old", "height": "tall", "length": "long", "duration": "long", "weight": "heavy", "depth": "deep"}
_PERSONS = """person people child parent spouse father mother brother sister sibling son daughter husband wife partner
    friend couple relative ancestor student president employee artist musician politician colleague member
    customer user pupil teacher professor boss client guest lawyer judge driver pilot coach trainer athlete captain
    mayor minister king queen leader chief poet painter scientist researcher engineer gardener farmer chef journalist
    critic detective witness victim passenger tenant landlord mentor hero astronaut soldier tutor supervisor
    advisor adviser inventor applicant"""
PEOPLE = frozenset(_PERSONS.split())


@dataclass(frozen=True)
class Phrases:
    """Ways to say one step; each of these may be empty.

    Attributes:
        nouns: T is "the NOUN of M". verbs: "T VERB M". objects: "M VERB T". passives: "M was PASSIVE T".
        clauses: "T CLAUSE M" ("films directed by M"). whose: "T whose NOUN is M".
        happened: (noun, participle) of "what NOUN was M PARTICIPLE" ("what year was M released").
        how: adjectives of "how ADJECTIVE is M". like: "T are LIKE in M" ("drugs that are interacting in M").
        told: "the T told of M" with M as \0, whole ("the doses of \0 as suspect").
        who: whether T are people.
    """

    nouns: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    passives: tuple[str, ...] = ()
    clauses: tuple[str, ...] = ()
    whose: tuple[str, ...] = ()
    happened: tuple[tuple[str, str], ...] = ()
    how: tuple[str, ...] = ()
    like: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    who: bool = False

    def __or__(self, other: Phrases) -> Phrases:
        joined = {f.name: (*getattr(self, f.name), *getattr(other, f.name)) for f in fields(self) if f.name != "who"}
        return Phrases(**{name: tuple(dict.fromkeys(said)) for name, said in joined.items()}, who=self.who or other.who)


def phrases(schema: Schema, relation: str, inverse: bool, label: str) -> Phrases:
    """All ways to say a step, from the words of both directions.

    Args:
        label: of what the step leads to.
    """
    known = schema.relations.get(relation, RelationSchema())
    ends = label_nouns(schema, label)
    own, other = Phrases(), Phrases()
    if held := held_property(schema, relation):
        return _of_a_relationship(schema, *held)[inverse]
    heads = (*label_nouns(schema, known.head), *(ends if inverse else ()))
    tails = (*label_nouns(schema, known.tail), *(() if inverse else ends))
    for words in (schema.words(relation), *known.synonyms, *_everyday_verbs(schema, relation)):
        forward, back = _between_ends(words, heads, tails) or _said(words, tails)
        own, other = own | forward, other | back
    for words in (known.inverse or "", *known.inverse_synonyms):
        if words:
            back, forward = _said(words, heads)
            own, other = own | forward, other | back
    found = (other if inverse else own) | _by_label(schema, relation, inverse, label)
    found = found | Phrases(
        verbs=_like_verbs(schema, relation, found.verbs), objects=_like_verbs(schema, relation, found.objects)
    )
    person = any(singular(noun.split()[-1]) in PEOPLE for noun in (*ends, *found.nouns))
    person = person or any(done_by(noun.split()[-1]) for noun in found.nouns)
    return found | Phrases(who=person)


def label_nouns(schema: Schema, label: str) -> tuple[str, ...]:
    """What things of a label are called; nothing if it says nothing."""
    if label in (DEFAULT_LABEL, *VALUES) and label not in schema.labels:
        return ()
    known = schema.labels.get(label)
    return (((known.words if known else None) or relation_words(label)).lower(),)


def held_property(schema: Schema, relation: str) -> tuple[str, str, bool] | None:
    """The type, the property, and whether it is told from the tail, of a relation that relationships have as their
    property (see ``stores.foreign.plan``); None of any other."""
    type_, dot, key = relation.removeprefix(TAIL).rpartition(".")
    known = schema.relations.get(type_)
    return (type_, key, relation.startswith(TAIL)) if dot and known and key in known.properties else None


def property_noun(schema: Schema, type_: str, key: str) -> str:
    """What a property of relationships is called by itself, without the words of their type.

    >>> said = {"IS_SUSPECT": RelationSchema(words="suspect", properties={"dose": {"words": "dose of suspect"}})}
    >>> property_noun(Schema(relations=said), "IS_SUSPECT", "dose")
    'dose'
    """
    held = schema.relations[type_].properties.get(key, RelationPropertySchema())
    words = (held.words or relation_words(key)).lower().split()
    own = schema.words(type_).lower().split()
    if len(words) > len(own) and words[-len(own) :] == own:
        words = words[: -len(own)]
        if len(words) > 1 and words[-1] in ("of", "as", "for", "when"):
            words = words[:-1]
    return " ".join(words)


def thing_noun(schema: Schema, type_: str) -> str:
    """What a type calls the thing at its end ("primary suspect"); nothing if it is said by a verb."""
    return schema.words(type_).lower() if is_thing(type_) else ""


def _of_a_relationship(schema: Schema, type_: str, key: str, tail: bool) -> tuple[Phrases, Phrases]:
    """The doses that a case has, by its suspects, or that a drug has as a suspect; and who has a dose."""
    noun, thing = property_noun(schema, type_, key), thing_noun(schema, type_)
    many = number(noun, True)
    # By itself, a property that several types have doesn't say which is meant.
    alone = () if sum(key in one.properties for one in schema.relations.values()) > 1 else (noun,)
    if not thing:
        verb = verb_of(schema.words(type_).lower().split()[0])
        done = (f"{verb.participle if tail else verb.past} " if verb and not schema.words(type_).split()[1:] else "",)
        withs = tuple(f"{did}with {the}{noun}" for did in dict.fromkeys(("", *done)) for the in ("", "the ", "a "))
        plain = Phrases(nouns=(noun,)), Phrases(whose=(noun,), clauses=withs)
        verbs = (schema.words(type_).lower(),) if not tail and verb else ()
        told = tuple(f"the {many} with which \0 {did}" for did in verbs)
        agents = agents_of(schema.words(type_).lower()) if tail else ()
        told += tuple(f"the {many} of the {number(agent, True)} of \0" for agent in agents)
        return plain[0] | Phrases(told=told), plain[1] | Phrases(verbs=() if tail else done_with(noun))
    forward: tuple[str, ...]
    back: tuple[str, ...]
    if tail:
        forward = (f"the {noun} of \0 as {thing}", f"the {many} of \0 as {thing}", f"the {noun} of the {thing} \0")
        forward += (f"the {many} that \0 has as a {thing}", f"\0 's {noun} as a {thing}")
        back = (f"as {thing} with {noun}", f"as {thing} with the {noun}", f"that are {thing} with the {noun}")
        return Phrases(nouns=(*alone, f"{thing} {noun}"), told=forward), Phrases(
            whose=(*alone, f"{noun} as {thing}", f"{thing} {noun}"), clauses=back
        )
    ends = label_nouns(schema, schema.relations[type_].tail)
    things = (thing, *(f"{thing} {end}" for end in ends if end not in thing))
    forward = tuple(f"the {noun} that the {one} of \0 has" for one in things)
    forward += tuple(f"the {noun} of the {one} {in_} \0" for one in things for in_ in ("of", "in"))
    return Phrases(nouns=(*alone, f"{thing} {noun}"), told=forward), Phrases(
        whose=(*alone, f"{thing} {noun}"), clauses=tuple(f"with a {one} with the {noun}" for one in things)
    )


def _everyday_verbs(schema: Schema, relation: str) -> tuple[str, ...]:
    """Other verbs for a relation's own, that no other one of the schema is said by."""
    own = other_verbs(schema.words(relation))
    if not own:  # as of most: not worth looking at all the others
        return ()
    others = {schema.words(name).lower() for name in schema.relations if name != relation}
    meant = {verb for words in others for verb in other_verbs(words)}
    return tuple(verb for verb in own if verb not in others | meant)


def _like_verbs(schema: Schema, relation: str, verbs: tuple[str, ...]) -> tuple[str, ...]:
    """The same of verbs that a relation's words give ("starred in", of "starred actors")."""
    likes = [like for verb in verbs for like in other_verbs(verb)]
    if not likes:
        return ()
    others = {schema.words(name).lower() for name in schema.relations if name != relation}
    return tuple(like for like in likes if like not in others)


def _by_label(schema: Schema, relation: str, inverse: bool, label: str) -> Phrases:
    """What the label of that which a step leads to adds to its words: "the outcome of case 7", "suspect drugs"."""
    known = schema.relations.get(relation, RelationSchema())
    here, there = (known.tail, known.head) if inverse else (known.head, known.tail)
    nouns = label_nouns(schema, label)
    if not nouns or label != there:
        return Phrases()
    ways = [
        (name, back)
        for name, one in schema.relations.items()
        for back in (False, True)
        if ((one.tail, one.head) if back else (one.head, one.tail)) == (here, there)
    ]
    found = Phrases(nouns=nouns) if ways == [(relation, inverse)] else Phrases()
    thing = thing_noun(schema, relation)
    if not inverse and thing and not set(nouns[0].split()) & set(thing.split()):
        like = (thing,)
        if thing.endswith("ing") and " " not in thing and (verb := verb_of(thing.removesuffix("ing") + "ed")):
            found = found | Phrases(verbs=(f"{verb.past} in",))
        found = found | Phrases(nouns=(f"{thing} {nouns[0]}",), like=like)
    return found


def _between_ends(text: str, heads: tuple[str, ...], tails: tuple[str, ...]) -> tuple[Phrases, Phrases] | None:
    """The same of a verb between what its ends are called ("compound binds gene"); None of other words."""
    first, *verb, last = text.lower().split() if len(text.split()) == 3 else ("", "")
    if first not in heads or last not in tails or not verb[0].endswith("s"):
        return None
    base = singular(verb[0])
    done = base + "d" if base.endswith("e") else base[:-1] + "ied" if base.endswith("y") else base + "ed"
    known = verb_of(done) or Verb(base, done, done)
    said = (verb[0], base, known.past)
    return Phrases(objects=said), Phrases(verbs=said, clauses=(f"{known.participle} by",))


def _said(text: str, ends: tuple[str, ...]) -> tuple[Phrases, Phrases]:
    """Phrases for the step that these words say, and for the one back.

    Args:
        ends: what that which the words lead to is called; words may begin with it ("movie with genre").
    """
    words = text.lower().split()
    if not words:
        return Phrases(), Phrases()
    for end in ends:
        rest = words[len(end.split()) :]
        if rest and words[: len(end.split())] == end.split() and (rest[0] in _IN or rest[-1] in _IN):
            return _from_end(rest)
    if words[0] in _LIGHT and len(words) > 1:
        words = words[1:]
    if len(words) > 1 and (words[0] in _IN or words[-1] in _IN):
        return _with_preposition(words)
    said = " ".join(words)
    verb = verb_of(words[-1])
    if verb and len(words) == 1:
        return _active(verb.past, verb.participle)
    if verb and len(words) == 2 and words[0] in WHEN | WHERE:
        return _happening(words[0], verb.participle, said)
    return _noun(words)


def _from_end(rest: list[str]) -> tuple[Phrases, Phrases]:
    said = " ".join(rest)
    if rest[0] in _IN and len(rest) > 1:
        noun = " ".join(rest[1:])
        return Phrases(clauses=(said,), whose=(noun,)), Phrases(nouns=(noun,))
    passive = rest[0] in PASSIVE or rest[-1] == "by"
    verb = f"was {said}" if passive else said
    return Phrases(clauses=(said,), verbs=(verb,)), Phrases(
        objects=() if passive else (said,), passives=(said,) * passive
    )


def _passive(done: str) -> tuple[Phrases, Phrases]:
    """ "Heat is directed by Mann"."""
    verb = verb_of(done.rsplit(maxsplit=1)[-1])
    past = " ".join([*done.split()[:-1], verb.past]) if verb else done
    agent = agents_of(past)
    by = (f"{done} by",)
    return Phrases(nouns=agent, verbs=(past,), passives=by), Phrases(clauses=by, objects=(past,), whose=agent)


def _active(past: str, done: str) -> tuple[Phrases, Phrases]:
    """ "Mann directed Heat"."""
    back, forward = _passive(done)
    return forward | Phrases(objects=(past,)), back | Phrases(verbs=(past,))


def _with_preposition(words: list[str]) -> tuple[Phrases, Phrases]:
    """ "Mann was born in Chicago", "De Niro acted in Heat", "Heat in language English", "Ann parent of Bob"."""
    said = " ".join(words)
    if words[-1] == "by":
        return _passive(" ".join(words[:-1]))
    if words[-1] == "of":
        noun = " ".join(words[:-1])
        return Phrases(whose=(noun,), objects=(f"is the {said}",)), Phrases(nouns=(noun,))
    if words[-1] not in _IN:
        noun = " ".join(words[1:])
        return Phrases(nouns=(noun,)), Phrases(clauses=(said, words[0]), whose=(noun,))
    if words[0] in PASSIVE:
        return Phrases(passives=(said,)), Phrases(clauses=(said,), verbs=(f"was {said}",))
    agent = agents_of(said) or agents_of(words[0])
    return Phrases(objects=(said,), whose=agent), Phrases(verbs=(said,), nouns=agent)


def _happening(noun: str, done: str, said: str) -> tuple[Phrases, Phrases]:
    """ "year released"."""
    at = "in" if noun == "year" or noun in WHERE else "on"
    return (
        Phrases(nouns=(said,), happened=((noun, done),)),
        Phrases(clauses=(f"{done} {at}",), whose=(said,)),
    )


def _noun(words: list[str]) -> tuple[Phrases, Phrases]:
    said = " ".join(words)
    nouns = [said]
    if "of" in words[1:-1]:
        cut = words.index("of")
        nouns.append(" ".join([*words[cut + 1 :], *words[:cut]]))
    elif len(words) == 2 and verb_of(words[0]):
        nouns += [words[1], words[1]]
    forward = Phrases(nouns=tuple(nouns), how=tuple(adjective for noun, adjective in _OLD.items() if noun == words[-1]))
    back = Phrases(whose=tuple(nouns), clauses=(f"with {said}", f"with the {said}"))
    for happened, done in _HAPPENED.items():
        if happened in words and len(words) > 1:
            kind = next((word for word in words if word in WHEN | WHERE), "")
            if kind:
                forward = forward | Phrases(happened=((kind, done),))
                at = "in" if kind == "year" or kind in WHERE else "on"
                back = back | Phrases(clauses=(f"{done} {at}",))
    did = done_by(words[-1])
    if did:
        first = did.split()[0]
        verb = verb_of(first)
        by = f"{verb.participle if verb else first} by"
        if len(words) == 2 and words[0].endswith("ed"):  # "starred actors"
            forward = forward | Phrases(verbs=(f"{words[0]} in",), objects=(words[0],))
            doing = f"{words[0].removesuffix('ed')}ing"  # "starring", spelled as "starred" is
            back = back | Phrases(objects=(f"{words[0]} in",), clauses=(f"{words[0]} by", doing))
        forward = forward | Phrases(verbs=(did,))
        back = back | Phrases(objects=(did,), clauses=(by,))
    return forward, back


def number(noun: str, several: bool) -> str:
    """A noun as one of them or several.

    >>> number("actor", True), number("year born", True), number("release years", False)
    ('actors', 'years born', 'release year')
    """
    if not noun.split():
        return noun
    first, *rest = noun.split()
    if rest and first in WHEN | WHERE and verb_of(rest[-1]):
        return " ".join([plural(first) if several else singular(first), *rest])
    *before, last = noun.split()
    return " ".join([*before, plural(last) if several else singular(last)])
