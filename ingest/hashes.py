"""Sets too large for Python objects: 64-bit hashes in sorted arrays, eight bytes a member.

The hashes are Python's own, so they mean something within one process only. Among n members, about n² / 2⁶⁵ pairs are
taken for one another: with 10 million facts, one such set in 370,000 has a false pair.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from graph_schema.types import Int64s

_FEW = 65_536


class Hashes:
    """A growing set. Arrays of similar size are merged as it grows, so there are few, and adding stays cheap."""

    def __init__(self) -> None:
        self._parts: list[Int64s] = []  # each ascending and distinct, no member in two of them

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def add(self, hashes: Iterable[int]) -> int:
        """Put these in; returns how many of them, counted once each, were new."""
        given = np.unique(np.fromiter(hashes, np.int64))
        new = given[~self._has(given)]
        grown = new
        while self._parts and len(self._parts[-1]) <= max(2 * len(grown), _FEW):
            grown = np.union1d(self._parts.pop(), grown)
        if len(grown):
            self._parts.append(grown)
        return len(new)

    def has(self, hashes: Iterable[int]) -> Sequence[bool]:
        """Which of these are in, in their order."""
        found: list[bool] = self._has(np.fromiter(hashes, np.int64)).tolist()
        return found

    def common(self, other: Hashes) -> int:
        """How many members are in both."""
        return sum(int(self._has(part).sum()) for part in other._parts)

    def _has(self, hashes: Int64s) -> npt.NDArray[np.bool_]:
        found = np.zeros(len(hashes), np.bool_)
        for part in self._parts:
            at = np.searchsorted(part, hashes)
            found |= part[np.minimum(at, len(part) - 1)] == hashes
        return found


class Counts:
    """How often each of many hashes came; eight bytes for each time. All are added before the first is asked for."""

    def __init__(self) -> None:
        self._parts: list[Int64s] = []
        self._sorted = False

    def __len__(self) -> int:
        """How many were added, each as often as it came."""
        return sum(map(len, self._parts))

    def add(self, hashes: Iterable[int]) -> None:
        self._parts.append(np.fromiter(hashes, np.int64))

    def of(self, hashes: Iterable[int]) -> Int64s:
        """How often each of these came, in their order; int64."""
        if not self._sorted:
            self._parts = [np.concatenate([np.zeros(0, np.int64), *self._parts])]
            self._parts[0].sort()
            self._sorted = True
        (all_,) = self._parts
        asked = np.fromiter(hashes, np.int64)
        counts: Int64s = np.searchsorted(all_, asked, "right") - np.searchsorted(all_, asked, "left")
        return counts
