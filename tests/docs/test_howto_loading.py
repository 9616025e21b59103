"""The commands of the pages on loading are run, and print what the pages say.

The data are in the folder KGQA_DATA, or in ``../shared/data`` beside the repository; where there are none, excerpts,
of which the figures are others.
"""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import shutil
import sys
import tarfile
from pathlib import Path

import pytest

from tests.command import Kgqa
from tests.docs.repository import ROOT, commands, markdown

PAGES = ("films", "hetionet", "fb15k-237", "turtle")
WHOLE = {"films", "turtle"}  # what is in the repository as a whole
TEXT_BLOCK = re.compile(r"^```text\n(.*?)^```", re.MULTILINE | re.DOTALL)


def archives() -> Path | None:
    """The folder with the whole data sets."""
    given = Path(os.environ["KGQA_DATA"]) if "KGQA_DATA" in os.environ else ROOT.parent / "shared/data"
    return given if (given / "hetionet.tar.xz").is_file() else None


ARCHIVES = archives()


def unpack(name: str, folder: Path) -> None:
    if ARCHIVES is None:
        shutil.copytree(ROOT / "tests/data" / name, folder / name)
        return
    with tarfile.open(ARCHIVES / f"{name}.tar.xz") as archive:
        archive.extractall(folder, filter="data")


def prepare(page: str, folder: Path) -> None:
    """The files that a page speaks of."""
    if page == "hetionet":
        unpack("hetionet", folder)
        shutil.copy(ROOT / "examples/hetionet/mapping.yaml", folder)
    elif page == "fb15k-237":
        unpack("fb15k237", folder)
    elif page == "films":
        shutil.copy(ROOT / "examples/films/kb.txt.gz", folder)
    else:
        shutil.copy(ROOT / "examples/rdf/films.ttl", folder)


@pytest.mark.parametrize("page", PAGES)
def test_the_page_is_right(page: str, kgqa: Kgqa, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(page, tmp_path)
    text = markdown()[f"docs/how-to/load-{page}.md"]
    printed = ""
    for line in commands(text):
        before, _, words = line.rpartition("kgqa ")
        if before:
            said = re.fullmatch(r"printf '(.*)' \| ", before)
            assert said, line
            piped = io.BytesIO(said[1].replace("\\n", "\n").encode())
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(piped))
        if "LOAD" in words.split():
            store = words.split()[-1]
            loads = json.loads(kgqa("loads", "--json", "--store", store).succeeded())
            words = words.replace("LOAD", loads[-1]["id"])
        printed += kgqa(*shlex.split(words)).succeeded()
    assert printed
    for block in TEXT_BLOCK.findall(text):
        for line in block.splitlines():
            counted = re.search(r"\d facts|nodes\.tsv  |_ID\(|^\.\.\.$", line)
            if not counted or (page in WHOLE | ({page} if ARCHIVES else set()) and " facts" in line):
                assert line in printed, line
