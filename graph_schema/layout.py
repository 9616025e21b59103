"""How a graph that somebody else modelled lies in its database: found by ``kgqa connect``, not written by hand.

Beside the labels and relations of a ``Schema``, which say how things are called and asked for, this says what is there:
how many nodes a label has, of which types the values of a property are, what a relationship joins.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(min_length=1, max_length=500)]
StoredType = Literal[
    "string",
    "integer",
    "float",
    "boolean",
    "date",
    "local time",
    "zoned time",
    "local datetime",
    "zoned datetime",
    "duration",
    "point",
]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PropertyLayout(_Part):
    """What a property holds.

    Attributes:
        type: of most of its values, as the database calls it. list: it holds several.
        indexed: nodes are found by its value without looking at all of them.
    """

    type: StoredType = "string"
    list: bool = False
    indexed: bool = False


class LabelLayout(_Part):
    """How many nodes had a label when it was looked at, and what they hold."""

    nodes: int = 0
    properties: dict[Name, PropertyLayout] = Field(default_factory=dict)


class Ends(_Part):
    """What a type of relationship leads from and to, and how many do."""

    head: Name
    tail: Name
    facts: int = 0


class RelationLayout(_Part):
    """How many relationships had a type, what they join, and what they hold."""

    facts: int = 0
    ends: tuple[Ends, ...] = ()
    properties: dict[Name, PropertyLayout] = Field(default_factory=dict)


class Layout(_Part):
    """All that was found in a database."""

    store: Literal["neo4j"] = "neo4j"
    labels: dict[Name, LabelLayout] = Field(default_factory=dict)
    relations: dict[Name, RelationLayout] = Field(default_factory=dict)
