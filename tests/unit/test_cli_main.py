"""What holds for every command: usage errors, settings, versions, pipes that close."""

from __future__ import annotations

import re
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.command import COMMAND, Kgqa, clean_environment


def test_version(kgqa: Kgqa) -> None:
    assert kgqa("--version").succeeded() == f"kgqa {version('kgqa')}\n"


def test_without_a_command_the_help_is_shown(kgqa: Kgqa) -> None:
    for words, commands in (
        ((), ("ingest", "ask", "train", "bench")),
        (("store",), ("info",)),
        (("bench",), ("metaqa",)),
    ):
        done = kgqa(*words)
        assert done.status == 2
        assert done.err == ""
        for command in commands:
            assert re.search(rf"^│ {command} ", done.out, re.MULTILINE), command


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("inget", "x"), "No such command 'inget'. Did you mean 'ingest'?"),
        (("store", "inf"), "Did you mean 'info'? See kgqa store --help"),
        (("ingest", "x", "--bogus"), "No such option: --bogus"),
        (("ask", "x", "--stor", "y"), "--store"),
        (("ask", "x", "--threads", "abc"), "--threads"),
        (("ask", "x", "--top", "0"), "--top"),
        (("ingest",), "'files': give files to load, - for standard input, or --mapping. See kgqa ingest --help"),
        (("train", "q.tsv"), "Missing option '--out'. See kgqa train --help"),
    ],
)
def test_wrong_usage_is_said_in_one_line(kgqa: Kgqa, words: tuple[str, ...], said: str) -> None:
    kgqa(*words).failed(said, status=2)


def test_an_unknown_setting_in_the_environment_is_refused(kgqa: Kgqa, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KGQA_STOER", "sqlite:///x.db")
    kgqa("store", "info").failed("KGQA_STOER", "Known are: ", "store")


def test_an_unknown_key_in_the_settings_file_is_refused(kgqa: Kgqa, tmp_path: Path) -> None:
    (tmp_path / "kgqa.toml").write_text('stoer = "x"\nbudget = 3\n', "utf-8")
    kgqa("store", "info").failed("kgqa.toml: stoer, kgqa.toml: budget")


def test_a_wrong_value_is_refused(kgqa: Kgqa) -> None:
    kgqa("ask", "x", "--threads", "0").failed("threads: ", "greater than 0")


@pytest.mark.parametrize("url", ["mysql://x", "films.db", "", "sqlite://x", "sqlite:///", "neo4j://"])
@pytest.mark.parametrize("words", [("store", "info"), ("schema",), ("ask", "who")])
def test_a_url_of_no_known_kind_is_refused(kgqa: Kgqa, words: tuple[str, ...], url: str) -> None:
    kgqa(*words, "--store", url).failed("store", "Use sqlite:///")


@pytest.mark.parametrize("scheme", ["neo4j", "bolt"])
@pytest.mark.parametrize("words", [("store", "info"), ("schema",), ("ask", "who"), ("ingest", "facts")])
def test_a_store_that_does_not_answer(kgqa: Kgqa, tmp_path: Path, scheme: str, words: tuple[str, ...]) -> None:
    (tmp_path / "facts").write_text("a|r|b\n", "utf-8")
    url = f"{scheme}://someone:secret@127.0.0.1:1"
    done = kgqa(*words, "--store", url)
    done.failed(f"{scheme}://127.0.0.1:1: no Neo4j answers")
    assert "secret" not in done.err


@pytest.mark.parametrize("words", [("store", "info"), ("schema",), ("ask", "who")])
def test_a_store_that_is_not_there_is_not_made(kgqa: Kgqa, tmp_path: Path, words: tuple[str, ...]) -> None:
    kgqa(*words, "--store", "sqlite:///no.db").failed("no.db: there is no store at this path", "kgqa ingest")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [("store", "info"), ("ask", "who"), ("ingest", "facts")])
def test_a_file_that_is_no_store_is_left_alone(kgqa: Kgqa, tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "facts").write_text("a|r|b\n", "utf-8")
    (tmp_path / "notes.txt").write_text("my notes\n" * 100, "utf-8")
    kgqa(*words, "--store", "sqlite:///notes.txt").failed("notes.txt: that file is not a kgqa store")
    assert (tmp_path / "notes.txt").read_text("utf-8") == "my notes\n" * 100


def test_a_reader_that_goes_away_ends_it_quietly(kgqa: Kgqa, tmp_path: Path) -> None:
    (tmp_path / "facts").write_text("".join(f"a|r{i}|b\n" for i in range(3000)), "utf-8")
    kgqa("ingest", "facts", "--store", "sqlite:///x.db").succeeded()
    done = subprocess.run(
        ["bash", "-c", '"$@" | head -1', "bash", *COMMAND, "schema", "--store", "sqlite:///x.db"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "version: 1\n"
    assert done.stderr == ""
