"""Strategies for graphs that are hard on stores, and for what happens to them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import Any

from hypothesis import strategies as st

from graph_schema import Batch, Entity, Fact
from tests.contract.graph_model import NASTY

texts = st.sampled_from(NASTY) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=6
)
few_texts = st.lists(texts, min_size=2, max_size=6, unique=True)


@dataclass(frozen=True)
class Withdraw:
    """A step of a history: origins, as places among those there are, whose marks are taken back."""

    places: tuple[int, ...]


@dataclass(frozen=True)
class Finish:
    """A step of a history: the store is finished."""


Step = Batch | list[Fact] | Withdraw | Finish
ORIGINS = 4  # of a history; the first is none, 0

scalars = (
    texts
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.booleans()
    | st.dates()
    | st.datetimes(timezones=st.just(UTC))
)
values = scalars | st.lists(texts, max_size=3).map(tuple) | st.lists(st.integers(0, 9), max_size=3).map(tuple)
names_of_properties = st.sampled_from(["born", "name", "id", "x` }", "properties", "0", "line", "Ünï cödé"])
properties = st.dictionaries(names_of_properties, values | st.sampled_from([1, 1.0, True]), max_size=2)


@st.composite
def batches(draw: st.DrawFn, ids: list[str], relations: list[str]) -> Batch:
    """A batch over these ids and relations, duplicates and self-loops among it; its origin is a place."""
    id_, relation = st.sampled_from(ids), st.sampled_from(relations)
    facts = draw(st.lists(st.builds(Fact, id_, relation, id_), max_size=8))
    said = st.builds(
        Entity,
        id_,
        texts | id_,
        st.sampled_from(["Entity", "Film", 'La"b`el']),
        st.lists(texts, max_size=2).map(tuple),
        properties | st.just({}),
    )
    entities = draw(st.lists(said, max_size=3))
    lines = st.integers(1, 2**40 - 1)

    def column(of: st.SearchStrategy[Any], length: int) -> Any:
        return draw(st.just([]) | st.lists(of, min_size=length, max_size=length))

    return Batch(
        entities,
        facts,
        column(properties, len(facts)),
        draw(st.integers(0, ORIGINS - 1)),
        column(lines, len(entities)),
        column(lines, len(facts)),
        draw(st.integers(0, 9)),
        draw(st.none() | st.integers(0, len(entities))),
    )


@st.composite
def histories(draw: st.DrawFn) -> list[Step]:
    """What happens to a store."""
    ids, relations = draw(few_texts), draw(few_texts)[:3]
    deletions = st.lists(
        st.builds(Fact, st.sampled_from(ids), st.sampled_from(relations), st.sampled_from(ids)), max_size=6
    )
    withdrawals = st.lists(st.integers(1, ORIGINS - 1), min_size=1, max_size=2, unique=True).map(
        lambda places: Withdraw(tuple(places))
    )
    written = batches(ids, relations)
    steps: list[Step] = draw(
        st.lists(written | written | deletions | withdrawals | st.just(Finish()), min_size=1, max_size=6)
    )
    return steps
