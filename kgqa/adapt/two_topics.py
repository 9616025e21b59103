"""Questions with two topics: what a relationship says, asked with both its ends, and what two things have in common."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kgqa.adapt.paths import Between, Both
from kgqa.adapt.phrases import VALUES, Phrases, number, property_noun, thing_noun
from kgqa.adapt.wording import OPENERS, OTHER, TOPIC, Words
from kgqa.data import Question
from kgqa.data.questions import GoldPath

_DO = ("have", "get", "play", "give", "use", "take", "show", "receive")  # what is done with what a relationship says
_DONE = ("given", "taken", "used", "had", "told", "shown")


class TwoTopics(Words):
    """Words questions with two topics."""

    def between(self, one: Between) -> Question | None:
        """A question about what a relationship says, both of its ends marked; None where a name can't stand in one."""
        steps = tuple((relation, False) for relation in one.relations)
        return self._of_two(self._asked_between(one), one, steps, "between")

    def both(self, one: Both) -> Question | None:
        """A question about what two things have in common, both marked; None where it can't be worded."""
        text = self._asked_both(one)
        return self._of_two(text, one, one.steps, "conjunction") if text else None

    def _of_two(self, text: str, one: Between | Both, steps: Sequence[tuple[str, bool]], part: str) -> Question | None:
        if any(mark in name for mark in (TOPIC, OTHER) for name in one.topics):
            return None
        plain, spans = "", []
        for piece in re.split(f"([{TOPIC}{OTHER}])", text):
            name = {TOPIC: one.topics[0], OTHER: one.topics[1]}.get(piece)
            if name is not None:
                spans.append((len(plain), len(plain) + len(name)))
            plain += piece if name is None else name
        paths = tuple(
            GoldPath(only or topic, (step,)) for only, topic, step in zip(one.only, one.topics, steps, strict=True)
        )
        return Question(plain, tuple(spans), one.answers, part, paths=paths)

    def _asked_between(self, one: Between) -> str:
        """ "what was the dose of Aspirin in case 7"."""
        noun, thing = property_noun(self._schema, one.type, one.key), thing_noun(self._schema, one.type)
        noun = number(noun, len(one.answers) > 1) if self._chance(0.7) else noun
        marks = (TOPIC, OTHER)
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
        for mark, label, only, (relation, inverse) in zip((TOPIC, OTHER), one.labels, one.only, one.steps, strict=True):
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
