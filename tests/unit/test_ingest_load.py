"""The load as a whole: sources, batches, labels, progress, the report, and ends before the end."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import sys
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from graph_schema import Batch, ConfigError, Entity, Fact, InputError, RelationSchema, Schema, StoreUnavailable, Written
from ingest import LoadOptions, Progress, Source, delimited, lines, load
from tests.unit.ingest_helpers import MemoryWriter, load_bytes


@pytest.fixture
def writer() -> MemoryWriter:
    return MemoryWriter()


def test_what_comes_twice_is_merged_and_counted(tmp_path: Path, writer: MemoryWriter) -> None:
    first, second = tmp_path / "one", tmp_path / "two"
    first.write_bytes(b"a|r|b\na|r|b\nc|r|d\nbad\n")
    second.write_bytes(b"c|r|d\nc|r|e\n")
    report = load([first, str(second)], writer)
    assert writer.facts == {Fact("a", "r", "b"), Fact("c", "r", "d"), Fact("c", "r", "e")}
    one, two = report.files
    assert (one.lines, one.facts, one.created, one.merged, one.entities_created) == (4, 3, 2, 1, 4)
    assert (two.lines, two.facts, two.created, two.merged, two.entities_created) == (2, 2, 1, 1, 1)
    assert (report.lines, report.facts, report.created, report.merged, report.entities_created) == (6, 5, 3, 2, 5)
    again = load([first, second], writer)
    assert (again.created, again.merged, again.entities_created) == (0, 5, 0)
    assert len(writer.facts) == 3


def test_the_report_is_plain_json(tmp_path: Path, writer: MemoryWriter) -> None:
    path = tmp_path / "kb.csv"
    path.write_bytes(b"head,relation,tail\na,r,b\nbad\n")
    report = load([path], writer)
    plain = json.loads(json.dumps(report.as_dict()))
    assert plain["files"] == [
        {
            "source": str(path),
            "format": "csv",
            "header": ["head", "relation", "tail"],
            "lines": 3,
            "facts": 1,
            "created": 1,
            "merged": 0,
            "unchanged": 0,
            "entities": 0,
            "entities_created": 2,
            "entities_merged": 0,
            "entities_unchanged": 0,
            "resumed_at": 0,
            "rejected": {"wrong number of fields": 1},
            "examples": {"wrong number of fields": [f"{path}:3: wrong number of fields: 1, not 3"]},
        }
    ]
    assert plain["rejected"] == {"wrong number of fields": 1}
    assert plain["seconds"] == report.seconds > 0
    assert plain["facts_per_second"] == pytest.approx(1 / report.seconds)


def test_batches_have_the_size_asked_for(writer: MemoryWriter) -> None:
    content = b"".join(b"n%d|r|m\n" % (i % 25) for i in range(100))
    load([Source("x", stream=io.BytesIO(content))], writer, options=LoadOptions(batch_size=10))
    assert [len(batch.facts) for batch in writer.batches] == [10] * 10
    assert [fact.head for fact in writer.batches[0].facts] == [f"n{i}" for i in range(10)]
    assert [batch.through for batch in writer.batches] == [*range(10, 101, 10)]
    assert writer.batches[1].fact_lines == range(11, 21)


def test_entities_get_the_labels_of_their_relations(writer: MemoryWriter) -> None:
    schema = Schema(
        relations={
            "directed_by": RelationSchema(head="Film", tail="Person"),
            "about": RelationSchema(head="Film"),
            "near": RelationSchema(),
        }
    )
    content = b"Kismet|near|Zoo\nKismet|directed_by|Dieterle\nKismet|about|love\nx|unknown|y\n"
    load([Source("x", stream=io.BytesIO(content))], writer, schema=schema)
    assert writer.schema == schema
    assert writer.batches[0].entities == [Entity("Kismet", "Kismet", "Film"), Entity("Dieterle", "Dieterle", "Person")]
    assert writer.nodes["love"] == Entity("love", "love")
    assert len(writer.batches[0].facts) == 4


def test_progress_adds_up(tmp_path: Path, writer: MemoryWriter) -> None:
    rng = random.Random(1)
    content = b"".join(b"%d|r|%d\n" % (rng.getrandbits(60), i) for i in range(60_000)) + b"bad\n"
    plain, packed = tmp_path / "plain", tmp_path / "packed"
    plain.write_bytes(content)
    packed.write_bytes(gzip.compress(content))
    seen: list[Progress] = []
    report = load([plain, packed], writer, progress=seen.append)
    total = plain.stat().st_size + packed.stat().st_size
    assert {p.bytes_total for p in seen} == {total}
    for name in ("bytes_read", "lines", "facts", "rejected"):
        values = [getattr(p, name) for p in seen]
        assert values == sorted(values)
    assert len({p.bytes_read for p in seen}) > 4
    last = seen[-1]
    assert (last.bytes_read, last.lines, last.rejected, last.source) == (total, report.lines, 2, str(packed))
    assert last.facts == 120_000
    assert report.merged == 60_000


def test_the_size_of_a_stream_is_not_known(writer: MemoryWriter) -> None:
    seen: list[Progress] = []
    load([Source("x", stream=io.BytesIO(b"a|r|b\n"))], writer, progress=seen.append)
    assert {p.bytes_total for p in seen} == {None}


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_standard_input(pack: type[bytes], writer: MemoryWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(pack(b"a|r|b\nbad\n"))))
    report = load(["-"], writer)
    assert writer.facts == {Fact("a", "r", "b")}
    assert report.files[0].examples["wrong number of fields"] == ("<stdin>:2: wrong number of fields: 1, not 3",)


def test_a_named_pipe(tmp_path: Path, writer: MemoryWriter) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    feeder = threading.Thread(target=path.write_bytes, args=(b"a|r|b\n" * 50_000,))
    feeder.start()
    report = load([path], writer)
    feeder.join()
    assert report.facts == 50_000
    assert writer.facts == {Fact("a", "r", "b")}


BAD_FILES = [
    (b"", "is empty"),
    (b"\n \r\n\n", "is empty"),
    (b"\xef\xbb\xbf", "has no facts"),
    (b"\n" * 70_000, "has no facts"),
    (b"head|relation|tail\n", "has no facts"),
    (bytes(range(256)) * 40, "is binary, not text"),
    (random.Random(0).randbytes(5000), "is binary, not text"),
    (gzip.compress(random.Random(0).randbytes(5000)), "is binary, not text"),
    ("кино|режиссёр|Тарковский\n".encode("cp1251"), "isn't UTF-8 text"),
    (b"PK\x03\x04rest", "is a zip archive"),
    (b"PAR1rest", "is a damaged Parquet file"),
    (b"SQLite format 3\x00rest", "is an SQLite database"),
    ("a|r|b\n".encode("utf-16"), "is UTF-16 text"),
    (b"a|r|b\rc|r|d\re|r|f\r", "end in carriage returns"),
    (gzip.compress(b"a|r|b\n" * 1000)[:-20], "gzip data ends too early"),
    (b"\x1f\x8bnot really", "gzip data is damaged"),
    (gzip.compress(b"a|r|b\n")[:-8] + b"\0" * 8, "gzip data is damaged"),
]


@pytest.mark.parametrize(("content", "said"), BAD_FILES, ids=range(len(BAD_FILES)))
def test_a_file_that_cannot_be_read_is_one_clear_error(
    content: bytes, said: str, tmp_path: Path, writer: MemoryWriter
) -> None:
    path = tmp_path / "facts"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said) as caught:
        load([path], writer)
    assert caught.value.where == str(path)
    assert caught.value.fix
    assert "\n" not in str(caught.value)
    assert not writer.facts


def test_missing_files_and_directories(tmp_path: Path, writer: MemoryWriter) -> None:
    for path, said in (
        (tmp_path / "gone", "no such file"),
        (tmp_path, "is a folder without data files"),
        (Path("a\0b"), "can't be opened"),
    ):
        with pytest.raises(InputError, match=said):
            load([path], writer)


def test_a_file_that_may_not_be_read(tmp_path: Path, writer: MemoryWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"a|r|b\n")
    path.chmod(0)
    if os.access(path, os.R_OK):  # root reads everything, so the refusal is made here

        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match="may not be read"):
        load([path], writer)


def test_all_files_are_looked_at_before_anything_is_written(tmp_path: Path, writer: MemoryWriter) -> None:
    good = tmp_path / "good"
    good.write_bytes(b"a|r|b\n")
    with pytest.raises(InputError, match="no such file"):
        load([good, tmp_path / "gone"], writer)
    assert writer.calls == []


def test_a_gzip_file_cut_off_keeps_whole_batches_and_can_be_loaded_again(tmp_path: Path, writer: MemoryWriter) -> None:
    rng = random.Random(2)
    content = b"".join(b"%d|r|%d\n" % (rng.getrandbits(60), i) for i in range(100_000))
    packed = gzip.compress(content)
    path = tmp_path / "kb.gz"
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(InputError, match=r"ends too early.*stay.*isn't doubled"):
        load([path], writer, options=LoadOptions(batch_size=1000))
    assert writer.calls[-1] == "finish"
    assert len(writer.facts) % 1000 == 0
    assert 20_000 < len(writer.facts) < 80_000
    path.write_bytes(packed)
    report = load([path], writer)
    assert report.created + report.merged == len(writer.facts) == 100_000


def test_ctrl_c_leaves_whole_batches_and_a_finished_store() -> None:
    class Interrupted(MemoryWriter):
        def write(self, batch: Batch) -> Written:
            if len(self.batches) == 2:
                raise KeyboardInterrupt
            return super().write(batch)

    writer = Interrupted()
    content = b"".join(b"n%d|r|m\n" % i for i in range(100))
    with pytest.raises(KeyboardInterrupt):
        load([Source("x", stream=io.BytesIO(content))], writer, options=LoadOptions(batch_size=10))
    assert len(writer.facts) == 20
    assert writer.calls == ["migrate", "write", "write", "finish"]


def test_a_store_that_fails_is_not_asked_to_finish() -> None:
    class Failing(MemoryWriter):
        def write(self, batch: Batch) -> Written:
            raise StoreUnavailable("gone")

    writer = Failing()
    with pytest.raises(StoreUnavailable):
        load([Source("x", stream=io.BytesIO(b"a|r|b\n"))], writer)
    assert writer.calls == ["migrate"]


def test_a_disk_that_fails_is_an_input_error() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            block = super().read(size)
            if not block:
                raise OSError(5, "Input/output error")
            return block

    with pytest.raises(InputError, match="x: can't be read on: Input/output error"):
        load([Source("x", stream=Broken(b"a|r|b\n" * 100_000))], MemoryWriter())


class Repeated(io.RawIOBase):
    """One line over and over, made as it is read."""

    def __init__(self, line: bytes, times: int) -> None:
        self._line = line
        self._position = 0
        self._size = len(line) * times

    def read(self, size: int = -1) -> bytes:
        start = self._position % len(self._line)
        count = min(size, self._size - self._position)
        self._position += count
        return (self._line * (count // len(self._line) + 2))[start : start + count]


@pytest.mark.parametrize("line", [b"a|r|b\n", b'"a' + b"\n" * 99 + b'b",r,"c"\n', b"a|r|b\nbad\n"])
def test_memory_does_not_grow_with_the_file(line: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "BLOCK", 8192)
    monkeypatch.setattr(delimited, "ROWS", 1000)

    class Forgetful(MemoryWriter):
        def write(self, batch: Batch) -> Written:
            written = super().write(batch)
            self.batches.clear()
            return written

    peaks = []
    for times in (6_000, 36_000):  # the smaller one, too, is larger than what is held of a file
        tracemalloc.start()
        try:
            stream: Any = Repeated(line, times)
            source = Source("x", stream=stream)
            report = load([source], Forgetful(), options=LoadOptions(batch_size=1000))
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        assert report.facts == times
        assert report.lines == times * line.count(b"\n")
    assert peaks[1] < 1.2 * peaks[0]


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"format": "xml"}, "format"),
        ({"header": "maybe"}, "header"),
        ({"quoting": "some"}, "quoting"),
        ({"batch_size": 0}, "batch_size"),
        ({"max_errors": -1}, "max_errors"),
        ({"columns": (0, 0, 1)}, "columns"),
        ({"columns": (0, 1)}, "columns"),
        ({"columns": (-1, 1, 2)}, "columns"),
        ({"columns": ("a", "b", "c"), "header": "no"}, "columns"),
    ],
)
def test_wrong_options_are_refused(given: dict[str, Any], where: str) -> None:
    with pytest.raises(ConfigError) as caught:
        LoadOptions(**given)
    assert caught.value.where == where
    assert caught.value.fix


def test_nothing_to_load_and_a_stream_twice() -> None:
    with pytest.raises(ConfigError, match="nothing to load"):
        load([], MemoryWriter())
    with pytest.raises(ConfigError, match="only once"):
        load(["-", "-"], MemoryWriter())


def test_the_film_graph() -> None:
    path = Path(__file__).parents[2] / "examples" / "films" / "kb.txt.gz"
    writer = MemoryWriter()
    report = load([path], writer)
    assert report.created == len(writer.facts) == 133_582
    assert not report.rejected
    assert report.files[0].header is None
    with gzip.open(path, "rt", encoding="utf-8") as file:
        assert writer.facts == {Fact(*line.rstrip("\n").split("|")) for line in file}


def test_helper_refuses_what_the_port_refuses() -> None:
    """The writer used in these tests merges as the port says."""
    writer = MemoryWriter()
    assert writer.write(Batch([Entity("a", "a", "Film")], [Fact("a", "r", "b")])) == Written(1, 0, 2, 0, 0, 0, 1)
    assert writer.write(Batch([Entity("b", "b", "Film")], [Fact("a", "r", "b")])) == Written(0, 1, 0, 2, 1, 2)
    assert writer.nodes["b"].label == "Film"
    assert load_bytes(b"a|r|b\n")[0] == writer.facts
