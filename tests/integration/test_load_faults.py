"""Loading while things break: each ends with exactly the graph that an undisturbed load gives.

Killed with SIGKILL at random moments, the database restarted, the network cut, the disk full, several loaders at once,
undo and replace broken off. On the embedded store and on a real Neo4j, against the same dump.
"""

from __future__ import annotations

import json
import random
import shutil
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from graph_schema import GraphStore, Load
from kgqa.stores import open_store
from tests.forked import Death, Forked
from tests.graph_dump import Dump, dump, same_graph
from tests.neo4j_container import PASSWORD, USER, Neo4jServer
from tests.tcp_proxy import Proxy

SEED = 20261124
FACTS = 12_000
ENTITIES = 4_000
KILLS = 20
BATCH = 250
AWAY = 420.0  # seconds for a load whose server went: a driver may wait two minutes for it, and servers start slowly
BAD = len(range(7, FACTS, 997))  # lines of each file
MAPPING = """\
schema:
  relations: {made_by: {head: Film, tail: Person}}
sources:
  - files: nodes.csv
    nodes:
      - {label: Film, id: "thing {number}", name: name, aliases: aka, properties: {year: {column: year, type: integer}}}
  - files: ["one.csv", "two.csv", "tiny.csv"]
    triples: [head, relation, tail]
"""


@dataclass
class Place:
    """A store that commands run on, and the folder they run in."""

    folder: Path
    options: tuple[str, ...]
    open: Callable[[], GraphStore]
    started: int = 0

    def start(self, *words: object, death: Death | None = None) -> Forked:
        self.started += 1
        return Forked(self.folder, *words, *self.options, death=death, number=self.started)

    def dies(self, death: Death, *words: object) -> bool:
        """Whether a command was still running when it was to die; it must not end badly otherwise."""
        process = self.start(*words, death=death).wait()
        assert process.was_killed or process.status == 0, process.err
        return process.was_killed

    def run(self, *words: object) -> str:
        """To its end, which must be a good one; its output."""
        process = self.start(*words).wait()
        assert process.status == 0, process.err
        return process.out

    def loads(self) -> tuple[Load, ...]:
        with closing(self.open()) as store:
            return store.loads()

    def dump(self) -> Dump:
        with closing(self.open()) as store:
            return dump(store)


def write_files(folder: Path) -> None:
    """Nodes, and two files of facts of which one half is in both; with facts that come twice, and bad lines."""
    rng = random.Random(SEED)
    nodes = [f'{n},"Name {n % 1000}",{1900 + n % 100 if n % 7 else "soon"},also {n}' for n in range(0, ENTITIES, 2)]
    (folder / "nodes.csv").write_text("\n".join(["number,name,year,aka", *nodes]) + "\n", "utf-8")

    def facts(count: int) -> list[str]:
        # Heads are even, tails odd, so that no thing is both Film and Person: then the first to say so would count.
        return [
            f"thing {2 * (int(rng.paretovariate(0.6)) % (ENTITIES // 2))},{rng.choice(('made_by', 'part_of', 'like'))},"
            f"thing {2 * rng.randrange(ENTITIES // 2) + 1}"
            for _ in range(count)
        ]

    both = facts(FACTS // 2)
    for name, lines in (("one", facts(FACTS // 2) + both), ("two", both + facts(FACTS // 2)), ("tiny", facts(20))):
        for at in range(7, len(lines), 997):
            lines[at] = "a line that is no fact"
        (folder / f"{name}.csv").write_text("\n".join(["head,relation,tail", *lines]) + "\n", "utf-8")
    (folder / "map.yaml").write_text(MAPPING, "utf-8")


def load(*names: str) -> tuple[str, ...]:
    return ("ingest", *names, "--mapping", "map.yaml", "--batch-size", str(BATCH), "--json")


def at_once(*names: str) -> tuple[str, ...]:
    """The same in large batches: for what a test needs to be there, and doesn't disturb."""
    return (*load(*names), "--batch-size", "20000")


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faults")
    write_files(folder)
    return folder


Undisturbed = Callable[..., Dump]


@pytest.fixture(scope="session")
def undisturbed(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """The dump after loading some of the files, each by a command of its own, in a fresh embedded store.

    Sources go by their names here, not by their paths.
    """
    known: dict[tuple[str, ...], Dump] = {}

    def of(*names: str) -> Dump:
        if names not in known:
            folder = tmp_path_factory.mktemp("undisturbed")
            place = embedded(folder, files)
            for name in names:
                place.run(*at_once(name))
            known[names] = without_folder(place.dump(), folder)
        return known[names]

    return of


def without_folder(found: Dump, folder: Path) -> Dump:
    facts = {
        fact: (tuple((source.removeprefix(f"{folder}/"), line) for source, line in origins), properties)
        for fact, (origins, properties) in found.facts.items()
    }
    return Dump(found.entities, facts, found.relations)


def embedded(folder: Path, files: Path) -> Place:
    for path in files.iterdir():
        if path.suffix in (".csv", ".yaml"):
            shutil.copy(path, folder)
    url = f"sqlite:///{folder}/graph.db"
    return Place(folder, ("--store", url), lambda: open_store(url))


@pytest.fixture(params=["embedded", pytest.param("neo4j", marks=pytest.mark.neo4j)])
def place(request: pytest.FixtureRequest, files: Path, tmp_path: Path) -> Place:
    """An empty store of each kind, and the files beside it."""
    made = embedded(tmp_path, files)
    if request.param == "embedded":
        return made
    server: Neo4jServer = request.getfixturevalue("neo4j_server")
    server.wipe()
    return Place(tmp_path, on_neo4j(server.url), server.store)


@pytest.fixture
def on_server(neo4j_server: Neo4jServer, files: Path, tmp_path: Path) -> Place:
    """An empty Neo4j."""
    neo4j_server.wipe()
    embedded(tmp_path, files)
    return Place(tmp_path, on_neo4j(neo4j_server.url), neo4j_server.store)


def on_neo4j(url: str) -> tuple[str, ...]:
    return ("--store", url, "--user", USER, "--password", PASSWORD)


def is_as(place: Place, wanted: Dump) -> None:
    same_graph(without_folder(place.dump(), place.folder), wanted)


def early(rng: random.Random, count: int) -> list[float]:
    """Moments in the first tenth of a second, most of them very early, ascending."""
    return sorted(0.1 * rng.random() ** 4 for _ in range(count))


def journal(place: Place, name: str) -> int:
    """The line up to which a file is in, by its load that is running."""
    return max(
        (s.through for one in place.loads() for s in one.sources if s.name.endswith(name) and one.state == "running"),
        default=0,
    )


def test_killed_at_random_moments(place: Place, undisturbed: Undisturbed) -> None:
    rng = random.Random(SEED)
    place.run(*at_once("nodes.csv"))
    middle = 0
    for number in range(KILLS):
        facts = int(journal(place, "one.csv") + rng.uniform(0.2, 2) * BATCH)
        # Every fourth time at any moment of its start: reading files, opening the store, finding the journal.
        death = Death(0, rng.uniform(0, 0.3)) if number % 4 == 3 else Death(facts, rng.uniform(0, 0.003))
        middle += place.dies(death, *load("one.csv")) and journal(place, "one.csv") > 0
    assert middle >= KILLS // 3, "the kills missed the load"
    unfinished = journal(place, "one.csv") > 0
    report = json.loads(place.run(*load("one.csv")))
    assert report["resumed"] == unfinished
    assert (report["facts"], report["rejected"]) == (FACTS - BAD, {"wrong number of fields": BAD})
    whole = undisturbed("nodes.csv", "one.csv")
    assert report["created"] == (len(whole.facts) if unfinished else 0)
    is_as(place, whole)
    again = json.loads(place.run(*load("one.csv")))
    assert (again["created"], again["unchanged"]) == (0, FACTS - BAD)
    rejected = (place.folder / "one.csv.rejected.jsonl").read_text("utf-8")
    assert rejected.count("a line that is no fact") == BAD


def test_killed_while_nodes_come(place: Place, undisturbed: Undisturbed) -> None:
    rng = random.Random(SEED)
    place.run(*at_once("tiny.csv"))
    small = (*load("nodes.csv"), "--batch-size", "10")
    middle, longest = 0, 0.1
    for _ in range(KILLS // 2):
        # The file is read at once, and then written in 200 batches, which takes longer into some stores.
        killed = place.dies(Death(0, rng.uniform(0, longest), lines=1), *small)
        middle += killed and 0 < journal(place, "nodes.csv") < ENTITIES // 2
        longest *= 1 if middle else 2
    assert middle >= 3, "the kills missed the load"
    report = json.loads(place.run(*small))
    is_as(place, undisturbed("tiny.csv", "nodes.csv"))
    place.run("loads", "undo", report["load"], "--yes")
    is_as(place, undisturbed("tiny.csv"))


def test_two_loaders_of_overlapping_files_at_once(place: Place, undisturbed: Undisturbed) -> None:
    place.run(*at_once("nodes.csv"))
    processes = [place.start(*load(name)) for name in ("one.csv", "two.csv", "one.csv")]
    for process in processes:
        assert process.wait().status == 0, process.err
    is_as(place, undisturbed("nodes.csv", "one.csv", "two.csv"))
    assert len(place.loads()) == 3, "the same file at the same time is the same load"


def test_undo_broken_off(place: Place, undisturbed: Undisturbed) -> None:
    rng = random.Random(SEED)
    for name in ("nodes.csv", "one.csv", "two.csv"):
        place.run(*at_once(name))
    first = next(one.id for one in place.loads() if one.sources[0].name.endswith("one.csv"))
    words = ("loads", "undo", first, "--yes")
    killed = 0
    for seconds in early(rng, 8):
        if not place.dies(Death(-1, seconds), *words):
            break
        killed += 1
    assert killed
    state = next(one.state for one in place.loads() if one.id == first)
    if state != "undone":
        place.run(*words)
    is_as(place, undisturbed("nodes.csv", "two.csv"))
    place.run(*at_once("one.csv"))
    is_as(place, undisturbed("nodes.csv", "one.csv", "two.csv"))


def test_replace_broken_off(place: Place, undisturbed: Undisturbed, files: Path) -> None:
    rng = random.Random(SEED)
    source = ("--source", "facts")
    place.run(*at_once("nodes.csv"))
    place.run(*at_once("one.csv"), *source)
    words = (*load("two.csv"), *source, "--replace", "--yes")
    deaths = [Death(int(rng.uniform(0.1, 0.9) * FACTS), rng.uniform(0, 0.02)) for _ in range(4)]
    deaths += [Death(-1, seconds) for seconds in early(rng, 4)]
    killed = [place.dies(death, *words) for death in deaths]
    assert any(killed[:4])
    place.run(*words)
    wanted = undisturbed("nodes.csv", "two.csv")
    named = {
        fact: (tuple(("facts" if source == "two.csv" else source, line) for source, line in origins), properties)
        for fact, (origins, properties) in wanted.facts.items()
    }
    is_as(place, Dump(wanted.entities, named, wanted.relations))


def test_the_disk_full_on_the_quarantine_file(place: Place, undisturbed: Undisturbed) -> None:
    place.run(*at_once("nodes.csv"))
    full = place.folder / "kept.jsonl.partial"
    full.symlink_to("/dev/full")
    process = place.start(*load("one.csv"), "--quarantine", "kept.jsonl").wait()
    assert process.status == 1
    (said,) = (line for line in process.err.splitlines() if line.startswith("error:"))
    assert "the quarantine file can't be written: No space left on device" in said
    full.unlink()
    place.run(*load("one.csv"), "--quarantine", "kept.jsonl")
    assert (place.folder / "kept.jsonl").read_text("utf-8").count("a line that is no fact") == BAD
    is_as(place, undisturbed("nodes.csv", "one.csv"))


@pytest.mark.neo4j
def test_the_network_is_cut_for_five_seconds(
    on_server: Place, neo4j_server: Neo4jServer, undisturbed: Undisturbed
) -> None:
    on_server.run(*at_once("nodes.csv"))
    with Proxy(neo4j_server.port) as proxy:
        away = Place(on_server.folder, on_neo4j(f"bolt://127.0.0.1:{proxy.port}"), on_server.open, started=50)
        process = away.start(*load("one.csv"), "--batch-size", 300)
        while process.running and journal(on_server, "one.csv") == 0:
            time.sleep(0.05)
        proxy.cut()
        before = journal(on_server, "one.csv")
        time.sleep(5)
        assert process.running, process.err
        proxy.mend()
        assert process.wait().status == 0, process.err
    assert 0 < before < FACTS, "the cut missed the load"
    report = json.loads(process.out)
    assert (report["facts"], report["resumed"]) == (FACTS - BAD, False)
    is_as(on_server, undisturbed("nodes.csv", "one.csv"))


@pytest.mark.neo4j
def test_the_database_is_restarted_in_the_middle(
    on_server: Place, neo4j_server: Neo4jServer, undisturbed: Undisturbed
) -> None:
    on_server.run(*at_once("nodes.csv"))
    process = on_server.start(*load("one.csv"), "--batch-size", 300)
    while process.running and journal(on_server, "one.csv") == 0:
        time.sleep(0.05)
    assert process.running, "the restart missed the load"
    process.hold(still=True)  # the load is not to end while the server is being stopped
    container = neo4j_server.container.get_wrapped_container()
    container.kill()
    try:
        process.hold(still=False)
        time.sleep(1)
        assert process.running, "the load didn't need the server any more"
    finally:
        container.start()  # the other tests need it
    process.wait(AWAY)
    if process.status != 0:  # it was away for longer than is waited for
        assert "run the same command to go on" in process.err
        neo4j_server.wait()
        assert json.loads(on_server.run(*load("one.csv")))["resumed"]
    is_as(on_server, undisturbed("nodes.csv", "one.csv"))
