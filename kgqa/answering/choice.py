"""Which reader a graph is asked with."""

from __future__ import annotations

from pathlib import Path

import torch

from graph_schema import GraphReader
from kgqa.model.checkpoint import FILMS, GENERAL, Checkpoint, load_checkpoint, shipped


def checkpoint_for(graph: GraphReader, directory: Path | None = None, device: str | torch.device = "cpu") -> Checkpoint:
    """The checkpoint in a directory; None: the one that ships for such a graph, that of films where it knows the
    schema, else the general one.

    Raises:
        CheckpointError: see ``load_checkpoint``. StoreError: the graph can't be read.
    """
    if directory is not None:
        return load_checkpoint(directory, device)
    films = load_checkpoint(shipped(FILMS), device)
    if films.knows(graph.schema(), graph.relations()):
        return films
    return load_checkpoint(shipped(GENERAL), device)
