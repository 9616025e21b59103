"""What is given and what is read: folders, patterns, one file by two names, and every compression."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from backports import zstd

from graph_schema import Fact, InputError
from ingest import LoadOptions, MappingFile, Source, expand, files_of, load
from ingest.quarantine import Quarantine
from tests.unit.ingest_helpers import MemoryWriter, load_bytes

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "Zstandard": lambda content: zstd.compress(content, options={zstd.CompressionParameter.checksum_flag: 1}),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}
FACTS = {Fact("a", "r", "b"), Fact("c", "r", "d")}


def names(given: list[str | Path], root: Path, notes: list[str] | None = None) -> list[str]:
    found = expand(given, (notes if notes is not None else []).append)
    return [source.path.relative_to(root).as_posix() if source.path else source.name for source in found]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in (
        "b.csv",
        "a.tsv.gz",
        "sub/c.JSONL",
        "sub/deep/d.ttl.zst",
        ".hidden.csv",
        "sub/.git/e.csv",
        "README.md",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"a|r|b\n")
    return tmp_path


def test_a_folder_is_the_data_files_in_it_sorted(tree: Path) -> None:
    notes: list[str] = []
    assert names([tree], tree, notes) == ["a.tsv.gz", "b.csv", "sub/c.JSONL", "sub/deep/d.ttl.zst"]
    assert notes == [f"{tree}: left out, not named like data: 1 file (README.md)"]


def test_a_pattern_is_expanded_sorted_without_hidden_files(tree: Path) -> None:
    assert names([f"{tree}/*.csv"], tree) == ["b.csv"]
    assert names([f"{tree}/**/*.[cj]s*"], tree) == ["b.csv"]
    assert names([f"{tree}/**"], tree) == ["README.md", "a.tsv.gz", "b.csv", "sub/c.JSONL", "sub/deep/d.ttl.zst"]


def test_a_file_named_like_a_pattern_is_itself(tmp_path: Path) -> None:
    for name in ("[ab].csv", "a.csv"):
        (tmp_path / name).write_bytes(b"a|r|b\n")
    assert names([tmp_path / "[ab].csv"], tmp_path) == ["[ab].csv"]
    assert names([tmp_path / "[ab]*.csv"], tmp_path) == ["a.csv"]


def test_rejected_rows_beside_the_data_are_left_out_unless_named(tmp_path: Path) -> None:
    (tmp_path / "facts.csv").write_bytes(b"a,r,b\n")
    (tmp_path / "bad.tsv").write_bytes(b"a\tr\tb\nbad\n")
    own = tmp_path / "rejected.jsonl"
    load([tmp_path / "bad.tsv"], MemoryWriter(), options=LoadOptions(rejects=(held := Quarantine(own))))
    held.close()
    (tmp_path / "bad.tsv").unlink()
    (tmp_path / "more.jsonl").write_bytes(b'{"file": "not one of these", "quarantine": 1}\n')
    notes: list[str] = []
    assert names([tmp_path], tmp_path, notes) == ["facts.csv", "more.jsonl"]
    assert names([f"{tmp_path}/*.jsonl"], tmp_path, notes) == ["more.jsonl"]
    assert notes == [f"{own} holds rejected rows, and is left out; name it to load it"] * 2
    assert names([own], tmp_path) == ["rejected.jsonl"]


@pytest.mark.parametrize("link", [os.symlink, os.link, shutil.copy])
def test_the_same_file_by_two_paths_is_read_once(
    link: Callable[[Path, Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path, other = tmp_path / "a.csv", tmp_path / "b.csv"
    path.write_bytes(b"a,r,b\n")
    link(path, other)
    notes: list[str] = []
    found = expand([path, "a.csv", "./*.csv", path, Source("x", path=path)], notes.append)
    if link is shutil.copy:  # of the same content, but another file
        assert [source.path for source in found] == [path, Path("b.csv")]
    else:
        assert [source.path for source in found] == [path]
        assert f"b.csv is the same file as {path}, and is read once" in notes
    assert f"a.csv is the same file as {path}, and is read once" in notes


def test_a_pattern_or_folder_without_a_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\*\.csv: no file fits this pattern"):
        expand([f"{tmp_path}/*.csv"])
    with pytest.raises(InputError, match="is a folder without data files"):
        expand([tmp_path])
    (tmp_path / "notes.md").write_bytes(b"x")
    with pytest.raises(InputError, match=r"without data files; it has notes\.md\. .*\.csv or \.ttl\.gz"):
        expand([tmp_path])


def test_a_folder_that_may_not_be_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InputError, match="can't be looked into: Permission denied"):
        expand([tmp_path])


def test_a_folder_of_unreadable_files_names_the_first(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    writer = MemoryWriter()
    with pytest.raises(InputError, match=r"a\.tsv\.gz: may not be read"):
        load([tree], writer)
    assert not writer.calls


def test_what_cannot_be_looked_at_is_left_to_its_check() -> None:
    assert [source.name for source in expand(["a\0*b", "-", "gone.csv"])] == ["a\0*b", "<stdin>", "gone.csv"]


@pytest.mark.parametrize("how", PACKERS)
def test_every_compression_is_found_by_content(how: str, tmp_path: Path) -> None:
    pack = PACKERS[how]
    path = tmp_path / "facts.txt"
    path.write_bytes(pack(b"a|r|b\n") + pack(b"c|r|d\n"))
    writer = MemoryWriter()
    load([path], writer)
    assert writer.facts == FACTS


def test_a_skippable_frame_before_the_data_is_zstandard_too() -> None:
    start = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"
    assert load_bytes(start + zstd.compress(b"a|r|b\nc|r|d\n"))[0] == FACTS


@pytest.mark.parametrize("how", PACKERS)
def test_compressed_data_cut_off_keep_what_came_before(how: str, tmp_path: Path) -> None:
    rng = random.Random(2)
    packed = PACKERS[how](b"".join(b"%d|r|%d\n" % (rng.getrandbits(60), i) for i in range(100_000)))
    path = tmp_path / "facts"
    path.write_bytes(packed[: len(packed) * 3 // 4])
    writer = MemoryWriter()
    with pytest.raises(InputError, match=f"the {how} data ends too early.*stay.*isn't doubled"):
        load([path], writer)
    assert 0 < len(writer.facts) < 90_000


@pytest.mark.parametrize("how", PACKERS)
def test_compressed_data_that_are_damaged(how: str) -> None:
    packed = bytearray(PACKERS[how](random.Random(2).randbytes(200_000).hex().encode()))
    for place in range(len(packed) // 2, len(packed) // 2 + 100):
        packed[place] ^= 0x5A
    with pytest.raises(InputError, match=f"the {how} data is damaged"):
        load_bytes(bytes(packed))


@pytest.mark.parametrize("how", PACKERS)
def test_a_stream_in_drops_is_read_like_any_other(how: str) -> None:
    class Drops(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(size, 3) if size is not None and size >= 0 else 3)

    writer = MemoryWriter()
    load([Source("x", stream=Drops(PACKERS[how](b"a|r|b\nc|r|d\n")))], writer)
    assert writer.facts == FACTS


def test_a_window_too_large_for_memory_is_refused() -> None:
    options: dict[int, int] = {
        zstd.CompressionParameter.window_log: 31,
        zstd.CompressionParameter.enable_long_distance_matching: 1,
    }
    packer = zstd.ZstdCompressor(options=options)
    with pytest.raises(InputError, match=r"the Zstandard data is damaged .*memory"):
        load_bytes(packer.compress(b"a|r|b\n" * 100_000) + packer.flush())


def test_a_disk_that_fails_at_once_is_an_input_error() -> None:
    class Broken(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise OSError(5, "Input/output error")

    broken: Any = Broken()
    with pytest.raises(InputError, match="x: can't be read on: Input/output error"):
        load([Source("x", stream=broken)], MemoryWriter())


@pytest.mark.parametrize("pack", [bytes, zstd.compress])
def test_a_stream_can_be_had_as_a_file(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    content = random.Random(1).randbytes(100_000).hex().encode()
    path = tmp_path / "x"
    path.write_bytes(pack(content))
    for source in (Source("x", path=path), Source("x", stream=io.BytesIO(pack(content)))):
        with source.open() as stream, stream.seekable() as file:
            file.seek(150_000)
            assert file.read() == content[150_000:]
            file.seek(0)
            assert file.read() == content


def test_no_room_for_the_copy_of_a_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def write(self, _: object) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: Full())
    with (
        Source("x", stream=io.BytesIO(b"a|r|b\n")).open() as stream,
        pytest.raises(InputError, match=r"x: needs a temporary copy.*No space left on device.*TMPDIR"),
        stream.seekable(),
    ):
        pass


def test_what_kgqa_wrote_is_left_out_unless_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    own = ["report.json", "g.db", "g.db-wal", "out/nodes.csv", "old.csr/current.json", "old.csr/v-1/x.txt", "said.json"]
    for name in ("facts.csv", "deep/more.csv", *own):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(b"a|r|b\n")
    Path("said.json").write_text('{\n "load": "20261129-154653-00001",\n "files": [\n')
    written = [tmp_path / name for name in ("report.json", "g.db", "g.db-wal", "out")]
    for given in (".", "**"):
        notes: list[str] = []
        found = [source.name for source in expand([given], notes.append, written)]
        assert found == ["deep/more.csv", "facts.csv"]
        assert "report.json is what this command writes, and is left out; name it to load it" in notes
        assert "said.json is the report of a load, and is left out; name it to load it" in notes
        assert [note.split()[0] for note in notes if "snapshot" in note] == ["old.csr"]
        assert not any("not named like data" in note for note in notes)
    named = ["report.json", "g.db", "said.json", "out", "out/*", "old.csr/current.json"]
    assert [source.name for source in expand(named, own=written)] == [*named[:3], "out/nodes.csv", named[5]]


def test_of_a_mappings_patterns_what_kgqa_wrote_is_left_out(tmp_path: Path) -> None:
    mapping = MappingFile.from_yaml("sources: [{files: ['*.json', said.json], triples: [h, r, t]}]")
    (tmp_path / "facts.json").write_bytes(b'{"h": "a", "r": "r", "t": "b"}\n')
    (tmp_path / "said.json").write_text('{\n "load": "20261129-154653-00001",\n "files": [\n')
    (tmp_path / "mine.json").write_bytes(b"{}")
    notes: list[str] = []
    found = files_of(mapping, tmp_path, notes.append, [tmp_path / "mine.json"])
    assert [Path(source.name).name for source in found] == ["facts.json", "said.json"]
    assert len(notes) == 2
