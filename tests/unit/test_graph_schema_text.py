"""Names and relations as text."""

from __future__ import annotations

import doctest
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_schema import text
from graph_schema.text import fold, name_key, relation_words, tokens

names = st.text(st.characters(exclude_categories=["Cs"]))


def test_the_examples_in_the_docstrings() -> None:
    assert doctest.testmod(text) == (0, 2)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("  Léon:  The Professional ", "leon the professional"),
        ("LEON — the professional!", "leon the professional"),
        ("Straße", "strasse"),
        ("ﬁn", "fin"),
        ("$", "$"),
        ("...", "..."),
        ("M*A*S*H", "m a s h"),
        ("千と千尋", "千と千尋"),
        ("", ""),
        ("  ", ""),
    ],
)
def test_name_keys(name: str, key: str) -> None:
    assert name_key(name) == key


@given(names)
def test_only_blank_names_have_an_empty_key(name: str) -> None:
    assert bool(name_key(name)) == bool(fold(name).strip())


@given(names)
def test_space_around_and_case_do_not_count(name: str) -> None:
    assert name_key(f" \t{name}  ") == name_key(name)
    assert name_key(fold(name)) == name_key(name)


@given(names)
def test_a_key_is_its_own_key(name: str) -> None:
    assert name_key(name_key(name)) == name_key(name)


@given(names)
def test_tokens_lie_in_the_text_in_order(name: str) -> None:
    found = tokens(name)
    assert all(0 <= start < end <= len(name) for start, end, _ in found)
    assert all(left[1] <= right[0] for left, right in pairwise(found))
    assert all(fold(name[start:end]) == word for start, end, word in found)


@given(st.lists(st.sampled_from(["Léon", "the", "Straße", "11", "M*A*S*H", "it's", "Ω", "x,", "(y)"]), min_size=1))
def test_the_key_of_a_span_is_its_tokens_joined(words: list[str]) -> None:
    sentence = "  ".join(words)
    found = tokens(sentence)
    for first in range(len(found)):
        for last in range(first, len(found)):
            span = sentence[found[first][0] : found[last][1]]
            assert name_key(span) == " ".join(word for _, _, word in found[first : last + 1])


def test_symbols_that_stand_alone_are_tokens() -> None:
    assert tokens("who made $ ?") == [(0, 3, "who"), (4, 8, "made"), (9, 10, "$"), (11, 12, "?")]
    assert tokens("the end.") == [(0, 3, "the"), (4, 7, "end")]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("directed_by", "directed by"),
        ("DIRECTED_BY", "directed by"),
        ("directedBy", "directed by"),
        ("hasURLPath", "has url path"),
        ("has-tag", "has tag"),
        ("http://example.org/ns#bornIn", "born in"),
        ("http://example.org/bornIn/", "born in"),
        ("people.person.place_of_birth", "place of birth"),
        ("ns0__directedBy", "directed by"),
        ("__music__release_track__release", "release"),
        ("music__", "music"),
        ("/", "/"),
        ("__", "__"),
        ("_", "_"),
    ],
)
def test_relations_as_words(name: str, words: str) -> None:
    assert relation_words(name) == words


@given(names.filter(bool))
def test_every_relation_can_be_said(name: str) -> None:
    assert relation_words(name)
