"""RDF statements to entities and facts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from graph_schema import Value
from graph_schema.types import DEFAULT_LABEL
from ingest.rdf_options import RdfOptions
from ingest.rdf_survey import ALIAS, IGNORED_TYPES, LET_GO, MAX_IRI, NAME, NODE, Key, Ranked, Survey, is_type, rows
from ingest.rdf_terms import RDF_TYPE, SAME_AS, XSD, words
from ingest.rdf_values import FaultError, together
from ingest.records import EntityRows, Fault, Mapped, Reason, Records, Triples
from ingest.validation import MAX_ENTITY

LITERAL = "Literal"
"""The label of literals that are entities."""
_REMEMBERED = 1_000_000


@dataclass(slots=True)
class _Group:
    """What statements of one subject and predicate say: (row, value) each; and the subjects as they stand there."""

    subjects: list[str]
    said: list[tuple[int, Ranked]] = field(default_factory=list)


@dataclass(slots=True)
class _Held:
    """What blocks before have said, while there is more to come. ``left``: how many blocks, for each subject."""

    left: int
    said: list[Ranked] = field(default_factory=list)


@dataclass(slots=True)
class _Entity:
    """What a block says of an entity, at the last row that says something of it."""

    row: int = 0
    label: str = DEFAULT_LABEL
    name: str = ""
    aliases: list[str] = field(default_factory=list)
    properties: dict[str, Value] = field(default_factory=dict)


class RdfMapping:
    """The meaning of one source's statements; its blocks are to come in order, each once.

    A name, a type and the values of a property are given with the last block that has one, all together, so nothing
    depends on the order of statements or on how they fall into blocks.

    Args:
        survey: what is known of all sources.
        tag: of this source's blank nodes.
    """

    def __init__(self, survey: Survey, tag: str) -> None:
        self._survey = survey
        self._options = survey.options
        self._tag = tag
        self._runs = survey.runs(tag)
        self._held: dict[Key, _Held] = {}
        self._worded: set[str] = set()  # entities that were named by their IRI, lately
        self._resource = lru_cache(65_536)(self._resource_)
        self._other_languages = 0
        self._let_go = 0

    def mapped(self, records: Records) -> Mapped:
        """As ``ingest.mapping.Mapping`` has it."""
        block = _Block(records)
        groups: dict[Key, _Group] = {}
        for row, (subject, predicate, object_, datatype, language) in enumerate(rows(records, self._tag)):
            try:
                self._statement(block, groups, row, (subject, predicate, object_), datatype, language)
            except FaultError as error:
                block.faults[row] = error.fault
        self._give(block, groups)
        if self._options.words:
            self._name_by_words(block)
        return block.mapped()

    def notes(self) -> list[str]:
        """What was let go so far, a sentence each."""
        said = []
        if self._other_languages:
            said.append(f"{self._other_languages:,} literals in other languages were left out")
        if self._let_go:
            said.append(f"{self._let_go:,} literals were left out, as the settings say")
        return said

    def _statement(
        self,
        block: _Block,
        groups: dict[Key, _Group],
        row: int,
        statement: tuple[str, str, str],
        datatype: str | None,
        language: str | None,
    ) -> None:
        """Take in one row.

        Raises:
            FaultError: it can't be kept.
        """
        subject, predicate, object_ = statement
        _check_length(subject)
        one, options, survey = self._resource(subject), self._options, self._survey
        if datatype is not None:
            self._literal(block, groups, row, statement, datatype, language)
            return
        _check_length(object_)
        other = self._resource(object_)
        if predicate == RDF_TYPE and object_ in IGNORED_TYPES:
            return
        block.mention(row, one, subject)
        if predicate == RDF_TYPE and is_type(object_) and options.types != "facts":
            _group(groups, one, RDF_TYPE, subject).said.append((row, (0, 0, object_)))
            if options.types == "label":
                return
        if predicate == SAME_AS and options.same_as:
            group = _group(groups, one, SAME_AS, subject)
            group.said += [(row, (0, 0, survey.shortener.short(iri))) for iri in (subject, object_)]
            return
        block.fact(row, one, survey.relations[predicate], other)
        block.mention(row, other, object_)

    def _literal(
        self,
        block: _Block,
        groups: dict[Key, _Group],
        row: int,
        statement: tuple[str, str, str],
        datatype: str,
        language: str | None,
    ) -> None:
        subject, predicate, text = statement
        read = self._survey.literals.read(predicate, text, datatype, language)
        if read is None:
            self._other_languages += 1
            return
        what, ranked = read
        one = self._resource(subject)
        if what == NODE:
            self._node(block, row, statement, datatype, language)
        elif what == LET_GO:
            self._let_go += 1
        elif what == ALIAS:
            block.entity(row, one).aliases.append(str(ranked[2]))
        else:
            _group(groups, one, what, subject).said.append((row, ranked))
        if what not in (NAME, LET_GO):
            block.mention(row, one, subject)

    def _node(
        self, block: _Block, row: int, statement: tuple[str, str, str], datatype: str, language: str | None
    ) -> None:
        """A literal that is an entity."""
        subject, predicate, text = statement
        kind = f"@{language}" if language else "" if datatype == XSD + "string" else f"^^{self._resource(datatype)}"
        id_ = json.dumps(text, ensure_ascii=False) + kind
        if len(id_) > MAX_ENTITY:
            raise FaultError(Reason.ENTITY_TOO_LONG, f"{len(id_):,} characters, {MAX_ENTITY:,} are allowed")
        block.fact(row, self._resource(subject), self._survey.relations[predicate], id_)
        entity = block.entity(row, id_)
        entity.label, entity.name = LITERAL, text.strip()

    def _give(self, block: _Block, groups: Mapping[Key, _Group]) -> None:
        """Give what is complete, and hold what there is more of to come."""
        survey = self._survey
        counts = self._runs.of([(group.subjects[0], predicate) for (_, predicate), group in groups.items()])
        for ((one, predicate), group), count in zip(groups.items(), counts, strict=True):
            said = [ranked for _, ranked in group.said]
            first = group.subjects[0]
            members = survey.members.get(survey.canonical[first], ()) if first in survey.canonical else ()
            if members or count > 1:
                held = self._held.get((one, predicate))
                if held is None:
                    blocks = sum(self._runs.of([(member, predicate) for member in members or (first,)]))
                    held = self._held[one, predicate] = _Held(blocks)
                held.said += said
                held.left -= len(group.subjects)
                if held.left > 0:
                    continue
                said = self._held.pop((one, predicate)).said
            self._say(block, max(row for row, _ in group.said), one, predicate, said)

    def _say(self, block: _Block, row: int, one: str, predicate: str, said: Sequence[Ranked]) -> None:
        """All that is said of an entity by one predicate."""
        entity = block.entity(row, one)
        if predicate == NAME:
            ordered = [str(text) for _, _, text in sorted(said, key=lambda ranked: ranked[:2])]
            entity.name, *others = dict.fromkeys(ordered)
            entity.aliases += others
        elif predicate == RDF_TYPE:
            first, *others = dict.fromkeys(str(iri) for _, _, iri in said)
            entity.label = self._survey.labels[first]
            if self._options.types == "label":
                for iri in others:
                    block.fact(row, one, self._survey.relations[RDF_TYPE], self._resource(iri))
                    block.mention(row, self._resource(iri), iri)
        elif predicate == SAME_AS:
            others = [str(iri) for _, _, iri in said if iri != one]
            if others:
                entity.properties[self._survey.relations[SAME_AS]] = tuple(dict.fromkeys(others))
        else:
            best = min(good for good, _, _ in said)
            kept = [one for good, _, one in said if good == best]
            self._other_languages += len(said) - len(kept)
            entity.properties[self._survey.relations[predicate]] = together(kept)

    def _name_by_words(self, block: _Block) -> None:
        """Name entities that have no name by the last part of their IRI."""
        waiting = {id_: seen for id_, seen in block.mentions.items() if id_ not in self._worded}
        survey = self._survey
        members = {id_: survey.members.get(survey.canonical.get(iri, ""), (iri,)) for id_, (_, iri) in waiting.items()}
        flat = [member for several in members.values() for member in several]
        named = dict(zip(flat, survey.named.has(map(hash, flat)), strict=True))
        for id_, (row, iri) in waiting.items():
            if not any(named[member] for member in members[id_]):
                name = words(survey.canonical.get(iri, iri))
                if name and not iri.startswith("_:") and (entity := block.entity(row, id_)).name == "":
                    entity.name = name
        if len(self._worded) > _REMEMBERED:
            self._worded.clear()
        self._worded.update(waiting)

    def _resource_(self, term: str) -> str:
        """The id of an IRI or blank node."""
        return self._survey.shortener.short(self._survey.canonical.get(term, term))


@dataclass(frozen=True, slots=True)
class RdfRows:
    """The meaning of statements that were taken out of their files; each block counts by itself."""

    options: RdfOptions
    tag: str

    def mapped(self, records: Records) -> Mapped:
        """As ``ingest.mapping.Mapping`` has it."""
        survey = Survey(self.options)
        survey.take_alone(records, self.tag)
        return RdfMapping(survey, self.tag).mapped(records)


class _Block:
    """What one block of rows gives."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._entities: dict[str, _Entity] = {}
        self._facts: list[tuple[int, str, str, str]] = []
        self.mentions: dict[str, tuple[int, str]] = {}  # by id, the first row and the IRI there
        self.faults: dict[int, Fault] = {}

    def entity(self, row: int, id_: str) -> _Entity:
        """What is said of an entity, now up to this row."""
        entity = self._entities.setdefault(id_, _Entity())
        entity.row = max(entity.row, row)
        return entity

    def fact(self, row: int, head: str, relation: str, tail: str) -> None:
        self._facts.append((row, head, relation, tail))

    def mention(self, row: int, id_: str, iri: str) -> None:
        self.mentions.setdefault(id_, (row, iri))

    def mapped(self) -> Mapped:
        records = self._records
        facts: tuple[Triples, ...] = ()
        if self._facts:
            at, heads, relations, tails = zip(*sorted(self._facts, key=lambda fact: fact[0]), strict=True)
            lines = [records.lines[row] for row in at]
            facts = (Triples(records.source, lines, heads, relations, tails, records.through, rows=at),)
        entities = tuple(self._parts())
        return Mapped(records.source, records.through, entities, facts, records, self.faults)

    def _parts(self) -> Iterator[EntityRows]:
        """The entities, those with the same label and the same properties together."""
        alike: dict[tuple[str, frozenset[str]], list[tuple[str, _Entity]]] = {}
        for id_, entity in sorted(self._entities.items(), key=lambda item: item[1].row):
            alike.setdefault((entity.label, frozenset(entity.properties)), []).append((id_, entity))
        for (label, properties), found in alike.items():
            yield EntityRows(
                self._records.source,
                [self._records.lines[entity.row] for _, entity in found],
                label,
                [id_ for id_, _ in found],
                [entity.name or id_ for id_, entity in found],
                [tuple(dict.fromkeys(entity.aliases)) for _, entity in found],
                {name: [entity.properties[name] for _, entity in found] for name in sorted(properties)},
                [entity.row for _, entity in found],
            )


def _group(groups: dict[Key, _Group], one: str, what: str, subject: str) -> _Group:
    group = groups.get((one, what))
    if group is None:
        group = groups[one, what] = _Group([subject])
    elif subject not in group.subjects:
        group.subjects.append(subject)
    return group


def _check_length(term: str) -> None:
    if len(term) > MAX_IRI:
        raise FaultError(Reason.ENTITY_TOO_LONG, f"an IRI has {len(term):,} characters, {MAX_IRI:,} are allowed")
