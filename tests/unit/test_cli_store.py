"""``kgqa store info`` and ``kgqa schema``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from graph_schema import Schema
from tests.command import Kgqa

STORE = ("--store", "sqlite:///x.db")


@pytest.fixture
def store(kgqa: Kgqa, tmp_path: Path) -> None:
    (tmp_path / "facts").write_text("Heat|directed_by|Mann\nHeat|release_year|1995\nAli|directed_by|Mann\n", "utf-8")
    kgqa("ingest", "facts", *STORE).succeeded()


@pytest.mark.usefixtures("store")
def test_info(kgqa: Kgqa) -> None:
    info = json.loads(kgqa("store", "info", "--json", *STORE).succeeded())
    changes = info.pop("changes")
    assert changes > 0
    assert info == {
        "store": "sqlite:///x.db",
        "facts": 3,
        "entities": 4,
        "relations": ["directed_by", "release_year"],
    }
    said = kgqa("store", "info", *STORE).succeeded()
    assert said.splitlines()[1:] == [
        "  facts      3",
        "  entities   4",
        "  relations  2: directed_by, release_year",
        f"  changes    {changes}",
    ]


@pytest.mark.usefixtures("store")
def test_the_store_may_stand_in_the_environment_or_the_file(
    kgqa: Kgqa, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kgqa.toml").write_text('store = "sqlite:///x.db"\n', "utf-8")
    assert kgqa("store", "info").status == 0
    monkeypatch.setenv("KGQA_STORE", "sqlite:///other.db")
    kgqa("store", "info").failed("other.db")
    assert kgqa("store", "info", *STORE).status == 0


@pytest.mark.usefixtures("store")
def test_the_schema_as_yaml_can_be_changed_and_set_again(kgqa: Kgqa, tmp_path: Path) -> None:
    shown = kgqa("schema", *STORE).succeeded()
    schema = Schema.from_yaml(shown)
    assert schema.words("directed_by") == "directed by"
    (tmp_path / "said.yaml").write_text("relations:\n  directed_by: {words: made by, head: Film}\n", "utf-8")
    changed = yaml.safe_load(kgqa("schema", "--set", "said.yaml", *STORE).succeeded())
    assert changed["relations"]["directed_by"] == {"words": "made by", "inverse": "made by", "head": "Film"}
    assert json.loads(kgqa("schema", "--json", *STORE).succeeded()) == changed


@pytest.mark.usefixtures("store")
def test_a_wrong_schema_changes_nothing(kgqa: Kgqa, tmp_path: Path) -> None:
    before = kgqa("schema", *STORE).succeeded()
    (tmp_path / "wrong.yaml").write_text("relation: {}\nlabels: {Film: {nam: x}}\n", "utf-8")
    kgqa("schema", "--set", "wrong.yaml", *STORE).failed("wrong.yaml: ", "relation: unknown key", "labels.Film.nam")
    kgqa("schema", "--set", "gone.yaml", *STORE).failed("gone.yaml: can't read the schema")
    assert kgqa("schema", *STORE).succeeded() == before
