"""Asking in turn on a terminal: a line with history and completion of names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, ThreadedCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from graph_schema import KgqaError
from kgqa.names import NamesIndex

LONGEST = 6  # words before the cursor that may begin a name
LETTERS = 2  # from which on names are completed
SHOWN = 12


class NameCompleter(Completer):
    """Completes the name that the last words begin: as many of them as begin one."""

    def __init__(self, names: NamesIndex) -> None:
        self._names = names

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        del complete_event
        before = document.text_before_cursor
        words = before.split(" ")
        for count in range(min(LONGEST, len(words)), 0, -1):
            begun = " ".join(words[-count:]).lstrip("[")
            if len(begun.strip()) < LETTERS or not begun[:1].strip():
                continue
            found = self._names.complete(begun, SHOWN)
            if found:
                for name in found:
                    yield Completion(name, start_position=-len(begun))
                return


def history_path() -> Path:
    """Where the questions asked before are kept (``XDG_STATE_HOME``)."""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return state / "kgqa" / "history"


def ask_in_turn(ask: Callable[[str], None], names: NamesIndex | None, *, say: Callable[[str], None]) -> None:
    """Ask for questions until the input ends (Ctrl-D, "exit"); Ctrl-C gives up the line, or the question asked.

    Args:
        ask: answers one question, and shows the answer. names: to complete from; None: nothing is completed.
        say: shows what is wrong with a question; the next is asked for.
    """
    completer = ThreadedCompleter(NameCompleter(names)) if names is not None else None
    session: PromptSession[str] = PromptSession("kgqa> ", history=_history(), completer=completer)
    while True:
        try:
            question = session.prompt().strip()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        if question in ("exit", "quit"):
            return
        if not question:
            continue
        try:
            ask(question)
        except KgqaError as error:
            say(str(error))
        except KeyboardInterrupt:
            say("stopped")


def _history() -> History:
    path = history_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
    except OSError:
        return InMemoryHistory()
    return FileHistory(path)
