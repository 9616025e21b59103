"""What a look-up of names finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from graph_schema.types import Entity

How = Literal["exact", "normal", "reordered", "joined", "typo", "acronym", "partial"]
"""How a text matches a name: letter by letter; by its normal form (case, accents, punctuation); but for articles or the
order of its words; but for spaces; but for a few letters; as its initials; as some of its words."""


@dataclass(frozen=True, slots=True)
class Hit:
    """An entity found by a text.

    Attributes:
        entity: without properties. name: that of its names which was found.
        how: how the text matches it. score: how well, in (0, 1]; 1: letter by letter. edits: letters that differ.
    """

    entity: Entity
    name: str
    how: How
    score: float
    edits: int = 0


@dataclass(frozen=True, slots=True)
class Stretch:
    """Characters [start, end) of a text and what they may name, best first."""

    start: int
    end: int
    hits: tuple[Hit, ...]


def score_of(how: How, letters: int, edits: int = 0, share: float = 1.0) -> float:
    """How well a text matches.

    Args:
        letters: of the name. edits: of a misspelling. share: of the name's letters that stand in the text, if partial.
    """
    if how == "typo":
        return 0.9 * (1.0 - edits / max(letters, 1))
    if how == "partial":
        return 0.3 + 0.4 * share
    return {"exact": 1.0, "normal": 0.98, "reordered": 0.94, "joined": 0.92, "acronym": 0.6}[how]
