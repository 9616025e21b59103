"""Settings: where they come from, which one wins, what is refused; and the page that lists them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from graph_schema import ConfigError
from kgqa.config import Settings, load_settings


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("KGQA_")]:
        monkeypatch.delenv(name)


def write(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def test_defaults() -> None:
    assert load_settings({}) == Settings()
    assert Settings().store == "sqlite:///kgqa.db"
    assert Settings().checkpoint is None


def test_a_flag_wins_over_the_environment_and_that_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    write(Path("kgqa.toml"), 'store = "file"\nthreads = 3\ntimeout = 2\nany_schema = true\n')
    monkeypatch.setenv("KGQA_STORE", "environment")
    monkeypatch.setenv("KGQA_THREADS", "4")
    found = load_settings({"store": "flag", "threads": None, "device": None})
    assert (found.store, found.threads, found.timeout, found.any_schema, found.device) == ("flag", 4, 2.0, True, "cpu")


def test_the_file_may_be_named_by_flag_or_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    write(Path("kgqa.toml"), 'store = "default"\n')
    first, second = write(Path("one.toml"), 'store = "one"\n'), write(Path("two.toml"), 'store = "two"\n')
    assert load_settings({}).store == "default"
    monkeypatch.setenv("KGQA_CONFIG", str(first))
    assert load_settings({}).store == "one"
    assert load_settings({}, second).store == "two"


def test_a_password_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KGQA_PASSWORD", "secret")
    found = load_settings({})
    assert found.password
    assert found.password.get_secret_value() == "secret"
    assert "secret" not in f"{found!r} {found}"


def test_all_unknown_settings_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    write(Path("kgqa.toml"), "stoer = 1\nbudget = 2\n")
    monkeypatch.setenv("KGQA_THREDS", "1")
    with pytest.raises(ConfigError, match=r"kgqa.toml: stoer, kgqa.toml: budget, KGQA_THREDS\. Known are: any_schema"):
        load_settings({})


@pytest.mark.parametrize("name", ["KGQA_CONFIG", "KGQA_METAQA", "KGQA_NO_DOCKER", "KGQA_NEO4J_IMAGE"])
def test_variables_that_are_no_settings_are_let_pass(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, str(write(Path("own.toml"), "")))
    assert load_settings({}) == Settings()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("threads = 0", "threads: "),
        ('threads = "many"', "threads: "),
        ("timeout = -1\nbudget_edges = 0", r"timeout: .*; budget_edges: "),
        ("[store]\nurl = 1", "store: "),
        ("store = ", "kgqa.toml: not valid TOML"),
    ],
)
def test_wrong_values_are_refused(text: str, said: str) -> None:
    write(Path("kgqa.toml"), text)
    with pytest.raises(ConfigError, match=said):
        load_settings({})


def test_a_file_that_cannot_be_read() -> None:
    with pytest.raises(ConfigError, match=r"gone.toml: can't read the settings: No such file"):
        load_settings({}, Path("gone.toml"))
    with pytest.raises(ConfigError, match=r"can't read the settings: Is a directory"):
        load_settings({}, Path.cwd())
    Path("latin.toml").write_bytes(b'store = "caf\xe9"')
    with pytest.raises(ConfigError, match=r"latin.toml: not valid TOML"):
        load_settings({}, Path("latin.toml"))
