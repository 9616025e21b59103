"""Relations of nearly the same name: a text means the one that it writes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_schema import Schema
from kgqa.linking.named import NamedRelations

MUSIC = ["music.release", "releases", "song", "track", "tracks", "track_list", "release_date", "album_track"]


def pairs(*relations: str) -> set[tuple[str, str]]:
    return {(relations[x], relations[y]) for x, y in NamedRelations(Schema(), relations).over}


def test_names_that_differ_in_number_alone_or_are_part_of_others_go_together() -> None:
    assert pairs("release", "releases", "song") == {("release", "releases"), ("releases", "release")}
    assert pairs("track", "tracks", "track_list") == {
        ("track", "tracks"), ("tracks", "track"), ("track_list", "track"), ("track_list", "tracks"),
    }  # fmt: skip
    assert pairs("release date", "date", "date of birth") == {("release date", "date"), ("date of birth", "date")}


def test_names_that_share_a_word_or_are_the_same_in_words_dont() -> None:
    assert pairs("written_by", "directed_by", "has_genre", "genre_of_song") == set()
    assert pairs("album track", "album_track", "ALBUM_TRACK") == set()
    assert pairs() == pairs("") == pairs("", "_") == set()


def test_what_stands_apart_in_another_name_is_no_part_of_it() -> None:
    assert pairs("place of birth", "place birth") == set()


def test_words_of_the_schema_count() -> None:
    schema = Schema.from_yaml("{relations: {R1: {words: release}, R2: {words: releases}}}")
    assert NamedRelations(schema, ["R1", "R2"]).over == [(0, 1), (1, 0)]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("what is the release of [MASK]'s song?", ["music.release"]),
        ("what are the Releases of [MASK]", ["releases"]),
        ("the releases of the release of [MASK]", ["music.release", "releases"]),
        ("what is the track of [MASK] 's track_list ?", ["track", "track_list"]),
        ("what is on the track list of [MASK]", ["track_list"]),
        ("the release date of [MASK]", ["release_date"]),
        ("the release, date of [MASK]", ["release_date"]),
        ("which song is by [MASK]", []),  # no other is called nearly so
        ("who released [MASK]", []),
        ("", []),
        ("track [MASK] list [UNK] tracks", ["track", "tracks"]),
    ],
)
def test_a_text_names_what_it_writes_the_longest_name_first(text: str, named: list[str]) -> None:
    schema = Schema.from_yaml("{relations: {music.release: {words: release}}}")
    assert [MUSIC[at] for at in NamedRelations(schema, MUSIC)(text)] == named


def test_of_very_many_relations_none_go_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kgqa.linking.named.MOST_RELATIONS", 1)
    assert pairs("release", "releases") == set()
    assert NamedRelations(Schema(), ["release", "releases"])("release") == []


@given(st.lists(st.text(max_size=12), max_size=8, unique=True), st.text(max_size=40))
def test_any_names_and_any_text(relations: list[str], text: str) -> None:
    named = NamedRelations(Schema(), relations)
    assert all(0 <= x < len(relations) and 0 <= y < len(relations) and x != y for x, y in named.over)
    assert len(set(named.over)) == len(named.over)
    assert set(named(text)) <= {x for pair in named.over for x in pair}
