"""Questions written otherwise than their set has them: in small letters, or with a slip in the topic's name."""

from __future__ import annotations

import random
import string
from dataclasses import replace

from graph_schema.text import name_key
from kgqa.data import Question

SLIPS = ("leave out", "put in", "replace", "swap")
ATTEMPTS = 100


def lower_cased(question: Question) -> Question:
    """The question in small letters; where that changes its length, letter by letter."""
    return replace(question, plain="".join(c.lower() if len(c.lower()) == 1 else c for c in question.plain))


def misspelt(question: Question, rng: random.Random) -> Question:
    """The question with one random slip in its first topic.

    A letter of the name, drawn evenly, is left out, replaced by another, doubled by another before it, or swapped with
    the letter after it, each as likely; what changes nothing but capitals is drawn again. A name without letters (a
    year) stays.
    """
    if not question.spans:
        return question
    (start, end), *more = question.spans
    name = question.plain[start:end]
    slipped = slip(name, rng)
    grown = len(slipped) - len(name)
    return replace(
        question,
        plain=question.plain[:start] + slipped + question.plain[end:],
        spans=((start, end + grown), *((a + grown, b + grown) for a, b in more)),
    )


def slip(name: str, rng: random.Random) -> str:
    """A name with one random slip; see ``misspelt``."""
    places = [at for at, letter in enumerate(name) if letter.isalpha()]
    for _ in range(ATTEMPTS if places else 0):
        at, kind = rng.choice(places), rng.choice(SLIPS)
        letter = rng.choice(string.ascii_lowercase)
        if name[at].isupper():
            letter = letter.upper()
        if kind == "leave out":
            slipped = name[:at] + name[at + 1 :]
        elif kind == "put in":
            slipped = name[:at] + letter + name[at:]
        elif kind == "replace":
            slipped = name[:at] + letter + name[at + 1 :]
        elif name[at + 1 : at + 2].isalpha():
            slipped = name[:at] + name[at + 1] + name[at] + name[at + 2 :]
        else:
            continue
        if slipped.strip() and name_key(slipped) != name_key(name):
            return slipped
    return name
