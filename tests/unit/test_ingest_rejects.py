"""Bad lines: each set aside with its file and line number, the good ones around it loaded."""

from __future__ import annotations

import io
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_schema import Fact, InputError, TooManyRejects
from ingest import LoadOptions, Reason, Rejected, Source, delimited, lines, load
from ingest.dialect import DELIMITERS
from tests.unit.ingest_helpers import MemoryWriter, load_bytes

GOOD = {Fact("a", "r", "b"), Fact("c", "r", "d")}

BAD_LINES = [
    (b"a|r", Reason.FIELD_COUNT, "2, not 3"),
    (b"no delimiter", Reason.FIELD_COUNT, "1, not 3"),
    (b"a|r|b|c", Reason.FIELD_COUNT, "4, not 3"),
    (b'"a|r|b|c', Reason.FIELD_COUNT, "4, not 3"),
    (b"|r|b", Reason.EMPTY_FIELD, "no head"),
    (b"a| |b", Reason.EMPTY_FIELD, "no relation"),
    (b"a|r|\xc2\xa0", Reason.EMPTY_FIELD, "no tail"),
    (b"||", Reason.EMPTY_FIELD, "no head"),
    (b"caf\xe9|r|b", Reason.NOT_UTF8, "byte 0xe9 at 4"),
    (b"a\x00b|r|b", Reason.NUL, "in the head"),
    (b"a|r\x00|b", Reason.NUL, "in the relation"),
    (b"x" * 2001 + b"|r|b", Reason.ENTITY_TOO_LONG, "the head has 2,001 characters, 2,000 are allowed"),
    (b"a|r|" + b"x" * 2001, Reason.ENTITY_TOO_LONG, "the tail has 2,001 characters, 2,000 are allowed"),
    (b"a|" + b"x" * 501 + b"|b", Reason.RELATION_TOO_LONG, "the relation has 501 characters, 500 are allowed"),
    (b"a|r\x07x|b", Reason.RELATION_CONTROL, "U+0007"),
    (b"a|r\xc2\x85x|b", Reason.RELATION_CONTROL, "U+0085"),
    (b"x" * (lines.MAX_LINE + 1), Reason.LINE_TOO_LONG, "more than 1,048,576 bytes"),
]


@pytest.mark.parametrize(("bad", "reason", "detail"), BAD_LINES, ids=lambda value: repr(value)[:20])
def test_a_bad_line_is_named_and_set_aside(bad: bytes, reason: Reason, detail: str) -> None:
    seen: list[Rejected] = []
    facts, report = load_bytes(
        b"a|r|b\n" + bad + b"\nc|r|d\n", LoadOptions(format="pipe", rejects=seen.append), name="kb.txt"
    )
    assert facts == GOOD
    assert [(r.source, r.line, r.reason, r.detail) for r in seen] == [("kb.txt", 2, reason, detail)]
    assert seen[0].row
    assert report.lines == 3
    assert report.facts == 2
    assert report.rejected == {reason: 1}
    assert report.rejected_lines == 1
    assert report.files[0].examples == {reason: (f"kb.txt:2: {reason}: {detail}",)}


def test_what_is_just_within_the_limits_is_loaded() -> None:
    fact = Fact("x" * 2000, "r" * 500, "é" * 2000)
    facts, report = load_bytes(f"{fact.head}|{fact.relation}|{fact.tail}\n".encode())
    assert facts == {fact}
    assert not report.rejected
    assert load_bytes(b"a|of\tkind|b\n", LoadOptions(format="pipe"))[0] == {Fact("a", "of\tkind", "b")}


@given(st.lists(st.sampled_from([*range(len(BAD_LINES) - 1), None]), max_size=12), st.integers(8, 80))
def test_any_mixture_of_good_and_bad_lines_is_counted_exactly(kinds: list[int | None], block: int) -> None:
    written = [f"n{i}|r|m".encode() if kind is None else BAD_LINES[kind][0] for i, kind in enumerate(kinds)]
    expected = {i + 2: BAD_LINES[kind][1] for i, kind in enumerate(kinds) if kind is not None}
    seen: list[Rejected] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(lines, "BLOCK", block)
        facts, report = load_bytes(
            b"first|r|m\n" + b"\n".join(written), LoadOptions(format="pipe", header="no", rejects=seen.append)
        )
    assert facts == {Fact("first", "r", "m")} | {
        Fact(f"n{i}", "r", "m") for i, kind in enumerate(kinds) if kind is None
    }
    assert {rejected.line: rejected.reason for rejected in seen} == expected
    assert report.lines == report.facts + report.rejected_lines == len(kinds) + 1


@pytest.mark.parametrize("stray", [b'"a,r,b', b'"a"x,r,b', b'a,"r,b', b'"a"",r,b'])
@pytest.mark.parametrize("after", [b"c,r,d\n", b'c,r,"d"\n', b'c,r,d\n"x",r,"y"\n', b"c,r,d\n" * 9000])
def test_a_stray_quote_in_csv_costs_its_own_line_only(stray: bytes, after: bytes) -> None:
    seen: list[Rejected] = []
    facts, report = load_bytes(b"a,r,b\n" + stray + b"\n" + after, LoadOptions(format="csv", rejects=seen.append))
    assert facts >= GOOD
    assert [(r.line, r.reason) for r in seen] == [(2, Reason.QUOTING)]
    assert report.facts == 1 + after.count(b"\n")


def test_two_stray_quotes_swallow_nothing_between_them() -> None:
    between = b"".join(b"n%d,r,m\n" % i for i in range(1000))
    facts, report = load_bytes(b'"x,r,b\n' + between + b'y",r,b\n', LoadOptions(format="csv"))
    assert {Fact(f"n{i}", "r", "m") for i in range(1000)} <= facts
    assert report.rejected == {Reason.QUOTING: 1}


def test_a_quoted_field_longer_than_any_record_is_set_aside() -> None:
    _, report = load_bytes(b'a,r,b\n"' + b"x" * (delimited.MAX_RECORD + 1) + b'",r,b\n', LoadOptions(format="csv"))
    assert report.rejected == {Reason.QUOTING: 1}


class Endless(io.RawIOBase):
    """One line of ``size`` bytes between two others, without ever holding them.

    Args:
        fill: what the line consists of, over and over.
    """

    def __init__(self, size: int, fill: bytes = b"x", before: bytes = b"", after: bytes = b"\na|r|b\n") -> None:
        self._fill = fill * (1_048_576 // len(fill))
        self._left, self._before, self._after = size, before, after

    def read(self, size: int = -1) -> bytes:
        if self._before:
            block, self._before = self._before[:size], self._before[size:]
            return block
        if self._left:
            count = min(size, self._left, len(self._fill))
            self._left -= count
            return self._fill[:count]
        block, self._after = self._after[:size], self._after[size:]
        return block


@pytest.mark.parametrize(
    ("name", "mark", "fill"),
    [
        ("x.csv", b",", b"x"),
        ("x.csv", b",", b","),
        ("x.csv", b",", b'"'),
        ("x.csv", b",", b'a,r,"b'),
        ("x.tsv", b"\t", b"\t"),
        ("x.tsv", b"\t", b"caf\xe9 \x00\r\t..."),
        ("x.txt", b"|", b'"a"|'),
    ],
)
@pytest.mark.parametrize("first", [True, False], ids=["first", "in the middle"])
def test_a_line_of_one_gigabyte_takes_no_memory(name: str, mark: bytes, fill: bytes, first: bool) -> None:
    before, after = (mark.join(fields) + b"\n" for fields in ([b"a", b"r", b"b"], [b"c", b"r", b"d"]))
    endless: Any = Endless(1 << 30, fill, b"" if first else before, b"\n" + (before if first else b"") + after)
    writer = MemoryWriter()
    seen: list[Rejected] = []
    tracemalloc.start()
    try:
        report = load([Source(name, stream=endless)], writer, options=LoadOptions(rejects=seen.append))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert writer.facts == GOOD
    assert [(one.line, one.reason) for one in seen] == [(1 if first else 2, Reason.LINE_TOO_LONG)]
    assert report.lines == 3
    assert peak < 32_000_000


@pytest.mark.parametrize("fill", [b"x", b'"', b","])
def test_nothing_but_a_line_of_one_gigabyte_is_one_clear_error(fill: bytes) -> None:
    endless: Any = Endless(1 << 30, fill, after=b"")
    with pytest.raises(InputError, match=r"of 1 line none can be read as a fact .*line too long"):
        load([Source("x.csv", stream=endless)], MemoryWriter())


@pytest.mark.parametrize("extra", [-1, 0, 1, 2])
@pytest.mark.parametrize("newline", [b"\n", b""])
def test_the_limit_of_a_line_does_not_depend_on_blocks(
    extra: int, newline: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "MAX_LINE", 100)
    outcomes = set()
    for block in range(1, 101):
        monkeypatch.setattr(lines, "BLOCK", block)
        _, report = load_bytes(b"a|r|b\na|r|" + b"x" * (96 + extra) + newline, LoadOptions(format="pipe"))
        outcomes.add((report.facts, report.rejected_lines, report.lines))
    assert outcomes == ({(2, 0, 2)} if extra <= 0 else {(1, 1, 2)})


def test_only_the_first_examples_are_kept() -> None:
    _, report = load_bytes(b"a|r|b\n" + b"bad\n" * 100, LoadOptions(examples=3))
    assert report.rejected == {Reason.FIELD_COUNT: 100}
    assert [e.split(":")[1] for e in report.files[0].examples[Reason.FIELD_COUNT]] == ["2", "3", "4"]


def test_too_many_bad_lines_end_the_load() -> None:
    writer = MemoryWriter()
    content = b"a|r|b\n" + b"bad\n" * 3
    with pytest.raises(TooManyRejects, match="kb:4: more than 2 bad lines") as caught:
        load([Source("kb", stream=io.BytesIO(content))], writer, options=LoadOptions(max_errors=2))
    assert "load again" in str(caught.value)
    assert writer.calls == []
    assert load_bytes(content, LoadOptions(max_errors=3))[1].rejected_lines == 3


@pytest.mark.parametrize(
    ("content", "fix"),
    [
        (b"just prose\nand more\n", "say the three columns"),
        (b"a|b|c|d\ne|f|g|h\n", "what all mean in a mapping (--mapping; --suggest proposes one)"),
        (b"\xe9|r|b\ncaf\xe9 caf\xe9 caf\xe9|r|b\n", "iconv"),
        (b"x" * 3_000_000, "say the three columns"),
        (b"head|relation|tail\n||\n", "say the three columns"),
    ],
)
def test_a_file_without_one_usable_line_is_an_error(content: bytes, fix: str) -> None:
    with pytest.raises(InputError, match=r"facts: of [12] lines? none can be read as a fact \(facts:[12]: ") as caught:
        load_bytes(content)
    assert fix in caught.value.fix


@pytest.mark.parametrize("name", ["csv", "pipe", "tsv"])
@given(
    st.lists(
        st.sampled_from([*'abr,|\t"\n', "\r\n", "\r", "a,r,b\n", 'a|r|b\n"', "a\tr\tb\n", "é", "\0", " "]), max_size=40
    )
)
def test_junk_gives_the_same_facts_and_rejects_however_it_is_cut(name: Any, parts: list[str]) -> None:
    long_enough = "x" * 200  # that the junk doesn't make the file look binary
    content = f"{long_enough}{DELIMITERS[name]}r{DELIMITERS[name]}y\n{''.join(parts)}".encode()
    outcomes = []
    for block in (1, 3, 7, 1000):
        seen: list[Rejected] = []
        quoting: Any = "yes" if name == "csv" else "no"
        options = LoadOptions(format=name, header="no", quoting=quoting, rejects=seen.append)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(lines, "BLOCK", block)
            facts, report = load_bytes(content, options)
        assert report.created == len(facts)
        assert report.lines == content.count(b"\n") + (not content.endswith(b"\n"))
        outcomes.append((facts, sorted(seen, key=lambda rejected: rejected.line), report.facts))
    assert all(outcome == outcomes[0] for outcome in outcomes)
