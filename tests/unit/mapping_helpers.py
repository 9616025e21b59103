"""Loads files by a mapping into memory, without a store: each stage as the pipeline joins them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from graph_schema import Entity, Fact, Properties, Schema
from ingest import LoadOptions, Rejected, Source
from ingest.batching import batches
from ingest.formats import NAMED
from ingest.header import positions
from ingest.known import Known
from ingest.mapping import TripleMapping, mapped
from ingest.mapping_file import MappingFile
from ingest.mapping_plan import expect_ahead, planned
from ingest.quarantine import Quarantine, context_of
from ingest.quarantine_file import QuarantineFile, is_quarantine
from ingest.readers import read
from ingest.records import Mapped
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
    file: MappingFile | None,
    paths: list[Path],
    *,
    there: Mapping[str, Entity] | None = None,
    options: LoadOptions | None = None,
    quarantine: Quarantine | None = None,
) -> Graph:
    """Without a mapping, the files are of facts; quarantine files are read as they say."""
    graph = Graph()
    stored = there or {}
    options = options or LoadOptions()
    sources = [Source.of(path) for path in paths]

    def reject(rejected: Rejected) -> None:
        graph.rejected.append(rejected)
        if quarantine is not None:
            quarantine(rejected)

    with (
        quarantine or nullcontext(),
        Known(lambda ids: {id_: stored[id_] for id_ in ids if id_ in stored}) as known,
    ):
        fresh = []
        for source in sources:
            with source.open() as stream:
                again = is_quarantine(stream)
            if not again:
                fresh.append(source)
                continue
            held = QuarantineFile(source.name, file)
            with source.open() as stream:
                held.learn(stream)
            with source.open() as stream:
                for block in validated(held.mapped(stream, lambda _: None), lambda _: None):
                    known.expect(block)
            if quarantine is not None:
                quarantine.begin_again(held)
            with source.open() as stream:
                _take(graph, validated(held.mapped(stream, reject), reject, known=known), options, Schema())
        if file is None:
            for source in fresh:
                with source.open() as stream:
                    table = read(stream, options, reject)
                    if quarantine is not None:
                        quarantine.begin(context_of(source.name, table, options))
                    mapping = TripleMapping(*positions(source.name, table.header, options, named=table.format in NAMED))
                    _take(graph, validated(mapped(table.records, mapping), reject), options, Schema())
            return graph
        plan = planned(file, fresh)
        expect_ahead(plan, options, known)
        for one in plan:
            graph.order.append(Path(one.source.name).name)
            chosen = one.options(options)
            with one.source.open() as stream:
                table = read(stream, chosen, reject)
                if quarantine is not None:
                    quarantine.begin(context_of(one.source.name, table, chosen, file))
                blocks = mapped(table.records, one.mapping(table.header, table.width))
                _take(graph, validated(blocks, reject, known=known), options, file.filled_schema())
    return graph


def _take(graph: Graph, blocks: Iterable[Mapped], options: LoadOptions, schema: Schema) -> None:
    for batch in batches(blocks, options.batch_size, schema):
        for entity in batch.entities:
            old = graph.entities.get(entity.id)
            new = combined(old, [entity])
            properties = {**(old.properties if old else {}), **entity.properties}
            graph.entities[entity.id] = Entity(new.id, new.name, new.label, new.aliases, properties)
        for fact, given in zip(batch.facts, batch.fact_properties or [{}] * len(batch.facts), strict=True):
            graph.facts[fact] = {**graph.facts.get(fact, {}), **given}
            for id_ in (fact.head, fact.tail):
                graph.entities.setdefault(id_, Entity(id_, id_))
