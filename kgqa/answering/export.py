"""A response as a networkx graph, for drawing it or looking at it in other tools (GraphML, GEXF, JSON)."""

from __future__ import annotations

import json
from pathlib import Path

import networkx as nx

from graph_schema import ConfigError, InputError, Response
from kgqa.files import write_atomically

FORMATS = (".graphml", ".gexf", ".json")


def to_networkx(response: Response) -> nx.MultiDiGraph[str]:
    """What a question touched, as a directed multigraph from head to tail.

    Nodes are entity ids with ``role`` (topic, answer or reached) and, for answers, ``score``; edges carry ``relation``,
    ``hop`` and ``weight`` of the hop that gave the fact the most, and ``evidence``: whether a shown path uses it.
    """
    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    touched = response.subgraph
    if touched is None:
        return graph
    for entity in touched.entities:
        graph.add_node(entity, role="reached")
    proven = {fact for answer in response.answers for path in answer.evidence for fact in path.facts}
    for edge in touched.edges():
        known = graph.get_edge_data(edge.fact.head, edge.fact.tail, edge.fact.relation)
        if known is None or known["weight"] < edge.weight:
            graph.add_edge(
                edge.fact.head,
                edge.fact.tail,
                key=edge.fact.relation,
                relation=edge.fact.relation,
                hop=edge.hop,
                weight=round(edge.weight, 5),
                evidence=edge.fact in proven,
            )
    for answer in response.answers:
        graph.add_node(answer.entity.id, role="answer", score=answer.score)
    for topic in touched.topics.tolist():
        graph.add_node(touched.entities[topic], role="topic")
    return graph


def export(response: Response, path: Path) -> None:
    """Write a response's graph; the format is told by the file's ending (see ``FORMATS``).

    Raises:
        ConfigError: an ending of no known format. InputError: the file can't be written.
    """
    graph = to_networkx(response)
    if path.suffix == ".graphml":
        text = "\n".join(nx.generate_graphml(graph))
    elif path.suffix == ".gexf":
        text = "\n".join(nx.generate_gexf(graph))
    elif path.suffix == ".json":
        text = json.dumps(nx.node_link_data(graph, edges="edges"), ensure_ascii=False, indent=1)
    else:
        raise ConfigError(f"no known graph format: {path.suffix or path.name}", where=str(path), fix=f"Use {FORMATS}")
    try:
        write_atomically(path, (text + "\n").encode())
    except OSError as error:
        raise InputError(f"can't write the graph: {error.strerror}", where=str(path)) from error
