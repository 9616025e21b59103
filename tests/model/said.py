"""What a reader might say of three questions, and what is right, for the tests of loss and dev scores."""

from __future__ import annotations

import torch
from hypothesis import strategies as st

from kgqa.retrieval.scores import Scores


def scores(entries: dict[tuple[int, int], float]) -> Scores:
    """Scores from probabilities by (question, node)."""
    keys = sorted(entries)
    return Scores(
        torch.tensor([q for q, _ in keys], dtype=torch.int64),
        torch.tensor([node for _, node in keys], dtype=torch.int64),
        torch.tensor([entries[key] for key in keys], dtype=torch.float32).log(),
    )


probabilities = st.dictionaries(
    st.tuples(st.integers(0, 2), st.integers(0, 5)), st.sampled_from([0.9999, 0.7, 0.31, 0.02, 0.002, 0.0004])
)
nodes = st.sets(st.tuples(st.integers(0, 2), st.integers(0, 5)))
