"""Ctrl-C at any moment of a command: one clear line that says what is left, status 130, no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import Kgqa, clean_environment

# A process that gets a real SIGINT at the moment it begins to import the module named first.
INTERRUPTED_AT = """
import os, signal, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == MODULE:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Finder())
from kgqa.cli import main
main()
"""
GOES_ON = "stopped; what was finished before is kept, run the same command to go on\n"
UNANSWERED = "stopped; the question was not answered to its end, and nothing in the store was changed\n"
AGAIN = "stopped; run the same command to start again\n"


def interrupted(folder: Path, module: str, *words: object) -> subprocess.CompletedProcess[str]:
    code = f"MODULE = {module!r}{INTERRUPTED_AT}"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("module", "words", "said"),
    [
        ("kgqa.cli.commands", ("ask", "who"), UNANSWERED),
        ("typer", ("store", "info"), AGAIN),
        ("pydantic", ("ingest", "facts"), GOES_ON),
        ("kgqa.stores", ("ingest", "facts", "--store", "sqlite:///x.db"), GOES_ON),
        ("kgqa.cli.bench", ("bench", "experiment", "x.yaml"), GOES_ON),
        ("rich.table", ("bench", "metaqa"), AGAIN),
    ],
)
def test_while_the_command_is_loading(tmp_path: Path, module: str, words: tuple[str, ...], said: str) -> None:
    done = interrupted(tmp_path, module, *words)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", said)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("module", ["torch", "kgqa.model.checkpoint", "sentence_transformers"])
def test_while_the_reader_is_loading(kgqa: Kgqa, tmp_path: Path, module: str) -> None:
    (tmp_path / "facts").write_text("Heat|directed_by|Michael Mann\n", "utf-8")
    kgqa("ingest", "facts", "--store", "sqlite:///x.db").succeeded()
    done = interrupted(tmp_path, module, "ask", "who directed Heat", "--store", "sqlite:///x.db")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", UNANSWERED)
