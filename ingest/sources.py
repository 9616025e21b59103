"""Where rows come from: a file or standard input, plain or compressed, as one stream of bytes."""

from __future__ import annotations

import io
import os
import re
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from graph_schema import InputError
from ingest.compression import MAGIC_BYTES, compression, damage, decompressed

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

SAMPLE = 65_536
_COPIED = 1_048_576
PARQUET = b"PAR1"
KINDS = "CSV, TSV, JSON lines, Parquet, N-Triples or Turtle"
_TEXT_CONTROLS = frozenset(b"\t\n\r\f\x1b")
_CONTROLS = bytes({*range(32)} - _TEXT_CONTROLS)
_UNDECODABLE = re.compile("[\udc80-\udcff]")
_MAGIC = {
    b"PK\x03\x04": "a zip archive or office document",
    b"PARE": "an encrypted Parquet file",
    b"SQLite format 3\x00": "an SQLite database",
    b"\x1f\x9d": "compressed by compress",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"%PDF-": "a PDF document",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}


class ByteStream:
    """The (decompressed) bytes of one source.

    Attributes:
        compressed: by what, as "gzip"; empty if it isn't.
        path: of the file, if its bytes are these; None for what is compressed or no regular file.
        position: bytes taken from the file itself, compressed or not, for comparing with ``total``; to be set by who
            reads the file by its path.
    """

    def __init__(self, name: str, raw: BinaryIO, total: int | None, path: Path | None = None) -> None:
        self.name = name
        self.total = total
        self._ahead: bytes | None = None
        self.compressed = ""
        try:
            self._counted = _Counted(raw)
        except OSError as error:
            raise self._failed(error) from error
        buffered = io.BufferedReader(self._counted, SAMPLE)
        self.compressed = compression(self._counted.start)
        self.path = None if self.compressed or total is None else path
        self._inner: io.BufferedIOBase = decompressed(buffered, self.compressed) if self.compressed else buffered

    @property
    def position(self) -> int:
        return self._counted.position

    @position.setter
    def position(self, bytes_: int) -> None:
        self._counted.position = bytes_

    def sample(self) -> bytes:
        """The first bytes, at most SAMPLE; they are read again by ``read``. Only before the first ``read``."""
        if self._ahead is None:
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

    @contextmanager
    def seekable(self) -> Iterator[BinaryIO]:
        """The bytes as a file that can be read at any place: the file itself, or a temporary copy of the stream.

        Only before the first ``read``.

        Raises:
            InputError: the disk or the compression failed, or there is no room for the copy.
        """
        if self.path is not None:
            with self.path.open("rb") as file:
                yield file
            return
        with tempfile.TemporaryFile(prefix="kgqa-") as copy:
            while block := self.read(_COPIED):
                try:
                    copy.write(block)
                except OSError as error:
                    raise no_room(self.name, error) from error
            copy.seek(0)
            yield copy

    def _read(self, size: int) -> bytes:
        try:
            return self._inner.read(size)
        except Exception as error:
            if (said := self.compressed and damage(error)) or isinstance(error, OSError):
                raise self._failed(error, said) from error
            raise

    def _failed(self, error: Exception, damaged: str = "") -> InputError:
        if damaged:
            return InputError(
                f"the {self.compressed} data {damaged}; facts of earlier lines may be in the store, and stay",
                where=self.name,
                fix="Get the file anew and load it again: a fact that is there already isn't doubled",
            )
        return InputError(
            f"can't be read on: {getattr(error, 'strerror', None) or error}; "
            "facts of earlier lines may be in the store, and stay",
            where=self.name,
            fix="Load it again once it can be read: a fact that is there already isn't doubled",
        )


def no_room(name: str, error: OSError) -> InputError:
    """That a temporary copy of a stream couldn't be written."""
    return InputError(
        f"needs a temporary copy, which can't be written: {error.strerror or error}",
        where=name,
        fix="Make room, or set TMPDIR to a folder with room",
    )


class _Counted(io.RawIOBase):
    """Counts what is read of a stream, and leaves its closing to whoever opened it."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self.position = 0
        self.start = b""
        while len(self.start) < MAGIC_BYTES and (block := raw.read(MAGIC_BYTES - len(self.start))):
            self.start += block
        self._waiting = self.start

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer)
        if self._waiting:
            block, self._waiting = self._waiting[: len(view)], self._waiting[len(view) :]
        else:
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
    def status(self) -> os.stat_result | None:
        """Of the path; None for a stream, and where nothing is to be found out."""
        try:
            return self.path.stat() if self.path else None
        except (OSError, ValueError):  # ValueError: a NUL in the path
            return None

    @property
    def size(self) -> int | None:
        """Bytes on disk; None for what is no regular file."""
        status = self.status
        return status.st_size if status and stat.S_ISREG(status.st_mode) else None

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
            yield _begun(ByteStream(self.name, file, self.size, self.path))

    def check(self) -> None:
        """Find what ``open`` would find, without using anything up: a stream or pipe isn't touched.

        Raises:
            InputError: as ``open`` does.
        """
        if self.path is None:
            return
        status = self.status
        if status and not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
            return
        with self.open():
            pass


def _begun(stream: ByteStream) -> ByteStream:
    """The stream, its beginning looked at."""
    sample = stream.sample()
    if not sample.strip():
        if len(sample) < SAMPLE:
            raise InputError("is empty", where=stream.name, fix="Give a file with something in it")
        return stream
    if sample.startswith(PARQUET):
        return stream
    for magic, kind in _MAGIC.items():
        if sample.startswith(magic):
            raise InputError(f"is {kind}, not lines of UTF-8 text", where=stream.name, fix=f"Give {KINDS}")
    text = sample.decode("utf-8", "surrogateescape")
    controls = len(sample) - len(sample.translate(None, _CONTROLS))
    undecodable = 0 if text.isascii() else len(_UNDECODABLE.findall(text))
    if controls + undecodable > len(text) * 0.3:
        if controls < len(sample) * 0.02:
            raise InputError("isn't UTF-8 text", where=stream.name, fix="Convert it to UTF-8, for instance with iconv")
        raise InputError("is binary, not text", where=stream.name, fix=f"Give {KINDS}")
    return stream
