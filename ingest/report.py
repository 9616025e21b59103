"""What a load says of itself: progress while it runs, a report when it has ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from graph_schema import TooManyRejects, Written
from graph_schema.loads import LoadSource
from ingest.options import LoadOptions
from ingest.records import DISPUTED, Reason, Rejected


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a load is; counts cover all of its sources so far.

    Attributes:
        source: name of the one being read.
        bytes_read: bytes taken from files, compressed ones as they lie on disk.
        bytes_total: of all sources; None if the size of one of them isn't known.
        lines: lines read.
        facts: facts that are in the store now, those that were there already included.
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
        format: the name of its format, as said or found.
        header: the columns' names, None if the first line was read as a fact.
        lines: lines read, the header and blank ones included.
        facts: facts read; each was created or merged.
        created: facts that the store hadn't got; of a load gone on with, before its first beginning.
        merged: facts that came more than once, or were in the store.
        unchanged: of those merged, the ones in which nothing changed: no new source, no new property.
        entities: entities declared by rows of their own; those that facts only mention aren't counted.
        entities_created: entities that the store hadn't got, mentioned ones included.
        entities_merged: of ``entities``, those that came more than once, or were in the store.
        entities_unchanged: of those merged, the ones in which nothing changed: name, label, aliases and properties are
            as they were, though another source may have said them.
        resumed_at: line up to which all was in when a broken-off load was gone on with; 0: it began at the beginning.
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
    unchanged: int
    entities: int
    entities_created: int
    entities_merged: int
    entities_unchanged: int
    resumed_at: int = 0
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
            "unchanged": self.unchanged,
            "entities": self.entities,
            "entities_created": self.entities_created,
            "entities_merged": self.entities_merged,
            "entities_unchanged": self.entities_unchanged,
            "resumed_at": self.resumed_at,
            "rejected": dict(self.rejected),
            "examples": {reason: list(shown) for reason, shown in self.examples.items()},
        }

    @classmethod
    def unchanged_since(cls, said: Mapping[str, Any]) -> FileReport:
        """Of a source of which all is in the store as it was; ``said``: its report then, by ``as_dict``."""
        again = {"created": 0, "entities_created": 0, "merged": said["facts"], "unchanged": said["facts"]}
        again |= {"entities_merged": said["entities"], "entities_unchanged": said["entities"]}
        header = None if said["header"] is None else tuple(said["header"])
        return cls(**{**said, **again, "header": header, "resumed_at": 0})


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What became of a load: its files one by one, their sums, and the wall-clock ``seconds`` it took.

    Attributes:
        load: id of the load in the store, by which it can be looked up and undone.
        notes: what should be known besides, a sentence each: files left out, for instance.
    """

    files: tuple[FileReport, ...]
    seconds: float
    load: str = ""
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
    def unchanged(self) -> int:
        return sum(file.unchanged for file in self.files)

    @property
    def entities(self) -> int:
        return sum(file.entities for file in self.files)

    @property
    def entities_created(self) -> int:
        return sum(file.entities_created for file in self.files)

    @property
    def entities_merged(self) -> int:
        return sum(file.entities_merged for file in self.files)

    @property
    def entities_unchanged(self) -> int:
        return sum(file.entities_unchanged for file in self.files)

    @property
    def resumed(self) -> bool:
        """Whether a broken-off load was gone on with."""
        return any(file.resumed_at for file in self.files)

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
            "load": self.load,
            "files": [file.as_dict() for file in self.files],
            "lines": self.lines,
            "facts": self.facts,
            "created": self.created,
            "merged": self.merged,
            "unchanged": self.unchanged,
            "entities": self.entities,
            "entities_created": self.entities_created,
            "entities_merged": self.entities_merged,
            "entities_unchanged": self.entities_unchanged,
            "resumed": self.resumed,
            "rejected": dict(self.rejected),
            "notes": list(self.notes),
            "seconds": self.seconds,
            "facts_per_second": self.facts_per_second,
        }


class Tally:
    """Counts one source while it is read, and makes its report.

    Attributes:
        lines, facts, entities: read so far.
        written: what writing did in this run.
        before: its sources as the store knew them when a load was begun or gone on with; empty: it was complete.
        disputed: whether a row was set aside that might not be, if the store held something else.
    """

    def __init__(self, source: str, options: LoadOptions, rejected_before: int) -> None:
        self.source = source
        self.lines = 0
        self.facts = 0
        self.entities = 0
        self.written = Written()
        self.before: Sequence[LoadSource] = ()
        self.disputed = False
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
        self.disputed |= rejected.reason in DISPUTED
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
        now, resumed_at = self.written, 0
        created, altered = now.facts_created, now.facts_merged - now.facts_unchanged
        entities_created, declared, others = now.entities_created, now.declared_created, now.declared_changed
        for before in self.before:
            created, altered = created + before.facts, altered + before.facts_changed
            entities_created += before.entities
            declared, others = declared + before.declared_created, others + before.declared_changed
            resumed_at = max(resumed_at, before.through if before.digest else 0)  # of a stream, all is compared
        created = min(created, self.facts)  # another process may have counted for the same load
        again = max(self.entities - declared, 0)
        return FileReport(
            source=self.source,
            format=format_,
            header=header,
            lines=self.lines,
            facts=self.facts,
            created=created,
            merged=self.facts - created,
            unchanged=max(self.facts - created - altered, 0),
            entities=self.entities,
            entities_created=entities_created,
            entities_merged=again,
            entities_unchanged=max(again - others, 0),
            resumed_at=resumed_at,
            rejected=MappingProxyType({str(reason): times for reason, times in self.rejected.items()}),
            examples=MappingProxyType({str(reason): tuple(shown) for reason, shown in self.examples.items()}),
        )
