"""Row keys by ids, many at a time: a hash table of fingerprints in two numpy arrays.

A dict of millions of texts costs four waits for memory in each look-up, one after the other, and Python does nothing
else meanwhile. Here thousands of look-ups wait together, in calls that let other threads run, and an id takes 16 to 64
bytes.

A fingerprint has 96 bits: Python's own hash of the text (64 bits, with a key of this process), and 32 bits of a
multilinear hash of its bytes, eight at a time (multilinear-HM of Lemire and Kaser, "Strongly universal string hashing
is fast", 2014). That any two of 60 million ids have the same one has a chance of about 2e-14.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from graph_schema.types import Int64s
from kgqa.stores.batches import MAX_ID_BYTES, check_ids

NO_ROW = 0  # the row key of none
ROW_BITS = np.uint64(32)
FIRST_SLOTS = 2**12  # a power of two
READ_AT_ONCE = 100_000
CHARACTERS_AT_ONCE = 2**17  # what is worked on stays in the processor's cache
WORD = 8  # bytes that are hashed at once
UInt64s = npt.NDArray[np.uint64]
LOWER = np.uint64(2**32 - 1)
LAST_BYTES: UInt64s = np.array([2 ** (8 * count) - 1 for count in range(WORD + 1)], np.uint64)
"""By how many bytes a text still has: which bits of a word are its own."""


class IdTable:
    """Row keys (1 to 2^32 - 1) by ids. What was added is only taken out all together."""

    def __init__(self) -> None:
        self._coefficients = np.random.default_rng().integers(0, 2**64, (MAX_ID_BYTES // WORD + 1, 2), np.uint64)
        self.clear()

    def __len__(self) -> int:
        return self._count

    def clear(self) -> None:
        """Take all out."""
        self._count = 0
        self._hashes = np.zeros(FIRST_SLOTS, np.uint64)
        # The upper half: the second hash; the lower: the row key. 0: a free slot.
        self._rows = np.zeros(FIRST_SLOTS, np.uint64)

    def prints(self, ids: Sequence[str]) -> tuple[UInt64s, UInt64s]:
        """The fingerprints of these, as ``find`` and ``add`` take them.

        Raises:
            InputError: an id that can't be kept in every store.
        """
        try:
            texts = pa.array(ids, pa.large_string())
        except UnicodeEncodeError:
            check_ids(ids)
            raise
        hashes = np.fromiter(map(hash, ids), np.int64, len(ids)).view(np.uint64)
        if not len(ids):
            return hashes, hashes
        _, offsets, data = texts.buffers()
        ends = np.frombuffer(offsets, np.int64)[: len(ids) + 1]
        characters = np.frombuffer(data, np.uint8)[: ends[-1]] if data is not None else np.zeros(0, np.uint8)
        if np.diff(ends).max() > MAX_ID_BYTES:
            check_ids(ids)
        seconds = np.empty(len(ids), np.uint64)
        start = 0
        while start < len(ids):
            end = max(start + 1, int(np.searchsorted(ends, ends[start] + CHARACTERS_AT_ONCE, "right")) - 1)
            part = ends[start : end + 1]
            seconds[start:end] = self._second(characters[part[0] : part[-1]], part - part[0])
            start = end
        return hashes, seconds

    def _second(self, characters: npt.NDArray[np.uint8], ends: Int64s) -> UInt64s:
        """The second hashes of texts that lie one after the other, the first from ``ends[0]`` to ``ends[1]``."""
        padded = np.zeros(len(characters) + WORD, np.uint8)
        padded[: len(characters)] = characters
        from_any_byte = np.ndarray(len(characters) + 1, np.dtype("<u8"), padded.data, strides=(1,))
        starts, left = ends[:-1], np.diff(ends)
        sums = np.zeros(len(starts), np.uint64)
        longer: Int64s | slice = slice(None)  # the texts that have a word there
        for first, second in self._coefficients:
            words = from_any_byte[starts].astype(np.uint64)
            words &= LAST_BYTES[np.minimum(left, WORD)]
            terms = (words & LOWER) + first
            terms *= (words >> ROW_BITS) + second
            sums[longer] += terms
            further = np.flatnonzero(left > WORD)
            if not len(further):
                break
            longer = further if isinstance(longer, slice) else longer[further]
            starts, left = starts[further] + WORD, left[further] - WORD
        sums >>= ROW_BITS
        return sums

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
            prints = self.prints([id_ for id_, _ in part])
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
