"""Questions for paths, by a grammar over how their relations are said.

A path is described from its topic on: each step turns the description of what has been reached ("the director of
Heat") into one of what it leads to ("films that the director of Heat directed"). The last step is asked for by a
question word or by an opener ("list ..."). Two steps there and back are one: "films that share a director with Heat".

What doesn't matter is varied, so that nothing is learnt of it: openers and fillers, kinds before a name ("the film
Heat") and of what is asked for. They are true ones where labels say them, and any ones where they don't: distractors.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from graph_schema import Schema
from graph_schema.text import name_key
from graph_schema.types import DEFAULT_LABEL
from kgqa.adapt.paths import Between, Both, Path
from kgqa.adapt.phrases import (
    VALUES,
    WHEN,
    WHERE,
    Phrases,
    label_nouns,
    number,
    phrases,
    property_noun,
    thing_noun,
)
from kgqa.adapt.thesaurus import asked_without
from kgqa.adapt.verbs import plural, singular, verb_of
from kgqa.data import Question
from kgqa.data.questions import GoldPath
from kgqa.examples import worded

_TOPIC, _OTHER = "\0", "\1"
_OPENERS = """what is|what are|name|list|show|show me|give me|find|tell me|can you name|do you know|
i want to know|i would like to know|can you tell me|please tell me|
who or what is|which is|please list|describe|what|which|who is|who are|
list all|show all|find all|give me all|name all|what are all"""
OPENERS = tuple(opener.replace("\n", "") for opener in _OPENERS.split("|"))
FILLERS = ("please", "by the way", "exactly", "if known", "as far as you know", "again", "then", "actually")
# Kinds of thing that say nothing of a relation: a reader is to pass over them. Those in the words, and in the other
# words, of the graph's relations are left out.
_KINDS = """movie film book song album series game company organisation team club city town
country place building school university product part drug disease gene protein animal plant paper article patent event
project recipe vehicle device word thing one entry item entity title work"""
KINDS = tuple(_KINDS.split())
EMPTIER = ("name", "type", "kind")  # of "the name of the director of": they say no more
SYNONYMS = 0.4  # of the places where a synonym could stand
NUMBERED = 0.85  # of the topics that are called by a number, those whose kind is said
_DO = ("have", "get", "play", "give", "use", "take", "show", "receive")  # what is done with what a relationship says
_DONE = ("given", "taken", "used", "had", "told", "shown")
PEOPLE = ("person", "person", "man", "woman", "artist", "one")


class Grammar:
    """Words paths as questions.

    Args:
        schema: whose words are used. relations: of the graph. generator: what is random.
        synonyms: of some relations, words that now and then stand for its own, from head to tail.
    """

    def __init__(
        self,
        schema: Schema,
        relations: Sequence[str],
        generator: random.Random,
        synonyms: Mapping[str, Sequence[str]] = MappingProxyType({}),
    ) -> None:
        self._synonyms = synonyms
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
        self._known: dict[tuple[str, bool, str], Phrases] = {}
        nouns = {r: phrases(schema, r, inverse=False, label=DEFAULT_LABEL).nouns for r in relations}
        asked = {r: asked_without((schema.words(r), *nouns[r], *synonyms.get(r, ()))) for r in relations}
        times = Counter(one for of in asked.values() for one in of)
        # What could ask for two relations says neither.
        self._unnamed = {r: [one for one in of if times[one] == 1] for r, of in asked.items()}

    def question(self, path: Path) -> Question | None:
        """A question for a path, its topic marked; None where the name can't stand in one."""
        text = self._asked(path)
        before, topic, after = text.partition(_TOPIC)
        if not topic or _TOPIC in path.topic:
            return None
        plain = f"{before}{path.topic}{after}"
        span = (len(before), len(before) + len(path.topic))
        gold = GoldPath(path.only or path.topic, path.steps, path.no_return)
        return Question(plain, (span,), path.answers, f"{len(path.steps)}-hop", paths=(gold,))

    def between(self, one: Between) -> Question | None:
        """A question about what a relationship says, both of its ends marked; None where a name can't stand in one."""
        steps = tuple((relation, False) for relation in one.relations)
        return self._of_two(self._asked_between(one), one, steps, "between")

    def both(self, one: Both) -> Question | None:
        """A question about what two things have in common, both marked; None where it can't be worded."""
        text = self._asked_both(one)
        return self._of_two(text, one, one.steps, "conjunction") if text else None

    def _of_two(self, text: str, one: Between | Both, steps: Sequence[tuple[str, bool]], part: str) -> Question | None:
        if any(mark in name for mark in (_TOPIC, _OTHER) for name in one.topics):
            return None
        plain, spans = "", []
        for piece in re.split(f"([{_TOPIC}{_OTHER}])", text):
            name = {_TOPIC: one.topics[0], _OTHER: one.topics[1]}.get(piece)
            if name is not None:
                spans.append((len(plain), len(plain) + len(name)))
            plain += piece if name is None else name
        paths = tuple(
            GoldPath(only or topic, (step,)) for only, topic, step in zip(one.only, one.topics, steps, strict=True)
        )
        return Question(plain, tuple(spans), one.answers, part, paths=paths)

    # ---- one question

    def _asked_between(self, one: Between) -> str:
        """ "what was the dose of Aspirin in case 7"."""
        noun, thing = property_noun(self._schema, one.type, one.key), thing_noun(self._schema, one.type)
        noun = number(noun, len(one.answers) > 1) if self._chance(0.7) else noun
        marks = (_TOPIC, _OTHER)
        both = [
            self._called(mark, label, bool(only)) for mark, label, only in zip(marks, one.labels, one.only, strict=True)
        ]
        first, second = both if self._chance(0.5) else both[::-1]
        if thing and self._chance(0.35):
            tail, as_ = both[1], self._pick(f"as a {thing}", f"as {thing}", f"as the {thing}")
            first, second = (self._pick(f"{tail} {as_}", f"the {thing} {tail}"), both[0])
        is_, in_ = self._pick("is", "was", "are", "were"), self._pick("in", "in", "for", "with", "of")
        did, what = self._pick("did", "does"), self._pick("what", "which")
        do, done = self._pick(*_DO), self._pick(*_DONE)
        said = self._pick(
            f"{what} {is_} the {noun} of {first} {in_} {second}",
            f"{what} {noun} {did} {first} {do} {in_} {second}",
            f"{what} {noun} {is_} there {self._pick('of', 'for')} {first} {in_} {second}",
            f"{what} {noun} of {first} {is_} there {in_} {second}",
            f"{what} {noun} {did} {first} {do} {second}",
            f"{self._pick('by', 'with', 'in', 'at', 'under')} {what} {noun} {is_} {first} {done} {in_} {second}",
            f"{what} {did} {self._possessive(first)} {noun} {in_} {second} {self._pick('say', 'be')}",
            f"{self._pick(*OPENERS)} {self._possessive(first)} {noun} {in_} {second}",
            f"{self._pick(*OPENERS)} the {noun} of {first} {in_} {second}",
            f"{noun} of {first} {in_} {second}",
        )
        said = re.sub(r"(?<=\w)'s 's", "'s", re.sub(r" +", " ", said)).strip()
        return (said[:1].upper() + said[1:] if self._chance(0.3) else said) + self._pick("", "?", " ?")

    def _asked_both(self, one: Both) -> str:
        """ "films directed by X that star Y"; empty where one of the steps can't follow a noun."""
        ends, who = [], False
        for mark, label, only, (relation, inverse) in zip(
            (_TOPIC, _OTHER), one.labels, one.only, one.steps, strict=True
        ):
            how = self._phrases(relation, inverse, one.label)
            who = who or how.who
            said = mark if label in VALUES else self._called(mark, label, bool(only), 0.15)
            made = self._after_noun(how, said)
            if not made:
                return ""
            ends.append(self._any(made))
        first, second = ends if self._chance(0.5) else ends[::-1]
        several = len(one.answers) > 1 or self._chance(0.3)
        things = number(self._kind(one.label, who), several)
        joined = f"{first} {self._pick('', '', 'and', 'and', 'and also')} {second}"
        did = joined.removeprefix("that ").removeprefix("which ")
        said = self._pick(
            f"{self._pick('what', 'which')} {things} {joined}",
            f"{self._pick('what', 'which')} {things} {did}" if did != joined else f"{things} {joined}",
            f"{self._pick(*OPENERS)} {self._pick('', 'the ')}{things} {joined}",
            f"{self._pick('', 'the ')}{things} {joined}",
        )
        said = re.sub(r"(?<=\w)'s 's", "'s", re.sub(r" +", " ", said)).strip()
        return (said[:1].upper() + said[1:] if self._chance(0.15) else said) + self._pick("", "?", " ?")

    def _after_noun(self, how: Phrases, said: str) -> list[str]:
        """What can follow "films" to say that they are reached by this step from ``said``."""
        is_, that = self._pick("is", "was", "are", "were"), self._pick("that", "which", "who" if how.who else "that")
        made = [f"{that} {verb} {said}" for verb in how.verbs]
        made += [f"{that} {said} {verb}" for verb in how.objects]
        made += [f"{that} {said} {is_} {done}" for done in how.passives]
        for clause in how.clauses:
            made += [f"{clause} {said}", f"{clause} {said}", f"{that} {is_} {clause} {said}"]
            made.append(f"by {said}" if clause.endswith(" by") else "")
        for noun in how.whose:
            one = number(noun, self._chance(0.4))
            made += [f"whose {one} {is_} {said}", f"with {said} as {self._pick('', 'a ', 'the ')}{one}"]
            made.append(f"with {said}")
        made += [f"of {said}" for _ in how.nouns]
        return [one for one in made if one]

    def _asked(self, path: Path) -> str:
        (relation, inverse), label = path.steps[-1], path.labels[-1]
        if len(path.steps) == 1 and self._chance(0.08):
            return worded(self._schema, relation, inverse, self._topic(path)).removesuffix("?") + self._pick(
                "?", " ?", ""
            )
        said, before = self._topic(path), 0
        while before < len(path.steps) - 1:
            said, before = self._described(path, said, before)
        if before == len(path.steps) - 1 and self._chance(0.55):
            asked = self._interrogative(self._phrases(relation, inverse, label), said, path)
        else:
            if before < len(path.steps):
                said, before = self._described(path, said, before)
            asked = f"{self._pick(*OPENERS)} {said}" if self._chance(0.75) else said
            if self._chance(0.12):
                asked = f"{said} {self._pick('is what', 'are what', 'was who', 'is which', 'are which ones', 'is who')}"
        if self._chance(0.06):
            asked = self._pick(f"{asked} {self._pick(*FILLERS)}", f"{self._pick(*FILLERS)}, {asked}")
        asked = re.sub(r"(?<=\w)'s 's", "'s", re.sub(r" +", " ", asked)).strip()
        if self._chance(0.15):
            asked = asked[:1].upper() + asked[1:]
        return asked + self._pick("", "?", " ?")

    def _topic(self, path: Path) -> str:
        if path.labels[0] in VALUES:
            return _TOPIC
        numbered = path.topic.replace("-", "").isdecimal()
        return self._called(_TOPIC, path.labels[0], bool(path.only), NUMBERED if numbered else 0.3)

    def _called(self, name: str, label: str, must: bool, share: float = 0.5) -> str:
        """A name, in some cases with its kind; its own one if that must be said."""
        if must and (known := label_nouns(self._schema, label)):
            return self._pick(f"{known[0]} {name}", f"{known[0]} {name}", f"the {known[0]} {name}")
        if self._chance(share):
            kind = self._kind(label)
            return self._pick(f"the {kind} {name}", f"{kind} {name}", f"{kind} {name}", f"the {name} {kind}")
        return name

    def _described(self, path: Path, said: str, at: int) -> tuple[str, int]:
        """What the step at ``at``, or it and the next one if they go there and back, leads to; how far that is."""
        relation, inverse = path.steps[at]
        if at + 1 < len(path.steps) and path.steps[at + 1] == (relation, not inverse):
            shared = self._phrases(relation, inverse, path.labels[at + 1])
            if shared.nouns or shared.whose:
                return self._sharing(shared, said, path, at), at + 2
        return self._step(self._phrases(relation, inverse, path.labels[at + 1]), said, path, at), at + 1

    def _step(self, how: Phrases, said: str, path: Path, at: int) -> str:
        several = path.several[at + 1]
        things = self._things(path.labels[at + 1], several or self._chance(0.3), how.who)
        is_, that = self._pick("is", "was", "are", "were"), self._pick("that", "which", "who" if how.who else "that")
        made = []
        for noun in how.nouns:
            said_noun = number(noun, several) if self._chance(0.7) else noun
            made += [f"the {said_noun} of {said}", f"{self._possessive(said)} {said_noun}", f"{said} {said_noun}"]
            made += [f"the {said_noun} of {said}", f"{self._possessive(said)} {said_noun}"]
            made.append(f"the {said_noun} that {said} {self._pick('has', 'have', 'had')}")
            made.append(f"the {said_noun} {self._pick('in', 'for', 'there were in', 'seen in')} {said}")
        for verb in how.verbs:
            made += [f"{things} {that} {verb} {said}", f"{things} who {verb} {said}" if how.who else ""]
        for verb in how.objects:
            made += [f"{things} {that} {said} {verb}", f"{things} {said} {verb}"]
        for done in how.passives:
            made.append(f"{things} {that} {said} {is_} {done}")
        for clause in how.clauses:
            made += [f"{things} {clause} {said}", f"{things} {that} {is_} {clause} {said}"]
            if clause.endswith(" by"):
                made.append(f"{said} {clause.removesuffix(' by')} {things.removeprefix('the ')}")
        for noun in how.whose:
            one = number(noun, self._chance(0.4))
            made += [f"{things} whose {one} {is_} {said}", f"{things} {that} {said} {is_} the {one} of"]
            made.append(f"{things} with {one} {said}")
            made.append(
                f"{things} {self._pick('with', 'that have', 'having')} {said} as {self._pick('', 'a ', 'the ')}{one}"
            )
            made.append(f"{things} in which {said} {is_} {self._pick('a ', 'the ', '')}{one}")
        made += [told.replace("\0", said) for told in how.told for _ in range(2)]
        made += [f"{things} {that} {is_} {like} in {said}" for like in how.like]
        return self._any(made)

    def _sharing(self, how: Phrases, said: str, path: Path, at: int) -> str:
        """What shares something with ``said``: a step there and the same step back."""
        things = self._things(path.labels[at + 2], path.several[at + 2] or self._chance(0.5))
        made = []
        for noun in how.nouns:
            one, many = number(noun, False), number(noun, self._chance(0.5))
            made += [
                f"{things} that share {self._pick('', 'a ', 'the ', 'the same ')}{many} with {said}",
                f"{things} with the same {one} as {said}",
                f"{things} that have the same {one} as {said}",
                f"{things} whose {many} {self._pick('is', 'are')} also the {many} of {said}",
                f"other {things.removeprefix('the ')} of the {one} of {said}",
            ]
            for verb in how.verbs:
                made.append(f"{things} whose {many} also {verb} {said}")
                made.append(f"{things} that the {one} of {said} also {verb}")
        for noun in how.whose:
            made += [f"{things} that have the same {noun} as {said}", f"{things} that share {noun} with {said}"]
        for verb in how.objects:
            made += [f"{things} who {verb} {self._kind(path.labels[at + 1])}s together with {said}"]
        return self._any(made)

    def _interrogative(self, how: Phrases, said: str, path: Path) -> str:
        several, label = path.several[-1], path.labels[-1]
        is_ = self._pick("are", "were") if several else self._pick("is", "was")
        what = self._pick("who", "who", "what", "which person") if how.who else self._pick("what", "what", "which")
        kind = self._pick("what", "which") + f" {number(self._kind(label, how.who), several or self._chance(0.4))}"
        which = self._pick(what, kind)
        made = self._by_noun(how, said, several, is_, what)
        for like in how.like:
            as_ = f"{self._pick('', 'the ', 'a ')}{like} {self._pick('in', 'in', 'of', 'for')} {said}"
            made += [f"{kind} {is_} {as_}"] * 2
        for noun, done in how.happened:
            made += [f"what {noun} {is_} {said} {done}", f"{'when' if noun in WHEN else 'where'} {is_} {said} {done}"]
            made.append(f"in {self._pick('what', 'which')} {noun} {is_} {said} {done}")
        for verb in how.verbs:
            made += [f"{which} {verb} {said}", f"{which} {verb} {said}", f"{which} {verb} in {said}"]
            made.append(f"{self._pick(which, 'who')} {verb} {said}")
        for verb in how.objects:
            first, *rest = verb.split()
            known = verb_of(first)
            if known and first == known.past:
                base = " ".join((known.base, *rest))
                made += [f"{which} {self._pick('did', 'does')} {said} {base}"] * 2
            elif rest and first.endswith("s") and not first.endswith("ss"):
                base = " ".join((singular(first), *rest))
                made += [f"{which} {self._pick('did', 'does', 'do')} {said} {base}"] * 2
            made += [f"{which} {said} {verb}", f"{said} {verb} {which}"]
        for done in how.passives:
            made += [f"{which} {is_} {said} {done}", f"by {which} {is_} {said} {done.removesuffix(' by')}"]
            made.append(f"{said} {is_} {done} {which}")
            where = done.split()[-1] in ("in", "at")
            if where:
                made.append(f"{self._pick('where', 'when')} {is_} {said} {' '.join(done.split()[:-1])}")
        for clause in how.clauses:
            made += [f"{which} {is_} {clause} {said}", f"{self._things(label, several, how.who)} {clause} {said}"]
            made.append(f"{kind} {clause} {said}")
            if clause.endswith(" by"):
                made.append(f"{which} {is_} {clause.removesuffix(' by')} {self._pick('in', 'at', 'for')} {said}")
        made += self._by_whose(how, said, which, kind, is_)
        relation, inverse = path.steps[-1]
        made += [asked.replace("\0", said) for asked in self._unnamed.get(relation, ()) if not inverse] * 2
        return self._any(made)

    def _by_noun(self, how: Phrases, said: str, several: bool, is_: str, what: str) -> list[str]:
        """What is asked for by a noun: "what is the director of"."""
        made = []
        for noun in how.nouns:
            one = number(noun, several) if self._chance(0.7) else noun
            made += [
                f"{what} {is_} the {one} of {said}",
                f"{what} {is_} {self._possessive(said)} {one}",
                f"{self._pick('what', 'which')} {one} {is_} {said}{self._pick('', ' in', ' of')}",
                f"{self._pick('what', 'which')} {one} {self._pick('does', 'do', 'did')} {said} have",
                f"{self._pick('what', 'which')} {one} {is_} {self._pick('that', 'those')} of {said}",
                f"{self._possessive(said)} {one} {is_} {what}",
            ]
            for of in self._emptier:
                made.append(
                    f"what is the {of} of {self._pick(f'the {one} of {said}', f'{self._possessive(said)} {one}')}"
                )
            happen = self._pick("are there", "were there", "occurred", "happened", "followed", "came up")
            made.append(f"{self._pick('what', 'which')} {one} {happen} {self._pick('in', 'in', 'for', 'with')} {said}")
            if WHEN & set(one.split()):
                made.append(f"when {is_} {self._possessive(said)} {one}")
            if WHERE & set(map(singular, one.split())):
                made.append(f"where {is_} {said} {self._pick('from', '', 'located')}")
        made += [f"how {adjective} {is_} {said}" for adjective in how.how for _ in range(2)]
        for told in how.told:
            made.append(f"{self._pick('what', 'which')} {is_} {told}".replace("\0", said))
        return made

    def _by_whose(self, how: Phrases, said: str, which: str, kind: str, is_: str) -> list[str]:
        """What is asked for by what it has: "which has the director"."""
        made = []
        for noun in how.whose:
            one = number(noun, self._chance(0.4))
            made += [f"{which} {self._pick('has', 'have')} the {one} {said}", f"{said} {is_} the {one} of {which}"]
            made.append(f"{which} {self._pick('has', 'have', 'with')} {one} {said}")
            made.append(
                f"{which} {self._pick('has', 'have', 'had')} {said} as {self._pick('', 'a ', 'the ', 'their ')}{one}"
            )
            made.append(f"in {kind} {is_} {said} {self._pick('a ', 'the ', 'one ')}{one}")
        return made

    # ---- words

    def _phrases(self, relation: str, inverse: bool, label: str) -> Phrases:
        key = (relation, inverse, label)
        if key not in self._known:
            self._known[key] = phrases(self._schema, relation, inverse, label)
        how, near = self._known[key], self._synonyms.get(relation)
        if near and (how.nouns or how.whose) and self._chance(SYNONYMS):
            word = (self._pick(*near),)
            how = Phrases(nouns=word if how.nouns else (), whose=word if how.whose else (), who=how.who)
        return how

    def _kind(self, label: str, who: bool = False) -> str:
        """What a thing of a label is called; where the label says nothing, anything, or anything people are called."""
        known = label_nouns(self._schema, label)
        return self._pick(*known) if known and self._chance(0.8) else self._pick(*self._kinds[who])

    def _things(self, label: str, several: bool, who: bool = False) -> str:
        return self._pick("the ", "the ", "") + number(self._kind(label, who), several)

    def _possessive(self, said: str) -> str:
        return said + self._pick("'s", "'s", " 's")

    def _any(self, made: Sequence[str]) -> str:
        return self._random.choice([one for one in made if one])

    def _pick(self, *of: str) -> str:
        return self._random.choice(of)

    def _chance(self, share: float) -> bool:
        return self._random.random() < share


def masked_text(question: Question) -> str:
    """A question's wording: its text with the topics left out, in small letters."""
    text = question.plain
    for start, end in sorted(question.spans, reverse=True):
        text = f"{text[:start]} {'_' * 3} {text[end:]}"
    return name_key(text)
