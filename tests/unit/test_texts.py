"""Columns of texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_schema.texts import Texts, distinct

LISTS = st.lists(st.text(st.characters(codec="utf-8"), max_size=6), max_size=8)


@given(LISTS, st.integers(0, 8), st.integers(0, 8))
def test_it_reads_like_a_list(texts: list[str], start: int, end: int) -> None:
    column = Texts.of(texts)
    assert [*column] == texts
    assert column == texts
    assert len(column) == len(texts)
    assert [column[place] for place in range(len(texts))] == texts
    assert [*column[start:end]] == texts[start:end]
    assert distinct(column) == distinct(texts) == {*texts}
    assert Texts.joined([column[start:], column]) == texts[start:] + texts


@given(LISTS, st.integers(0, 8))
def test_all_are_worked_on_at_once(texts: list[str], start: int) -> None:
    column, rest = Texts.of(texts)[start:], texts[start:]
    assert column.stripped() == [text.strip() for text in rest]
    assert column.between("<", "é") == [f"<{text}é" for text in rest]
    assert column.between("", "") == rest
    words, which = column.distinct()
    assert [words[place] for place in which.tolist()] == rest
    characters, ends = column.bytes()
    parts = zip(ends.tolist(), ends.tolist()[1:], strict=False)
    assert [characters[low:high].tobytes().decode() for low, high in parts] == rest
    for asked in ({""}, {"", "a"}, {"0"}, set[str]()):
        assert column.has_any(asked) == (not asked.isdisjoint(rest))


@pytest.mark.parametrize("space", [" ", "\t", "\x1c", "\x85", "\xa0", "\u2003", "\u3000", "\ufeff", "\u200b"])
def test_white_space_is_what_str_says(space: str) -> None:
    for text in (f"{space}a", f"a{space}", f"a{space}b", space):
        assert Texts.of(["x", text]).stripped() == ["x", text.strip()]


def test_half_a_surrogate_pair() -> None:
    with pytest.raises(UnicodeEncodeError):
        Texts.of(["\ud800"])
