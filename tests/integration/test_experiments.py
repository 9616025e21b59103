"""The reported figures: each experiment file that expects some is run again and checked; and a miss is a failure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.command import Kgqa
from tests.docs.repository import ROOT
from tests.reader import question_lines, small_graph
from tests.set_data import ARCHIVES, DATA, FACTS, METAQA, set_directory

FILES = sorted((ROOT / "benchmarks/experiments").glob("*.yaml"))
EXPECTING = [path for path in FILES if "expected" in yaml.safe_load(path.read_text("utf-8"))]


def test_some_experiments_expect_figures() -> None:
    assert "metaqa" in {path.stem for path in EXPECTING}


def measured(rows: Path, variant: str) -> dict[tuple[str, str], float]:
    """The figures of one variant by part and metric; the mean over seeds, as every row counts the same questions."""
    found: dict[tuple[str, str], list[float]] = {}
    for row in map(json.loads, rows.read_text("utf-8").splitlines()):
        if row["config"]["variant"] == variant:
            found.setdefault((row["set"].partition("/")[2], row["metric"]), []).append(row["value"])
    return {key: sum(values) / len(values) for key, values in found.items()}


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where archives are unpacked, once for all experiments."""
    return tmp_path_factory.mktemp("sets")


@pytest.fixture
def data(file: Path, unpacked: Path) -> Path:
    """The directory of an experiment's set; found before ``kgqa`` takes the settings out of the environment."""
    return set_directory(yaml.safe_load(file.read_text("utf-8"))["set"], unpacked)


@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize("file", EXPECTING, ids=lambda path: path.stem)
def test_the_figures_are_met_again(data: Path, kgqa: Kgqa, file: Path, tmp_path: Path) -> None:
    words = ("bench", "experiment", file, "--data", data, "--out", tmp_path / "runs", "--threads", 1)
    kgqa(*words, "--json", tmp_path / "rows.jsonl").succeeded()
    expected = yaml.safe_load(file.read_text("utf-8"))["expected"]
    for variant, parts in expected.items():
        found = measured(tmp_path / "rows.jsonl", variant)
        for part, metrics in parts.items():
            for metric, least in metrics.items():
                assert found[part, metric] >= least, (variant, part, metric)


@pytest.fixture(scope="module")
def small_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of MetaQA's layout with a small part of the film graph and questions of one hop about it."""
    folder = tmp_path_factory.mktemp("set")
    (folder / "kb.txt").write_text("".join(f"{f.head}|{f.relation}|{f.tail}\n" for f in small_graph()), "utf-8")
    for hops in (1, 2, 3):
        (folder / f"{hops}-hop/vanilla").mkdir(parents=True)
        for split in ("train", "dev", "test"):
            (folder / f"{hops}-hop/vanilla/qa_{split}.txt").write_text("".join(question_lines()), "utf-8")
    return folder


def experiment(folder: Path, **changes: Any) -> Path:
    given = {
        "set": "metaqa",
        "questions": 40,
        "split": "dev",
        "seeds": [0],
        "train": {"steps": 3, "batch_size": 4, "model": {"state_dim": 8, "relation_dim": 8, "slot_dim": 4}},
        "variants": {"full": {}, "no-slots": {"model": {"slots": False}}},
        **changes,
    }
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(given), "utf-8")
    return path


def test_a_figure_that_stays_below_what_is_expected_is_a_failure(kgqa: Kgqa, small_set: Path, tmp_path: Path) -> None:
    words = ("bench", "experiment", "small.yaml", "--data", small_set, "--json", "rows.jsonl", "--threads", 1)
    # In three steps, and without the graph's side, not everything can be right.
    variants = {"full": {}, "no-graph-side": {"model": {"graph_side": False}}}
    experiment(tmp_path, variants=variants, expected={"no-graph-side": {"1-hop": {"f1": 0.0}}})
    kgqa(*words).succeeded()
    assert 0 <= measured(tmp_path / "rows.jsonl", "no-graph-side")["1-hop", "f1"] < 1
    # Everything is trained already, so only what is expected differs.
    expected = {"full": {"1-hop": {"f1": 0.0}}, "no-graph-side": {"1-hop": {"f1": 0.999}}}
    experiment(tmp_path, variants=variants, expected=expected)
    done = kgqa(*words)
    assert done.status == 1
    last = done.err.splitlines()[-1]
    assert last.startswith("error: small.yaml: no-graph-side, 1-hop: f1 is ")
    assert last.endswith("expected at least 0.999")
    assert "full, 1-hop" not in done.err


@pytest.fixture
def nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (DATA, METAQA):
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.usefixtures("nothing_named")
@pytest.mark.parametrize("variable", [DATA, METAQA])
def test_where_the_data_is_said_to_be_it_must_be(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(tmp_path))
    with pytest.raises(pytest.fail.Exception, match=f"{variable}=.* has no kb.txt"):
        set_directory("metaqa", tmp_path)


@pytest.mark.usefixtures("nothing_named")
def test_each_set_has_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATA, str(tmp_path))
    for folder, facts in FACTS.items():
        (tmp_path / folder).mkdir()
        (tmp_path / folder / facts).write_text("a|b|c\n", "utf-8")
    for name, folder in (("metaqa-ntm", "metaqa"), ("PQL-3H", "pathquestion"), ("WC-C", "wc2014")):
        assert set_directory(name, tmp_path / "scratch") == tmp_path / folder
    (tmp_path / "films").mkdir()
    (tmp_path / "films/kb.txt").write_text("a|b|c\n", "utf-8")
    monkeypatch.setenv(METAQA, str(tmp_path / "films"))
    assert set_directory("metaqa", tmp_path / "scratch") == tmp_path / "films"


@pytest.mark.usefixtures("nothing_named")
@pytest.mark.skipif(not ARCHIVES.exists(), reason="only where the archives are")
def test_archives_are_unpacked_once(tmp_path: Path) -> None:
    found = set_directory("WC-1H", tmp_path)
    (found / FACTS["wc2014"]).write_text("kept", "utf-8")
    assert set_directory("WC-C", tmp_path) == found == tmp_path / "wc2014"
    assert (found / FACTS["wc2014"]).read_text("utf-8") == "kept"


@pytest.mark.usefixtures("nothing_named")
@pytest.mark.parametrize(("name", "said"), [("metaqa", f"set {DATA} .*{METAQA}"), ("PQ-2H", f"set {DATA} ")])
def test_without_the_data_it_is_said_what_to_set(name: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(pytest.skip.Exception, match=f"nothing was measured: {said}"):
        set_directory(name, tmp_path, tmp_path / "no-archives")


def test_made_questions_about_two_topics_are_trained_on_too(kgqa: Kgqa, small_set: Path, tmp_path: Path) -> None:
    file = experiment(tmp_path, conjunctions=25, variants={"full": {}})
    done = kgqa("bench", "experiment", file, "--data", small_set, "--out", tmp_path / "runs", "--threads", 1)
    assert "train_seconds" in done.succeeded()
    trained = json.loads((tmp_path / "runs" / file.stem / "full-0/config.json").read_text("utf-8"))["trained"]
    assert trained["questions"] == 65


def test_another_budget_of_slots_of_the_reader_that_ships(kgqa: Kgqa, small_set: Path, tmp_path: Path) -> None:
    words = ("bench", "metaqa", "--data", small_set, "--singles", "0", "--any-schema", "--threads", "1")
    for slots, file in ((None, "all.jsonl"), (1, "one.jsonl")):
        kgqa(*words, *(("--slots", slots) if slots else ()), "--json", file).succeeded()
    own, one = (
        {(row["set"], row["metric"]): row for row in map(json.loads, (tmp_path / file).read_text("utf-8").splitlines())}
        for file in ("all.jsonl", "one.jsonl")
    )
    assert own.keys() == one.keys()
    assert {row["config"].get("slot_budget") for row in own.values()} == {None}
    assert {row["config"]["slot_budget"] for row in one.values()} == {1}
    accuracy = [key for key in own if key[1] in ("f1", "ece", "aurc")]
    assert any(own[key]["value"] != one[key]["value"] for key in accuracy)
