"""Parquet: what was written comes back as Python's types, in batches, and only what is needed is read."""

from __future__ import annotations

import gzip
import io
import random
import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from graph_schema import Fact, InputError
from ingest import LoadOptions, Reason, Source, load, parquet
from tests.unit.ingest_helpers import MemoryWriter, load_bytes, read_rows

FACTS = {Fact("Kismet", "directed_by", "William Dieterle"), Fact("$", "has_tags", "bd-r")}


def written(table: pa.Table, **options: object) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file.getvalue()


def facts_table() -> pa.Table:
    rows = sorted(FACTS)
    columns = {name: [getattr(fact, name) for fact in rows] for name in ("tail", "head", "relation")}
    return pa.table({"score": [1, 2], **columns})


CELLS: list[tuple[object, object, object]] = [
    (pa.int8(), 1, 1),
    (pa.uint64(), 1 << 63, 1 << 63),
    (pa.float32(), 0.5, 0.5),
    (pa.float16(), 0.5, 0.5),
    (pa.bool_(), True, True),
    (pa.string(), "é\0", "é\0"),
    (pa.large_string(), "x", "x"),
    (pa.binary(), b"caf\xc3\xa9", "café"),
    (pa.binary(), b"\xff\x00", "0xff00"),
    (pa.binary(2), b"ab", "ab"),
    (pa.decimal128(10, 2), Decimal("1.10"), 1.1),
    (pa.decimal128(12, 0), Decimal(603), 603),
    (pa.decimal128(30, 10), Decimal("12345678901234567890.0123456789"), "12345678901234567890.0123456789"),
    (pa.date32(), date(1999, 3, 31), date(1999, 3, 31)),
    (pa.timestamp("s"), datetime(1999, 3, 31, 1), datetime(1999, 3, 31, 1)),
    (pa.timestamp("ms", "Europe/Berlin"), datetime(1999, 3, 31, tzinfo=UTC), datetime(1999, 3, 31, tzinfo=UTC)),
    (pa.timestamp("ns"), 1_000_000_001_999, datetime(1970, 1, 1, 0, 16, 40, 1)),
    (pa.time64("us"), time(1, 2, 3), "01:02:03"),
    (pa.duration("s"), timedelta(hours=1), "1:00:00"),
    (pa.list_(pa.string()), ["a", None], ["a", None]),
    (pa.list_(pa.binary()), [b"a"], ["a"]),
    (pa.list_(pa.list_(pa.decimal128(3, 1))), [[Decimal("1.5")], None], [[1.5], None]),
    (pa.list_(pa.struct([("id", pa.int64()), ("b", pa.binary())])), [{"id": 1, "b": b"x"}], [{"id": 1, "b": "x"}]),
    (pa.map_(pa.string(), pa.date32()), [("k", date(1999, 1, 1))], [["k", date(1999, 1, 1)]]),
    (pa.dictionary(pa.int32(), pa.string()), "x", "x"),
    (pa.null(), None, None),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value", "cell"), CELLS, ids=lambda value: str(value)[:30])
def test_each_type_becomes_a_cell_and_nulls_stay(kind: pa.DataType, value: object, cell: object) -> None:
    table = pa.table({"x": pa.array([value, None, value], kind), "n": [1, 2, 3]})
    found, rows, rejected = read_rows(written(table))
    assert found.format == "parquet"
    assert found.header == ("x", "n")
    full = {} if cell is None else {"x": cell}
    assert rows == [(1, {**full, "n": 1}), (2, {"n": 2}), (3, {**full, "n": 3})]
    assert [type(row.get("x")) for _, row in rows] == [type(cell), type(None), type(cell)]
    assert not rejected


def test_structs_become_columns() -> None:
    kind = pa.struct([("a", pa.int64()), ("b", pa.struct([("c", pa.list_(pa.int64()))]))])
    table = pa.table({"s": pa.array([{"a": 1, "b": {"c": [2]}}, None, {"a": None, "b": None}], kind), "t": [1, 2, 3]})
    found, rows, _ = read_rows(written(table))
    assert found.header == ("s.a", "s.b.c", "t")
    assert [row for _, row in rows] == [{"s.a": 1, "s.b.c": [2], "t": 1}, {"t": 2}, {"t": 3}]
    found, rows, _ = read_rows(written(table), LoadOptions(needed=("s.b.c.x", "t")))
    assert found.header == ("s.a", "s.b.c", "t")
    assert [row for _, row in rows] == [{"s.b.c": [2], "t": 1}, {"t": 2}, {"t": 3}]


def test_rows_go_on_counting_over_row_groups_and_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "ROWS", 7)
    content = written(pa.table({"n": range(100)}), row_group_size=10)
    assert read_rows(content)[1] == [(n + 1, {"n": n}) for n in range(100)]


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd", "lz4", "brotli"])
def test_facts_by_the_names_of_the_columns(compression: str, tmp_path: Path) -> None:
    path = tmp_path / "facts.parquet"
    path.write_bytes(written(facts_table(), compression=compression))
    writer = MemoryWriter()
    report = load([path], writer)
    assert writer.facts == FACTS
    assert report.files[0].format == "parquet"
    assert not report.notes
    options = LoadOptions(format="parquet", columns=("tail", "relation", "head"))
    assert load_bytes(path.read_bytes(), options)[0] == {Fact(f.tail, f.relation, f.head) for f in FACTS}


@pytest.mark.parametrize("name", ["facts.csv", "facts.ttl", "facts.txt"])
def test_parquet_by_another_name_is_found_and_said(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(written(facts_table()))
    writer = MemoryWriter()
    report = load([path], writer)
    assert writer.facts == FACTS
    called = {"facts.csv": "delimited text", "facts.ttl": "Turtle"}.get(name)
    assert report.notes == ((f"{path} is named like {called}, but is Parquet, and was read so",) if called else ())


def test_what_is_said_must_be_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a Parquet file, and CSV was said"):
        load_bytes(written(facts_table()), LoadOptions(format="csv"))
    with pytest.raises(InputError, match="is no Parquet file, and Parquet was said"):
        load_bytes(b"a|r|b\n", LoadOptions(format="parquet"))
    with pytest.raises(InputError, match="is named like Parquet, but isn't"):
        load_bytes(b"a|r|b\n", name="x.parquet")
    with pytest.raises(InputError, match="its header has no column 'x'"):
        load_bytes(written(facts_table()), LoadOptions(columns=("x", "head", "tail")))


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_stream_is_read_by_way_of_a_copy(pack: type[bytes]) -> None:
    assert load_bytes(pack(written(facts_table())))[0] == FACTS


def test_a_file_cut_off_is_an_error(tmp_path: Path) -> None:
    content = written(facts_table())
    for size in (4, 5, 100, len(content) - 1):
        writer = MemoryWriter()
        with pytest.raises(InputError, match="is a damaged Parquet file, or one cut off") as caught:
            load([Source("x", stream=io.BytesIO(content[:size]))], writer)
        assert "\n" not in str(caught.value)
        assert not writer.calls


def test_damage_in_the_middle_keeps_the_rows_before() -> None:
    rng = random.Random(1)
    names = [str(rng.getrandbits(60)) for _ in range(200_000)]
    table = pa.table({"head": names, "relation": ["r"] * len(names), "tail": names})
    content = bytearray(written(table, row_group_size=20_000, compression="none", write_page_checksum=True))
    content[len(content) // 2 : len(content) // 2 + 1000] = bytes(1000)
    writer = MemoryWriter()
    with pytest.raises(InputError, match=r"damaged Parquet file.*earlier rows may be in the store"):
        load([Source("x", stream=io.BytesIO(content))], writer, options=LoadOptions(batch_size=1000))
    assert 50_000 < len(writer.facts) < 150_000


def test_cells_that_cannot_be_had_set_their_rows_aside() -> None:
    buffers = pa.array([b"ok", b"caf\xe9", b"x", b"y"]).buffers()
    text = pa.Array.from_buffers(pa.string(), 4, buffers)
    when = pa.array([0, 1, 10**15, 2], pa.timestamp("s"))
    _, rows, rejected = read_rows(written(pa.table({"text": text, "when": when})))
    assert [line for line, _ in rows] == [1, 4]
    assert [(r.line, r.reason) for r in rejected] == [(2, Reason.NOT_UTF8), (3, Reason.BAD_VALUE)]
    assert rejected[0].detail == "text, byte 0xe9 at 4"
    assert rejected[1].detail.startswith("when: ")
    assert rejected[1].row == "x\t"
    # Of a column that isn't needed, nothing is read.
    assert not read_rows(written(pa.table({"text": text, "n": [1, 2, 3, 4]})), LoadOptions(needed=("n",)))[2]


def test_only_the_needed_columns_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    blobs = [random.Random(n).randbytes(1000) for n in range(2000)]
    path.write_bytes(written(pa.table({"n": range(2000), "blob": blobs}), compression="none"))
    content = bytearray(path.read_bytes())
    place = content.index(blobs[1000])
    content[place - 4 : place] = b"\xff\xff\xff\xff"  # the length of a value: the column can't be read any more
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        read_rows(path)
    assert len(read_rows(path, LoadOptions(needed=("n",)))[1]) == 2000


def test_ids_of_mixed_types_are_one_id(tmp_path: Path) -> None:
    writer = MemoryWriter()
    for place, heads in enumerate(
        [pa.array([1]), pa.array([1.0]), pa.array(["1"]), pa.array([1], pa.decimal128(5, 2))]
    ):
        table = pa.table({"head": heads, "relation": ["r"], "tail": [str(place)]})
        (tmp_path / f"{place}.parquet").write_bytes(written(table))
    load([tmp_path], writer)
    assert writer.facts == {Fact("1", "r", str(place)) for place in range(4)}


def test_no_rows_no_columns_and_columns_twice() -> None:
    with pytest.raises(InputError, match="has no facts"):
        load_bytes(written(facts_table().slice(0, 0)))
    assert read_rows(written(pa.table({})))[1] == []
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pytest.raises(InputError, match="its header has more than one column 'a'"):
        load_bytes(written(twice), LoadOptions(columns=("a", "b", "c")))


def test_memory_is_bounded_by_a_batch_not_by_a_row_group(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    rng = random.Random(1)
    with pq.ParquetWriter(path, pa.schema([("text", pa.string())])) as out:
        out.write_table(pa.table({"text": [rng.randbytes(500).hex() for _ in range(100_000)]}))
    code = """
import resource, sys
from pathlib import Path
from ingest import LoadOptions, Source
from ingest.readers import read
before = None
with Source("x", path=Path(sys.argv[1])).open() as stream:
    for block in read(stream, LoadOptions(), print).records:
        before = before or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True, timeout=60)
    first, last = map(int, done.stdout.split())
    assert last - first < 60_000  # KiB; the row group holds 100 MB


def test_nothing_heavy_is_imported_for_other_formats(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"head":"a","relation":"r","tail":"b"}\n')
    (tmp_path / "b.csv").write_text("a,r,b\n")
    code = """
import sys
from pathlib import Path
from ingest import LoadOptions, Source
from ingest.readers import read
for name in sys.argv[1:]:
    with Source(name, path=Path(name)).open() as stream:
        print(*(block.columns for block in read(stream, LoadOptions(), print).records))
print(*sorted({"pyarrow.parquet", "pyoxigraph", "backports.zstd"} & set(sys.modules)))
"""
    names = [tmp_path / "a.jsonl", tmp_path / "b.csv"]
    done = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-1] == ""
