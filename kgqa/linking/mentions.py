"""Mentions: the stretches of a question that are names or aliases in the graph.

In free text every stretch of words is looked up by its normal form; of those that are names, one inside a longer one is
dropped ("The Matrix" inside "The Matrix Reloaded"), while overlapping ones and those elsewhere are all kept: films are
called "Stars" and "Director", so which mention is a topic can't be told by length alone. A longer one doesn't hide the
name it ends with where only that one is spelled as the graph spells it: "who is in Hell" may be about "Hell", though
there is "In Hell". With an index of names, what may be a name written otherwise is among the mentions, too (see
``guesses``). Where the asker has put [brackets], only what stands in them is looked up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from graph_schema import Entity, QuestionError
from graph_schema.text import name_key, tokens
from kgqa.linking.guesses import Guesses, Span, proposed
from kgqa.model.english import known_words
from kgqa.names import How, Stretch, score_of
from kgqa.names.forms import ARTICLES, words_of

MAX_CHARACTERS = 2_000
MAX_NAME_WORDS = 24
NAMING_DIGITS = 5  # in a text, that make it a name as a capital does

_BRACKETS = re.compile(r"\[([^\[\]]*)\]")


class Names(Protocol):
    """Knows who bears a name; a ``GraphReader`` does."""

    def lookup(self, keys: Sequence[str]) -> dict[str, tuple[Entity, ...]]: ...


@dataclass(frozen=True, slots=True)
class Mention:
    """Characters [start, end) of a question's plain text, and the entities that bear this name, by id.

    Attributes:
        how: how the text matches the name; see ``kgqa.names``. score: how well, in (0, 1].
        others: entities that it might mean as well, but that fit worse.
    """

    start: int
    end: int
    text: str
    entities: tuple[Entity, ...]
    how: How = "exact"
    score: float = 1.0
    others: tuple[Entity, ...] = ()

    @property
    def guessed(self) -> bool:
        """Whether the text is no name in the graph, but may mean one."""
        return self.how not in ("exact", "normal")

    @property
    def written_as_name(self) -> bool:
        """Whether the text is spelled as the graph spells the name, with a capital (a single letter tells nothing) or
        with as many digits as numbers and dates have that bear a name, and years don't. A name that the graph has all
        in capitals may be written with some.

        Of a guess, whether it has a capital.
        """
        capital = len(self.text) > 1 and any(letter.isupper() for letter in self.text)
        if self.guessed:
            return capital
        numbered = sum(letter.isdigit() for letter in self.text) >= NAMING_DIGITS
        names = {name for entity in self.entities for name in (entity.name, *entity.aliases)}
        loud = capital and any(name.isupper() and name == self.text.upper() for name in names)
        return loud or ((capital or numbered) and self.text in names)


def split_brackets(question: str) -> tuple[str, tuple[tuple[int, int], ...]]:
    """A question without its brackets, and the character spans, in the result, that stood in them.

    >>> split_brackets("who directed [Heat]?")
    ('who directed Heat?', ((13, 17),))

    Raises:
        QuestionError: empty, only space, too long, or an empty pair of brackets.
    """
    if len(question) > MAX_CHARACTERS:
        raise QuestionError(
            f"the question is too long: {len(question):,} characters, at most {MAX_CHARACTERS:,} are read",
            fix="Ask one question at a time, in a sentence",
        )
    plain, spans, done = "", [], 0
    for match in _BRACKETS.finditer(question):
        plain += question[done : match.start()]
        if not match.group(1).strip():
            raise QuestionError("nothing stands in the brackets", where=question, fix="Put a name between [ and ]")
        spans.append((len(plain), len(plain) + len(match.group(1))))
        plain += match.group(1)
        done = match.end()
    plain += question[done:]
    if not plain.strip():
        raise QuestionError("the question is empty", fix='Ask something, for example: kgqa ask "who directed Heat"')
    return plain, tuple(spans)


def find_mentions(
    plain: str, spans: Sequence[Span], names: Names, guesses: Guesses | None = None
) -> tuple[Mention, ...]:
    """The mentions in a question's plain text, in the order they stand in.

    Args:
        plain: the text without brackets. spans: what stood in brackets; empty for free text.
        names: where they are looked up, in one call. guesses: proposes what free text may mean as well.

    A bracketed span that nobody bears is returned without entities. Of several entities that share a name's normal
    form, those that are spelled exactly so win, unless the whole question is in small letters.
    """
    found = tokens(plain)
    if spans:
        candidates = list(spans)
    else:
        # A mark that stands alone (" ?") is no end of a longer name; where it is, the mention takes it in.
        words = [any(sign.isalnum() for sign in plain[token[0] : token[1]]) for token in found]
        candidates = [
            (found[i][0], found[j][1])
            for i in range(len(found))
            for j in range(i, min(len(found), i + MAX_NAME_WORDS))
            if i == j or (words[i] and words[j])
        ]
    keys = {span: name_key(plain[span[0] : span[1]]) for span in candidates}
    stretches = proposed(plain, found, keys, guesses) if guesses and not spans else ()
    proposals = {name_key(hit.name) for stretch in stretches for hit in stretch.hits}
    known = names.lookup(sorted({key for key in keys.values() if key} | proposals))
    careful = bool(spans) or any(letter.isupper() for letter in plain[found[0][1] if found else 0 :])
    careful = careful or len(plain.lower()) != len(plain)  # else places in both are the same
    mentions = {
        span: _mention(plain, span, known.get(keys[span], ()), careful=careful)
        for span in sorted(candidates)
        if spans or keys[span] in known
    }
    if spans:
        return tuple(mentions.values())
    told = [
        mention
        for span, mention in mentions.items()
        if not any(
            _inside(span, longer) and not _begins_too_early(longer, other, span, mention, plain)
            for longer, other in mentions.items()
        )
    ]
    guessed = [guess for stretch in stretches if (guess := _guess(plain, stretch, known))]
    whole = told + [guess for guess in guessed if guess.how == "reordered"]
    told += [guess for guess in guessed if not any(_is_rather(plain, guess, name) for name in whole)]
    return tuple(sorted(told, key=lambda mention: (mention.start, mention.end)))


def _is_rather(plain: str, guess: Mention, name: Mention) -> bool:
    """Whether what is guessed at a text is there as it stands.

    The same text is a name; it is a part of one ("Matrix" of "The Matrix"); or a part of it is one, and the rest isn't
    misspelt, but English in small letters ("The Matrix released" is no misspelt "The Matrix Reloaded").
    """
    span = (guess.start, guess.end)
    if guess is name:
        return False
    if not name.guessed and (span == (name.start, name.end) or guess.how == "reordered"):
        return name.start <= guess.start and guess.end <= name.end
    if guess.how != "typo" or not _inside((name.start, name.end), span):
        return False
    rest = f"{plain[guess.start : name.start]} {plain[name.end : guess.end]}"
    return rest == rest.lower() and all(word in ARTICLES or word in known_words() for word in words_of(rest))


def _guess(plain: str, stretch: Stretch, known: Mapping[str, tuple[Entity, ...]]) -> Mention | None:
    """The mention at a stretch: those who bear the names that fit best, as far as the store has them."""
    best: tuple[Entity, ...] = ()
    others: dict[Entity, None] = {}
    how, score, edits = stretch.hits[0].how, 0.0, 0
    for hit in stretch.hits:
        bearers = [entity for entity in known.get(name_key(hit.name), ()) if entity.id == hit.entity.id]
        if not best and bearers:
            how, score, edits = hit.how, hit.score, hit.edits
        # Of misspellings, those of as few edits are as good; a longer name only looks a little more alike.
        if bearers and (hit.how, hit.edits) == (how, edits):
            best += tuple(bearers)
        else:
            others.update(dict.fromkeys(bearers))
    if not best:
        return None
    text = plain[stretch.start : stretch.end]
    return Mention(stretch.start, stretch.end, text, tuple(dict.fromkeys(best)), how, score, tuple(others))


def _inside(span: tuple[int, int], other: tuple[int, int]) -> bool:
    return span != other and other[0] <= span[0] and span[1] <= other[1]


def _begins_too_early(
    longer: tuple[int, int], other: Mention, span: tuple[int, int], mention: Mention, plain: str
) -> bool:
    """Whether the longer name begins in small letters that the graph writes with a capital, and this one after them."""
    before = plain[longer[0] : span[0]]
    return (
        longer[1] == span[1]
        and mention.written_as_name
        and not other.written_as_name
        and not any(letter.isupper() for letter in before)
    )


def _mention(plain: str, span: Span, entities: tuple[Entity, ...], *, careful: bool) -> Mention:
    """The mention at a span, with the punctuation around it that belongs to a name ("Kill!", "...All the Marbles").

    Args:
        careful: whether the asker marks names, by capitals or brackets: then of several entities, those win that are
            spelled exactly as the text is.
    """
    spelled: dict[tuple[int, int], list[Entity]] = {}
    text = plain if careful else plain.lower()
    for entity in entities:
        for name in (entity.name, *entity.aliases):
            start = text.find(name if careful else name.lower(), max(0, span[1] - len(name)), span[0] + len(name))
            if 0 <= start <= span[0] and span[1] <= start + len(name):
                spelled.setdefault((start, start + len(name)), []).append(entity)
    if not spelled:
        return Mention(*span, plain[span[0] : span[1]], entities, "normal", score_of("normal", 0))
    span = max(spelled, key=lambda s: (s[1] - s[0], -s[0]))
    if careful:
        entities = tuple(dict.fromkeys(spelled[span]))
    return Mention(*span, plain[span[0] : span[1]], entities)


def masked(plain: str, mention: Mention, mask: str, others: Sequence[Mention] = (), other: str = "") -> str:
    """The question with one mention replaced by ``mask``, and without the mark that ends it.

    Args:
        others: mentions apart from it that are replaced by ``other``.

    >>> masked("who directed Heat?", Mention(13, 17, "Heat", ()), "[MASK]")
    'who directed [MASK]'
    """
    marks = [(mention, mask), *((one, other) for one in others)]
    for one, mark in sorted(marks, key=lambda pair: -pair[0].start):
        plain = plain[: one.start] + mark + plain[one.end :]
    return plain.strip().rstrip("?.! ")
