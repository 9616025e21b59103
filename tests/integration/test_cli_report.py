"""``kgqa report``: one page on a small trained reader, complete in itself, that says what the benchmark says."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from kgqa.evaluation.record import Recorder, append
from tests.command import Kgqa
from tests.reader import SmallFilms, question_lines, small_graph

VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """A page's tags in order, its text by table row, and what isn't closed as it was opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.rows: list[list[str]] = []
        self.open: list[str] = []
        self.faults: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data.strip()

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def data(small_films: SmallFilms, tmp_path: Path) -> Path:
    """The small set, and two questions that can't be answered rightly."""
    folder = tmp_path / "films"
    folder.mkdir()
    (folder / "kb.txt").write_bytes(small_films.facts.read_bytes())
    film = small_graph()[0].head
    wrong = [f"who directed [{film}] & <b>whom</b>\tNobody\n", "who directed [No such film]\tNobody\n"]
    (folder / "dev.tsv").write_text("".join([*question_lines(), *wrong]), "utf-8")
    return folder


def test_a_page_says_what_the_benchmark_says(kgqa: Kgqa, small_films: SmallFilms, data: Path, tmp_path: Path) -> None:
    recorder = Recorder("dev", 0, "cpu", {"experiment": "old", "variant": "<full>"})
    append(tmp_path / "old.jsonl", [recorder.row("films/all", "f1", 0.8765, 9)])
    words = ("directory", "--data", data, "--checkpoint", small_films.run, "--threads", "1")
    out = kgqa(
        "report", *words, "--evidence", "--rows", "old.jsonl", "--out", "page.html", "--samples", "4"
    ).succeeded()
    assert out.startswith("page.html: Hits@1 ")
    text = (tmp_path / "page.html").read_text("utf-8")
    page = Page(text)

    # Complete in itself, and well formed.
    assert (page.faults, page.open) == ([], [])
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object"}
    addresses = [a[key] for _, a in page.tags for key in ("src", "href") if key in a]
    assert {address.partition(":")[0] if ":" in address else address[:1] for address in addresses} == {"data", "#"}
    assert "url(" not in text
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    assert {address[1:] for address in addresses if address.startswith("#")} <= set(ids)
    # For those who can't see it.
    assert page.all("html") == [{"lang": "en"}]
    assert all(image["alt"] for image in page.all("img"))
    assert len(page.all("img")) == 2
    assert all(head.get("scope") in ("col", "row") for head in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))

    kgqa("bench", "set", *words, "--evidence", "--json", "rows.jsonl").succeeded()
    lines = (tmp_path / "rows.jsonl").read_text("utf-8").splitlines()
    measured = {(row["set"], row["metric"]): row["value"] for row in map(json.loads, lines)}
    head = next(row for row in page.rows if row[:2] == ["part", "questions"])
    everything = dict(zip(head, next(row for row in page.rows if row[0] == "all"), strict=True))
    for metric in ("hits_at_1", "mrr", "precision", "recall", "f1", "exact"):
        mean, low, high = map(float, re.findall(r"[\d.]+", everything[metric]))
        assert mean == pytest.approx(100 * measured["films/all", metric], abs=0.006)
        assert low <= mean <= high
        assert low < high
    assert float(everything["ece"]) == pytest.approx(measured["films/all", "ece"], abs=1e-4)
    holds = next(row for row in page.rows if row[1:2] == ["evidence_holds"])
    assert float(holds[2]) == pytest.approx(100 * measured["films/all", "evidence_holds"], abs=0.006)
    assert ["<full>", "1", "87.65"] in page.rows

    # Attention over words and slots is there and adds up; the last sample has no topic, so none.
    hops = [row for row in page.rows if row[0] == "1" and len(row) > 6]
    assert len(hops) == 3
    for row in hops:
        assert sum(map(float, row[1:-2])) == pytest.approx(1, abs=0.06)
    assert sum(row[1:2] == ["read 1"] for row in page.rows) == 3
    # Both questions without a right answer are errors, with what was said instead, and escaped.
    assert "who directed [No such film]" in text
    assert "&lt;b&gt;whom&lt;/b&gt;" in text
    assert "<b>" not in text
    assert "−directed_by→" in text


def test_each_topic_of_a_question_has_slots_of_its_own(kgqa: Kgqa, small_films: SmallFilms, tmp_path: Path) -> None:
    first, second = sorted({fact.head for fact in small_graph()})[:2]
    (tmp_path / "films").mkdir()
    (tmp_path / "films/kb.txt").write_bytes(small_films.facts.read_bytes())
    (tmp_path / "films/dev.tsv").write_text(f"who directed [{first}] and [{second}]\tNobody\n", "utf-8")
    words = ("directory", "--data", "films", "--checkpoint", small_films.run, "--samples", "1", "--errors", "0")
    kgqa("report", *words, "--out", "two.html", "--threads", "1").succeeded()
    page = Page((tmp_path / "two.html").read_text("utf-8"))
    assert (page.faults, page.open) == ([], [])
    heads = [at for at, row in enumerate(page.rows) if row[:2] == ["slot", "read 1"]]
    assert len(heads) == 2
    length = len(page.rows[heads[0]])
    tables = []
    for at in heads:
        rows = page.rows[at + 1 :]
        size = next((n for n, row in enumerate(rows) if len(row) != length or row[0] == "slot"), len(rows))
        tables.append({row[0]: float(row[1]) for row in rows[:size]})
    # What was reached from one film isn't told of the other; attention adds up to 1 for each of them.
    for own, (name, other) in zip(tables, ((first, second), (second, first)), strict=True):
        assert name in own
        assert other not in own
        around = {end for fact in small_graph() for end in (fact.head, fact.tail) if name in (fact.head, fact.tail)}
        assert set(own) & around - {name}
        assert 0.5 < sum(own.values()) <= 1.05
    labels = [attributes["aria-label"] for attributes in page.all("div")]
    assert f"Attention over slots, question 1, from {second}" in labels
    assert len(labels) == len(set(labels))


def test_a_thinned_graph_is_looked_at(kgqa: Kgqa, small_films: SmallFilms, data: Path, tmp_path: Path) -> None:
    words = ("directory", "--data", data, "--checkpoint", small_films.run, "--threads", "1", "--keep", "0.5")
    kgqa("report", *words, "--out", "half.html", "--samples", "1").succeeded()
    text = (tmp_path / "half.html").read_text("utf-8")
    count = len(set(small_graph()))
    assert re.search(rf"<dt>Facts</dt><dd>\d+ of {count}: 0\.5 of each relation&#39;s, drawn by seed 0</dd>", text)
    kgqa("bench", "set", *words, "--json", "rows.jsonl").succeeded()
    rows = map(json.loads, (tmp_path / "rows.jsonl").read_text("utf-8").splitlines())
    f1 = next(row["value"] for row in rows if (row["set"], row["metric"]) == ("films/all", "f1"))
    head, found = (next(row for row in Page(text).rows if row[0] == name) for name in ("part", "all"))
    shown = dict(zip(head, found, strict=True))["f1"]
    assert float(shown.partition(" ")[0]) == pytest.approx(100 * f1, abs=0.006)


def test_what_cant_be_reported_is_said(kgqa: Kgqa, small_films: SmallFilms, data: Path, tmp_path: Path) -> None:
    words = ("report", "directory", "--data", data, "--checkpoint", small_films.run)
    kgqa(*words, "--split", "train").failed("'train' is no part to measure")
    kgqa(*words, "--split", "test").failed("films has no test questions")
    kgqa(*words, "--rows", "gone.jsonl").failed("gone.jsonl: can't read the rows")
    assert not (tmp_path / "report.html").exists()
