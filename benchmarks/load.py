"""How fast facts are loaded: into the embedded store, and into Neo4j beside a bare loop in the same run.

    python benchmarks/load.py examples/films/kb.txt.gz --neo4j neo4j://localhost:7687 --password ... --json rows.jsonl

The bare loop is what people write by hand: one client, UNWIND + MERGE in batches of 20,000 rows on the same uniqueness
constraint, no names, no validation. Both load into an empty database, in turn; the ratio is what counts. Without
--neo4j only the embedded store is measured. THE DATABASE IS EMPTIED: give one that holds nothing of worth.
"""

from __future__ import annotations

import argparse
import gzip
import os
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import neo4j

import ingest
from kgqa.evaluation.record import Recorder, Row, append
from kgqa.stores import open_store

BATCH = 20_000


def embedded(facts: Path) -> tuple[float, int]:
    with TemporaryDirectory() as scratch:
        store = open_store(f"sqlite:///{scratch}/facts.db", create=True)
        report = ingest.load([facts], store)
        store.close()
    return report.seconds, report.facts


def empty(driver: neo4j.Driver) -> None:
    with driver.session() as session:
        session.run("MATCH (n) CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 20000 ROWS").consume()
        for kind, plural in (("CONSTRAINT", "CONSTRAINTS"), ("INDEX", "INDEXES")):
            for record in list(session.run(f"SHOW {plural} YIELD name, type WHERE type <> 'LOOKUP' RETURN name")):
                session.run(f"DROP {kind} `{record['name']}` IF EXISTS").consume()


def bare_loop(driver: neo4j.Driver, facts: Path) -> float:
    """Seconds of UNWIND + MERGE: nodes, then relationships type by type."""
    with gzip.open(facts, "rt", encoding="utf-8") as lines:
        rows = [line.rstrip("\n").split("|") for line in lines]
    began = time.perf_counter()
    with driver.session() as session:
        session.run("CREATE CONSTRAINT bare FOR (n:Entity) REQUIRE n.id IS UNIQUE").consume()
        ids = list(dict.fromkeys(end for head, _, tail in rows for end in (head, tail)))
        for at in range(0, len(ids), BATCH):
            session.run("UNWIND $ids AS id MERGE (:Entity {id: id})", ids=ids[at : at + BATCH]).consume()
        for relation in dict.fromkeys(relation for _, relation, _ in rows):
            pairs = [[head, tail] for head, of, tail in rows if of == relation]
            query = (
                "UNWIND $pairs AS p MATCH (a:Entity {id: p[0]}) MATCH (b:Entity {id: p[1]}) "
                f"MERGE (a)-[:`{relation}`]->(b)"
            )
            for at in range(0, len(pairs), BATCH):
                session.run(query, pairs=pairs[at : at + BATCH]).consume()
    return time.perf_counter() - began


def ours(url: str, user: str, password: str, facts: Path) -> float:
    store = open_store(url, user=user, password=password)
    report = ingest.load([facts], store)
    store.close()
    return report.seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("facts", type=Path, help="head|relation|tail, gz")
    parser.add_argument("--neo4j", metavar="URL")
    parser.add_argument("--user", default="neo4j")
    parser.add_argument("--password", default=os.environ.get("KGQA_PASSWORD", ""))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    recorder = Recorder("all", 0, "cpu", {"file": asked.facts.name, "rounds": asked.rounds})

    taken, count = zip(*(embedded(asked.facts) for _ in range(asked.rounds)), strict=True)
    rows: list[Row] = [recorder.row("load/embedded", "seconds", median(taken), count[0])]
    if asked.neo4j:
        with neo4j.GraphDatabase.driver(asked.neo4j, auth=(asked.user, asked.password)) as driver:
            pairs = []
            for _ in range(asked.rounds):
                empty(driver)
                bare = bare_loop(driver, asked.facts)
                empty(driver)
                pairs.append((bare, ours(asked.neo4j, asked.user, asked.password, asked.facts)))
        rows += [
            recorder.row("load/neo4j", "bare_loop_seconds", median(bare for bare, _ in pairs), count[0]),
            recorder.row("load/neo4j", "seconds", median(own for _, own in pairs), count[0]),
            recorder.row("load/neo4j", "ratio_to_bare_loop", median(own / bare for bare, own in pairs), count[0]),
        ]
    for row in rows:
        print(f"{row.set:15} {row.metric:20} {row.value:8.2f}")
    if asked.json:
        append(asked.json, rows)


if __name__ == "__main__":
    main()
