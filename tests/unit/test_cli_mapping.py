"""From tables to a graph on the command line: suggest a mapping, load by it, mend what was set aside, load that."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from graph_schema import Entity, Fact
from kgqa.stores import open_store
from tests.command import Kgqa, started

FILMS = "film_id,title,year,director_id\n1,Kismet,1944,7\n2,Gigi,soon,8\n3,Lola,1961,99\n4,Solo\n"
PEOPLE = "person_id,name\n7,Dieterle\n8,Minnelli\n"
MAPPING = """
schema: {labels: {Film: {words: film}}, relations: {directed_by: {words: directed by}}}
sources:
  - files: films.csv
    nodes:
      - {label: Film, id: "film/{film_id}", name: title, properties: {released: {column: year, type: integer}}}
    relationships: [{type: directed_by, head: Film, tail: {label: Person, key: director_id}}]
  - files: people.csv
    nodes: [{label: Person, id: "person/{person_id}", name: name}]
"""


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    (tmp_path / "films.csv").write_text(FILMS, "utf-8")
    (tmp_path / "people.csv").write_text(PEOPLE, "utf-8")
    (tmp_path / "m.yaml").write_text(MAPPING, "utf-8")
    return tmp_path


def facts_of(folder: Path, name: str = "new.db") -> set[Fact]:
    store = open_store(f"sqlite:///{folder / name}")
    try:
        return {*store.all_facts()}
    finally:
        store.close()


def entities_of(folder: Path, name: str = "new.db") -> dict[str, Entity]:
    store = open_store(f"sqlite:///{folder / name}")
    try:
        return {entity.id: entity for entity in store.all_entities()}
    finally:
        store.close()


def test_a_suggested_mapping_is_printed_and_loads_the_files(kgqa: Kgqa, tables: Path) -> None:
    (tables / "films.csv").write_text("film_id,title,year,director_id\n1,Kismet,1944,7\n2,Gigi,1958,8\n", "utf-8")
    (tables / "people.csv").rename(tables / "directors.csv")
    text = kgqa("ingest", "--suggest", "films.csv", "directors.csv").succeeded()
    assert not list(tables.glob("*.db"))
    (tables / "suggested.yaml").write_text(text, "utf-8")
    kgqa("ingest", "--mapping", "suggested.yaml", "--store", "sqlite:///new.db").succeeded()
    assert Fact("film/1", "has_director", "director/7") in facts_of(tables)
    film = entities_of(tables)["film/1"]
    assert (film.name, film.label, dict(film.properties)) == ("Kismet", "Film", {"year": 1944})


def test_what_is_set_aside_is_mended_and_loaded(kgqa: Kgqa, tables: Path) -> None:
    command = ("ingest", "--store", "sqlite:///new.db", "--quarantine", "q.jsonl", "--json")
    done = json.loads(kgqa(*command, "--mapping", "m.yaml", "films.csv", "people.csv").succeeded())
    assert done["rejected"] == {"wrong number of fields": 1, "not a number": 1, "no such node": 1}
    assert facts_of(tables) == {Fact("film/1", "directed_by", "person/7")}
    lines = (tables / "q.jsonl").read_text("utf-8").splitlines()
    rows = {record["line"]: record for record in map(json.loads, lines) if "row" in record}
    assert rows[3]["detail"] == "released is 'soon', not a whole number"
    assert rows[3]["row"] == {"film_id": "2", "title": "Gigi", "year": "soon", "director_id": "8"}
    mended = []
    for line in lines:
        record = json.loads(line)
        if record.get("line") == 3:
            record["row"]["year"] = 1958
        if record.get("line") == 5:
            record["row"] = "4,Solo,1999,7"
        mended.append(json.dumps(record))
    (tables / "mended.jsonl").write_text("\n".join(mended) + "\n", "utf-8")
    again = json.loads(kgqa(*command, "mended.jsonl").succeeded())
    assert again["rejected"] == {"no such node": 1}
    assert again["quarantine"] == "q.jsonl"
    left = [json.loads(line) for line in (tables / "q.jsonl").read_text("utf-8").splitlines()]
    assert [(record["file"], record["line"]) for record in left if "row" in record] == [("films.csv", 4)]
    assert (tables / "q.jsonl.1").read_text("utf-8").splitlines() == lines  # the older one is kept
    assert facts_of(tables) == {
        Fact("film/1", "directed_by", "person/7"),
        Fact("film/2", "directed_by", "person/8"),
        Fact("film/4", "directed_by", "person/7"),
    }
    assert entities_of(tables)["film/2"].properties == {"released": 1958}


def test_a_quarantine_alone_brings_the_schema_too(kgqa: Kgqa, tables: Path) -> None:
    (tables / "films.csv").write_text(FILMS, "utf-8")
    kgqa("ingest", "--mapping", "m.yaml", "films.csv", "people.csv", "--store", "sqlite:///a.db", "--quarantine", "q")
    text = (tables / "q").read_text("utf-8").replace('"year": "soon", "director_id": "8"', '"year": "1958"')
    (tables / "q").write_text(text, "utf-8")
    kgqa("ingest", "q", "--store", "sqlite:///b.db", "--no-quarantine").succeeded()
    store = open_store(f"sqlite:///{tables / 'b.db'}")
    try:
        assert store.schema().labels["Film"].words == "film"
        assert store.schema().labels["Film"].properties["released"].type == "integer"
    finally:
        store.close()


def test_a_mapping_that_does_not_fit_leaves_nothing(kgqa: Kgqa, tables: Path) -> None:
    (tables / "films.csv").write_text("id,name\n1,Kismet\n", "utf-8")
    kgqa("ingest", "--mapping", "m.yaml", "films.csv", "--store", "sqlite:///new.db").failed(
        "films.csv: its mapping doesn't fit: no column 'film_id'; no column 'title'", "It has 'id', 'name'"
    )
    (tables / "m.yaml").write_text("sources: [{files: films.csv, node: []}]", "utf-8")
    kgqa("ingest", "--mapping", "m.yaml", "--store", "sqlite:///new.db").failed(
        "m.yaml: sources.0", "node: unknown key"
    )


def many(folder: Path, rows: int) -> None:
    """Films of which every seventh has a year that is none."""
    lines = ["film_id,title,year,director_id"]
    lines += [f"{n},Film {n},{'soon' if n % 7 == 0 else 1900 + n % 100},{7 + n % 2}" for n in range(rows)]
    (folder / "films.csv").write_text("\n".join(lines) + "\n", "utf-8")


def test_a_load_that_was_killed_goes_on_and_its_quarantine_is_that_of_an_undisturbed_one(
    tables: Path, kgqa: Kgqa
) -> None:
    many(tables, 40_000)
    command = ("ingest", "--mapping", "m.yaml", "films.csv", "people.csv", "--batch-size", "500")
    whole = ("--store", "sqlite:///whole.db", "--quarantine", "whole.jsonl")
    kgqa(*command, *whole).succeeded()
    cut = ("--store", "sqlite:///new.db", "--quarantine", "q.jsonl")
    killed = 0
    for attempt in range(1, 6):
        process = started(tables, *command, *cut)
        deadline = time.monotonic() + 60
        size = 20_000 * attempt
        while process.poll() is None and time.monotonic() < deadline:
            partial = tables / "q.jsonl.partial"
            if partial.exists() and partial.stat().st_size > size:
                process.send_signal(signal.SIGKILL)
                killed += process.wait() == -signal.SIGKILL
                break
            time.sleep(0.002)
        process.communicate()
    assert killed >= 3
    kgqa(*command, *cut).succeeded()
    assert (tables / "q.jsonl").read_bytes() == (tables / "whole.jsonl").read_bytes()
    assert not (tables / "q.jsonl.partial").exists()
    assert facts_of(tables) == facts_of(tables, "whole.db")
    assert entities_of(tables) == entities_of(tables, "whole.db")


def test_a_full_disk_under_the_quarantine_stops_the_load_which_then_goes_on(
    kgqa: Kgqa, tables: Path, small_disk: Path
) -> None:
    many(tables, 20_000)
    command = (
        "ingest",
        "--mapping",
        "m.yaml",
        "films.csv",
        "people.csv",
        "--store",
        "sqlite:///new.db",
        "--batch-size",
        "200",
    )
    kgqa(*command, "--quarantine", "small/q.jsonl").failed(
        "small/q.jsonl: the quarantine file can't be written: No space left on device; what was loaded before stays",
        "it goes on where it was",
    )
    assert 0 < len(facts_of(tables)) < 17_000
    assert not (small_disk / "q.jsonl").exists()
    kgqa(*command, "--quarantine", "q.jsonl").succeeded()
    assert len(facts_of(tables)) == sum(1 for n in range(20_000) if n % 7)
    rows = [line for line in (tables / "q.jsonl").read_text("utf-8").splitlines() if '"row"' in line]
    assert len(rows) == sum(1 for n in range(20_000) if n % 7 == 0)
