"""Row keys by ids, many at a time: a hash table of fingerprints in two numpy arrays.

A dict of millions of texts costs four waits for memory in each look-up, one after the other, and Python does nothing
else meanwhile. Here thousands of look-ups wait together, in calls that let other threads run, and an id takes 16 to 64
bytes.

A fingerprint has 96 bits: three multilinear hashes of the text's length and its bytes, eight at a time, with keys of
this table (multilinear-HM of Lemire and Kaser, "Strongly universal string hashing is fast", 2014). That any two of 60
million ids have the same one has a chance of about 2e-14.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import numpy as np
import numpy.typing as npt

from graph_schema.texts import Texts
from graph_schema.types import Int64s
from kgqa.stores.batches import MAX_ID_BYTES, check_ids

NO_ROW = 0  # the row key of none
ROW_BITS = np.uint64(32)
FIRST_SLOTS = 2**12  # a power of two
READ_AT_ONCE = 100_000
CHARACTERS_AT_ONCE = 2**17  # what is worked on stays in the processor's cache
WORD = 8  # bytes that are hashed at once
HASHES = 3  # of 32 bits each
UInt64s = npt.NDArray[np.uint64]
LOWER = np.uint64(2**32 - 1)
LAST_BYTES: UInt64s = np.array([2 ** (8 * count) - 1 for count in range(WORD + 1)], np.uint64)
"""By how many bytes a text still has: which bits of a word are its own."""


class IdTable:
    """Row keys (1 to 2^32 - 1) by ids. What was added is only taken out all together."""

    def __init__(self) -> None:
        keys = MAX_ID_BYTES // WORD + 2, 2, HASHES
        self._keys = np.random.default_rng().integers(0, 2**64, keys, np.uint64)
        self.clear()

    def __len__(self) -> int:
        return self._count

    def clear(self) -> None:
        """Take all out."""
        self._count = 0
        self._hashes = np.zeros(FIRST_SLOTS, np.uint64)
        # The upper half: the second hash; the lower: the row key. 0: a free slot.
        self._rows = np.zeros(FIRST_SLOTS, np.uint64)

    def prints(self, ids: Texts) -> tuple[UInt64s, UInt64s]:
        """The fingerprints of these, as ``find`` and ``add`` take them.

        Raises:
            InputError: an id that can't be kept in every store.
        """
        characters, ends = ids.bytes()
        if np.diff(ends).max(initial=0) > MAX_ID_BYTES:
            check_ids([*ids])
        firsts, seconds = np.empty(len(ids), np.uint64), np.empty(len(ids), np.uint64)
        start = 0
        while start < len(ids):
            end = max(start + 1, int(np.searchsorted(ends, ends[start] + CHARACTERS_AT_ONCE, "right")) - 1)
            part = ends[start : end + 1]
            firsts[start:end], seconds[start:end] = self._hashed(characters[part[0] : part[-1]], part - part[0])
            start = end
        return firsts, seconds

    def _hashed(self, characters: npt.NDArray[np.uint8], ends: Int64s) -> tuple[UInt64s, UInt64s]:
        """64 and 32 bits of texts that lie one after the other, the first from ``ends[0]`` to ``ends[1]``."""
        padded = np.zeros(len(characters) + WORD, np.uint8)
        padded[: len(characters)] = characters
        from_any_byte = np.ndarray(len(characters) + 1, np.dtype("<u8"), padded.data, strides=(1,))
        starts, left = ends[:-1], np.diff(ends)
        keys = iter(self._keys)
        low, high = next(keys)
        sums = [(left.astype(np.uint64) + low[n]) * high[n] for n in range(HASHES)]
        longer: Int64s | slice = slice(None)  # the texts that have a word there
        for low, high in keys:
            words = from_any_byte[starts].astype(np.uint64)
            words &= LAST_BYTES[np.minimum(left, WORD)]
            lower, upper = words & LOWER, words >> ROW_BITS
            for n in range(HASHES):
                terms = lower + low[n]
                terms *= upper + high[n]
                sums[n][longer] += terms
            further = np.flatnonzero(left > WORD)
            if not len(further):
                break
            longer = further if isinstance(longer, slice) else longer[further]
            starts, left = starts[further] + WORD, left[further] - WORD
        return (sums[0] & ~LOWER) | (sums[1] >> ROW_BITS), sums[2] >> ROW_BITS

    def find(self, prints: tuple[UInt64s, UInt64s]) -> Int64s:
        """The row key of each, NO_ROW where there is none."""
        hashes, seconds = prints
        found = np.zeros(len(hashes), np.int64)
        mask = np.uint64(len(self._rows) - 1)
        asked: Int64s | slice = slice(None)
        slots = (hashes & mask).astype(np.int64)
        while len(slots):
            there = self._rows[slots]
            same = (self._hashes[slots] == hashes[asked]) & (there >> ROW_BITS == seconds[asked])
            rows = (there & LOWER).astype(np.int64)
            further = (rows != NO_ROW) & ~same
            rows[~same] = NO_ROW
            found[asked] = rows
            places = np.flatnonzero(further)
            asked = places if isinstance(asked, slice) else asked[places]
            slots = (slots[places] + 1) & int(mask)
        return found

    @staticmethod
    def alike(prints: tuple[UInt64s, UInt64s]) -> tuple[Int64s, Int64s]:
        """Places of fingerprints so that each is at one of them, and for each given one at which of them it is."""
        hashes, seconds = prints
        _, first, which = np.unique(hashes, return_index=True, return_inverse=True)
        if not np.array_equal(seconds[first][which], seconds):  # 64 bits don't tell all of these apart
            _, first, which = np.unique(np.stack(prints, axis=1), axis=0, return_index=True, return_inverse=True)
        return first, which.reshape(-1)

    def add(self, prints: tuple[UInt64s, UInt64s], rows: Int64s) -> None:
        """Row keys of ids that aren't there yet, each of them once."""
        self._count += len(rows)
        if 2 * self._count > len(self._rows):
            self._grow()
        self._put(prints[0], (prints[1] << ROW_BITS) | rows.astype(np.uint64))

    def learn(self, pairs: Iterable[tuple[str, int]]) -> None:
        """Ids and their row keys; those that are there already are left out."""
        drawn = iter(pairs)
        while part := [*islice(drawn, READ_AT_ONCE)]:
            prints = self.prints(Texts.of([id_ for id_, _ in part]))
            new = np.flatnonzero(self.find(prints) == NO_ROW)
            rows = np.array([row for _, row in part], np.int64)
            self.add((prints[0][new], prints[1][new]), rows[new])

    def _grow(self) -> None:
        size = len(self._rows)
        while 2 * self._count > size:
            size *= 2
        held = np.flatnonzero(self._rows)
        hashes, rows = self._hashes[held], self._rows[held]
        self._hashes, self._rows = np.zeros(size, np.uint64), np.zeros(size, np.uint64)
        self._put(hashes, rows)

    def _put(self, hashes: UInt64s, rows: UInt64s) -> None:
        """Into the first free slot from where each belongs. Of those that want the same one, the last gets it."""
        mask = np.uint64(len(self._rows) - 1)
        slots = (hashes & mask).astype(np.int64)
        while len(slots):
            free = np.flatnonzero(self._rows[slots] == 0)
            self._rows[slots[free]] = rows[free]
            got = free[self._rows[slots[free]] == rows[free]]
            self._hashes[slots[got]] = hashes[got]
            left = np.ones(len(slots), bool)
            left[got] = False
            hashes, rows, slots = hashes[left], rows[left], (slots[left] + 1) & int(mask)
