"""Rows that were set aside, mended and loaded again: they count as rows of the source that they are from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from graph_schema import ConfigError, Entity, Fact, GraphStore
from ingest import LoadOptions, MappingFile, Progress, Quarantine, difference, load, replace

MAPPING = MappingFile.from_yaml(
    """
    sources:
      - files: people.csv
        nodes: [{label: Person, id: "person/{id}", name: name}]
      - files: films.csv
        nodes: [{label: Film, id: "film/{id}", name: title, properties: {year: {column: year, type: integer}}}]
        relationships: [{type: directed_by, head: Film, tail: {label: Person, key: director}}]
      - files: more.csv
        triples: [head, relation, tail]
    """
)
FILMS = "id,title,year,director\n1,Kismet,1944,7\n2,Gigi,soon,8\n3,Lola,1961\n4,Solo,1999,99\n"
PEOPLE = "id,name\n7,Dieterle\n8,Minnelli\n"
MORE = "head,relation,tail\nfilm/1,about,magic\nfilm/2,about\nfilm/2,about,Paris\n"
GIGI, LOLA = Fact("film/2", "directed_by", "person/8"), Fact("film/3", "directed_by", "person/7")
PARIS, LOVE = Fact("film/2", "about", "Paris"), Fact("film/2", "about", "love")


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    for name, text in (("people", PEOPLE), ("films", FILMS), ("more", MORE)):
        (tmp_path / f"{name}.csv").write_text(text, "utf-8")
    return [tmp_path / f"{name}.csv" for name in ("people", "films", "more")]


@pytest.fixture
def mended(each_store: GraphStore, files: list[Path], tmp_path: Path) -> Path:
    """The quarantine of a load of the files, all of its rows mended."""
    path = tmp_path / "kept.jsonl"
    with Quarantine(path) as quarantine:
        report = load(files, each_store, mapping=MAPPING, options=LoadOptions(rejects=quarantine))
    assert report.rejected_lines == 4
    mend(path, {2: {"id": "2", "title": "Gigi", "year": 1958, "director": 8}, 4: ["3", "Lola", "1961", "7"]})
    return path


def mend(path: Path, films: dict[int, object]) -> None:
    """Of films.csv, write these rows by line, 2 being that of Gigi; of more.csv, the one that there is."""
    made = []
    for line in path.read_text("utf-8").splitlines():
        record: dict[str, Any] = json.loads(line)
        if "row" in record and record["file"].endswith("films.csv"):
            wanted = {3: films.get(2), 4: films.get(4), 5: films.get(5)}[record["line"]]
            if wanted is None:
                continue
            record["row"] = wanted
        elif "row" in record:
            record["row"] = "film/2,about,love"
        made.append(json.dumps(record))
    path.write_text("\n".join(made) + "\n", "utf-8")


def where(each_store: GraphStore, fact: Fact) -> list[tuple[str, int]]:
    """Source and line of each mark of a fact."""
    return [(Path(origin.source).name, origin.line) for origin in each_store.origins([fact])[0]]


def test_they_are_rows_of_the_source_that_they_are_from(
    each_store: GraphStore, files: list[Path], mended: Path
) -> None:
    report = load([mended], each_store)
    assert (report.rejected_lines, report.created) == (0, 3)
    assert [where(each_store, fact) for fact in (GIGI, LOLA, LOVE)] == [
        [("films.csv", 3)],
        [("films.csv", 4)],
        [("more.csv", 3)],
    ]
    first, second = each_store.loads()
    assert [(Path(s.name).name, s.rejected) for s in first.sources] == [
        ("people.csv", 0),
        ("films.csv", 3),
        ("more.csv", 1),
    ]
    assert [(Path(s.name).name, s.facts, s.rejected) for s in second.sources] == [
        ("films.csv", 2, 0),
        ("more.csv", 1, 0),
    ]
    again = load([mended], each_store)
    assert (again.load, again.created, again.unchanged) == (report.load, 0, 3)

    each_store.withdraw([source.origin for source in second.sources], undone=second.id)
    assert each_store.holds([GIGI, LOLA, LOVE, PARIS]) == [False, False, False, True]


def test_replacing_the_source_takes_them_along(each_store: GraphStore, files: list[Path], mended: Path) -> None:
    load([mended], each_store)
    films = files[1]
    films.write_text("id,title,year,director\n1,Kismet,1944,7\n3,Lola,1961,8\n", "utf-8")
    found = difference([films], each_store, mapping=MAPPING)
    assert (found.new, found.gone, found.kept) == (1, 2, 1)
    assert set(found.gone_examples) == {GIGI, LOLA}
    replace([films], each_store, mapping=MAPPING, agreed=lambda _: True)
    directed = {fact for fact in each_store.all_facts() if fact.relation == "directed_by"}
    assert directed == {Fact("film/1", "directed_by", "person/7"), Fact("film/3", "directed_by", "person/8")}
    assert each_store.holds([PARIS, LOVE]) == [True, True], "another source's mended rows stay"
    assert "film/2" in each_store.entities(["film/2"])
    assert each_store.entities(["film/2"])["film/2"] == Entity("film/2", "film/2")


def test_a_source_that_goes_by_a_name_has_its_mended_rows_under_it(
    each_store: GraphStore, files: list[Path], tmp_path: Path
) -> None:
    path = tmp_path / "kept.jsonl"
    with Quarantine(path) as quarantine:
        load(files, each_store, mapping=MAPPING, options=LoadOptions(rejects=quarantine, source="films of today"))
    mend(path, {4: "3,Lola,1961,7"})
    for source in ("films of today", None):
        load([path], each_store, options=LoadOptions(source=source))
        assert where(each_store, LOLA)[0] == ("films.csv", 4)
        assert each_store.origins([LOLA])[0][0].source == "films of today/films.csv"
    load([path], each_store, options=LoadOptions(source="another"))
    assert {origin.source for origin in each_store.origins([LOLA])[0]} == {"films of today/films.csv", "another"}


def test_rows_alone_replace_nothing_and_beside_their_file_are_part_of_it(
    each_store: GraphStore, files: list[Path], mended: Path
) -> None:
    for call in (difference, lambda *given, **more: replace(*given, **more, agreed=lambda _: True)):
        with pytest.raises(ConfigError, match="holds only the rows that were set aside") as caught:
            call([mended], each_store, mapping=MAPPING)
        assert caught.value.where == str(mended)
    assert len(each_store.loads()) == 1
    done = replace([*files, mended], each_store, mapping=MAPPING, agreed=lambda _: True)
    assert done is not None
    assert (done.difference.new, done.difference.gone, done.difference.kept) == (3, 0, 3)
    assert each_store.holds([GIGI, LOLA, LOVE, PARIS]) == [True] * 4
    assert [load.state for load in each_store.loads()] == ["undone", "complete"]


@pytest.mark.parametrize("after", [1, 2])
def test_broken_off_it_goes_on(each_store: GraphStore, mended: Path, after: int) -> None:
    def break_off(now: Progress) -> None:
        if now.facts == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load([mended], each_store, options=LoadOptions(batch_size=1), progress=break_off)
    # Batches are on their way while others are reported, so that more may be in than was said.
    assert sum(each_store.holds([GIGI, LOLA, LOVE])) >= after
    assert [one.state for one in each_store.loads()][-1] == "running"
    report = load([mended], each_store, options=LoadOptions(batch_size=1))
    assert report.resumed
    assert (report.facts, report.created, report.merged) == (3, 3, 0)
    assert [where(each_store, fact) for fact in (GIGI, LOLA, LOVE)] == [
        [("films.csv", 3)],
        [("films.csv", 4)],
        [("more.csv", 3)],
    ]


def test_rows_that_are_still_bad_are_kept_with_their_source(
    each_store: GraphStore, mended: Path, tmp_path: Path
) -> None:
    text = mended.read_text("utf-8").replace("1958", '"later"')
    mended.write_text(text, "utf-8")
    with Quarantine(tmp_path / "again.jsonl") as quarantine:
        load([mended], each_store, options=LoadOptions(rejects=quarantine))
    assert [(Path(s.name).name, s.rejected) for s in each_store.loads()[1].sources] == [
        ("films.csv", 1),
        ("more.csv", 0),
    ]
    mend(tmp_path / "again.jsonl", {2: "2,Gigi,1958,8"})
    report = load([tmp_path / "again.jsonl"], each_store)
    assert report.created == 1
    assert where(each_store, GIGI) == [("films.csv", 3)]


def test_a_row_set_aside_for_what_the_store_lacks_is_loaded_when_the_load_goes_on(
    each_store: GraphStore, files: list[Path]
) -> None:
    """The node that it lacked is brought by another load before: the journal isn't to say that the row is in."""
    people, films, _ = files
    lines = [f"{number},Film {number},1990,{number % 2 or 77}" for number in range(1, 21)]
    films.write_text("\n".join(["id,title,year,director", *lines]) + "\n", "utf-8")
    people.write_text("id,name\n1,One\n", "utf-8")
    load([people], each_store, mapping=MAPPING)

    def break_off(now: Progress) -> None:
        if now.facts >= 6:
            raise KeyboardInterrupt

    options = LoadOptions(batch_size=2)
    with pytest.raises(KeyboardInterrupt):
        load([films], each_store, mapping=MAPPING, options=options, progress=break_off)
    assert each_store.loads()[-1].sources[0].rejected > 0
    people.write_text("id,name\n77,Late\n", "utf-8")
    load([people], each_store, mapping=MAPPING)
    report = load([films], each_store, mapping=MAPPING, options=options)
    assert report.rejected_lines == 0
    assert (report.facts, report.created) == (20, 20)
    wanted = [Fact(f"film/{number}", "directed_by", f"person/{number % 2 or 77}") for number in range(1, 21)]
    assert each_store.holds(wanted) == [True] * 20
