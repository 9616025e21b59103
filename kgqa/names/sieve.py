"""A Bloom filter over the bags of all names (Bloom 1970): which of thousands of made-up spellings aren't names."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.int64]
BITS = 32  # per bag: with two bits set for each, 0.4 % of what isn't there passes


class Sieve:
    """Takes 48-bit hashes, and says which of others may be among them.

    Args:
        bits: uint8 [2^n].
    """

    def __init__(self, bits: npt.NDArray[np.uint8]) -> None:
        self.bits = bits

    @classmethod
    def of(cls, parts: Iterable[Hashes], count: int) -> Sieve:
        """Over about ``count`` hashes."""
        size = 1 << max((BITS * count - 1).bit_length(), 6)
        sieve = cls(np.zeros(size // 8, np.uint8))
        for part in parts:
            for place in sieve._places(part):
                np.bitwise_or.at(sieve.bits, place >> 3, (1 << (place & 7)).astype(np.uint8))
        return sieve

    def may_hold(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        """For each hash, False if it certainly isn't there."""
        passed = np.ones(len(hashes), bool)
        for place in self._places(hashes):
            passed &= (self.bits[place >> 3] >> (place & 7).astype(np.uint8)) & 1 == 1
        return passed

    def _places(self, hashes: Hashes) -> tuple[Hashes, Hashes]:
        mask = 8 * len(self.bits) - 1
        return hashes & mask, (hashes >> 20) & mask
