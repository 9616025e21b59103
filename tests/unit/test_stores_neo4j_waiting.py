"""A server that accepts connections and says nothing: given up in time, Ctrl-C heard at once, nothing left behind."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from graph_schema import StoreUnavailable
from kgqa.stores import open_connection, open_store
from kgqa.stores.neo4j_waiting import SilentError, answered
from tests.command import Kgqa, started


@pytest.fixture
def silent() -> Iterator[int]:
    """A port where connections are accepted, by the system alone, and nobody reads or writes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


def test_what_comes_in_time_is_given() -> None:
    assert answered(lambda: 7, 5) == 7
    with pytest.raises(ZeroDivisionError):
        answered(lambda: 1 // 0, 5)


def test_what_does_not_is_given_up_and_cleaned_up_when_it_ends() -> None:
    goes_on, cleaned = threading.Event(), threading.Event()
    began = time.monotonic()
    with pytest.raises(SilentError, match=r"within 0.2 s"):
        answered(lambda: goes_on.wait(10), 0.2, cleaned.set)
    assert time.monotonic() - began < 5
    assert not cleaned.is_set()
    goes_on.set()
    assert cleaned.wait(5)


def test_an_interrupt_is_heard_while_waiting() -> None:
    goes_on = threading.Event()
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        answered(lambda: goes_on.wait(20), 20)
    goes_on.set()
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("scheme", ["bolt", "neo4j"])
def test_a_silent_server_is_not_waited_for(silent: int, scheme: str) -> None:
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="no Neo4j answers"):
        open_store(f"{scheme}://127.0.0.1:{silent}", timeout=0.5)
    connection = open_connection(f"{scheme}://127.0.0.1:{silent}", timeout=0.5)
    with pytest.raises(StoreUnavailable, match="no Neo4j answers"):
        connection.touch()
    connection.close()
    assert time.monotonic() - began < 15


@pytest.mark.parametrize(
    "words", [("ask", "who directed Speed", "--store"), ("connect",), ("store", "info", "--store")]
)
def test_commands_end_with_one_line(
    silent: int, words: tuple[str, ...], kgqa: Kgqa, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KGQA_TIMEOUT", "0.5")
    began = time.monotonic()
    kgqa(*words, f"neo4j://127.0.0.1:{silent}").failed(f"neo4j://127.0.0.1:{silent}", "no Neo4j answers")
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("words", [("ask", "who directed Speed", "--store"), ("connect",)])
def test_an_interrupted_command_ends_at_once(words: tuple[str, ...], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        process = started(tmp_path, *words, f"bolt://127.0.0.1:{listener.getsockname()[1]}")
        line, _ = listener.accept()  # it waits for an answer now
        with line:
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=10)
    assert process.returncode == 130
    assert said.splitlines()[-1].startswith("stopped; ")
    assert "Traceback" not in said
