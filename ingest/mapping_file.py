"""The mapping file: what the columns of each source mean, as nodes, relationships and properties. YAML.

    sources:
      - files: films.csv
        nodes:
          - label: Film
            id: film/{film_id}                  # so that ids of different tables don't collide
            name: title
            properties: {released: {column: year, type: integer}}
        relationships:
          - type: directed_by
            head: Film                          # the node of this row
            tail: {label: Person, key: director_id}

Every key is described in docs/reference/mapping.md.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from graph_schema import (
    LabelSchema,
    MappingError,
    PropertySchema,
    PropertyType,
    RelationSchema,
    Schema,
    SchemaError,
)
from graph_schema.schema import Name
from graph_schema.types import DEFAULT_LABEL
from ingest.formats import Format
from ingest.ids import Template
from ingest.options import Header, Quoting
from ingest.rdf_options import RdfOptions

ColumnRef = Annotated[int, Field(ge=0)] | Name
"""A column by its name, a part of a nested one as ``outer.inner``, or its position from 0."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _tupled(value: object) -> object:
    return value if isinstance(value, list | tuple) else (value,)


def _under(key: str) -> BeforeValidator:
    """A bare column stands for a mapping with nothing but it."""
    return BeforeValidator(lambda value: {key: value} if isinstance(value, str | int) else value)


class Choice(_Part):
    """A label or type that each row says itself; ``values`` translates what the column says."""

    column: ColumnRef
    values: dict[str, Name] = Field(default_factory=dict)


class AliasSpec(_Part):
    """A column of further names; with ``separator``, several in one text."""

    column: ColumnRef
    separator: str = ""


class PropertySpec(_Part):
    """Where a property comes from, and its type: this, else the schema's, else string."""

    column: ColumnRef
    type: PropertyType | None = None
    format: str = ""
    zone: str = "UTC"
    decimal: Literal[".", ","] = "."
    separator: str = ""
    list: bool = False
    nulls: tuple[str, ...] | None = None
    required: bool = False
    unique: bool = False

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (LookupError, OSError, ValueError):
            raise ValueError(f"{zone!r} is no time zone; write one like Europe/Berlin") from None
        return zone


Aliases = Annotated[tuple[Annotated[AliasSpec, _under("column")], ...], BeforeValidator(_tupled)]
Properties = dict[Name, Annotated[PropertySpec, _under("column")]]


class IdSpec(_Part):
    """How an id is written: a template, a column, or several columns."""

    columns: Annotated[tuple[ColumnRef, ...], Field(min_length=1)]

    @property
    def template(self) -> Template:
        (first, *others) = self.columns
        return Template.parse(first) if isinstance(first, str) and not others else Template.of(self.columns)

    @model_validator(mode="after")
    def _well_written(self) -> Self:
        self.template  # noqa: B018  raises what is wrong with it
        return self


Id = Annotated[IdSpec, BeforeValidator(lambda value: value if isinstance(value, dict) else {"columns": _tupled(value)})]


class NodeSpec(_Part):
    """A node for each row."""

    label: Name | Choice
    id: Id
    name: Id | None = None
    aliases: Aliases = ()
    properties: Properties = Field(default_factory=dict)
    optional: bool = False
    duplicates: Literal["reject", "merge"] = "reject"


class EndSpec(_Part):
    """An end of a relationship: the node of a label whose id is made from ``key``, or that has this ``id``."""

    label: Name = DEFAULT_LABEL
    key: Annotated[tuple[ColumnRef, ...], BeforeValidator(_tupled)] = ()
    id: Id | None = None
    separator: str = ""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.key) == bool(self.id):
            raise ValueError("say either key (columns) or id (a template)")
        return self


class RelationshipSpec(_Part):
    """A relationship for each row; an end that is a bare label is this row's own node."""

    type: Name | Choice
    head: Name | EndSpec
    tail: Name | EndSpec
    properties: Properties = Field(default_factory=dict)
    optional: bool | None = None
    dangling: Literal["reject", "create"] = "reject"


class TriplesSpec(_Part):
    """Each row is a fact."""

    head: ColumnRef
    relation: ColumnRef
    tail: ColumnRef
    dangling: Literal["reject", "create"] = "create"


def _triples(value: object) -> object:
    if isinstance(value, list | tuple) and len(value) == 3:
        return dict(zip(("head", "relation", "tail"), value, strict=True))
    return value


class SourceSpec(_Part):
    """What the rows of some files mean."""

    files: Annotated[tuple[Name, ...], BeforeValidator(_tupled), Field(min_length=1)]
    format: Format = "auto"
    header: Header = "auto"
    quoting: Quoting = "auto"
    columns: tuple[Name, ...] = ()
    nulls: tuple[str, ...] = ("",)
    nodes: tuple[NodeSpec, ...] = ()
    relationships: tuple[RelationshipSpec, ...] = ()
    triples: Annotated[TriplesSpec, BeforeValidator(_triples)] | None = None
    rdf: dict[str, object] | None = None

    @model_validator(mode="after")
    def _meaning(self) -> Self:
        kinds = [bool(self.nodes or self.relationships), self.triples is not None, self.rdf is not None]
        if sum(kinds) != 1:
            raise ValueError("say nodes and relationships, or triples, or rdf")
        if self.rdf is not None:
            try:
                RdfOptions.of(self.rdf)
            except MappingError as error:
                raise ValueError(f"rdf: {error.what}") from None
        return self

    def labels(self) -> Iterator[str]:
        """Labels that it declares."""
        return (node.label for node in self.nodes if isinstance(node.label, str))


class MappingFile(_Part):
    """See the module's text. Frozen."""

    version: Literal[1] = 1
    words: Schema = Field(default_factory=Schema, alias="schema")
    sources: Annotated[tuple[SourceSpec, ...], Field(min_length=1)]

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a mapping file, and the schema file that it names, from beside it.

        Raises:
            MappingError: it is missing, not UTF-8, not YAML, or not a mapping; all faults are named at once.
        """
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise MappingError(f"can't read the mapping: {reason}", where=str(path), fix="Check the path") from error
        return cls.from_yaml(text, where=str(path), folder=path.parent)

    @classmethod
    def from_yaml(cls, text: str, *, where: str = "mapping", folder: Path = Path()) -> Self:
        """The same from text."""
        try:
            data = yaml.safe_load(text)
        except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that is none
            raise _error(f"not valid YAML: {' '.join(str(error).split())}", where) from error
        if not isinstance(data, dict):
            raise _error("a mapping is a YAML mapping with the keys version, schema, sources", where)
        named = data.get("schema")
        if isinstance(named, str):
            try:
                data = {**data, "schema": Schema.load(folder / named).to_dict()}
            except SchemaError as error:
                raise _error(str(error), where) from error
        return cls.from_dict(data, where=where)

    @classmethod
    def from_dict(cls, data: object, *, where: str = "mapping") -> Self:
        """The same from plain values."""
        try:
            made = cls.model_validate(data)
        except ValidationError as error:
            faults = "; ".join(dict.fromkeys(_real(error.errors())))
            raise _error(faults, where) from error
        if faults := "; ".join(made._inconsistencies()):
            raise _error(faults, where)
        return made

    def to_dict(self) -> dict[str, object]:
        """Plain values, defaults left out; ``from_dict`` takes them."""
        return {"version": 1, **self.model_dump(mode="json", exclude_defaults=True, by_alias=True)}

    def fingerprint(self) -> str:
        """16 hex digits; the same for mappings that mean the same."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]

    def template(self, label: str) -> Template | None:
        """How ids of a label are written; None if no source declares it."""
        return next((node.id.template for node in self._nodes(label)), None)

    def property(self, label: str, name: str, spec: PropertySpec) -> PropertySchema:
        """What a property of a label is: as its source says it, else as the schema does."""
        known = self.words.labels.get(label, LabelSchema()).properties.get(name, PropertySchema())
        return PropertySchema(
            words=known.words,
            type=spec.type or known.type,
            list=spec.list or bool(spec.separator) or known.list,
            required=spec.required or known.required,
            unique=spec.unique or known.unique,
        )

    def filled_schema(self) -> Schema:
        """The schema as given, filled with the labels, properties and ends that the sources speak of."""
        labels = dict(self.words.labels)
        for source in self.sources:
            for node in source.nodes:
                if isinstance(node.label, str):
                    known = labels.get(node.label, LabelSchema())
                    said = {name: self.property(node.label, name, spec) for name, spec in node.properties.items()}
                    labels[node.label] = known.model_copy(update={"properties": {**known.properties, **said}})
        relations = dict(self.words.relations)
        for name, ends in self._ends().items():
            heads, tails = zip(*ends, strict=True)
            known_ends = relations.get(name, RelationSchema())
            relations[name] = known_ends.model_copy(
                update={
                    side: labels_[0]
                    for side, labels_ in (("head", heads), ("tail", tails))
                    if len(set(labels_)) == 1 and getattr(known_ends, side) == DEFAULT_LABEL
                }
            )
        return self.words.model_copy(update={"labels": labels, "relations": relations})

    def _ends(self) -> dict[str, list[tuple[str, str]]]:
        found: dict[str, list[tuple[str, str]]] = {}
        for source in self.sources:
            for relationship in source.relationships:
                ends = [end if isinstance(end, str) else end.label for end in (relationship.head, relationship.tail)]
                types = relationship.type
                names = [types] if isinstance(types, str) else [*types.values.values()]
                for name in names:
                    found.setdefault(name, []).append((ends[0], ends[1]))
        return found

    def _nodes(self, label: str) -> Iterator[NodeSpec]:
        return (node for source in self.sources for node in source.nodes if node.label == label)

    def _inconsistencies(self) -> Iterator[str]:
        """What is wrong between parts that are right in themselves."""
        for label in dict.fromkeys(label for source in self.sources for label in source.labels()):
            if len({node.id.template.texts for node in self._nodes(label)}) > 1:
                yield f"{label}: its ids are written in different ways; write the same text around the columns in each"
        for number, source in enumerate(self.sources):
            own = Counter(source.labels())
            for place, relationship in enumerate(source.relationships):
                for side, end in (("head", relationship.head), ("tail", relationship.tail)):
                    where = f"sources.{number}.relationships.{place}.{side}"
                    if isinstance(end, str):
                        if own[end] != 1:
                            yield f"{where}: {end!r} isn't the label of one node of this source"
                    elif end.key and (template := self.template(end.label)) is not None:
                        if len(template.columns) != len(end.key):
                            yield (
                                f"{where}: key has {len(end.key)} columns, ids of {end.label} are made from "
                                f"{len(template.columns)}"
                            )
                    elif end.key and end.label != DEFAULT_LABEL and relationship.dangling == "reject":
                        yield (
                            f"{where}: no source has nodes {end.label!r}, so how their ids are written isn't known; "
                            "say id instead of key, or dangling: create"
                        )


def _real(faults: list[ErrorDetails]) -> list[str]:
    """Each fault as "path: what", without those that only follow from others.

    Where several kinds of value are allowed, each that was tried is faulted, and where an item is, its list too.
    """
    said = [(_path(fault), fault) for fault in faults]
    return [
        f"{path or 'top level'}: "
        + ("unknown key" if fault["type"] == "extra_forbidden" else fault["msg"].removeprefix("Value error, "))
        for path, fault in said
        if not (fault["type"] in _FOLLOW and any(_within(other, path, fault) for other in said))
    ]


_FOLLOW = {"string_type", "int_type", "model_type", "dict_type", "too_short"}
_TRIED = re.compile(r"str|int|constrained-(str|int)|Choice|EndSpec|function-.*")


def _path(fault: ErrorDetails) -> str:
    return ".".join(str(part) for part in fault["loc"] if isinstance(part, int) or not _TRIED.fullmatch(part))


def _within(other: tuple[str, ErrorDetails], path: str, fault: ErrorDetails) -> bool:
    deeper = other[0].startswith(f"{path}.")
    return other[1] is not fault and (deeper or (other[0] == path and other[1]["type"] not in _FOLLOW))


def _error(what: str, where: str) -> MappingError:
    return MappingError(what, where=where, fix="See docs/reference/mapping.md for the keys")
