"""Questions that a graph doesn't answer, made from ones that it does, by seed. Three kinds, for three ways to be asked:

facts removed     the facts that prove the answers are taken out of the graph, at one hop of the gold path, and with
                  them every other fact between the same two entities, which may say the same in other words. Where
                  another way always gives the same answers as the gold path ("clubs that have a player from there" and
                  "clubs there"), the answers alone don't say which of the two was meant, so it is cut, too.
unknown entity    the topics are replaced by made-up names that nobody in the graph bears.
unknown relation  a topic of the set is asked for something that no relation of the graph is about.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from graph_schema import Fact, InputError
from graph_schema.text import name_key
from kgqa.data.graph import Steps, Walker, without
from kgqa.data.questions import GoldPath, Question
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
        unanswerable: questions of which no gold answer is left by any way, without answers. answerable: those with the
            answers of before by all ways. changed: how many others there are; they have lost some of their answers.
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
    same = walker.same(questions)
    cuts = _Cuts(questions, before, walker, same)
    order = [i for i, answers in enumerate(before) if answers]
    generator.shuffle(order)
    for i in order:
        if len(cuts.lost) >= round(share * len(questions)):
            break
        if i not in cuts.lost:
            cuts.cut(generator.choice(cuts.paths[i]), generator)
    removed = cuts.removed
    if not removed:
        return FactsRemoved(walker.snapshot, 0, (), tuple(questions), 0)
    snapshot = without(walker.snapshot, removed)
    after = Walker(snapshot)
    compared = [(q, then, _readings(q, after, same)) for q, then in zip(questions, before, strict=True)]
    unanswerable = tuple(
        replace(q, answers=(), listed="", part=FACTS_REMOVED) for q, _, now in compared if not any(now)
    )
    answerable = tuple(q for q, then, now in compared if then and all(each == then for each in now))
    changed = len(questions) - len(unanswerable) - len(answerable)
    return FactsRemoved(snapshot, len(removed), unanswerable, answerable, changed)


class _Cuts:
    """Facts taken out of a graph so far, and what that cost.

    A question needs all of its paths, a path one of its ways, a way all of its hops, and a hop one fact at least of
    those that lead to the answers.

    Attributes:
        paths: for each question, numbers of its paths. removed: the facts. lost: questions without an answer.
    """

    def __init__(
        self,
        questions: Sequence[Question],
        before: Sequence[set[str]],
        walker: Walker,
        same: Mapping[tuple[Steps, bool], Sequence[Steps]],
    ) -> None:
        self.walker, self.removed, self.lost = walker, set[Fact](), set[int]()
        self.paths: list[list[int]] = [[] for _ in questions]
        self._question: list[int] = []  # of each path
        self._ways: list[list[list[set[Fact]]]] = []  # of each path, by way and hop
        self._used: dict[Fact, list[tuple[int, int, int]]] = {}  # path, way, hop
        for i, question in enumerate(questions):
            for path in question.paths:
                self.paths[i].append(len(self._question))
                self._question.append(i)
                found = (walker.proofs(way, before[i]) for way in _ways(path, same))
                self._ways.append([[set(facts) for facts in proofs] for proofs in found if all(proofs)])
        for number, ways in enumerate(self._ways):
            for way, proofs in enumerate(ways):
                for hop, facts in enumerate(proofs):
                    for fact in facts:
                        self._used.setdefault(fact, []).append((number, way, hop))

    def cut(self, path: int, generator: random.Random) -> None:
        """Take out the facts of one hop, drawn, of every way of a path."""
        for proofs in self._ways[path]:
            if not all(proofs):
                continue
            chosen = generator.choice(proofs)
            for fact in sorted({other for one in chosen for other in self.walker.between(one)} - self.removed):
                self.removed.add(fact)
                for number, way, hop in self._used.get(fact, ()):
                    self._ways[number][way][hop].discard(fact)
                    if not any(all(proofs) for proofs in self._ways[number]):
                        self.lost.add(self._question[number])


def _ways(path: GoldPath, same: Mapping[tuple[Steps, bool], Sequence[Steps]]) -> list[GoldPath]:
    """A gold path, and the others that always give the same."""
    return [path, *(replace(path, steps=steps) for steps in same.get((path.steps, path.no_return), ()))]


def _readings(question: Question, walker: Walker, same: Mapping[tuple[Steps, bool], Sequence[Steps]]) -> list[set[str]]:
    """What a question's answers are, each time by other ways of its paths; the first time by the gold ones."""
    chosen = product(*(_ways(path, same) for path in question.paths))
    return [walker.answers(replace(question, paths=paths)) for paths in chosen]


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
    written = {topic for question in questions for topic in question.topics}
    known = snapshot.entities(sorted(written))
    topics = sorted({known[topic].name if topic in known else topic for topic in written})
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
