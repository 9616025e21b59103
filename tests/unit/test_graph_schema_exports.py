"""The public surface of graph_schema and ingest is what their ``__all__`` lists, and nothing heavy comes with it."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import subprocess
import sys
from types import ModuleType

import pytest

import graph_schema
import ingest

# Modules whose public names users of the vocabulary import from graph_schema itself.
VOCABULARY = ("errors", "layout", "loads", "ports", "schema", "types")
# Named there, but of use only to who builds such values.
INNER = {"Name", "Int64s", "Int32s", "Float32s", "DEFAULT_LABEL"}


@pytest.mark.parametrize("package", [graph_schema, ingest])
def test_all_is_sorted_and_can_be_imported(package: ModuleType) -> None:
    listed = package.__all__
    assert listed == sorted(set(listed))
    for name in listed:
        assert getattr(package, name) is not None


@pytest.mark.parametrize("package", [graph_schema, ingest])
def test_what_can_be_imported_is_listed(package: ModuleType) -> None:
    modules = {module.name for module in pkgutil.iter_modules(package.__path__)}
    public = {name for name in vars(package) if not name.startswith("_")} - modules
    assert public == set(package.__all__) - modules


def test_every_public_class_of_the_vocabulary_is_exported() -> None:
    for part in VOCABULARY:
        module = importlib.import_module(f"graph_schema.{part}")
        own = {
            name
            for name, value in vars(module).items()
            if inspect.isclass(value) and value.__module__ == module.__name__ and not name.startswith("_")
        }
        assert own - INNER <= set(graph_schema.__all__)


@pytest.mark.parametrize("package", [graph_schema, ingest])
def test_everything_public_is_described(package: ModuleType) -> None:
    for name in package.__all__:
        value = getattr(package, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), name


def test_ingest_brings_in_nothing_heavy_and_nothing_above_it() -> None:
    code = "import ingest, sys; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert not {"kgqa", "torch", "neo4j", "rich", "pyarrow", "pyoxigraph", "sentence_transformers"} & set(
        done.stdout.split()
    )
