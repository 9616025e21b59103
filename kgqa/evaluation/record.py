"""Result rows: one JSON object a line, with all that is needed to get the number again."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import torch

from graph_schema import InputError


@dataclass(frozen=True)
class Row:
    """One figure. ``set``: which question set and part; ``n``: over how many; ``config``: what else matters.

    ``seed``: None for a mean over the seeds that ``config`` names.
    """

    set: str
    split: str
    metric: str
    value: float
    n: int
    commit: str
    device: str
    threads: int
    seed: int | None
    config: dict[str, Any] = field(default_factory=dict)
    when: str = ""


@dataclass(frozen=True)
class Recorder:
    """Makes rows that share where and how they were measured."""

    split: str
    seed: int
    device: str
    config: dict[str, Any]

    def row(self, set_: str, metric: str, value: float, n: int, **more: Any) -> Row:
        return Row(
            set=set_,
            split=self.split,
            metric=metric,
            value=round(value, 6),
            n=n,
            commit=commit(),
            device=describe_device(self.device),
            threads=torch.get_num_threads(),
            seed=self.seed,
            config={**self.config, **more},
            when=datetime.now(UTC).strftime("%Y-%m-%d"),
        )


def append(path: Path, rows: Iterable[Row]) -> None:
    """Append rows to a file, made if it isn't there.

    Raises:
        InputError: it can't be written.
    """
    text = "".join(json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in rows)
    try:
        with path.open("a", encoding="utf-8") as out:
            out.write(text)
    except OSError as error:
        raise InputError(f"can't write the results: {error.strerror}", where=str(path)) from error


@cache
def commit() -> str:
    """Short hash of the source's commit, with + if files have changed since; "unknown" outside a checkout.

    Asked once: what runs is what was there when it was started.
    """
    here = Path(__file__).parent

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=here, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "--short", "HEAD") + (
            "+" if git("status", "--porcelain", "--untracked-files=no") else ""
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


@cache
def describe_device(device: str) -> str:
    """A device in words: the GPU's name, or the processor's."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(torch.device(device))
    try:
        names = [
            line for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines() if line.startswith("model name")
        ]
    except OSError:
        names = []
    return f"CPU {names[0].split(':', 1)[1].strip()}" if names else f"CPU {platform.machine()}"
