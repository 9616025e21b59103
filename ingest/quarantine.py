"""The quarantine: what a load set aside, in a file that can be mended in an editor and loaded by the same command.

JSON lines: the first says what this is; one for each way of loading gives its options and mapping; one for each file
that a row is from says how that is read; and one for each row that was set aside:

    {"file": "films.csv", "line": 7, "row": {"film_id": "7", "year": "soon"}, "reason": "not a number",
     "detail": "released is 'soon', not a whole number", "fix": "Mend it, leave it empty, or ..."}

``row`` is the line as it stood, if it couldn't be taken apart; else its fields, by column or, without a header, in a
list.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from itertools import chain, count
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Protocol, Self

from graph_schema import ConfigError
from ingest.records import ROW_KEPT, Reason, Rejected, Table
from ingest.values import plain

if TYPE_CHECKING:
    from ingest.mapping_file import MappingFile
    from ingest.options import LoadOptions

VERSION = 1
AGAIN = "quarantine"
"""The format of rows that are lines of a quarantine file themselves, and were broken."""
READING = ("format", "header", "columns", "table", "needed", "quoting")
_BREAKS = {
    ord(character): f"\\u{ord(character):04x}" for character in "\x7f\x85\u2028\u2029"
}  # editors break lines there
_NOTE = "Mend the rows (row), or take lines out, and load this file with the same command"


@dataclass(frozen=True, slots=True)
class FileContext:
    """How the rows of one file are read.

    Attributes:
        format, width, header, quoting: as found; see ``Table``.
        how: options and mapping, as a JSON object.
        source: what the file goes by in the store; empty: its path.
    """

    file: str
    format: str
    width: int
    header: tuple[str, ...] | None = None
    quoting: str = ""
    how: str = "{}"
    source: str = ""


def context_of(
    name: str, table: Table, options: LoadOptions, mapping: MappingFile | None = None, source: str = ""
) -> FileContext:
    """How the rows of a table are read; ``source`` as in ``FileContext``."""
    said: dict[str, Any] = {"options": {name: getattr(options, name) for name in READING}}
    if mapping is not None:
        said["mapping"] = mapping.to_dict()
    how = json.dumps(said, ensure_ascii=False)
    return FileContext(name, table.format, table.width, table.header, table.quoting, how, source)


class Again(Protocol):
    """A quarantine file that is being loaded."""

    @property
    def name(self) -> str:
        """Of the file, as in ``Records.source``."""

    @property
    def contexts(self) -> Mapping[str, FileContext]:
        """How the files are read that its rows are from."""

    def origin(self, source: str, line: int) -> tuple[str, int, FileContext] | None:
        """Where a row of it was first set aside: file, line, and how that is read."""


@dataclass(slots=True)
class Quarantine:
    """Takes what a load sets aside. While the load runs, the file is ``NAME.partial``; then it gets its name.

    A load that was killed reads its files from the start when it goes on, so its quarantine is made anew, whole. With
    nothing set aside there is no file. An older file of the name is kept as ``NAME.1`` and so on, if it differs.

    Attributes:
        path: of the file.
        rows: written so far.
        older: what an older file of the name is called now, if there was one with other content.

    Raises:
        ConfigError: from any method: the file can't be written. What was written to the store stays; loading again
            goes on.
    """

    path: Path
    rows: int = 0
    older: Path | None = None
    _file: IO[bytes] | None = None
    _contexts: dict[str, FileContext] = field(default_factory=dict)
    _said: dict[str, FileContext] = field(default_factory=dict)
    _unsaid: set[str] = field(default_factory=set)  # files of rows that came before it was known how they are read
    _hows: dict[str, int] = field(default_factory=dict)
    _again: Again | None = None
    _lost: bool = False  # it couldn't be written, and is given up
    _place: int = 0
    _written: os.stat_result | None = None

    @property
    def partial(self) -> Path:
        """While it is written; where another process writes one of the same name, with a number."""
        return self.path.with_name(f"{self.path.name}.partial{self._place or ''}")

    @property
    def kept(self) -> Path:
        """Where the file is, once closed: ``path``, or what another load of the same name has called it since."""
        if self._written is not None:
            for path in chain([self.path], self._numbered()):
                if not path.exists():
                    break
                if os.path.samestat(self._written, path.stat()):
                    return path
        return self.path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        if kind is None:
            self.close()
            return
        try:
            self.close()
        except ConfigError:  # the error that ends the load is the one to be told
            return

    def begin(self, context: FileContext) -> None:
        """A file is being read, in this way; to be called before its rows are drawn."""
        self._contexts[context.file] = context
        if context.file in self._unsaid:
            self._say(context)

    def begin_again(self, again: Again) -> None:
        """A quarantine file is being read: what is faulted in it goes on being a row of the file it was from."""
        self._again = again
        self._contexts[again.name] = FileContext(again.name, AGAIN, 0)

    def __call__(self, rejected: Rejected) -> None:
        """Write one row."""
        found = self._again.origin(rejected.source, rejected.line) if self._again else None
        context = self._contexts.get(rejected.source)
        if found is not None:
            file, line, context = found
            rejected = replace(rejected, source=file, line=line)
        if context is None:
            self._unsaid.add(rejected.source)
        elif self._said.get(context.file) != context:
            self._say(context)
        self._write(_record(rejected, context))
        self.rows += 1

    def close(self) -> None:
        """The load has ended, well or not: the file gets its name; unless it couldn't be written."""
        if self._lost:
            return
        for name in sorted(self._unsaid):
            self._say(FileContext(name, "auto", 0))
        if self._file is None:
            return
        file, self._file = self._file, None
        try:
            with file:
                file.flush()
                os.fsync(file.fileno())
                with _alone(self.path.parent):
                    self._keep_older()
                    self.partial.replace(self.path)
                self._written = os.fstat(file.fileno())
        except OSError as error:
            self._lost = True
            raise self._failed(error) from error

    def discard(self) -> None:
        """Nothing was loaded, so nothing is to be kept: the file isn't made, and an older one stays as it is."""
        if self._file is not None:
            _give_up(self._file)
            self._file = None
            self.partial.unlink(missing_ok=True)
        self._lost = True

    def _say(self, context: FileContext) -> None:
        self._said[context.file] = context
        self._unsaid.discard(context.file)
        if context.format == AGAIN and self._again is not None:  # nobody knows which file its broken rows are from
            for one in self._again.contexts.values():
                if one.format != AGAIN and self._said.get(one.file) != one:
                    self._say(one)
        if context.how not in self._hows:
            self._hows[context.how] = len(self._hows) + 1
            self._write({"how": self._hows[context.how], **json.loads(context.how)})
        said = {name: value for name, value in asdict(context).items() if value not in (None, "")}
        self._write({**said, "how": self._hows[context.how]})

    def _write(self, record: dict[str, Any]) -> None:
        if self._lost:
            raise self._failed(OSError(errno.EIO, "it couldn't be before"))
        try:
            if self._file is None:
                self._file = self._opened()
                self._file.write(_line({"quarantine": VERSION, "note": _NOTE}))
            self._file.write(_line(record))
        except OSError as error:
            self._lost = True
            if self._file is not None:
                _give_up(self._file)
            raise self._failed(error) from error

    def _opened(self) -> IO[bytes]:
        """The partial file, empty, and for as long as it is open no other process's."""
        while True:
            file = self.partial.open("ab", buffering=65_536)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                self._place += 1
                continue
            # It may have got its name in between, and be another load's whole file now.
            if self.partial.exists() and os.path.samestat(os.fstat(file.fileno()), self.partial.stat()):
                if self.partial.is_file():
                    file.truncate(0)
                return file
            file.close()

    def _keep_older(self) -> None:
        if not self.path.exists() or _same(self.path, self.partial):
            return
        self.older = next(path for path in self._numbered() if not path.exists())
        self.path.rename(self.older)

    def _numbered(self) -> Iterator[Path]:
        return (self.path.with_name(f"{self.path.name}.{number}") for number in count(1))

    def _failed(self, error: OSError) -> ConfigError:
        return ConfigError(
            f"the quarantine file can't be written: {error.strerror or error}; what was loaded before stays",
            where=str(self.path),
            fix="Make room or name another file, and load again: it goes on where it was",
        )


def _record(rejected: Rejected, context: FileContext | None) -> dict[str, Any]:
    record: dict[str, Any] = {"file": rejected.source, "line": rejected.line}
    if rejected.fields is None:
        record["row"] = rejected.row
        # Readers cut bytes, or characters; what was cut within a character may be three bytes short.
        kept = len(rejected.row.encode("utf-8", "replace"))
        if kept > ROW_KEPT - 4 or rejected.reason == Reason.LINE_TOO_LONG:
            record["cut"] = True
    else:
        fields = [*map(plain, rejected.fields)]
        header = rejected.names or (context.header if context else None)
        named = header is not None and len(set(header)) == len(header) == len(fields)
        record["row"] = dict(zip(header or (), fields, strict=True)) if named else fields
    return {**record, "reason": str(rejected.reason), "detail": rejected.detail, "fix": rejected.fix}


def _line(record: dict[str, Any]) -> bytes:
    try:
        return json.dumps(record, ensure_ascii=False).translate(_BREAKS).encode() + b"\n"
    except UnicodeEncodeError:  # half of a surrogate pair
        return json.dumps(record).encode() + b"\n"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """While this lasts, no other load gives a file in the folder its name."""
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _give_up(file: IO[bytes]) -> None:
    """Close a file that can't be written to."""
    try:
        file.close()
    except OSError:
        return


def _same(one: Path, other: Path) -> bool:
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as left, other.open("rb") as right:
        while block := left.read(65_536):
            if block != right.read(65_536):
                return False
    return True
