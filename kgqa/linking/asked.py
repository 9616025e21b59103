"""What kind of thing a question asks for, where it says so: "which movies", "list the cases that", "the age of"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from graph_schema import Schema
from graph_schema.text import relation_words
from kgqa.adapt.phrases import WHEN
from kgqa.adapt.verbs import singular, verb_of
from kgqa.linking.kinds import EVER, OF_WHAT, PROPERTY, TIMES, WHO, Called, kinds_of
from kgqa.model.encoder import MASK, OTHER
from kgqa.stores.foreign.wording import PREPOSITIONS

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
_PERSON = rf"{_BEFORE}(?:whom?|(?:which|what) (?:person|people))\b(?!['’])"
_WHO = re.compile(rf"{_PERSON}(?! (?:is|are|was|were) the )")  # "who is the" is said of anything
_WHO_DID = re.compile(rf"{_PERSON} (?:(?:has|have|had|also|else|all) )*(?P<did>\w+)\b")
_WHO_IS = re.compile(rf"{_PERSON} (?:is|are|was|were) (?:listed|known|named|credited) as (?:the |an? )?(?P<what>.+)$")
_DID_WHO = re.compile(r"\b(?P<did>\w+)(?: (?:in|by|for))? whom?\W*$")
_WHEN = re.compile(
    rf"when\b|{_BEFORE}(?:what|which) (?:(?:is|are|was|were) )?(?:the )?(?:\w+ )?(?:year|date|day|time)s?\b"
)
_LAST = re.compile(r" (?:(?P<who>whom?)|(?P<when>when)|(?:what|which) (?P<what>[\w -]+?))\W*$")
_WHOSE = re.compile(
    r"(?:(?:what|who|which|when) (?:is|are|was|were) )?(?:the )?"
    rf"{re.escape(MASK.lower())} ?['’]?s (?P<chain>[^,]+?)\W*$"
)
_COMPOUND = re.compile(r"[a-z]{3,}(?P<agent>(?:writer|maker|player|designer|singer)s?)")
_HOW = re.compile(rf"{_BEFORE}how (\w+)")

# "How old" asks for the age.
_HOW_SO = {
    "old": ("age",), "long": ("duration", "length", "runtime"), "much": ("amount", "price", "cost", "quantity"),
    "tall": ("height",), "high": ("height", "elevation"), "heavy": ("weight",), "large": ("size", "area"),
    "big": ("size", "area"), "deep": ("depth",), "wide": ("width",), "fast": ("speed",), "far": ("distance",),
}  # fmt: skip


class AskedKinds:
    """Knows what the kinds of a graph are called, and which words after them say that another thing is meant.

    A kind is a label; or what a property is called ("rating", and of "reporter occupation" also "occupation"), whose
    values are of that kind, or what the relationships of one type have ("dose" of the primary suspect); or who does
    something, or when. See ``kgqa.linking.kinds``.

    Attributes:
        kinds: their names. of: of each kind, the directed relations that lead from things of it.
        held: of each kind, whether it is what relationships of one type have.
        known: the directed relations that lead from things whose kind is known. directed: how many there are.

    Args:
        schema: of the graph. relations: the ones it has. said: other wordings of these.
        by_nouns: in a graph without labels, kinds are what relations call the things that they lead to; else nothing
            is of any kind there.
    """

    def __init__(
        self, schema: Schema, relations: Sequence[str], said: Iterable[Sequence[str]] = (), *, by_nouns: bool = False
    ) -> None:
        found = kinds_of(schema, relations, by_nouns=by_nouns)
        self.directed = 2 * len(relations)
        self.kinds = list(found.of)
        self.of = [sorted(found.of[kind]) for kind in self.kinds]
        self.held = [" IN " in kind for kind in self.kinds]
        self.known = sorted(found.known)
        self._place = {kind: place for place, kind in enumerate(self.kinds)}
        self._types = sorted(((words, type_) for type_, words in found.types.items()), key=lambda one: -len(one[0]))
        # By the first word; the longest first, and labels before properties of the same name.
        self._called: dict[str, list[Called]] = {}
        for words in sorted(found.called, key=lambda one: (-len(one.said), one.kind.startswith(PROPERTY), one)):
            for first in words.said.split()[:1]:
                self._called.setdefault(first, []).append(words)
        self._ends, self._doing = found.ends, found.doing
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
        if _LAST.search(text):
            kind = self._asked_last(text)
        else:
            kind = self._whose(text) or self._said(text) or self._asked_first(text)
        return self._place.get(kind, -1)

    def _said(self, text: str) -> str:
        """The kind that a text names; nothing if it names none, or not as what it asks for."""
        found = _ASKED.match(text)
        rest = found["rest"] if found and self._called else ""
        for before in range(_MOST_BEFORE + 1):
            kind = self._begins(rest, bool(found and found["opener"]))
            if kind and not (before and kind == WHO):  # "which movie's director is"
                return self._of_type(kind, rest)
            # "primary suspect drugs", "reporter's occupation": what stands before says more of the kind.
            word, _, rest = rest.partition(" ")
            if not rest or singular(re.sub(r"['’]s$", "", word)) not in self._nouns:
                return ""
        return ""

    def _whose(self, text: str) -> str:
        """The kind at the end of a chain: "what is [MASK]'s director's birthplace"."""
        found = _WHOSE.match(text)
        last = re.split(r"(?: ?['’]s| s) ", found["chain"])[-1].strip() if found else ""
        if not last or PREPOSITIONS & {*last.split()} or "of" in last.split():
            return ""
        return self._ends.get(last) or self._begins(last, opened=True)

    def _asked_last(self, text: str) -> str:
        """The kind that is asked for at the end: "were directed by who", "starred in which films"."""
        asked = _LAST.search(text)
        if asked is None:
            return ""
        if asked["who"]:
            return self._doer(_DID_WHO.search(text))
        if asked["when"] or _WHEN.match(f"which {asked['what']}"):
            return TIMES
        return self._begins(asked["what"], opened=True)

    def _asked_first(self, text: str) -> str:
        """The kind that a question word asks for: who, when, how old."""
        if listed := _WHO_IS.match(text):
            return self._begins(listed["what"], opened=True) or WHO
        if _WHO.match(text):
            return self._doer(_WHO_DID.match(text))
        if _WHEN.match(text):
            return TIMES
        how = _HOW.match(text)
        nouns = _HOW_SO.get(how[1], ()) if how else ()
        kind = next((one for one in (f"{PROPERTY}{noun}" for noun in nouns) if one in self._place), "")
        return self._of_type(kind, text)

    def _doer(self, said: re.Match[str] | None) -> str:
        """Who does what is said, as far as the graph tells them from others: who "wrote" is a writer."""
        return self._doing.get(said["did"], WHO) if said else WHO

    def _of_type(self, kind: str, text: str) -> str:
        """A property's kind, as relationships of a type have it if the text speaks of just these."""
        for words, type_ in self._types:
            if f"{kind} IN {type_}" in self._place and re.search(rf"\b{re.escape(words)}(?:s|es)?\b", text):
                return f"{kind} IN {type_}"
        return kind

    def _begins(self, text: str, opened: bool) -> str:
        """The kind that a text begins with the words for, if nothing else is meant."""
        first = re.split(r"[^\w-]", text, maxsplit=1)[0]
        if first not in self._called and (head := _COMPOUND.fullmatch(first)):
            text, first = text.removeprefix(first.removesuffix(head["agent"])), head["agent"]  # a screenwriter writes
        for called in self._called.get(first, ()):
            after = text.removeprefix(called.said)
            if len(after) == len(text) or re.match(r"[\w'’]", after):
                continue  # a longer word, or whose
            words = after.split()
            told = opened or called.when == EVER or (called.when == OF_WHAT and words and words[0] in _OF)
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
        if singular(word) in WHEN:
            return False
        return singular(word) not in self._nouns or verb_of(word) is not None or word.endswith(("ed", "ing"))


def _texts(schema: Schema, relations: Iterable[str]) -> Iterable[str]:
    for name in relations:
        yield schema.words(name)
        yield from schema.relations[name].synonyms if name in schema.relations else ()
    for label, known in schema.labels.items():
        yield known.words or relation_words(label)
