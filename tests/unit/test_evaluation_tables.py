"""Recorded rows as tables of variants against metrics."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from graph_schema import InputError
from kgqa.cli.bench_table import in_markdown
from kgqa.evaluation.record import Recorder, Row, append
from kgqa.evaluation.tables import read_rows, variant_tables
from tests.command import Kgqa

T_2 = 4.30265273  # Student's t of two degrees of freedom at 97.5 %


def row(variant: str, seed: int, value: float, metric: str = "f1", part: str = "2-hop", **more: object) -> Row:
    recorder = Recorder("dev", seed, "cpu", {"experiment": "small", "variant": variant, "split": "path"})
    return recorder.row(f"PQ-2H/{part}", metric, value, 10, **more)


ROWS = [
    *(row("full", seed, value) for seed, value in enumerate((0.9, 0.92, 0.94))),
    row("full", 0, 0.99, part="all", metric="hits_at_1"),
    row("full", 1, 0.1, slice="hops", of="2"),
    row("full", 0, 12.5, metric="train_seconds", part=""),
    row("no-slots", 0, 0.5),
    row("no-slots", 0, 0.6),
]


def test_variants_against_metrics_with_intervals_over_the_seeds() -> None:
    (table,) = variant_tables(ROWS)
    assert table.title == "small, PQ-2H, dev, path"
    assert table.columns == (("2-hop", "f1"), ("all", "hits_at_1"))
    (full, seeds, (f1, hits)), (other, one, (again, none)) = table.lines
    assert (full, seeds, other, one) == ("full", 3, "no-slots", 1)
    assert f1 is not None
    assert f1.interval.mean == pytest.approx(0.92)
    assert f1.interval.half == pytest.approx(T_2 * 0.02 / 3**0.5)
    assert [str(cell) for cell in (f1, hits, again, none)] == ["92.00 ± 4.97", "99.00", "60.00", "None"]
    assert in_markdown(table).splitlines()[2:] == [
        "| | seeds | 2-hop f1 | all hits_at_1 |",
        "| --- | --- | --- | --- |",
        "| full | 3 | 92.00 ± 4.97 | 99.00 |",
        "| no-slots | 1 | 60.00 | |",
    ]


def test_what_is_no_share_is_shown_as_it_is() -> None:
    (table,) = variant_tables(ROWS, ["train_seconds"])
    assert [[str(cell) for cell in cells] for _, _, cells in table.lines] == [["12.5"]]


def test_figures_of_other_numbers_of_questions_are_lines_of_their_own() -> None:
    rows = [row("from sources", 0, 0.5, shots=shots) for shots in (0, 1, 10)]
    (table,) = variant_tables([*rows, row("full", 0, 0.3, topics="free text"), row("full", 0, 0.4, topics="brackets")])
    assert [(name, str(cells[0])) for name, _, cells in table.lines] == [
        ("from sources, 0 questions", "50.00"),
        ("from sources, 1 question", "50.00"),
        ("from sources, 10 questions", "50.00"),
        ("full, free text", "30.00"),
        ("full", "40.00"),
    ]


def test_figures_of_other_questions_graphs_and_memories_are_lines_of_their_own() -> None:
    rows = [row("full", 0, 0.1 * (1 + n), slot_budget=n) for n in range(2)]
    rows += [
        row("full", 0, 0.3, kind="vanilla"),
        row("full", 0, 0.4, kind="ntm"),
        row("full", 0, 0.5, facts_kept="0.5"),
    ]
    (table,) = variant_tables(rows)
    assert [(name, str(cells[0])) for name, _, cells in table.lines] == [
        ("full, slot budget 0", "10.00"),
        ("full, slot budget 1", "20.00"),
        ("full", "30.00"),
        ("full, ntm", "40.00"),
        ("full, facts kept 0.5", "50.00"),
    ]


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    append(tmp_path / "rows.jsonl", ROWS)
    assert read_rows([tmp_path / "rows.jsonl"]) == ROWS
    with pytest.raises(InputError, match="can't read the rows"):
        read_rows([tmp_path / "gone.jsonl"])
    lines = [json.dumps(asdict(ROWS[0])), json.dumps({**asdict(ROWS[0]), "value": "much"})]
    (tmp_path / "bad.jsonl").write_text("\n".join(lines), "utf-8")
    with pytest.raises(InputError, match="no row of figures \\(value: ") as caught:
        read_rows([tmp_path / "bad.jsonl"])
    assert caught.value.where == f"{tmp_path / 'bad.jsonl'}:2"


def test_the_command(kgqa: Kgqa, tmp_path: Path) -> None:
    append(tmp_path / "one.jsonl", ROWS[:4])
    append(tmp_path / "two.jsonl", ROWS[4:])
    out = kgqa("bench", "table", "one.jsonl", "two.jsonl").succeeded()
    assert "small, PQ-2H, dev, path: f1" in out
    assert "92.00 ± 4.97" in out
    assert kgqa("bench", "table", "one.jsonl", "two.jsonl", "--markdown").succeeded() == (
        in_markdown(variant_tables(ROWS)[0]) + "\n"
    )
    kgqa("bench", "table", "one.jsonl", "--metric", "f3").failed("no figures of f3. Use --metric with one of f1, ")
