"""Sets by name."""

from __future__ import annotations

from pathlib import Path

from graph_schema import InputError
from kgqa.data.sets import pathquestion, wc2014
from kgqa.data.sets.base import QuestionSet
from kgqa.data.sets.directory import open_directory
from kgqa.data.sets.metaqa import open_metaqa

DIRECTORY = "directory"
PARAPHRASED = "metaqa-ntm"
NAMES = ("metaqa", PARAPHRASED, *pathquestion.FILES, *wc2014.FILES, DIRECTORY)
FOLDERS = {
    "metaqa": "metaqa",
    PARAPHRASED: "metaqa",
    **dict.fromkeys(pathquestion.FILES, "pathquestion"),
    **dict.fromkeys(wc2014.FILES, "wc2014"),
}
"""What a set's directory is called in a directory that holds those of several sets."""


def folder_of(name: str, data: Path) -> Path:
    """Where a set's files lie: ``data``, or its own folder there."""
    own = data / FOLDERS.get(name, "")
    return own if own.is_dir() else data


def open_set(name: str, data: Path) -> QuestionSet:
    """A set by its name in ``NAMES``, from the directory its files lie in; "directory": one in kgqa's own layout.

    Args:
        data: that directory, or one that holds those of several sets, called as in ``FOLDERS``.

    Raises:
        InputError: no such set, or its files can't be read.
    """
    data = folder_of(name, data)
    if name == "metaqa":
        return open_metaqa(data)
    if name == PARAPHRASED:
        return open_metaqa(data, "ntm")
    if name in pathquestion.FILES:
        return pathquestion.open_pathquestion(name, data)
    if name in wc2014.FILES:
        return wc2014.open_wc2014(name, data)
    if name == DIRECTORY:
        return open_directory(data)
    raise InputError(f"no set is called {name!r}", fix=f"Use {', '.join(NAMES)}")
