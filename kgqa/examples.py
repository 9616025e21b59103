"""Questions that a graph can be asked, with answers: one for each relation and direction, worded as people ask.

The wordings are plain English by rule; ``Wording`` is where another one goes in. The topic and the answers are real: a
fact is picked from the store, and the store is asked for the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from graph_schema import Entity, Fact, GraphReader, Group, RelationSchema, Schema
from graph_schema.text import name_key
from kgqa.adapt.phrases import Phrases, label_nouns, number, phrases
from kgqa.adapt.verbs import verb_of

LOOKED_AT = 20_000  # facts that topics are picked from
TRIED = 30  # topics of one relation and direction, of which the one with the fewest answers is taken
ANSWERS = 5  # shown of a question

Wording = Callable[[Schema, str, bool, str], str]
"""(schema, relation, whether it is walked from tail to head, the topic's name) to a question; see ``asked``."""

_BEFORE = ("in", "on", "at", "of", "from", "to", "for", "with", "by", "about")


@dataclass(frozen=True, slots=True)
class Example:
    """A question and what the store answers.

    Attributes:
        topic: what it is about, a name that no other entity bears. answers: the first of them by id; count: of all.
    """

    question: str
    topic: Entity
    relation: str
    inverse: bool
    answers: tuple[Entity, ...]
    count: int


def examples(reader: GraphReader, *, most: int = 20, wording: Wording | None = None) -> Iterator[Example]:
    """At most ``most`` examples, relations in their order, each as it is told and then the other way round.

    Raises:
        StoreError: the store failed.
    """
    said = wording or asked
    schema = reader.schema()
    picked = _picked(islice(reader.all_facts(), LOOKED_AT))
    sides = [(relation, inverse) for relation in schema.relations for inverse in (False, True)]
    for relation, inverse in islice((side for side in sides if side in picked), most):
        found = _fewest(reader, picked[relation, inverse], relation, inverse)
        if found is not None:
            topic, answers, count = found
            yield Example(said(schema, relation, inverse, topic.name), topic, relation, inverse, answers, count)


def asked(schema: Schema, relation: str, inverse: bool, topic: str) -> str:
    """A question for a relation as people ask it, by what can be made of its words.

    >>> asked(Schema(), "directed_by", False, "Heat"), asked(Schema(), "directed_by", True, "Michael Mann")
    ('who directed Heat?', 'what did Michael Mann direct?')
    >>> said = {"labels": {"Film": {"words": "film"}}, "relations": {"ACTED_IN": {"tail": "Film"}}}
    >>> asked(Schema.from_dict(said), "ACTED_IN", False, "Al Pacino")
    'which films did Al Pacino act in?'
    """
    known = schema.relations.get(relation, RelationSchema())
    label = known.head if inverse else known.tail
    how = phrases(schema, relation, inverse, label)
    kinds = label_nouns(schema, label)
    one, many = (f"which {number(kinds[0], several)}" if kinds else "what" for several in (False, True))
    for noun, done in how.happened:
        return f"what {noun} did {topic} happen?" if done == "happened" else f"what {noun} was {topic} {done}?"
    if schema.words(relation, inverse=inverse).lower() in how.nouns:
        return _of(schema.words(relation, inverse=inverse).lower(), topic)
    for verb in how.verbs:
        which = one if verb.split()[0].endswith("s") else many
        return f"{'who' if how.who else which} {verb} {topic}?"
    return (
        _by_object(how, many, topic) or _by_noun(how, many, inverse, topic) or worded(schema, relation, inverse, topic)
    )


def _by_object(how: Phrases, which: str, topic: str) -> str:
    """By what the topic does: "which films did X act in?"; empty if that isn't said by a verb."""
    for said in how.objects:
        first, *rest = said.split()
        if (verb := verb_of(first)) and first == verb.past:
            return f"{' '.join((which, 'did', topic, verb.base, *rest))}?"
    return ""


def _by_noun(how: Phrases, which: str, inverse: bool, topic: str) -> str:
    """By what is asked for, or what that has: "what is the genre of X?", "which films have the tagline X?"."""
    has, is_ = ("has", "is") if which == "what" else ("have", "are")
    made = [f"{which} {has} the {noun} {topic}?" for noun in how.whose]
    named = [_of(noun, topic) for noun in how.nouns]
    passive = [f"what was {topic} {done}?" for done in how.passives]
    made = [*made, *named, *passive] if inverse else [*named, *passive, *made]
    return next(iter((*made, *(f"{which} {is_} {clause} {topic}?" for clause in how.clauses))), "")


def _of(noun: str, topic: str) -> str:
    return f"what {'are' if _plural(noun.rsplit(maxsplit=1)[-1]) else 'is'} the {noun} of {topic}?"


def worded(schema: Schema, relation: str, inverse: bool, topic: str) -> str:
    """A question for a relation, by what its words are: "directed by", "in language", "has genre", "release year".

    >>> worded(Schema(), "directed_by", False, "Heat"), worded(Schema(), "directed_by", True, "Michael Mann")
    ('what is Heat directed by?', 'what is directed by Michael Mann?')
    >>> worded(Schema(), "in_language", False, "Heat"), worded(Schema(), "release_year", True, "1995")
    ('what language is Heat in?', 'what has the release year 1995?')
    >>> rated = {"words": "rating", "inverse": "film with rating"}
    >>> worded(Schema.from_dict({"relations": {"rated": rated}}), "rated", True, "PG")
    'what is the film with rating PG?'
    """
    own = inverse and schema.has_inverse_words(relation)
    words = schema.words(relation, inverse=inverse).split()
    if words[0] in ("has", "have") and len(words) > 1:
        words = words[1:]
    text = " ".join(words)
    if own or not inverse:
        if own and "with" in words[1:-1]:
            return f"what is the {text} {topic}?"
        if words[-1] in _BEFORE:
            return f"what is {topic} {text}?"
        if words[0] in _BEFORE and len(words) > 1:
            return f"what {' '.join(words[1:])} is {topic} {words[0]}?"
        return f"what {'are' if _plural(words[-1]) else 'is'} the {text} of {topic}?"
    if words[-1] in _BEFORE or words[0] in _BEFORE:
        return f"what is {text} {topic}?"
    return f"what has the {text} {topic}?"


def _plural(word: str) -> bool:
    return word.endswith("s") and not word.endswith("ss")


def _picked(facts: Iterable[Fact]) -> dict[tuple[str, bool], list[str]]:
    """A few ids to ask from, for each relation and direction."""
    picked: dict[tuple[str, bool], dict[str, None]] = {}
    for fact in facts:
        for inverse, id_ in ((False, fact.head), (True, fact.tail)):
            ids = picked.setdefault((fact.relation, inverse), {})
            if len(ids) < TRIED:
                ids[id_] = None
    return {side: list(ids) for side, ids in picked.items()}


def _fewest(
    reader: GraphReader, ids: Sequence[str], relation: str, inverse: bool
) -> tuple[Entity, tuple[Entity, ...], int] | None:
    """Of some entities, the one with the fewest answers and a name of its own; the first answers; how many."""
    offer = reader.offer(ids)
    if relation not in offer.relations:
        return None
    wanted = 2 * offer.relations.index(relation) + inverse
    counts = {
        ids[owner]: count
        for owner, code, count in zip(offer.owner.tolist(), offer.relation.tolist(), offer.count.tolist(), strict=True)
        if code == wanted
    }
    entities = reader.entities(list(counts))
    bearers = reader.lookup([name_key(entity.name) for entity in entities.values()])
    for id_ in sorted(counts, key=lambda id_: (counts[id_], id_)):
        if id_ in entities and len(bearers.get(name_key(entities[id_].name), ())) == 1:
            ends = reader.expand([Group(id_, relation, inverse, ANSWERS)]).entities
            told = reader.entities(ends)
            return entities[id_], tuple(told.get(end, Entity(end, end)) for end in ends), counts[id_]
    return None
