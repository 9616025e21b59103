"""Many strings as two arrays that can be memory-mapped, with lookup by content through an array of hashes."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from graph_schema.types import Int64s

Bytes = npt.NDArray[np.uint8]
Hashes = npt.NDArray[np.uint64]


class Strings:
    """An immutable list of strings.

    Args:
        text: uint8, the UTF-8 of all strings, one after the other.
        offset: int64 [n + 1], string i is ``text[offset[i]:offset[i + 1]]``.
    """

    def __init__(self, text: Bytes, offset: Int64s) -> None:
        self.text = text
        self.offset = offset
        self._view = text.data

    @classmethod
    def build(cls, strings: Sequence[str]) -> Strings:
        encoded = [string.encode() for string in strings]
        lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
        offset = np.concatenate((np.zeros(1, np.int64), np.cumsum(lengths)))
        return cls(np.frombuffer(b"".join(encoded), np.uint8), offset)

    def __len__(self) -> int:
        return len(self.offset) - 1

    def __getitem__(self, index: int) -> str:
        return str(self._view[int(self.offset[index]) : int(self.offset[index + 1])], "utf-8")

    def take(self, indices: npt.NDArray[np.integer]) -> list[str]:
        """The strings at these positions."""
        view = self._view
        starts, ends = self.offset[indices].tolist(), self.offset[np.add(indices, 1)].tolist()
        return [str(view[start:end], "utf-8") for start, end in zip(starts, ends, strict=True)]

    def all(self) -> list[str]:
        """All of them, in order."""
        return self.take(np.arange(len(self)))


class HashedStrings(Strings):
    """The same, distinct, with a way back from a string to its position.

    Args:
        hash: uint64 [n], hashes of the strings, ascending.
        at: int64 [n], position of the string with that hash.
    """

    def __init__(self, text: Bytes, offset: Int64s, hash: Hashes, at: Int64s) -> None:
        super().__init__(text, offset)
        self.hash = hash
        self.at = at

    @classmethod
    def build(cls, strings: Sequence[str]) -> HashedStrings:
        plain = Strings.build(strings)
        hashes = np.fromiter((hash64(string.encode()) for string in strings), np.uint64, len(strings))
        order = np.argsort(hashes, kind="stable").astype(np.int64)
        return cls(plain.text, plain.offset, hashes[order], order)

    def find(self, strings: Sequence[str]) -> Int64s:
        """Position of each string, int64; -1 where it isn't here."""
        encoded = [string.encode("utf-8", "surrogatepass") for string in strings]
        hashes = np.fromiter(map(hash64, encoded), np.uint64, len(encoded))
        found = np.full(len(encoded), -1, np.int64)
        low, view = np.searchsorted(self.hash, hashes, "left"), self._view
        present = np.flatnonzero(low < len(self.hash))
        present = present[self.hash[low[present]] == hashes[present]]
        places = self.at[low[present]]
        spans = zip(self.offset[places].tolist(), self.offset[places + 1].tolist(), strict=True)
        for asked, place, (start, end) in zip(present.tolist(), places.tolist(), spans, strict=True):
            if view[start:end] == encoded[asked]:
                found[asked] = place
            else:
                found[asked] = self._find_past_collision(int(low[asked]) + 1, int(hashes[asked]), encoded[asked])
        return found

    def _find_past_collision(self, position: int, hash: int, encoded: bytes) -> int:
        while position < len(self.hash) and int(self.hash[position]) == hash:
            place = int(self.at[position])
            if self._view[int(self.offset[place]) : int(self.offset[place + 1])] == encoded:
                return place
            position += 1
        return -1


def hash64(encoded: bytes) -> int:
    """A 64-bit hash, the same on every machine. Collisions cost time, never correctness: the strings are compared."""
    return int.from_bytes(blake2b(encoded, digest_size=8).digest(), "little")
