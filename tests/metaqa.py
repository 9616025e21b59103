"""Where MetaQA lies, for the tests that measure on it: its questions are not kept in this repository."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from tests.docs.repository import ROOT

VARIABLE = "KGQA_METAQA"
ARCHIVE = ROOT.parent / "shared/data/metaqa.tar.xz"  # where the project's builders keep it


def metaqa_directory(scratch: Path, archive: Path = ARCHIVE) -> Path:
    """The directory that ``KGQA_METAQA`` names, else the builders' archive, unpacked into ``scratch``.

    Without either the test is skipped and says what to set. A directory that was named but isn't MetaQA's is a failure.
    """
    named = os.environ.get(VARIABLE)
    if named:
        directory = Path(named)
        if not all((directory / part).exists() for part in ("kb.txt", "1-hop", "2-hop", "3-hop")):
            pytest.fail(f"{VARIABLE}={named}: not MetaQA's directory (kb.txt, 1-hop, 2-hop, 3-hop)", pytrace=False)
        return directory
    if not archive.exists():
        pytest.skip(f"no MetaQA here, so nothing was measured: set {VARIABLE} to its directory")
    with tarfile.open(archive) as packed:
        packed.extractall(scratch, filter="data")
    return scratch / "metaqa"
