"""Progress where there is no terminal: a line now and then, none if it isn't wanted."""

from __future__ import annotations

import pytest

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
