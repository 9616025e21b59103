"""A snapshot that follows its store: the old one is served until the new one is ready."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from graph_schema import Batch, Fact, GraphReader, Schema, StoreBusy, StoreUnavailable
from kgqa.stores import EmbeddedStore, FollowingSnapshot, Snapshot

ONE, TWO, THREE = Fact("a", "r", "b"), Fact("c", "r", "d"), Fact("e", "r", "f")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    made = EmbeddedStore(tmp_path / "graph.db", create=True)
    made.migrate(Schema())
    made.write(Batch((), [ONE]))
    yield made
    made.close()


class Slow:
    """Builds when it is let; counts."""

    def __init__(self) -> None:
        self.let = threading.Event()
        self.begun = threading.Event()
        self.built = 0
        self.fails = False

    def __call__(self, reader: GraphReader) -> Snapshot:
        if self.built:
            self.begun.set()
            assert self.let.wait(20)
        if self.fails:
            raise StoreUnavailable("gone")
        self.built += 1
        return Snapshot.build(reader)


def wait_for(following: FollowingSnapshot, fact: Fact) -> None:
    ended = threading.Event()
    for _ in range(400):
        if following.current().holds([fact]) == [True]:
            return
        ended.wait(0.05)
    raise AssertionError(f"{fact} never appeared")


def test_nothing_is_built_again_while_the_store_stays_as_it_is(store: EmbeddedStore) -> None:
    following = FollowingSnapshot(store)
    assert following.current() is following.current()


def test_the_old_one_is_served_until_the_new_one_is_ready(store: EmbeddedStore) -> None:
    build = Slow()
    following = FollowingSnapshot(store, build)
    old = following.current()
    store.write(Batch((), [TWO]))
    assert following.current() is old
    assert build.begun.wait(20)
    assert following.current() is old, "not waited for"
    assert build.built == 1
    build.let.set()
    wait_for(following, TWO)
    assert build.built == 2


def test_the_first_one_is_made_in_the_background_too(store: EmbeddedStore) -> None:
    build = Slow()
    build.built = 1  # so that it waits to be let
    following = FollowingSnapshot(store, build)
    assert following.ready() is None
    assert build.begun.wait(20)
    assert following.ready() is None, "not waited for, nor made twice"
    build.let.set()
    ended = threading.Event()
    for _ in range(400):
        if (made := following.ready()) is not None:
            break
        ended.wait(0.05)
    assert made is not None
    assert made.holds([ONE]) == [True]
    assert build.built == 2
    assert following.current() is made
    store.write(Batch((), [TWO]))
    wait_for(following, TWO)


def test_a_first_one_that_cannot_be_made_is_said(store: EmbeddedStore) -> None:
    build = Slow()
    build.fails = True
    following = FollowingSnapshot(store, build)
    assert following.ready() is None
    assert following._builder is not None
    following._builder.join(20)
    with pytest.raises(StoreUnavailable, match="gone"):
        following.ready()


def test_newest_waits_and_has_all_that_was_there(store: EmbeddedStore) -> None:
    build = Slow()
    following = FollowingSnapshot(store, build)
    following.current()
    build.let.set()
    store.write(Batch((), [TWO]))
    assert following.newest().holds([ONE, TWO]) == [True, True]
    store.write(Batch((), [THREE]))
    assert following.newest().holds([THREE]) == [True]


def test_a_write_of_another_process_is_followed(store: EmbeddedStore) -> None:
    following = FollowingSnapshot(store)
    following.current()
    other = EmbeddedStore(Path(store.url.removeprefix("sqlite:///")))
    other.write(Batch((), [TWO]))
    other.close()
    wait_for(following, TWO)


def test_a_failure_in_the_background_is_heard_and_can_be_got_over(store: EmbeddedStore) -> None:
    build = Slow()
    following = FollowingSnapshot(store, build)
    following.current()
    build.let.set()
    build.fails = True
    store.write(Batch((), [TWO]))
    with pytest.raises(StoreUnavailable):
        following.newest()
    build.fails = False
    wait_for(following, TWO)


def test_while_no_state_can_be_read_the_old_one_is_served_but_not_as_the_newest(store: EmbeddedStore) -> None:
    tried = threading.Event()
    busy = False

    def build(reader: GraphReader) -> Snapshot:
        if busy:
            tried.set()
            raise StoreBusy("written to all the time")
        return Snapshot.build(reader)

    following = FollowingSnapshot(store, build)
    old = following.current()
    busy = True
    store.write(Batch((), [TWO]))
    for _ in range(3):
        assert following.current() is old
        assert tried.wait(20)
    with pytest.raises(StoreBusy, match="all the time"):
        following.newest()
    busy = False
    wait_for(following, TWO)
