"""Bytes to whole lines, in blocks; a line without end is skipped in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator

from ingest.records import ROW_KEPT, Reason, Reject, Rejected
from ingest.sources import ByteStream

MAX_LINE = 1_048_576
BLOCK = 262_144  # at most MAX_LINE
_BOM = b"\xef\xbb\xbf"


def blocks(stream: ByteStream, reject: Reject, limit: int | None = None) -> Iterator[tuple[int, bytes]]:
    """Blocks of whole lines, each as (1-based number of its first line, bytes); every block ends with a line feed.

    A byte order mark at the start is taken off. A line of more than MAX_LINE bytes is rejected, and what remains of it
    skipped. At most MAX_LINE + 2 * BLOCK bytes are held.

    Args:
        limit: instead of MAX_LINE.
    """
    limit = limit or MAX_LINE
    number, rest, skipping = 1, b"", False
    while block := stream.read(BLOCK):
        if number == 1 and not rest and not skipping:
            block = block.removeprefix(_BOM)
        if skipping:
            end = block.find(b"\n")
            if end < 0:
                continue
            block, skipping, number = block[end + 1 :], False, number + 1
        end = block.rfind(b"\n")
        if end < 0:
            rest += block
        else:
            whole, rest = rest + block[: end + 1], block[end + 1 :]
            # Only the first line of a block can reach back into earlier ones, so only it can be longer than BLOCK.
            first = whole.find(b"\n")
            if first > limit:
                reject(_too_long(stream.name, number, whole, limit))
                whole, number = whole[first + 1 :], number + 1
            if whole:
                yield number, whole
                number += whole.count(b"\n")
        if len(rest) > limit:
            reject(_too_long(stream.name, number, rest, limit))
            rest, skipping = b"", True
    if rest:
        yield number, rest + b"\n"


def _too_long(source: str, line: int, start: bytes, limit: int) -> Rejected:
    shown = start[:ROW_KEPT].decode("utf-8", "replace")
    return Rejected(source, line, Reason.LINE_TOO_LONG, f"more than {limit:,} bytes", shown)
