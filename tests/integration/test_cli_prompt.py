"""``kgqa ask`` without a question: a prompt on a real terminal (a pty), and what happens without one."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from graph_schema import Fact
from tests.command import COMMAND, Kgqa, clean_environment
from tests.reader import SmallFilms, small_graph

SECONDS = 120.0
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()][A-Z0-9]|\x1b[=>]")


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, words: list[str], folder: Path) -> None:
        self.master, slave = pty.openpty()
        environment = {
            **clean_environment(),
            "TERM": "xterm",
            "COLUMNS": "200",
            "XDG_STATE_HOME": str(folder / "state"),
            "PROMPT_TOOLKIT_NO_CPR": "1",
        }
        self.process = subprocess.Popen(
            [*COMMAND, *words],
            cwd=folder,
            env=environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self.seen = ""

    def expect(self, text: str) -> None:
        """Wait until this is on the terminal, after what was waited for before."""
        until = time.monotonic() + SECONDS
        while text not in (plain := _ESCAPES.sub("", self.seen)):
            left = until - time.monotonic()
            assert left > 0, f"{text!r} isn't in {plain!r}"
            if select.select([self.master], [], [], min(left, 1.0))[0]:
                self.seen += os.read(self.master, 65_536).decode("utf-8", "replace")
            assert self.process.poll() is None or text in _ESCAPES.sub("", self.seen), plain
        self.seen = plain[plain.index(text) + len(text) :]

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def ended(self) -> int:
        return self.process.wait(SECONDS)


@contextmanager
def terminal(films: SmallFilms, folder: Path) -> Iterator[Terminal]:
    words = ["ask", "--store", films.store, "--checkpoint", str(films.run)]
    made = Terminal(words, folder)
    try:
        yield made
    finally:
        made.process.kill()
        made.process.wait()
        os.close(made.master)


@pytest.fixture(scope="module")
def directed() -> Fact:
    """A film with one director and a name of several words."""
    facts = [fact for fact in small_graph() if fact.relation == "directed_by"]
    films = [fact.head for fact in facts]
    return next(fact for fact in facts if films.count(fact.head) == 1 and len(fact.head) > 12 and " " in fact.head)


def test_questions_are_asked_in_turn(small_films: SmallFilms, directed: Fact, tmp_path: Path) -> None:
    with terminal(small_films, tmp_path) as prompt:
        prompt.expect("Tab completes names, ? shows examples, Ctrl-D ends.")
        prompt.expect("kgqa>")
        prompt.type(f"who directed [{directed.head}]\r")
        prompt.expect(directed.tail)
        prompt.expect(" ms")
        prompt.expect("kgqa>")
        prompt.type(f"who directed {directed.head[:7]}\t")  # completed
        prompt.expect(directed.head.split()[-1])
        prompt.type("\x03")  # Ctrl-C gives the line up
        prompt.expect("kgqa>")
        prompt.type("who directed []\r")
        prompt.expect("nothing stands in the brackets")
        prompt.expect("kgqa>")
        prompt.type("?\r")
        prompt.expect("who directed ")
        prompt.expect("kgqa>")
        prompt.type("\x04")  # Ctrl-D
        assert prompt.ended() == 0
    history = (tmp_path / "state/kgqa/history").read_text("utf-8")
    assert f"+who directed [{directed.head}]" in history
    assert (tmp_path / "state/kgqa/history").stat().st_mode & 0o077 == 0


def test_without_a_terminal_a_question_is_wanted(kgqa: Kgqa) -> None:
    kgqa("ask").failed("give one question, or --file")


def test_a_misspelt_name_is_read_and_said(kgqa: Kgqa, small_films: SmallFilms, directed: Fact) -> None:
    slipped = directed.head[:-2] + directed.head[-1]
    out = kgqa("ask", f"who directed {slipped}?", "--store", small_films.store, "--checkpoint", small_films.run)
    assert f'Read "{slipped}" as {directed.head}' in out.succeeded()
    assert directed.tail in out.out
    assert (small_films.folder / "films.db.names").exists()


def test_examples(kgqa: Kgqa, small_films: SmallFilms) -> None:
    out = kgqa("schema", "--examples", "--store", small_films.store).succeeded()
    assert re.search(r"^who directed .+\?  \w+", out, re.MULTILINE)
    assert re.search(r'"question": "who directed .+\?"', kgqa(
        "schema", "--examples", "--json", "--store", small_films.store
    ).succeeded())  # fmt: skip
