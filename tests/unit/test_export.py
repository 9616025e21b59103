"""A response as a networkx graph, and its files."""

from __future__ import annotations

import json
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from graph_schema import Answer, ConfigError, Entity, EvidencePath, EvidenceStep, Fact, InputError, Response, Subgraph
from kgqa.answering.export import export, to_networkx

DIRECTED, ACTED = Fact("Heat", "directed_by", "Mann"), Fact("Heat", "starred_actors", "Pacino")


def response() -> Response:
    """Mann answers for Heat; Pacino was reached as well, over the same fact at two hops."""
    touched = Subgraph(
        entities=("Heat", "Mann", "Pacino"),
        relations=("directed_by", "starred_actors"),
        topics=np.array([0]),
        source=np.array([0, 0, 0]),
        relation=np.array([0, 2, 2], dtype=np.int32),
        target=np.array([1, 2, 2]),
        hop=np.array([1, 1, 2]),
        weight=np.array([0.9, 0.1, 0.05], dtype=np.float32),
    )
    path = EvidencePath((EvidenceStep(DIRECTED, inverse=False, weight=0.9),), holds=True)
    return Response("who directed Heat", (Answer(Entity("Mann", "Mann"), 0.9, (path,)),), subgraph=touched)


def test_nodes_say_their_role_and_edges_whether_they_prove() -> None:
    graph = to_networkx(response())
    assert {node: data["role"] for node, data in graph.nodes(data=True)} == {
        "Heat": "topic",
        "Mann": "answer",
        "Pacino": "reached",
    }
    assert graph.edges["Heat", "Mann", "directed_by"]["evidence"] is True
    assert graph.edges["Heat", "Pacino", "starred_actors"] == {
        "relation": "starred_actors",
        "hop": 1,
        "weight": 0.1,
        "evidence": False,
    }


def test_an_unlinked_question_has_an_empty_graph() -> None:
    assert len(to_networkx(Response("?", ()))) == 0


@pytest.mark.parametrize("name", ["graph.graphml", "graph.gexf", "graph.json"])
def test_files_hold_the_graph(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    export(response(), path)
    if name.endswith("graphml"):
        read = nx.read_graphml(path, force_multigraph=True)
    elif name.endswith("gexf"):
        read = nx.read_gexf(path)
    else:
        read = nx.node_link_graph(json.loads(path.read_text("utf-8")), edges="edges")
    assert set(read.nodes) == {"Heat", "Mann", "Pacino"}
    assert read.number_of_edges() == 2


def test_an_unknown_ending_or_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="graphml"):
        export(response(), tmp_path / "graph.png")
    with pytest.raises(InputError, match="nowhere"):
        export(response(), tmp_path / "nowhere" / "graph.json")
