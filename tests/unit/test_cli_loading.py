"""Progress: on a terminal one line that fits it; else a line now and then, none if it isn't wanted."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

import ingest
from kgqa.cli.loading import LoadingBar


def told(quiet: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, total: int | None) -> str:
    clock = iter(range(0, 1000, 2))
    monkeypatch.setattr("kgqa.cli.loading.time.monotonic", lambda: float(next(clock)))
    with LoadingBar(quiet=quiet) as bar:
        for step in range(1, 7):
            bar(ingest.Progress("/data/films.tsv", 100 * step, total, 1000 * step, 900 * step, step // 4))
    return capsys.readouterr().err


def test_a_line_every_few_seconds(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    lines = told(False, capsys, monkeypatch, 1000).splitlines()
    assert len(lines) < 6, "not one for each step"
    assert lines[0].startswith("films.tsv: 20%, 2,000 lines, ")
    assert " a second, 1,800 facts, about " in lines[0]
    assert lines[0].endswith(" s left")
    assert ", 1 set aside" in lines[-1]


def test_without_a_size_there_is_no_share(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    line = told(False, capsys, monkeypatch, None).splitlines()[0]
    assert line.startswith("films.tsv: 2,000 lines, ")
    assert "left" not in line


def test_quiet_is_quiet(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(True, capsys, monkeypatch, 1000) == ""


def shown(width: int, name: str, total: int | None, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines that a terminal of this width shows of a large load, without styles."""
    clock = [0.0]
    screen = io.StringIO()
    console = Console(
        file=screen,
        width=width,
        force_terminal=True,
        highlight=False,
        get_time=lambda: clock[0],
        _environ={"TERM": "xterm"},
    )
    monkeypatch.setattr("kgqa.cli.common.errors", console)
    monkeypatch.setattr("kgqa.cli.loading.time.monotonic", lambda: clock[0])
    with LoadingBar(quiet=False) as bar:
        for share in range(54):
            clock[0] += 10
            bar(ingest.Progress(f"/data/{name}", share, total, share * 100_000, share * 90_000, 160 if share else 0))
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())
    return [line.rstrip() for part in plain.split("\n") for line in part.split("\r") if line.strip()]


def test_all_that_matters_fits_a_terminal_of_eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("big.tsv", "a-very-long-name-of-a-file-of-facts.with.dots.tsv.gz"):
        last = shown(80, name, 100, monkeypatch)[-1]
        assert len(last) <= 80
        assert last.startswith(name[:7])
        assert re.search(r" 53% 0[78]:\d\d left 5,300,000 lines, [\d,]+/s, 160 set aside$", last), last


def test_a_wide_terminal_shows_a_bar_and_facts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    last = shown(140, "big.tsv", 100, monkeypatch)[-1]
    assert "━" in last
    assert last.endswith("160 set aside, 4,770,000 facts")


def test_a_narrow_terminal_shows_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    last = shown(50, "big.tsv", 100, monkeypatch)[-1]
    assert len(last) <= 50
    assert re.match(r" *53% 0[78]:\d\d left 5,300,000 lines", last), last


def test_without_a_size_a_terminal_shows_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    last = shown(80, "<stdin>", None, monkeypatch)[-1]
    assert "left" not in last
    assert "%" not in last
    assert re.search(r"5,300,000 lines, [\d,]+/s, 160 set aside$", last), last
