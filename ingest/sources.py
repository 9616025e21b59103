"""Where lines come from: a file or standard input, plain or gzip, as one stream of bytes that says how far it is."""

from __future__ import annotations

import gzip
import io
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from graph_schema import InputError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

SAMPLE = 65_536
_GZIP = b"\x1f\x8b"
_TEXT_CONTROLS = frozenset(b"\t\n\r\f\x1b")
_CONTROLS = frozenset(range(32)) - _TEXT_CONTROLS
_MAGIC = {
    b"PK\x03\x04": "a zip archive or office document",
    b"PAR1": "a Parquet file",
    b"SQLite format 3\x00": "an SQLite database",
    b"\x28\xb5\x2f\xfd": "Zstandard-compressed",
    b"BZh": "bzip2-compressed",
    b"\xfd7zXZ\x00": "xz-compressed",
    b"%PDF-": "a PDF document",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}


class ByteStream:
    """The (decompressed) bytes of one source.

    ``position`` counts the bytes taken from the file itself, compressed or not, for comparing with ``total``.
    """

    def __init__(self, name: str, raw: BinaryIO, total: int | None) -> None:
        self.name = name
        self.total = total
        self._counted = _Counted(raw)
        buffered = io.BufferedReader(self._counted, SAMPLE)
        self.compressed = buffered.peek(2)[:2] == _GZIP
        self._inner: io.BufferedIOBase = gzip.GzipFile(fileobj=buffered) if self.compressed else buffered
        self._ahead = b""

    @property
    def position(self) -> int:
        return self._counted.position

    def sample(self) -> bytes:
        """The first bytes, at most SAMPLE; they are read again by ``read``. Only before the first ``read``."""
        if not self._ahead:
            self._ahead = self._read(SAMPLE)
        return self._ahead

    def read(self, size: int) -> bytes:
        """The next bytes, at most ``size``, at least one unless the end is reached.

        Raises:
            InputError: the disk or the compression failed.
        """
        if self._ahead:
            block, self._ahead = self._ahead[:size], self._ahead[size:]
            return block
        return self._read(size)

    def _read(self, size: int) -> bytes:
        try:
            return self._inner.read(size)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            said = "ends too early" if isinstance(error, EOFError) else f"is damaged ({error})"
            raise InputError(
                f"the gzip data {said}; facts of earlier lines may be in the store, and stay",
                where=self.name,
                fix="Get the file anew and load it again: a fact that is there already isn't doubled",
            ) from error
        except OSError as error:
            raise InputError(
                f"can't be read on: {error.strerror or error}; facts of earlier lines may be in the store, and stay",
                where=self.name,
                fix="Load it again once it can be read: a fact that is there already isn't doubled",
            ) from error


class _Counted(io.RawIOBase):
    """Counts what is read of a stream, and leaves its closing to whoever opened it."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self.position = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer)
        block = self._raw.read(len(view))
        view[: len(block)] = block
        self.position += len(block)
        return len(block)


@dataclass(frozen=True, slots=True)
class Source:
    """A file by ``path``, or an open binary ``stream`` (standard input, a download); reports call it ``name``."""

    name: str
    path: Path | None = None
    stream: BinaryIO | None = None

    @classmethod
    def of(cls, given: Source | str | os.PathLike[str]) -> Source:
        """A source as it is; ``-`` as standard input; anything else as a path."""
        if isinstance(given, Source):
            return given
        if given == "-":
            return cls("<stdin>", stream=sys.stdin.buffer)
        return cls(os.fspath(given), path=Path(given))

    @property
    def size(self) -> int | None:
        """Bytes on disk; None for what is no regular file."""
        return self.path.stat().st_size if self.path and self.path.is_file() else None

    @contextmanager
    def open(self) -> Iterator[ByteStream]:
        """Open for reading; a given ``stream`` is left open afterwards.

        Raises:
            InputError: it isn't there, is a directory, may not be read, is empty, or doesn't begin like text.
        """
        if self.path is None:
            if self.stream is None:
                raise InputError("has neither a path nor a stream", where=self.name, fix="Give one of them")
            yield _begun(ByteStream(self.name, self.stream, None))
            return
        try:
            file = self.path.open("rb", buffering=0)
        except IsADirectoryError as error:
            raise InputError("is a directory", where=self.name, fix="Give the files in it") from error
        except FileNotFoundError as error:
            raise InputError("no such file", where=self.name, fix="Check the path") from error
        except PermissionError as error:
            raise InputError("may not be read", where=self.name, fix="Give yourself the right to read it") from error
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            raise InputError(f"can't be opened: {error}", where=self.name, fix="Check the path") from error
        with file:
            yield _begun(ByteStream(self.name, file, self.size))

    def check(self) -> None:
        """Find what ``open`` would find, without using anything up: a stream or pipe isn't touched.

        Raises:
            InputError: as ``open`` does.
        """
        if self.path is None or (self.path.exists() and not self.path.is_file() and not self.path.is_dir()):
            return
        with self.open():
            pass


def _begun(stream: ByteStream) -> ByteStream:
    """The stream, its beginning looked at."""
    sample = stream.sample()
    if not sample.strip():
        if len(sample) < SAMPLE:
            raise InputError("is empty", where=stream.name, fix="Give a file of lines: head, relation, tail")
        return stream
    for magic, kind in _MAGIC.items():
        if sample.startswith(magic):
            raise InputError(
                f"is {kind}, not lines of UTF-8 text", where=stream.name, fix="Give TSV, CSV or | lines, plain or gzip"
            )
    text = sample.decode("utf-8", "surrogateescape")
    controls = sum(byte in _CONTROLS for byte in sample)
    undecodable = sum("\udc80" <= character <= "\udcff" for character in text)
    if controls + undecodable > len(text) * 0.3:
        if controls < len(sample) * 0.02:
            raise InputError("isn't UTF-8 text", where=stream.name, fix="Convert it to UTF-8, for instance with iconv")
        raise InputError("is binary, not text", where=stream.name, fix="Give TSV, CSV or | lines, plain or gzip")
    return stream
