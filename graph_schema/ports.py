"""The two ports: what any graph store offers to the rest of kgqa. Implementations: ``kgqa.stores``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from graph_schema.loads import LoadLedger
from graph_schema.schema import Schema
from graph_schema.types import Batch, Entity, Fact, Int64s, StoreInfo, Written


@dataclass(frozen=True, slots=True)
class Offer:
    """The relations around some entities, grouped: one row for each (entity, relation, direction) that has facts.

    Attributes:
        owner: int64 [G], position in the list of entities asked about, ascending.
        relation: int64 [G], directed relation (2 r or 2 r + 1, r an index into ``relations``), ascending within an
            owner.
        count: int64 [G], number of facts in the group, at least 1.
        relations: ``GraphReader.relations()`` as of this answer. Where others write without a change counter (see
            ``GraphReader.changes``), names that have lost all their facts may still be among them.
    """

    owner: Int64s
    relation: Int64s
    count: Int64s
    relations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The far ends of some groups.

    Attributes:
        group: int64 [E], position in the list of groups asked for, ascending.
        entities: E entity ids, ascending by code point within a group.
    """

    group: Int64s
    entities: list[str]


@dataclass(frozen=True, slots=True)
class Group:
    """Asks for the first ``limit`` neighbours, in ascending id order, of ``entity`` over one directed relation."""

    entity: str
    relation: str
    inverse: bool
    limit: int


@dataclass(frozen=True, slots=True)
class Start:
    """Where a question may start.

    Attributes:
        named: what ``GraphReader.lookup`` gives.
        ids: entities among those named, whose surroundings are told; all of them, if they are not too many.
        offer: the relations around ``ids``.
        changes: the change counter, as of which ``offer.relations`` are.
    """

    named: dict[str, tuple[Entity, ...]]
    ids: tuple[str, ...]
    offer: Offer
    changes: int


@dataclass(frozen=True, slots=True)
class Step:
    """What one hop reached, and where it leads from there.

    Attributes:
        neighbours: what ``GraphReader.expand`` gives.
        ids: the distinct entities of ``neighbours``, ascending by code point.
        offer: the relations around ``ids``.
    """

    neighbours: Neighbours
    ids: tuple[str, ...]
    offer: Offer


@dataclass(frozen=True, slots=True)
class Proof:
    """What is shown with an answer, read from the store when all was decided.

    Attributes:
        holds: what ``GraphReader.holds`` gives. entities: what ``GraphReader.entities`` gives.
    """

    holds: list[bool]
    entities: dict[str, Entity]


@runtime_checkable
class GraphReader(Protocol):
    """Read side of a store. Every method may raise ``StoreUnavailable`` or ``StoreAccessDenied``.

    A reader sees committed writes of others, those of other processes included, at its next call.
    An id that isn't in the store is no error: it has no relations, no neighbours and no entity.

    A question is answered with ``start``, one ``step`` a hop and ``prove``: each is one round trip, and says what two
    of the simpler methods say. What they say was committed when they were called; two calls may see two states.
    """

    @property
    def url(self) -> str: ...

    def info(self) -> StoreInfo:
        """Exact counts and the change counter."""

    def changes(self) -> int:
        """The change counter alone; cheap. It tells of writes through ``GraphWriter``; 0 if there were none yet."""

    def schema(self) -> Schema:
        """The schema the store was loaded with, widened by the relations found in it."""

    def relations(self) -> tuple[str, ...]:
        """Names of all relations that have facts, sorted by code point; position = relation index."""

    def lookup(self, keys: Sequence[str]) -> dict[str, tuple[Entity, ...]]:
        """Entities whose name or an alias has one of these keys (``text.name_key``); keys nobody bears are left out.

        Entities of a key are in ascending id order.
        """

    def suggest(self, name: str, limit: int = 5) -> tuple[Entity, ...]:
        """Entities with a name most like ``name``, best first; for "did you mean"."""

    def entities(self, ids: Sequence[str]) -> dict[str, Entity]:
        """The entities of these ids; unknown ids are left out."""

    def offer(self, ids: Sequence[str]) -> Offer:
        """The relations around these entities, both directions."""

    def expand(self, groups: Sequence[Group]) -> Neighbours:
        """The neighbours of these groups, in one round trip."""

    def holds(self, facts: Sequence[Fact]) -> list[bool]:
        """For each fact, whether it is in the store now."""

    def start(self, keys: Sequence[str]) -> Start:
        """``lookup`` of these keys, and ``offer`` around the entities that bear them."""

    def step(self, groups: Sequence[Group]) -> Step:
        """``expand`` of these groups, and ``offer`` around the entities that it reaches."""

    def prove(self, facts: Sequence[Fact], ids: Sequence[str]) -> Proof:
        """``holds`` of these facts, looked for in the store now, and the ``entities`` of these ids."""

    def all_facts(self) -> Iterator[Fact]:
        """Every fact, streamed, each once, in no promised order.

        What is written while the stream runs may be in it or not, a part of one transaction too: a server may read
        what is committed as it goes. If ``changes()`` says the same before and after, it was one state. Who needs
        that builds a snapshot, which compares, and reads again.
        """

    def all_entities(self) -> Iterator[Entity]:
        """Every entity, streamed, each once, in no promised order; see ``all_facts`` for what is written meanwhile."""

    def close(self) -> None:
        """Give back files and connections; safe to call twice."""


class GraphWriter(Protocol):
    """Write side of a store."""

    def migrate(self, schema: Schema) -> None:
        """Bring constraints and indexes up to date and keep the schema (merged into the one there). Idempotent.

        Raises:
            StoreVersionError: the store has migrations that this version doesn't know.
        """

    def write(self, batch: Batch) -> Written:
        """Write one batch in one transaction: all of it or nothing. What is there already is left as it is.

        An entity that comes again brings its aliases, and its name and label where they were defaults (name = id,
        label = "Entity"); a name already set stays, and a differing one is kept as an alias. Properties are added;
        of two values for one property, of an entity or of a fact, that of the higher origin counts, and within one
        origin the later one.

        Each fact and each listed entity gets the mark of ``batch.origin``, once (the first line stays), and the store
        keeps what each origin said of it: merged, as if that origin alone had spoken. A fact that was there without
        any mark gets that of origin 0 before; so does an entity, if it is more than an id that facts mention (it has
        a name of its own, a label, an alias or a property). The change counter grows if anything was created, marked
        or said anew; moving the journal on is no change.

        Raises:
            InputError: an id, a text or a value that can't be kept in every store.
        """

    def delete(self, facts: Sequence[Fact]) -> int:
        """Take facts out, whoever brought them, and with them those of their ends that no fact mentions any more,
        listed ones too; returns how many facts were there."""

    def finish(self) -> None:
        """A load has ended: refresh what is derived from the facts."""

    def close(self) -> None:
        """Give back files and connections; safe to call twice."""


class GraphStore(GraphReader, GraphWriter, LoadLedger, Protocol):
    """Both sides, and the ledger of loads."""
