"""Which index belongs to which store, and keeping it in step with it."""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from threading import Thread
from urllib.parse import unquote

from graph_schema.errors import KgqaError
from graph_schema.ports import GraphReader
from kgqa.names.index import NamesIndex

AT_ONCE = 100_000  # names, up to which a stale index is refreshed before it is used
SQLITE = "sqlite:///"


def index_path(url: str) -> Path:
    """Where the index of a store lies: beside an embedded store's file, else in the user's cache."""
    if url.startswith(SQLITE):
        file = Path(unquote(url.removeprefix(SQLITE)))
        return file.with_name(file.name + ".names")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "kgqa" / "names" / f"{sha256(url.encode()).hexdigest()[:16]}.db"


def open_index(
    reader: GraphReader, path: Path | None = None, progress: Callable[[int], None] = lambda _: None
) -> NamesIndex:
    """The index of a store's names, as of now, or, if it is large and of before, soon.

    One that isn't there is made first. A stale one does no harm: what it proposes is looked up in the store. Where
    nothing can be written, it is made in memory.

    Args:
        path: the file; None: see ``index_path``. progress: called with how many entities were looked at.

    Raises:
        StoreError: the store failed.
    """
    index = _opened(path or index_path(reader.url))
    mark = f"{reader.url} {reader.changes()}"
    if index.mark == mark:
        return index
    if not index.mark or len(index) <= AT_ONCE:
        index.refresh(reader.all_entities(), mark, progress)
    else:
        Thread(target=_refresh, args=(index, reader, mark), name="names", daemon=True).start()
    return index


def _opened(path: Path) -> NamesIndex:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return NamesIndex(path)
    except (KgqaError, OSError):  # a folder that can't be written to, a file of another version
        return NamesIndex()


def _refresh(index: NamesIndex, reader: GraphReader, mark: str) -> None:
    other = NamesIndex(index.path)  # with a connection of its own, so that nobody waits for it
    try:
        other.refresh(reader.all_entities(), mark)
    except KgqaError:
        pass  # the store or the file went away: the next to open the index tries again
    finally:
        other.close()
