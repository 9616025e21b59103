"""Vectors that nodes have, as lists of numbers in the database: read alike from every store, live and in a snapshot."""

from __future__ import annotations

import numpy as np
import pytest

from graph_schema import Batch, Entity, Fact, GraphStore, InputError
from kgqa.retrieval.expander import LiveExpander, SnapshotExpander
from kgqa.stores.snapshot import Snapshot

WIDTH = 5


def test_vectors_are_read_as_they_were_written(each_store: GraphStore) -> None:
    drawn = np.random.default_rng(0).normal(size=(3, WIDTH))
    things = [
        Entity(f"thing {at}", f"thing {at}", properties={"look": tuple(row.tolist())}) for at, row in enumerate(drawn)
    ]
    each_store.write(Batch([*things, Entity("bare", "bare")], [Fact("owner", "owns", one.id) for one in things]))
    each_store.finish()
    ids = ["thing 2", "owner", "thing 0", "bare", "thing 2"]
    wanted = np.stack([drawn[2], np.zeros(WIDTH), drawn[0], np.zeros(WIDTH), drawn[2]]).astype(np.float32)
    for expander in (LiveExpander(each_store), SnapshotExpander(Snapshot.build(each_store))):
        found = expander.vectors(expander.nodes(ids), "look", WIDTH).numpy()
        assert np.array_equal(found, wanted)
        assert not expander.vectors(expander.nodes(ids), "sound", 3).any()
        with pytest.raises(InputError, match="'look' is no list of 4 numbers"):
            expander.vectors(expander.nodes(ids), "look", 4)
