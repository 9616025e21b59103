"""The first look at RDF files: what one statement at a time doesn't tell.

Which IRIs are one entity (owl:sameAs), which have a name, which values of one property come in several blocks of rows,
and what relations and types are to be called so that no two have the same name.

Memory: about 12 bytes for each distinct pair of subject and literal's predicate, 8 for each named entity, and some 300
for each IRI that owl:sameAs speaks of.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import numpy as np

from graph_schema import InputError, Scalar
from graph_schema.types import Int64s
from ingest.formats import RDF, find_format
from ingest.hashes import Hashes
from ingest.options import LoadOptions
from ingest.rdf_options import RdfOptions
from ingest.rdf_terms import RDF_TYPE, SAME_AS, WELL_KNOWN, Shortener, apart, is_prefix
from ingest.rdf_values import FaultError, value
from ingest.readers import read
from ingest.records import Reason, Records, Rejected
from ingest.sources import Source
from ingest.validation import MAX_ENTITY, MAX_RELATION

NAME, ALIAS, NODE, LET_GO = "name", "alias", "node", "let go"
"""What literals can be, beside values of a property, for which the IRI of the predicate stands."""

MAX_IRI = MAX_ENTITY - 50

IGNORED_TYPES = frozenset(
    {
        "http://www.w3.org/2002/07/owl#NamedIndividual",
        "http://www.w3.org/2002/07/owl#Thing",
        "http://www.w3.org/2000/01/rdf-schema#Resource",
    }
)
Key = tuple[str, str]
"""A subject as read, tagged, and a predicate's IRI or NAME."""
Ranked = tuple[float, int, Scalar]
"""How good a literal is (its language, then its predicate), and its value."""


@dataclass(frozen=True, slots=True)
class Literals:
    """What literals mean.

    Attributes:
        names: predicates that name an entity, by IRI the place in the order of preference.
        aliases: predicates that name it too.
        options: as given.
    """

    names: dict[str, int]
    aliases: frozenset[str]
    options: RdfOptions

    def read(self, predicate: str, text: str, datatype: str, language: str | None) -> tuple[str, Ranked] | None:
        """What a literal is, as NAME and so on or the predicate, and its value; None: it is in an unwanted language.

        Raises:
            FaultError: it can't be kept.
        """
        good = rank(self.options.languages, language)
        if good is None:
            return None
        place = self.names.get(predicate)
        alias = predicate in self.aliases
        if place is not None or alias or self.options.literals == "facts":
            what = NAME if place is not None else ALIAS if alias else NODE
            return what, (good, place or 0, name(text))
        if self.options.literals == "none":
            return LET_GO, (good, 0, "")
        return predicate, (good, 0, value(text, datatype))


class Runs:
    """In how many blocks of a source each key has values."""

    def __init__(self) -> None:
        self._parts: list[Int64s] = []
        self._keys: Int64s = np.empty(0, np.int64)
        self._counts: Int64s = np.empty(0, np.int64)

    def add(self, keys: Iterable[Key]) -> None:
        """The keys of one block, each once."""
        self._parts.append(np.fromiter(map(hash, keys), np.int64))

    def close(self) -> None:
        self._keys, counts = np.unique(np.concatenate([*self._parts, self._keys]), return_counts=True)
        self._counts = counts.astype(np.int32)
        self._parts = []

    def of(self, keys: Sequence[Key]) -> list[int]:
        """For each key, the number of its blocks; 0 if it has none."""
        if not len(self._keys):
            return [0] * len(keys)
        wanted = np.fromiter(map(hash, keys), np.int64, len(keys))
        at = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        found: list[int] = np.where(self._keys[at] == wanted, self._counts[at], 0).tolist()
        return found


class Survey:
    """What is known of the RDF sources of one load, those with the same options."""

    def __init__(self, options: RdfOptions) -> None:
        self.options = options
        base = Shortener({**WELL_KNOWN, **options.prefixes})
        self.literals = Literals(
            {base.full(name): place for place, name in enumerate(options.names)},
            frozenset(map(base.full, options.aliases)),
            options,
        )
        self.named = Hashes()
        self._same: dict[str, str] = {}  # a forest: the representative of each set is its own parent
        self._predicates: set[str] = set()
        self._types: set[str] = set()
        self._declared: dict[str, set[str]] = {}  # namespaces by prefix, as the files say
        self._runs: dict[str, Runs] = {}
        self.members: dict[str, list[str]] = {}
        self.canonical: dict[str, str] = {}
        self.shortener = base
        self.relations: dict[str, str] = {}
        self.labels: dict[str, str] = {}

    def look(self, source: Source, options: LoadOptions, tag: str) -> None:
        """Read a source. Where it can't be read on, the look ends, as the load then will."""
        runs = self._runs[tag] = Runs()
        try:
            with source.open() as stream:
                table = read(stream, options, _ignore)
                for block in table.records:
                    runs.add(self.take(block, tag))
                for prefix, space in table.prefixes.items():
                    self._declared.setdefault(prefix, set()).add(space)
        except InputError:
            pass
        runs.close()

    def take_alone(self, records: Records, tag: str) -> None:
        """A block of rows that is all there is."""
        runs = self._runs[tag] = Runs()
        runs.add(self.take(records, tag))
        runs.close()
        self.close()

    def close(self) -> None:
        """All sources have been looked at: decide what depends on all of them."""
        base = Shortener({**WELL_KNOWN, **self.options.prefixes})
        prefixes = dict(base.prefixes)
        if self.options.file_prefixes:
            for prefix, spaces in sorted(self._declared.items()):
                if len(spaces) == 1 and is_prefix(prefix) and not {*spaces} & {*prefixes.values()}:
                    prefixes.setdefault(prefix, *spaces)
        self.shortener = Shortener(prefixes)
        given = {base.full(iri): name for iri, name in self.options.relations.items()}
        self.relations = apart({*self._predicates, RDF_TYPE, SAME_AS}, given, self.shortener)
        self.labels = apart(self._types, {}, self.shortener)
        self.canonical, self.members = {}, {}
        for iri in self._same:
            self.members.setdefault(self._root(iri), []).append(iri)
        for same in [*self.members.values()]:
            best = min(same, key=lambda iri: (iri.startswith("_:"), iri))
            self.canonical.update(dict.fromkeys(same, best))
        self.members = {self.canonical[same[0]]: sorted(same) for same in self.members.values()}

    def runs(self, tag: str) -> Runs:
        """Of the source with this tag."""
        return self._runs[tag]

    def take(self, records: Records, tag: str) -> set[Key]:
        """The keys with values in a block; takes in all else that it says."""
        options = self.options
        keys: set[Key] = set()
        named: set[str] = set()
        for subject, predicate, object_, datatype, language in rows(records, tag):
            if len(subject) > MAX_IRI or (datatype is None and len(object_) > MAX_IRI):
                continue
            if datatype is not None:
                try:
                    said = self.literals.read(predicate, object_, datatype, language)
                except FaultError:
                    continue
                if said is None or said[0] in (ALIAS, LET_GO):
                    continue
                if said[0] == NAME:
                    named.add(subject)
                else:
                    self._predicates.add(predicate)
                if said[0] != NODE:
                    keys.add((subject, said[0]))
            elif predicate == RDF_TYPE and is_type(object_):
                self._types.add(object_)
                if options.types != "facts":
                    keys.add((subject, RDF_TYPE))
            elif predicate == SAME_AS and options.same_as:
                self._join(subject, object_)
                keys.add((subject, SAME_AS))
            else:
                self._predicates.add(predicate)
        self.named.add(map(hash, named))
        return keys

    def _root(self, iri: str) -> str:
        same = self._same
        while (parent := same[iri]) != iri:
            same[iri] = iri = same[parent]
        return iri

    def _join(self, one: str, other: str) -> None:
        for iri in (one, other):
            self._same.setdefault(iri, iri)
        self._same[self._root(one)] = self._root(other)


class RdfSources:
    """The RDF among the sources of one load; looked at when the first of it is read.

    A stream can be read only once, so it is looked at by itself, from a copy, when its turn comes; what it says of
    others counts from then on.
    """

    def __init__(self, given: Sequence[tuple[Source, LoadOptions]]) -> None:
        self._given = [(source, options) for source, options in given if source.size is not None]
        self._surveys: list[Survey] = []

    def survey(self, source: Source, options: LoadOptions) -> tuple[Survey, str]:
        """What is known for reading a source, and the tag of its blank nodes.

        Args:
            source: one of those given, or the copy of a stream, which is read to its end and put back to the beginning.
        """
        survey = next((known for known in self._surveys if known.options == options.rdf), None)
        if survey is None:
            survey = Survey(options.rdf)
            self._surveys.append(survey)
            for other, how in self._given:
                if how.rdf == options.rdf and self._is_rdf(other, how):
                    survey.look(other, how, blank_tag(other))
            survey.close()
        tag = blank_tag(source)
        if source.stream is not None:
            survey.look(source, options, tag)
            survey.close()
            source.stream.seek(0)
        return survey, tag

    @staticmethod
    def _is_rdf(source: Source, options: LoadOptions) -> bool:
        try:
            with source.open() as stream:
                return find_format(stream, options.format).format in RDF
        except InputError:  # which is said when its turn comes
            return False


def blank_tag(source: Source) -> str:
    """What tells the blank nodes of sources apart: made from the path, or of a stream from its content."""
    digest = hashlib.blake2b(digest_size=5)
    if source.path is not None:
        digest.update(os.path.normpath(source.path.absolute()).encode("utf-8", "surrogateescape"))
    elif source.stream is not None:
        while block := source.stream.read(1_048_576):
            digest.update(block)
        source.stream.seek(0)
    return digest.hexdigest()


def rows(records: Records, tag: str) -> Iterable[tuple[str, str, str, str | None, str | None]]:
    """The statements of a block, blank nodes with the tag of their source."""
    columns = cast("Sequence[Sequence[str]]", records.columns)
    for subject, predicate, object_, datatype, language in zip(*columns, strict=True):
        of = f"_:{tag}-{subject[2:]}" if subject.startswith("_:") else subject
        to = f"_:{tag}-{object_[2:]}" if datatype is None and object_.startswith("_:") else object_
        yield of, predicate, to, datatype, language


def is_type(iri: str) -> bool:
    """Whether the object of an rdf:type is to be a label."""
    return not iri.startswith("_:") and len(iri) <= MAX_RELATION and iri not in IGNORED_TYPES


def name(text: str) -> str:
    """A literal as a name.

    Raises:
        FaultError: it can't be one.
    """
    text = text.strip()
    if not text:
        raise FaultError(Reason.EMPTY_FIELD, "an empty literal")
    if "\0" in text:
        raise FaultError(Reason.NUL, "in a literal")
    if len(text) > MAX_ENTITY:
        raise FaultError(Reason.ENTITY_TOO_LONG, f"a name of {len(text):,} characters, {MAX_ENTITY:,} are allowed")
    return text


@lru_cache(1_000)
def rank(languages: tuple[str, ...], tag: str | None) -> float | None:
    """How far down a list of preferred tags one comes; None: it isn't wanted. Without a tag: right before ``*``."""
    if not tag:
        return languages.index("*") - 0.5 if "*" in languages else len(languages)
    folded = tag.lower()
    for place, wanted in enumerate(languages):
        if wanted == "*" or folded == wanted.lower() or folded.startswith(wanted.lower() + "-"):
            return place
    return None


def _ignore(_: Rejected) -> None:
    pass
