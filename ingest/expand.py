"""From what was given (files, folders, patterns, standard input) to the sources that are read."""

from __future__ import annotations

import glob
import json
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from graph_schema import InputError
from graph_schema.text import counted
from ingest.compression import SUFFIXES as COMPRESSED
from ingest.sources import KINDS, Source

DATA = (
    ".csv", ".tsv", ".tab", ".psv", ".txt", ".jsonl", ".ndjson", ".json", ".parquet", ".pq", ".nt", ".nq", ".ttl",
    ".trig",
)  # fmt: skip
"""How names of data files end; after it may stand the end of a compressed file, as in ``facts.csv.gz``."""

Given = Source | str | os.PathLike[str]
Note = Callable[[str], None]


def _nobody(_: str) -> None:
    """Takes what is worth saying, and doesn't say it."""


def expand(given: Sequence[Given], note: Note = _nobody) -> list[Source]:
    """The sources that are meant, in the order given, each file once.

    A path is that file, also where it looks like a pattern. A folder is the data files in it and in the folders below
    it, in the order of their paths; a pattern (``*``, ``?``, ``[...]``, and ``**`` for any folders) the files it fits,
    in the order of theirs. In both, hidden files are left out, and kgqa's own files of rejected rows; in a folder, also
    what isn't named like data. ``-`` is standard input.

    Args:
        note: takes what is left out, as sentences.

    Raises:
        InputError: a pattern fits no file, or a folder has no data file or can't be looked into. Whether a file that is
            named can be read is for ``Source.check`` to say.
    """
    sources: list[Source] = []
    seen: dict[tuple[int, int], str] = {}
    for source in chain.from_iterable(_expanded(one, note) for one in given):
        if source.size is not None and (status := source.status):
            first = seen.setdefault(place := (status.st_dev, status.st_ino), "")
            if first:
                if first != source.name:
                    note(f"{source.name} is the same file as {first}, and is read once")
                continue
            seen[place] = source.name
        sources.append(source)
    return sources


def _expanded(given: Given, note: Note) -> Iterator[Source]:
    source = Source.of(given)
    status = source.status
    if isinstance(given, Source) or source.path is None:
        yield source
    elif status and stat.S_ISDIR(status.st_mode):
        yield from map(Source.of, _of_folder(source.path, note))
    elif not status and glob.has_magic(source.name) and "\0" not in source.name:
        yield from map(Source.of, _of_pattern(source.name, note))
    else:
        yield source


def _of_folder(folder: Path, note: Note) -> list[Path]:
    """Data files in a folder and below."""

    def failed(error: OSError) -> None:
        raise InputError(
            f"can't be looked into: {error.strerror}", where=str(error.filename), fix="Give yourself the right to"
        ) from error

    found: list[Path] = []
    other: list[Path] = []
    for place, folders, names in os.walk(folder, onerror=failed):
        for name in folders:
            if not name.startswith(".") and Path(place, name).is_symlink():
                note(f"{Path(place, name)} is a link to a folder, and is left out; name it to load it")
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(place, name)
            if name.startswith("."):
                continue
            (found if named_like_data(name) else other).append(path)
    files = [path for path in sorted(found) if not _own(path, note)]
    if other:
        note(f"{folder}: left out, not named like data: {counted(len(other), 'file')} ({_some(other)})")
    if not files:
        raise InputError(
            "is a folder without data files" + (f"; it has {_some(other)}" if other else ""),
            where=str(folder),
            fix=f"Files of {KINDS} are taken by the end of their names, as .csv or .ttl.gz; name others one by one",
        )
    return files


def _of_pattern(pattern: str, note: Note) -> list[Path]:
    names = glob.iglob(pattern, recursive=True)  # noqa: PTH207 - unlike Path.glob, it leaves out hidden files
    found = sorted({path for name in names if not (path := Path(name)).is_dir()})
    files = [path for path in found if not _own(path, note)]
    if not files:
        raise InputError("no file fits this pattern", where=pattern, fix="Check the path; ** stands for any folders")
    return files


def _some(paths: Sequence[Path]) -> str:
    return ", ".join(path.name for path in sorted(paths)[:3]) + (", ..." if len(paths) > 3 else "")


def named_like_data(name: str) -> bool:
    """Whether a file's name ends like that of data, compressed or not."""
    return bare(name).endswith(DATA)


def bare(name: str) -> str:
    """A file's name in lower case, without the end that says it is compressed."""
    name = name.lower()
    return next((name.removesuffix(end) for end in COMPRESSED if name.endswith(end)), name)


def _own(path: Path, note: Note) -> bool:
    """Whether it is a file of rejected rows that kgqa wrote beside the data."""
    if path.suffix.lower() != ".jsonl":
        return False
    try:
        with path.open("rb") as file:
            first = json.loads(file.readline(1_048_576))
    except (OSError, ValueError, RecursionError):
        return False
    own = isinstance(first, dict) and next(iter(first), "") == "quarantine"
    if own:
        note(f"{path} holds rejected rows, and is left out; name it to load it")
    return own
