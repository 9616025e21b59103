"""A disk that is full, as far as a test may have one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder with room for 64 KiB, if this process may mount one; else one where the quarantine can't be written."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    if not mounted:
        (folder / "q.jsonl.partial").symlink_to("/dev/full")
    yield folder
    if mounted:
        subprocess.run(["umount", str(folder)], check=True)
