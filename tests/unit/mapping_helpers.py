"""Loads files by a mapping into memory, without a store: each stage as the pipeline joins them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from graph_schema import Entity, Fact, Properties
from ingest import LoadOptions, Rejected, Source
from ingest.batching import batches
from ingest.known import Known
from ingest.mapping import mapped
from ingest.mapping_file import MappingFile
from ingest.mapping_plan import expect_ahead, planned
from ingest.readers import READERS
from ingest.validation import validated
from kgqa.stores.batches import combined


@dataclass
class Graph:
    """What a load came to."""

    entities: dict[str, Entity] = field(default_factory=dict)
    facts: dict[Fact, Properties] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    order: list[str] = field(default_factory=list)

    @property
    def reasons(self) -> list[tuple[str, int, str]]:
        return [(Path(r.source).name, r.line, r.reason) for r in self.rejected]

    @property
    def triples(self) -> set[tuple[str, str, str]]:
        return {(f.head, f.relation, f.tail) for f in self.facts}


def load_mapped(
    mapping: str | MappingFile,
    folder: Path,
    files: Mapping[str, str | bytes],
    *,
    there: Mapping[str, Entity] | None = None,
    options: LoadOptions | None = None,
) -> Graph:
    """Write the files into a folder and load them, in the order given."""
    file = mapping if isinstance(mapping, MappingFile) else MappingFile.from_yaml(mapping)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return load_paths(file, [folder / name for name in files], there=there, options=options)


def load_paths(
    file: MappingFile,
    paths: list[Path],
    *,
    there: Mapping[str, Entity] | None = None,
    options: LoadOptions | None = None,
) -> Graph:
    graph = Graph()
    stored = there or {}
    options = options or LoadOptions()
    plan = planned(file, [Source.of(path) for path in paths])
    with Known(lambda ids: {id_: stored[id_] for id_ in ids if id_ in stored}) as known:
        expect_ahead(plan, options, known)
        for one in plan:
            graph.order.append(Path(one.source.name).name)
            chosen = one.options(options)
            with one.source.open() as stream:
                table = READERS[chosen.format](stream, chosen, graph.rejected.append)
                mapping = one.mapping(table.header, table.width)
                blocks = validated(mapped(table.records, mapping), graph.rejected.append, known=known)
                for batch in batches(blocks, options.batch_size, file.filled_schema()):
                    for entity in batch.entities:
                        old = graph.entities.get(entity.id)
                        new = combined(old, [entity])
                        properties = {**(old.properties if old else {}), **entity.properties}
                        graph.entities[entity.id] = Entity(new.id, new.name, new.label, new.aliases, properties)
                    for fact, properties in zip(
                        batch.facts, batch.fact_properties or [{}] * len(batch.facts), strict=True
                    ):
                        graph.facts[fact] = {**graph.facts.get(fact, {}), **properties}
                        for id_ in (fact.head, fact.tail):
                            graph.entities.setdefault(id_, Entity(id_, id_))
    return graph
