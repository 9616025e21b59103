"""What RDF is to mean as a graph of entities and facts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Literal

from graph_schema import MappingError
from ingest.rdf_terms import WELL_KNOWN, is_prefix

NAMES = ("rdfs:label", "skos:prefLabel", "foaf:name", "schema:name", "schemas:name")
ALIASES = ("skos:altLabel", "schema:alternateName", "schemas:alternateName")
_TAG = re.compile(r"\*|[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*")


@dataclass(frozen=True, slots=True)
class RdfOptions:
    """IRIs are given whole or as ``prefix:rest``.

    Attributes:
        names: predicates whose literals name an entity, the best first.
        aliases: predicates whose literals name it too.
        languages: tags that are kept, the best first: ``en`` also stands for ``en-GB``, ``*`` for any. An entity is
            named in the best it has, and its other names are aliases; a property keeps the values in the best it has.
            Literals without a tag are always kept, and come right before ``*``.
        types: "label": an entity's first rdf:type is its label, and what other types it has are facts; "facts": all
            are facts; "both": all are facts, and the first is the label too.
        literals: "properties": of the entity; "facts": each is an entity of its own, with a fact to it; "none": let go.
        same_as: whether what owl:sameAs joins is one entity.
        words: whether an entity without a name is named by the last part of its IRI.
        prefixes: namespace by prefix, besides the well-known ones.
        file_prefixes: whether the prefixes that the files declare count too, where they agree. Ids of one load then
            depend on what its files declare.
        relations: names of relations and properties, by IRI.

    Raises:
        MappingError: a value is none of these.
    """

    names: tuple[str, ...] = NAMES
    aliases: tuple[str, ...] = ALIASES
    languages: tuple[str, ...] = ("en", "*")
    types: Literal["label", "facts", "both"] = "label"
    literals: Literal["properties", "facts", "none"] = "properties"
    same_as: bool = True
    words: bool = True
    prefixes: Mapping[str, str] = field(default_factory=dict)
    file_prefixes: bool = False
    relations: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        faults = [
            *(f"{tag!r} is no language tag" for tag in self.languages if not _TAG.fullmatch(tag)),
            *(f"{prefix!r} is no prefix" for prefix in self.prefixes if not is_prefix(prefix)),
            *(
                f"the prefix {prefix} is {WELL_KNOWN[prefix]}"
                for prefix, space in self.prefixes.items()
                if WELL_KNOWN.get(prefix, space) != space
            ),
            *(f"{iri!r} needs a name" for iri, name in self.relations.items() if not name.strip()),
        ]
        for name, allowed in (("types", ("label", "facts", "both")), ("literals", ("properties", "facts", "none"))):
            if getattr(self, name) not in allowed:
                faults.append(f"{name} is {getattr(self, name)!r}, not {', '.join(allowed)}")
        if len({*self.relations.values()}) < len(self.relations):
            faults.append("two relations have the same name")
        if faults:
            raise MappingError("; ".join(faults), where="rdf", fix="See docs/reference/ingest.md, RDF")

    @classmethod
    def of(cls, said: Mapping[str, object]) -> RdfOptions:
        """From plain values, as a mapping file has them.

        Raises:
            MappingError: keys that there aren't, or values of another kind; all are named at once.
        """
        defaults = cls()
        known = {one.name: getattr(defaults, one.name) for one in fields(cls)}
        faults = [f"{key!r} is no setting" for key in said if key not in known]
        values: dict[str, object] = {}
        for key, value in said.items():
            default = known.get(key)
            if isinstance(default, tuple) and isinstance(value, str):
                values[key] = (value,)
            elif isinstance(default, tuple) and isinstance(value, Sequence) and all(isinstance(v, str) for v in value):
                values[key] = tuple(value)
            elif (
                isinstance(default, dict) and isinstance(value, Mapping) and all(_text(pair) for pair in value.items())
            ):
                values[key] = dict(value)
            elif type(default) is type(value) and not isinstance(default, dict):
                values[key] = value
            elif key in known:
                faults.append(f"{key} can't be {value!r}")
        if faults:
            raise MappingError("; ".join(faults), where="rdf", fix=f"The settings are {', '.join(known)}")
        return cls(**values)  # type: ignore[arg-type]  # each was held to the type of its default


def _text(pair: tuple[object, object]) -> bool:
    return all(isinstance(one, str) for one in pair)
