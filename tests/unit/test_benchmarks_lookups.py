"""Which questions are look-ups is told from their Cypher."""

from __future__ import annotations

import csv
import json
import lzma
from pathlib import Path

import pytest

from benchmarks.lookups import lookup, questions_of


@pytest.mark.parametrize(
    ("cypher", "columns"),
    [
        ("MATCH (p:Person)-[:ACTED_IN]->(m:Movie {title: 'Heat'}) RETURN p.name", (0,)),
        ("MATCH (p:Person {name: 'Al > 3'})-[:ACTED_IN]->(m) RETURN p.name AS actor, m.title, m.released", (1, 2)),
        ("MATCH (m:Movie)\nWHERE m.released = 1999 RETURN DISTINCT m;", (0,)),
        ("MATCH (p {name: 'A'})-[r:ACTED_IN]->(m {title: \"B, 'C'\"}) RETURN p.name, m.title, r.roles", (2,)),
        ("MATCH (p:Person)-[r:REVIEWED]->(m) WHERE r.rating = 85 AND p.name = 'Al' RETURN m, r.rating", (0,)),
        ("MATCH (a)-[:ACTED_IN]->(m)<-[:DIRECTED]-(d {name: 'Al'}) MATCH (a)-[:WROTE]->(m) RETURN a", (0,)),
        ("MATCH (m:Movie) RETURN m.title", ()),  # nothing is given
        ("MATCH (m:Movie) WHERE m.released > 1999 RETURN m", ()),
        ("MATCH (m:Movie) WHERE m.title CONTAINS 'M' RETURN m", ()),
        ("MATCH (m:Movie) WHERE m.released = 1999 OR m.released = 2000 RETURN m", ()),
        ("MATCH (p {name: 'Al'})-[:DIRECTED]->(m) RETURN count(m)", ()),
        ("MATCH (p {name: 'Al'})-[:DIRECTED]->(m) RETURN m ORDER BY m.released LIMIT 3", ()),
        ("MATCH (p {name: 'Al'})-[:DIRECTED*2]-(m) RETURN m", ()),
        ("MATCH (p {name: 'Al'})-[:DIRECTED|WROTE]->(m) RETURN m", ()),
        ("MATCH (p {name: 'Al'})-[r]->(m) RETURN p, r, m", ()),
        ("MATCH (p {name: 'Al'})-[r]->(m) RETURN type(r), m", ()),
        ("MATCH (p {name: 'Al'}) RETURN p.name", ()),  # what is returned is given
        ("MATCH (m:Movie) WHERE m.released % 5 = 0 RETURN m", ()),
        ("MATCH (p {name: 'Al'}) OPTIONAL MATCH (p)-[:WROTE]->(m) RETURN m", ()),
        ("MATCH (p {name: 'Al'})-[:WROTE]->(m) WITH m MATCH (m)<-[:DIRECTED]-(d) RETURN d", ()),
    ],
)
def test_a_look_up_neither_counts_nor_orders_nor_compares(cypher: str, columns: tuple[int, ...]) -> None:
    assert lookup(cypher) == columns


def test_answers_are_what_stands_in_the_columns(tmp_path: Path) -> None:
    film = {"labels": ["Movie"], "props": {"title": "Heat", "released": 1995}}
    asked = [
        ("one", "MATCH (p {name: 'Al'})-[:ACTED_IN]->(m) RETURN m, m.released", [[film, 1995.0]]),
        ("two", "MATCH (p {name: 'Al'})-[r:ACTED_IN]->(m) RETURN r.roles", [[["A", "B"]], [["B"]]]),
        ("none", "MATCH (p {name: 'Al'})-[:WROTE]->(m) RETURN m", []),
        ("wrong", "MATCH (p {name: 'Al'})-[:WROTE]->(m) RETURN m", None),
        ("other", "MATCH (m) RETURN count(m)", [[3]]),
    ]
    with (tmp_path / "movies-questions.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerows([("question", "cypher"), *(one[:2] for one in asked)])
    with lzma.open(tmp_path / "movies-gold.jsonl.xz", "wt", encoding="utf-8") as packed:
        packed.writelines(json.dumps({"rows": rows}) + "\n" for _, _, rows in asked)
    found, empty = questions_of(tmp_path)
    assert empty == 2
    assert [(one["question"], one["answers"], one["columns"]) for one in found] == [
        ("one", ["Heat"], [["Heat"], ["1995"]]),
        ("two", ["A", "B"], [["A", "B"]]),
    ]
