"""``kgqa loads`` and the ways to load: list, show, undo, where a fact comes from, replace, dry run, reports."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from tests.command import Kgqa

STORE = ("--store", "sqlite:///graph.db")


@pytest.fixture
def two(kgqa: Kgqa, tmp_path: Path) -> tuple[str, str]:
    """Two loads with one fact in common; their ids."""
    (tmp_path / "one").write_text("Heat|directed_by|Michael Mann\nHeat|about|crime\nbad\n", "utf-8")
    (tmp_path / "two").write_text("Heat|about|crime\nHeat|about|Los Angeles\n", "utf-8")
    ids = [json.loads(kgqa("ingest", name, "--json", *STORE).succeeded())["load"] for name in ("one", "two")]
    return ids[0], ids[1]


def facts(kgqa: Kgqa) -> int:
    count: int = json.loads(kgqa("store", "info", "--json", *STORE).succeeded())["facts"]
    return count


def test_the_list(kgqa: Kgqa, tmp_path: Path, two: tuple[str, str]) -> None:
    out = kgqa("loads", *STORE).succeeded()
    for part in (*two, "complete", str(tmp_path / "one")):
        assert part in out
    assert len(out.splitlines()) == 2
    listed = json.loads(kgqa("loads", "--json", *STORE).succeeded())
    assert [load["id"] for load in listed] == [*two]
    assert [load["facts"] for load in listed] == [2, 1]
    assert [load["rejected"] for load in listed] == [1, 0]
    assert [" 1 set aside" in line for line in out.splitlines()] == [True, False]
    (source,) = listed[0]["sources"]
    assert (source["name"], source["facts"], source["entities"]) == (str(tmp_path / "one"), 2, 3)
    assert source["through"] >= 2


def test_no_loads(kgqa: Kgqa, tmp_path: Path, two: tuple[str, str]) -> None:
    (tmp_path / "graph.db").unlink()
    kgqa("loads", *STORE).failed("there is no store at this path")


def test_one_load(kgqa: Kgqa, tmp_path: Path, two: tuple[str, str]) -> None:
    out = kgqa("loads", "show", two[0], *STORE).succeeded()
    assert f"{two[0]}: complete" in out
    assert f"{tmp_path / 'one'} (" in out
    assert "first to bring 2 facts and 3 entities; 1 row set aside" in out
    shown = json.loads(kgqa("loads", "show", two[0], "--json", *STORE).succeeded())
    assert shown["sources"][0]["digest"]
    assert shown["sources"][0]["rejected"] == 1


def test_an_id_is_found_by_its_beginning_and_a_wrong_one_gets_a_hint(kgqa: Kgqa, two: tuple[str, str]) -> None:
    start = next(two[1][:end] for end in range(1, 99) if not two[0].startswith(two[1][:end]))
    assert json.loads(kgqa("loads", "show", start, "--json", *STORE).succeeded())["id"] == two[1]
    kgqa("loads", "show", two[0][:1], *STORE).failed("2 loads begin so", *two)
    kgqa("loads", "show", f"x{two[0][:-1]}", *STORE).failed("no such load", "Did you mean", two[0])
    kgqa("loads", "show", "", *STORE).failed("no such load", "See kgqa loads")


def test_options_before_the_word_are_refused(kgqa: Kgqa, two: tuple[str, str]) -> None:
    kgqa("loads", *STORE, "undo", two[0], "--yes").failed("options go after the command")


def test_undo_takes_back_what_no_other_load_brought(kgqa: Kgqa, two: tuple[str, str]) -> None:
    kgqa("loads", "undo", two[0], *STORE).failed_after_lines("there is no terminal to ask on", "--yes")
    assert facts(kgqa) == 3
    said = kgqa("loads", "undo", two[0], *STORE).err
    assert "1 fact to go, 1 to stay, for other loads brought them too" in said
    out = kgqa("loads", "undo", two[0], "--yes", *STORE).succeeded()
    assert "gone: 1 fact and 1 entity; to stay, for others brought them too: 1 fact" in out
    assert facts(kgqa) == 2
    kgqa("loads", "undo", two[0], "--yes", *STORE).failed("has been taken back already")
    last = json.loads(kgqa("loads", "undo", two[1], "--yes", "--json", *STORE).succeeded())
    assert last == {"load": two[1], "facts_deleted": 2, "facts_kept": 0, "entities_deleted": 3, "entities_kept": 0}
    assert facts(kgqa) == 0


def test_an_undone_load_can_be_loaded_again(kgqa: Kgqa, two: tuple[str, str]) -> None:
    kgqa("loads", "undo", two[0], "--yes", *STORE).succeeded()
    again = json.loads(kgqa("ingest", "one", "--json", *STORE).succeeded())
    assert again["load"] not in two
    assert again["created"] == 1
    assert facts(kgqa) == 3


def test_where_a_fact_comes_from(kgqa: Kgqa, tmp_path: Path, two: tuple[str, str]) -> None:
    out = kgqa("loads", "of", "heat", "about", "Crime", *STORE).succeeded()
    assert out.splitlines() == [
        "Heat -about-> crime",
        f"  {tmp_path / 'one'}:2 (load {two[0]})",
        f"  {tmp_path / 'two'}:1 (load {two[1]})",
    ]
    plain = json.loads(kgqa("loads", "of", "Heat", "about", "Los Angeles", "--json", *STORE).succeeded())
    assert plain["origins"] == [{"load": two[1], "source": str(tmp_path / "two"), "line": 2}]
    kgqa("loads", "of", "Heat", "abuot", "crime", *STORE).failed("the graph has no such fact", "Did you mean about?")
    kgqa("loads", "of", "Heat", "about", "nothing", *STORE).failed("the graph has no such fact")


def test_replace_shows_the_difference_and_asks(kgqa: Kgqa, tmp_path: Path, two: tuple[str, str]) -> None:
    (tmp_path / "one").write_text("Heat|directed_by|Michael Mann\nHeat|year|1995\n", "utf-8")
    (tmp_path / "two").write_text("Heat|about|Los Angeles\n", "utf-8")
    foreseen = kgqa("ingest", "one", "--replace", "--dry-run", *STORE).succeeded()
    assert "1 new fact, 1 to go, 1 to stay" in foreseen
    assert "+ Heat -year-> 1995" in foreseen
    assert "- Heat -about-> crime" in foreseen
    refused = kgqa("ingest", "one", "--replace", *STORE)
    assert (refused.status, facts(kgqa)) == (1, 3)
    assert "there is no terminal to ask on" in refused.err
    done = kgqa("ingest", "one", "--replace", "--yes", *STORE).succeeded()
    assert "gone: 0 facts and 0 entities; to stay, for others brought them too: 2 facts" in done
    assert facts(kgqa) == 4
    report = json.loads(kgqa("ingest", "two", "--replace", "--yes", "--json", *STORE).succeeded())
    assert report["difference"]["gone_examples"] == [["Heat", "about", "crime"]]
    assert report["difference"]["older"] == [two[1]]
    assert report["withdrawn"]["facts_deleted"] == 1
    assert facts(kgqa) == 3
    assert [load["state"] for load in json.loads(kgqa("loads", "--json", *STORE).succeeded())] == [
        "undone",
        "undone",
        "complete",
        "complete",
    ]


def test_replacing_with_nothing_to_take_away_needs_no_word(kgqa: Kgqa, tmp_path: Path, two: tuple[str, str]) -> None:
    with (tmp_path / "one").open("a", encoding="utf-8") as file:
        file.write("Heat|year|1995\n")
    assert "1 new fact, 0 to go, 2 to stay" in kgqa("ingest", "one", "--replace", *STORE).succeeded()


def test_replacing_shows_and_asks_for_nodes_and_properties_too(kgqa: Kgqa, tmp_path: Path) -> None:
    def said(films: str, weight: int) -> None:
        (tmp_path / "f.csv").write_text(f"id,name,year\n{films}", "utf-8")
        (tmp_path / "e.csv").write_text(f"head,tail,weight\n1,2,{weight}\n", "utf-8")

    def entities() -> int:
        count: int = json.loads(kgqa("store", "info", "--json", *STORE).succeeded())["entities"]
        return count

    (tmp_path / "m.yaml").write_text(
        "sources:\n"
        "  - files: f.csv\n"
        "    nodes: [{label: Film, id: id, name: name, properties: {year: {column: year, type: integer}}}]\n"
        "  - files: e.csv\n"
        "    relationships:\n"
        "      - {type: like, head: {id: head}, tail: {id: tail}, properties: {weight: weight}}\n",
        "utf-8",
    )
    load = ("ingest", "f.csv", "e.csv", "--mapping", "m.yaml", *STORE)
    said("1,Heat,1995\n2,Alien,1979\n3,[Dune],2021\n", 5)
    kgqa(*load).succeeded()
    said("1,Heat,2000\n2,Alien,1979\n4,Ali,2001\n", 6)
    shown = (
        "0 new facts, 0 to go, 1 to stay, 1 with other properties",
        "  ~ 1 -like-> 2 weight: 5 -> 6",
        "1 new entity, 1 to go, 1 to change",
        "  + 4 Ali",
        "  - 3 [Dune]",
        "  ~ 1 year: 1995 -> 2000",
    )
    foreseen = kgqa(*load, "--replace", "--dry-run").succeeded().splitlines()
    assert foreseen[: len(shown)] == [*shown]
    refused = kgqa(*load, "--replace")
    assert (refused.status, entities()) == (1, 3)
    assert "there is no terminal to ask on" in refused.err
    assert refused.out.splitlines()[: len(shown)] == [*shown]
    done = json.loads(kgqa(*load, "--replace", "--yes", "--json").succeeded())["difference"]
    assert (done["entities_new_examples"], done["entities_gone_examples"]) == (["4"], ["3"])
    assert done["entities_changed_examples"] == [{"of": "1", "values": [["year", 1995, 2000]]}]
    assert done["changed_examples"] == [{"of": ["1", "like", "2"], "values": [["weight", "5", "6"]]}]
    for step in ("2,Alien,1979\n4,Ali,2001\n", "2,Alien,1980\n4,Ali,2001\n"):
        said(f"1,Heat,2000\n{step}5,New,1\n", 6)
        assert kgqa(*load, "--replace").status == (1 if "1980" in step else 0), "only what goes or changes is asked for"


def test_replacing_says_which_lines_are_set_aside_before_it_asks(kgqa: Kgqa, tmp_path: Path) -> None:
    (tmp_path / "one").write_text("a,r,b\nc,r,d\ne,r,f\n", "utf-8")
    kgqa("ingest", "one", *STORE).succeeded()
    (tmp_path / "one").write_text("a,r,b\nc,r\ne,r,f\n", "utf-8")
    wanted = ["1 line would be set aside, so what they said before goes:", "  one:2: wrong number of fields: 2"]
    for way in ("--dry-run", "--quiet"):
        shown = kgqa("ingest", "one", "--replace", way, *STORE).out
        assert "0 new facts, 1 to go, 2 to stay" in shown
        for line in wanted:
            assert line in shown
    found = json.loads(kgqa("ingest", "one", "--replace", "--dry-run", "--json", *STORE).succeeded())["difference"]
    assert found["rejected"] == {"wrong number of fields": 1}
    assert list(found["rejected_examples"]) == ["wrong number of fields"]
    many = "".join(f"bad{n}\n" for n in range(9))
    (tmp_path / "one").write_text(f"a,r,b\nc,r,d\ne,r,f\n{many}", "utf-8")
    shown = kgqa("ingest", "one", "--replace", *STORE).succeeded()
    assert "9 lines would be set aside" in shown
    assert "... and 4 more: wrong number of fields" in shown


def test_the_report_says_what_became_of_nodes(kgqa: Kgqa, tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(
        "sources:\n"
        "  - files: f.csv\n"
        "    nodes: [{label: Film, id: id, name: name, properties: {year: {column: year, type: integer}}}]\n",
        "utf-8",
    )
    load = ("ingest", "f.csv", "--mapping", "m.yaml", *STORE)
    (tmp_path / "f.csv").write_text("id,name,year\n1,Heat,1995\n2,Alien,1979\n", "utf-8")
    assert "; 2 new entities; " in kgqa(*load).succeeded()
    assert "; 0 new entities, 2 nodes there already or repeated, unchanged; " in kgqa(*load).succeeded()
    fast = json.loads(kgqa(*load, "--json").succeeded())
    assert (fast["entities"], fast["entities_merged"], fast["entities_unchanged"]) == (2, 2, 2)
    (tmp_path / "f.csv").write_text("id,name,year\n1,Heat,2007\n2,Alien,1979\n", "utf-8")
    foreseen = kgqa(*load, "--dry-run").succeeded()
    assert "; 0 new entities, 2 nodes there already or repeated (1 of them would change); " in foreseen
    done = json.loads(kgqa(*load, "--json").succeeded())
    for of in (done, *done["files"]):
        assert (of["entities"], of["entities_created"]) == (2, 0)
        assert (of["entities_merged"], of["entities_unchanged"]) == (2, 1)
    (tmp_path / "f.csv").write_text("id,name,year\n1,Heat,2008\n2,Alien,1979\n", "utf-8")
    assert "2 nodes there already or repeated (1 of them changed); " in kgqa(*load).succeeded()


@pytest.mark.parametrize(("answer", "left"), [("y\n", 2), ("n\n", 3), ("", 3)])
def test_on_a_terminal_it_is_asked(
    kgqa: Kgqa, two: tuple[str, str], monkeypatch: pytest.MonkeyPatch, answer: str, left: int
) -> None:
    terminal = io.StringIO(answer)
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)
    done = kgqa("loads", "undo", two[0], *STORE)
    assert done.status == (0 if left == 2 else 1)
    assert "Take it back?" in done.err
    assert "Traceback" not in done.err
    assert facts(kgqa) == left


def test_a_dry_run_leaves_no_store_and_changes_none(kgqa: Kgqa, tmp_path: Path) -> None:
    (tmp_path / "one").write_text("a|r|b\nbad\na|r|b\n", "utf-8")
    out = kgqa("ingest", "one", "--dry-run", *STORE).succeeded()
    assert "2 facts read: 1 would be new, 1 there already or repeated; 2 new entities" in out
    assert "one:2: wrong number of fields" in out
    assert "Nothing was written" in out
    assert not (tmp_path / "graph.db").exists()
    kgqa("ingest", "one", *STORE).succeeded()
    before = kgqa("store", "info", "--json", *STORE).succeeded()
    assert json.loads(kgqa("ingest", "one", "--dry-run", "--json", *STORE).succeeded())["created"] == 0
    assert kgqa("store", "info", "--json", *STORE).succeeded() == before


def test_the_report_goes_to_a_file(kgqa: Kgqa, tmp_path: Path) -> None:
    (tmp_path / "one").write_text("a|r|b\n", "utf-8")
    out = kgqa("ingest", "one", "--report", "report.json", *STORE).succeeded()
    assert "1 fact read: 1 new" in out
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert (report["facts"], report["created"], report["files"][0]["source"]) == (1, 1, "one")
    kgqa("ingest", "one", "--report", "no/report.json", *STORE).failed("--report", "folder doesn't exist")


def test_a_stream_with_a_name_is_one_load(kgqa: Kgqa, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = []
    for content in (b"a|r|b\n", b"a|r|b\nc|r|d\n"):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        ids.append(json.loads(kgqa("ingest", "-", "--source", "feed", "--json", *STORE).succeeded())["load"])
    assert ids[0] == ids[1]
    assert kgqa("loads", "of", "c", "r", "d", *STORE).succeeded().splitlines()[1] == f"  feed:2 (load {ids[0]})"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a|r|b\n")))
    kgqa("ingest", "-", "--source", "feed", "--replace", *STORE).failed("can't be replaced")


def test_the_report_says_where_a_load_went_on_and_what_to_undo(
    kgqa: Kgqa, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [f"n{i}|r|m" for i in range(40_000)]
    (tmp_path / "many").write_text("\n".join([*lines, "bad", "bad"]) + "\n", "utf-8")
    kgqa("ingest", "many", "--batch-size", 1000, "--max-errors", 0, *STORE).failed("more than 0 bad lines")
    out = kgqa("ingest", "many", "--batch-size", 1000, *STORE).succeeded()
    assert "40,000 facts read: 40,000 new, 0 there already or repeated" in out
    assert "many: gone on with after line " in out
    (load,) = json.loads(kgqa("loads", "--json", *STORE).succeeded())
    assert f"to take it back: kgqa loads undo {load['id']}" in out


def test_a_pattern_a_folder_and_a_mapping_by_itself(kgqa: Kgqa, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/people.csv").write_text("id,name\n1,Mann\n", "utf-8")
    (tmp_path / "data/films.csv").write_text("id,title,director\n1,Heat,1\n2,Ali,9\n", "utf-8")
    (tmp_path / "data/films.yaml").write_text(
        "sources:\n"
        "  - files: people.csv\n"
        "    nodes: [{label: Person, id: 'person/{id}', name: name}]\n"
        "  - files: films.csv\n"
        "    nodes: [{label: Film, id: 'film/{id}', name: title}]\n"
        "    relationships: [{type: directed_by, head: Film, tail: {label: Person, key: director}}]\n",
        "utf-8",
    )
    out = kgqa("ingest", "--mapping", "data/films.yaml", *STORE).succeeded()
    assert "1 fact and 2 nodes read: 1 new" in out
    assert "films.csv:3: no such node" in out
    for given in ("data", "data/*.csv"):
        again = json.loads(kgqa("ingest", given, "--mapping", "data/films.yaml", "--json", *STORE).succeeded())
        assert (again["created"], again["entities_created"], again["unchanged"]) == (0, 0, 1)
    kgqa("ingest", *STORE).failed("give files to load", status=2)
