"""What a load says of itself: progress while it runs, a report when it has ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from graph_schema import TooManyRejects, Written
from ingest.options import LoadOptions
from ingest.records import Reason, Rejected


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a load is; counts cover all of its sources so far.

    Attributes:
        source: name of the one being read.
        bytes_read: bytes taken from files, compressed ones as they lie on disk.
        bytes_total: of all sources; None if the size of one of them isn't known.
        lines: lines read.
        facts: facts written, those that were there already included.
        rejected: lines set aside.
    """

    source: str
    bytes_read: int
    bytes_total: int | None
    lines: int
    facts: int
    rejected: int


ProgressCallback = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of one source.

    Attributes:
        source: its name.
        format: "tsv", "pipe" or "csv", as said or found.
        header: the columns' names, None if the first line was read as a fact.
        lines: lines read, the header and blank ones included.
        facts: facts read; each was created or merged.
        created: facts that the store hadn't got.
        merged: facts that came more than once, or were in the store.
        entities_created: entities that the store hadn't got.
        rejected: lines set aside, by reason.
        examples: the first of them, by reason, as "file:line: reason: detail".
    """

    source: str
    format: str
    header: tuple[str, ...] | None
    lines: int
    facts: int
    created: int
    merged: int
    entities_created: int
    rejected: Mapping[str, int] = field(default_factory=dict)
    examples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "source": self.source,
            "format": self.format,
            "header": list(self.header) if self.header is not None else None,
            "lines": self.lines,
            "facts": self.facts,
            "created": self.created,
            "merged": self.merged,
            "entities_created": self.entities_created,
            "rejected": dict(self.rejected),
            "examples": {reason: list(shown) for reason, shown in self.examples.items()},
        }


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What became of a load: its files one by one, their sums, and the wall-clock ``seconds`` it took.

    ``notes``: what should be known besides, a sentence each: files left out, for instance.
    """

    files: tuple[FileReport, ...]
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def lines(self) -> int:
        return sum(file.lines for file in self.files)

    @property
    def facts(self) -> int:
        return sum(file.facts for file in self.files)

    @property
    def created(self) -> int:
        return sum(file.created for file in self.files)

    @property
    def merged(self) -> int:
        return sum(file.merged for file in self.files)

    @property
    def entities_created(self) -> int:
        return sum(file.entities_created for file in self.files)

    @property
    def rejected(self) -> Mapping[str, int]:
        """Lines set aside, by reason, over all files."""
        total: Counter[str] = Counter()
        for file in self.files:
            total.update(file.rejected)
        return MappingProxyType(total)

    @property
    def rejected_lines(self) -> int:
        return sum(self.rejected.values())

    @property
    def facts_per_second(self) -> float:
        return self.facts / self.seconds if self.seconds else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "files": [file.as_dict() for file in self.files],
            "lines": self.lines,
            "facts": self.facts,
            "created": self.created,
            "merged": self.merged,
            "entities_created": self.entities_created,
            "rejected": dict(self.rejected),
            "notes": list(self.notes),
            "seconds": self.seconds,
            "facts_per_second": self.facts_per_second,
        }


class Tally:
    """Counts one source while it is read, and makes its report."""

    def __init__(self, source: str, options: LoadOptions, rejected_before: int) -> None:
        self.source = source
        self.lines = 0
        self.read = 0
        self.sent = 0
        self.written = Written()
        self.rejected: Counter[Reason] = Counter()
        self.examples: dict[Reason, list[str]] = {}
        self._options = options
        self._before = rejected_before

    @property
    def rejects(self) -> int:
        return self.rejected.total()

    def reject(self, rejected: Rejected) -> None:
        """Count a line that is set aside, and hand it to the sink.

        Raises:
            TooManyRejects: it is one more than was allowed.
        """
        self.lines = max(self.lines, rejected.line)
        self.rejected[rejected.reason] += 1
        shown = self.examples.setdefault(rejected.reason, [])
        if len(shown) < self._options.examples:
            shown.append(str(rejected))
        self._options.rejects(rejected)
        allowed = self._options.max_errors
        if allowed is not None and self._before + self.rejects > allowed:
            raise TooManyRejects(
                f"more than {allowed:,} bad lines; the last: {rejected.reason}: {rejected.detail}",
                where=f"{rejected.source}:{rejected.line}",
                fix="What was written before stays. Mend the lines or allow more, and load again: no fact is doubled",
            )

    def report(self, format_: str, header: tuple[str, ...] | None) -> FileReport:
        return FileReport(
            source=self.source,
            format=format_,
            header=header,
            lines=self.lines,
            facts=self.read,
            created=self.written.facts_created,
            merged=self.read - self.sent + self.written.facts_merged,
            entities_created=self.written.entities_created,
            rejected=MappingProxyType({str(reason): times for reason, times in self.rejected.items()}),
            examples=MappingProxyType({str(reason): tuple(shown) for reason, shown in self.examples.items()}),
        )
