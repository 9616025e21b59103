"""A column of texts that lie in memory one after the other, without an object for each.

What is done to all of them is then a few calls that let other threads run. pyarrow, which is slow to import, is so
only where there are such columns.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, overload

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pyarrow as pa

Ints = npt.NDArray[np.int64]
_EDGES = np.array([code >= 0x80 or chr(code).isspace() for code in range(256)])
"""By byte, whether a text that begins or ends with it may have white space there."""


class Texts(Sequence[str]):
    """Reads like a list of ``str``.

    Attributes:
        array: the texts, none of them null.
    """

    __slots__ = ("array",)

    def __init__(self, array: pa.LargeStringArray) -> None:
        self.array = array

    @classmethod
    def of(cls, texts: Sequence[str]) -> Texts:
        """Any texts.

        Raises:
            UnicodeEncodeError: one has half of a surrogate pair.
        """
        import pyarrow as pa  # noqa: PLC0415 - heavy

        return texts if isinstance(texts, Texts) else cls(pa.array(texts, pa.large_string()))

    @classmethod
    def joined(cls, parts: Sequence[Texts]) -> Texts:
        import pyarrow as pa  # noqa: PLC0415 - heavy

        return cls(pa.concat_arrays([part.array for part in parts]))

    def __len__(self) -> int:
        return len(self.array)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> Texts: ...
    def __getitem__(self, place: int | slice) -> str | Texts:
        if isinstance(place, slice):
            return Texts(self.array[place])
        return str(self.array[place].as_py())

    def __iter__(self) -> Iterator[str]:
        return iter(self._listed(self.array))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and [*self] == [*other]

    __hash__ = None  # type: ignore[assignment]  # as a list

    def __repr__(self) -> str:
        return f"Texts({[*self]!r})"

    def take(self, places: Ints) -> list[str]:
        """The texts at these places."""
        import pyarrow as pa  # noqa: PLC0415 - heavy

        return self._listed(self.array.take(pa.array(places)))

    def distinct(self) -> tuple[list[str], Ints]:
        """Each text once, and for each place which of them stands there."""
        found = self.array.dictionary_encode()
        return self._listed(found.dictionary), found.indices.to_numpy(zero_copy_only=False).astype(np.int64)

    def bytes(self) -> tuple[npt.NDArray[np.uint8], Ints]:
        """The UTF-8 of all, and where it begins in there for each, and ends for the last."""
        _, offsets, data = self.array.buffers()
        start = self.array.offset
        ends = np.frombuffer(offsets, np.int64)[start : start + len(self) + 1] if len(self) else np.zeros(1, np.int64)
        characters = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
        return characters[ends[0] : ends[-1]], ends - ends[0]

    def stripped(self) -> Texts:
        """The same without white space around each."""
        characters, ends = self.bytes()
        long = np.flatnonzero(ends[1:] > ends[:-1])
        doubtful = long[_EDGES[characters[ends[long]]] | _EDGES[characters[ends[long + 1] - 1]]]
        if all(text == text.strip() for text in self.take(doubtful)):
            return self
        return Texts.of([text.strip() for text in self])

    def has_any(self, texts: Collection[str]) -> bool:
        """Whether one of these is among them."""
        if {*texts} == {""}:
            return bool((np.diff(self.bytes()[1]) == 0).any())
        import pyarrow as pa  # noqa: PLC0415 - heavy
        from pyarrow import compute  # noqa: PLC0415 - as above

        found = compute.is_in(self.array, pa.array([*texts], pa.large_string()))
        return bool(compute.any(found).as_py())

    def between(self, before: str, after: str) -> Texts:
        """Each with these texts before and after it."""
        if not before and not after:
            return self
        import pyarrow as pa  # noqa: PLC0415 - heavy
        from pyarrow import compute  # noqa: PLC0415 - as above

        parts = (pa.scalar(before, pa.large_string()), self.array, pa.scalar(after, pa.large_string()))
        return Texts(compute.binary_join_element_wise(*parts, pa.scalar("", pa.large_string())))

    @staticmethod
    def _listed(array: pa.LargeStringArray) -> list[str]:
        found: list[str] = array.to_numpy(zero_copy_only=False).tolist()
        return found


def distinct(texts: Sequence[str]) -> set[str]:
    """Each of some texts once."""
    return {*(texts.distinct()[0] if isinstance(texts, Texts) else texts)}
