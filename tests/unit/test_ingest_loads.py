"""Load runs: which load is which, going on after a break, loading again, streams, dry runs, sources made anew."""

from __future__ import annotations

import io
import os
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from graph_schema import Batch, ConfigError, Fact, RelationSchema, Schema, StoreUnavailable, TooManyRejects, Written
from ingest import DryRun, LoadOptions, MappingFile, Rejected, Source, difference, lines, load, replace
from ingest.hashes import Counts, Hashes
from ingest.plan import make_plan, names
from tests.unit.ingest_helpers import MemoryWriter


class Breaks(MemoryWriter):
    """A store that fails when so many batches are in."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def write_many(self, batches: Iterable[Batch], *, workers: int = 1) -> Iterator[Written]:
        for batch in batches:
            if len(self.batches) == self.after:
                raise StoreUnavailable("gone")
            yield self.write(batch)


def same(one: MemoryWriter, other: MemoryWriter) -> bool:
    return (one.facts, one.nodes, one.marks) == (other.facts, other.nodes, other.marks)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """100 facts, of which 90 are distinct, and three bad lines."""
    lines = [f"n{i % 90}|r|m" for i in range(100)]
    for at in (7, 50, 99):
        lines.insert(at, "bad")
    made = tmp_path / "facts"
    made.write_text("\n".join(lines) + "\n", "utf-8")
    return made


@pytest.mark.parametrize("after", range(10))
def test_a_load_that_was_broken_off_goes_on_and_ends_like_any(path: Path, after: int) -> None:
    whole: list[Rejected] = []
    undisturbed = MemoryWriter()
    wanted = load([path], undisturbed, options=LoadOptions(batch_size=10, rejects=whole.append))
    store = Breaks(after)
    with pytest.raises(StoreUnavailable):
        load([path], store, options=LoadOptions(batch_size=10))
    store.after = -1
    seen: list[Rejected] = []
    report = load([path], store, options=LoadOptions(batch_size=10, rejects=seen.append))
    assert same(store, undisturbed)
    assert seen == whole
    assert len(store.batches) == 10, "nothing is written twice"
    (file,), (known,) = report.files, store.loads()
    assert (known.state, known.id) == ("complete", report.load)
    assert file.resumed_at == (0, *(b.through for b in undisturbed.batches))[after]
    assert report.resumed == (after > 0)
    for name in ("lines", "facts", "created", "merged", "unchanged", "entities_created", "rejected"):
        assert getattr(file, name) == getattr(wanted.files[0], name), name
    assert (file.created, file.merged, file.unchanged) == (90, 10, 10)


def test_batches_of_another_size_lose_nothing_when_a_load_goes_on(path: Path) -> None:
    undisturbed, store = MemoryWriter(), Breaks(3)
    load([path], undisturbed)
    with pytest.raises(StoreUnavailable):
        load([path], store, options=LoadOptions(batch_size=10))
    store.after = -1
    report = load([path], store, options=LoadOptions(batch_size=17))
    assert same(store, undisturbed)
    assert (report.created, report.merged) == (90, 10)


def test_several_files_go_on_where_each_of_them_was(path: Path, tmp_path: Path) -> None:
    more = tmp_path / "more"
    more.write_text("".join(f"n{i}|r|m\n" for i in range(80, 110)), "utf-8")
    undisturbed, store = MemoryWriter(), Breaks(11)
    wanted = load([path, more], undisturbed, options=LoadOptions(batch_size=10))
    with pytest.raises(StoreUnavailable):
        load([path, more], store, options=LoadOptions(batch_size=10))
    store.after = -1
    report = load([path, more], store, options=LoadOptions(batch_size=10))
    assert same(store, undisturbed)
    assert [file.resumed_at for file in report.files] == [103, 10]
    assert [file.created for file in report.files] == [file.created for file in wanted.files] == [90, 20]


def test_the_same_again_changes_nothing_and_brings_back_what_was_deleted(path: Path) -> None:
    store = MemoryWriter()
    first = load([path], store)
    before = dict(store.marks)
    again = load([path], store)
    assert again.load == first.load
    assert (again.created, again.merged, again.unchanged, again.resumed) == (0, 100, 100, False)
    assert len(store.loads()) == 1
    assert [source.rejected for source in store.loads()[0].sources] == [3]
    store.delete([Fact("n5", "r", "m"), Fact("n6", "r", "m")])
    third = load([path], store)
    assert (third.created, third.unchanged) == (2, 98)
    assert store.marks == before


def test_a_load_is_known_by_content_and_meaning_not_by_how_it_is_done(path: Path) -> None:
    def key(options: LoadOptions | None = None, schema: Schema | None = None, mapping: str = "") -> str:
        return make_plan([Source.of(path)], options or LoadOptions(), schema or Schema(), mapping).key

    assert key() == key(LoadOptions(batch_size=5, max_errors=3, workers=2, examples=1, rejects=print))
    different = {
        key(),
        key(LoadOptions(header="yes")),
        key(LoadOptions(columns=(2, 1, 0))),
        key(LoadOptions(source="films")),
        key(schema=Schema(relations={"r": RelationSchema(head="Film")})),
        key(mapping="another"),
    }
    path.write_bytes(path.read_bytes() + b"x|r|y\n")
    different.add(key())
    assert len(different) == 7
    assert key(schema=Schema(relations={"r": RelationSchema(words="is")})) == key(
        schema=Schema(relations={"r": RelationSchema()})
    )


def test_sources_go_by_their_path_or_the_name_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given = [Source.of("a/x"), Source.of("a/b/y"), Source.of("-")]
    assert names(given[:2], None) == [f"{tmp_path}/a/x", f"{tmp_path}/a/b/y"]
    assert names(given[2:], None) == ["<stdin>"]
    assert names(given[:1], "crm") == ["crm"]
    assert names(given[:2], "crm") == ["crm/x", "crm/b/y"]


def test_a_file_that_is_named_twice_is_read_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    report = load([path, path.name, path], MemoryWriter())
    assert len(report.files) == 1


def test_a_stream_is_a_load_of_its_own_unless_it_is_named() -> None:
    store = MemoryWriter()

    def feed(content: bytes, name: str | None) -> str:
        return load([Source("x", stream=io.BytesIO(content))], store, options=LoadOptions(source=name)).load

    assert feed(b"a|r|b\n", None) != feed(b"a|r|b\n", None)
    named = feed(b"a|r|b\nc|r|d\n", "feed")
    assert feed(b"a|r|b\ne|r|f\n", "feed") == named
    assert feed(b"a|r|b\n", "other") != named
    assert store.facts >= {Fact("c", "r", "d"), Fact("e", "r", "f")}


def test_of_a_named_stream_nothing_is_taken_to_be_in(path: Path) -> None:
    store = Breaks(3)
    options = LoadOptions(batch_size=10, source="feed")
    with pytest.raises(StoreUnavailable):
        load([Source("x", stream=io.BytesIO(path.read_bytes()))], store, options=options)
    store.after = -1
    other = path.read_bytes().replace(b"n1|", b"changed|")
    report = load([Source("x", stream=io.BytesIO(other))], store, options=options)
    assert Fact("changed", "r", "m") in store.facts
    assert not report.resumed


def test_a_pipe_is_a_stream(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    plan = make_plan([Source.of(tmp_path / "pipe")], LoadOptions(), Schema())
    assert (plan.sources[0].size, plan.sources[0].digest) == (-1, "")


def test_too_many_bad_lines_leave_a_load_that_goes_on(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "BLOCK", 64)
    store = MemoryWriter()
    with pytest.raises(TooManyRejects):
        load([path], store, options=LoadOptions(batch_size=10, max_errors=2))
    assert store.calls[-1] == "finish"
    assert store.loads()[0].state == "running"
    assert store.loads()[0].sources[0].rejected == 3
    report = load([path], store, options=LoadOptions(batch_size=10, max_errors=3))
    assert report.created == 90
    assert report.resumed
    assert store.loads()[0].state == "complete"


# ---- by a mapping

MAPPING = """
sources:
  - files: people.csv
    nodes: [{label: Person, id: "person/{id}", name: name}]
  - files: films.csv
    nodes: [{label: Film, id: "film/{id}", name: title}]
    relationships: [{type: directed_by, head: Film, tail: {label: Person, key: director}}]
"""


@pytest.fixture
def tables(tmp_path: Path) -> list[Path]:
    """Edges before the nodes they need; 20 of 25 films have a director that there is."""
    films, people = tmp_path / "films.csv", tmp_path / "people.csv"
    films.write_text("id,title,director\n" + "".join(f"{i},T{i},{i}\n" for i in range(25)), "utf-8")
    people.write_text("id,name\n" + "".join(f"{i},N{i}\n" for i in range(20)), "utf-8")
    return [films, people]


@pytest.mark.parametrize("after", range(9))
def test_by_a_mapping_a_load_goes_on_too(tables: list[Path], after: int) -> None:
    mapping = MappingFile.from_yaml(MAPPING)
    undisturbed, store = MemoryWriter(), Breaks(after)
    wanted = load(tables, undisturbed, mapping=mapping, options=LoadOptions(batch_size=7))
    assert [Path(file.source).name for file in wanted.files] == ["people.csv", "films.csv"]
    assert (wanted.facts, wanted.entities, wanted.rejected) == (20, 40, {"no such node": 5})
    assert undisturbed.schema.relations["directed_by"].tail == "Person"
    with pytest.raises(StoreUnavailable):
        load(tables, store, mapping=mapping, options=LoadOptions(batch_size=7))
    store.after = -1
    report = load(tables, store, mapping=mapping, options=LoadOptions(batch_size=7))
    assert same(store, undisturbed)
    assert (report.facts, report.entities, report.rejected) == (20, 40, {"no such node": 5})
    again = load(tables, store, mapping=mapping)
    assert (again.load, again.created, again.rejected) == (report.load, 0, {"no such node": 5})


def test_by_a_mapping_a_dry_run_and_a_difference_are_as_the_load(tables: list[Path]) -> None:
    mapping, store = MappingFile.from_yaml(MAPPING), MemoryWriter()
    foreseen = load(tables, DryRun(store), mapping=mapping)
    found = difference(tables, store, mapping=mapping)
    done = load(tables, store, mapping=mapping)
    assert foreseen.created == found.new == done.created == 20
    assert foreseen.rejected == done.rejected
    tables[0].write_text("id,title,director\n1,T1,2\n", "utf-8")
    replace(tables, store, mapping=mapping, agreed=lambda shown: (shown.new, shown.gone) == (1, 20))
    assert store.facts == {Fact("film/1", "directed_by", "person/2")}
    assert len(store.nodes) == 21


# ---- dry run


def test_a_dry_run_says_what_a_load_would_do_and_does_nothing(path: Path) -> None:
    store = MemoryWriter()
    store.write(Batch((), [Fact("n1", "r", "m"), Fact("n2", "r", "elsewhere")]))
    before = len(store.calls)
    seen: list[Rejected] = []
    options = LoadOptions(batch_size=7, rejects=seen.append)

    foreseen = load([path], DryRun(store), options=options)
    assert len(store.calls) == before
    assert len(seen) == 3
    done = load([path], store, options=LoadOptions(batch_size=7))
    for name in ("lines", "facts", "created", "merged", "entities_created", "rejected"):
        assert getattr(foreseen, name) == getattr(done, name), name
    assert foreseen.created == 89
    assert load([path], DryRun(None)).created == 90


# ---- replacing


def test_replacing_makes_a_sources_facts_what_the_file_says(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("n3|r|m\nx|r|y\n", "utf-8")
    store = MemoryWriter()
    first = load([path], store).load
    load([other], store)
    path.write_text("n1|r|m\nn2|r|m\nnew|r|m\nnew|r|m\n", "utf-8")
    found = difference([path], store)
    assert (found.new, found.gone, found.kept) == (1, 88, 2)
    assert found.new_examples == (Fact("new", "r", "m"),)
    assert len(found.gone_examples) == 5
    assert {fact.head for fact in found.gone_examples} <= {f"n{i}" for i in range(90)} - {"n1", "n2"}
    assert replace([path], store, agreed=lambda _: False) is None
    assert [known.state for known in store.loads()] == ["complete", "complete"]
    done = replace([path], store, agreed=lambda shown: shown == found)
    assert done is not None
    assert store.facts == {Fact(n, "r", "m") for n in ("n1", "n2", "n3", "new")} | {Fact("x", "r", "y")}
    assert (done.withdrawn.facts_deleted, done.withdrawn.facts_kept) == (87, 3)
    assert {known.id: known.state for known in store.loads()}[first] == "undone"
    assert store.calls[-1] == "finish"


@pytest.mark.parametrize("at", ["write", "end_load", "withdraw"])
def test_replacing_goes_on_after_a_break(path: Path, at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryWriter()
    load([path], store)
    path.write_text("".join(f"k{i}|r|m\n" for i in range(30)) + "n1|r|m\n", "utf-8")
    options = LoadOptions(batch_size=10)

    def fails(*_: object, **__: object) -> None:
        raise StoreUnavailable("gone")

    with monkeypatch.context() as patch:
        if at == "write":
            written = iter(range(2))
            whole = store.write
            patch.setattr(store, "write", lambda batch: whole(batch) if next(written, None) is not None else fails())
        else:
            patch.setattr(store, at, fails)
        with pytest.raises(StoreUnavailable):
            replace([path], store, options=options, agreed=lambda _: True)
    assert Fact("n5", "r", "m") in store.facts, "the old ones stay until the new ones are in"
    replace([path], store, options=options, agreed=lambda _: True)
    assert store.facts == {Fact(f"k{i}", "r", "m") for i in range(30)} | {Fact("n1", "r", "m")}


def test_what_is_in_already_is_not_new(path: Path) -> None:
    store = Breaks(3)
    options = LoadOptions(batch_size=10)
    with pytest.raises(StoreUnavailable):
        load([path], store, options=options)
    found = difference([path], store, options=options)
    assert (found.new, found.gone, found.kept, found.older) == (60, 0, 30, ())
    store.after = -1
    load([path], store, options=options)
    found = difference([path], store, options=options)
    assert (found.new, found.gone, found.kept, found.older) == (0, 0, 90, ())


def test_replacing_there_and_back(path: Path) -> None:
    store = MemoryWriter()
    old = path.read_bytes()
    load([path], store)
    facts = set(store.facts)
    path.write_text("a|r|b\n", "utf-8")
    replace([path], store, agreed=lambda _: True)
    assert store.facts == {Fact("a", "r", "b")}
    path.write_bytes(old)
    replace([path], store, agreed=lambda _: True)
    assert store.facts == facts
    assert [known.state for known in store.loads()] == ["undone", "undone", "complete"]


def test_a_source_by_name_loses_what_its_files_no_longer_bring(tmp_path: Path) -> None:
    store = MemoryWriter()
    for name in ("one", "two", "three"):
        (tmp_path / name).write_text(f"{name}|r|m\n", "utf-8")
    load([tmp_path / "one", tmp_path / "two"], store, options=LoadOptions(source="crm"))
    load([tmp_path / "three"], store)
    replace([Source.of(tmp_path / "two")], store, options=LoadOptions(source="crm"), agreed=lambda _: True)
    assert {fact.head for fact in store.facts} == {"two", "three"}


def test_of_a_load_of_several_sources_only_those_named_are_replaced(tmp_path: Path) -> None:
    store = MemoryWriter()
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("a|r|b\n", "utf-8")
    two.write_text("c|r|d\n", "utf-8")
    load([one, two], store)
    one.write_text("e|r|f\n", "utf-8")
    replace([Source.of(one)], store, agreed=lambda _: True)
    assert store.facts == {Fact("c", "r", "d"), Fact("e", "r", "f")}
    assert [known.state for known in store.loads()] == ["complete", "complete"]


def test_a_stream_can_not_be_replaced() -> None:
    with pytest.raises(ConfigError, match="can't be read twice"):
        difference([Source("x", stream=io.BytesIO(b"a|r|b\n"))], MemoryWriter())


# ---- sets of hashes


def test_sets_of_hashes_are_sets() -> None:
    rng = random.Random(3)
    ours, real = Hashes(), set[int]()
    for _ in range(200):
        part = [rng.randrange(-(2**62), 2**62) if rng.random() < 0.5 else rng.randrange(5000) for _ in range(997)]
        assert ours.add(part) == len(set(part) - real)
        real |= set(part)
        asked = [rng.randrange(6000) for _ in range(50)]
        assert ours.has(asked) == [number in real for number in asked]
    assert len(ours) == len(real)
    other = Hashes()
    other.add(range(4000, 7000))
    assert ours.common(other) == other.common(ours) == len(real & set(range(4000, 7000)))


def test_how_often_hashes_came_is_counted() -> None:
    counts = Counts()
    assert (len(counts), counts.of([1]).tolist()) == (0, [0])
    counts = Counts()
    counts.add([3, -1, 3])
    counts.add([])
    counts.add([3, 7])
    assert len(counts) == 5
    assert counts.of([-1, 0, 3, 7]).tolist() == [1, 0, 3, 1]
