"""Questions that a graph doesn't answer, made from ones that it does, by seed. Three kinds, for three ways to be asked:

facts removed     the facts that prove the answers are taken out of the graph, at one hop of the gold path, and with
                  them every other fact between the same two entities, which may say the same in other words.
unknown entity    the topics are replaced by made-up names that nobody in the graph bears.
unknown relation  a topic of the set is asked for something that no relation of the graph is about.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from graph_schema import Fact, InputError
from graph_schema.text import name_key
from kgqa.data.graph import Walker, without
from kgqa.data.questions import Question
from kgqa.stores.snapshot import Snapshot

FACTS_REMOVED, UNKNOWN_ENTITY, UNKNOWN_RELATION = "facts removed", "unknown entity", "unknown relation"

# Asked of a topic whatever it is; only those are used of whose words the graph's relations have none.
ATTRIBUTES = (
    "blood type", "shoe size", "favourite colour", "zodiac sign", "phone number", "email address", "bank account",
    "pet", "driving licence", "eye colour", "hair colour", "weight in kilograms", "height in metres",
    "insurance policy", "tax number", "passport number", "monthly rent", "carbon footprint", "warranty period",
    "wifi password",
)  # fmt: skip
WORDINGS = (
    "what is the {attribute} of {topic} ?",
    "what is {topic} 's {attribute} ?",
    "name the {attribute} of {topic}",
)
_ONSETS = ("b", "br", "d", "f", "g", "gr", "k", "kl", "l", "m", "n", "p", "pl", "r", "s", "st", "t", "tr", "v", "z")
_RHYMES = ("a", "ak", "al", "an", "e", "el", "en", "er", "i", "il", "in", "o", "ol", "on", "or", "u", "ul", "um", "ur")


@dataclass(frozen=True)
class FactsRemoved:
    """A graph without some proving facts, and the questions told apart by what that did to them.

    Attributes:
        snapshot: the graph. removed: how many facts it lacks.
        unanswerable: questions of which no gold answer is left, without answers. answerable: those with the answers of
            before. changed: how many others have lost some of their answers; they are in neither.
    """

    snapshot: Snapshot
    removed: int
    unanswerable: tuple[Question, ...]
    answerable: tuple[Question, ...]
    changed: int


def remove_facts(questions: Sequence[Question], walker: Walker, share: float, seed: int) -> FactsRemoved:
    """Take out proving facts until a share of the questions has no answer left.

    Questions are drawn by seed; where one shares its facts with others, these lose their answers with it, so the share
    may be overshot by them.

    Raises:
        InputError: a question has no gold path, or nothing would be left of the graph.
    """
    if not all(question.paths for question in questions):
        raise InputError("not every question has a gold path, so what proves its answers isn't known")
    generator = random.Random(f"facts {seed}")
    before = [walker.answers(question) for question in questions]
    # Every hop of every path needs one fact at least of those that lead to the answers.
    needed = [
        (i, facts)
        for i, question in enumerate(questions)
        for path in question.paths
        for facts in walker.proofs(path, before[i])
        if facts
    ]
    hops: dict[int, list[int]] = {}
    used_by: dict[Fact, list[int]] = {}
    for hop, (i, facts) in enumerate(needed):
        hops.setdefault(i, []).append(hop)
        for fact in facts:
            used_by.setdefault(fact, []).append(hop)
    left = [len(facts) for _, facts in needed]
    removed: set[Fact] = set()
    lost: set[int] = set()
    order = sorted(hops)
    generator.shuffle(order)
    for i in order:
        if len(lost) >= round(share * len(questions)):
            break
        if i in lost:
            continue
        chosen = needed[generator.choice(hops[i])][1]
        for fact in {other for one in chosen for other in walker.between(one)} - removed:
            removed.add(fact)
            for hop in used_by.get(fact, ()):
                left[hop] -= 1
                if not left[hop]:
                    lost.add(needed[hop][0])
    if not removed:
        return FactsRemoved(walker.snapshot, 0, (), tuple(questions), 0)
    snapshot = without(walker.snapshot, removed)
    after = Walker(snapshot)
    compared = [(q, then, after.answers(q)) for q, then in zip(questions, before, strict=True)]
    unanswerable = tuple(replace(q, answers=(), listed="", part=FACTS_REMOVED) for q, _, now in compared if not now)
    answerable = tuple(q for q, then, now in compared if now and now == then)
    changed = len(questions) - len(unanswerable) - len(answerable)
    return FactsRemoved(snapshot, len(removed), unanswerable, answerable, changed)


def unknown_entities(questions: Sequence[Question], snapshot: Snapshot, count: int, seed: int) -> list[Question]:
    """So many of the questions, with made-up names where their topics stood; fewer if fewer have topics marked."""
    generator = random.Random(f"entities {seed}")
    marked = [question for question in questions if question.spans]
    return [_renamed(q, snapshot, generator) for q in generator.sample(marked, min(count, len(marked)))]


def unknown_relations(questions: Sequence[Question], snapshot: Snapshot, count: int, seed: int) -> list[Question]:
    """So many questions that ask a topic of the set for what no relation of the graph is about.

    Raises:
        InputError: no topic is known, or the graph's relations have words of all the attributes there are.
    """
    schema = snapshot.schema()
    said = " ".join(schema.words(r, inverse=i) for r in snapshot.relations() for i in (False, True))
    words = set(name_key(said).split())
    attributes = [attribute for attribute in ATTRIBUTES if words.isdisjoint(attribute.split())]
    topics = sorted({topic for question in questions for topic in question.topics})
    if not attributes or not topics:
        raise InputError("no question about an unknown relation can be made of this set")
    generator = random.Random(f"relations {seed}")
    made = []
    for _ in range(count):
        topic, attribute = generator.choice(topics), generator.choice(attributes)
        before, after = generator.choice(WORDINGS).format(attribute=attribute, topic="\0").split("\0")
        made.append(Question(before + topic + after, ((len(before), len(before) + len(topic)),), (), UNKNOWN_RELATION))
    return made


def _renamed(question: Question, snapshot: Snapshot, generator: random.Random) -> Question:
    plain, done, spans = "", 0, []
    for start, end in question.spans:
        plain += question.plain[done:start]
        name = _made_up(snapshot, generator)
        spans.append((len(plain), len(plain) + len(name)))
        plain += name
        done = end
    return Question(plain + question.plain[done:], tuple(spans), (), UNKNOWN_ENTITY)


def _made_up(snapshot: Snapshot, generator: random.Random) -> str:
    """A name of two words that nothing in the graph is called, nor any of its words."""
    while True:
        words = [
            "".join(generator.choice(_ONSETS) + generator.choice(_RHYMES) for _ in range(3)).capitalize() for _ in "12"
        ]
        name = " ".join(words)
        if not snapshot.lookup([name_key(text) for text in (name, *words)]):
            return name
