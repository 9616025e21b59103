"""The whole graph as arrays in memory or memory-mapped: what training, benchmarks and batches run on. No torch here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from rapidfuzz import fuzz, process

from graph_schema.errors import StoreBusy, StoreError
from graph_schema.ports import Group, Neighbours, Offer, Proof, Start, Step
from graph_schema.schema import Schema
from graph_schema.text import name_key
from graph_schema.types import Entity, Fact, Int32s, Int64s, Properties, StoreInfo
from kgqa.stores.adjacency import Adjacency
from kgqa.stores.batches import name_keys
from kgqa.stores.csr import Csr
from kgqa.stores.likeness import most_alike
from kgqa.stores.properties import decoded, encoded
from kgqa.stores.snapshot_files import REBUILD, read_arrays, write_arrays
from kgqa.stores.strings import HashedStrings, Strings

FACTS_ASKED = 10_000  # for their properties, at once
ATTEMPTS = 3  # to read a store that others write to between one counter value and the same one


class WholeGraph(Protocol):
    """What a snapshot is built from: of a ``GraphReader``, all that says what there is."""

    @property
    def url(self) -> str: ...
    def changes(self) -> int: ...
    def schema(self) -> Schema: ...
    def all_facts(self) -> Iterator[Fact]: ...
    def all_entities(self) -> Iterator[Entity]: ...


class Snapshot:
    """A ``GraphReader`` over arrays; never changes, so safe to share between threads.

    Dense entity index = rank of the id by code point; relation index = rank of the relation's name.

    Attributes:
        group_start, group_relation, edge_start, edge_target: see ``csr.Csr``.
        part: of several graphs that were put side by side, for each relation the number of its graph; None: it is one.
        said: of several graphs, what else each directed relation is called in its own; None: it is one.
    """

    part: Int64s | None = None
    said: Sequence[Sequence[str]] | None = None

    def __init__(self, arrays: dict[str, npt.NDArray[Any]], facts: dict[str, Any]) -> None:
        """Use ``build`` or ``open``."""
        self._arrays = arrays
        self._facts = facts
        csr = Csr(*(arrays[name] for name in ("group_start", "group_relation", "edge_start", "edge_target")))
        self.group_start: Int64s = csr.group_start
        self.group_relation: Int32s = csr.group_relation
        self.edge_start: Int64s = csr.edge_start
        self.edge_target: Int32s = csr.edge_target
        self._ids = HashedStrings(*(arrays[f"id_{part}"] for part in ("text", "offset", "hash", "at")))
        self._names = Strings(arrays["name_text"], arrays["name_offset"])
        self._aliases = Strings(arrays["alias_text"], arrays["alias_offset"])
        self._keys = HashedStrings(*(arrays[f"key_{part}"] for part in ("text", "offset", "hash", "at")))
        self._relations = tuple(facts["relations"])
        self._adjacency = Adjacency(self._ids, self._relations, csr)
        self._properties = Strings(arrays["property_text"], arrays["property_offset"])
        self._fact_properties = Strings(arrays["fact_property_text"], arrays["fact_property_offset"])
        self._labels: list[str] = facts["labels"]
        self._schema = Schema.from_dict(facts["schema"], where=str(facts["url"])).with_relations(self._relations)

    # ---- making, keeping

    @classmethod
    def build(cls, reader: WholeGraph) -> Snapshot:
        """Read the whole graph of ``reader`` in one state: its change counter is the same before and after.

        Properties of facts come along if the reader tells them (``LoadLedger.fact_properties``). Where others write
        without that counter (see ``GraphReader.changes``) nothing can tell, and they had better not do so meanwhile.

        Raises:
            StoreBusy: something was written during each of ``ATTEMPTS`` readings.
        """
        properties_of = getattr(reader, "fact_properties", None)
        for _ in range(ATTEMPTS):
            changes = reader.changes()
            schema, url = reader.schema(), reader.url
            facts, entities = list(reader.all_facts()), list(reader.all_entities())
            properties = _having(facts, properties_of) if properties_of else []
            if reader.changes() == changes:
                break
        else:
            raise StoreBusy(
                f"the store was written to each of the {ATTEMPTS} times that it was read",
                where=reader.url,
                fix="Wait until the load has ended, and try again",
            )
        known = {entity.id for entity in entities}
        missing = {id_ for fact in facts for id_ in (fact.head, fact.tail)} - known
        entities += [Entity(id_, id_) for id_ in missing]
        entities.sort(key=lambda entity: entity.id)
        index = {entity.id: position for position, entity in enumerate(entities)}
        relations = sorted({fact.relation for fact in facts})
        relation_index = {name: position for position, name in enumerate(relations)}
        count = len(facts)
        return cls.from_columns(
            entities,
            relations,
            np.fromiter((index[fact.head] for fact in facts), np.int64, count),
            np.fromiter((relation_index[fact.relation] for fact in facts), np.int64, count),
            np.fromiter((index[fact.tail] for fact in facts), np.int64, count),
            schema=schema,
            url=url,
            changes=changes,
            fact_properties=properties,
        )

    @classmethod
    def from_columns(
        cls,
        entities: Sequence[Entity],
        relations: Sequence[str],
        head: Int64s,
        relation: Int64s,
        tail: Int64s,
        *,
        schema: Schema,
        url: str,
        changes: int,
        fact_properties: Sequence[tuple[Fact, str]] = (),
    ) -> Snapshot:
        """From entities ascending by id, relation names ascending, and facts as dense ints (int64 [F] each).

        Args:
            fact_properties: of the facts that have any, as JSON (``properties.encoded``).
        """
        csr = Csr.build(head, relation, tail, len(entities))
        ids = HashedStrings.build([entity.id for entity in entities])
        names = Strings.build([entity.name for entity in entities])
        aliases = Strings.build([alias for entity in entities for alias in entity.aliases])
        labels = sorted({entity.label for entity in entities})
        label_index = {label: position for position, label in enumerate(labels)}
        bearers: dict[str, list[int]] = {}
        for position, entity in enumerate(entities):
            for key in name_keys(entity):
                bearers.setdefault(key, []).append(position)
        keys = HashedStrings.build(list(bearers))
        entity_properties = [
            (at, encoded(entity.properties)) for at, entity in enumerate(entities) if entity.properties
        ]
        edges = Adjacency(ids, relations, csr).edge_at([fact for fact, _ in fact_properties]).tolist()
        by_edge = sorted(zip(edges, (text for _, text in fact_properties), strict=True))
        arrays: dict[str, npt.NDArray[Any]] = {
            "group_start": csr.group_start,
            "group_relation": csr.group_relation,
            "edge_start": csr.edge_start,
            "edge_target": csr.edge_target,
            **{f"id_{part}": getattr(ids, part) for part in ("text", "offset", "hash", "at")},
            "name_text": names.text,
            "name_offset": names.offset,
            "alias_text": aliases.text,
            "alias_offset": aliases.offset,
            "alias_start": _starts(len(entity.aliases) for entity in entities),
            "label": np.fromiter((label_index[entity.label] for entity in entities), np.int32, len(entities)),
            **{f"key_{part}": getattr(keys, part) for part in ("text", "offset", "hash", "at")},
            "key_start": _starts(map(len, bearers.values())),
            "key_entity": np.fromiter(chain.from_iterable(bearers.values()), np.int64),
            **_sparse_arrays("property", entity_properties),
            **_sparse_arrays("fact_property", by_edge),
        }
        facts = {
            "changes": changes,
            "url": url,
            "facts": len(head),
            "relations": list(relations),
            "labels": labels,
            "schema": schema.to_dict(),
        }
        return cls(arrays, facts)

    def save(self, directory: Path) -> None:
        """Write it to ``directory``, whole or not at all; who has the old one open keeps that.

        Raises:
            StoreError: the disk is full, or the directory can't be written.
        """
        write_arrays(directory, self._arrays.items(), self._facts)

    @classmethod
    def open(cls, directory: Path) -> Snapshot:
        """Open a saved one, memory-mapped.

        Raises:
            StoreError: nothing there, or it is damaged.
        """
        arrays, manifest = read_arrays(directory)
        try:
            return cls(arrays, manifest)
        except (KeyError, TypeError) as error:
            raise StoreError("the snapshot is damaged", where=str(directory), fix=REBUILD) from error

    # ---- index spaces

    def index_of(self, ids: Sequence[str]) -> Int64s:
        """Dense index of each id, int64; -1 for unknown ones."""
        return self._ids.find(ids)

    def id_of(self, index: int) -> str:
        """Id of one dense index."""
        return self._ids[index]

    def ids_of(self, indices: npt.NDArray[np.integer[Any]]) -> list[str]:
        """Ids of dense indices."""
        return self._ids.take(indices)

    def directed(self, relation: str, *, inverse: bool = False) -> int:
        """Directed relation index of a name; -1 if no fact has it."""
        return self._adjacency.directed(relation, inverse=inverse)

    @cached_property
    def names(self) -> list[str]:
        """Name of every entity by dense index; made on first use."""
        return self._names.all()

    def entity_at(self, index: int) -> Entity:
        """The entity of one dense index."""
        start, end = self._arrays["alias_start"][index : index + 2].tolist()
        aliases = tuple(self._aliases.take(np.arange(start, end)))
        label = self._labels[int(self._arrays["label"][index])]
        properties = decoded(_sparse(self._arrays["property_at"], self._properties, index))
        return Entity(self._ids[index], self._names[index], label, aliases, properties)

    # ---- GraphReader

    @property
    def url(self) -> str:
        return f"snapshot of {self._facts['url']}"

    def info(self) -> StoreInfo:
        return StoreInfo(int(self._facts["facts"]), len(self._ids), self._relations, self.changes())

    def changes(self) -> int:
        """The store's change counter when the snapshot was made."""
        return int(self._facts["changes"])

    def schema(self) -> Schema:
        return self._schema

    def relations(self) -> tuple[str, ...]:
        return self._relations

    def lookup(self, keys: Sequence[str]) -> dict[str, tuple[Entity, ...]]:
        wanted = list(dict.fromkeys(keys))
        found: dict[str, tuple[Entity, ...]] = {}
        for key, place in zip(wanted, self._keys.find(wanted).tolist(), strict=True):
            if place >= 0:
                start, end = self._arrays["key_start"][place : place + 2].tolist()
                found[key] = tuple(map(self.entity_at, self._arrays["key_entity"][start:end].tolist()))
        return found

    def suggest(self, name: str, limit: int = 5) -> tuple[Entity, ...]:
        key, pool = name_key(name), 20 * max(limit, 1)
        near = {
            match
            for scorer in (fuzz.ratio, fuzz.token_set_ratio)
            for match, _, _ in process.extract(key, self._key_list, scorer=scorer, limit=pool, score_cutoff=50)
        }
        return most_alike(name, chain.from_iterable(self.lookup(sorted(near)).values()), limit)

    @cached_property
    def _key_list(self) -> list[str]:
        return self._keys.all()

    def entities(self, ids: Sequence[str]) -> dict[str, Entity]:
        wanted = list(dict.fromkeys(ids))
        found = zip(wanted, self.index_of(wanted).tolist(), strict=True)
        return {id_: self.entity_at(index) for id_, index in found if index >= 0}

    def offer(self, ids: Sequence[str]) -> Offer:
        return self._adjacency.offer(ids)

    def expand(self, groups: Sequence[Group]) -> Neighbours:
        return self._adjacency.expand(groups)

    def holds(self, facts: Sequence[Fact]) -> list[bool]:
        return self._adjacency.holds(facts)

    def fact_properties(self, facts: Sequence[Fact]) -> list[Properties]:
        """Properties of each fact; empty for a fact that isn't there."""
        edges = self._adjacency.edge_at(facts)
        return [
            {} if edge < 0 else decoded(_sparse(self._arrays["fact_property_at"], self._fact_properties, edge))
            for edge in edges.tolist()
        ]

    def start(self, keys: Sequence[str]) -> Start:
        named = self.lookup(keys)
        ids = tuple(dict.fromkeys(entity.id for entities in named.values() for entity in entities))
        return Start(named, ids, self.offer(ids), self.changes())

    def step(self, groups: Sequence[Group]) -> Step:
        return self._adjacency.step(groups)

    def prove(self, facts: Sequence[Fact], ids: Sequence[str]) -> Proof:
        return Proof(self.holds(facts), self.entities(ids))

    def all_facts(self) -> Iterator[Fact]:
        ids = self._ids.all()
        for node in range(len(ids)):
            groups = range(int(self.group_start[node]), int(self.group_start[node + 1]))
            for group in groups:
                directed = int(self.group_relation[group])
                if directed % 2 == 0:
                    relation = self._relations[directed // 2]
                    for far in self.edge_target[self.edge_start[group] : self.edge_start[group + 1]].tolist():
                        yield Fact(ids[node], relation, ids[far])

    def all_entities(self) -> Iterator[Entity]:
        return map(self.entity_at, range(len(self._ids)))

    def close(self) -> None:
        """Nothing to do: mapped files are given back with the arrays."""


def _starts(counts: Iterable[int]) -> Int64s:
    """Where each of consecutive runs of these lengths starts, and the end: int64 [n + 1]."""
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(np.fromiter(counts, np.int64), dtype=np.int64)))


def _sparse_arrays(name: str, rows: Sequence[tuple[int, str]]) -> dict[str, npt.NDArray[Any]]:
    """Texts at some of many positions: ``<name>_at`` (int64, ascending), ``<name>_text`` and ``<name>_offset``."""
    texts = Strings.build([text for _, text in rows])
    places = np.fromiter((at for at, _ in rows), np.int64, len(rows))
    return {f"{name}_at": places, f"{name}_text": texts.text, f"{name}_offset": texts.offset}


def _sparse(places: Int64s, texts: Strings, at: int) -> str:
    found = int(np.searchsorted(places, at))
    return texts[found] if found < len(places) and int(places[found]) == at else ""


def _having(
    facts: Sequence[Fact], properties_of: Callable[[Sequence[Fact]], Sequence[Properties]]
) -> list[tuple[Fact, str]]:
    """The facts that have properties, with these."""
    found = []
    for start in range(0, len(facts), FACTS_ASKED):
        part = facts[start : start + FACTS_ASKED]
        found += [(f, encoded(had)) for f, had in zip(part, properties_of(part), strict=True) if had]
    return found
