"""Questions for paths, by a grammar over how their relations are said.

A path is described from its topic on: each step turns the description of what has been reached ("the director of
Heat") into one of what it leads to ("films that the director of Heat directed"). The last step is asked for by a
question word or by an opener ("list ..."). Two steps there and back are one: "films that share a director with Heat".

What doesn't matter is varied, so that nothing is learnt of it: openers and fillers, kinds before a name ("the film
Heat") and of what is asked for. They are true ones where labels say them, and any ones where they don't: distractors.
"""

from __future__ import annotations

import re

from graph_schema.text import name_key
from kgqa.adapt.paths import Path
from kgqa.adapt.phrases import VALUES, WHEN, WHERE, Phrases, number
from kgqa.adapt.two_topics import TwoTopics
from kgqa.adapt.verbs import singular, verb_of
from kgqa.adapt.wording import OPENERS, TOPIC
from kgqa.data import Question
from kgqa.data.questions import GoldPath
from kgqa.examples import worded

FILLERS = ("please", "by the way", "exactly", "if known", "as far as you know", "again", "then", "actually")
KINDS_OF = frozenset(("kind", "type", "sort", "genre", "category", "style"))  # of what: "what kind of film is"
NUMBERED = 0.85  # of the topics that are called by a number, those whose kind is said


class Grammar(TwoTopics):
    """Words paths as questions, and by ``TwoTopics`` what has two topics; for what it takes see ``Words``."""

    def question(self, path: Path) -> Question | None:
        """A question for a path, its topic marked; None where the name can't stand in one."""
        text = self._asked(path)
        before, topic, after = text.partition(TOPIC)
        if not topic or TOPIC in path.topic:
            return None
        plain = f"{before}{path.topic}{after}"
        span = (len(before), len(before) + len(path.topic))
        gold = GoldPath(path.only or path.topic, path.steps, path.no_return)
        return Question(plain, (span,), path.answers, f"{len(path.steps)}-hop", paths=(gold,))

    # ---- one question

    def _asked(self, path: Path) -> str:
        (relation, inverse), label = path.steps[-1], path.labels[-1]
        if len(path.steps) == 1 and self._chance(0.08):
            return worded(self._schema, relation, inverse, self._topic(path)).removesuffix("?") + self._pick(
                "?", " ?", ""
            )
        said, before = self._topic(path), 0
        while before < len(path.steps) - 1 and not (before == len(path.steps) - 2 and self._shares(path, before)):
            said, before = self._described(path, said, before)
        shared = self._shared_asked(path, said) if before == len(path.steps) - 2 and self._chance(0.4) else ""
        if shared:
            asked = shared
        elif before == len(path.steps) - 1 and self._chance(0.55):
            asked = self._interrogative(self._phrases(relation, inverse, label), said, path)
        else:
            while before < len(path.steps):
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
            return TOPIC
        numbered = path.topic.replace("-", "").isdecimal()
        relation, inverse = path.steps[0]
        who = (relation, not inverse) in self._people
        return self._called(TOPIC, path.labels[0], bool(path.only), NUMBERED if numbered else 0.3, who)

    def _shares(self, path: Path, at: int) -> bool:
        """Whether the step at ``at`` and the next one go there and back."""
        relation, inverse = path.steps[at]
        return path.steps[at + 1 : at + 2] == ((relation, not inverse),)

    def _described(self, path: Path, said: str, at: int) -> tuple[str, int]:
        """What the step at ``at``, or it and the next one if they go there and back, leads to; how far that is."""
        shared = self._phrases(*path.steps[at], path.labels[at + 1])
        if self._shares(path, at) and (shared.nouns or shared.whose) and self._chance(0.6):
            return self._sharing(shared, said, path, at), at + 2
        return self._step(shared, said, path, at), at + 1

    def _step(self, how: Phrases, said: str, path: Path, at: int) -> str:
        several = path.several[at + 1]
        things = self._things(path.labels[at + 1], several or self._chance(0.3), how.who)
        is_, that = self._pick("is", "was", "are", "were"), self._pick("that", "which", "who" if how.who else "that")
        nouns, verbs, objects, passives, clauses, whose = [], [], [], [], [], []
        for noun in how.nouns:
            said_noun = number(noun, several) if self._chance(0.7) else noun
            nouns += [f"the {said_noun} of {said}", f"{self._possessive(said)} {said_noun}", f"{said} {said_noun}"]
            nouns += [f"the {said_noun} of {said}", f"{self._possessive(said)} {said_noun}", f"{said} {said_noun}"]
            nouns.append(f"the {said_noun} that {said} {self._pick('has', 'have', 'had')}")
            nouns.append(f"the {said_noun} {self._pick('in', 'for', 'there were in', 'seen in')} {said}")
        for verb in how.verbs:
            verbs += [f"{things} {that} {verb} {said}", f"{things} who {verb} {said}" if how.who else ""]
        for verb in how.objects:
            objects += [f"{things} {that} {said} {verb}", f"{things} {said} {verb}"]
        for done in how.passives:
            passives.append(f"{things} {that} {said} {is_} {done}")
        for clause in how.clauses:
            clauses += [f"{things} {clause} {said}", f"{things} {that} {is_} {clause} {said}"]
            if clause.endswith(" by"):
                clauses.append(f"{said} {clause.removesuffix(' by')} {things.removeprefix('the ')}")
        for noun in how.whose:
            one = number(noun, self._chance(0.4))
            whose += [f"{things} whose {one} {is_} {said}", f"{things} {that} {said} {is_} the {one} of"]
            whose.append(f"{things} with {one} {said}")
            whose.append(
                f"{things} {self._pick('with', 'that have', 'having')} {said} as {self._pick('', 'a ', 'the ')}{one}"
            )
            whose.append(f"{things} in which {said} {is_} {self._pick('a ', 'the ', '')}{one}")
        told = [one.replace("\0", said) for one in how.told]
        like = [f"{things} {that} {is_} {like} in {said}" for like in how.like]
        return self._of_kinds(nouns, verbs, objects, passives, clauses, whose, told, like)

    def _sharing(self, how: Phrases, said: str, path: Path, at: int) -> str:
        """What shares something with ``said``: a step there and the same step back."""
        back = self._phrases(*path.steps[at + 1], path.labels[at + 2])
        things = self._things(path.labels[at + 2], path.several[at + 2] or self._chance(0.5), back.who)
        between = number(self._kind(path.labels[at + 1]), self._chance(0.8))
        is_, like = self._pick("is", "was", "are", "were"), self._pick("as", "as", "of")
        same, also, of, done_by, whose, jointly = [], [], [], [], [], []
        for noun in how.nouns:
            one, many = number(noun, False), number(noun, self._chance(0.5))
            a = self._pick("", "a ", "the ", "the same ")
            same += [
                *[f"{things} that share {a}{many} with {said}"] * 2,
                f"{things} with the same {one} {like} {said}",
                f"{things} that have the same {one} {like} {said}",
                f"{things} whose {many} {is_} also the {many} of {said}",
            ]
            of += [
                f"other {things.removeprefix('the ')} of the {one} of {said}",
                f"{things} {self._pick('of', 'for', 'by', 'from')} the {many} of {said}",
            ]
            for verb in how.verbs:
                done = self._pick(verb, _now(verb))
                also.append(f"{things} whose {many} also {done} {said}")
                also.append(f"{things} that the {many} of {said} also {done}")
            for done in _done_by(how, back):
                them = self._pick(
                    f"the {many} of {said}",
                    f"{self._possessive(said)} {many}",
                    f"the {said} {many}",
                    f"{said} {many}",
                    f"{self._pick('the ', '')}{many} in {said}",
                )
                done_by += [f"{things} {self._pick('', f'that {is_} ')}{done} {them}"] * 2
                done_by.append(f"{things} {self._pick('', f'that {is_} ')}{done} the same {one} {like} {said}")
        for noun in how.whose:
            whose += [f"{things} that have the same {noun} as {said}", f"{things} that share {noun} with {said}"]
            whose += [f"{things} that share {between} with {said}", f"the co-{number(noun, True)} of {said}"]
        for verb in how.objects:
            with_ = self._pick("together with", "with", "alongside")
            jointly += [f"{things} who {verb} {between} {with_} {said}"]
            jointly += [f"{things} who {_jointly(verb, between)} {said}"]
            jointly.append(f"{things} who {verb} the same {between} as {said}")
        return self._of_kinds(same, same, also, of, done_by, done_by, whose, jointly)

    def _shared_asked(self, path: Path, said: str) -> str:
        """What shares something with ``said``, asked for by a question word; empty where that can't be said."""
        relation, inverse = path.steps[-1]
        how = self._phrases(relation, not inverse, path.labels[-2])
        who = self._phrases(relation, inverse, path.labels[-1]).who
        several, kind = path.several[-1], self._kind(path.labels[-1], who)
        which = f"{self._pick('what', 'which')} {number(kind, several or self._chance(0.6))}"
        between = number(self._kind(path.labels[-2]), self._chance(0.8))
        did, whom = self._pick("did", "does", "has"), self._pick("who", "whom", which)
        made = []
        for noun in how.nouns:
            many = number(noun, self._chance(0.5))
            made += [
                f"{which} share {self._pick('', 'a ', 'the ', 'the same ')}{many} {self._pick('with', 'of')} {said}"
            ]
            made += [f"{which} have the same {many} {self._pick('as', 'of')} {said}"]
            of = self._pick(f"the {many} of {said}", f"the {many} in {said}", f"{self._possessive(said)} {many}")
            for verb in how.verbs:
                made += [f"{of} also {self._pick(verb, _now(verb))} {which}"] * 2
            for done in _done_by(how, self._phrases(relation, inverse, path.labels[-1])):
                made.append(f"{which} {self._pick('are', 'were')} {self._pick('', 'also ')}{done} {of}")
        for verb in how.objects:
            first, *rest = verb.split()
            base = _base_of(first)
            people = (
                self._pick("who", f"{self._pick('what', 'which')} {number(self._pick(*how.whose), True)}")
                if how.whose
                else "who"
            )
            made += [f"{people} {_jointly(verb, between)} {said}", f"{said} {_jointly(verb, between)} {whom}"]
            made += [f"who {verb} {between} {self._pick('together with', 'with')} {said}"]
            made += [f"{said} {verb} {between} together with {whom}", f"who {first} together with {said}"]
            made.append(f"who {verb} the same {between} {self._pick('as', 'with')} {said}")
            if did != "has":
                made.append(f"with whom {did} {said} {' '.join((base, *rest))} {between}")
        for noun in how.whose:
            many = number(noun, several)
            made += [f"who {self._pick('are', 'is')} the co-{many} of {said}"]
            made += [f"who {self._pick('are', 'is')} {self._possessive(said)} co-{many}"]
        return self._any(made) if made else ""

    def _interrogative(self, how: Phrases, said: str, path: Path) -> str:
        several, label = path.several[-1], path.labels[-1]
        is_ = self._pick("are", "were") if several else self._pick("is", "was")
        what = self._pick("who", "who", "what", "which person") if how.who else self._pick("what", "what", "which")
        kind = self._pick("what", "which") + f" {number(self._kind(label, how.who), several or self._chance(0.4))}"
        which = self._pick(what, kind)
        happened, verbs, objects, passives, clauses, like_ = [], [], [], [], [], []
        for like in how.like:
            as_ = f"{self._pick('', 'the ', 'a ')}{like} {self._pick('in', 'in', 'of', 'for')} {said}"
            like_ += [f"{kind} {is_} {as_}"] * 2
        for noun, done in how.happened:
            kept = f"{said} {is_} {done} in {self._pick('what', 'which')} {number(noun, self._chance(0.4))}"
            happened += [
                kept,
                f"{'when' if noun in WHEN else 'where'} {self._pick('did', 'do', 'does')} {_split(said, done)}",
            ]
            happened += [
                f"what {noun} {is_} {said} {done}",
                f"{'when' if noun in WHEN else 'where'} {is_} {said} {done}",
            ]
            happened.append(f"in {self._pick('what', 'which')} {noun} {is_} {said} {done}")
        for verb in how.verbs:
            verbs += [f"{which} {verb} {said}", f"{which} {verb} {said}", f"{which} {verb} in {said}"]
            verbs.append(f"{self._pick(which, 'who')} {verb} {said}")
        for verb in how.objects:
            first, *rest = verb.split()
            known = verb_of(first)
            if known and first == known.past:
                base = " ".join((known.base, *rest))
                objects += [f"{which} {self._pick('did', 'does')} {said} {base}"] * 2
            elif rest and first.endswith("s") and not first.endswith("ss"):
                base = " ".join((singular(first), *rest))
                objects += [f"{which} {self._pick('did', 'does', 'do')} {said} {base}"] * 2
            objects += [f"{which} {said} {verb}", f"{said} {verb} {which}"]
        for done in how.passives:
            this = self._pick("this person", "which person", "who") if how.who else "what"
            passives.append(f"{said} {is_} {self._pick('a', 'the')} {self._kind(path.labels[-2])} {done} {this}")
            passives += [f"{which} {is_} {said} {done}", f"by {which} {is_} {said} {done.removesuffix(' by')}"]
            passives.append(f"{said} {is_} {done} {which}")
            where = done.split()[-1] in ("in", "at")
            if where:
                passives.append(f"{self._pick('where', 'when')} {is_} {said} {' '.join(done.split()[:-1])}")
        for clause in how.clauses:
            clauses += [f"{which} {is_} {clause} {said}", f"{self._things(label, several, how.who)} {clause} {said}"]
            clauses.append(f"{kind} {clause} {said}")
            if clause.endswith(" by"):
                clauses.append(f"{which} {is_} {clause.removesuffix(' by')} {self._pick('in', 'at', 'for')} {said}")
        nouns, whose = self._by_noun(how, said, path, is_, what), self._by_whose(how, said, which, kind, is_)
        relation, inverse = path.steps[-1]
        unnamed = [asked.replace("\0", said) for asked in self._unnamed.get(relation, ()) if not inverse]
        return self._of_kinds(nouns, nouns, like_, happened, verbs, objects, passives, clauses, whose, unnamed)

    def _by_noun(self, how: Phrases, said: str, path: Path, is_: str, what: str) -> list[str]:
        """What is asked for by a noun: "what is the director of"."""
        made, several = [], path.several[-1]
        for noun in how.nouns:
            one = number(noun, several) if self._chance(0.7) else noun
            made += [
                f"{what} {is_} the {one} of {said}",
                f"{what} {is_} {self._possessive(said)} {one}",
                f"{self._pick('what', 'which')} {one} {is_} {said}{self._pick('', ' in', ' of')}",
                f"{self._pick('what', 'which')} {one} {self._pick('does', 'do', 'did')} {said} have",
                f"{self._pick('what', 'which')} {one} {is_} {self._pick('that', 'those')} of {said}",
                f"{self._possessive(said)} {one} {is_} {what}",
                f"{said} {self._pick('has', 'have', 'had')} {self._pick('what', 'which')} {one}",
                f"{said} {is_} {self._pick('in', 'in', 'of')} {self._pick('what', 'which')} {one}",
                f"{what} is listed as {self._pick('', 'the ')}{one} {self._pick('of', 'for')} {said}",
            ]
            if singular(noun) in KINDS_OF:
                kinds = number(self._kind(path.labels[-2]), several)
                made += [f"{self._pick('what', 'which')} {one} of {kinds} {is_} {said}"] * 2
                made.append(f"what {one} {is_} {said}")
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
            made.append(f"{kind} {is_} {said} {self._pick('a', 'the')} {one} {self._pick('of', 'on', 'in', 'for')}")
        return made


def _done_by(there: Phrases, back: Phrases) -> list[str]:
    """What can be said of things before those who did it, of a step there and back: "written by", "starred by"."""
    return list(dict.fromkeys((*there.passives, *(clause for clause in back.clauses if clause.endswith(" by")))))


def _base_of(past: str) -> str:
    known = verb_of(past)
    return known.base if known else past


def _now(verb: str) -> str:
    """ "appear in", of "appeared in"."""
    first, *rest = verb.split()
    return " ".join((_base_of(first), *rest))


def _jointly(verb: str, things: str) -> str:
    """ "co-starred with", of "starred in"; "co-wrote films with", of "wrote"."""
    first, *rest = verb.split()
    return f"co-{first} with" if rest else f"co-{first} {things} with"


def _split(said: str, done: str) -> str:
    """What happened to something, with a relative clause put behind: "films release whose actors are ..."."""
    base = _base_of(done)
    for word in (" that ", " whose ", " which ", " who "):
        head, found, clause = said.partition(word)
        if found and TOPIC not in head:
            return f"{head} {base}{found}{clause}"
    return f"{said} {base}"


def masked_text(question: Question) -> str:
    """A question's wording: its text with the topics left out, in small letters."""
    text = question.plain
    for start, end in sorted(question.spans, reverse=True):
        text = f"{text[:start]} {'_' * 3} {text[end:]}"
    return name_key(text)
