"""RDF read to a graph in memory, as a store would keep it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from graph_schema import Fact, Value
from ingest import LoadOptions, Rejected, Source
from ingest.rdf_options import RdfOptions
from ingest.reading import items, reading
from ingest.records import EntityRows
from ingest.report import Tally

PREFIXES = """
@prefix ex: <http://ex.org/> .
@prefix other: <http://other.org/> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix foaf: <http://xmlns.com/foaf/0.1/> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
""".lstrip()
AT = PREFIXES.count("\n")
"""Lines before the first one of what follows."""

EX = {"ex": "http://ex.org/", "other": "http://other.org/"}


@dataclass
class Node:
    name: str = ""
    label: str = "Entity"
    aliases: set[str] = field(default_factory=set)
    properties: dict[str, Value] = field(default_factory=dict)


@dataclass
class Graph:
    """Nodes that are declared or mentioned, facts with the lines that say them, and what reading said besides."""

    nodes: dict[str, Node] = field(default_factory=dict)
    facts: dict[Fact, int] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def graph_of(given: str | bytes | Sequence[Source | Path], name: str = "x.ttl", **settings: object) -> Graph:
    """What Turtle (after PREFIXES), or the sources, come to; with the prefixes of EX unless others are set."""
    if isinstance(given, str | bytes):
        content = (PREFIXES + given).encode() if isinstance(given, str) else given
        sources = [Source(name, stream=io.BytesIO(content))]
    else:
        sources = [Source.of(one) for one in given]
    graph = Graph()
    rdf = RdfOptions.of({"prefixes": EX, **settings})
    options = LoadOptions(rdf=rdf, rejects=graph.rejected.append)
    for item in items(sources, options, None):
        with reading(item, Tally(item.source.name, options, 0), None) as file:
            for block in file.blocks:
                assert all([*part.places] == sorted(part.places) for part in block.parts)
                for part in block.entities:
                    _take_nodes(graph, part)
                for facts in block.facts:
                    for line, *fact in zip(facts.lines, facts.heads, facts.relations, facts.tails, strict=True):
                        graph.facts.setdefault(Fact(*fact), line)
                        for id_ in (fact[0], fact[2]):
                            graph.nodes.setdefault(id_, Node(id_))
        graph.notes += file.notes
    return graph


def _take_nodes(graph: Graph, part: EntityRows) -> None:
    for place, (id_, name, aliases) in enumerate(zip(part.ids, part.names or (), part.aliases or (), strict=True)):
        node = graph.nodes.setdefault(id_, Node(id_))
        if node.name in (id_, ""):
            node.name = name
        elif name not in (id_, node.name):
            node.aliases.add(name)
        node.aliases.update(aliases)
        if node.label == "Entity":
            node.label = part.label
        node.properties.update(
            {k: value for k, column in part.properties.items() if (value := column[place]) is not None}
        )
