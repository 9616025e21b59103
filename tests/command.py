"""Runs the command ``kgqa``: in this process, as ``kgqa`` in a shell would, or in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from kgqa.cli import main

Kgqa = Callable[..., "Done"]
COMMAND = (sys.executable, "-c", "from kgqa.cli import main; main()")


@dataclass(frozen=True)
class Done:
    """What a run left: exit status and output."""

    status: int
    out: str
    err: str

    def failed(self, *parts: str, status: int = 1) -> None:
        """Check that it ended with one clear line that has these parts in it."""
        assert self.status == status, self
        assert self.out == ""
        assert self.err.startswith("error: "), self.err
        assert self.err.count("\n") == 1, self.err
        for part in parts:
            assert part in self.err

    def failed_after_lines(self, *parts: str) -> None:
        """The same, after lines that say how far it came."""
        *before, last = self.err.splitlines(keepends=True)
        assert not [line for line in before if line.startswith("error: ")], self.err
        Done(self.status, self.out, last).failed(*parts)

    def succeeded(self) -> str:
        """Check that it ended well; gives its output."""
        assert self.status == 0, self.err
        return self.out


def clean_environment() -> dict[str, str]:
    """This process's environment without kgqa's settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("KGQA_")}


@pytest.fixture
def kgqa(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Kgqa:
    """Runs the command in this process, in a scratch directory, without settings from outside."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ.keys() - clean_environment().keys():
        monkeypatch.delenv(name)

    def run(*words: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["kgqa", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Done(ended.value.code, captured.out, captured.err)

    return run


def started(folder: Path, *words: object) -> subprocess.Popen[str]:
    """The command in a process of its own, in ``folder``; to be waited for, or stopped, by the caller."""
    return subprocess.Popen(
        [*COMMAND, *map(str, words)],
        cwd=folder,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
