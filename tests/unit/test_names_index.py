"""The index of names: what a text finds and how, what a refresh does, and files that are none."""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph_schema import Batch, Entity, Fact, Schema, StoreError, StoreUnavailable, StoreVersionError
from graph_schema.text import name_key, tokens
from kgqa.names import How, NamesIndex, index_path, open_index
from kgqa.names.forms import forgiven
from kgqa.stores import open_store
from kgqa.stores.batches import name_keys

FILMS = (
    Entity("heat", "Heat", "Film"),
    Entity("matrix", "The Matrix", "Film"),
    Entity("reloaded", "The Matrix Reloaded", "Film"),
    Entity("rings", "The Lord of the Rings", "Film"),
    Entity("pulp", "Pulp Fiction", "Film"),
    Entity("leon", "Léon: The Professional", "Film", ("The Professional",)),
    Entity("spider", "Spider-Man", "Film"),
    Entity("up", "Up", "Film"),
    Entity("air", "Up in the Air", "Film"),
    Entity("1994", "1994", "Year"),
    Entity("1995", "1995", "Year"),
    Entity("cruise", "Tom Cruise", "Person"),
    Entity("hanks", "Tom Hanks", "Person"),
    Entity("spielberg", "Steven Spielberg", "Person"),
    Entity("crash1", "Crash", "Film"),
    Entity("crash2", "Crash", "Film"),
    Entity("kana", "東京物語", "Film"),
)


@pytest.fixture(scope="module")
def index() -> NamesIndex:
    made = NamesIndex()
    made.refresh(FILMS, "once")
    return made


def hits(index: NamesIndex, text: str) -> list[tuple[str, How]]:
    return [(hit.entity.id, hit.how) for hit in index.find(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Heat", [("heat", "exact")]),
        ("heat", [("heat", "normal")]),
        ("HEAT!", [("heat", "normal")]),
        ("leon the professional", [("leon", "normal")]),
        ("the professional", [("leon", "normal")]),
        ("matrix", [("matrix", "reordered")]),
        ("a matrix", [("matrix", "reordered")]),
        ("matrix, the", [("matrix", "reordered")]),
        ("Cruise, Tom", [("cruise", "reordered")]),
        ("lord of rings", [("rings", "reordered")]),
        ("spiderman", [("spider", "joined")]),
        ("spider man", [("spider", "normal")]),
        ("pulpfiction", [("pulp", "joined")]),
        ("Pul pFiction", [("pulp", "joined")]),
        ("Pulp Fction", [("pulp", "typo")]),
        ("pupl fictoin", [("pulp", "typo")]),
        ("Haet", [("heat", "typo")]),
        ("Teh Matrix", [("matrix", "typo")]),
        ("up in the aur", [("air", "typo")]),
        ("lotr", [("rings", "acronym")]),
        ("TLOTR", [("rings", "acronym")]),
        ("Cruise", [("cruise", "partial")]),
        ("Crusie", [("cruise", "partial")]),
        ("reloaded", [("reloaded", "partial")]),
        ("Crash", [("crash1", "exact"), ("crash2", "exact")]),
        ("東京物語", [("kana", "exact")]),
        # Edits beyond what is forgiven, in names as short as these, and in numbers.
        ("Hxxt", []),
        ("uq", []),
        ("1996", []),
        ("1994", [("1994", "exact")]),
        ("pxxp fixxion", []),
        ("", []),
        ("?!", []),
    ],
)
def test_how_names_are_found(index: NamesIndex, text: str, expected: list[tuple[str, How]]) -> None:
    assert hits(index, text) == expected


def test_a_partial_name_finds_the_one_of_which_it_is_the_most_first(index: NamesIndex) -> None:
    assert hits(index, "Tom") == [("hanks", "partial"), ("cruise", "partial")]


def test_better_matches_score_higher(index: NamesIndex) -> None:
    texts = ("Pulp Fiction", "pulp fiction", "fiction pulp", "pulpfiction", "pulp fction", "pulpp fction", "fiction")
    scores = [index.find(text)[0].score for text in texts]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == len(scores)
    assert scores[0] == 1.0
    assert [index.find(text)[0].edits for text in texts] == [0, 0, 0, 0, 1, 2, 0]


def test_hits_are_as_many_as_asked_for(index: NamesIndex) -> None:
    assert len(index.find("Crash", 1)) == 1
    assert index.find("Crash", 0) == ()
    assert [entity.id for entity in index.suggest("Pulp Fction")] == ["pulp"]


def test_an_entity_is_told_with_all_its_names(index: NamesIndex) -> None:
    (hit,) = index.find("the professional")
    assert hit.entity == FILMS[5]
    assert hit.name == "The Professional"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tom", ("Tom Hanks", "Tom Cruise")),
        ("tom cr", ("Tom Cruise",)),
        ("the m", ("The Matrix", "The Matrix Reloaded")),
        ("fic", ("Pulp Fiction",)),
        ("mat rel", ()),
        ("matrix rel", ("The Matrix Reloaded",)),
        ("zz", ()),
        ("", ()),
    ],
)
def test_names_are_completed(index: NamesIndex, text: str, expected: tuple[str, ...]) -> None:
    assert index.complete(text) == expected


def found_in(index: NamesIndex, text: str) -> dict[str, list[str]]:
    """Stretches of a text; every capitalised word after the first is doubted, and may be a part of a name."""
    doubted = [start > 0 and text[start].isupper() for start, _, _ in tokens(text)]
    return {
        text[stretch.start : stretch.end]: [hit.entity.id for hit in stretch.hits]
        for stretch in index.in_text(text, doubted, doubted)
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("who directed Pulp Fction?", {"Pulp Fction": ["pulp"]}),
        ("who directed pulp fction?", {"pulp fction": ["pulp"]}),
        ("who is in the matrx reloaded", {"the matrx reloaded": ["reloaded"]}),
        ("who starred in Spiderman", {"Spiderman": ["spider"]}),
        ("what are Spielberg's films", {"Spielberg": ["spielberg"]}),
        ("films with Tom Crusie in it", {"Tom Crusie": ["cruise"]}),
        ("who wrote LOTR", {"LOTR": ["rings"]}),
        ("who wrote lotr", {"lotr": ["rings"]}),
        ("is it up there in the air", {}),
        ("why is grass green", {}),
        ("", {}),
    ],
)
def test_names_in_a_text(index: NamesIndex, text: str, expected: dict[str, list[str]]) -> None:
    assert found_in(index, text) == expected


# ---- properties

LETTERS = st.text("abcdefghijklmnopqrstuvwxyz", min_size=2, max_size=9)
NAMES = st.lists(LETTERS, min_size=1, max_size=4).map(" ".join)
ANY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
ENTITIES = st.lists(
    st.builds(
        Entity,
        id=st.text("abc", min_size=1, max_size=2),
        name=st.one_of(NAMES, ANY),
        label=st.sampled_from(["Film", "Person"]),
        aliases=st.lists(st.one_of(NAMES, ANY), max_size=2).map(tuple),
    ),
    max_size=8,
    unique_by=lambda entity: entity.id,
)


@given(ENTITIES)
def test_look_ups_by_key_are_those_of_a_store(entities: list[Entity]) -> None:
    index = NamesIndex()
    index.refresh(entities)
    borne: dict[str, set[str]] = {}
    for entity in entities:
        for key in name_keys(entity):
            borne.setdefault(key, set()).add(entity.id)
    found = index.lookup([*borne, "nobody bears this", ""])
    assert {key: [entity.id for entity in bearers] for key, bearers in found.items()} == {
        key: sorted(ids) for key, ids in borne.items()
    }


@given(st.lists(ENTITIES, min_size=1, max_size=4), NAMES)
def test_a_refreshed_index_is_that_of_its_last_entities(states: list[list[Entity]], text: str) -> None:
    refreshed, fresh = NamesIndex(), NamesIndex()
    for number, entities in enumerate(states):
        before = {entity.id: entity for entity in states[number - 1]} if number else {}
        now = {entity.id: entity for entity in entities}
        done = refreshed.refresh(entities, str(number))
        assert done.added == len(now.keys() - before.keys())
        assert done.removed == len(before.keys() - now.keys())
        assert done.unchanged == sum(before.get(id_) == entity for id_, entity in now.items())
        assert done.changed == len(now) - done.added - done.unchanged
    fresh.refresh(states[-1])
    assert len(refreshed) == len(fresh)
    assert refreshed.mark == str(len(states) - 1)
    texts = [text, *(name for entity in states[-1] for name in (entity.name, *entity.aliases))]
    for asked in texts:
        assert refreshed.find(asked) == fresh.find(asked)
        assert refreshed.complete(asked) == fresh.complete(asked)
    assert refreshed.lookup(list(map(name_key, texts))) == fresh.lookup(list(map(name_key, texts)))


@given(NAMES.filter(lambda name: len(name) >= 6), st.data())
@settings(max_examples=200)
def test_a_name_with_one_letter_wrong_is_found(name: str, data: st.DataObject) -> None:
    """Of words that can be corrected, whichever letter it is, and whatever was done to it."""
    places = [at for at, letter in enumerate(name) if letter != " "]
    at = data.draw(st.sampled_from(places))
    letter = data.draw(st.sampled_from("abcxyz"))
    kind = data.draw(st.sampled_from(["left out", "doubled", "another", "swapped"]))
    spelt = {
        "left out": name[:at] + name[at + 1 :],
        "doubled": name[:at] + letter + name[at:],
        "another": name[:at] + letter + name[at + 1 :],
        "swapped": name[:at] + name[at + 1 : at + 2] + name[at] + name[at + 2 :],
    }[kind]
    # What is left of a word may be a single letter or an article, which is no word to correct.
    if any(len(word) < 2 or word in ("an", "the") for word in spelt.split() + name.split()):
        return
    index = NamesIndex()
    index.refresh([Entity("it", name), Entity("other", "qqqqqqqqqqqq")])
    assert forgiven(len(name.replace(" ", ""))) > 0
    assert [hit.entity.id for hit in index.find(spelt)] == ["it"]


@given(st.text(max_size=80), st.booleans())
def test_any_text_can_be_looked_into(text: str, doubt: bool) -> None:
    index = NamesIndex()
    index.refresh(FILMS)
    stretches = index.in_text(text, *[[doubt] * len(tokens(text))] * 2)
    for stretch in stretches:
        assert 0 <= stretch.start < stretch.end <= len(text)
        assert stretch.hits
    assert isinstance(index.find(text), tuple)


# ---- the file


def test_an_index_is_kept_in_its_file(tmp_path: Path) -> None:
    path = tmp_path / "names.db"
    first = NamesIndex(path)
    first.refresh(FILMS, "mark")
    assert first.path == path
    first.close()
    first.close()
    again = NamesIndex(path)
    assert again.mark == "mark"
    assert hits(again, "pulp fction") == [("pulp", "typo")]
    again.close()
    with pytest.raises(StoreError, match="was closed"):
        again.find("x")


def test_one_process_sees_what_another_has_refreshed(tmp_path: Path) -> None:
    reader, writer = NamesIndex(tmp_path / "names.db"), NamesIndex(tmp_path / "names.db")
    writer.refresh(FILMS)
    assert hits(reader, "pulp fction") == [("pulp", "typo")]
    writer.refresh([Entity("new", "Pulp Function")])
    assert hits(reader, "pulp fnction") == [("new", "typo")]
    reader.close()
    writer.close()


def test_a_refresh_that_fails_leaves_the_index_as_it_was(tmp_path: Path) -> None:
    index = NamesIndex(tmp_path / "names.db")
    index.refresh(FILMS, "whole")

    def broken() -> object:
        yield Entity("a", "Another Name")
        raise ValueError("the store went away")

    with pytest.raises(ValueError, match="went away"):
        index.refresh(broken(), "half")  # type: ignore[arg-type]
    assert index.mark == "whole"
    assert hits(index, "Another Name") == []
    assert hits(index, "Pulp Fiction") == [("pulp", "exact")]
    index.close()


def test_several_threads_ask_at_once(index: NamesIndex) -> None:
    wrong: list[object] = []

    def ask() -> None:
        for _ in range(50):
            found = hits(index, "pulp fction")
            if found != [("pulp", "typo")]:
                wrong.append(found)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_what_is_no_index_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a database at all, but long enough for a header\n" * 100, "utf-8")
    with pytest.raises(StoreVersionError, match="no index of names"):
        NamesIndex(tmp_path / "text")
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("CREATE TABLE mine (x)")
    other.commit()
    other.close()
    with pytest.raises(StoreVersionError, match="no index of names"):
        NamesIndex(tmp_path / "other.db")
    assert sqlite3.connect(tmp_path / "other.db").execute("SELECT count(*) FROM mine").fetchone() == (0,)
    NamesIndex(tmp_path / "old.db").close()
    old = sqlite3.connect(tmp_path / "old.db")
    old.execute("PRAGMA user_version = 99")
    old.close()
    with pytest.raises(StoreVersionError, match="another version"):
        NamesIndex(tmp_path / "old.db")
    with pytest.raises(StoreUnavailable):
        NamesIndex(tmp_path / "nowhere" / "names.db")


# ---- which index belongs to which store


def test_a_stores_index_is_made_once_and_follows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'films.db'}", create=True)
    store.migrate(Schema())
    store.write(Batch([], [Fact("Pulp Fiction", "r", "x")]))
    first = open_index(store)
    assert first.path == tmp_path / "films.db.names"
    assert hits(first, "pulp fction") == [("Pulp Fiction", "typo")]
    first.close()

    def refuse(*_: object) -> None:
        raise AssertionError("nothing has changed")

    with monkeypatch.context() as patched:
        patched.setattr(NamesIndex, "refresh", refuse)
        open_index(store).close()
    store.write(Batch([], [Fact("Heat Wave", "r", "x")]))
    again = open_index(store)
    assert hits(again, "heat wav") == [("Heat Wave", "typo")]
    monkeypatch.setattr("kgqa.names.keeping.AT_ONCE", 0)
    store.write(Batch([], [Fact("Another Name", "r", "x")]))
    stale = open_index(store)
    until = time.monotonic() + 30
    while hits(stale, "Anothr Name") == []:  # refreshed in the background
        assert time.monotonic() < until
        time.sleep(0.02)
    for index in (again, stale):
        index.close()
    store.close()


def test_where_nothing_can_be_written_the_index_is_in_memory(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'films.db'}", create=True)
    store.migrate(Schema())
    store.write(Batch([], [Fact("Pulp Fiction", "r", "x")]))
    (tmp_path / "file").touch()
    index = open_index(store, tmp_path / "file" / "names.db")
    assert index.path is None
    assert hits(index, "pulp fction") == [("Pulp Fiction", "typo")]
    store.close()


def test_other_stores_have_theirs_in_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    one, other = index_path("neo4j://one:7687"), index_path("neo4j://other:7687")
    assert one != other
    assert one.parent == tmp_path / "kgqa" / "names"
    assert index_path("sqlite:////data/a%20b.db") == Path("/data/a b.db.names")
