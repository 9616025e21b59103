"""``kgqa ingest``: reports, bad inputs each in one line with nothing left behind, a real interrupt."""

from __future__ import annotations

import gzip
import io
import json
import random
import signal
import sqlite3
import sys
import time
from pathlib import Path

import pytest

from graph_schema import Fact, StoreError
from kgqa.stores import open_store
from tests.command import Kgqa, started
from tests.docs.repository import ROOT

STORE = ("--store", "sqlite:///new.db")
FILMS = ROOT / "examples/films/kb.txt.gz"
ALL_FACTS = 133_582
BATCH = 50  # facts of a batch, so that the load is long enough to be interrupted

BAD_FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "blank": (b"\n \n\n", "is empty"),
    "binary": (random.Random(1).randbytes(5000), "is binary, not text"),
    "columns": (b"a|b|c|d\ne|f|g|h\n", "wrong number of fields: 4, not 3"),
    "prose": (b"just some prose\nand more of it\n", "wrong number of fields"),
    "latin": (b"caf\xe9|r|b\n", "not valid UTF-8: byte 0xe9 at 4"),
    "database": (b"SQLite format 3\0" + bytes(5000), "is an SQLite database"),
    "archive": (b"PK\x03\x04" + bytes(100), "is a zip archive"),
    "half": (gzip.compress(random.Random(1).randbytes(5000).hex().encode())[:2000], "gzip data ends too early"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_named_and_leaves_no_store(kgqa: Kgqa, tmp_path: Path, name: str) -> None:
    content, said = BAD_FILES[name]
    (tmp_path / name).write_bytes(content)
    kgqa("ingest", name, *STORE).failed(f"{name}: ", said)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_missing_file_and_a_directory(kgqa: Kgqa, tmp_path: Path) -> None:
    kgqa("ingest", "gone.txt", *STORE).failed("gone.txt: no such file")
    (tmp_path / "folder").mkdir()
    kgqa("ingest", "folder", *STORE).failed("folder: is a folder without data files")
    (tmp_path / "facts").write_text("a|r|b\n", "utf-8")
    kgqa("ingest", "facts", "gone.txt", *STORE).failed("gone.txt: no such file")
    assert {path.name for path in tmp_path.iterdir()} == {"folder", "facts"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--columns", "nonsense"), "columns: "),
        (("--columns", "0,1"), "columns: "),
        (("--columns", "0,1,1"), "columns: "),
        (("--columns", "0,,1"), "facts: its header has no column ''"),
        (("--columns", "0,1,99"), "wrong number of fields: 3, not 100"),
        (("--columns", "from,how,to"), "facts: "),
        (("--format", "xml"), "format: 'xml' is no format"),
        (("--header", "maybe"), "header: "),
        (("--schema", "gone.yaml"), "gone.yaml: can't read the schema"),
        (("--schema", "facts"), "facts: a schema is a YAML mapping"),
        (("--max-errors", "0"), "facts:2: more than 0 bad lines"),
    ],
)
def test_wrong_options_leave_no_store(kgqa: Kgqa, tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    (tmp_path / "facts").write_text("a|r|b\nbad\n", "utf-8")
    kgqa("ingest", "facts", *options, *STORE).failed(said)
    assert [path.name for path in tmp_path.iterdir()] == ["facts"]


def test_a_bad_file_leaves_a_store_as_it_was(kgqa: Kgqa, tmp_path: Path) -> None:
    (tmp_path / "facts").write_text("a|r|b\n", "utf-8")
    (tmp_path / "bad").write_text("x|y\n", "utf-8")
    kgqa("ingest", "facts", *STORE).succeeded()
    before = kgqa("store", "info", "--json", *STORE).succeeded()
    kgqa("ingest", "bad", *STORE).failed("bad: of 1 line none")
    assert kgqa("store", "info", "--json", *STORE).succeeded() == before


def test_lines_set_aside_are_shown_with_their_place(kgqa: Kgqa, tmp_path: Path) -> None:
    (tmp_path / "facts").write_bytes(b"a|r|b\nbad\nc|r|d\ncaf\xe9|r|b\na|r|b\n")
    done = kgqa("ingest", "facts", *STORE)
    assert done.status == 0
    assert "3 facts read: 2 new, 1 there already or repeated; 4 new entities" in done.out
    assert "2 lines set aside:" in done.out
    assert "  facts:2: wrong number of fields: 1, not 3\n" in done.out
    assert "  facts:4: not valid UTF-8: byte 0xe9 at 4\n" in done.out
    assert "They are kept in facts.rejected.jsonl: mend them there, and load it with the same command." in done.out
    again = kgqa("ingest", "facts", *STORE).succeeded()
    assert "3 facts read: 0 new, 3 there already or repeated; 0 new entities" in again


def test_the_report_as_json(kgqa: Kgqa, tmp_path: Path) -> None:
    (tmp_path / "facts").write_text("a|r|b\nbad [x]\n", "utf-8")
    report = json.loads(kgqa("ingest", "facts", "--json", *STORE).succeeded())
    assert (report["created"], report["merged"]) == (1, 0)
    assert report["rejected"] == {"wrong number of fields": 1}


def test_standard_input(kgqa: Kgqa, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for content, status in ((b"", 1), (b"subject,predicate,object\na,r,b\n", 0)):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        done = kgqa("ingest", "-", *STORE)
        assert done.status == status
        assert (tmp_path / "new.db").exists() == (status == 0)
    info = json.loads(kgqa("store", "info", "--json", *STORE).succeeded())
    assert (info["facts"], info["relations"]) == (1, ["r"])


def facts_in(path: Path) -> int:
    """How many facts the store has so far; 0 while it is being made."""
    try:
        store = open_store(f"sqlite:///{path}")
    except StoreError:
        return 0
    try:
        return store.info().facts
    finally:
        store.close()


def test_ctrl_c_leaves_whole_batches_and_the_same_command_goes_on(kgqa: Kgqa, tmp_path: Path) -> None:
    load = ("ingest", FILMS, "--batch-size", BATCH, *STORE)
    process = started(tmp_path, *load)
    until = time.monotonic() + 60
    while facts_in(tmp_path / "new.db") == 0:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err == "stopped; what was finished before is kept, run the same command to go on\n"
    with sqlite3.connect(tmp_path / "new.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    store = open_store(f"sqlite:///{tmp_path / 'new.db'}")
    kept = store.info().facts
    assert 0 < kept < ALL_FACTS
    assert kept % BATCH == 0
    assert len(set(store.all_facts())) == kept
    with gzip.open(FILMS, "rt", encoding="utf-8") as lines:
        first = [Fact(*next(lines).rstrip("\n").split("|")) for _ in range(BATCH)]
    assert all(store.holds(first))
    store.close()
    said = kgqa(*load).succeeded()
    assert f"{ALL_FACTS:,} new" in said  # of the load as a whole
    assert json.loads(kgqa("store", "info", "--json", *STORE).succeeded())["facts"] == ALL_FACTS


def test_what_was_set_aside_is_mended_and_loaded_by_the_same_command(kgqa: Kgqa, tmp_path: Path) -> None:
    (tmp_path / "facts").write_text("a|r|b\nc|r\nd|r|\n", "utf-8")
    report = json.loads(kgqa("ingest", "facts", "--json", *STORE).succeeded())
    assert report["quarantine"] == "facts.rejected.jsonl"
    kept = tmp_path / "facts.rejected.jsonl"
    text = kept.read_text("utf-8")
    kept.write_text(text.replace('"c|r"', '"c|r|d"').replace('["d", "r", ""]', '["d", "r", "e"]'), "utf-8")
    again = json.loads(kgqa("ingest", "facts.rejected.jsonl", "--json", *STORE).succeeded())
    assert (again["created"], again["rejected"]) == (2, {})
    assert kgqa("loads", "of", "c", "r", "d", *STORE).succeeded().count(f"{tmp_path / 'facts'}:2") == 1
    (tmp_path / "own").mkdir()
    kgqa("ingest", "facts", "--quarantine", "own/kept.jsonl", *STORE).succeeded()
    assert (tmp_path / "own/kept.jsonl").read_text("utf-8") == text
    assert kept.read_text("utf-8") != text
    kgqa("ingest", "facts", "--no-quarantine", *STORE).succeeded()
    kgqa("ingest", "facts", "--dry-run", *STORE).succeeded()
    assert {path.name for path in tmp_path.iterdir() if "rejected" in path.name} == {kept.name}


def test_offline_writes_files_and_says_the_command(kgqa: Kgqa, tmp_path: Path) -> None:
    (tmp_path / "facts").write_text("a|r|b\nbad\nc|s|d\n", "utf-8")
    out = kgqa("ingest", "facts", "--offline", "files", *STORE).succeeded()
    assert "2 facts read: 2 new" in out
    assert "loads undo" not in out
    (command,) = (line for line in out.splitlines() if line.startswith("  neo4j-admin database import full neo4j "))
    named = [word.partition("=")[2] for word in command.split() if word.startswith(("--nodes=", "--relationships="))]
    assert len(named) > 2
    assert all((tmp_path / "files").samefile(Path(name).parent) and Path(name).is_file() for name in named)
    assert f"docker run --rm -v VOLUME:/data -v {tmp_path / 'files'}:/import:ro neo4j" in out
    assert not (tmp_path / "new.db").exists()
    assert "--store sqlite:///new.db was left as it is: --offline writes files alone.\n" in out
    assert not (tmp_path / "new.db").exists()
    plain = json.loads(kgqa("ingest", "facts", "--offline", "files", "--json", *STORE).succeeded())["import"]
    assert (plain["facts"], plain["entities"], plain["command"]) == (2, 4, command.strip())
    for flag in ("--replace", "--dry-run"):
        kgqa("ingest", "facts", "--offline", "more", flag, *STORE).failed("--offline", f"Leave {flag} out")


def test_a_folder_with_the_store_and_the_report_in_it_is_loaded_again(kgqa: Kgqa, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/facts.tsv").write_text("a\tr\tb\nbad\n", "utf-8")
    own = ("--store", "sqlite:///data/g.db", "--report", "data/report.json", "--quarantine", "data/bad.jsonl")
    assert "1 fact read: 1 new" in kgqa("ingest", "data", *own).succeeded()
    for given in ("data", "data/*"):
        for options, what in ((own, "what this command writes"), (own[:2], "the report of a load")):
            again = kgqa("ingest", given, *options).succeeded()
            assert f"data/report.json is {what}, and is left out" in again
            assert "1 fact read: 0 new" in again
    kgqa("ingest", "data/report.json", *own[:2]).failed("data/report.json: is one JSON document")


def test_an_older_quarantine_is_told_by_its_new_name(kgqa: Kgqa, tmp_path: Path) -> None:
    (tmp_path / "x.tsv").write_text("a\tr\tb\nbad\n", "utf-8")
    (tmp_path / "x.tsv.rejected.jsonl").write_text("of another load\n", "utf-8")
    out = kgqa("ingest", "x.tsv", *STORE).succeeded()
    assert "They are kept in x.tsv.rejected.jsonl: mend" in out
    assert "An older file of that name is x.tsv.rejected.jsonl.1 now.\n" in out
    assert (tmp_path / "x.tsv.rejected.jsonl.1").read_text("utf-8") == "of another load\n"
