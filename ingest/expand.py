"""From what was given (files, folders, patterns, standard input) to the sources that are read."""

from __future__ import annotations

import glob
import json
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
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

_REJECTED = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"quarantine"\s*:')
_REPORT = re.compile(rb'\{\s*"load": "[^"]*",\s*"files": \[')
_SNAPSHOT = "current.json"
"""In the folder ``FILE.csr`` of an embedded store, beside arrays."""

Given = Source | str | os.PathLike[str]
Note = Callable[[str], None]


def _nobody(_: str) -> None:
    """Takes what is worth saying, and doesn't say it."""


class Own:
    """Tells files that kgqa wrote from data: rejected rows, reports, snapshots of stores, and others that are known.

    Args:
        note: takes what is left out, as sentences.
        paths: files and folders that are kgqa's own, whatever is in them; but not what is looked for in them.
    """

    def __init__(self, note: Note = _nobody, paths: Iterable[Path] = ()) -> None:
        self.note = note
        self._known = frozenset(map(os.path.realpath, paths))
        self._said: set[str] = set()

    def known(self, path: Path, folder: Path) -> bool:
        """Whether it is one of those known, or in one; ``folder``: where it was looked for."""
        if not self._known:
            return False
        around = Path(os.path.realpath(folder))
        real = Path(os.path.realpath(path))
        return any(str(one) in self._known for one in (real, *real.parents) if one not in (around, *around.parents))

    def others(self, paths: Iterable[Path], folder: Path) -> list[Path]:
        """Those of these files that aren't kgqa's own."""
        return [path for path in paths if not self._left_out(path, folder)]

    def _left_out(self, path: Path, folder: Path) -> bool:
        known = self.known(path, folder)
        whose, what = (path, "is what this command writes") if known else _written(path)
        if what and (said := f"{whose} {what}, and is left out; name it to load it") not in self._said:
            self._said.add(said)
            self.note(said)
        return bool(what)


def expand(given: Sequence[Given], note: Note = _nobody, own: Iterable[Path] = ()) -> list[Source]:
    """The sources that are meant, in the order given, each file once.

    A path is that file, also where it looks like a pattern. A folder is the data files in it and in the folders below
    it, in the order of their paths; a pattern (``*``, ``?``, ``[...]``, and ``**`` for any folders) the files it fits,
    in the order of theirs. In both, hidden files are left out, and kgqa's own files; in a folder, also what isn't named
    like data. ``-`` is standard input.

    Args:
        note: takes what is left out, as sentences.
        own: files and folders that kgqa writes itself, as the store; files of rejected rows, reports and snapshots are
            known without.

    Raises:
        InputError: a pattern fits no file, or a folder has no data file or can't be looked into. Whether a file that is
            named can be read is for ``Source.check`` to say.
    """
    sources: list[Source] = []
    seen: dict[tuple[int, int], str] = {}
    left = Own(note, own)
    for source in chain.from_iterable(_expanded(one, left) for one in given):
        if source.size is not None and (status := source.status):
            first = seen.setdefault(place := (status.st_dev, status.st_ino), "")
            if first:
                if first != source.name:
                    note(f"{source.name} is the same file as {first}, and is read once")
                continue
            seen[place] = source.name
        sources.append(source)
    return sources


def _expanded(given: Given, own: Own) -> Iterator[Source]:
    source = Source.of(given)
    status = source.status
    if isinstance(given, Source) or source.path is None:
        yield source
    elif status and stat.S_ISDIR(status.st_mode):
        yield from map(Source.of, _of_folder(source.path, own))
    elif not status and glob.has_magic(source.name) and "\0" not in source.name:
        yield from map(Source.of, _of_pattern(source.name, own))
    else:
        yield source


def _of_folder(folder: Path, own: Own) -> list[Path]:
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
                own.note(f"{Path(place, name)} is a link to a folder, and is left out; name it to load it")
        folders[:] = [name for name in folders if not name.startswith(".") and not own.known(Path(place, name), folder)]
        for name in names:
            path = Path(place, name)
            if name.startswith("."):
                continue
            (found if named_like_data(name) else other).append(path)
    files = own.others(sorted(found), folder)
    other = [path for path in other if not own.known(path, folder)]
    if other:
        own.note(f"{folder}: left out, not named like data: {counted(len(other), 'file')} ({_some(other)})")
    if not files:
        raise InputError(
            "is a folder without data files" + (f"; it has {_some(there)}" if (there := other or found) else ""),
            where=str(folder),
            fix=f"Files of {KINDS} are taken by the end of their names, as .csv or .ttl.gz; name others one by one",
        )
    return files


def _of_pattern(pattern: str, own: Own) -> list[Path]:
    names = glob.iglob(pattern, recursive=True)  # noqa: PTH207 - unlike Path.glob, it leaves out hidden files
    found = sorted({path for name in names if not (path := Path(name)).is_dir()})
    files = own.others(found, _plain_part(pattern))
    if not files:
        raise InputError("no file fits this pattern", where=pattern, fix="Check the path; ** stands for any folders")
    return files


def _plain_part(pattern: str) -> Path:
    """The folder that all files of a pattern are in or below."""
    parts = Path(pattern).parts
    return Path(*parts[: next(place for place, part in enumerate(parts) if glob.has_magic(part))])


def _some(paths: Sequence[Path]) -> str:
    return ", ".join(path.name for path in sorted(paths)[:3]) + (", ..." if len(paths) > 3 else "")


def named_like_data(name: str) -> bool:
    """Whether a file's name ends like that of data, compressed or not."""
    return bare(name).endswith(DATA)


def bare(name: str) -> str:
    """A file's name in lower case, without the end that says it is compressed."""
    name = name.lower()
    return next((name.removesuffix(end) for end in COMPRESSED if name.endswith(end)), name)


def _written(path: Path) -> tuple[Path, str]:
    """What kgqa wrote here, as file or folder and a phrase; the phrase is empty if it is anything else."""
    for folder in path.parents[:2]:
        if folder.suffix == ".csr" and (folder / _SNAPSHOT).is_file():
            return folder, "is a store's snapshot"
    try:
        if not path.is_file():
            return path, ""
        with path.open("rb") as file:
            start = file.read(1_000)
            if _REPORT.match(start):
                return path, "is the report of a load"
            if not _REJECTED.match(start):
                return path, ""
            file.seek(0)
            first = json.loads(file.readline(1_048_576))
    except (OSError, ValueError, RecursionError):
        return path, ""
    own = isinstance(first, dict) and next(iter(first), "") == "quarantine"
    return path, "holds rejected rows" if own else ""
