"""``unique`` holds against what is in the store, whoever brought it; values that are given up are free."""

from __future__ import annotations

from pathlib import Path

import pytest

from graph_schema import GraphStore
from ingest import DryRun, LoadOptions, LoadReport, MappingFile, Progress, Rejected, lines, load, replace

MAPPING = MappingFile.from_yaml(
    """
    sources:
      - files: "*.csv"
        nodes:
          - label: User
            id: id
            properties: {mail: {column: mail, unique: true}, born: {column: born, type: date, unique: true}}
    """
)


def users(path: Path, *rows: tuple[str, str, str]) -> Path:
    path.write_text("".join(",".join(row) + "\n" for row in (("id", "mail", "born"), *rows)), "utf-8")
    return path


def loaded(store: GraphStore, *paths: Path, batch_size: int = 1_000) -> tuple[LoadReport, list[str]]:
    seen: list[Rejected] = []
    report = load(paths, store, mapping=MAPPING, options=LoadOptions(rejects=seen.append, batch_size=batch_size))
    return report, [f"{one.line}: {one.detail}" for one in seen]


def mails(store: GraphStore) -> dict[str, object]:
    return dict(store.values("User", "mail"))


@pytest.fixture
def first(each_store: GraphStore, tmp_path: Path) -> Path:
    path = users(tmp_path / "first.csv", ("a", "a@x", "1990-01-01"), ("b", "b@x", "1991-01-01"))
    assert loaded(each_store, path)[1] == []
    return path


def test_a_value_that_another_node_of_the_store_has(each_store: GraphStore, first: Path, tmp_path: Path) -> None:
    rows = [
        ("c", "a@x", ""),
        ("a", "a@x", "1990-01-01"),
        ("d", "d@x", "1991-01-01"),
        ("e", "e@x", ""),
        ("f", "e@x", ""),
    ]
    wanted = [
        "2: mail 'a@x' is that of 'a' in the store, too",
        "4: born datetime.date(1991, 1, 1) is that of 'b' in the store, too",
        "6: mail 'e@x' is that of 'e', too",
    ]
    more = users(tmp_path / "more.csv", *rows)
    seen: list[Rejected] = []
    load([more], DryRun(each_store), mapping=MAPPING, options=LoadOptions(rejects=seen.append))
    assert [f"{one.line}: {one.detail}" for one in seen] == wanted
    assert loaded(each_store, more)[1] == wanted
    assert mails(each_store) == {"a": "a@x", "b": "b@x", "e": "e@x"}
    assert loaded(each_store, more)[1] == [*wanted[:2], wanted[2].replace(", too", " in the store, too")], (
        "the same again"
    )
    assert loaded(each_store, first)[1] == []


def test_a_value_that_this_load_gives_to_another(each_store: GraphStore, first: Path, tmp_path: Path) -> None:
    users(first, ("a", "new@x", ""), ("b", "a@x", ""), ("c", "b@x", ""))
    assert loaded(each_store, first)[1] == []
    assert mails(each_store) == {"a": "new@x", "b": "a@x", "c": "b@x"}


def test_replacing_frees_the_values_of_what_goes(each_store: GraphStore, first: Path, tmp_path: Path) -> None:
    loaded(each_store, users(tmp_path / "other.csv", ("z", "z@x", "")))
    users(first, ("b", "a@x", ""), ("y", "z@x", ""), ("c", "b@x", ""))
    seen: list[Rejected] = []
    options = LoadOptions(rejects=seen.append)
    done = replace([first], each_store, mapping=MAPPING, options=options, agreed=lambda _: True)
    assert done is not None
    assert [(one.line, one.detail) for one in seen] == [(3, "mail 'z@x' is that of 'z' in the store, too")]
    assert mails(each_store) == {"b": "a@x", "c": "b@x", "z": "z@x"}


def test_broken_off_and_gone_on_with_nothing_is_lost(
    each_store: GraphStore, first: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was set aside may be loadable when the load goes on, for the value was given up further down in the file."""
    monkeypatch.setattr(lines, "BLOCK", 16)  # within a block, it doesn't matter which row comes first
    rows = [(f"n{number}", f"n{number}@x", "") for number in range(6)]
    path = users(tmp_path / "next.csv", rows[0], ("taker", "a@x", ""), *rows[1:3], ("a", "gone@x", ""), *rows[3:])

    def break_off(now: Progress) -> None:
        if mails(each_store)["a"] == "gone@x":
            raise KeyboardInterrupt

    seen: list[Rejected] = []
    options = LoadOptions(rejects=seen.append, batch_size=1)
    with pytest.raises(KeyboardInterrupt):
        load([path], each_store, mapping=MAPPING, options=options, progress=break_off)
    assert [(one.line, one.detail) for one in seen] == [(3, "mail 'a@x' is that of 'a' in the store, too")]
    report, aside = loaded(each_store, path, batch_size=1)
    assert (report.files[0].resumed_at, aside) == (2, []), "what came before it is in"
    assert mails(each_store) == {"a": "gone@x", "b": "b@x", "taker": "a@x", **{row[0]: row[1] for row in rows}}
