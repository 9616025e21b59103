"""What is wrong with a row of a mapped table: each kind has its reason, and says what to do."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_schema import Entity
from ingest import known
from ingest.known import Known, Spilled
from ingest.records import EntityRows, Mapped, Reason
from ingest.values import MAX_ITEMS, MAX_VALUE, Parser
from tests.unit.mapping_helpers import load_mapped

BAD_VALUES = [
    ("integer", "x", Reason.BAD_NUMBER, "'x', not a whole number"),
    ("integer", "1.5", Reason.BAD_NUMBER, "'1.5', not a whole number"),
    ("integer", "1_000", Reason.BAD_NUMBER, "'1_000', not a whole number"),
    ("integer", str(1 << 63), Reason.BAD_NUMBER, "beyond 64 bits"),
    ("integer", str(-(1 << 63) - 1), Reason.BAD_NUMBER, "beyond 64 bits"),
    ("integer", "9" * 5000, Reason.BAD_NUMBER, "not a whole number"),
    ("integer", True, Reason.BAD_NUMBER, "'true', not a number"),
    ("integer", 1.5, Reason.BAD_NUMBER, "'1.5', not a whole number"),
    ("integer", 1 << 63, Reason.BAD_NUMBER, "beyond 64 bits"),
    ("float", "1,5", Reason.BAD_NUMBER, "'1,5', not a number"),
    ("float", "nan", Reason.BAD_NUMBER, "not a finite number"),
    ("float", "-inf", Reason.BAD_NUMBER, "not a finite number"),
    ("float", "1e999", Reason.BAD_NUMBER, "not a finite number"),
    ("float", float("nan"), Reason.BAD_NUMBER, "not a finite number"),
    ("float", 10**400, Reason.BAD_NUMBER, "not a finite number"),
    ("boolean", "maybe", Reason.BAD_BOOLEAN, "'maybe', neither true nor false"),
    ("boolean", 2, Reason.BAD_BOOLEAN, "'2', neither true nor false"),
    ("date", "2023-02-29", Reason.BAD_DATE, "(YYYY-MM-DD): day is out of range"),
    ("date", "29/02/2024", Reason.BAD_DATE, "'29/02/2024', not a date (YYYY-MM-DD)"),
    ("date", datetime(2024, 1, 1, 12, tzinfo=UTC), Reason.BAD_DATE, "not a date"),
    ("datetime", "2024-01-01T25:00", Reason.BAD_DATE, "hour must be in 0..23"),
    ("string", "x" * (MAX_VALUE + 1), Reason.VALUE_TOO_LONG, "100,001 characters, 100,000 are allowed"),
    ("string", ["a"], Reason.NESTED, "is a list, not one value"),
    ("string", {"a": 1}, Reason.NESTED, "is an object, not one value"),
]


@pytest.mark.parametrize(("type_", "cell", "reason", "detail"), BAD_VALUES, ids=lambda value: repr(value)[:20])
def test_a_value_that_is_not_of_its_type(type_: Any, cell: Any, reason: Reason, detail: str) -> None:
    values, faults = Parser("p", type_).parse([cell, None, ""])
    assert values == [None, None, None]
    assert faults.keys() == {0}
    assert faults[0].reason == reason
    assert detail in faults[0].detail
    assert faults[0].detail.startswith("p ")
    assert faults[0].fix
    assert len(faults[0].detail) < 200


GOOD_VALUES = [
    ("integer", [" 12 ", "-5", 7, 7.0, str((1 << 63) - 1)], [12, -5, 7, 7, (1 << 63) - 1]),
    ("float", ["1.5", "1e3", 2, 2.5], [1.5, 1000.0, 2.0, 2.5]),
    ("boolean", ["true", "NO", "1", False, 1], [True, False, True, False, True]),
    ("date", ["2024-02-29", date(2024, 1, 1), datetime(2024, 1, 1)], [date(2024, 2, 29), *[date(2024, 1, 1)] * 2]),
    (
        "datetime",
        ["2024-02-29T10:00:00Z", "2024-01-01", date(2024, 1, 1)],
        [datetime(2024, 2, 29, 10, tzinfo=UTC), *[datetime(2024, 1, 1, tzinfo=UTC)] * 2],
    ),
    ("string", [" a ", 5, 5.0, True, date(2024, 1, 1)], ["a", "5", "5", "true", "2024-01-01"]),
]


@pytest.mark.parametrize(("type_", "cells", "expected"), GOOD_VALUES, ids=lambda value: str(value)[:10])
def test_values_of_a_type(type_: Any, cells: list[Any], expected: list[object]) -> None:
    values, faults = Parser("p", type_).parse(cells)
    assert not faults
    assert values == expected
    assert [type(v) for v in values] == [type(e) for e in expected]


@given(st.lists(st.one_of(st.text(max_size=5), st.integers().map(str), st.floats().map(repr)), max_size=8))
def test_a_column_taken_whole_gives_what_its_cells_give_alone(cells: list[str]) -> None:
    for type_ in ("string", "integer", "float", "boolean", "date", "datetime"):
        parser = Parser("p", type_, nulls=frozenset({"", "0"}))
        values, faults = parser.parse(cells)
        for place, cell in enumerate(cells):
            alone, fault = parser.parse([cell])
            assert [values[place]] == alone
            assert faults.get(place) == fault.get(0)


def test_lists() -> None:
    values, faults = Parser("p", "integer", separator="|", several=True).parse(
        ["1| 2||3", "", [4, "5"], 6, "1|x", None]
    )
    assert values == [(1, 2, 3), None, (4, 5), (6,), None, None]
    assert faults.keys() == {4}
    _, faults = Parser("p", several=True).parse([["x"] * (MAX_ITEMS + 1)])
    assert faults[0].reason == Reason.VALUE_TOO_LONG


NODES = """
sources:
  - files: n.csv
    nodes:
      - label: N
        id: id
        name: name
        properties:
          year: {column: year, type: integer, required: true}
          isbn: {column: isbn, unique: true}
          note: note
"""


def test_required_unique_and_contradicting_rows(tmp_path: Path) -> None:
    rows = [
        "id,name,year,isbn,note",
        "a,A,1,x,",
        "b,B,,y,",  # year is required
        "c,C,3,x,",  # x is a's
        "a,A,1,x,more",  # nothing against it: a note is added
        "a,A,2,x,",  # another year
        "a,Aa,1,x,",  # another name
        "a,A,1,,other",  # another note
        ",D,1,,",
        "d,D,1,,",
        "e,E,1,,",
    ]
    graph = load_mapped(NODES, tmp_path, {"n.csv": "\n".join(rows)})
    assert [(r.line, r.reason, r.detail.replace(str(tmp_path), "")) for r in graph.rejected] == [
        (3, Reason.REQUIRED, "no year"),
        (4, Reason.NOT_UNIQUE, "isbn 'x' is that of 'a', too"),
        (6, Reason.CONTRADICTION, "'a' is declared at /n.csv:2 with another year"),
        (7, Reason.CONTRADICTION, "'a' is declared at /n.csv:2 with another name"),
        (8, Reason.CONTRADICTION, "'a' is declared at /n.csv:2 with another note"),
        (9, Reason.EMPTY_FIELD, "no id"),
    ]
    assert all(r.fix for r in graph.rejected)
    assert graph.rejected[2].fields == ("a", "A", "2", "x", "")
    assert graph.entities["a"] == Entity("a", "A", "N", (), {"year": 1, "isbn": "x", "note": "more"})
    assert sorted(graph.entities) == ["a", "d", "e"]
    merged = load_mapped(
        NODES.replace("id: id", "id: id\n        duplicates: merge"), tmp_path, {"n.csv": "\n".join(rows)}
    )
    assert [r.line for r in merged.rejected] == [3, 4, 9]


EDGES = """
sources:
  - files: n.csv
    nodes: [{label: N, id: id}]
  - files: e.csv
    relationships:
      - type: r
        head: {label: N, key: head}
        tail: {label: M, id: tail}
        dangling: DANGLING
"""


def test_ends_that_are_not_there_or_of_another_label(tmp_path: Path) -> None:
    files = {"e.csv": "head,tail\na,m\na,x\nx,m\na,b\nm,m\na,e\n", "n.csv": "id\na\nb\n"}
    there = {"m": Entity("m", "M", "M"), "e": Entity("e", "e")}
    graph = load_mapped(EDGES.replace("DANGLING", "reject"), tmp_path, files, there=there)
    assert [(r.line, r.reason, r.detail) for r in graph.rejected] == [
        (3, Reason.DANGLING, "the tail 'x' is no M"),
        (4, Reason.DANGLING, "the head 'x' is no N"),
        (5, Reason.WRONG_LABEL, "the tail 'b' is N, not M"),
        (6, Reason.WRONG_LABEL, "the head 'm' is M, not N"),
    ]
    assert graph.triples == {("a", "r", "m"), ("a", "r", "e")}
    graph = load_mapped(EDGES.replace("DANGLING", "create"), tmp_path, files, there=there)
    assert [(r.line, r.reason) for r in graph.rejected] == [
        (4, Reason.WRONG_LABEL),
        *[(n, Reason.WRONG_LABEL) for n in (5, 6)],
    ]
    assert graph.entities["x"].label == "M"  # the first that said so; then it can't be an N


def test_control_characters_and_lengths(tmp_path: Path) -> None:
    lines = [
        {"id": "a\u0007"},
        {"id": "b\0"},
        {"id": "c" * 2001},
        {"id": "d", "name": "x\0"},
        {"id": "e", "note": "\ud800"},
        {"id": "f", "name": "x" * 2001},
        {"id": "g", "name": "fine", "note": "line\nend", "aka": "\ud800"},
        {"id": "h", "aka": "x\0y"},
        {"id": "i", "name": "a\tb", "aka": "z" * 2001},
        {"id": "j"},
    ]
    rows = [tuple(line.get(key) for key in ("id", "name", "note", "aka")) for line in lines]
    from ingest.mapping_file import MappingFile
    from ingest.records import Records, Rejected
    from ingest.tables import fitted
    from ingest.validation import validated

    file = MappingFile.from_yaml(
        "sources: [{files: x, nodes: [{label: N, id: id, name: name, aliases: aka, properties: {note: note}}]}]"
    )
    mapping = fitted(file, file.sources[0], "x", ("id", "name", "note", "aka"), 4)
    records = Records("x", range(1, 11), [*zip(*rows, strict=True)], 10)
    rejected: list[Rejected] = []
    (block,) = validated([mapping.mapped(records)], rejected.append)
    assert [(r.line, r.reason) for r in rejected] == [
        (1, Reason.ID_CONTROL),
        (2, Reason.NUL),
        (3, Reason.ENTITY_TOO_LONG),
        (4, Reason.NUL),
        (5, Reason.NOT_UTF8),
        (6, Reason.ENTITY_TOO_LONG),
        (7, Reason.NOT_UTF8),
        (8, Reason.NUL),
        (9, Reason.ENTITY_TOO_LONG),
    ]
    assert all(r.fix for r in rejected)
    assert block.entities[0].ids == ["j"]


ids = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=3)


@given(
    st.lists(st.dictionaries(ids, st.binary(max_size=3), max_size=6), max_size=8),
    st.integers(1, 4),
    st.sets(ids, max_size=3),
)
def test_what_does_not_fit_in_memory_is_found_all_the_same(
    updates: list[dict[str, bytes]], held: int, dropped: set[str]
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(known, "HELD", held)
        spilled, plain = Spilled(), {}
        for update in updates:
            spilled.update(update)
            plain.update(update)
            assert spilled.get([*plain, "never there"]) == plain
        spilled.drop(dropped)
        assert spilled.get(plain) == {key: value for key, value in plain.items() if key not in dropped}
        spilled.close()


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    import tracemalloc

    monkeypatch.setattr(known, "HELD", 2000)
    peaks = []
    for blocks in (10, 60):
        tracemalloc.start()
        with Known() as nodes:
            for block in range(blocks):
                ids = [f"node/{block}/{n}" for n in range(1000)]
                assert not nodes.check(Mapped("x", 0, (EntityRows("x", [*range(1000)], "N", ids, merge=False),)))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]


def test_json_rows_with_nested_lists(tmp_path: Path) -> None:
    from ingest.mapping_file import MappingFile
    from ingest.records import Records
    from ingest.tables import fitted

    file = MappingFile.from_yaml(
        """
        sources:
          - files: x
            nodes: [{label: Film, id: id, properties: {city: place.city}}]
            relationships:
              - type: cast
                head: Film
                tail: {label: Person, id: "p/{cast.id}"}
                properties: {role: cast.role, year: {column: year, type: integer}}
                dangling: create
              - {type: tag, head: Film, tail: {label: Tag, key: tags}, dangling: create}
        """
    )
    header = ("id", "place", "cast", "tags", "year")
    rows = [
        json.loads(text)
        for text in (
            '[1, {"city": "Paris"}, [{"id": 7, "role": "A"}, {"id": null, "role": "B"}, {"id": 9}], ["x", "y"], 1999]',
            '["2", {}, [], null, null]',
            '[3.0, null, {"id": 7, "role": "C"}, "z", 2001]',
        )
    ]
    mapping = fitted(file, file.sources[0], "x", header, 5)
    block = mapping.mapped(Records("x", [1, 2, 3], [*zip(*rows, strict=True)], 3))
    assert not block.faults
    assert block.entities[0].ids == ["1", "2", "3"]
    assert block.entities[0].properties == {"city": ["Paris", None, None]}
    cast, tags = block.facts
    assert [*zip(cast.heads, cast.tails, cast.lines, cast.rows, strict=True)] == [
        ("1", "p/7", 1, 0),
        ("1", "p/9", 1, 0),
        ("3", "p/7", 3, 2),
    ]
    assert cast.properties == {"role": ["A", None, "C"], "year": [1999, 1999, 2001]}
    assert [*zip(tags.heads, tags.tails, strict=True)] == [("1", "x"), ("1", "y"), ("3", "z")]
