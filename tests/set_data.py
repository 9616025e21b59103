"""Where the public question sets lie, for the tests that measure on them: no question is kept in this repository."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from kgqa.data.sets import FOLDERS
from tests.docs.repository import ROOT

DATA = "KGQA_DATA"
METAQA = "KGQA_METAQA"
ARCHIVES = ROOT.parent / "shared/data"  # where the project's builders keep them
FACTS = {"metaqa": "kb.txt", "pathquestion": "PQL2-KB.txt", "wc2014": "WC2014.txt"}


def set_directory(name: str, scratch: Path, archives: Path = ARCHIVES) -> Path:
    """The directory of a set: the one of its folder's name in ``KGQA_DATA``, else the builders' archive of it, unpacked
    into ``scratch``; MetaQA's may be named by itself (``KGQA_METAQA``).

    Without any of them the test is skipped and says what to set. A directory that was named but isn't the set's is a
    failure.
    """
    folder = FOLDERS[name]
    for variable, inside in ((METAQA, "") if folder == "metaqa" else ("", ""), (DATA, folder)):
        named = os.environ.get(variable)
        if named:
            directory = Path(named) / inside
            if not (directory / FACTS[folder]).exists():
                pytest.fail(f"{variable}={named}: {directory} has no {FACTS[folder]}", pytrace=False)
            return directory
    archive = archives / f"{folder}.tar.xz"
    if not archive.exists():
        also = f" (or {METAQA} to its own directory)" if folder == "metaqa" else ""
        pytest.skip(f"{folder} isn't here, so nothing was measured: set {DATA} to the directory that holds it{also}")
    if not (scratch / folder).exists():
        with tarfile.open(archive) as packed:
            packed.extractall(scratch, filter="data")
    return scratch / folder
