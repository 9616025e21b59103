"""The values that the stages hand each other: what a graph is made of. All are frozen; none knows a store.

An *entity id* is a stable string, the same in every store and every run. What comes back for a question is in
``graph_schema.responses``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, overload

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    pass

Int64s = npt.NDArray[np.int64]
Int32s = npt.NDArray[np.int32]
Float32s = npt.NDArray[np.float32]

Scalar = str | int | float | bool | date | datetime
Value = Scalar | tuple[Scalar, ...]
"""What a property may hold: a scalar, or a tuple of scalars of one type. Ints are of 64 bits, datetimes have a zone."""
Properties = Mapping[str, Value]

DEFAULT_LABEL = "Entity"


@dataclass(frozen=True, slots=True)
class Entity:
    """A node: ``id`` is stable and unique in a store, ``name`` what people call it, ``aliases`` what else they do.

    ``properties`` are what else is known of it; they count for equality, not for the hash.
    """

    id: str
    name: str
    label: str = DEFAULT_LABEL
    aliases: tuple[str, ...] = ()
    properties: Properties = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, order=True)
class Fact:
    """One edge: ``head`` and ``tail`` are entity ids, ``relation`` a relation's name."""

    head: str
    relation: str
    tail: str


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """Counts of a store. ``changes`` grows with every write that altered something."""

    facts: int
    entities: int
    relations: tuple[str, ...]
    changes: int


class Facts(Sequence[Fact]):
    """Facts as three columns of the same length, without an object for each; reads like a list of ``Fact``."""

    __slots__ = ("heads", "relations", "tails")

    def __init__(self, heads: Sequence[str], relations: Sequence[str], tails: Sequence[str]) -> None:
        if not len(heads) == len(relations) == len(tails):
            raise ValueError(f"Facts: columns of {len(heads)}, {len(relations)} and {len(tails)} rows")
        self.heads, self.relations, self.tails = heads, relations, tails

    @classmethod
    def of(cls, facts: Sequence[Fact]) -> Facts:
        """The columns of any facts."""
        if isinstance(facts, Facts):
            return facts
        return cls([f.head for f in facts], [f.relation for f in facts], [f.tail for f in facts])

    def __len__(self) -> int:
        return len(self.heads)

    @overload
    def __getitem__(self, place: int) -> Fact: ...
    @overload
    def __getitem__(self, place: slice) -> Facts: ...
    def __getitem__(self, place: int | slice) -> Fact | Facts:
        if isinstance(place, slice):
            return Facts(self.heads[place], self.relations[place], self.tails[place])
        return Fact(self.heads[place], self.relations[place], self.tails[place])

    def __iter__(self) -> Iterator[Fact]:
        return map(Fact, self.heads, self.relations, self.tails)

    def __repr__(self) -> str:
        return f"Facts({list(self)!r})"


@dataclass(frozen=True, slots=True)
class Batch:
    """What is written together. Entities that only facts mention need not be listed.

    Attributes:
        entities: what is said of entities; the same id may come several times, and is merged in order.
        facts: a list of ``Fact``, or ``Facts``; the same fact may come several times.
        fact_properties: properties of each fact, as long as ``facts``; or empty: none has any.
        origin: the source of a load that brings all of this (``LoadSource.origin``); 0: nobody's, and never undone.
        entity_lines, fact_lines: 1-based line of each in that source, as long as ``entities`` and ``facts``; or
            empty: 0, not known.
        through: with it, all of the source's rows up to this line are in the store; 0: says nothing. The journal.
        declared: so many of ``entities``, the first ones, have rows of their own, and are counted as declared; of the
            others is only said which label they have as ends of facts. None: all have.
    """

    entities: Sequence[Entity] = ()
    facts: Sequence[Fact] = ()
    fact_properties: Sequence[Properties] = ()
    origin: int = 0
    entity_lines: Sequence[int] = ()
    fact_lines: Sequence[int] = ()
    through: int = 0
    declared: int | None = None

    def __post_init__(self) -> None:
        for name, column, of in (
            ("fact_properties", self.fact_properties, self.facts),
            ("entity_lines", self.entity_lines, self.entities),
            ("fact_lines", self.fact_lines, self.facts),
        ):
            if len(column) not in (0, len(of)):
                raise ValueError(f"Batch: {name} has {len(column)} rows for {len(of)}")


@dataclass(frozen=True, slots=True)
class Written:
    """What a write did.

    Attributes:
        facts_created, entities_created: that were new.
        facts_merged, entities_merged: that were there already, or came more than once.
        facts_unchanged, entities_unchanged: of those merged, the ones in which nothing changed: no mark of another
            origin, no property, name, alias or label was added. An entity that facts only mention is unchanged.
        declared_created, declared_changed: of the entities that ``Batch.declared`` says, those that were new; and those
            that were there, and whose name, label, aliases or properties are other than before.
    """

    facts_created: int = 0
    facts_merged: int = 0
    entities_created: int = 0
    entities_merged: int = 0
    facts_unchanged: int = 0
    entities_unchanged: int = 0
    declared_created: int = 0
    declared_changed: int = 0

    def __add__(self, other: Written) -> Written:
        return Written(
            self.facts_created + other.facts_created,
            self.facts_merged + other.facts_merged,
            self.entities_created + other.entities_created,
            self.entities_merged + other.entities_merged,
            self.facts_unchanged + other.facts_unchanged,
            self.entities_unchanged + other.entities_unchanged,
            self.declared_created + other.declared_created,
            self.declared_changed + other.declared_changed,
        )
