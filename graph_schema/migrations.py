"""Constraints and indexes that a store needs, as numbered migrations, said without any store's language.

A store translates the requirements into its own (Neo4j: ``CREATE CONSTRAINT``; SQLite: tables and keys), applies what
it hasn't got in ascending order, and remembers the number. A number, once released, never changes its meaning.
"""

from __future__ import annotations

from dataclasses import dataclass

from graph_schema.types import DEFAULT_LABEL


@dataclass(frozen=True, slots=True)
class UniqueKey:
    """Nodes of ``label`` have a property that no two of them share; looked up by it in constant time."""

    name: str
    label: str
    property: str


@dataclass(frozen=True, slots=True)
class NameIndex:
    """Each text in the list property is found by exact match, in any script."""

    name: str
    label: str
    property: str


@dataclass(frozen=True, slots=True)
class SimilarNameIndex:
    """Names that resemble a given text are found, best first."""

    name: str
    label: str
    property: str


Requirement = UniqueKey | NameIndex | SimilarNameIndex


@dataclass(frozen=True, slots=True)
class Migration:
    """A step from one format of stores to the next; where it needs no constraint or index, what is kept changes."""

    number: int
    title: str
    requires: tuple[Requirement, ...]


MIGRATIONS: tuple[Migration, ...] = (
    Migration(
        1,
        "entities by id, names by key, names by likeness",
        (
            UniqueKey("kgqa_entity_id", DEFAULT_LABEL, "id"),
            UniqueKey("kgqa_meta_id", "KgqaMeta", "id"),
            NameIndex("kgqa_name_keys", DEFAULT_LABEL, "name_keys"),
            SimilarNameIndex("kgqa_names", DEFAULT_LABEL, "name"),
        ),
    ),
    Migration(
        2,
        "loads by key and by id, their origins",
        (
            UniqueKey("kgqa_load_key", "KgqaLoad", "key"),
            UniqueKey("kgqa_load_id", "KgqaLoad", "id"),
            UniqueKey("kgqa_origin", "KgqaOrigin", "origin"),
        ),
    ),
    Migration(3, "rows set aside, counted by origin", ()),
    Migration(4, "what changed, counted by origin", ()),
)

LATEST = MIGRATIONS[-1].number
