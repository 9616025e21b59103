"""Which part of a mapping file each source is read by, and in which order, so that nodes come before their edges."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePath

from graph_schema import MappingError
from graph_schema.types import DEFAULT_LABEL
from ingest.expand import Note, Own
from ingest.known import Known
from ingest.mapping import Mapping, mapped
from ingest.mapping_file import ColumnRef, MappingFile, Properties, SourceSpec
from ingest.options import LoadOptions
from ingest.rdf_options import RdfOptions
from ingest.readers import read
from ingest.sources import Source
from ingest.tables import fitted
from ingest.validation import validated

_PACKED = (".gz", ".zst", ".bz2", ".xz")


@dataclass(frozen=True, slots=True)
class Planned:
    """A source and what is said of it.

    Attributes:
        ahead: its nodes are needed before its turn comes (by itself, or in a circle), so their ids are read first, by
            ``expect_ahead``.
    """

    source: Source
    file: MappingFile
    spec: SourceSpec
    ahead: bool = False

    def options(self, options: LoadOptions) -> LoadOptions:
        """How it is to be read; what the mapping leaves open is as these options say."""
        refs = [*_refs(self.spec)]
        said = {name: getattr(self.spec, name) for name in ("format", "header", "quoting")}
        if said["header"] == "auto" and self.spec.rdf is None:
            said["header"] = "yes" if not self.spec.columns and any(isinstance(ref, str) for ref in refs) else "no"
        chosen = {name: value for name, value in said.items() if value != "auto"}
        named = tuple(dict.fromkeys(ref for ref in refs if isinstance(ref, str)))
        # Positions are those among all columns, and names given by the mapping aren't the file's.
        needed = named if len(named) == len({*refs}) and not self.spec.columns else None
        rdf = options.rdf if self.spec.rdf is None else RdfOptions.of(self.spec.rdf)
        return replace(options, columns=None, table=self.spec.rdf is None, needed=needed, rdf=rdf, **chosen)

    def mapping(self, header: Sequence[str] | None, width: int) -> Mapping:
        """What its rows mean, once its columns are known; as ``fitted``."""
        return fitted(self.file, self.spec, self.source.name, header, width)


def planned(file: MappingFile, sources: Sequence[Source]) -> tuple[Planned, ...]:
    """The sources in the order in which they are to be read: as given, but nodes before the edges that need them.

    Raises:
        MappingError: the mapping has nothing for a source; or ids of a stream are needed before its turn.
    """
    matched = [(source, spec_for(file, source)) for source in sources]
    missing = [source.name for source, spec in matched if spec is None]
    if missing:
        patterns = ", ".join(dict.fromkeys(pattern for spec in file.sources for pattern in spec.files))
        raise MappingError(
            f"the mapping says nothing of {', '.join(missing)}",
            where="mapping",
            fix=f"Add it to the mapping's sources; they are for {patterns}",
        )
    waiting = [(source, spec) for source, spec in matched if spec is not None]
    ordered: list[tuple[Source, SourceSpec]] = []
    while waiting:
        free = [
            pair for pair in waiting if not any(_needs(pair[1], other[1]) for other in waiting if other is not pair)
        ]
        chosen = free or waiting[:1]
        ordered += chosen
        waiting = [pair for pair in waiting if pair not in chosen]
    made = []
    for place, (source, spec) in enumerate(ordered):
        ahead = any(_needs(other, spec, strictly=True) for _, other in ordered[: place + 1])
        if ahead and source.path is None:
            raise MappingError(
                "its nodes are needed before they are read, and a stream can be read only once",
                where=source.name,
                fix="Give a file, or say dangling: create for the relationships to them",
            )
        made.append(Planned(source, file, spec, ahead))
    return tuple(made)


def expect_ahead(plan: Sequence[Planned], options: LoadOptions, known: Known) -> None:
    """Read the ids of those sources whose nodes are needed before their turn. What is wrong with them is found later.

    Raises:
        InputError: one can't be read, or its mapping doesn't fit.
    """
    for one in plan:
        if one.ahead:
            chosen = one.options(options)
            with one.source.open() as stream:
                table = read(stream, chosen, _ignore)
                mapping = one.mapping(table.header, table.width)
                for block in validated(mapped(table.records, mapping), _ignore):
                    known.expect(block)


def _ignore(_: object) -> None:
    pass


def files(file: MappingFile, folder: Path, note: Note | None = None, own: Iterable[Path] = ()) -> tuple[Source, ...]:
    """The files in a folder that a mapping speaks of, in its order.

    Args:
        note, own: as for ``expand``, of files that patterns fit.

    Raises:
        MappingError: there is none for one of its sources.
    """
    found: dict[Path, None] = {}
    left = Own(note or _ignore, own)
    for spec in file.sources:
        here = [path for pattern in spec.files for path in _globbed(folder, pattern, left)]
        if not here:
            fix = "Put the file there, or name the files to load"
            raise MappingError(f"there is no file {', '.join(spec.files)}", where=str(folder), fix=fix)
        found.update(dict.fromkeys(here))
    return tuple(map(Source.of, found))


def _globbed(folder: Path, pattern: str, own: Own) -> list[Path]:
    there = sorted({path for packed in ("", *_PACKED) for path in folder.glob(pattern + packed) if path.is_file()})
    return own.others(there, folder) if glob.has_magic(pattern) else there


def spec_for(file: MappingFile, source: Source) -> SourceSpec | None:
    """The first part of the mapping that is for this source."""
    return next((spec for spec in file.sources if any(_fits(source, pattern) for pattern in spec.files)), None)


def unpacked(name: str) -> str:
    """A file's name without what says that it is compressed."""
    packed = next((packed for packed in _PACKED if name.casefold().endswith(packed)), "")
    return name[: len(name) - len(packed)]


def _fits(source: Source, pattern: str) -> bool:
    """Whether a pattern is for a source: by its name, its path or the end of its path, compressed or not."""
    name, plain = PurePath(source.name), PurePath(unpacked(source.name))
    tails = {PurePath(*path.parts[start:]).as_posix() for path in (name, plain) for start in range(len(path.parts))}
    return any(fnmatchcase(tail, pattern) for tail in tails)


def _needs(spec: SourceSpec, other: SourceSpec, *, strictly: bool = False) -> bool:
    """Whether relationships of one source end in nodes of the other; ``strictly``: and may not make them."""
    declared = {node.label if isinstance(node.label, str) else None for node in other.nodes}
    if not declared:
        return False
    return any(
        label in declared or label == DEFAULT_LABEL or None in declared
        for label, create in _ends(spec)
        if not (strictly and create)
    )


def _ends(spec: SourceSpec) -> Iterator[tuple[str, bool]]:
    """Labels of nodes that it refers to, and whether it makes those that aren't there."""
    for relationship in spec.relationships:
        for end in (relationship.head, relationship.tail):
            if not isinstance(end, str):
                yield end.label, relationship.dangling == "create"
    if spec.triples is not None:
        yield DEFAULT_LABEL, spec.triples.dangling == "create"


def _refs(spec: SourceSpec) -> Iterator[ColumnRef]:
    """Every column that it names."""
    if spec.triples is not None:
        yield from (spec.triples.head, spec.triples.relation, spec.triples.tail)

    def of(properties: Properties) -> Iterator[ColumnRef]:
        return (said.column for said in properties.values())

    for node in spec.nodes:
        yield from node.id.template.columns
        yield from node.name.template.columns if node.name else ()
        yield from (alias.column for alias in node.aliases)
        yield from of(node.properties)
        if not isinstance(node.label, str):
            yield node.label.column
    for relationship in spec.relationships:
        yield from of(relationship.properties)
        if not isinstance(relationship.type, str):
            yield relationship.type.column
        for end in (relationship.head, relationship.tail):
            if not isinstance(end, str):
                yield from end.key or (end.id.template.columns if end.id else ())
