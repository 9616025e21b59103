"""The command in a process of its own that starts in milliseconds: forked from a server that has imported all of it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.command import clean_environment

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["kgqa.cli.commands", "kgqa.stores.neo4j_store", "tests.forked"])


@dataclass(frozen=True)
class Death:
    """When a process kills itself with SIGKILL, by a thread of its own: at some point of its work, and a while after.

    Attributes:
        facts: that the load's progress has told of; 0: at its start. -1: when marks begin to be taken back.
        seconds: after that.
        lines: that the load's progress has told of, where not facts but nodes come; 0: they don't matter.
    """

    facts: int
    seconds: float
    lines: int = 0


class Forked:
    """A run of ``kgqa``, its output kept in files."""

    def __init__(self, folder: Path, *words: object, death: Death | None = None, number: int = 0) -> None:
        self._files = [folder / f"{name}-{number}" for name in ("out", "err")]
        self._process = _SERVER.Process(target=_run, args=(folder, [*map(str, words)], *self._files, death))
        self._process.start()

    def wait(self, seconds: float = 300) -> Forked:
        """To its end; it is killed if that doesn't come."""
        self._process.join(seconds)
        ended = not self.running
        if not ended:
            self._process.kill()
            self._process.join()
        assert ended, f"it doesn't end in {seconds:g} seconds: {self.out}{self.err}"
        return self

    def kill(self) -> Forked:
        """End it by SIGKILL, if it is still running."""
        self._process.kill()
        return self.wait()

    def hold(self, *, still: bool) -> None:
        """Stop it where it is, or let it go on."""
        assert self._process.pid is not None
        os.kill(self._process.pid, signal.SIGSTOP if still else signal.SIGCONT)

    @property
    def was_killed(self) -> bool:
        return self._process.exitcode == -signal.SIGKILL

    @property
    def status(self) -> int | None:
        return self._process.exitcode

    @property
    def running(self) -> bool:
        return self._process.is_alive()

    @property
    def out(self) -> str:
        return self._files[0].read_text("utf-8")

    @property
    def err(self) -> str:
        return self._files[1].read_text("utf-8")


def _run(folder: Path, words: list[str], out: Path, err: Path, death: Death | None) -> None:
    os.chdir(folder)
    environment = clean_environment()
    os.environ.clear()
    os.environ.update(environment)
    for path, number in ((out, 1), (err, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.argv = ["kgqa", *words]
    if death is not None:
        _arm(death)
    from kgqa.cli import main

    main()


def _arm(death: Death) -> None:
    timer = threading.Timer(death.seconds, os.kill, (os.getpid(), signal.SIGKILL))
    timer.daemon = True
    if death.facts == death.lines == 0:
        timer.start()
        return
    armed = threading.Lock()

    def strike() -> None:
        if armed.acquire(blocking=False):
            timer.start()

    from kgqa.cli.loading import LoadingBar
    from kgqa.stores import EmbeddedStore
    from kgqa.stores.neo4j_store import Neo4jStore

    def striking(whole: Callable[..., Any], *, when: Callable[..., bool]) -> Callable[..., Any]:
        def called(*given: Any, **more: Any) -> Any:
            if when(*given):
                strike()
            return whole(*given, **more)

        return called

    if death.facts > 0 or death.lines > 0:
        told = striking(LoadingBar.__call__, when=lambda _, now: now.facts >= death.facts and now.lines >= death.lines)
        patch.object(LoadingBar, "__call__", told).start()
    else:
        for kind in (EmbeddedStore, Neo4jStore):
            patch.object(kind, "withdraw", striking(kind.withdraw, when=lambda *_: True)).start()
