"""The page on JSON names every field there is, and every metric that the results hold."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

import numpy as np

from graph_schema import Answer, Cut, Entity, EvidencePath, EvidenceStep, Fact, HopTrace, Response, Subgraph, Topic
from kgqa.evaluation.record import Row
from tests.docs.repository import ROOT, markdown

PAGE = markdown()["docs/reference/json.md"]


def section(heading: str) -> str:
    return PAGE[PAGE.index(f"## {heading}") :].split("\n## ")[0]


def keys(value: Any) -> set[str]:
    """All keys in nested JSON."""
    if isinstance(value, dict):
        return set(value).union(*map(keys, value.values()))
    return set().union(*map(keys, value)) if isinstance(value, list) else set()


def test_every_field_of_an_answer_is_there() -> None:
    entity = Entity("a", "a")
    one = np.ones(1, np.int64)
    path = EvidencePath((EvidenceStep(Fact("a", "r", "b"), False, 1.0),), True)
    response = Response(
        "who",
        (Answer(entity, 1.0, (path,), sides={"path": 1.0, "slots": 0.0, "question": 0.0}),),
        ranking=(Answer(entity, 1.0),),
        topics=(Topic(0, 1, "a", (entity,)),),
        subgraph=Subgraph(
            ("a", "b"),
            ("r",),
            one,
            one,
            one.astype(np.int32),
            one,
            one,
            one.astype(np.float32),
            (Cut(1, "r", False, 2),),
        ),
        trace=(HopTrace(1, (("who", 1.0),), (("r", False, 1.0),), 0.5),),
        expected=(("r", True, 0.5),),
        fusion={"question": 1.0, "graph": 1.0},
        seconds=dict.fromkeys(("linking", "encoder", "retrieval", "reading", "evidence"), 0.0),
    )
    found = response.as_dict()
    said = re.findall(r"`(?:\w+\[\]\.)?(\w+)`", section("An answer"))
    assert keys(found) - set(said) == set()
    assert re.findall(r"^\| `(\w+)` \|", section("An answer").split("One of")[0], re.MULTILINE) == list(found)


def test_every_field_and_metric_of_a_figure_is_there() -> None:
    page = section("A figure")
    fields = [field.name for field in dataclasses.fields(Row)]
    assert re.findall(r"^\| `(\w+)` \|", page.split("| metric |")[0], re.MULTILINE) == fields
    rows = [json.loads(line) for line in (ROOT / "benchmarks/results/metaqa.jsonl").read_text("utf-8").splitlines()]
    assert rows
    assert [set(row) - set(fields) for row in rows if set(row) != set(fields)] == []
    metrics = {row["metric"] for row in rows if not row["metric"].endswith("_share")}
    assert [metric for metric in sorted(metrics) if f"`{metric}`" not in page] == []
