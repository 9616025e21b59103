"""Names that a question may mean though it doesn't write them so: which of its words nothing explains.

Who writes capitals tells where names are: a run of capitalised words that no one name has in it is looked into
("Pulp Fction", "Michael Man", "Spielberg's"), with the words beside it. Else only words that no name in the graph has
are: "movies" and "wrote" are nearly names as well. So a question whose names are all known costs one look-up more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from kgqa.names import Stretch

Token = tuple[int, int, str]
Span = tuple[int, int]
GAP = 2  # small words inside a name ("of the")
PART = 4  # letters of a word that may stand for a name in a question without capitals
# Words of that length that ask, or join others, and stand for no name.
_SMALL = """what when where which whose whom there their they them this that these those have does were been many much
most more than with from into about also only some each every other same both list show tell name give find"""
SMALL = frozenset(_SMALL.split())


@runtime_checkable
class Guesses(Protocol):
    """Proposes names; ``NamesIndex`` does. What it says may be older than the store, which has the last word."""

    def spelt(self, keys: Sequence[str]) -> dict[str, tuple[str, ...]]: ...

    def in_text(self, plain: str, doubted: Sequence[bool], parts: Sequence[bool]) -> tuple[Stretch, ...]: ...


def proposed(plain: str, found: Sequence[Token], keys: Mapping[Span, str], guesses: Guesses) -> tuple[Stretch, ...]:
    """What a question may name beside the names that it has in it.

    Args:
        found: its tokens. keys: the key of each of its stretches.
    """
    runs = _runs(plain, found)
    # In small letters, a part of a name is only looked for where there is no name at all.
    asked = {
        span: key for span, key in keys.items() if key and (not runs or any(_around(span, run, found) for run in runs))
    }
    spelt = guesses.spelt(sorted(set(asked.values())))
    known = {span: spelt[key] for span, key in asked.items() if key in spelt}
    open_runs = [run for run in runs if not _covered(run, plain, found, known)]
    doubted, parts = [False] * len(found), [False] * len(found)
    for first, last in open_runs:
        for place in range(max(first - 1, 0), min(last + 2, len(found))):
            doubted[place] = True
        for place in range(first, last + 1):
            parts[place] = _capital(plain, found[place])
    if not runs and not known:
        parts = [len(word) >= PART and word not in SMALL for _, _, word in found]
    return guesses.in_text(plain, doubted, parts)


def _around(span: Span, run: Span, found: Sequence[Token]) -> bool:
    return span[0] <= found[run[0]][0] and found[run[1]][1] <= span[1]


def _covered(run: Span, plain: str, found: Sequence[Token], known: Mapping[Span, Sequence[str]]) -> bool:
    """Whether one name has the whole run in it, letter by letter."""
    words = [plain[start:end] for start, end, _ in found[run[0] : run[1] + 1]]
    return any(
        _around(span, run, found) and any(all(word in name for word in words) for name in names)
        for span, names in known.items()
    )


def _capital(plain: str, token: Token) -> bool:
    return any(letter.isupper() for letter in plain[token[0] : token[1]])


def _runs(plain: str, found: Sequence[Token]) -> list[Span]:
    """(first, last) of each run of tokens with a capital; up to ``GAP`` others may stand between two of them.

    The first word of a question is capitalised anyway: alone it is no run.
    """
    runs: list[Span] = []
    for place, token in enumerate(found):
        if not _capital(plain, token):
            continue
        if runs and place - runs[-1][1] <= GAP + 1:
            runs[-1] = (runs[-1][0], place)
        else:
            runs.append((place, place))
    return [run for run in runs if run[1] > 0]
