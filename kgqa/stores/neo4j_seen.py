"""Which facts of a source are in Neo4j already: each is asked for, or all that a relation has are read.

To ask for a fact, the server looks at what one of its ends has: 20 microseconds a fact around hubs. To read all facts
of a relation takes a small part of that for each. So where a source comes again that brought most of what a relation
has, they are compared here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from graph_schema.types import Int64s
from kgqa.stores import cypher_write
from kgqa.stores.neo4j_values import ORIGIN

if TYPE_CHECKING:
    from kgqa.stores.neo4j_write import Rows, Run

Bools = npt.NDArray[np.bool_]
Pairs = npt.NDArray[np.complex128]

ASKED = 20_000  # facts a statement
MOST_FACTS = 2_000_000  # of a relation, for the server collects them in memory: about 50 bytes each
READ_PER_FACT = 2  # facts that may be read for each that the source brought


class Seen:
    """The facts of one source that are there, by relation, as they were when the relation was first asked for.

    Args:
        origin: of the source. held: number of the held transaction that keeps the internal ids what they are.
    """

    def __init__(self, run: Run, origin: int, held: int) -> None:
        self.origin, self.held = origin, held
        brought = run(cypher_write.BROUGHT_BY, {"origin": origin})[0]
        self._budget = READ_PER_FACT * sum(record["facts"] for record in brought)
        self._there: dict[str, Pairs | None] = {}

    def which(self, run: Run, relation: str, heads: Int64s, tails: Int64s) -> Bools | None:
        """Which of these facts are there with a mark of the source; None: the server has to be asked.

        Args:
            heads, tails: internal ids; int64 [F].
        """
        if relation not in self._there:
            self._there[relation] = self._read(run, relation)
        if (there := self._there[relation]) is None:
            return None
        asked = _pairs(heads, tails)
        if not len(there):
            return np.zeros(len(asked), bool)
        found: Bools = there[np.minimum(np.searchsorted(there, asked), len(there) - 1)] == asked
        return found

    def give_up(self) -> None:
        """The server has no memory for it: read no more."""
        self._budget = 0

    def _read(self, run: Run, relation: str) -> Pairs | None:
        if not self._budget:
            return None
        count = run(cypher_write.count_relation(relation))[0][0]["n"]
        if count > min(self._budget, MOST_FACTS):
            return None
        bounds = {"low": self.origin * ORIGIN, "high": (self.origin + 1) * ORIGIN}
        found = run(cypher_write.ends_of(relation), bounds)[0][0]
        self._budget -= count
        return np.unique(_pairs(np.array(found["heads"], np.int64), np.array(found["tails"], np.int64)))


def _pairs(heads: Int64s, tails: Int64s) -> Pairs:
    """Each pair as one number: ids of nodes are below 2^53."""
    return heads + 1j * tails


def all_there(run: Run, facts: Sequence[Rows], relations: Sequence[str], bounds: Mapping[str, int]) -> bool:
    """Whether the graph has all of these facts, with a mark within bounds; ``relations`` as in ``write_facts``."""
    heads, tails = [*chain.from_iterable(of.heads for of in facts)], [*chain.from_iterable(of.tails for of in facts)]
    kinds = [*chain.from_iterable([at] * len(of) for at, of in enumerate(facts))]
    names = [of.relation for of in facts]
    query = cypher_write.count_facts(relations)
    for start in range(0, len(heads), ASKED):
        part = slice(start, start + ASKED)
        given = {"heads": heads[part], "tails": tails[part], "relations": kinds[part], "names": names}
        if run(query, {"given": given, **bounds})[0][0]["n"] < len(heads[part]):
            return False
    return True
