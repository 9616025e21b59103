"""The error tree: its shape is what its docstring draws, and each error is one line of what, where, what to do."""

from __future__ import annotations

import inspect
import pickle
import re

import pytest

from graph_schema import KgqaError, errors

CLASSES = [value for value in vars(errors).values() if inspect.isclass(value)]


def test_the_docstring_draws_the_tree() -> None:
    drawn: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"^([\s│├└─]*)([A-Z]\w+)(\s{2,}|$)", line):
            depth, name = len(found[1]), found[2]
            above = [(at, parent) for at, parent in above if at < depth]
            drawn[name] = above[-1][1] if above else "Exception"
            above.append((depth, name))
    assert drawn == {cls.__name__: cls.__bases__[0].__name__ for cls in CLASSES}


@pytest.mark.parametrize("cls", CLASSES)
def test_each_error_carries_what_where_and_what_to_do(cls: type[KgqaError]) -> None:
    assert issubclass(cls, KgqaError)
    assert cls.__doc__
    error = cls("no such file", where="kb.txt:3", fix="Check the path")
    assert (error.what, error.where, error.fix) == ("no such file", "kb.txt:3", "Check the path")
    assert str(error) == "kb.txt:3: no such file. Check the path"
    assert str(cls("no such file")) == "no such file"
    assert str(cls("no such file", fix="Check the path")) == "no such file. Check the path"
    assert str(cls("no such file", where="kb.txt")) == "kb.txt: no such file"


@pytest.mark.parametrize("cls", CLASSES)
def test_an_error_comes_whole_from_another_process(cls: type[KgqaError]) -> None:
    again = pickle.loads(pickle.dumps(cls("no such file", where="kb.txt", fix="Check the path")))
    assert type(again) is cls
    assert str(again) == "kb.txt: no such file. Check the path"
