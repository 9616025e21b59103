"""What a graph holds and how it is said in words: labels, relations, names, properties. YAML in and out.

    version: 1
    labels:
      Film:
        name: title                     # the property that names a node
        aliases: [original_title]       # properties (lists or single values) that name it too
        properties:
          released: {words: release year}   # a property that counts as a fact to ask for
    relations:
      directed_by: {words: directed by, inverse: directed, head: Film, tail: Person}

Everything but ``version`` may be left out: a relation without ``words`` is said as its name is split into words, and
without ``inverse`` its other direction is read from the same words.

A schema that ``kgqa connect`` wrote has a part ``layout`` (see ``graph_schema.layout``): the graph is somebody else's,
and its properties are facts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from graph_schema.errors import SchemaError
from graph_schema.layout import Layout
from graph_schema.text import relation_words
from graph_schema.types import DEFAULT_LABEL

Name = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


PropertyType = Literal["string", "integer", "float", "boolean", "date", "datetime"]


class PropertySchema(_Part):
    """A property that counts as a fact: ``words`` is how it is asked for ("release year").

    Attributes:
        inverse: how it is said from a value to the node that has it ("film released in").
        synonyms, inverse_synonyms: other ways to say these two, as in ``RelationSchema``.
        type: of the value, or with ``list`` of each of its values.
        required: every node of the label has it.
        unique: no two nodes of the label have the same value of it.
        skip: it is no fact to ask for (where the graph has a ``layout``).
        start: a question may start from a value of it ("who was born in 1964").
    """

    words: Name | None = None
    inverse: Name | None = None
    synonyms: tuple[Name, ...] = ()
    inverse_synonyms: tuple[Name, ...] = ()
    type: PropertyType = "string"
    list: bool = False
    required: bool = False
    unique: bool = False
    skip: bool = False
    start: bool = True


class RelationPropertySchema(_Part):
    """A property of relationships that counts as a fact of both ends: the role that an actor has, and that a film has.

    Attributes:
        words, inverse: how it is said from the head to the value, and back.
        tail_words, tail_inverse: the same from the tail; as ``words`` and ``inverse`` if left out.
        type, list, skip, start: as in ``PropertySchema``.
    """

    words: Name | None = None
    inverse: Name | None = None
    tail_words: Name | None = None
    tail_inverse: Name | None = None
    type: PropertyType = "string"
    list: bool = False
    skip: bool = False
    start: bool = True


class LabelSchema(_Part):
    """A kind of node: which property names it (None: none does), which hold aliases, which count as facts."""

    name: Name | None = "name"
    aliases: tuple[Name, ...] = ("aliases",)
    words: Name | None = None
    properties: dict[Name, PropertySchema] = Field(default_factory=dict)


class RelationSchema(_Part):
    """A kind of edge: how it is said from head to tail (``words``) and from tail to head (``inverse``).

    ``synonyms`` and ``inverse_synonyms`` are other ways to say the same, for ``kgqa adapt`` to make questions of and
    for readers that read other wordings (``model.wordings``). ``properties`` are those of its edges that count as
    facts, ``skip``: it isn't followed (both where the graph has a ``layout``).
    """

    words: Name | None = None
    inverse: Name | None = None
    synonyms: tuple[Name, ...] = ()
    inverse_synonyms: tuple[Name, ...] = ()
    head: Name = DEFAULT_LABEL
    tail: Name = DEFAULT_LABEL
    skip: bool = False
    properties: dict[Name, RelationPropertySchema] = Field(default_factory=dict)


_UNSAID = RelationSchema()  # of a relation that a schema says nothing of


class GoneSchema(_Part):
    """What was said of labels, relations and properties that the database no longer has, kept for when they return."""

    labels: dict[Name, LabelSchema] = Field(default_factory=dict)
    relations: dict[Name, RelationSchema] = Field(default_factory=dict)


class Schema(_Part):
    """See the module's text. Frozen; every change makes a new one."""

    version: Literal[1] = 1
    labels: dict[Name, LabelSchema] = Field(default_factory=dict)
    relations: dict[Name, RelationSchema] = Field(default_factory=dict)
    layout: Layout | None = None
    gone: GoneSchema | None = None

    @classmethod
    def from_yaml(cls, text: str, *, where: str = "schema") -> Self:
        """Read a schema; every unknown key and wrong value is named in one error.

        Raises:
            SchemaError: not YAML, not a mapping, or not a schema.
        """
        try:
            data = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise SchemaError(f"not valid YAML: {' '.join(str(error).split())}", where=where) from error
        if not isinstance(data, dict):
            raise SchemaError("a schema is a YAML mapping with the keys version, labels, relations", where=where)
        return cls.from_dict(data, where=where)

    @classmethod
    def from_dict(cls, data: object, *, where: str = "schema") -> Self:
        """The same from plain Python values."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            faults = "; ".join(
                f"{'.'.join(str(part) for part in fault['loc']) or 'top level'}: "
                + ("unknown key" if fault["type"] == "extra_forbidden" else fault["msg"])
                for fault in error.errors()
            )
            raise SchemaError(faults, where=where, fix="See docs/reference/schema.md for the keys") from error

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a schema file.

        Raises:
            SchemaError: the file is missing, a directory, not UTF-8, or not a schema.
        """
        try:
            return cls.from_yaml(path.read_text("utf-8"), where=str(path))
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise SchemaError(f"can't read the schema: {reason}", where=str(path)) from error

    def to_dict(self) -> dict[str, object]:
        """Plain values, defaults left out."""
        return {"version": self.version, **self.model_dump(mode="json", exclude_defaults=True)}

    def to_yaml(self) -> str:
        return yaml.safe_dump(self.to_dict(), sort_keys=False, allow_unicode=True)

    def words(self, relation: str, *, inverse: bool = False) -> str:
        """How a relation is said, in the direction given; the forward words where no inverse ones are known."""
        known = self.relations.get(relation, _UNSAID)
        forward = known.words or relation_words(relation)
        return (known.inverse or forward) if inverse else forward

    def has_inverse_words(self, relation: str) -> bool:
        """Whether the direction from tail to head has words of its own."""
        return bool(self.relations.get(relation, _UNSAID).inverse)

    def with_relations(self, names: Iterable[str]) -> Self:
        """This schema with these relations added, if they aren't there, in sorted order."""
        new = {name: RelationSchema() for name in sorted(set(names) - set(self.relations))}
        return self.model_copy(update={"relations": {**self.relations, **new}}) if new else self

    def merged(self, other: Schema) -> Self:
        """This schema with all that ``other`` says added; where both speak of the same thing, ``other`` wins."""
        return self.model_copy(
            update={
                "labels": {**self.labels, **other.labels},
                "relations": {**self.relations, **other.relations},
            }
        )

    def fingerprint(self, relations: Iterable[str] | None = None) -> str:
        """16 hex digits over what a model reads of the schema: relation names and their words, both directions.

        Args:
            relations: only over these relations (those a checkpoint was trained on); all if None.
        """
        names = sorted(self.relations if relations is None else relations)
        said = [[name, self.words(name), self.words(name, inverse=True)] for name in names]
        return hashlib.sha256(json.dumps(said, ensure_ascii=False).encode()).hexdigest()[:16]
