"""A graph store that keeps sets in memory, and how to load text into it."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from graph_schema import Batch, Entity, Fact, Offer, Properties, Schema, Value, Written
from graph_schema.loads import Load, LoadPlan, LoadSource, Origin, Withdrawn
from graph_schema.types import DEFAULT_LABEL
from ingest import LoadOptions, LoadReport, Rejected, Source, load
from ingest.readers import read
from ingest.records import Cell, Table


class MemoryWriter:
    """The ports, honestly: merges, counts, keeps marks and a journal, and the order of the calls in ``calls``.

    Of entities only what was said first and marks are kept, of facts no properties.
    """

    def __init__(self) -> None:
        self.facts: set[Fact] = set()
        self.nodes: dict[str, Entity] = {}
        self.schema = Schema()
        self.calls: list[str] = []
        self.batches: list[Batch] = []
        self.marks: dict[Fact, dict[int, int]] = {}
        self.entity_marks: dict[str, dict[int, int]] = {}
        self.journal: dict[str, Load] = {}

    def migrate(self, schema: Schema) -> None:
        self.calls.append("migrate")
        self.schema = self.schema.merged(schema)

    def write(self, batch: Batch) -> Written:
        self.calls.append("write")
        self.batches.append(batch)
        listed = {entity.id: entity for entity in batch.entities}
        ids = listed.keys() | {end for fact in batch.facts for end in (fact.head, fact.tail)}
        new_ids = ids - self.nodes.keys()
        for name in ids:
            brought = listed.get(name, Entity(name, name))
            known = self.nodes.get(name, brought)
            self.nodes[name] = brought if known.label == DEFAULT_LABEL else known
        for entity, line in zip(batch.entities, batch.entity_lines or [0] * len(batch.entities), strict=True):
            self.entity_marks.setdefault(entity.id, {}).setdefault(batch.origin, line)
        new = set(batch.facts) - self.facts
        unchanged = len(batch.facts) - len(new)
        for fact, line in zip(batch.facts, batch.fact_lines or [0] * len(batch.facts), strict=True):
            marks = self.marks.setdefault(fact, {})
            if fact in self.facts and not marks:
                marks[0] = 0
            unchanged -= fact in self.facts and batch.origin not in marks
            marks.setdefault(batch.origin, line)
            self.facts.add(fact)
        declared = {entity.id for entity in batch.entities[: batch.declared]}
        written = Written(
            len(new),
            len(batch.facts) - len(new),
            len(new_ids),
            len(ids) - len(new_ids),
            unchanged,
            len(ids - new_ids),
            len(declared & new_ids),
        )
        self._note(batch, written)
        return written

    def delete(self, facts: Sequence[Fact]) -> int:
        there = self.facts & set(facts)
        self.facts -= there
        for fact in there:
            del self.marks[fact]
        self._drop_unmentioned()
        return len(there)

    def entities(self, ids: Sequence[str]) -> dict[str, Entity]:
        return {id_: self.nodes[id_] for id_ in ids if id_ in self.nodes}

    def holds(self, facts: Sequence[Fact]) -> list[bool]:
        return [fact in self.facts for fact in facts]

    def finish(self) -> None:
        self.calls.append("finish")

    def close(self) -> None:
        self.calls.append("close")

    # ---- loads

    def begin_load(self, plan: LoadPlan) -> Load:
        for known in self.journal.values():
            if known.key == plan.key and known.state in ("running", "complete"):
                return known
        first = sum(len(known.sources) for known in self.journal.values()) + 1
        sources = tuple(LoadSource(n, s.name, s.size, s.digest) for n, s in enumerate(plan.sources, first))
        made = Load(f"load-{len(self.journal) + 1}", plan.key, "running", "2026-01-01T00:00:00Z", "", sources)
        self.journal[made.id] = made
        return made

    def end_load(self, id: str, report: str = "") -> None:
        self.journal[id] = replace(self.journal[id], state="complete", ended="2026-01-01T00:00:01Z")

    def count_rejected(self, id: str, rejected: Sequence[int]) -> None:
        sources = zip(self.journal[id].sources, rejected, strict=True)
        counted = tuple(replace(source, rejected=count) for source, count in sources)
        self.journal[id] = replace(self.journal[id], sources=counted)

    def loads(self) -> tuple[Load, ...]:
        return tuple(self.journal.values())

    def write_many(self, batches: Iterable[Batch], *, workers: int = 1) -> Iterator[Written]:
        for batch in batches:
            yield self.write(batch)

    def origins(self, facts: Sequence[Fact]) -> list[tuple[Origin, ...]]:
        of = {source.origin: (known.id, source.name) for known in self.loads() for source in known.sources}
        return [
            tuple(sorted(Origin(*of[o], line) for o, line in self.marks.get(fact, {}).items() if o)) for fact in facts
        ]

    def fact_properties(self, facts: Sequence[Fact]) -> list[Properties]:
        return [{} for _ in facts]

    def values(self, label: str, name: str, without: Sequence[int] = ()) -> Iterator[tuple[str, Value]]:
        for node in self.nodes.values():
            marks = self.entity_marks.get(node.id, {})
            if node.label == label and name in node.properties and not (marks and set(marks) <= set(without)):
                yield node.id, node.properties[name]

    def facts_of(self, origins: Sequence[int], *, alone: bool = False) -> Iterator[Fact]:
        found = [fact for fact, marks in self.marks.items() if marks.keys() & set(origins)]
        return iter([fact for fact in found if not alone or self.marks[fact].keys() <= set(origins)])

    def spoken_of(self, ids: Sequence[str]) -> set[str]:
        return {id_ for id_ in ids if self.entity_marks.get(id_)}

    def entities_without(self, origins: Sequence[int]) -> Iterator[tuple[Entity, Entity | None]]:
        for id_, marks in self.entity_marks.items():
            if marks.keys() & set(origins):
                yield self.nodes[id_], None if marks.keys() <= set(origins) else self.nodes[id_]

    def properties_without(self, origins: Sequence[int]) -> Iterator[tuple[Fact, Properties, Properties | None]]:
        return iter(())

    def offer(self, ids: Sequence[str]) -> Offer:
        """All facts around an entity as of one relation, whatever theirs are."""
        ends = Counter(end for fact in self.facts for end in (fact.head, fact.tail))
        owner = [at for at, id_ in enumerate(ids) if ends[id_]]
        count = [ends[ids[at]] for at in owner]
        return Offer(np.array(owner, np.int64), np.zeros(len(owner), np.int64), np.array(count, np.int64), ("r",))

    def withdraw(self, origins: Sequence[int], *, undone: str = "") -> Withdrawn:
        deleted = kept = 0
        for fact in list(self.facts_of(origins)):
            for origin in origins:
                self.marks[fact].pop(origin, None)
            if self.marks[fact]:
                kept += 1
            else:
                deleted += 1
                self.facts.remove(fact)
                del self.marks[fact]
        for marks in self.entity_marks.values():
            for origin in origins:
                marks.pop(origin, None)
        before = len(self.nodes)
        self._drop_unmentioned()
        for known in self.loads():
            sources = tuple(replace(s, through=0, rejected=0) if s.origin in origins else s for s in known.sources)
            self.journal[known.id] = replace(known, sources=sources)
        if undone:
            self.journal[undone] = replace(self.journal[undone], state="undone")
        return Withdrawn(deleted, kept, before - len(self.nodes), 0)

    def _note(self, batch: Batch, written: Written) -> None:
        for known in self.loads():
            self.journal[known.id] = replace(
                known,
                sources=tuple(
                    replace(
                        source,
                        through=max(source.through, batch.through),
                        facts=source.facts + written.facts_created,
                        entities=source.entities + written.entities_created,
                        facts_changed=source.facts_changed + written.facts_merged - written.facts_unchanged,
                        declared_created=source.declared_created + written.declared_created,
                    )
                    if source.origin == batch.origin
                    else source
                    for source in known.sources
                ),
            )

    def _drop_unmentioned(self) -> None:
        kept = {end for fact in self.facts for end in (fact.head, fact.tail)}
        kept |= {name for name, marks in self.entity_marks.items() if marks}
        self.nodes = {name: entity for name, entity in self.nodes.items() if name in kept}


def read_rows(
    content: bytes | Path, options: LoadOptions | None = None, *, name: str = "rows"
) -> tuple[Table, list[tuple[int, dict[str, Cell]]], list[Rejected]]:
    """The table, its rows by column as (line, row), None left out, and what was set aside; blocks are held to shape."""
    source = Source(name, path=content) if isinstance(content, Path) else Source(name, stream=io.BytesIO(content))
    rejected: list[Rejected] = []
    rows: list[tuple[int, dict[str, Cell]]] = []
    through = 0
    with source.open() as stream:
        table = read(stream, options or LoadOptions(), rejected.append)
        for block in table.records:
            names = block.names or table.header or tuple(map(str, range(table.width)))
            assert len(names) == len(block.columns) >= table.width
            assert all(len(column) == len(block.lines) for column in block.columns)
            lines = [through, *block.lines, block.through]
            assert lines == sorted(lines), lines
            through = block.through
            for line, *cells in zip(block.lines, *block.columns, strict=True):
                rows.append((line, {key: cell for key, cell in zip(names, cells, strict=True) if cell is not None}))
    return table, rows, rejected


def load_bytes(
    content: bytes, options: LoadOptions | None = None, *, name: str = "facts"
) -> tuple[set[Fact], LoadReport]:
    """The facts that these bytes come to, and the report."""
    writer = MemoryWriter()
    report = load([Source(name, stream=io.BytesIO(content))], writer, options=options)
    assert writer.calls[0] == "migrate"
    assert writer.calls[-1] == "finish"
    return writer.facts, report
