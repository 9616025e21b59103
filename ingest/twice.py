"""Rows of a quarantine that were set aside because their id was declared before with another value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from graph_schema import Entity
from ingest.records import EntityRows, Fault, Mapped, Reason

_FIX = "Give it its own id, write the same values, or take reason out of the line if its values are to count"
_ANOTHER = " with another "


def twice(id_: str, where: str, names: Sequence[str], fix: str = "") -> Fault:
    """That a node was declared, there, with other values under these names."""
    fix = fix or "Take one of them out, or say duplicates: merge in the mapping"
    return Fault(Reason.CONTRADICTION, f"{_declared(id_)} {where}{_ANOTHER}{', '.join(names)}", fix)


def still_twice(block: Mapped, store: Callable[[Sequence[str]], Mapping[str, Entity]]) -> Iterator[tuple[int, Fault]]:
    """Rows, by their position, that declare the id once more for which they were set aside, with values that still
    aren't those of the store.
    """
    for part in block.entities:
        if part.merge:
            continue
        asked = {
            place: (row, id_, block.twice[row])
            for place, (row, id_) in enumerate(zip(part.places, part.ids, strict=True))
            if block.twice.get(row, "").startswith(_declared(id_) + " ")
        }
        stored = store(sorted({id_ for _, id_, _ in asked.values()})) if asked else {}
        for place, (row, id_, detail) in asked.items():
            if id_ in stored and (other := [*_other(part, place, stored[id_])]):
                where = detail.removeprefix(_declared(id_) + " ").rpartition(_ANOTHER)[0]
                yield row, twice(id_, where, other, _FIX)


def _declared(id_: str) -> str:
    return f"{id_!r} is declared"


def _other(part: EntityRows, place: int, stored: Entity) -> Iterator[str]:
    """What a row says otherwise of a node than the store; a node without a name goes by its id there."""
    name = stored.name if part.names is None else part.names[place]
    if name != stored.name and stored.id not in (name, stored.name):
        yield "name"
    for key, column in part.properties.items():
        if column[place] is not None and column[place] != stored.properties.get(key, column[place]):
            yield key
