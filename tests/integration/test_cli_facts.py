"""``kgqa facts``: what answered questions tell is written, looked at, loaded, and answers; what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from graph_schema import Fact
from tests.command import Kgqa
from tests.reader import small_graph

FILM, DIRECTOR = next((f.head, f.tail) for f in small_graph() if f.relation == "directed_by")
ASKED = f"who directed [{FILM}]"
FIRST = Fact(FILM, "directed_by", "Somebody New")


@pytest.fixture
def store(kgqa: Kgqa, tmp_path: Path) -> str:
    """The small films, one of which has lost its directors."""
    kept = [f for f in small_graph() if (f.head, f.relation) != (FILM, "directed_by")]
    (tmp_path / "facts.txt").write_text("".join(f"{f.head}|{f.relation}|{f.tail}\n" for f in kept), "utf-8")
    kgqa("ingest", "facts.txt", "--store", "sqlite:///films.db").succeeded()
    return "sqlite:///films.db"


def test_what_is_told_can_be_loaded_and_asked(kgqa: Kgqa, store: str, tmp_path: Path) -> None:
    other = next(f for f in small_graph() if f.relation == "release_year" and f.head != FILM)
    before = kgqa("store", "info", "--store", store).succeeded()
    (tmp_path / "q.tsv").write_text(
        f"{ASKED}\tSomebody New\n"
        f"when was [{other.head}] released\t{other.tail}\n"
        f"which films share a director with [{other.head}]\t{FILM}\n"
        "who directed it\tSomebody New\n",
        "utf-8",
    )
    said = json.loads(kgqa("ask", ASKED, "--store", store, "--json").succeeded())
    assert "Somebody New" not in json.dumps(said)
    done = kgqa("facts", "q.tsv", "--store", store, "--out", "told.jsonl")
    assert done.succeeded() == "Look at told.jsonl, then: kgqa ingest told.jsonl --store sqlite:///films.db\n"
    assert (
        "2 of 4 questions are read as one hop, 0 as two; the graph lacks 1 of 2 facts that they tell "
        "(names that are new to it: 1)\nNot read for sure: 1\n"
        "Without one topic and an answer that are clear: 1\n"
    ) in done.err
    (line,) = (tmp_path / "told.jsonl").read_text("utf-8").splitlines()
    told = json.loads(line)
    probability = told.pop("probability")
    assert told == {
        "head": FILM,
        "relation": "directed_by",
        "tail": "Somebody New",
        "told_by": ASKED,
        "hops": 1,
        "new": ["Somebody New"],
    }  # fmt: skip
    assert 0.9 <= probability <= 1
    # Nothing was written but the file; the same again is refused, and printed it is the same.
    assert kgqa("store", "info", "--store", store).succeeded() == before
    kgqa("facts", "q.tsv", "--store", store, "--out", "told.jsonl").failed(
        "--out told.jsonl: there is something already"
    )
    assert kgqa("facts", "q.tsv", "--store", store).succeeded() == f"{line}\n"
    kgqa("ingest", "told.jsonl", "--store", store).succeeded()
    answer = json.loads(kgqa("ask", ASKED, "--store", store, "--json").succeeded())
    assert [entity["name"] for entity in answer["answers"]] == ["Somebody New"]
    assert kgqa("facts", "q.tsv", "--store", store).succeeded() == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere.tsv",), "nowhere.tsv: can't read the questions: No such file or directory"),
        (("q.tsv", "--out", "no/told.jsonl"), "no: there is no such directory"),
        (("empty.jsonl",), "empty.jsonl: no question has an answer"),
        (("q.tsv", "--store", "sqlite:///gone.db"), "gone.db"),
    ],
)
def test_what_is_refused(kgqa: Kgqa, store: str, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    (tmp_path / "q.tsv").write_text(f"{ASKED}\tSomebody New\n", "utf-8")
    (tmp_path / "empty.jsonl").write_text('{"question": "who directed it", "answers": []}\n', "utf-8")
    given = words if "--store" in words else (*words, "--store", store)
    kgqa("facts", *given).failed(said)
    assert not (tmp_path / "told.jsonl").exists()
