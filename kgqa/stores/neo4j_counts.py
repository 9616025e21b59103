"""What a transaction brought to Neo4j, counted within it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from kgqa.stores import cypher_write

if TYPE_CHECKING:
    from kgqa.stores.neo4j_write import Run


@dataclass(frozen=True)
class Counted:
    """What a transaction did.

    Attributes:
        facts, entities: that are new. facts_changed: of which something new was said, a mark at least.
        declared_created, declared_changed: as in ``Written``.
        changed: entities of which something new was said, a mark at least.
    """

    facts: int = 0
    entities: int = 0
    facts_changed: int = 0
    declared_created: int = 0
    declared_changed: int = 0
    changed: int = 0


def account(run: Run, slot: str, origin: int, counted: Counted, through: int = 0) -> None:
    """Count a change, if there was one, and what an origin brought. The last thing in a transaction: who has the same
    slot waits."""
    if origin and counted != Counted():
        run(
            cypher_write.BROUGHT,
            {"slot": slot, "tally": f"brought/{origin}/{slot}", "origin": origin, **asdict(counted)},
        )
    elif counted != Counted():
        run(cypher_write.COUNT_CHANGE, {"slot": slot})
    if origin and through:
        run(cypher_write.JOURNAL, {"origin": origin, "through": through})
