"""How many of the look-ups that people ask of Neo4j's example of films are answered right (neo4j-labs' text2cypher).

    python -m benchmarks.lookups neo4j://localhost:7687 --schema movies.yaml --checkpoint movies-reader \
        --data ../shared/data/neo4j-dumps

Each question comes with a Cypher that a machine wrote, and the rows it gives. Which questions are look-ups is told from
the Cypher alone, by ``lookup``; every one of them with rows counts. Questions stay out of the repository.
"""

from __future__ import annotations

import argparse
import csv
import json
import lzma
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.foreign import Asked, asked, report, shown
from kgqa.answering import Answerer, checkpoint_for
from kgqa.cli.common import script
from kgqa.model.encoder import Encoder
from kgqa.names import NamesIndex
from kgqa.stores import open_reader

NAMES = ("name", "title")  # properties that name a node of this database

_TEXT = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
_QUERY = re.compile(
    r"MATCH (?P<match>.+?)(?: WHERE (?P<where>.+?))? RETURN (?:DISTINCT )?(?P<returned>.+)", re.IGNORECASE
)
# What makes more of a query than a look-up: counting, ordering, cutting, comparing, choosing, computing.
_MORE = re.compile(
    r"\b(?:order|limit|skip|with|union|optional|unwind|case|call|exists|not|starts|ends|contains|in|or|xor|is)\b"
    r"|[()]\s*\*|\[[^\]]*[*|][^\]]*\]|\w\s*\(\s*(?!\w*\s*[:{)])|=~|<>|[<>]|[+%/]",
    re.IGNORECASE,
)
_NODE = re.compile(r"\(\s*(\w*)\s*(?::\s*\w+)?\s*(\{[^}]*\})?\s*\)")
_EDGE = re.compile(r"\[\s*(\w*)\s*(?::\s*\w+)?\s*(\{[^}]*\})?\s*\]")
_PINNED = re.compile(r"(\w+)\s*:\s*(?:''|-?\d+(?:\.\d+)?)")
_SAME = re.compile(r"(\w+)\.(\w+)\s*=\s*(?:''|-?\d+(?:\.\d+)?)")
_ITEM = re.compile(r"(\w+)(?:\.(\w+))?(?:\s+AS\s+\w+)?", re.IGNORECASE)


def lookup(cypher: str) -> tuple[int, ...]:
    """Which columns of a look-up's rows say what the query doesn't give itself; none if the query is no look-up.

    A look-up matches patterns of single relationships, each of one type or any, in which something is said to be a
    given value; has no condition but such equalities, joined by AND; and gives nodes and properties as they are: it
    neither counts, orders, cuts, compares, chooses between nor computes anything.

    >>> lookup("MATCH (p:Person)-[:ACTED_IN]->(m:Movie {title: 'Heat'}) RETURN p.name")
    (0,)
    >>> lookup("MATCH (p:Person {name: 'Al'})-[:ACTED_IN]->(m) RETURN p.name AS actor, m.title, m.released")
    (1, 2)
    >>> lookup("MATCH (m:Movie) WHERE m.released = 1999 RETURN m")
    (0,)
    >>> lookup("MATCH (m:Movie) WHERE m.released > 1999 RETURN m"), lookup("MATCH (m:Movie) RETURN m.title")
    ((), ())
    >>> lookup("MATCH (p {name: 'Al'})-[:DIRECTED]->(m) RETURN count(m)")
    ()
    """
    plain = " ".join(_TEXT.sub("''", cypher).split()).rstrip("; ")
    found = _QUERY.fullmatch(plain)
    if not found:
        return ()
    match, where, returned = found["match"], found["where"] or "", found["returned"]
    bare = re.sub(r"<-|->|--", "-", f"{match} {where} {returned}")
    if _MORE.search(bare):
        return ()
    pinned: set[tuple[str, str]] = set()
    for part in (_NODE, _EDGE):
        for variable, held in part.findall(match):
            pinned |= {(variable, key) for key in _PINNED.findall(held)}
    for condition in re.split(r"\bAND\b", where, flags=re.IGNORECASE) if where else ():
        same = _SAME.fullmatch(condition.strip())
        if not same:
            return ()
        pinned.add((same[1], same[2]))
    items = [_ITEM.fullmatch(item.strip()) for item in returned.split(",")]
    edges = {variable for variable, _ in _EDGE.findall(match)} - {""}
    if not pinned or not all(items) or any(item and item[1] in edges and not item[2] for item in items):
        return ()
    named = {variable for variable, key in pinned if key in NAMES}
    return tuple(
        place
        for place, item in enumerate(items)
        if item and (item[1], item[2]) not in pinned and not (item[1] in named and item[2] in (None, *NAMES))
    )


def questions_of(data: Path) -> tuple[list[dict[str, Any]], int]:
    """The look-ups with their answers, as ``foreign`` has them; and how many have no rows, or rows that say nothing.

    The answers are what stands in the first column that isn't given; ``columns`` are the answers by each such column,
    for a question may ask for any of them.
    """
    with (data / "movies-questions.csv").open(encoding="utf-8", newline="") as file:
        asked_ = list(csv.DictReader(file))
    with lzma.open(data / "movies-gold.jsonl.xz", "rt", encoding="utf-8") as file:
        gold = [json.loads(line) for line in file]
    found, empty = [], 0
    for one, rows in zip(asked_, gold, strict=True):
        columns = lookup(one["cypher"])
        answers = [sorted({text for row in rows["rows"] or () for text in _names(row[at])}) for at in columns]
        if columns and answers[0]:
            found.append({"kind": "look-up", "question": one["question"], "answers": answers[0], "columns": answers})
        else:
            empty += bool(columns)
    return found, empty


def _names(value: Any) -> Iterator[str]:
    """What a value in a row is called: a node by its name, a list by each of what is in it."""
    if isinstance(value, dict):
        yield from (str(value["props"][key]) for key in NAMES if key in value.get("props", {}))
    elif isinstance(value, list):
        for item in value:
            yield from _names(item)
    elif value is not None:
        yield str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _best(one: Asked, columns: Sequence[Sequence[str]]) -> Asked:
    """The same with the answers of the column that it meets best."""
    as_ = [replace(one, answers=frozenset(answers)) for answers in columns]
    return max(as_, key=lambda this: (this.exact, this.first))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="of the database")
    parser.add_argument("--schema", type=Path, required=True, help="what kgqa connect wrote")
    parser.add_argument("--data", type=Path, required=True, help="the directory of the questions and their rows")
    parser.add_argument("--checkpoint", type=Path, help="one that ships if not given")
    parser.add_argument("--json", type=Path, help="append the figures to this file")
    parser.add_argument("--show", action="store_true", help="show each question that was answered wrong")
    given = parser.parse_args(arguments)
    questions, empty = questions_of(given.data)
    print(f"{len(questions)} look-ups; {empty} more whose Cypher gives no rows aren't counted")
    user, password = os.environ.get("KGQA_USER"), os.environ.get("KGQA_PASSWORD")
    with closing(open_reader(given.url, given.schema, user=user, password=password)) as reader:
        names = NamesIndex()
        names.refresh(reader.all_entities())
        answerer = Answerer(
            reader,
            checkpoint_for(reader, given.checkpoint),
            Encoder(),
            any_schema=True,
            names=names,
        )
        asked(answerer, questions[:20])  # warm: plans, names
        done = asked(answerer, questions)
    if given.show:
        shown(done)
    checkpoint = given.checkpoint.name if given.checkpoint else "shipped"
    report(done, "movies-look-ups", True, checkpoint, given.json)
    print("by any column that the query doesn't give:")
    report(
        [_best(one, of["columns"]) for one, of in zip(done, questions, strict=True)],
        "movies-look-ups-any",
        True,
        checkpoint,
        given.json,
    )


if __name__ == "__main__":
    script(main)
