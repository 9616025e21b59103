"""Choosing a store by URL, and what is said when there is none at it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from graph_schema import (
    Batch,
    ConfigError,
    Fact,
    Schema,
    StoreError,
    StoreUnavailable,
    StoreVersionError,
)
from kgqa.stores import open_store, without_password


def test_relative_and_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store("sqlite:///my%20films.db", create=True)
    store.write(Batch(facts=[Fact("a", "r", "b")]))
    store.close()
    again = open_store(f"sqlite:///{tmp_path}/my films.db")
    assert again.info().facts == 1
    assert again.url == f"sqlite:///{tmp_path}/my films.db"
    again.close()


@pytest.mark.parametrize(
    "url",
    [
        *("", "films.db", "http://x", "sqlite://films.db", "sqlite:///"),
        *("neo4j://", "bolt://h:port", "bolt://h/path", "neo4j://h?database=a&x=1", "neo4j://h:99999", "bolt://[::1"),
    ],
)
def test_urls_of_no_known_kind(url: str) -> None:
    with pytest.raises(ConfigError, match=r"sqlite:///|database=NAME"):
        open_store(url)


@pytest.mark.parametrize(
    "url", ["neo4j://me:secret@h/path", "redis://me:secret@h", "bolt://me:sec/secret@h:port", "neo4j://me:secret@h?x=1"]
)
def test_no_error_says_the_password(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_store(url)
    assert "secret" not in str(caught.value) + repr(caught.value)
    assert "secret" not in without_password(url)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=r"no\.db.*kgqa ingest"):
        open_store(f"sqlite:///{tmp_path}/no.db")
    with pytest.raises(StoreUnavailable, match="directory doesn't exist"):
        open_store(f"sqlite:///{tmp_path}/no/no.db", create=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("create", [False, True])
def test_what_is_no_store(tmp_path: Path, create: bool) -> None:
    text, foreign = tmp_path / "text.db", tmp_path / "foreign.db"
    text.write_text("head|relation|tail\n" * 100)
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE other (x)")
    connection.close()
    before = foreign.read_bytes()
    for path in (tmp_path, text, foreign):
        with pytest.raises(StoreVersionError, match="not a"):
            open_store(f"sqlite:///{path}", create=create)
    assert foreign.read_bytes() == before


def test_an_empty_file_is_no_store_until_one_is_made_of_it(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    path.touch()
    with pytest.raises(StoreVersionError):
        open_store(f"sqlite:///{path}")
    store = open_store(f"sqlite:///{path}", create=True)
    assert store.info().facts == 0
    store.close()


def test_a_store_of_a_newer_kgqa(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new.db"
    store = open_store(url, create=True)
    store.migrate(Schema())
    store.close()
    with sqlite3.connect(tmp_path / "new.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreVersionError, match=r"newer kgqa.*99"):
        open_store(url)


def test_nothing_is_left_where_nothing_was_written(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/x.db", create=True)
    assert store.info().facts == 0
    store.close()
    assert list(tmp_path.iterdir()) == []
    store = open_store(f"sqlite:///{tmp_path}/x.db", create=True)
    store.migrate(Schema())
    store.close()
    assert [path.name for path in tmp_path.iterdir()] == ["x.db"]


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/x.db", create=True)
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.info()


def test_nobody_listening() -> None:
    for url in ("bolt://localhost:1", "neo4j://localhost:1"):
        with pytest.raises(StoreUnavailable, match="no Neo4j answers"):
            open_store(url, user="neo4j", password="x", timeout=1)


def test_the_embedded_store_needs_neither_torch_nor_the_driver(tmp_path: Path) -> None:
    code = (
        "import sys; from kgqa.stores import open_store; open_store(sys.argv[1], create=True).close();"
        "assert not {'torch', 'neo4j'} & sys.modules.keys(), 'imported'"
    )
    subprocess.run([sys.executable, "-c", code, f"sqlite:///{tmp_path}/x.db"], check=True)
