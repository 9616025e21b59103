"""Making a source's facts exactly what its file says: the difference first, then the load, then the older ones go."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as changed
from typing import Any, Protocol

from graph_schema import Batch, ConfigError, Entity, Fact, Schema
from graph_schema.loads import Load, LoadPlan, Withdrawn
from ingest.batching import batches
from ingest.comparing import Change, Compared, Comparison
from ingest.expand import expand
from ingest.known import Known
from ingest.mapping_file import MappingFile
from ingest.options import LoadOptions
from ingest.pipeline import check, load_instead, plan_of
from ingest.plan import same_source
from ingest.reading import Item, items, knowledge, reading, schemas
from ingest.report import LoadReport, ProgressCallback, Tally
from ingest.sources import Source
from ingest.targets import Target


class Ledger(Compared, Target, Protocol):
    """A store that keeps loads, and can be read."""


@dataclass(frozen=True, slots=True)
class Older:
    """A load of which sources are to be replaced: their origins, and whether these are all that it has."""

    load: str
    origins: tuple[int, ...]
    whole: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """How a graph would change with a source.

    Attributes:
        new, gone, kept: numbers of distinct facts: only in the files; only in the store, from this source; in both.
        new_examples, gone_examples: the first of them.
        older: the loads that are taken back, oldest first.
        shared: of the facts ``gone``, those that stay in the store, for others brought them too.
        changed: facts that are and stay in the store, and whose properties change.
        entities_new, entities_gone, entities_changed: entities that come, those that facts only mention included; that
            go, likewise; that stay, and whose name, label, aliases or properties change.
        changed_examples, entities_new_examples, ...: the first of them.
        rejected: lines of the files that would be set aside, by reason; so what they said before is among what goes.
        rejected_examples: the first of them, by reason, over all files, as "file:line: reason: detail".
    """

    new: int
    gone: int
    kept: int
    new_examples: tuple[Fact, ...] = ()
    gone_examples: tuple[Fact, ...] = ()
    older: tuple[Older, ...] = ()
    shared: int = 0
    changed: int = 0
    entities_new: int = 0
    entities_gone: int = 0
    entities_changed: int = 0
    changed_examples: tuple[Change, ...] = ()
    entities_new_examples: tuple[Entity, ...] = ()
    entities_gone_examples: tuple[Entity, ...] = ()
    entities_changed_examples: tuple[Change, ...] = ()
    rejected: Mapping[str, int] = field(default_factory=dict)
    rejected_examples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def only_adds(self) -> bool:
        """Whether nothing goes, and nothing that is there changes."""
        return not (self.gone or self.changed or self.entities_gone or self.entities_changed)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "new": self.new,
            "gone": self.gone,
            "kept": self.kept,
            "shared": self.shared,
            "changed": self.changed,
            "entities_new": self.entities_new,
            "entities_gone": self.entities_gone,
            "entities_changed": self.entities_changed,
            "new_examples": [[fact.head, fact.relation, fact.tail] for fact in self.new_examples],
            "gone_examples": [[fact.head, fact.relation, fact.tail] for fact in self.gone_examples],
            "changed_examples": [change.as_dict() for change in self.changed_examples],
            "entities_new_examples": [entity.id for entity in self.entities_new_examples],
            "entities_gone_examples": [entity.id for entity in self.entities_gone_examples],
            "entities_changed_examples": [change.as_dict() for change in self.entities_changed_examples],
            "rejected": dict(self.rejected),
            "rejected_examples": {reason: list(shown) for reason, shown in self.rejected_examples.items()},
            "older": [older.load for older in self.older],
        }


@dataclass(frozen=True, slots=True)
class Replaced:
    """What replacing did: the difference, the load, and what of the older loads went."""

    difference: Difference
    report: LoadReport
    withdrawn: Withdrawn = field(default_factory=Withdrawn)


def difference(
    sources: Sequence[Source | str | os.PathLike[str]],
    ledger: Ledger,
    *,
    mapping: MappingFile | None = None,
    schema: Schema | None = None,
    options: LoadOptions | None = None,
) -> Difference:
    """What ``replace`` would do: reads the files, and what the store has from these sources; writes nothing.

    Memory: as ``Comparison`` says.

    Raises:
        ConfigError: a source is a stream: it can be read only once. Besides, as ``load``.
    """
    options = options or LoadOptions()
    given = expand(sources)
    check(given)
    for source in given:
        if source.size is None:
            raise ConfigError(
                "a stream can't be replaced, since it can't be read twice", where=source.name, fix="Give it as a file"
            )
    read = items(given, changed(options, rejects=_nobody), mapping)
    _refuse_rows_alone(read)
    meant = schemas(read, schema or Schema())
    plan = plan_of(read, options, meant, mapping)
    loads = ledger.loads()
    older = find_older(loads, plan, options.source)
    origins = [origin for one in older for origin in one.origins]
    going_on = [one for one in loads if _is_planned(one, plan)]
    planned = [source.origin for one in going_on for source in one.sources]
    complete = any(one.state == "complete" for one in going_on)
    with (
        Comparison(ledger, origins, planned, complete=complete, examples=options.examples) as found,
        knowledge(read, options, ledger, origins) as nodes,
    ):
        tallies: list[Tally] = []
        for batch in _batches(read, nodes, options.batch_size, meant, tallies):
            found.take(batch)
        found.finish()
        coming = found.entities_new
        return Difference(
            found.new,
            found.gone.count,
            found.kept,
            tuple(found.new_facts),
            tuple(found.gone.examples),
            older,
            found.shared,
            found.changed.count,
            coming.count,
            found.entities_gone.count,
            found.entities_changed.count,
            tuple(found.changed.examples),
            tuple(coming.examples),
            tuple(found.entities_gone.examples),
            tuple(found.entities_changed.examples),
            *_rejected(tallies, options.examples),
        )


def replace(
    sources: Sequence[Source | str | os.PathLike[str]],
    ledger: Ledger,
    *,
    mapping: MappingFile | None = None,
    schema: Schema | None = None,
    options: LoadOptions | None = None,
    progress: ProgressCallback | None = None,
    agreed: Callable[[Difference], bool],
) -> Replaced | None:
    """Load the sources, then take back what older loads brought from them; what other sources brought too stays.

    Nothing is missing in between for those who ask meanwhile. Broken off at any point, the same call goes on.

    Args:
        sources, mapping, schema, options, progress: as for ``load``; ``options.source`` is the name whose facts are
            replaced.
        agreed: is shown the difference before anything is written.

    Returns:
        None if it wasn't agreed to.
    """
    found = difference(sources, ledger, mapping=mapping, schema=schema, options=options)
    if not agreed(found):
        return None
    origins = [origin for older in found.older for origin in older.origins]
    report = load_instead(sources, ledger, origins, mapping, schema, options, progress)
    total = Withdrawn()
    for older in found.older:
        done = ledger.withdraw(older.origins, undone=older.load if older.whole else "")
        total = Withdrawn(
            total.facts_deleted + done.facts_deleted,
            total.facts_kept + done.facts_kept,
            total.entities_deleted + done.entities_deleted,
            total.entities_kept + done.entities_kept,
        )
    if found.older:
        ledger.finish()
    return Replaced(found, report, total)


def find_older(loads: Iterable[Load], plan: LoadPlan, name: str | None) -> tuple[Older, ...]:
    """The loads with the same sources that aren't the planned one.

    Args:
        name: the name that stands for all of them; then a source that is no longer among them counts too.
    """
    sources = {source.name for source in plan.sources}
    found = []
    for one in loads:
        if one.state == "undone" or _is_planned(one, plan):
            continue
        origins = tuple(
            source.origin
            for source in one.sources
            if source.name in sources or (name is not None and same_source(name, source.name))
        )
        if origins:
            found.append(Older(one.id, origins, len(origins) == len(one.sources)))
    return tuple(found)


def _refuse_rows_alone(read: Sequence[Item]) -> None:
    """A quarantine file holds only some rows of a source; all others would go.

    Raises:
        ConfigError: one is given without the files that its rows are from.
    """
    whole = {name for item in read if not item.again for name in item.called}
    for item in read:
        if item.again and not whole.issuperset(item.called):
            raise ConfigError(
                "holds only the rows that were set aside, so it can't replace the source that they are from",
                where=item.source.name,
                fix="Load it without --replace, or name the whole file beside it",
            )


def _is_planned(load: Load, plan: LoadPlan) -> bool:
    """Whether it is this load that goes on, or is compared with the store, when it is begun."""
    return load.key == plan.key and load.state in ("running", "complete")


def _batches(
    read: Sequence[Item], nodes: Known | None, size: int, schema: Schema, tallies: list[Tally]
) -> Iterator[Batch]:
    """What all sources say; what is counted of each is put into ``tallies``."""
    rejected = 0
    for item in read:
        tally = Tally(item.source.name, item.options, rejected)
        tallies.append(tally)
        with reading(item, tally, nodes) as file:
            yield from batches(file.blocks, size, schema)
        rejected += tally.rejects


def _rejected(tallies: Iterable[Tally], most: int) -> tuple[dict[str, int], dict[str, tuple[str, ...]]]:
    """How many lines would be set aside, by reason, and the first of them."""
    counts: Counter[str] = Counter()
    examples: dict[str, tuple[str, ...]] = {}
    for tally in tallies:
        for reason, times in tally.rejected.items():
            counts[str(reason)] += times
            examples[str(reason)] = (*examples.get(str(reason), ()), *tally.examples[reason])[:most]
    return dict(counts), examples


def _nobody(_: object) -> None:
    """Takes what is set aside; it is reported when it is loaded."""
