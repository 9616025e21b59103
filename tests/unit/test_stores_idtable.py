"""Row keys by ids: the same as a dict, whatever the ids and however they come."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graph_schema import InputError
from graph_schema.texts import Texts
from kgqa.stores import idtable
from kgqa.stores.batches import MAX_ID_BYTES, id_texts
from kgqa.stores.idtable import NO_ROW, IdTable

IDS = st.text(st.characters(codec="utf-8"), max_size=12)


def add(table: IdTable, known: dict[str, int], ids: list[str]) -> None:
    """Add those that aren't there."""
    new = [id_ for id_ in dict.fromkeys(ids) if id_ not in known]
    rows = np.arange(len(known) + 1, len(known) + 1 + len(new))
    table.add(table.prints(Texts.of(new)), rows)
    known.update(zip(new, rows.tolist(), strict=True))


def found(table: IdTable, ids: list[str]) -> list[int]:
    rows: list[int] = table.find(table.prints(Texts.of(ids))).tolist()
    return rows


@pytest.fixture(autouse=True, params=[1, 40, 2**19], ids="{} characters".format)
def characters(request: pytest.FixtureRequest) -> Iterator[None]:
    """Of ids that are hashed at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(idtable, "CHARACTERS_AT_ONCE", request.param)
        yield


@given(st.lists(st.lists(IDS, max_size=30), max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_finds_what_a_dict_finds(parts: list[list[str]]) -> None:
    table, known = IdTable(), dict[str, int]()
    for part in parts:
        assert found(table, part) == [known.get(id_, NO_ROW) for id_ in part]
        add(table, known, part)
        assert found(table, part) == [known[id_] for id_ in part]
        assert len(table) == len(known)
    table.clear()
    assert not any(found(table, [*known]))


def test_many_ids_and_full_slots() -> None:
    """It grows several times, with ids that differ in one character, and all hashes equal in their lowest bits."""
    table, known = IdTable(), dict[str, int]()
    ids = [f"entity {number}" for number in range(20_000)]
    for start in range(0, len(ids), 3_000):
        add(table, known, ids[start : start + 3_000])
    assert found(table, ids) == [known[id_] for id_ in ids]
    assert not any(found(table, [f"entity {number}" for number in range(20_000, 30_000)]))
    crowded = IdTable()
    hashes = np.arange(1_000, dtype=np.uint64) << np.uint64(40)
    prints = hashes, np.zeros(1_000, np.uint64)
    crowded.add(prints, np.arange(1, 1_001))
    assert crowded.find(prints).tolist() == [*range(1, 1_001)]
    assert not crowded.find((hashes, prints[1] + np.uint64(1))).any(), "the second hash counts as well"


def test_learning_leaves_out_what_is_there() -> None:
    table = IdTable()
    table.learn([("a", 1), ("b", 2)])
    table.learn([("b", 2), ("c", 3)])
    assert found(table, ["a", "b", "c", "d"]) == [1, 2, 3, NO_ROW]
    assert len(table) == 3


def test_ids_that_no_store_keeps() -> None:
    with pytest.raises(InputError):
        IdTable().prints(Texts.of(["good", "x" * (MAX_ID_BYTES + 1)]))
    with pytest.raises(InputError):
        id_texts(["good", "half \ud800"])


def test_a_nul_at_the_end_is_a_difference() -> None:
    firsts, seconds = IdTable().prints(Texts.of(["a", "a\0", "", "\0"]))
    assert len({*firsts.tolist()}) == len({*seconds.tolist()}) == 4
