"""Loads: who brought a fact, how far a load has come, and how it is taken back. Implementations: ``kgqa.stores``.

A *load* is a set of sources, read in one way. A *source* of a load has an *origin*, an int of at least 1 that is unique
in the store; every fact and every declared entity carries a *mark* (origin, line) for each origin that brought it, so
that taking a load back leaves what another one brought too. Origin 0 marks what was there, or was written, without any
load: it is never taken back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from graph_schema.types import Batch, Entity, Fact, Properties, Value, Written

LoadState = Literal["running", "complete", "undoing", "undone"]


@dataclass(frozen=True, slots=True)
class SourcePlan:
    """A source that a load is to read.

    Attributes:
        name: what the source is called, the same each time it is loaded: the absolute path, or a name that was given.
        size: bytes as they lie on disk; -1 for a stream.
        digest: fingerprint of the content, as hex digits; empty for a stream.
    """

    name: str
    size: int = -1
    digest: str = ""


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What is to be loaded: ``key`` is the same for the same sources with the same content, read in the same way."""

    key: str
    sources: tuple[SourcePlan, ...]


@dataclass(frozen=True, slots=True)
class LoadSource:
    """One source of a load, as the store remembers it.

    Attributes:
        origin: unique in the store, at least 1.
        name, size, digest: as in ``SourcePlan``.
        through: all rows up to this line are in the store (the journal).
        facts, entities: that it was the first to bring.
        rejected: rows that were set aside when it was read last; 0 while that isn't known.
        facts_changed: that were there, and of which it said something new: a mark at least.
        declared_created, declared_changed: of entities with rows of their own, as in ``Written``.
    """

    origin: int
    name: str
    size: int
    digest: str
    through: int = 0
    facts: int = 0
    entities: int = 0
    rejected: int = 0
    facts_changed: int = 0
    declared_created: int = 0
    declared_changed: int = 0


@dataclass(frozen=True, slots=True)
class Load:
    """One load, as the store remembers it.

    Attributes:
        id: short, unique in the store, made of letters, digits and hyphens; sorts by the time it began.
        key: as in ``LoadPlan``.
        state: running (or broken off), complete, being undone (or that broken off), undone.
        began, ended: UTC, ISO 8601, to the second; ``ended`` is empty while it runs.
        sources: in the order of the plan.
        report: what ``end_load`` was given, as long as the store is certain that all which the load brought is still
            in it as it was; empty if it isn't, or can't be.
    """

    id: str
    key: str
    state: LoadState
    began: str
    ended: str
    sources: tuple[LoadSource, ...]
    report: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Origin:
    """Where a fact comes from: a load's id, a source's name, a 1-based line of it (0: not known)."""

    load: str
    source: str
    line: int


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What taking marks back did.

    Attributes:
        facts_deleted, entities_deleted: that are gone, entities that only those facts mentioned among them.
        facts_kept, entities_kept: that lost a mark and are still there, for other marks or (entities) for a fact.
    """

    facts_deleted: int = 0
    facts_kept: int = 0
    entities_deleted: int = 0
    entities_kept: int = 0


class LoadLedger(Protocol):
    """The part of a store that knows about loads. Any method may raise ``StoreError``."""

    def begin_load(self, plan: LoadPlan) -> Load:
        """The load with this key, if it is running or complete, as it stands; else a new one, running.

        Atomic: two processes that begin the same plan get the same load.
        """

    def end_load(self, id: str, report: str = "") -> None:
        """All of a load's sources are in: it is complete.

        Args:
            report: what the load says of itself, if all of it was written or compared since ``begin_load``; a store
                that counts each of its changes keeps it, see ``Load.report``.
        """

    def count_rejected(self, id: str, rejected: Sequence[int]) -> None:
        """Keep how many rows were set aside of each of a load's sources, in their order; no change of the graph."""

    def loads(self) -> tuple[Load, ...]:
        """Every load, undone ones too, oldest first."""

    def write_many(self, batches: Iterable[Batch], *, workers: int = 1) -> Iterator[Written]:
        """Write batches, several at once if the store gains by it; yields once for each, in order, when it is in.

        No more batches are drawn than are in work, so a slow store holds back the reading. A batch may go in by
        several transactions; its ``through`` is kept for its origin with or after the last of them, and after that of
        each batch before it, and never goes back. Entities of a batch are in before its facts. If it ends early, by an
        error or by closing the iterator, no transaction is left half-done, and no journal says more than what is in.
        """

    def origins(self, facts: Sequence[Fact]) -> list[tuple[Origin, ...]]:
        """Where each fact comes from, sorted; empty for a fact that isn't there, and for what no load brought."""

    def fact_properties(self, facts: Sequence[Fact]) -> list[Properties]:
        """Properties of each fact; empty for a fact that isn't there."""

    def values(self, label: str, name: str, without: Sequence[int] = ()) -> Iterator[tuple[str, Value]]:
        """Ids of the entities of a label (the default one: of those without another) that have a property of this name,
        and its value; streamed, in no promised order.

        Args:
            without: origins; entities that nobody else spoke of are left out.
        """

    def facts_of(self, origins: Sequence[int], *, alone: bool = False) -> Iterator[Fact]:
        """Every fact that has a mark of one of these origins, streamed, each once.

        Args:
            alone: only those that have no other mark, so that they go when these origins are taken back.
        """

    def spoken_of(self, ids: Sequence[str]) -> set[str]:
        """Those of these entities that are more than an id which facts mention: they don't go with their last fact."""

    def entities_without(self, origins: Sequence[int]) -> Iterator[tuple[Entity, Entity | None]]:
        """Every entity that one of these origins spoke of, streamed, each once, in no promised order: as it is, and as
        it would be had they not spoken; None: nobody else did. Both as ``GraphReader.entities`` shows them."""

    def properties_without(self, origins: Sequence[int]) -> Iterator[tuple[Fact, Properties, Properties | None]]:
        """Every fact that has properties and a mark of one of these origins, or at least each of those whose properties
        they gave, streamed, each once, in no promised order: its properties, and what they would be had these origins
        not spoken; None: nobody else brought the fact."""

    def withdraw(self, origins: Sequence[int], *, undone: str = "") -> Withdrawn:
        """Take the marks of these origins back, and with them what has no mark left.

        A fact goes when it has no mark left; an entity that lost its last mark, or a fact, goes when it has no mark
        and no fact mentions it. An entity that one of these origins spoke of is made again as if the remaining ones
        had spoken one after the other, in ascending order; it is only its id if none did. So are the properties of a
        fact. Journal and counts of these origins start again at 0.
        May take several transactions; broken off, it is to be called again. Counts as a change if any mark was there.

        Args:
            undone: id of a load, which is "undoing" from before the first step and "undone" after the last.
        """
