"""What a load writes to: a part of any store, and what stands in for a store where nothing is to be written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

from graph_schema import Batch, Entity, Fact, Schema, Value, Written
from graph_schema.loads import Load, LoadPlan, LoadSource
from graph_schema.merging import combined, shown
from ingest.hashes import Hashes


class Target(Protocol):
    """The methods of ``GraphWriter`` and ``LoadLedger`` that a load needs; see there."""

    def migrate(self, schema: Schema) -> None: ...

    def begin_load(self, plan: LoadPlan) -> Load: ...

    def write_many(self, batches: Iterable[Batch], *, workers: int = 1) -> Iterator[Written]: ...

    def end_load(self, id: str, report: str = "") -> None: ...

    def count_rejected(self, id: str, rejected: Sequence[int]) -> None: ...

    def finish(self) -> None: ...


@runtime_checkable
class Remembers(Protocol):
    """The method of ``LoadLedger`` by which is told which loads a store has had."""

    def loads(self) -> tuple[Load, ...]: ...


@runtime_checkable
class Looker(Protocol):
    """The method of ``GraphReader`` by which is told which nodes a store has."""

    def entities(self, ids: Sequence[str]) -> dict[str, Entity]: ...


@runtime_checkable
class ValueLooker(Protocol):
    """The method of ``LoadLedger`` by which is told which values of a property are taken."""

    def values(self, label: str, name: str, without: Sequence[int] = ()) -> Iterator[tuple[str, Value]]: ...


class FactLooker(Looker, Protocol):
    """And by which is told which facts it has."""

    def holds(self, facts: Sequence[Fact]) -> list[bool]: ...


class DryRun:
    """A target that writes nothing, and counts what would be new in a store.

    Memory: eight bytes for each fact and entity that would be new, and each that would change.

    Args:
        reader: the store; None: there is none yet, so everything would be new.
    """

    def __init__(self, reader: FactLooker | None) -> None:
        self._reader = reader
        self._facts = Hashes()
        self._entities = Hashes()
        self._declared, self._others = Hashes(), Hashes()  # those that rows declare: new ones; changed ones

    def migrate(self, schema: Schema) -> None:
        """Nothing."""

    def begin_load(self, plan: LoadPlan) -> Load:
        """A load of no store."""
        sources = tuple(
            LoadSource(number, source.name, source.size, source.digest) for number, source in enumerate(plan.sources, 1)
        )
        return Load("dry-run", plan.key, "running", "", "", sources)

    def write_many(self, batches: Iterable[Batch], *, workers: int = 1) -> Iterator[Written]:
        """Look at each batch, whatever ``workers`` says."""
        del workers
        for batch in batches:
            yield self._look(batch)

    def end_load(self, id: str, report: str = "") -> None:
        """Nothing."""

    def count_rejected(self, id: str, rejected: Sequence[int]) -> None:
        """Nothing."""

    def finish(self) -> None:
        """Nothing."""

    def entities(self, ids: Sequence[str]) -> dict[str, Entity]:
        """Those of the store."""
        return self._reader.entities(ids) if self._reader else {}

    def values(self, label: str, name: str, without: Sequence[int] = ()) -> Iterator[tuple[str, Value]]:
        """Those of the store."""
        return self._reader.values(label, name, without) if isinstance(self._reader, ValueLooker) else iter(())

    def _look(self, batch: Batch) -> Written:
        facts = list(dict.fromkeys(batch.facts))
        ends = (end for fact in facts for end in (fact.head, fact.tail))
        ids = list(dict.fromkeys((*(entity.id for entity in batch.entities), *ends)))
        if self._reader is None:
            new, new_ids, known = facts, ids, {}
        else:
            new = [fact for fact, there in zip(facts, self._reader.holds(facts), strict=True) if not there]
            known = self._reader.entities(ids)
            new_ids = [id_ for id_ in ids if id_ not in known]
        created = self._facts.add(map(hash, ((fact.head, fact.relation, fact.tail) for fact in new)))
        declared = batch.entities if batch.declared is None else batch.entities[: batch.declared]
        told, others = self._told(declared, known)
        entities = self._entities.add(map(hash, new_ids))
        merged, old = len(batch.facts) - created, len(ids) - entities
        return Written(created, merged, entities, old, merged, old, told, others)

    def _told(self, declared: Sequence[Entity], known: Mapping[str, Entity]) -> tuple[int, int]:
        """How many of these would be new, and how many of those that are known would be other than they are."""
        said: dict[str, list[Entity]] = {}
        for entity in declared:
            said.setdefault(entity.id, []).append(entity)
        created = self._declared.add(hash(id_) for id_ in said if id_ not in known)
        others = [id_ for id_, told in said.items() if id_ in known and shown(combined(known[id_], told)) != known[id_]]
        return created, self._others.add(map(hash, others))
