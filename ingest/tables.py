"""A source of a mapping file, fitted to the columns of one file: from its rows to nodes and relationships."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from itertools import product
from typing import cast
from zoneinfo import ZoneInfo

from graph_schema.texts import Texts as PlainTexts
from ingest.columns import Finder, IdColumns, LabelColumn, Place, PropertyColumn, Row, Texts, items
from ingest.ids import Template
from ingest.mapping import Mapping, TripleMapping
from ingest.mapping_file import EndSpec, MappingFile, NodeSpec, Properties, RelationshipSpec, SourceSpec
from ingest.records import Ends, EntityRows, Fault, Mapped, Reason, Records, Triples
from ingest.values import Parser

_FILL = "Fill it in, or say optional: true in the mapping"


def fitted(file: MappingFile, source: SourceSpec, name: str, header: Sequence[str] | None, width: int) -> Mapping:
    """The mapping of one file's rows.

    Args:
        name: the file's, for errors.
        header, width: as in ``Table``.

    Raises:
        MappingError: columns that the mapping names aren't there; all are named at once.
    """
    finder = Finder(source.columns or header, width)
    if source.triples is not None:
        spec = source.triples
        head, relation, tail = (finder.place(ref).position for ref in (spec.head, spec.relation, spec.tail))
        made: Mapping = TripleMapping(head, relation, tail, None if spec.dangling == "create" else Ends(create=False))
    else:
        fitting = _Fitting(file, source, finder)
        nodes = tuple(map(fitting.node, source.nodes))
        made = ColumnMapping(nodes, tuple(fitting.relationship(spec, nodes) for spec in source.relationships))
    finder.check(name)
    return made


@dataclass(frozen=True, slots=True)
class Node:
    """A node for each row. ``merge``: as in ``EntityRows``; ``optional``: rows without an id have none."""

    label: LabelColumn
    id: IdColumns
    name: IdColumns | None
    aliases: tuple[tuple[Place, str], ...]  # with what separates several
    properties: tuple[PropertyColumn, ...]
    optional: bool
    merge: bool

    def parts(self, records: Records, ids: Texts, faults: dict[Row, Fault]) -> Iterator[EntityRows]:
        """The rows' nodes, those of each label together; rows that should have one, and don't, go to ``faults``."""
        labels = self.label.texts(records)
        for said, column in ((self.label.said, labels), (self.id.said, ids)):
            if None in column:
                for row, text in enumerate(column):
                    if text is None and not (self.optional and ids[row] is None):
                        faults.setdefault(row, Fault(Reason.EMPTY_FIELD, f"no {said}", _FILL))
        names = None if self.name is None else [*self.name.texts(records)]
        aliases = self._aliases(records)
        by_label: dict[str, Sequence[Row]] = {}
        if self.label.place is None and None not in ids:
            by_label = {self.label.fixed: range(len(ids))}
        else:
            gathered: dict[str, list[Row]] = {}
            for row, (id_, label) in enumerate(zip(ids, labels, strict=True)):
                if id_ is not None and label is not None:
                    gathered.setdefault(label, []).append(row)
            by_label.update(gathered)
        for label, rows in by_label.items():
            yield EntityRows(
                records.source,
                [records.lines[row] for row in rows],
                label,
                [ids[row] or "" for row in rows],
                None if names is None else [names[row] or ids[row] or "" for row in rows],
                None if aliases is None else [aliases[row] for row in rows],
                {column.name: column.values(records, rows, None, faults) for column in self.properties},
                rows,
                self.merge,
                tuple(column.name for column in self.properties if column.unique),
            )

    def _aliases(self, records: Records) -> list[tuple[str, ...]] | None:
        if not self.aliases:
            return None
        columns = [
            [items(cell, separator, self.id.nulls) for cell in place.cells(records)]
            for place, separator in self.aliases
        ]
        return [
            tuple(dict.fromkeys(text for found in row for text in found if text is not None))
            for row in zip(*columns, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class End:
    """One end: a node of the row, by its position among the source's nodes, or ids made from a key."""

    label: str
    node: int = -1
    id: IdColumns | None = None
    separator: str = ""

    def texts(self, records: Records, nodes: Sequence[Texts]) -> Texts:
        return nodes[self.node] if self.id is None else self.id.texts(records)

    def several(self, records: Records) -> list[Texts] | None:
        return None if self.id is None else self.id.several(records, self.separator)

    @property
    def said(self) -> str:
        return self.label if self.id is None else self.id.said


@dataclass(frozen=True, slots=True)
class Relationship:
    """A relationship for each row; or if an end of it holds a list, for each item."""

    type: LabelColumn
    head: End
    tail: End
    properties: tuple[PropertyColumn, ...]
    optional: bool
    create: bool

    def part(self, records: Records, nodes: Sequence[Texts], faults: dict[Row, Fault]) -> Triples:
        """The rows' facts; rows that should have one, and don't, go to ``faults``."""
        types = self.type.texts(records)
        heads, tails = self.head.several(records), self.tail.several(records)
        ends = Ends(self.head.label, self.tail.label, self.create)
        if heads is not None or tails is not None:
            return self._several(
                records,
                types,
                _one_each(self.head.texts(records, nodes)) if heads is None else heads,
                _one_each(self.tail.texts(records, nodes)) if tails is None else tails,
                ends,
                faults,
            )
        ids = self.head.texts(records, nodes), self.tail.texts(records, nodes)
        rows: Sequence[Row] = range(len(types))
        lines, said = records.lines, [ids[0], types, ids[1]]
        if not all(isinstance(column, PlainTexts) or all(column) for column in said):
            rows = [row for row in rows if None not in (ids[0][row], types[row], ids[1][row])]
            self._missing(len(types), rows, (ids[0], types, ids[1]), faults)
            lines, said = [lines[row] for row in rows], [[column[row] for row in rows] for column in said]
        head_ids, names, tail_ids = (cast("Sequence[str]", column) for column in said)
        return Triples(
            records.source,
            lines,
            head_ids,
            names,
            tail_ids,
            records.through,
            {column.name: column.values(records, rows, None, faults) for column in self.properties},
            rows,
            ends,
        )

    def _several(
        self,
        records: Records,
        types: Texts,
        heads: list[Texts],
        tails: list[Texts],
        ends: Ends,
        faults: dict[Row, Fault],
    ) -> Triples:
        rows: list[Row] = []
        facts: list[tuple[str, str, str]] = []
        numbers: list[int] = []  # which item of a list it was
        for row, (type_, row_heads, row_tails) in enumerate(zip(types, heads, tails, strict=True)):
            for (one, head), (other, tail) in product(enumerate(row_heads), enumerate(row_tails)):
                if head is not None and tail is not None and type_ is not None:
                    rows.append(row)
                    facts.append((head, type_, tail))
                    numbers.append(max(one, other))
        found = [next((id_ for id_ in ids if id_ is not None), None) for ids in heads]
        self._missing(len(types), rows, (found, types, [None] * len(types)), faults)
        # Columns of the objects whose keys make the ends are taken item by item, in step with them.
        nested = {place.position for end in (self.head, self.tail) if end.id for place in end.id.places if place.inside}
        properties = {
            column.name: column.values(
                records, rows, numbers if column.place.position in nested and column.place.inside else None, faults
            )
            for column in self.properties
        }
        all_heads, all_types, all_tails = zip(*facts, strict=True) if facts else ((), (), ())
        lines = [records.lines[row] for row in rows]
        return Triples(records.source, lines, all_heads, all_types, all_tails, records.through, properties, rows, ends)

    def _missing(
        self, count: int, rows: Sequence[Row], columns: tuple[Texts, Texts, Texts], faults: dict[Row, Fault]
    ) -> None:
        if self.optional:
            return
        names = (self.head.said, self.type.said, self.tail.said)
        for row in set(range(count)).difference(rows):
            said = next(name for name, column in zip(names, columns, strict=True) if column[row] is None)
            faults.setdefault(row, Fault(Reason.EMPTY_FIELD, f"no {said}", _FILL))


def _one_each(ids: Texts) -> list[Texts]:
    return [[id_] for id_ in ids]


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """Nodes and relationships of each row."""

    nodes: tuple[Node, ...]
    relationships: tuple[Relationship, ...]

    def mapped(self, records: Records) -> Mapped:
        """See ``Mapping``."""
        faults: dict[Row, Fault] = {}
        ids = [[*node.id.texts(records)] for node in self.nodes]
        entities = [
            part for node, own in zip(self.nodes, ids, strict=True) for part in node.parts(records, own, faults)
        ]
        facts = [relationship.part(records, ids, faults) for relationship in self.relationships]
        return Mapped(records.source, records.through, tuple(entities), tuple(facts), records, faults)


@dataclass(frozen=True, slots=True)
class _Fitting:
    """Makes parts of a mapping with the columns of one file."""

    file: MappingFile
    source: SourceSpec
    finder: Finder

    @property
    def nulls(self) -> frozenset[str]:
        return frozenset(self.source.nulls)

    def node(self, spec: NodeSpec) -> Node:
        return Node(
            LabelColumn.found(spec.label, self.finder, self.nulls),
            IdColumns.found(spec.id.template, self.finder, self.nulls),
            None if spec.name is None else IdColumns.found(spec.name.template, self.finder, self.nulls),
            tuple((self.finder.place(alias.column), alias.separator) for alias in spec.aliases),
            self._properties(spec.label if isinstance(spec.label, str) else "", spec.properties),
            spec.optional,
            spec.duplicates == "merge",
        )

    def relationship(self, spec: RelationshipSpec, nodes: Sequence[Node]) -> Relationship:
        return Relationship(
            LabelColumn.found(spec.type, self.finder, self.nulls),
            self._end(spec.head, nodes),
            self._end(spec.tail, nodes),
            self._properties("", spec.properties),
            bool(nodes) if spec.optional is None else spec.optional,
            spec.dangling == "create",
        )

    def _end(self, spec: str | EndSpec, nodes: Sequence[Node]) -> End:
        if isinstance(spec, str):
            return End(spec, next(place for place, node in enumerate(nodes) if node.label.fixed == spec))
        if spec.id is not None:
            written = spec.id.template
        else:
            written = replace(self.file.template(spec.label) or Template.of(spec.key), columns=spec.key)
        return End(spec.label, id=IdColumns.found(written, self.finder, self.nulls), separator=spec.separator)

    def _properties(self, label: str, specs: Properties) -> tuple[PropertyColumn, ...]:
        made = []
        for name, spec in specs.items():
            known = self.file.property(label, name, spec)
            parser = Parser(
                name,
                known.type,
                spec.format,
                UTC if spec.zone == "UTC" else ZoneInfo(spec.zone),
                spec.separator,
                known.list,
                self.nulls if spec.nulls is None else frozenset(spec.nulls),
                spec.decimal,
            )
            made.append(PropertyColumn(name, self.finder.place(spec.column), parser, known.required, known.unique))
        return tuple(made)
