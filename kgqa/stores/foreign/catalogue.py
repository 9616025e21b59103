"""What is in a database, found with queries that read, and only a bounded part of it.

Counts come from the count store, which takes no time however large the graph is. Of each label, and of each type of
relationship, some are looked at, a part of them from further on, for what was loaded together looks alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graph_schema.errors import StoreAccessDenied
from kgqa.stores.foreign import cypher
from kgqa.stores.foreign.connection import Connection

SAMPLED = 2_000  # nodes of a label, relationships of a type
PIECES = 4  # from as many places
FARTHEST = 2_000_000  # nodes or relationships that are passed over to get to a place
SHOWN = 200  # characters of a text, items of a list that are fetched
COUNTED = 40  # counts in one query
VALUES = 2_000  # of a property that are kept


@dataclass(frozen=True)
class Property:
    """What was seen of a property on the sampled nodes or relationships.

    Attributes:
        seen: how many had it. of: how many were looked at.
        types: how often each type of value occurred, as the database calls it; ``list``: how many were lists.
        values: texts of values, list items among them; cut at SHOWN characters. lengths: whole lengths of the texts.
        unique: a constraint says that no two nodes have the same value. indexed: there is an index on it.
    """

    seen: int
    of: int
    types: Mapping[str, int]
    list: int
    values: tuple[str, ...]
    longest_list: int
    mean_length: float
    unique: bool = False
    indexed: bool = False

    @property
    def type(self) -> str:
        """The type that most values have."""
        return max(self.types, key=lambda name: (self.types[name], name))

    @property
    def coverage(self) -> float:
        return self.seen / self.of if self.of else 0.0

    @property
    def distinct(self) -> float:
        """Which part of the values seen is distinct."""
        return len(set(self.values)) / len(self.values) if self.values else 0.0


@dataclass(frozen=True)
class Label:
    """A label: how many nodes bear it, what the sampled ones hold, with which other labels (how many of them)."""

    nodes: int
    properties: dict[str, Property]
    with_others: dict[str, int] = field(default_factory=dict)
    sampled: int = 0


@dataclass(frozen=True)
class Relation:
    """A type of relationship: how many there are; (labels of head, of tail) → how many of the sampled; properties."""

    facts: int
    ends: dict[tuple[tuple[str, ...], tuple[str, ...]], int]
    properties: dict[str, Property]
    sampled: int = 0


@dataclass(frozen=True)
class Catalogue:
    """What is in a database.

    Attributes:
        nodes, facts: how many nodes and relationships there are at all.
        labels, relations: those in use. notes: what couldn't be found out, a sentence each.
    """

    nodes: int
    facts: int
    labels: dict[str, Label]
    relations: dict[str, Relation]
    notes: tuple[str, ...] = ()


def read(connection: Connection, told: Callable[[str], None] = lambda _: None) -> Catalogue:
    """Look at a database.

    Args:
        told: hears what is being looked at.

    Raises:
        StoreUnavailable, StoreAccessDenied, StoreError: see ``Connection.rows``.
    """
    names = connection.one(cypher.NAMES)
    totals = connection.one(cypher.TOTALS)
    notes: list[str] = []
    indexes = _indexes(connection, notes)
    label_counts = _counted(connection, [cypher.count_label(name) for name in names["labels"]])
    type_counts = _counted(connection, [cypher.count_type(name) for name in names["types"]])
    labels = {}
    for name, nodes in zip(names["labels"], label_counts, strict=True):
        if nodes:
            told(name)
            labels[name] = _label(connection, name, nodes, indexes)
    relations = {}
    for name, facts in zip(names["types"], type_counts, strict=True):
        if facts:
            told(name)
            relations[name] = _relation(connection, name, facts)
    return Catalogue(totals["nodes"], totals["facts"], labels, relations, tuple(notes))


def _indexes(connection: Connection, notes: list[str]) -> dict[tuple[str, str], bool]:
    """(label, property) that an index is on alone → whether its values are unique."""
    try:
        found = connection.rows(cypher.INDEXES)
    except StoreAccessDenied:
        notes.append("The user may not see indexes and constraints; uniqueness was judged by samples alone.")
        return {}
    indexes: dict[tuple[str, str], bool] = {}
    for row in found:
        for label in row["labels"]:
            key = (label, row["property"])
            indexes[key] = indexes.get(key, False) or row["unique"]
    return indexes


def _counted(connection: Connection, counts: Sequence[str]) -> list[int]:
    found: list[int] = []
    for start in range(0, len(counts), COUNTED):
        part = counts[start : start + COUNTED]
        rows = connection.rows(cypher.each_count(part))
        found += [n for _, n in sorted((row["at"], row["n"]) for row in rows)]
    return found


def _label(connection: Connection, name: str, nodes: int, indexes: Mapping[tuple[str, str], bool]) -> Label:
    pieces = [connection.one(cypher.sample_nodes(name), **piece) for piece in _pieces(nodes)]
    sampled = sum(piece["sampled"] for piece in pieces)
    others: dict[str, int] = {}
    for piece in pieces:
        for labels, n in piece["labels"]:
            for other in labels:
                if other != name:
                    others[other] = others.get(other, 0) + n
    properties = {
        key: _property(rows, sampled, indexes.get((name, key)))
        for key, rows in _by_key(piece["found"] for piece in pieces).items()
    }
    return Label(nodes, properties, others, sampled)


def _relation(connection: Connection, name: str, facts: int) -> Relation:
    pieces = [connection.one(cypher.sample_relationships(name), **piece) for piece in _pieces(facts)]
    sampled = sum(piece["sampled"] for piece in pieces)
    ends: dict[tuple[tuple[str, ...], tuple[str, ...]], int] = {}
    for piece in pieces:
        for head, tail, n in piece["ends"]:
            key = (tuple(sorted(head)), tuple(sorted(tail)))
            ends[key] = ends.get(key, 0) + n
    properties = {
        key: _property(rows, sampled, None) for key, rows in _by_key(piece["found"] for piece in pieces).items()
    }
    return Relation(facts, ends, properties, sampled)


def _pieces(count: int) -> list[dict[str, int]]:
    """Where to look, and at how many."""
    shared = {"shown": SHOWN, "values": VALUES}
    if count <= SAMPLED:
        return [{"skip": 0, "most": SAMPLED, **shared}]
    reach = min(count, FARTHEST)
    return [{"skip": reach * n // PIECES, "most": SAMPLED // PIECES, **shared} for n in range(PIECES)]


def _by_key(pieces: Iterable[Sequence[Any]]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for piece in pieces:
        for key, *row in piece:
            found.setdefault(key, []).append(row)
    return dict(sorted(found.items()))


def _property(rows: Sequence[Sequence[Any]], sampled: int, unique: bool | None) -> Property:
    """From rows (type, is a list, how many, values, sum of lengths, longest list), for the pieces and types."""
    types: dict[str, int] = {}
    for type_, _, n, *_ in rows:
        types[type_] = types.get(type_, 0) + n
    seen = sum(n for _, _, n, *_ in rows)
    values = tuple(text for *_, texts, _, _ in rows for text in texts)[:VALUES]
    return Property(
        seen=seen,
        of=sampled,
        types=types,
        list=sum(n for _, is_list, n, *_ in rows if is_list),
        values=values,
        longest_list=max(longest for *_, longest in rows),
        mean_length=sum(length for *_, length, _ in rows) / max(seen, 1),
        unique=bool(unique),
        indexed=unique is not None,
    )
