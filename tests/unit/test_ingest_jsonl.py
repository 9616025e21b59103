"""JSON lines: every object a row, whatever keys it has; every other line set aside."""

from __future__ import annotations

import io
import json
import random
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_schema import Fact, InputError
from ingest import LoadOptions, Reason, Rejected, Source, jsonl, lines, load
from tests.unit.ingest_helpers import MemoryWriter, load_bytes, read_rows
from tests.unit.test_ingest_rejects import Endless

JSONL = LoadOptions(format="jsonl")
FACTS = {Fact("Kismet", "directed_by", "William Dieterle"), Fact("$", "has_tags", "bd-r")}

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(
    st.characters(exclude_categories=["Cs"])
)  # fmt: skip
keys = st.text(st.characters(exclude_categories=["Cs"]).filter(lambda c: c != "."), max_size=5)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3), max_leaves=5)
objects = st.dictionaries(keys, values | st.dictionaries(keys, values, max_size=3), max_size=5)


def flat(row: dict[str, object]) -> dict[str, object]:
    """The same by a plain way."""
    out: dict[str, object] = {}
    for key, value in row.items():
        if isinstance(value, dict):
            out |= {f"{key}.{inner}": one for inner, one in value.items()}
        else:
            out[key] = value
    return {key: value for key, value in out.items() if value is not None}


@given(st.lists(objects, max_size=12), st.integers(1, 200), st.booleans())
def test_any_objects_come_back_the_same(rows: list[dict[str, object]], block: int, ascii_: bool) -> None:
    content = "\n".join(json.dumps(row, ensure_ascii=ascii_) for row in rows).encode()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(lines, "BLOCK", block)
        _, found, rejected = read_rows(content or b"\n{}", JSONL)
    assert found == list(enumerate(map(flat, rows), 1)) or (not rows and found in ([], [(2, {})]))
    assert not rejected


def test_columns_come_as_they_are_found_and_keep_their_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "BLOCK", 20)
    content = b'{"a":1,"b":2}\n{"b":3}\n{"c":{"d":4},"a":5}\n{"b":[1,{"x":2}]}\n'
    table, rows, _ = read_rows(content, JSONL)
    assert table.header == ("a", "b")
    assert rows == [(1, {"a": 1, "b": 2}), (2, {"b": 3}), (3, {"a": 5, "c.d": 4}), (4, {"b": [1, {"x": 2}]})]


def test_needed_columns_are_there_from_the_start_and_left_nested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "BLOCK", 20)
    content = b'{"a":1,"z.z":2,"other":0}\n{"late":3}\n{"cast":[{"id":1},{"id":2}],"z.z":4}\n{"cast":{"id":5}}\n'
    options = LoadOptions(format="jsonl", needed=("late", "a", "cast.id", "z.z"))
    table, rows, rejected = read_rows(content, options)
    assert table.header == ("late", "a", "cast", "z.z")
    assert [row for _, row in rows] == [
        {"a": 1, "z.z": 2},
        {"late": 3},
        {"cast": [{"id": 1}, {"id": 2}], "z.z": 4},
        {"cast": {"id": 5}},
    ]
    assert not rejected
    assert not table.notes
    options = LoadOptions(format="jsonl", needed=("a", "never", "not.that"))
    assert read_rows(content, options)[0].notes == ["rows: no line has a key 'never', 'not'"]


BAD_LINES = [
    (b'{"a": 1', Reason.BAD_JSON, "Expecting ',' delimiter at character 8"),
    (b"nothing", Reason.BAD_JSON, "Expecting value at character 1"),
    (b"[1, 2]", Reason.BAD_JSON, "not an object"),
    (b"7", Reason.BAD_JSON, "not an object"),
    (b'{"a": 1} {"b": 2}', Reason.BAD_JSON, "something after the value, from character 9"),
    (b'{"a": 1},', Reason.BAD_JSON, "something after the value, from character 9"),
    (b'{"a": 1, "a": 2}', Reason.BAD_JSON, "the key 'a' twice"),
    (b'{"b": {"a": 1, "a": 2}}', Reason.BAD_JSON, "the key 'a' twice"),
    (b'{"a.b": 1, "a": {"b": 2}}', Reason.BAD_JSON, "the key 'a.b' twice"),
    (b'{"a": NaN}', Reason.BAD_JSON, "NaN isn't JSON"),
    (b'{"a": -Infinity}', Reason.BAD_JSON, "-Infinity isn't JSON"),
    (b'{"a": 1e999}', Reason.BAD_JSON, "1e999 is too large a number"),
    (
        b'{"a": ' + b"9" * 5000 + b"}",
        Reason.BAD_JSON,
        "Exceeds the limit (4300 digits) for integer string conversion: value has 5000 digits",
    ),
    (b'{"a": "\\ud800"}', Reason.BAD_JSON, "half of a surrogate pair"),
    (b'{"a": ' + b"[" * 70 + b"]" * 70 + b"}", Reason.BAD_JSON, "nested deeper than 64"),
    (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", Reason.BAD_JSON, "nested deeper than 64"),
    (b'{"a": "x\ty"}', Reason.BAD_JSON, "Invalid control character at character 9"),
    (b'{"a": "x\x00y"}', Reason.BAD_JSON, "Invalid control character at character 9"),
    (b'{"a": "caf\xe9"}', Reason.NOT_UTF8, "byte 0xe9 at 11"),
    (b'{"a": "' + b"x" * lines.MAX_LINE + b'"}', Reason.LINE_TOO_LONG, "more than 1,048,576 bytes"),
]


@pytest.mark.parametrize(("bad", "reason", "detail"), BAD_LINES, ids=lambda value: repr(value)[:20])
def test_a_bad_line_is_named_and_set_aside(bad: bytes, reason: Reason, detail: str) -> None:
    _, rows, rejected = read_rows(b'{"x":1}\n' + bad + b'\n\n \r\n{"x":2}\n', JSONL, name="kb.jsonl")
    assert rows == [(1, {"x": 1}), (5, {"x": 2})]
    assert [(r.source, r.line, r.reason, r.detail) for r in rejected] == [("kb.jsonl", 2, reason, detail)]
    assert bad.decode("utf-8", "backslashreplace")[:60_000].startswith(rejected[0].row[:60_000])


SHORT = [place for place, (line, _, _) in enumerate(BAD_LINES) if len(line) < 300]


@given(st.lists(st.sampled_from([*SHORT, None]), max_size=12), st.integers(8, 300))
def test_any_mixture_of_good_and_bad_lines_is_counted_exactly(kinds: list[int | None], block: int) -> None:
    written = [b'{"n": %d}' % place if kind is None else BAD_LINES[kind][0] for place, kind in enumerate(kinds)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(lines, "BLOCK", block)
        _, rows, rejected = read_rows(b"\r\n".join([b"{}", *written]), JSONL)
    assert rows[1:] == [(place + 2, {"n": place}) for place, kind in enumerate(kinds) if kind is None]
    assert {r.line: r.reason for r in rejected} == {
        place + 2: BAD_LINES[kind][1] for place, kind in enumerate(kinds) if kind is not None
    }


def test_pairs_of_surrogates_are_characters() -> None:
    assert read_rows(b'{"a": "\\ud83d\\ude00"}', JSONL)[1] == [(1, {"a": "\U0001f600"})]


def test_more_columns_than_can_be_are_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "MAX_COLUMNS", 3)
    _, rows, rejected = read_rows(b'{"a":1,"b":1}\n{"c":1,"a":1}\n{"d":1}\n{"a":2}\n', JSONL)
    assert [line for line, _ in rows] == [1, 2, 4]
    assert [(r.line, r.reason) for r in rejected] == [(3, Reason.FIELD_COUNT)]


def test_keys_that_are_cypher_are_names_like_others() -> None:
    key = "x`: 1}) DETACH DELETE n //"
    table, rows, _ = read_rows(json.dumps({key: 1, "\0": 2, "": 3}).encode(), JSONL)
    assert rows == [(1, {key: 1, "\0": 2, "": 3})]
    assert table.header == (key, "\0", "")


def test_facts_by_the_names_of_their_keys() -> None:
    objects = [
        {"tail": "William Dieterle", "score": 1, "Subject": "Kismet", "predicate": "directed_by"},
        {"Subject": "$", "predicate": "has_tags", "tail": "bd-r", "more": [1]},
    ]
    content = "\n".join(map(json.dumps, objects)).encode()
    facts, report = load_bytes(content)
    assert facts == FACTS
    assert report.files[0].format == "jsonl"
    assert load_bytes(content, LoadOptions(columns=("Subject", "predicate", "tail")))[0] == FACTS
    with pytest.raises(InputError, match=r"don't say which .* head, relation and tail. .*it has 'a', 'b', 'c'"):
        load_bytes(b'{"a": 1, "b": 2, "c": 3}\n')


def test_ids_of_mixed_types_are_one_id() -> None:
    content = b"".join(
        b'{"head": %s, "relation": "r", "tail": %s}\n' % pair
        for pair in ((b"1", b'"x"'), (b'"1"', b"true"), (b"1.0", b"2.5"))
    )
    assert load_bytes(content)[0] == {Fact("1", "r", "x"), Fact("1", "r", "true"), Fact("1", "r", "2.5")}


def test_a_list_is_no_entity() -> None:
    content = b'{"head": ["a"], "relation": "r", "tail": 1}\n{"head": 1, "relation": "r", "tail": 2}\n'
    facts, report = load_bytes(content)
    assert facts == {Fact("1", "r", "2")}
    assert report.files[0].examples == {Reason.NESTED: ("facts:1: nested value: the head is a list, not one value",)}


def test_a_missing_key_is_an_empty_field() -> None:
    facts, report = load_bytes(
        b'{"s": "a", "p": "r", "o": "b"}\n{"s": "a", "p": "r"}\n', LoadOptions(columns=("s", "p", "o"))
    )
    assert facts == {Fact("a", "r", "b")}
    assert report.rejected == {Reason.EMPTY_FIELD: 1}


@pytest.mark.parametrize("content", [b'[{"a": 1}]', b'[\n{"a": 1},\n{"a": 2}]', b'{\n  "a": 1\n}'])
def test_json_that_is_not_lines_is_refused(content: bytes) -> None:
    with pytest.raises(InputError, match=r"is one JSON (array|document), not one object a line\. .*jq -c"):
        load_bytes(content, name="x.json")


def test_an_endless_line_takes_no_memory() -> None:
    writer = MemoryWriter()
    endless: Any = Endless(1 << 30, after=b'\n{"head": "a", "relation": "r", "tail": "b"}\n')
    tracemalloc.start()
    try:
        report = load(
            [Source("endless.jsonl", stream=endless)], writer, options=LoadOptions(columns=("head", "relation", "tail"))
        )
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert writer.facts == {Fact("a", "r", "b")}
    assert report.rejected == {Reason.LINE_TOO_LONG: 1}
    assert peak < 16_000_000


def test_memory_does_not_grow_with_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "BLOCK", 8192)
    rng = random.Random(3)
    rejected: list[Rejected] = []
    peaks = []
    for times in (2_000, 12_000):
        content = b"".join(
            b'{"head":"%d","relation":"r","tail":"%d"}\n' % (rng.getrandbits(60), i) for i in range(times)
        )
        tracemalloc.start()
        try:
            with Source("x", stream=io.BytesIO(content)).open() as stream:
                for _ in jsonl.read_jsonl(stream, JSONL, rejected.append).records:
                    pass
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]
