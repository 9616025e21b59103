"""How many questions about a database that somebody else modelled are answered right, with no training on it.

    kgqa connect neo4j://localhost:7687 --out movies.yaml
    python benchmarks/foreign.py neo4j://localhost:7687 --schema movies.yaml --questions tests/data/foreign/movies.yaml

User and password are taken from KGQA_USER and KGQA_PASSWORD. The questions were written before any was asked, and stay
as they are; their answers are what their Cypher gives, which is looked at again first. Every question counts: one in
which no name is found is wrong. ``first``: the best entity is an answer; ``exact``: these are the answers, and no
others.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, quantiles
from typing import Any

import neo4j
import yaml

from graph_schema import Response
from graph_schema.text import name_key
from kgqa.answering import Answerer, checkpoint_for
from kgqa.cli.common import script
from kgqa.evaluation.record import Recorder, append
from kgqa.model.encoder import Encoder
from kgqa.names import NamesIndex
from kgqa.stores import open_reader


@dataclass(frozen=True)
class Asked:
    """One question, and what came of it. ``answers``, ``given``: names. ``trips``: round trips; ``hops``: taken."""

    kind: str
    question: str
    answers: frozenset[str]
    given: tuple[str, ...]
    best: str
    seconds: float
    trips: int
    hops: int

    @property
    def first(self) -> bool:
        return name_key(self.best) in {name_key(answer) for answer in self.answers}

    @property
    def exact(self) -> bool:
        return {name_key(name) for name in self.given} == {name_key(answer) for answer in self.answers}


def answers_now(questions: Sequence[dict[str, Any]], url: str) -> None:
    """Check that the answers are what the database gives.

    Raises:
        SystemExit: some aren't; the database is another one.
    """
    user, password = os.environ.get("KGQA_USER", "neo4j"), os.environ.get("KGQA_PASSWORD", "")
    with neo4j.GraphDatabase.driver(url, auth=(user, password)) as driver:
        for one in questions:
            found = driver.execute_query(one["cypher"], routing_=neo4j.RoutingControl.READ).records
            if sorted({record[0] for record in found}) != one["answers"]:
                sys.exit(f"the database gives other answers: {one['question']}")


def asked(answerer: Answerer, questions: Sequence[dict[str, Any]]) -> list[Asked]:
    """All of them, one after the other; the first time, the server plans what it is asked."""
    reader: Any = answerer.reader
    done = []
    for one in questions:
        before, began = reader.round_trips, time.perf_counter()
        response: Response = answerer.ask(one["question"], explain=True)
        seconds = time.perf_counter() - began
        done.append(
            Asked(
                one["kind"],
                one["question"],
                frozenset(one["answers"]),
                tuple(answer.entity.name for answer in response.answers),
                response.ranking[0].entity.name if response.ranking else "",
                seconds,
                reader.round_trips - before,
                max((hop.hop for hop in response.trace), default=0),
            )
        )
    return done


def shown(done: Sequence[Asked]) -> None:
    """Print each question that was answered wrong, with what was given, as JSON."""
    for one in done:
        if not one.exact:
            print(json.dumps({**asdict(one), "answers": sorted(one.answers)}, ensure_ascii=False))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="of the database")
    parser.add_argument("--schema", type=Path, required=True, help="what kgqa connect wrote")
    parser.add_argument("--questions", type=Path, required=True, help="YAML: kind, question, cypher, answers of each")
    parser.add_argument("--checkpoint", type=Path, help="one that ships if not given")
    parser.add_argument("--names", action="store_true", help="find names written otherwise, as kgqa ask does")
    parser.add_argument("--json", type=Path, help="append the figures to this file")
    parser.add_argument("--show", action="store_true", help="show each question that was answered wrong")
    given = parser.parse_args()
    questions = yaml.safe_load(given.questions.read_text("utf-8"))
    answers_now(questions, given.url)
    user, password = os.environ.get("KGQA_USER"), os.environ.get("KGQA_PASSWORD")
    with closing(open_reader(given.url, given.schema, user=user, password=password)) as reader:
        answerer = Answerer(reader, checkpoint_for(reader, given.checkpoint), Encoder(), any_schema=True)
        if given.names:
            answerer.names = NamesIndex()
            answerer.names.refresh(reader.all_entities())
        asked(answerer, questions)  # warm: plans, names
        done = asked(answerer, questions)
    if given.show:
        shown(done)
    report(
        done, given.questions.stem, given.names, given.checkpoint.name if given.checkpoint else "shipped", given.json
    )


def report(done: Sequence[Asked], name: str, names: bool, checkpoint: str, path: Path | None) -> None:
    """The figures, printed by kind, and appended to a file."""
    figures: list[tuple[str, str, float, int]] = []
    for kind in [*dict.fromkeys(one.kind for one in done), "all"]:
        of = [one for one in done if kind in (one.kind, "all")]
        first, exact = mean(one.first for one in of), mean(one.exact for one in of)
        print(f"{kind:24} {len(of):3}  first {100 * first:5.1f} %  exact {100 * exact:5.1f} %")
        figures += [(kind, "hits_at_1", first, len(of)), (kind, "exact", exact, len(of))]
    cuts = quantiles((1000 * one.seconds for one in done), n=20)
    over = max(one.trips - one.hops for one in done)
    print(f"p50 {cuts[9]:.1f} ms, p95 {cuts[18]:.1f} ms; round trips: hops + {over} at most")
    figures += [("all", "p50_ms", cuts[9], len(done)), ("all", "p95_ms", cuts[18], len(done))]
    if path:
        recorder = Recorder("test", 0, "cpu", {"checkpoint": checkpoint, "store": "neo4j, foreign", "names": names})
        append(path, [recorder.row(f"foreign/{name}/{kind}", metric, value, n) for kind, metric, value, n in figures])


if __name__ == "__main__":
    script(main)
