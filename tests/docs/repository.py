"""Where the repository lies, its tracked text files, and what its Markdown says: for the tests of the documentation."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BASH_BLOCK = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)


@cache
def text_files() -> dict[str, str]:
    """Path from the root → text, of every file that git tracks or would add; binary files are left out."""
    listed = subprocess.run(
        # A clone that belongs to another user (a CI's) is read all the same.
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    found = {}
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if path.is_file() and b"\0" not in (content := path.read_bytes()):
            found[name] = content.decode("utf-8", errors="replace")
    return found


def markdown() -> dict[str, str]:
    return {name: text for name, text in text_files().items() if name.endswith(".md")}


def commands(text: str) -> list[str]:
    """The command lines of a Markdown text's bash blocks, without comments."""
    lines = [line for block in BASH_BLOCK.findall(text) for line in block.splitlines()]
    return [stripped for line in lines if (stripped := re.sub(r"(^|\s)#.*", "", line).strip())]
