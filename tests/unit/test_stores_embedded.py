"""The embedded store alone: several processes, a full disk, a locked file, and the snapshot beside the file."""

from __future__ import annotations

import multiprocessing
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from graph_schema import (
    Batch,
    Entity,
    Fact,
    Group,
    LoadPlan,
    Schema,
    SourcePlan,
    StoreError,
    StoreUnavailable,
    Written,
)
from graph_schema.text import name_key
from kgqa.stores import EmbeddedStore, embedded_sql, open_store
from kgqa.stores.batches import keys_of_names
from kgqa.stores.embedded_file import connect, migrate
from kgqa.stores.embedded_log import text_list
from kgqa.stores.keys import KeySet, Layout

FACTS = [Fact(f"h{number % 7}", f"r{number % 3}", f"t{number}") for number in range(50)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    made = EmbeddedStore(tmp_path / "graph.db", create=True, timeout=0.2)
    made.migrate(Schema())
    yield made
    made.close()


def uses_arrays(store: EmbeddedStore) -> bool:
    with store._consistent() as connection:
        store._current(connection)
        return store._fresh() is not None


def test_another_process_writes_and_finishes(store: EmbeddedStore) -> None:
    store.write(Batch(facts=FACTS))
    store.finish()
    assert uses_arrays(store)
    code = (
        "import sys; from kgqa.stores import open_store; from graph_schema import *;"
        "s = open_store(sys.argv[1]); s.write(Batch(facts=[Fact('h0', 'new', 'x')]));"
        "s.finish() if sys.argv[2] == 'finish' else None; s.close()"
    )
    for last, finish in enumerate(("no", "finish")):
        subprocess.run([sys.executable, "-c", code.replace("'x'", f"'x{last}'"), store.url, finish], check=True)
        assert uses_arrays(store) == (finish == "finish")
        assert store.expand([Group("h0", "new", False, 9)]).entities == [f"x{n}" for n in range(last + 1)]
        assert store.relations() == ("new", "r0", "r1", "r2")


def test_a_locked_store_says_who_is_in_the_way(store: EmbeddedStore) -> None:
    other = sqlite3.connect(store.url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="another process is writing"):
        store.write(Batch(facts=FACTS))
    assert store.info().facts == 0
    other.execute("ROLLBACK")
    other.close()
    assert store.write(Batch(facts=FACTS)).facts_created == 50


def test_a_full_disk_in_the_middle_of_a_batch_leaves_nothing(store: EmbeddedStore) -> None:
    store.write(Batch(facts=FACTS))
    before = store.info()
    with store._reading() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 5}")
        with pytest.raises(StoreUnavailable, match="disk is full"):
            store.write(Batch(facts=[Fact(f"new{number}", "r", "hub") for number in range(5000)]))
        connection.execute("PRAGMA max_page_count = 1000000")
    assert store.info() == before
    assert store.entities(["new0", "hub"]) == {}
    assert store.write(Batch(facts=[Fact("new0", "r", "hub")])) == Written(1, 0, 2, 0)


def test_damaged_arrays_are_done_without_and_made_again(store: EmbeddedStore) -> None:
    store.write(Batch(facts=FACTS))
    store.finish()
    path = Path(store.url.removeprefix("sqlite:///"))
    (target,) = Path(f"{path}.csr").glob("v-*/edge_target.npy")
    target.write_bytes(target.read_bytes()[:-1])
    other = EmbeddedStore(path)
    assert not uses_arrays(other)
    assert other.expand([Group("h0", "r0", False, 2)]).entities == ["t0", "t21"]
    other.finish()
    assert uses_arrays(other)
    assert other.expand([Group("h0", "r0", False, 2)]).entities == ["t0", "t21"]
    other.close()


def test_arrays_of_another_file_at_the_same_path_are_not_used(store: EmbeddedStore, tmp_path: Path) -> None:
    store.write(Batch(facts=FACTS))
    store.finish()
    store.close()
    (tmp_path / "graph.db").unlink()
    other = EmbeddedStore(tmp_path / "graph.db", create=True)
    other.write(Batch(facts=[Fact("a", "r", "b")]))
    assert other.changes() == 1
    assert not uses_arrays(other)
    assert other.offer(["h0", "a"]).owner.tolist() == [1]
    other.close()


def test_finishing_twice_keeps_one_version(store: EmbeddedStore, tmp_path: Path) -> None:
    for fact in FACTS[:3]:
        store.write(Batch(facts=[fact]))
        store.finish()
        store.finish()
    assert len(list((tmp_path / "graph.db.csr").iterdir())) == 2  # the manifest and one version


def test_a_damaged_file_is_said(store: EmbeddedStore, tmp_path: Path) -> None:
    store.write(Batch(facts=FACTS))
    store.close()
    path = tmp_path / "graph.db"
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(bytes(data))
    with pytest.raises(StoreError, match="damaged"):
        EmbeddedStore(path).all_facts().__next__()


def test_threads_share_a_store(store: EmbeddedStore) -> None:
    def work(part: int) -> Written:
        done = store.write(Batch([Entity(f"e{part}", f"Name {part}")], [Fact(f"e{part}", "r", "hub")]))
        assert store.holds([Fact(f"e{part}", "r", "hub")]) == [True]
        assert store.lookup([f"name {part}"])
        store.finish()
        assert f"e{part}" in store.expand([Group("hub", "r", True, 99)]).entities
        return done

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(work, range(16)), Written()).facts_created == 16
    assert store.info().facts == 16


def test_a_store_of_format_1_is_taken_over_in_place(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(embedded_sql.MIGRATIONS[1])
        connection.executescript(
            f"""
            INSERT INTO meta VALUES ('changes', 7), ('source', 'abcdef');
            INSERT INTO entity VALUES (1, 'a', 'Alpha', 'Letter', '["First"]'), (2, 'b', 'b', 'Entity', '[]'),
                (3, 'alone', 'alone', 'Entity', '[]');
            INSERT INTO relation VALUES (1, 'r', 1), (2, 'q', 1), (3, 'unused', 0);
            INSERT INTO fact VALUES (1, 1, 2), (2, 2, 2);
            INSERT INTO name VALUES (1, 'alpha', 1), (2, 'first', 1), (3, 'b', 2), (4, 'alone', 3);
            INSERT INTO likeness (rowid, key) SELECT row, key FROM name;
            PRAGMA application_id = {embedded_sql.APPLICATION_ID};
            PRAGMA user_version = 1;
            """
        )
    with closing(EmbeddedStore(path)) as store:
        assert (store.info().facts, store.info().entities, store.changes()) == (2, 3, 7)
        assert set(store.all_facts()) == set(store.facts_of([0])) == {Fact("a", "r", "b"), Fact("b", "q", "b")}
        assert store.expand([Group("b", "r", True, 9)]).entities == ["a"]
        alpha = Entity("a", "Alpha", "Letter", ("First",))
        assert store.lookup(["first"]) == {"first": (alpha,)}
        assert store.suggest("alphas")[0] == alpha
        origin = store.begin_load(LoadPlan("k", (SourcePlan("s"),))).sources[0].origin
        batch = Batch(
            [Entity("a", "Alef"), Entity("new", "New")], [Fact("a", "r", "b"), Fact("new", "r", "b")], (), origin
        )
        assert store.write(batch) == Written(1, 1, 1, 2, 0, 1, declared_created=1, declared_changed=1)
        store.finish()
        store.withdraw([origin])
        assert {entity.id: entity for entity in store.all_entities()} == {
            "a": alpha,
            "b": Entity("b", "b"),
            "alone": Entity("alone", "alone"),
        }
        assert set(store.all_facts()) == {Fact("a", "r", "b"), Fact("b", "q", "b")}
        assert store.lookup(["alef", "new"]) == {}


def test_names_are_suggested_before_and_after_finishing(store: EmbeddedStore) -> None:
    store.write(Batch([Entity("g", "The Godfather")]))
    store.finish()
    store.write(Batch([Entity("c", "Casablanca"), Entity("g", "Il padrino")]))
    for _ in range(2):
        assert store.suggest("the godfater")[0].id == store.suggest("il padrin")[0].id == "g"
        assert store.suggest("cassablanca")[0].id == "c"
        store.finish()
    store.write(Batch(facts=[Fact("c", "r", "g")]))
    store.delete([Fact("c", "r", "g")])
    assert store.suggest("cassablanca") == store.suggest("the godfater") == ()


def test_what_came_after_finishing_is_read_together_with_the_arrays(store: EmbeddedStore) -> None:
    store.write(Batch(facts=FACTS))
    store.finish()
    store.write(Batch(facts=[Fact("h0", "r0", name) for name in ("a", "t0a", "zz")]))
    store.delete([Fact("h0", "r0", "t21")])
    assert not uses_arrays(store)
    for limit in range(9):
        expected = sorted(["t0", "t42", "a", "t0a", "zz"])[:limit]
        assert store.expand([Group("h0", "r0", False, limit)]).entities == expected
    assert store.offer(["h0"]).count[0] == 5
    assert store.origins(FACTS[:1]) == [()]


def test_arrays_that_know_more_than_the_file_are_not_used(store: EmbeddedStore, tmp_path: Path) -> None:
    """As after a power cut that took the last transactions with it."""
    store.write(Batch(facts=FACTS[:10]))
    store.close()
    before = (tmp_path / "graph.db").read_bytes()
    with closing(EmbeddedStore(tmp_path / "graph.db")) as other:
        other.write(Batch(facts=FACTS[10:20]))
        other.finish()
    (tmp_path / "graph.db").write_bytes(before)
    for facts in ([], FACTS[20:30], FACTS[30:]):
        with closing(EmbeddedStore(tmp_path / "graph.db")) as other:
            other.write(Batch(facts=facts))
            assert not uses_arrays(other)
            assert other.holds(FACTS[10:20]) == [False] * 10
            assert other.holds(FACTS[:10]) == [True] * 10


def test_ended_by_force_it_has_every_batch_that_was_reported(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/killed.db"
    code = (
        "import sys; from itertools import count; from kgqa.stores import open_store; from graph_schema import *;"
        "s = open_store(sys.argv[1], create=True); "
        "origin = s.begin_load(LoadPlan('k', (SourcePlan('f'),))).sources[0].origin; "
        "start = s.loads()[0].sources[0].through; "
        "bs = (Batch(facts=[Fact(f'h{n}', 'r', f't{m}') for m in range(50)], origin=origin, through=n + 1)"
        "      for n in count(start));"
        "[(print(n + 1 + start, flush=True), n % 7 or s.finish()) for n, _ in enumerate(s.write_many(bs))]"
    )
    for lines in (1, 20, 33):
        process = subprocess.Popen([sys.executable, "-c", code, url], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        reported = [int(process.stdout.readline()) for _ in range(lines)][-1]
        process.kill()
        process.wait()
        process.stdout.close()
        with closing(open_store(url)) as store:
            assert isinstance(store, EmbeddedStore)
            through = store.loads()[0].sources[0].through
            assert through >= reported
            assert store.info().facts == len(list(store.all_facts())) == 50 * through
            assert store.info().entities == 50 + through
            assert store.offer([f"h{through - 1}", f"h{through}"]).count.tolist() == [50]


def test_many_relations_and_entities_make_keys_wider(store: EmbeddedStore) -> None:
    facts = [Fact(f"h{n % 50}", f"r{n}", f"t{n % 90}") for n in range(1500)]
    store.write(Batch(facts=facts[:900]))
    store.finish()
    assert store.write(Batch(facts=facts)) == Written(600, 900, 0, 140, 900, 140)
    for _ in range(2):
        assert store.holds(facts) == [True] * 1500
        assert store.expand([Group("h0", "r1400", False, 2)]).entities == ["t50"]
        assert len(store.relations()) == 1500
        store.finish()
    assert uses_arrays(store)
    assert store.delete(facts[100:]) == 1400
    assert set(store.all_facts()) == set(facts[:100])


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@given(st.lists(names | st.sampled_from(["İstanbul", "ẞ", "a\nb", "...", " ", "É é", "x_y-z", "Ⅷ\u0301", "\x1c"])))
def test_keys_of_many_names_are_those_of_each(given_names: list[str]) -> None:
    assert keys_of_names(given_names) == [name_key(name) for name in given_names]


@given(
    st.lists(
        names.map(lambda text: text.replace("\0", ""))
        | st.sampled_from(['"', "\\", 'a\\"b', "a\nb", "", "\x1f", "\x7f"])
    )
)
def test_texts_for_a_statement_are_read_as_they_are(given_texts: list[str]) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        read = connection.execute("SELECT value FROM json_each(?)", (text_list(given_texts),)).fetchall()
    assert read == [(text,) for text in given_texts]


class KeysMachine(RuleBasedStateMachine):
    """A ``KeySet`` does what a set does, whatever its base and runs."""

    @initialize(base=st.sets(st.integers(0, 60)))
    def begin(self, base: set[int]) -> None:
        self.keys, self.model = KeySet(np.array(sorted(base), np.int64)), set(base)

    @rule(some=st.sets(st.integers(0, 60)))
    def add(self, some: set[int]) -> None:
        new = self.keys.add(np.array(sorted(some), np.int64))
        assert set(new.tolist()) == some - self.model
        self.model |= some

    @rule(some=st.sets(st.integers(0, 60)))
    def discard(self, some: set[int]) -> None:
        gone = self.keys.discard(np.array(sorted(some), np.int64))
        assert set(gone.tolist()) == some & self.model
        self.model -= some

    @rule()
    def look(self) -> None:
        kept = self.keys.copy()
        assert self.keys.all().tolist() == sorted(self.model)
        assert len(self.keys) == len(self.model) == len(kept)
        everything = np.arange(-1, 62)
        assert self.keys.contains(everything).tolist() == [key in self.model for key in everything.tolist()]
        low, high = np.array([0, 7, 30]), np.array([5, 30, 90])
        owner, found = self.keys.between(low, high)
        expected = [(at, key) for at in range(3) for key in sorted(self.model) if low[at] <= key < high[at]]
        assert sorted(zip(owner.tolist(), found.tolist(), strict=True)) == expected
        assert self.keys.count(low, high).tolist() == [sum(at == place for at, _ in expected) for place in range(3)]


TestKeySet = KeysMachine.TestCase


@given(st.integers(1, 2**29), st.integers(1, 3000), st.data())
def test_keys_of_facts_come_apart_again(entities: int, relations: int, data: st.DataObject) -> None:
    if 2 * entities.bit_length() + relations.bit_length() > 62:
        with pytest.raises(StoreError, match="more than an embedded store can hold"):
            Layout.fitting(entities, relations)
        return
    layout = Layout.fitting(entities, relations)
    facts = data.draw(
        st.lists(st.tuples(st.integers(0, entities), st.integers(0, relations), st.integers(0, entities)), max_size=9)
    )
    columns = np.array(sorted(facts), np.int64).reshape(-1, 3)
    keys = layout.pack(columns[:, 0], columns[:, 1], columns[:, 2])
    assert (np.sort(keys) == keys).all()
    assert (keys >= 0).all()
    assert layout.triples(keys) == sorted(facts)
    assert layout.triples(layout.turned(keys)) == [(tail, relation, head) for head, relation, tail in sorted(facts)]


def test_a_store_that_was_emptied_has_no_relations_left(tmp_path: Path) -> None:
    """An index whose last fact is gone must not be taken for one that has none yet."""
    with closing(EmbeddedStore(tmp_path / "graph.db", create=True)) as store:
        plans = [LoadPlan(name, (SourcePlan(name),)) for name in ("a", "b")]
        first, second = (store.begin_load(plan).sources[0].origin for plan in plans)
        store.write(Batch(facts=[Fact("n", "r", "n")], origin=second))
        store.finish()
        store.withdraw([second])
        store.withdraw([first])
        assert store.offer(["n"]).relations == ()
        store.finish()
        assert store.offer(["n"]).relations == ()


def open_each(paths: list[Path], together: Barrier) -> None:
    for path in paths:
        together.wait(60)
        connect(path, 5.0).close()


def test_several_processes_open_a_new_store_at_once(tmp_path: Path) -> None:
    """Each switches the file to writing ahead; one that waits for what the other waits for is refused, and retries."""
    paths = [tmp_path / f"{number}.db" for number in range(100)]
    for path in paths:
        with closing(sqlite3.connect(path, isolation_level=None)) as made:
            migrate(made)
    spawn = multiprocessing.get_context("spawn")
    together = spawn.Barrier(3)
    processes = [spawn.Process(target=open_each, args=(paths, together)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0, 0]
