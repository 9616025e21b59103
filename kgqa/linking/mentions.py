"""Mentions: the stretches of a question that are names or aliases in the graph.

In free text every stretch of words is looked up by its normal form; of those that are names, one inside a longer one is
dropped ("The Matrix" inside "The Matrix Reloaded"), while overlapping ones and those elsewhere are all kept: films are
called "Stars" and "Director", so which mention is a topic can't be told by length alone. A longer one doesn't hide the
name it ends with where only that one is spelled as the graph spells it: "who is in Hell" may be about "Hell", though
there is "In Hell". Where the asker has put [brackets], only what stands in them is looked up.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from graph_schema import Entity, QuestionError
from graph_schema.text import name_key, tokens

MAX_CHARACTERS = 2_000
MAX_NAME_WORDS = 24

_BRACKETS = re.compile(r"\[([^\[\]]*)\]")


class Names(Protocol):
    """Knows who bears a name; a ``GraphReader`` does."""

    def lookup(self, keys: Sequence[str]) -> dict[str, tuple[Entity, ...]]: ...


@dataclass(frozen=True, slots=True)
class Mention:
    """Characters [start, end) of a question's plain text, and the entities that bear this name, by id."""

    start: int
    end: int
    text: str
    entities: tuple[Entity, ...]

    @property
    def written_as_name(self) -> bool:
        """Whether the text is spelled as the graph spells the name, with a capital; a single letter tells nothing."""
        return (
            len(self.text) > 1
            and any(letter.isupper() for letter in self.text)
            and any(self.text in (entity.name, *entity.aliases) for entity in self.entities)
        )


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


def find_mentions(plain: str, spans: Sequence[tuple[int, int]], names: Names) -> tuple[Mention, ...]:
    """The mentions in a question's plain text, in the order they stand in.

    Args:
        plain: the text without brackets. spans: what stood in brackets; empty for free text.
        names: where they are looked up, in one call.

    A bracketed span that nobody bears is returned without entities; of several entities that share a name's normal
    form, those that are spelled exactly so win.
    """
    found = tokens(plain)
    if spans:
        candidates = list(spans)
    else:
        candidates = [
            (found[i][0], found[j][1]) for i in range(len(found)) for j in range(i, min(len(found), i + MAX_NAME_WORDS))
        ]
    keys = {span: name_key(plain[span[0] : span[1]]) for span in candidates}
    known = names.lookup(sorted({key for key in keys.values() if key}))
    mentions = {
        span: _mention(plain, span, known.get(keys[span], ()))
        for span in sorted(candidates)
        if spans or keys[span] in known
    }
    if spans:
        return tuple(mentions.values())
    return tuple(
        mention
        for span, mention in mentions.items()
        if not any(
            _inside(span, longer) and not _begins_too_early(longer, other, span, mention, plain)
            for longer, other in mentions.items()
        )
    )


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


def _mention(plain: str, span: tuple[int, int], entities: tuple[Entity, ...]) -> Mention:
    """The mention at a span, with the punctuation around it that belongs to a name ("Kill!", "...All the Marbles").

    Of several entities, those spelled exactly as the text is win.
    """
    spelled: dict[tuple[int, int], list[Entity]] = {}
    for entity in entities:
        for name in (entity.name, *entity.aliases):
            start = plain.find(name, max(0, span[1] - len(name)), span[0] + len(name))
            if 0 <= start <= span[0] and span[1] <= start + len(name):
                spelled.setdefault((start, start + len(name)), []).append(entity)
    if spelled:
        span = max(spelled, key=lambda s: (s[1] - s[0], -s[0]))
        entities = tuple(dict.fromkeys(spelled[span]))
    return Mention(*span, plain[span[0] : span[1]], entities)


def masked(plain: str, mention: Mention, mask: str) -> str:
    """The question with one mention replaced by ``mask``, and without the mark that ends it.

    >>> masked("who directed Heat?", Mention(13, 17, "Heat", ()), "[MASK]")
    'who directed [MASK]'
    """
    return (plain[: mention.start] + mask + plain[mention.end :]).strip().rstrip("?.! ")
