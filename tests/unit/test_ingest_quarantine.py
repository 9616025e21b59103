"""The quarantine: nothing that was set aside is lost, and what is mended is loaded as it would have been."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph_schema import ConfigError, InputError
from ingest import LoadOptions, lines
from ingest.mapping_file import MappingFile
from ingest.quarantine import FileContext, Quarantine
from ingest.records import ROW_KEPT, Reason, Rejected
from tests.unit.mapping_helpers import Graph, load_paths

MAPPING = MappingFile.from_yaml(
    """
    sources:
      - files: films.csv
        nodes: [{label: Film, id: "film/{id}", name: title, properties: {year: {column: year, type: integer}}}]
        relationships: [{type: directed_by, head: Film, tail: {label: Person, key: director}}]
      - files: people.csv
        nodes: [{label: Person, id: "person/{id}", name: name}]
        relationships: [{type: taught_by, head: Person, tail: {label: Person, key: teacher}}]
    """
)
FILMS = 'id,title,year,director\n1,Kismet,1944,7\n2,"Gigi, so",soon,8\n3,Lola,1961\n4,Solo,1999,99\n'
PEOPLE = "id,name,teacher\n7,Dieterle,8\n8,Minnelli,9\n\\,x,7,\n"


def rows_of(path: Path) -> list[dict[str, Any]]:
    text = path.read_text("utf-8")
    assert text.splitlines() == text.split("\n")[:-1]  # whatever an editor takes for the end of a line
    return [record for line in text.splitlines() if "row" in (record := json.loads(line))]


def in_order(path: Path) -> list[str]:
    return sorted(json.dumps(record) for record in rows_of(path))


def mend(path: Path, changes: dict[tuple[str, int], object]) -> None:
    """Write other rows, by name of the file and line; None takes a row out."""
    made = []
    for line in path.read_text("utf-8").splitlines():
        record = json.loads(line)
        if "row" in record:
            key = Path(record["file"]).name, record["line"]
            if key in changes:
                record["row"] = changes[key]
            if record["row"] is None:
                continue
        made.append(json.dumps(record))
    path.write_text("\n".join(made) + "\n", "utf-8")


@pytest.fixture
def loaded(tmp_path: Path) -> tuple[Graph, Path]:
    (tmp_path / "films.csv").write_text(FILMS, "utf-8")
    (tmp_path / "people.csv").write_text(PEOPLE, "utf-8")
    path = tmp_path / "q.jsonl"
    graph = load_paths(MAPPING, [tmp_path / "films.csv", tmp_path / "people.csv"], quarantine=Quarantine(path))
    return graph, path


def test_what_is_written(loaded: tuple[Graph, Path], tmp_path: Path) -> None:
    graph, path = loaded
    records = rows_of(path)
    assert [(Path(r["file"]).name, r["line"], r["row"], r["reason"]) for r in records] == [
        ("people.csv", 4, "\\,x,7,", Reason.FIELD_COUNT),  # found when lines were read, before rows were checked
        ("people.csv", 2, {"id": "7", "name": "Dieterle", "teacher": "8"}, Reason.DANGLING),
        ("people.csv", 3, {"id": "8", "name": "Minnelli", "teacher": "9"}, Reason.DANGLING),
        ("films.csv", 4, "3,Lola,1961", Reason.FIELD_COUNT),
        ("films.csv", 2, {"id": "1", "title": "Kismet", "year": "1944", "director": "7"}, Reason.DANGLING),
        ("films.csv", 3, {"id": "2", "title": "Gigi, so", "year": "soon", "director": "8"}, Reason.BAD_NUMBER),
        ("films.csv", 5, {"id": "4", "title": "Solo", "year": "1999", "director": "99"}, Reason.DANGLING),
    ]
    assert {"file", "line", "row", "reason", "detail", "fix"} == set(records[0])
    assert not path.with_name("q.jsonl.partial").exists()
    assert graph.facts == {}
    assert len(records) == len(graph.rejected)


def test_mended_rows_are_loaded_as_they_would_have_been(loaded: tuple[Graph, Path], tmp_path: Path) -> None:
    _, path = loaded
    mend(
        path,
        {
            ("people.csv", 3): {"id": "8", "name": "Minnelli", "teacher": ""},
            ("people.csv", 4): None,
            ("films.csv", 3): {"id": "2", "title": "Gigi", "year": 1958, "director": 8},
            ("films.csv", 4): '3,"Lo,la",1961,7\n5,Five,,',
            ("films.csv", 5): ["4", "Solo", "1999", None],
        },
    )
    graph = load_paths(None, [path], quarantine=Quarantine(tmp_path / "again.jsonl"))
    assert [str(r) for r in graph.rejected] == []
    assert not (tmp_path / "again.jsonl").exists()
    (tmp_path / "films.csv").write_text(
        'id,title,year,director\n1,Kismet,1944,7\n2,Gigi,1958,8\n3,"Lo,la",1961,7\n5,Five,,\n4,Solo,1999,\n', "utf-8"
    )
    (tmp_path / "people.csv").write_text("id,name,teacher\n7,Dieterle,8\n8,Minnelli,\n", "utf-8")
    whole = load_paths(MAPPING, [tmp_path / "films.csv", tmp_path / "people.csv"])
    assert not whole.rejected
    assert (graph.entities, graph.facts) == (whole.entities, whole.facts)
    assert len(graph.entities) == 7


def test_rows_that_are_still_bad_land_in_a_new_quarantine(loaded: tuple[Graph, Path], tmp_path: Path) -> None:
    _, path = loaded
    before = rows_of(path)
    again, third = tmp_path / "again.jsonl", tmp_path / "third.jsonl"
    graph = load_paths(None, [path], quarantine=Quarantine(again))
    assert {Path(r.source).name for r in graph.rejected} == {"q.jsonl"}
    assert [json.loads(path.read_text("utf-8").splitlines()[r.line - 1])["line"] for r in graph.rejected] == [
        r["line"] for r in rows_of(again)
    ]
    key = [(r["file"], r["line"], json.dumps(r["row"]), r["reason"]) for r in rows_of(again)]
    assert sorted(key) == sorted((r["file"], r["line"], json.dumps(r["row"]), r["reason"]) for r in before)
    load_paths(None, [again], quarantine=Quarantine(third))
    assert rows_of(third) == rows_of(again)


WRONG = [
    ("{not json", Reason.NOT_A_ROW, "the line isn't a JSON object"),
    ('["a"]', Reason.NOT_A_ROW, "the line isn't a JSON object"),
    ('{"file": "gone.csv", "line": 1, "row": "x"}', Reason.NOT_A_ROW, "it isn't said how 'gone.csv' is read"),
    ('{"line": 1, "row": "x"}', Reason.NOT_A_ROW, "it isn't said how None is read"),
    ('{"file": "FILE", "line": "x", "row": "x"}', Reason.NOT_A_ROW, "it isn't said how"),
    ('{"file": "FILE", "line": 2, "row": {"ident": 1}}', Reason.FIELD_COUNT, "has no column 'ident'"),
    ('{"file": "FILE", "line": 2, "row": [1, 2]}', Reason.FIELD_COUNT, "2, not 4"),
    ('{"file": "FILE", "line": 2, "row": 5}', Reason.FIELD_COUNT, "the row is 5, neither a text nor columns"),
    ('{"file": "FILE", "line": 2, "row": "1,2"}', Reason.FIELD_COUNT, "2, not 4"),
    ('{"file": "FILE", "line": 2, "row": "1,2,3,4", "cut": true}', Reason.LINE_TOO_LONG, "cut at 65,536 characters"),
    (
        '{"file": "FILE", "line": 2, "row": "caf\\\\xe9,2,3,4", "reason": "not valid UTF-8"}',
        Reason.NOT_UTF8,
        "it still holds \\xe9",
    ),
]


@pytest.mark.parametrize(("line", "reason", "detail"), WRONG)
def test_rows_mended_wrongly_are_told_and_kept(
    line: str, reason: Reason, detail: str, loaded: tuple[Graph, Path], tmp_path: Path
) -> None:
    _, path = loaded
    text = path.read_text("utf-8")
    number = text.count("\n") + 1
    path.write_text(text + line.replace("FILE", str(tmp_path / "films.csv")) + "\n", "utf-8")
    again = tmp_path / "again.jsonl"
    graph = load_paths(None, [path], quarantine=Quarantine(again))
    found = [r for r in graph.rejected if r.line == number]
    assert [(r.source, r.reason) for r in found] == [(str(path), reason)]
    assert detail in found[0].detail
    assert found[0].fix
    # and once more: nothing is lost, however broken
    third = tmp_path / "third.jsonl"
    once_more = load_paths(None, [again], quarantine=Quarantine(third))
    assert len(once_more.rejected) == len(graph.rejected)
    assert in_order(third) == in_order(again)
    # what was broken, once mended, is loaded
    if line == "{not json":
        mend(
            again, {("q.jsonl", number): json.dumps({"file": str(tmp_path / "films.csv"), "line": 9, "row": "9,a,1,"})}
        )
        assert "film/9" in load_paths(None, [again]).entities


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.split("\n", 1)[1], "must begin"),
        (lambda text: text.replace('"quarantine": 1', '"quarantine": 2', 1), "version 2, this release reads 1"),
        (lambda text: text.replace('"format": "csv"', '"format": "odd"', 1), "format 'odd'"),
        (
            lambda text: text.replace('"format": "csv"', '"format": "csv", "width": "x"', 1).replace(
                '"width": 3, ', ""
            ),
            "it says wrongly",
        ),
        (lambda text: text.replace('"how": 1, "options"', '"how": 3, "options"', 1), "it says wrongly"),
        (lambda text: text.replace('"nodes"', '"nodules"', 1), "nodules: unknown key"),
    ],
)
def test_a_broken_frame_is_one_clear_error(change: Any, said: str, loaded: tuple[Graph, Path]) -> None:
    from ingest.quarantine_file import QuarantineFile
    from ingest.sources import Source

    _, path = loaded
    path.write_text(change(path.read_text("utf-8")), "utf-8")
    with pytest.raises(InputError, match=said) as caught, Source.of(path).open() as stream:
        [*QuarantineFile(str(path)).mapped(stream, lambda _: None)]
    assert caught.value.where.startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "bad", "mended"),
    [
        ("kb.txt", "a|r\nb|r|\n", {2: "a|r|b", 3: ["b", "r", "c"]}),
        ("kb.tsv", 'a\tr\n"b"\tr\t\n', {2: "a\tr\tb", 3: ['"b"', "r", "c"]}),
        ("kb.csv", 'a,r\n"b",r,\n', {2: '"a",r,b', 3: ["b", "r", "c"]}),
    ],
)
def test_files_of_facts(name: str, bad: str, mended: dict[int, object], tmp_path: Path) -> None:
    path, quarantine = tmp_path / name, tmp_path / "q.jsonl"
    mark = {"txt": "|", "tsv": "\t", "csv": ","}[name[-3:]]
    path.write_text(f"x{mark}r{mark}y\n{bad}", "utf-8")
    graph = load_paths(None, [path], quarantine=Quarantine(quarantine))
    assert graph.triples == {("x", "r", "y")}
    assert [r["line"] for r in rows_of(quarantine)] == [2, 3]
    mend(quarantine, {(name, line): row for line, row in mended.items()})
    again = load_paths(None, [quarantine])
    assert not again.rejected
    b = '"b"' if name == "kb.tsv" else "b"
    assert again.triples == {("a", "r", "b"), (b, "r", "c")}


odd = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=6)


@settings(deadline=None)  # it writes files
@given(rows=st.lists(st.lists(odd, min_size=1, max_size=5), min_size=1, max_size=8), block=st.integers(1, 40))
def test_nothing_is_lost_whatever_the_rows_hold(
    rows: list[list[str]], block: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Each row of a pipe-separated file is loaded, or comes back from the quarantine as it was."""
    folder = tmp_path_factory.mktemp("q")
    content = f"{'x' * 500}|r|y\n" + "".join(  # so much of it is text that it isn't taken for binary
        "|".join(row) + "\n" for row in rows
    )
    (folder / "kb.txt").write_bytes(content.encode())
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(lines, "BLOCK", block)
        options = LoadOptions(format="pipe", header="no", quoting="no")
        graph = load_paths(None, [folder / "kb.txt"], options=options, quarantine=Quarantine(folder / "q"))
        kept = rows_of(folder / "q") if graph.rejected else []
    written = content.split("\n")
    assert [r["line"] for r in kept] == [r.line for r in graph.rejected]
    for record in kept:
        row = record["row"]
        assert (row if isinstance(row, str) else "|".join(row)) == written[record["line"] - 1]
    if kept:
        again = load_paths(None, [folder / "q"], quarantine=Quarantine(folder / "r"))
        assert not again.facts
        assert rows_of(folder / "r") == kept


def rejected(line: int, row: str = "row") -> Rejected:
    return Rejected("kb", line, Reason.FIELD_COUNT, "2, not 3", row)


def test_a_row_that_was_cut_says_so(tmp_path: Path) -> None:
    with Quarantine(tmp_path / "q") as quarantine:
        quarantine(rejected(1, "x" * ROW_KEPT))
        quarantine(Rejected("kb", 2, Reason.NUL, "in the head", "x" * ROW_KEPT, fields=("x" * 100_000, "r", "t")))
    one, two = rows_of(tmp_path / "q")
    assert one["cut"] is True
    assert "cut" not in two
    assert two["row"][0] == "x" * 100_000


def test_an_older_quarantine_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "q"
    for rows in ([1], [1], [1, 2], [1], []):
        with Quarantine(path) as quarantine:
            quarantine.begin(FileContext("kb", "pipe", 3))
            for line in rows:
                quarantine(rejected(line))
    assert [[r["line"] for r in rows_of(tmp_path / name)] for name in ("q", "q.1", "q.2")] == [[1], [1], [1, 2]]
    assert not (tmp_path / "q.3").exists()


def test_it_is_whole_after_an_error_too(tmp_path: Path) -> None:
    def interrupted() -> None:
        with Quarantine(tmp_path / "q") as quarantine:
            quarantine(rejected(1))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [r["line"] for r in rows_of(tmp_path / "q")] == [1]
    load_paths(None, [tmp_path / "q"])  # how its file was read was never found out; still it can be read


def test_half_a_line_of_a_killed_run_is_told(loaded: tuple[Graph, Path], tmp_path: Path) -> None:
    _, path = loaded
    partial = tmp_path / "q.jsonl.partial"
    partial.write_bytes(path.read_bytes()[:-40])
    graph = load_paths(None, [partial])
    assert Reason.NOT_A_ROW in {r.reason for r in graph.rejected}
    with Quarantine(path) as quarantine:  # the next run begins its own
        quarantine(rejected(1))
    assert not partial.exists()


def test_a_full_disk_ends_the_load_with_one_line(small_disk: Path) -> None:
    quarantine = Quarantine(small_disk / "q.jsonl")

    def fill() -> None:
        for line in range(10_000):
            quarantine(rejected(line, "x" * 1000))

    with pytest.raises(
        ConfigError, match="can't be written: No space left on device; what was loaded before stays"
    ) as caught:
        fill()
    assert caught.value.where == str(small_disk / "q.jsonl")
    assert "goes on" in caught.value.fix
    with pytest.raises(ConfigError, match="it couldn't be before"):
        quarantine(rejected(1))
    quarantine.close()  # nothing more to be said
    assert not (small_disk / "q.jsonl").exists()
    partial = small_disk / "q.jsonl.partial"
    if partial.is_symlink():
        partial.unlink()
    else:
        assert partial.stat().st_size > 30_000
    with Quarantine(small_disk / "q.jsonl") as again:  # the next run takes its place
        again(rejected(1))
    assert [r["line"] for r in rows_of(small_disk / "q.jsonl")] == [1]


def test_a_device_that_is_always_full(tmp_path: Path) -> None:
    (tmp_path / "q.partial").symlink_to("/dev/full")
    with pytest.raises(ConfigError, match=os.strerror(errno.ENOSPC)), Quarantine(tmp_path / "q") as quarantine:
        quarantine(rejected(1))  # held back until the file is closed
    assert not (tmp_path / "q").exists()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file or directory"):
        Quarantine(tmp_path / "gone" / "q")(rejected(1))


def test_of_two_loads_that_end_one_after_the_other_each_knows_its_file(tmp_path: Path) -> None:
    path = tmp_path / "x.rejected.jsonl"
    path.write_text("older\n")
    held = [Quarantine(path) for _ in range(3)]
    for number, quarantine in enumerate(held):
        quarantine(Rejected("x.tsv", number + 1, Reason.EMPTY_FIELD, "no head", "|r|t"))
    for quarantine in held:
        quarantine.close()
    assert [rows_of(quarantine.kept)[0]["line"] for quarantine in held] == [1, 2, 3]
    assert [quarantine.kept.name for quarantine in held] == [f"{path.name}.2", f"{path.name}.3", path.name]
    assert [quarantine.older and quarantine.older.name for quarantine in held] == [
        f"{path.name}.{n}" for n in (1, 2, 3)
    ]
    assert (tmp_path / f"{path.name}.1").read_text() == "older\n"
