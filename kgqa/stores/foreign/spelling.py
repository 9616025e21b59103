"""Words of a schema that are misspelt in the database: said as they are meant, so that questions have them in them.

A word is taken for a misspelling where it is none that is known, and a single known one is one edit away from it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeVar

from pydantic import BaseModel
from rapidfuzz import process
from rapidfuzz.distance import OSA

from kgqa.stores.foreign.decisions import Decided, Place

SHORTEST = 7  # letters; shorter words are near to others by chance

_Part = TypeVar("_Part", bound=BaseModel)


def respelt(decided: Decided, known: Collection[str]) -> Decided:
    """The same with the misspellings in its wordings mended, and that said in ``why``.

    Args:
        known: words in small letters; without any, nothing is mended.
    """
    why = dict(decided.why)
    return Decided(_mended(decided.schema, known, why, ()), why)


def meant_by(word: str, known: Collection[str]) -> str:
    """The known word that another one is a misspelling of; empty if it is none, as far as one can tell.

    >>> words = {"manufacturer", "substance", "drug"}
    >>> meant_by("manufactuer", words), meant_by("substances", words), meant_by("drag", words)
    ('manufacturer', '', '')
    """
    if len(word) < SHORTEST or not (word.isascii() and word.isalpha()):
        return ""
    if word in known or word.removesuffix("s") in known:
        return ""
    near = process.extract(word, known, scorer=OSA.distance, score_cutoff=1, limit=2)
    return near[0][0] if len(near) == 1 and near[0][0][0] == word[0] else ""


def _mended(part: _Part, known: Collection[str], why: dict[Place, str], place: Place) -> _Part:
    """A part of a schema, and what is in it, with its wordings mended."""
    changed: dict[str, Any] = {}
    meant: dict[str, str] = {}
    for name in type(part).model_fields:
        value = getattr(part, name)
        if isinstance(value, str) and name.endswith(("words", "inverse")):
            own = {word: right for word in value.split() if (right := meant_by(word, known))}
            if own:
                changed[name] = " ".join(own.get(word, word) for word in value.split())
                meant |= own
        elif isinstance(value, dict):
            below = {key: _mended(one, known, why, (*place, name, key)) for key, one in value.items()}
            changed[name] = below
    if meant:
        said = ", ".join(f"{right!r} for {word!r}" for word, right in meant.items())
        why[place] = "; ".join(filter(None, (why.get(place, ""), f"said {said}, which is no word known here")))
    return part.model_copy(update=changed)
