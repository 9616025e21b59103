"""Compressed bytes: which compression, found from the first bytes, and reading through it with bounded memory."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
import zlib
from typing import BinaryIO

SUFFIXES = (".gz", ".zst", ".zstd", ".bz2", ".xz")
"""Ends of names, only for telling what stands before them: the content alone says how a file is compressed."""

MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "Zstandard", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz"}
_SKIPPABLE = b"\x2a\x4d\x18"  # second to fourth byte of a Zstandard frame without data, as pzstd writes first
MAGIC_BYTES = 6


def compression(start: bytes) -> str:
    """The compression of a file that starts so; empty if none is known."""
    if start[1:4] == _SKIPPABLE and start[0] >> 4 == 5:
        return "Zstandard"
    return next((name for magic, name in MAGIC.items() if start.startswith(magic)), "")


def decompressed(stream: BinaryIO, how: str) -> io.BufferedIOBase:
    """The bytes within; several members or frames one after the other are read as one.

    Args:
        how: what ``compression`` says, not empty.
    """
    if how == "gzip":
        return gzip.GzipFile(fileobj=stream)
    if how == "bzip2":
        return bz2.BZ2File(stream)
    if how == "xz":
        return lzma.LZMAFile(stream)
    # Only where such a file is read. The library refuses frames that ask for more than 128 MiB of window.
    if sys.version_info >= (3, 14):
        from compression.zstd import ZstdFile  # noqa: PLC0415
    else:
        from backports.zstd import ZstdFile  # noqa: PLC0415
    return ZstdFile(stream)


def damage(error: Exception) -> str:
    """What is wrong with compressed data whose reading ended so, as a phrase; empty if the fault isn't theirs."""
    if isinstance(error, EOFError):
        return "ends too early"
    if isinstance(error, (gzip.BadGzipFile, zlib.error, lzma.LZMAError)) or type(error).__name__ == "ZstdError":
        return f"is damaged ({error})"
    if isinstance(error, OSError) and error.errno is None:  # as bz2 says it
        return f"is damaged ({error})"
    return ""
