"""Making a source's facts exactly what its file says: the difference first, then the load, then the older ones go."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as changed
from itertools import islice
from typing import Any, Protocol

from graph_schema import ConfigError, Fact, Schema
from graph_schema.loads import Load, LoadLedger, LoadPlan, Withdrawn
from ingest.expand import expand
from ingest.hashes import Hashes
from ingest.known import Known
from ingest.mapping_file import MappingFile
from ingest.options import LoadOptions
from ingest.pipeline import check, load_instead, plan_of
from ingest.plan import same_source
from ingest.reading import Item, items, knowledge, reading, schemas
from ingest.report import LoadReport, ProgressCallback, Tally
from ingest.sources import Source
from ingest.targets import Target

_ROWS = 16_384


class Ledger(LoadLedger, Target, Protocol):
    """A store that keeps loads; see ``LoadLedger``."""


@dataclass(frozen=True, slots=True)
class Older:
    """A load of which sources are to be replaced: their origins, and whether these are all that it has."""

    load: str
    origins: tuple[int, ...]
    whole: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """How a source's facts would change.

    Attributes:
        new, gone, kept: numbers of distinct facts: only in the files; only in the store, from this source; in both.
        new_examples, gone_examples: the first of them.
        older: the loads that are taken back, oldest first.
    """

    new: int
    gone: int
    kept: int
    new_examples: tuple[Fact, ...] = ()
    gone_examples: tuple[Fact, ...] = ()
    older: tuple[Older, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "new": self.new,
            "gone": self.gone,
            "kept": self.kept,
            "new_examples": [[fact.head, fact.relation, fact.tail] for fact in self.new_examples],
            "gone_examples": [[fact.head, fact.relation, fact.tail] for fact in self.gone_examples],
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
    """What ``replace`` would do: reads the files, and the facts that the store has from these sources; writes nothing.

    Memory: eight bytes for each fact of either side.

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
    plan = plan_of(read, options, schemas(read, schema or Schema()), mapping)
    loads = ledger.loads()
    older = find_older(loads, plan, options.source)
    origins = [origin for one in older for origin in one.origins]
    origins += [source.origin for one in loads if _is_planned(one, plan) for source in one.sources]
    known, said = Hashes(), Hashes()
    for rows in _chunks(map(_hash, ledger.facts_of(origins)) if origins else ()):
        known.add(rows)
    new_examples: list[Fact] = []
    with knowledge(read, options, ledger, [origin for one in older for origin in one.origins]) as nodes:
        for facts in _facts(read, nodes):
            hashes = [*map(_hash, facts)]
            if len(new_examples) < options.examples:
                fresh = (fact for fact, there in zip(facts, known.has(hashes), strict=True) if not there)
                seen = dict.fromkeys((*new_examples, *fresh))
                new_examples = [*islice(seen, options.examples)]
            said.add(hashes)
    kept = said.common(known)
    gone = len(known) - kept
    return Difference(
        len(said) - kept,
        gone,
        kept,
        tuple(new_examples),
        tuple(islice(_gone(ledger.facts_of(origins), said), options.examples)) if gone else (),
        older,
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


def _facts(read: Sequence[Item], nodes: Known | None) -> Iterator[list[Fact]]:
    """The facts of all sources, in lists of some thousands."""
    rejected = 0
    for item in read:
        tally = Tally(item.source.name, item.options, rejected)
        with reading(item, tally, nodes) as file:
            for block in file.blocks:
                for part in block.facts:
                    yield [*map(Fact, part.heads, part.relations, part.tails)]
        rejected += tally.rejects


def _gone(facts: Iterator[Fact], said: Hashes) -> Iterator[Fact]:
    while part := [*islice(facts, _ROWS)]:
        yield from (fact for fact, there in zip(part, said.has(map(_hash, part)), strict=True) if not there)


def _chunks(hashes: Iterable[int]) -> Iterator[list[int]]:
    each = iter(hashes)
    while part := [*islice(each, _ROWS)]:
        yield part


def _hash(fact: Fact) -> int:
    return hash((fact.head, fact.relation, fact.tail))


def _nobody(_: object) -> None:
    """Takes what is set aside; it is reported when it is loaded."""
