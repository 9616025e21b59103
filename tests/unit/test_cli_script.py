"""Scripts of benchmarks/ end as the commands do: what whoever runs them can mend is said on one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import ceiling
from graph_schema import InputError
from kgqa.cli.common import script


def raising(error: BaseException) -> Callable[[], None]:
    def main() -> None:
        raise error

    return main


def ends(error: BaseException) -> object:
    with pytest.raises(SystemExit) as ended:
        script(raising(error))
    return ended.value.code


def test_what_can_be_mended_is_said_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert ends(InputError("it is empty", where="a file", fix="Give another")) == 1
    assert capsys.readouterr().err.splitlines() == ["error: a file: it is empty. Give another"]
    assert ends(FileNotFoundError(2, "No such file or directory", "questions.csv")) == 1
    assert capsys.readouterr().err.splitlines() == ["error: questions.csv: No such file or directory"]


def test_an_interrupt_is_told_from_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert ends(KeyboardInterrupt()) == 130
    assert "stopped" in capsys.readouterr().err


def test_what_nobody_can_mend_is_let_through() -> None:
    for error in (ValueError("a fault of ours"), OSError("no file's")):
        with pytest.raises(type(error)):
            script(raising(error))


def test_a_wrong_path_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["ceiling.py", str(tmp_path / "nowhere")])
    with pytest.raises(SystemExit) as ended:
        script(ceiling.main)
    assert ended.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert "nowhere: no such directory" in line
