"""Many strings as two arrays that can be memory-mapped, with lookup by content through an array of hashes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from graph_schema.texts import Texts
from graph_schema.types import Int64s

Bytes = npt.NDArray[np.uint8]
Hashes = npt.NDArray[np.uint64]
HASHED_BYTES = 1_000_000  # at once


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
        return cls(*_columns([strings]))

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
        return cls.of_parts([strings])

    @classmethod
    def of_parts(cls, parts: Iterable[Sequence[str]]) -> HashedStrings:
        """Of all strings of these lists, which needn't be in memory together."""
        text, offset = _columns(parts)
        hashes = hashed(text, offset)
        order = np.argsort(hashes, kind="stable")
        return cls(text, offset, hashes[order], order)

    def find(self, strings: Sequence[str]) -> Int64s:
        """Position of each string, int64; -1 where it isn't here."""
        encoded = [string.encode("utf-8", "surrogatepass") for string in strings]
        hashes = hashed(*_joined(encoded))
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


def hashed(text: Bytes, offset: Int64s) -> Hashes:
    """A 64-bit hash of each string, uint64 [n]: sum of (byte i + 1) times M to the i, modulo 2^64, M odd.

    The same on every machine. Collisions cost time, never correctness: the strings are compared.
    """
    count = len(offset) - 1
    hashes = np.zeros(count, np.uint64)
    start = 0
    while start < count:
        end = int(np.searchsorted(offset, int(offset[start]) + HASHED_BYTES, "right")) - 1
        end = min(max(end, start + 1), count)
        first, last = int(offset[start]), int(offset[end])
        lengths = np.diff(offset[start : end + 1])
        place = np.arange(last - first) - np.repeat(offset[start:end] - first, lengths)
        powers = np.full(int(lengths.max(initial=0)) + 1, 0x9E3779B97F4A7C15, np.uint64)
        np.cumprod(powers, out=powers)
        terms = (text[first:last].astype(np.uint64) + np.uint64(1)) * powers[place]
        sums = np.zeros(last - first + 1, np.uint64)
        np.cumsum(terms, out=sums[1:])
        hashes[start:end] = sums[offset[start + 1 : end + 1] - first] - sums[offset[start:end] - first]
        start = end
    return hashes


def _columns(parts: Iterable[Sequence[str]]) -> tuple[Bytes, Int64s]:
    texts: list[bytes] = []
    lengths: list[Int64s] = []
    for strings in parts:
        characters, ends = Texts.of(strings).bytes()
        texts.append(characters.tobytes())
        lengths.append(np.diff(ends))
    return np.frombuffer(b"".join(texts), np.uint8), _offsets(np.concatenate(lengths or [np.zeros(0, np.int64)]))


def _joined(encoded: Sequence[bytes]) -> tuple[Bytes, Int64s]:
    lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
    return np.frombuffer(b"".join(encoded), np.uint8), _offsets(lengths)


def _offsets(lengths: Int64s) -> Int64s:
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(lengths)))
