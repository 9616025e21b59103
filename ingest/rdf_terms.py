"""IRIs as ids and names: prefixes, the readable part of an IRI, names of relations that are kept apart."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from urllib.parse import unquote

RDF_TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
SAME_AS = "http://www.w3.org/2002/07/owl#sameAs"
XSD = "http://www.w3.org/2001/XMLSchema#"

WELL_KNOWN: Mapping[str, str] = {
    "bibo": "http://purl.org/ontology/bibo/",
    "dbo": "http://dbpedia.org/ontology/",
    "dbp": "http://dbpedia.org/property/",
    "dbr": "http://dbpedia.org/resource/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcat": "http://www.w3.org/ns/dcat#",
    "dcterms": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "freebase": "http://rdf.freebase.com/ns/",
    "geo": "http://www.w3.org/2003/01/geo/wgs84_pos#",
    "gn": "http://www.geonames.org/ontology#",
    "obo": "http://purl.obolibrary.org/obo/",
    "owl": "http://www.w3.org/2002/07/owl#",
    "prov": "http://www.w3.org/ns/prov#",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "schema": "http://schema.org/",
    "schemas": "https://schema.org/",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "void": "http://rdfs.org/ns/void#",
    "wd": "http://www.wikidata.org/entity/",
    "wdt": "http://www.wikidata.org/prop/direct/",
    "xsd": XSD,
    "yago": "http://yago-knowledge.org/resource/",
}
"""Prefixes that every load knows. Ids in stores depend on them: one may be added, none changed or taken out."""

_PREFIX = re.compile(r"[A-Za-z][\w.-]*")


class Shortener:
    """IRIs to ids, as ``prefix:rest`` where a prefix is known.

    Two IRIs never get the same id: where one begins with what is a prefix here, it is put in angle brackets.

    Args:
        prefixes: namespace by prefix; of a namespace that is in several others, the longest counts.
    """

    def __init__(self, prefixes: Mapping[str, str]) -> None:
        self.prefixes = dict(prefixes)
        by_length = sorted(((space, prefix) for prefix, space in prefixes.items()), key=lambda p: (-len(p[0]), p))
        self._prefix = dict(reversed(by_length))
        self._spaces = re.compile("|".join(re.escape(space) for space, _ in by_length) or r"(?!)")
        self.short = lru_cache(65_536)(self._short)

    def _short(self, iri: str) -> str:
        if found := self._spaces.match(iri):
            return f"{self._prefix[found.group()]}:{iri[found.end() :]}"
        return f"<{iri}>" if iri.partition(":")[0] in self.prefixes else iri

    def full(self, short: str) -> str:
        """The IRI that is meant by ``prefix:rest`` or by itself, in angle brackets or without."""
        if short.startswith("<") and short.endswith(">"):
            return short[1:-1]
        prefix, colon, rest = short.partition(":")
        return self.prefixes[prefix] + rest if colon and prefix in self.prefixes else short


def is_prefix(text: str) -> bool:
    """Whether a prefix may be called so."""
    return bool(_PREFIX.fullmatch(text))


def local(iri: str) -> str:
    """The readable part: what stands after the last # or /, or else :, with percent signs decoded; may be empty."""
    end = max(iri.rfind("#"), iri.rfind("/"))
    return unquote(iri[end + 1 :] if end >= 0 else iri.rpartition(":")[2])


def words(iri: str) -> str:
    """The readable part as a name: underscores are spaces; empty if there is none."""
    name = local(iri).replace("_", " ").strip()
    return name if name.isprintable() else ""


def apart(iris: Iterable[str], given: Mapping[str, str], shortener: Shortener) -> dict[str, str]:
    """A name for each IRI, no two the same: as given, else its readable part, else, if others have that too, its id."""
    names = dict(given)
    taken = set(names.values())
    by_local: dict[str, list[str]] = {}
    for iri in sorted({*iris} - names.keys()):
        by_local.setdefault(local(iri), []).append(iri)
    for name, same in by_local.items():
        alone = len(same) == 1 and name and name not in taken and name.isprintable() and ":" not in name
        for iri in same:
            names[iri] = name if alone else shortener.short(iri)
    return names
