"""A graph writer that keeps sets in memory, and how to load text into it."""

from __future__ import annotations

import io
from collections.abc import Sequence

from graph_schema import Batch, Entity, Fact, Schema, Written
from graph_schema.types import DEFAULT_LABEL
from ingest import LoadOptions, LoadReport, Source, load


class MemoryWriter:
    """The port, honestly: merges, counts, and keeps the order of the calls in ``calls``."""

    def __init__(self) -> None:
        self.facts: set[Fact] = set()
        self.entities: dict[str, Entity] = {}
        self.schema = Schema()
        self.calls: list[str] = []
        self.batches: list[Batch] = []

    def migrate(self, schema: Schema) -> None:
        self.calls.append("migrate")
        self.schema = self.schema.merged(schema)

    def write(self, batch: Batch) -> Written:
        self.calls.append("write")
        self.batches.append(batch)
        listed = {entity.id: entity for entity in batch.entities}
        ids = listed.keys() | {end for fact in batch.facts for end in (fact.head, fact.tail)}
        new_ids = ids - self.entities.keys()
        for name in ids:
            brought = listed.get(name, Entity(name, name))
            known = self.entities.get(name, brought)
            self.entities[name] = brought if known.label == DEFAULT_LABEL else known
        new = set(batch.facts) - self.facts
        self.facts |= new
        return Written(len(new), len(batch.facts) - len(new), len(new_ids), len(ids) - len(new_ids))

    def delete(self, facts: Sequence[Fact]) -> int:
        there = self.facts & set(facts)
        self.facts -= there
        kept = {end for fact in self.facts for end in (fact.head, fact.tail)}
        self.entities = {name: entity for name, entity in self.entities.items() if name in kept}
        return len(there)

    def finish(self) -> None:
        self.calls.append("finish")

    def close(self) -> None:
        self.calls.append("close")


def load_bytes(
    content: bytes, options: LoadOptions | None = None, *, name: str = "facts"
) -> tuple[set[Fact], LoadReport]:
    """The facts that these bytes come to, and the report."""
    writer = MemoryWriter()
    report = load([Source(name, stream=io.BytesIO(content))], writer, options=options)
    assert writer.calls[0] == "migrate"
    assert writer.calls[-1] == "finish"
    return writer.facts, report
