"""How fast facts are loaded: into the embedded store, into Neo4j beside what people write by hand, and offline.

    python benchmarks/load.py films hetionet --data ../shared/data --json benchmarks/results/load.jsonl
    python benchmarks/load.py films hetionet --neo4j neo4j://localhost:7687 --password ...
    python benchmarks/load.py synthetic --facts 10000000
    python benchmarks/load.py offline --facts 10000000 --neo4j neo4j://localhost:7687 --password ...

Each load starts with an empty store; medians over --rounds. The peers run in the same round as ours, in turn:

- the bare loop: one client, UNWIND + MERGE in batches of 20,000 rows on the same uniqueness constraint; ids alone, no
  names, no validation, no journal, no provenance. Ours does all of these.
- one statement: what most people write first, one client again: each batch of 20,000 rows merges the ends of a fact and
  the fact by the same statement;
- the bare loop with two clients: nodes first, then each client half of the facts, repeated where they deadlock;
- the bare loop with one client whose driver is the pure Python one. Ours and the others use its Rust extension, which
  kgqa requires.

A load into Neo4j has ended when all is in and the indexes of names are being filled; ``first_name_seconds`` is how long
the first look-up of a name waits for them. The reload begins once they are full.

``offline`` writes files and imports them with neo4j-admin in a container (docker), into a volume that is removed again;
with --neo4j the same file is loaded online too, or with --online-facts one of so many facts, since that takes long.

THE DATABASE IS EMPTIED: give one that holds nothing of worth.
"""

from __future__ import annotations

import argparse
import gzip
import json
import logging
import os
import random
import resource
import shlex
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import neo4j

import ingest
from graph_schema import GraphStore
from kgqa.cli.common import script
from kgqa.stores import open_store
from kgqa.stores.neo4j_offline import OfflineWriter

if TYPE_CHECKING:
    from kgqa.evaluation.record import Recorder, Row

ROOT = Path(__file__).parents[1]
BATCH = 20_000
RELATIONS = 20
DRIVER = ("neo4j", "neo4j-rust-ext")
SEED = 20261124

Triple = tuple[str, str, str]


@dataclass(frozen=True)
class Graph:
    """A data set: its name, its files, the mapping they are read by, and its facts as the bare loop gets them."""

    name: str
    files: Sequence[Path]
    mapping: ingest.MappingFile | None
    triples: Callable[[], list[Triple]]


@contextmanager
def films(_: Path | None) -> Iterator[Graph]:
    path = ROOT / "examples/films/kb.txt.gz"

    def triples() -> list[Triple]:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            rows = [line.rstrip("\n").split("|") for line in lines]
        return [(head, relation, tail) for head, relation, tail in rows]

    yield Graph("films", [path], None, triples)


@contextmanager
def hetionet(data: Path | None) -> Iterator[Graph]:
    if data is None:
        raise SystemExit("hetionet: say with --data where hetionet.tar.xz lies")
    with TemporaryDirectory() as scratch:
        with tarfile.open(data / "hetionet.tar.xz") as archive:
            archive.extractall(scratch, filter="data")
        folder = Path(scratch) / "hetionet"
        edges = sorted((folder / "edges_by_type").glob("*.tsv"))

        def triples() -> list[Triple]:
            found = []
            for path in edges:
                head, relation, tail = path.stem.replace("Compund", "Compound").split("_")
                for line in path.read_text("utf-8").splitlines()[1:]:
                    start, end = line.split("\t")
                    found.append((f"{head}::{start}", f"{head}_{relation}_{tail}".lower(), f"{tail}::{end}"))
            return found

        mapping = ingest.MappingFile.load(ROOT / "examples/hetionet/mapping.yaml")
        yield Graph("hetionet", [folder / "nodes.tsv", *edges], mapping, triples)


GRAPHS = {"films": films, "hetionet": hetionet}


def write_synthetic(path: Path, facts: int, seed: int) -> None:
    """Distinct-enough facts about a fifth as many entities, a few of which have very many."""
    rng = random.Random(seed)
    entities = max(facts // 5, 10)
    with path.open("w", encoding="utf-8", newline="\n") as out:
        for _ in range(facts):
            head = int(entities * rng.random() ** 3)
            out.write(f"entity {head}\trelation_{rng.randrange(RELATIONS)}\tentity {rng.randrange(entities)}\n")


def load(graph: Graph, store: GraphStore, workers: int) -> ingest.LoadReport:
    options = ingest.LoadOptions(workers=workers)
    return ingest.load(graph.files, store, mapping=graph.mapping, options=options)


def embedded(graph: Graph, rounds: int) -> Iterator[tuple[str, float]]:
    first, again = [], []
    for _ in range(rounds):
        with TemporaryDirectory() as folder, closing(open_store(f"sqlite:///{folder}/f.db", create=True)) as store:
            report, second = load(graph, store, 1), load(graph, store, 1)
        first.append(report.seconds)
        again.append(second.seconds)
    yield from timings(first, again, report.facts)


def timings(first: Sequence[float], again: Sequence[float], facts: int) -> Iterator[tuple[str, float]]:
    yield "seconds", median(first)
    yield "facts_per_second", facts / median(first)
    yield "reload_seconds", median(again)
    yield "reload_speedup", median(a / b for a, b in zip(first, again, strict=True))


# ---- Neo4j


@dataclass(frozen=True)
class Server:
    url: str
    user: str
    password: str

    def driver(self) -> neo4j.Driver:
        return neo4j.GraphDatabase.driver(self.url, auth=(self.user, self.password))

    def store(self) -> GraphStore:
        return open_store(self.url, user=self.user, password=self.password, timeout=30.0)

    def empty(self) -> None:
        with self.driver() as driver, driver.session() as session:
            # Relationships first: the ones of 20,000 nodes, hubs among them, are too many for one transaction.
            session.run("MATCH ()-[r]->() CALL (r) { DELETE r } IN TRANSACTIONS OF 20000 ROWS").consume()
            session.run("MATCH (n) CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 20000 ROWS").consume()
            for kind, plural in (("CONSTRAINT", "CONSTRAINTS"), ("INDEX", "INDEXES")):
                for record in list(session.run(f"SHOW {plural} YIELD name, type WHERE type <> 'LOOKUP' RETURN name")):
                    session.run(f"DROP {kind} `{record['name']}` IF EXISTS").consume()


PURE_DRIVER = """
import runpy, sys
sys.modules["neo4j._rust"], sys.argv = None, sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def pure_loop(graph: Graph, server: Server, data: Path | None) -> float:
    """Seconds of the bare loop of one client, in a process whose driver has no Rust extension."""
    words = [sys.executable, "-c", PURE_DRIVER, __file__, "bare", "--graph", graph.name, "--neo4j", server.url]
    words += ["--user", server.user, *(("--data", str(data)) if data else ())]
    hidden = {**os.environ, "KGQA_PASSWORD": server.password}
    return float(subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, env=hidden).stdout)


def bare_loop(server: Server, triples: Sequence[Triple], clients: int, *, one_statement: bool = False) -> float:
    """Seconds of UNWIND + MERGE: nodes, then relationships type by type; or all by one statement a batch."""
    ends = "{0} (a:Entity {{id: r[0]}}) {0} (b:Entity {{id: r[1]}})".format("MERGE" if one_statement else "MATCH")
    began = time.perf_counter()
    with server.driver() as driver:
        with driver.session() as session:
            session.run("CREATE CONSTRAINT bare FOR (n:Entity) REQUIRE n.id IS UNIQUE").consume()
            ids = list(dict.fromkeys(end for head, _, tail in triples for end in (head, tail)))
            for at in range(0, 0 if one_statement else len(ids), BATCH):
                session.run("UNWIND $ids AS id MERGE (:Entity {id: id})", ids=ids[at : at + BATCH]).consume()
        pairs: dict[str, list[list[str]]] = {}
        for head, relation, tail in triples:
            pairs.setdefault(relation, []).append([head, tail])
        batches = [(name, rows[at : at + BATCH]) for name, rows in pairs.items() for at in range(0, len(rows), BATCH)]

        def run(transaction: neo4j.ManagedTransaction, query: str, rows: list[list[str]]) -> None:
            transaction.run(query, rows=rows).consume()

        def write(mine: Sequence[tuple[str, list[list[str]]]]) -> None:
            with driver.session() as session:
                for name, rows in mine:
                    session.execute_write(run, f"UNWIND $rows AS r {ends} MERGE (a)-[:`{name}`]->(b)", rows)

        with ThreadPoolExecutor(clients) as pool:
            list(pool.map(write, [batches[n::clients] for n in range(clients)]))
    return time.perf_counter() - began


def on_neo4j(graph: Graph, server: Server, rounds: int, workers: int, data: Path | None) -> Iterator[tuple[str, float]]:
    triples = graph.triples()
    name = triples[0][0]
    peers: dict[str, Callable[[], float]] = {
        "bare_loop": lambda: bare_loop(server, triples, 1),
        "one_statement": lambda: bare_loop(server, triples, 1, one_statement=True),
        "two_bare_clients": lambda: bare_loop(server, triples, 2),
        "bare_loop_on_the_pure_python_driver": lambda: pure_loop(graph, server, data),
    }
    ours, again, first = [], [], []
    bare: dict[str, list[float]] = {peer: [] for peer in peers}
    for number in range(rounds):
        turns = [*peers, "ours"]
        start = number % len(turns)
        for turn in turns[start:] + turns[:start]:
            server.empty()
            if turn in peers:
                bare[turn].append(peers[turn]())
                continue
            with closing(server.store()) as store:
                report = load(graph, store, workers)
                began = time.perf_counter()
                store.lookup([name])
                first.append(time.perf_counter() - began)
                second = load(graph, store, workers)
            ours.append(report.seconds)
            again.append(second.seconds)
    yield from timings(ours, again, report.facts)
    yield "first_name_seconds", median(first)
    for peer, seconds in bare.items():
        yield f"{peer}_seconds", median(seconds)
        yield f"speed_by_{peer}", median(b / o for b, o in zip(seconds, ours, strict=True))


# ---- 10 million facts


def synthetic(facts: int, seed: int) -> Iterator[tuple[str, float]]:
    """In a process of its own, so that its peak memory is that of the load."""
    with TemporaryDirectory() as scratch:
        path = Path(scratch) / "facts.tsv"
        write_synthetic(path, facts, seed)
        words = [sys.executable, __file__, "child", "--file", str(path), "--store", f"sqlite:///{scratch}/facts.db"]
        done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    yield from found.items()


def child(file: Path, url: str) -> dict[str, float]:
    """Load one file and say how it went: rate, rates of the first and last tenth, peak memory."""
    moments = [(0, time.perf_counter())]

    def progress(now: ingest.Progress) -> None:
        if now.facts > moments[-1][0]:
            moments.append((now.facts, time.perf_counter()))

    store = open_store(url, create=True)
    report = ingest.load([file], store, progress=progress)
    store.close()
    total = moments[-1][0]

    def rate(start: float, end: float) -> float:
        inside = [moment for moment in moments if start * total <= moment[0] <= end * total]
        (first, began), (last, ended) = inside[0], inside[-1]
        return (last - first) / (ended - began)

    written = moments[-1][1] - moments[0][1]
    return {
        "seconds": report.seconds,
        "facts_per_second": report.facts_per_second,
        "finish_seconds": report.seconds - written,
        "first_tenth_facts_per_second": rate(0.0, 0.1),
        "last_tenth_facts_per_second": rate(0.9, 1.0),
        "last_by_first_tenth": rate(0.9, 1.0) / rate(0.0, 0.1),
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def offline(
    facts: int, seed: int, server: Server | None, image: str, workers: int, online_facts: int
) -> Iterator[tuple[str, float]]:
    """From the file to a database that can be started."""
    with TemporaryDirectory() as scratch:
        path = Path(scratch) / "facts.tsv"
        write_synthetic(path, facts, seed)
        began = time.perf_counter()
        with closing(OfflineWriter(Path(scratch) / "files")) as writer:
            ingest.load([path], writer)
            loaded = time.perf_counter()
            plan = writer.export()
        written = time.perf_counter()
        volume = f"kgqa-bench-{os.getpid()}"
        try:
            subprocess.run(shlex.split(plan.docker_command(volume, image)), check=True, stdout=subprocess.DEVNULL)
        finally:
            subprocess.run(["docker", "volume", "rm", "--force", volume], check=True, stdout=subprocess.DEVNULL)
        ended = time.perf_counter()
        yield "collect_seconds", loaded - began
        yield "export_seconds", written - loaded
        yield "import_seconds", ended - written
        yield "seconds", ended - began
        yield "facts_per_second", facts / (ended - began)
        if server is not None:
            if online_facts != facts:
                write_synthetic(path, online_facts, seed)
            server.empty()
            with closing(server.store()) as store:
                report = ingest.load([path], store, options=ingest.LoadOptions(workers=workers))
            yield "online_seconds", report.seconds
            yield "online_facts_per_second", report.facts_per_second
            yield "speed_by_online", facts / (ended - began) / report.facts_per_second


# ---- the command


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="+", choices=[*GRAPHS, "synthetic", "offline", "child", "bare"])
    parser.add_argument("--data", type=Path, help="folder with hetionet.tar.xz")
    parser.add_argument("--neo4j", metavar="URL", help="load into this one too; without it, only embedded")
    parser.add_argument("--no-embedded", action="store_true", help="only Neo4j")
    parser.add_argument("--user", default="neo4j")
    parser.add_argument("--password", default=os.environ.get("KGQA_PASSWORD", ""))
    parser.add_argument("--workers", type=int, default=2, help="of ours, on Neo4j")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--facts", type=int, default=10_000_000, help="synthetic ones")
    parser.add_argument("--online-facts", type=int, help="loaded online beside offline; default: as many")
    parser.add_argument("--image", default="neo4j:5.26-community", help="whose neo4j-admin imports")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--json", type=Path, help="append the figures to this file")
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--store", help=argparse.SUPPRESS)
    parser.add_argument("--graph", choices=[*GRAPHS], help=argparse.SUPPRESS)
    asked = parser.parse_args()
    logging.getLogger("neo4j").setLevel(logging.ERROR)  # two clients meet, and the driver tells of each time
    if "child" in asked.parts:
        print(json.dumps(child(asked.file, asked.store)))
        return
    server = Server(asked.neo4j, asked.user, asked.password) if asked.neo4j else None
    if "bare" in asked.parts and server is not None:
        with GRAPHS[asked.graph](asked.data) as graph:
            print(bare_loop(server, graph.triples(), 1))
        return
    from kgqa.evaluation.record import Recorder  # noqa: PLC0415  it imports torch, which the child must not

    online = {"workers": asked.workers, "driver": " ".join(f"{one} {version(one)}" for one in DRIVER)}
    for part in asked.parts:
        if part == "synthetic":
            recorder = Recorder("all", asked.seed, "cpu", {})
            show("load/synthetic/embedded", synthetic(asked.facts, asked.seed), recorder, asked.facts, asked.json)
            continue
        if part == "offline":
            fewer = asked.online_facts or asked.facts
            config = {**online, "image": asked.image, "online_facts": fewer if server else 0}
            recorder = Recorder("all", asked.seed, "cpu", config)
            found = offline(asked.facts, asked.seed, server, asked.image, asked.workers, fewer)
            show("load/synthetic/offline", found, recorder, asked.facts, asked.json)
            continue
        with GRAPHS[part](asked.data) as graph:
            recorder = Recorder("all", asked.seed, "cpu", {"rounds": asked.rounds})
            count = len(graph.triples())
            if not asked.no_embedded:
                show(f"load/{part}/embedded", embedded(graph, asked.rounds), recorder, count, asked.json)
            if server is not None:
                found = on_neo4j(graph, server, asked.rounds, asked.workers, asked.data)
                recorder = Recorder("all", asked.seed, "cpu", {"rounds": asked.rounds, **online})
                show(f"load/{part}/neo4j", found, recorder, count, asked.json)


def show(set_: str, figures: Iterator[tuple[str, float]], recorder: Recorder, count: int, file: Path | None) -> None:
    """Print the figures, and append them to the file as they come."""
    rows: list[Row] = [recorder.row(set_, metric, value, count) for metric, value in figures]
    for row in rows:
        print(f"{row.set:26} {row.metric:30} {row.value:14,.2f}")
    if file:
        from kgqa.evaluation.record import append  # noqa: PLC0415  as above

        append(file, rows)


if __name__ == "__main__":
    script(main)
