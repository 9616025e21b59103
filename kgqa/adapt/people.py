"""Which ways of a graph lead to people, where labels don't say it: told by what relations call their ends.

Who is somebody's child, parent or director is a person. Any other way leads to people if half of what it leads to is
known to be one: to those who have a religion, in a graph of families.
"""

from __future__ import annotations

import numpy as np

from graph_schema.types import DEFAULT_LABEL
from kgqa.adapt.phrases import phrases
from kgqa.adapt.verbs import singular
from kgqa.stores.snapshot import Snapshot

_KIN = """child parent spouse father mother brother sister sibling son daughter husband wife partner friend relative
    ancestor"""
KIN = frozenset(_KIN.split())  # people on both sides
SHARE = 0.5


def ways_to_people(snapshot: Snapshot) -> frozenset[tuple[str, bool]]:
    """(relation, inverse) of the steps that lead to people, as far as the words of the graph's relations tell."""
    names, schema = snapshot.relations(), snapshot.schema()
    owner = np.repeat(np.arange(len(snapshot.group_start) - 1), np.diff(snapshot.group_start))
    # What a step leads to is what the step back starts from.
    led_to = [owner[snapshot.group_relation == (kind ^ 1)] for kind in range(2 * len(names))]
    people = np.zeros(len(snapshot.group_start) - 1, bool)
    for kind, ends in enumerate(led_to):
        how = phrases(schema, names[kind // 2], kind % 2 == 1, DEFAULT_LABEL)
        kin = any(singular(noun) in KIN for noun in (*how.nouns, *how.whose))
        if how.who or kin:
            people[ends] = True
        if kin:
            people[led_to[kind ^ 1]] = True
    return frozenset(
        (names[kind // 2], kind % 2 == 1)
        for kind, ends in enumerate(led_to)
        if len(ends) and people[ends].mean() >= SHARE
    )
