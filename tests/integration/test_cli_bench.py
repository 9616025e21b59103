"""``kgqa bench``: a small set of each layout trained on, measured and split, from one command to figures in a file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from kgqa.data.graph import Walker, thinned
from kgqa.data.questions import as_json
from kgqa.data.sets import open_set
from kgqa.model.checkpoint import shipped
from tests.command import Kgqa
from tests.sets import asked, family, graph

FACTS = family(24)
QUESTIONS = asked(Walker(graph(FACTS)), 24)
TRAIN: dict[str, Any] = {
    "steps": 16,
    "batch_size": 16,
    "warmup": 5,
    "evaluate_every": 16,
    "model": {"state_dim": 32, "relation_dim": 32, "slot_dim": 8},
}
EXPERIMENT: dict[str, Any] = {
    "set": "directory",
    "by": "path",
    "split": "dev",
    "seeds": [0, 1],
    "train": TRAIN,
    "also": ["slices", "evidence", "abstention"],
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("families") / "families"
    folder.mkdir()
    (folder / "kb.txt").write_text("".join(f"{f.head}|{f.relation}|{f.tail}\n" for f in FACTS), "utf-8")
    lines = "".join(json.dumps(as_json(question)) + "\n" for question in QUESTIONS)
    (folder / "questions.jsonl").write_text(lines, "utf-8")
    return folder


def experiment(folder: Path, **changes: object) -> Path:
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump({**EXPERIMENT, **changes}), "utf-8")
    return path


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_an_experiment_over_seeds_and_its_checkpoint_measured_again(kgqa: Kgqa, data: Path, tmp_path: Path) -> None:
    words = ("bench", "experiment", experiment(tmp_path), "--data", data, "--threads", "1")
    kgqa(*words, "--json", "rows.jsonl").succeeded()
    rows = rows_of(tmp_path / "rows.jsonl")
    assert {row["seed"] for row in rows} == {0, 1, None}
    whole = [row for row in rows if "slice" not in row["config"]]
    hits = {row["seed"]: row for row in whole if (row["set"], row["metric"]) == ("families/all", "hits_at_1")}
    assert hits[None]["value"] == pytest.approx((hits[0]["value"] + hits[1]["value"]) / 2, abs=1e-6)
    half = abs(hits[0]["value"] - hits[1]["value"]) / 2 * 12.7062047  # t of one degree of freedom at 97.5 %
    assert hits[None]["config"]["half_of_95_percent_interval"] == pytest.approx(half, abs=1e-4)
    assert hits[None]["config"]["seeds"] == [0, 1]
    assert hits[0]["config"]["split"] == "path"
    of_one = {(row["set"], row["metric"]): row for row in whole if row["seed"] == 1}
    for metric in ("hits_at_1", "listed_at_1", "mrr", "precision", "recall", "f1", "exact", "ece", "aurc"):
        assert 0 <= of_one["families/1-hop", metric]["value"] <= 1
    assert of_one["families/all", "evidence_holds"]["value"] <= 1
    for kind in ("facts removed", "unknown entity", "unknown relation"):
        assert 0 <= of_one[f"families/{kind}", "abstention_auroc"]["value"] <= 1
        assert of_one[f"families/{kind}", "abstained"]["n"] > 0
    # Nothing is linked to a name that nobody bears, so nothing is said, and the reader is not sure of it at all.
    assert of_one["families/unknown entity", "abstained"]["value"] == 1
    assert {row["config"]["slice"] for row in rows if "slice" in row["config"]} == {
        *("hops", "relation", "topic facts", "answers", "gold path", "namesakes", "trained"),
    }

    again = ("bench", "set", "directory", "--data", data, "--by", "path", "--checkpoint", "runs/small/full-1")
    kgqa(*again, "--seed", "1", "--threads", "1", "--evidence", "--json", "again.jsonl", "--singles", "2").succeeded()
    found = {(row["set"], row["metric"]): row["value"] for row in rows_of(tmp_path / "again.jsonl")}
    for key, row in of_one.items():
        if key in found and key[0].partition("/")[2] in ("1-hop", "2-hop", "all"):
            assert found[key] == row["value"], key
    assert found["families/one question", "p50_ms"] > 0
    # What is held out of this split may have been in the training of that.
    kgqa(*again, "--seed", "0").failed("trained on another split of families (path, seed 1)", "Give --by, --seed and")
    kgqa(*again, "--seed", "1", "--split", "train").failed("'train' is no part to measure. Use dev or test")


def test_a_thinned_graph_and_another_budget_of_slots(kgqa: Kgqa, data: Path, tmp_path: Path) -> None:
    file = experiment(tmp_path, by="random", seeds=[1], also=["slices"], keep=0.5)
    kgqa("bench", "experiment", file, "--data", data, "--json", "rows.jsonl", "--threads", "1").succeeded()
    split = ("--by", "random", "--seed", "1")
    words = ("bench", "set", "directory", "--data", data, *split, "--checkpoint", "runs/small/full-1", "--threads", "1")

    def figures(file: str, *more: str) -> dict[tuple[str, ...], float]:
        if more:
            kgqa(*words, *more, "--slices", "--json", file).succeeded()
        rows = rows_of(tmp_path / file)
        assert {row["config"].get("facts_kept") for row in rows} == {None if "--by" in more else "0.5"}
        slots = int(more[-1]) if "--slots" in more else None
        assert {row["config"].get("slot_budget") for row in rows} == {slots}
        told = ((row["set"], row["metric"], row["config"].get("of", ""), row["value"]) for row in rows)
        return {(name, metric, of): value for name, metric, of, value in told if of not in ("path", "relations", "new")}

    # The same graph as the experiment's, and what is measured of it.
    trained, again = figures("rows.jsonl"), figures("again.jsonl", "--keep", "0.5")
    assert again == {key: trained[key] for key in again}
    assert ("families/all", "hits_at_1", "broken") in again
    whole = figures("whole.jsonl", "--by", "random")
    assert ("families/all", "hits_at_1", "broken") not in whole
    assert whole["families/all", "recall", ""] > again["families/all", "recall", ""]
    # All entities have slots of their own until there are too few.
    assert figures("free.jsonl", "--keep", "0.5", "--slots", "0") == again
    tight = figures("tight.jsonl", "--keep", "0.5", "--slots", "1")
    assert tight != again
    assert tight.keys() == again.keys()
    shown = kgqa("bench", "table", "whole.jsonl", "again.jsonl", "tight.jsonl").succeeded()
    assert "facts kept 0.5, slot budget 1" in shown
    # What lacks its facts already is no question that the graph answers, nor one that is made unanswerable.
    kgqa(*words, "--keep", "0.3", "--abstention", "--json", "asked.jsonl").succeeded()
    found = {(row["set"].partition("/")[2], row["metric"]): row["n"] for row in rows_of(tmp_path / "asked.jsonl")}
    opened = open_set("directory", data)
    walker = Walker(opened.graph())
    dev = opened.split("random", 1, walker).dev
    answered = sum(map(Walker(thinned(walker.snapshot, 0.3, 1)).answers_some, dev))
    assert answered < len(dev)
    assert found["unknown entity", "abstained"] == answered // 2
    assert found["facts removed", "abstention_auroc"] <= answered
    for share in ("0", "1", "1.5", "nan"):
        kgqa(*words, "--keep", share).failed("--keep: ", "is no share of the facts. Use one between 0 and 1")
    kgqa("report", *words[2:], "--keep", "1").failed("--keep: 1 is no share of the facts")


def test_what_training_questions_tell_joins_a_graph(kgqa: Kgqa, data: Path, tmp_path: Path) -> None:
    def measured(**more: object) -> dict[tuple[str, str], float]:
        path = experiment(tmp_path, by="random", seeds=[1], also=[], keep=0.5, **more)
        out = f"runs-{len(more)}"
        words = ("bench", "experiment", path, "--data", data, "--threads", "1", "--out", out, "--json", f"{out}.jsonl")
        kgqa(*words).succeeded()
        return {(row["set"], row["metric"]): row["value"] for row in rows_of(tmp_path / f"{out}.jsonl")}

    without = measured()
    with_it = measured(told={"hold": 0.0})
    assert ("families", "told_recall") not in without
    assert with_it["families", "told_precision"] > 0.9
    assert with_it["families", "told_recall"] > 0.2
    assert with_it["families/all", "hits_at_1"] > without["families/all", "hits_at_1"] + 0.1
    path = experiment(tmp_path, seeds=[1], told={"hold": 1.0})
    kgqa("bench", "experiment", path, "--data", data).failed("told.hold: ")


def test_a_reader_without_slots_has_no_number_of_them(kgqa: Kgqa, data: Path, tmp_path: Path) -> None:
    few = {**TRAIN, "steps": 1, "evaluate_every": 1, "model": {"state_dim": 8, "slots": False}}
    file = experiment(tmp_path, by="random", seeds=[0], also=[], train=few)
    kgqa("bench", "experiment", file, "--data", data, "--threads", "1").succeeded()
    words = ("bench", "set", "directory", "--data", data, "--by", "random", "--checkpoint", "runs/small/full-0")
    done = kgqa(*words, "--slots", "4")
    done.failed("runs/small/full-0: the reader has no slots", "Leave the number of slots out")


def test_a_checkpoint_of_other_shares_is_refused(kgqa: Kgqa, data: Path, tmp_path: Path) -> None:
    file = experiment(tmp_path, by="entity", shares=[0.6, 0.1, 0.3], seeds=[0], also=[])
    kgqa("bench", "experiment", file, "--data", data, "--json", "rows.jsonl", "--threads", "1").succeeded()
    words = ("bench", "set", "directory", "--data", data, "--by", "entity", "--checkpoint", "runs/small/full-0")
    kgqa(*words).failed("another split of families (entity, seed 0, shares 0.6,0.1,0.3)", "--shares as in training")
    report = ("report", *words[2:])
    kgqa(*report).failed("another split of families (entity, seed 0, shares 0.6,0.1,0.3)")
    kgqa(*words, "--shares", "0.6,0.1,0.3", "--json", "again.jsonl").succeeded()
    first, again = (
        {(r["set"], r["metric"]): r["value"] for r in rows_of(tmp_path / f)} for f in ("rows.jsonl", "again.jsonl")
    )
    assert again == {key: first[key] for key in again}
    kgqa(*words, "--shares", "0.6,0.4").failed("--shares: '0.6,0.4' are no shares. For example: 0.7,0.1,0.2")
    kgqa(*words, "--shares", "0.6,0.4,1").failed("are no shares of train, dev and test")


def test_what_cant_be_asked_of_a_set_is_left_out_and_named(kgqa: Kgqa, tmp_path: Path) -> None:
    (tmp_path / "kb.txt").write_text("Heat|directed_by|Michael Mann\nAli|directed_by|Michael Mann\n", "utf-8")
    (tmp_path / "test.tsv").write_text("who directed Heat\tMichael Mann\nwho directed Ali\tMichael Mann\n", "utf-8")
    words = ("bench", "set", "directory", "--data", ".", "--split", "test", "--abstention", "--any-schema")
    done = kgqa(*words, "--json", "rows.jsonl")
    done.succeeded()
    assert "no such questions could be made of the set: facts removed, unknown entity, unknown relation" in done.err
    assert {row["metric"] for row in rows_of(tmp_path / "rows.jsonl")} >= {"hits_at_1", "ece"}
    path = {"topic": "Heat", "steps": [{"relation": "directed_by"}]}
    lines = [
        {"question": f"{text} [Heat]", "answers": ["Michael Mann"], "paths": [path]}
        for text in ("who directed", "director of")
    ]
    (tmp_path / "test.tsv").unlink()
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    done = kgqa(*words, "--json", "again.jsonl")
    done.succeeded()
    assert "no such questions could be made of the set: facts removed." in done.err
    asked_of = {row["set"].partition("/")[2] for row in rows_of(tmp_path / "again.jsonl")}
    assert asked_of >= {"unknown entity", "unknown relation"}
    assert "facts removed" not in asked_of
    assert "NaN" not in (tmp_path / "again.jsonl").read_text("utf-8")


def test_an_experiment_that_falls_short_says_so(kgqa: Kgqa, data: Path, tmp_path: Path) -> None:
    few = {**TRAIN, "steps": 1, "evaluate_every": 1}
    path = experiment(tmp_path, seeds=[0], train=few, also=[], by="entity", expected={"full": {"all": {"f1": 1.01}}})
    done = kgqa("bench", "experiment", path, "--data", data, "--threads", "1")
    assert done.status == 1
    assert "families/all" in done.out
    assert "small.yaml: full, all: f1 is " in done.err
    assert done.err.endswith("expected at least 1.01\n")


def test_an_experiment_that_begins_with_a_reader_that_ships(kgqa: Kgqa, data: Path, tmp_path: Path) -> None:
    few = {"steps": 1, "batch_size": 16, "evaluate_every": 1, "model": {"reorder": False}}
    path = experiment(tmp_path, seeds=[0], start="general", train=few, also=[])
    kgqa("bench", "experiment", path, "--data", data, "--json", "rows.jsonl", "--threads", "1").succeeded()
    hits = [row["value"] for row in rows_of(tmp_path / "rows.jsonl") if row["metric"] == "hits_at_1"]
    assert max(hits) > 0.8  # one step alone would teach nothing
    made = json.loads((tmp_path / "runs/small/full-0/config.json").read_text("utf-8"))
    assert made["trained"]["start"]["made"].startswith("questions from the graphs")
    assert made["model"]["wordings"]
    assert not made["model"]["reorder"]

    narrow = experiment(tmp_path, seeds=[0], start="general", train={**few, "model": {"state_dim": 32}}, also=[])
    kgqa("bench", "experiment", narrow, "--data", data, "--out", "other").failed_after_lines(
        "other settings of the model (state_dim is 128)"
    )


def test_an_experiment_that_begins_with_a_reader_adapted_to_its_graph(kgqa: Kgqa, data: Path, tmp_path: Path) -> None:
    few = {"steps": 1, "batch_size": 16, "evaluate_every": 1, "model": {"reorder": False}}
    adapt = {"number": 150, "way_steps": 2, "steps": 2, "runs": 2}
    path = experiment(tmp_path, seeds=[0], adapt=adapt, train=few, also=[])
    kgqa("bench", "experiment", path, "--data", data, "--json", "rows.jsonl", "--threads", "1").succeeded()
    hits = [row["value"] for row in rows_of(tmp_path / "rows.jsonl") if row["metric"] == "hits_at_1"]
    assert max(hits) > 0.8
    adapted = tmp_path / "runs/small/adapted-0"
    made = json.loads((tmp_path / "runs/small/full-0/config.json").read_text("utf-8"))
    assert made["trained"]["start"]["made"] == "questions from the graph itself"
    assert made["trained"]["start"]["readers"] == 2
    before = (adapted / "model.safetensors").stat().st_mtime_ns
    kgqa("bench", "experiment", path, "--data", data, "--threads", "1").succeeded()  # and isn't made anew
    assert (adapted / "model.safetensors").stat().st_mtime_ns == before

    shutil.copytree(shipped("films"), tmp_path / "other/small/adapted-0")
    kgqa("bench", "experiment", path, "--data", data, "--out", "other").failed_after_lines(
        "this reader was adapted to another graph"
    )


def test_evidence_and_abstention_that_are_expected_are_looked_at(kgqa: Kgqa, data: Path, tmp_path: Path) -> None:
    few = {**TRAIN, "steps": 1, "evaluate_every": 1}
    wanted = {
        "all": {"evidence_precision": 0.0, "evidence_holds": 1.01},
        "unknown entity": {"abstained": 1.0, "abstention_auroc": 1.01},
    }
    path = experiment(tmp_path, seeds=[0], train=few, also=["evidence", "abstention"], expected={"full": wanted})
    done = kgqa("bench", "experiment", path, "--data", data, "--threads", "1")
    assert done.status == 1
    last = done.err.splitlines()[-1]
    assert "full, all: evidence_holds is " in last
    assert "full, unknown entity: abstention_auroc is " in last
    assert "evidence_precision" not in last
    assert "abstained" not in last


def test_a_seed_is_run_once(kgqa: Kgqa, data: Path, tmp_path: Path) -> None:
    done = kgqa("bench", "experiment", experiment(tmp_path, seeds=[1, 0, 1]), "--data", data)
    assert done.status == 1
    assert "small.yaml: seeds: " in done.err
    assert "a seed twice is one run twice" in " ".join(done.err.split())


def test_two_entities_of_one_name_with_vectors_are_two(kgqa: Kgqa, tmp_path: Path) -> None:
    """Pairs of people of one name, each with a home of its own; which one is meant, the set says by id."""
    folder = tmp_path / "people"
    folder.mkdir()
    mapping = {
        "sources": [
            {
                "files": "people.csv",
                "nodes": [
                    {
                        "label": "Person",
                        "id": "person/{number}",
                        "name": "name",
                        "properties": {"look": {"column": "look", "type": "float", "separator": ";"}},
                    }
                ],
                "relationships": [{"type": "lives_in", "head": "Person", "tail": {"id": "town"}, "dangling": "create"}],
            }
        ]
    }
    (folder / "mapping.yaml").write_text(yaml.safe_dump(mapping), "utf-8")
    lines = [f"{n},Ann {n // 2},Town {n % 5},{n / 10};1\n" for n in range(20)]
    (folder / "people.csv").write_text("number,name,town,look\n" + "".join(lines), "utf-8")
    step = {"relation": "lives_in", "inverse": True}
    asked_of: list[dict[str, Any]] = [
        {
            "question": f"{text} [Town {town}]",
            "answers": [f"person/{n}" for n in range(town, 20, 5)],
            "paths": [{"topic": f"Town {town}", "steps": [step]}],
        }
        for text in ("who lives in", "who are the people of")
        for town in range(5)
    ]
    for part in ("train", "dev"):
        (folder / f"{part}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in asked_of), "utf-8")
    model = {**TRAIN["model"], "vector_property": "look", "vector_dim": 2}
    # Enough to learn the one relation there is.
    training = {**TRAIN, "steps": 60, "evaluate_every": 30, "learning_rate": 0.01, "hide_share": 0, "model": model}
    also = ["slices", "evidence", "abstention"]
    path = experiment(tmp_path, by=None, seeds=[0], train=training, also=also)
    kgqa("bench", "experiment", path, "--data", folder, "--json", "rows.jsonl", "--threads", "1").succeeded()
    rows = {
        (row["set"], row["metric"]): row for row in rows_of(tmp_path / "rows.jsonl") if "slice" not in row["config"]
    }
    assert rows["people/1-hop", "f1"]["value"] > 0.95
    assert rows["people/all", "evidence_precision"]["value"] > 0.95
    assert rows["people/unknown relation", "abstention_auroc"]["n"] > 0
    # By name, the namesakes of who lives there would be wanted, too.
    for line in asked_of:
        line["answers"] = sorted({f"Ann {int(id_.removeprefix('person/')) // 2}" for id_ in line["answers"]})
    (folder / "dev.jsonl").write_text("".join(json.dumps(line) + "\n" for line in asked_of), "utf-8")
    words = ("directory", "--data", folder, "--checkpoint", "runs/small/full-0", "--threads", "1")
    kgqa("bench", "set", *words, "--json", "named.jsonl").succeeded()
    named = {(row["set"], row["metric"]): row["value"] for row in rows_of(tmp_path / "named.jsonl")}
    assert named["people/all", "precision"] > 0.95
    assert named["people/all", "recall"] < 0.6
    kgqa("report", *words, "--out", "people.html").succeeded()
    assert "Ann 0" in (tmp_path / "people.html").read_text("utf-8")


def test_a_few_shot_curve(kgqa: Kgqa, data: Path, tmp_path: Path) -> None:
    (tmp_path / "pathquestion").mkdir()
    facts = [f"p{i}\tparent\tp{i // 2}" for i in range(1, 20)] + [f"p{i}\thome\tt{i % 3}" for i in range(20)]
    (tmp_path / "pathquestion/2H-kb.txt").write_text("\n".join(facts), "utf-8")
    lines = []
    for word in ("home", "house"):
        for i in range(1, 20):
            parent, town = f"p{i // 2}", f"t{i // 2 % 3}"
            question = f"where is the {word} of p{i} 's parent ?"
            lines.append(f"{question}\t{town}({town}/)\tp{i}#parent#{parent}#home#{town}")
    (tmp_path / "pathquestion/PQ-2H.txt").write_text("\n".join(lines), "utf-8")
    wanted = {
        "target": "directory",
        "by": "random",
        "split": "dev",
        "sources": [{"set": "PQ-2H", "questions": 12}],
        "shots": [0, 4],
        "seeds": [1],
        "model": TRAIN["model"],
        **{key: {"steps": 4, "batch_size": 8, "evaluate_every": 4} for key in ("train", "tune", "alone")},
    }
    (tmp_path / "curve.yaml").write_text(yaml.safe_dump(wanted), "utf-8")
    words = ("bench", "transfer", "curve.yaml", "--threads", "1", "--json", "rows.jsonl", "--data")
    # The directory of several sets holds one that is called as they are; "directory" itself is found by its files.
    (tmp_path / "kb.txt").write_bytes((data / "kb.txt").read_bytes())
    (tmp_path / "questions.jsonl").write_bytes((data / "questions.jsonl").read_bytes())
    kgqa(*words, tmp_path).succeeded()
    rows = rows_of(tmp_path / "rows.jsonl")
    name = tmp_path.name
    found = {(row["config"]["variant"], row["config"]["shots"]) for row in rows}
    assert found == {("from sources", 0), ("from sources", 4), ("alone", 4)}
    trained = {
        (row["config"]["variant"], row["config"]["shots"]): row["n"] for row in rows if row["metric"] == "train_seconds"
    }
    assert trained == {("from sources", 0): 12, ("from sources", 4): 4, ("alone", 4): 4}
    assert {row["set"] for row in rows} == {name, f"{name}/1-hop", f"{name}/2-hop", f"{name}/all"}
    tuned = json.loads((tmp_path / "runs/curve/tune-4-1/config.json").read_text("utf-8"))["trained"]
    assert (tuned["set"], tuned["split"], tuned["split_seed"]) == (name, "random", 1)
    assert tuned["start"]["sets"] == [{"set": "PQ-2H", "split": "random", "split_seed": 1}]
    # What the sources had in training can't be measured by another split of theirs.
    sources = ("bench", "set", "PQ-2H", "--data", tmp_path, "--any-schema", "--checkpoint")
    for run in ("sources-1", "tune-4-1"):
        kgqa(*sources, f"runs/curve/{run}", "--seed", "2").failed("another split of PQ-2H (random, seed 1)")
    kgqa(*sources, "runs/curve/sources-1", "--seed", "1").succeeded()


def test_a_distillation(kgqa: Kgqa, data: Path, tmp_path: Path) -> None:
    wanted = {
        "set": "directory",
        "by": "random",
        "questions": 20,
        "unlabelled": 30,
        "split": "dev",
        "seeds": [0],
        "teachers": 2,
        "train": {**TRAIN, "steps": 4, "evaluate_every": 4},
        "student": {"model": {"state_dim": 16}},
    }
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(wanted), "utf-8")
    words = ("bench", "distill", "small.yaml", "--data", data, "--threads", "1", "--json", "rows.jsonl")
    kgqa(*words).succeeded()
    rows = {(r["config"]["variant"], r["set"], r["metric"]): r for r in rows_of(tmp_path / "rows.jsonl")}
    large, small = (rows[variant, "families", "parameters"]["value"] for variant in ("teacher", "student"))
    assert small == rows["student without teachers", "families", "parameters"]["value"] < large
    # An ensemble is as large as its teachers together, and says something of its own.
    for metric in ("parameters", "weights_mib"):
        one, all_ = (rows[variant, "families", metric]["value"] for variant in ("teacher", "ensemble of teachers"))
        assert all_ == pytest.approx(2 * one, rel=1e-3)
    seconds = [
        json.loads((tmp_path / f"runs/small/0/teacher-{n}/config.json").read_text("utf-8"))["trained"]["seconds"]
        for n in range(2)
    ]
    assert rows["ensemble of teachers", "families", "train_seconds"]["value"] == pytest.approx(sum(seconds))
    kinds = {variant: {(name, metric) for of, name, metric in rows if of == variant} for variant, _, _ in rows}
    assert kinds["ensemble of teachers"] == kinds["teacher"]
    for variant in ("teacher", "ensemble of teachers", "student", "student without teachers"):
        assert 0 <= rows[variant, "families/all", "f1"]["value"] <= 1
        assert rows[variant, "families", "cached_per_second"]["value"] > 0
        assert rows[variant, "families", "weights_mib"]["value"] > 0
    about = json.loads((tmp_path / "runs/small/0/student/config.json").read_text("utf-8"))["trained"]
    assert (about["questions"], about["teachers"][0]["questions"]) == (20, 20)
    # What a teacher had in training can't be measured by another split of it.
    again = ("bench", "set", "directory", "--data", data, "--checkpoint", "runs/small/0/student", "--by", "path")
    kgqa(*again).failed("another split of families (random, seed 0)")


def test_what_is_no_distillation_is_refused(kgqa: Kgqa, data: Path, tmp_path: Path) -> None:
    for given, said in (
        ("{set: directory, split: dev, seeds: [0], unlabelled: 3}", "say how many have answers"),
        ("{set: freebase, split: dev, seeds: [0]}", "no set is called 'freebase'"),
        ("{set: directory, split: dev, seeds: [0], student: {stepz: 1}}", "stepz: Extra inputs"),
        ("{set: [", "not valid YAML"),
    ):
        (tmp_path / "bad.yaml").write_text(given, "utf-8")
        kgqa("bench", "distill", "bad.yaml", "--data", data).failed("bad.yaml: ", said)


def shares_of(out: str) -> dict[str, list[str]]:
    lines = [line.split("│")[1:-1] for line in out.splitlines() if line.startswith("│")]
    return {line[0].strip(): line[2:] for line in lines}


def test_leakage_by_kind(kgqa: Kgqa, data: Path) -> None:
    out = kgqa("bench", "leakage", "directory", "--data", data, "--seeds", "2").succeeded()
    shares = shares_of(out)
    assert list(shares) == ["random", "path", "entity", "relation"]
    assert float(shares["random"][1]) > 0
    assert float(shares["path"][1]) == 0
    assert float(shares["entity"][5]) == 0
    assert float(shares["relation"][6]) == 0
    assert "answers" in out  # no heading is cut on a terminal of 80 columns


def test_leakage_where_not_every_split_can_be_made(kgqa: Kgqa, tmp_path: Path) -> None:
    (tmp_path / "kb.txt").write_text("".join(f"{f.head}|{f.relation}|{f.tail}\n" for f in FACTS), "utf-8")
    lines = [f"where does [person{i}] live\ttown{i * 7 % 4}\n" for i in range(20)]
    (tmp_path / "train.tsv").write_text("".join(lines[2:]), "utf-8")
    (tmp_path / "test.tsv").write_text("".join(lines[:4]), "utf-8")
    out = kgqa("bench", "leakage", "directory", "--data", ".", "--seeds", "1").succeeded()
    shares = shares_of(out)
    assert float(shares["official"][0]) == 50.0  # two of the four test questions are in training, too
    assert "path" in shares
    assert "relation" not in shares
    assert "No such split - relation: not every question has a gold path" in out
    kgqa("bench", "leakage", "directory", "--data", ".", "--by", "relation").failed(
        "not every question has a gold path"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("set", "PQ-9H", "--data", "."), "no set is called 'PQ-9H'"),
        (("set", "PQ-2H", "--data", "."), "PQ-2H.txt: can't read the questions"),
        (("set", "directory", "--data", "gone"), "gone: no such directory"),
        (("set", "directory", "--data", ".", "--by", "luck"), "--by: 'luck' is no way to split. Use random, path"),
        (("leakage", "WC-C", "--data", "."), "WC-C.txt: can't read the questions"),
    ],
)
def test_what_cant_be_measured_is_said_in_one_line(kgqa: Kgqa, words: tuple[str, ...], said: str) -> None:
    kgqa("bench", *words).failed(said)


def test_a_part_that_a_set_hasnt_got(kgqa: Kgqa, tmp_path: Path) -> None:
    (tmp_path / "kb.txt").write_text("a|b|c\n", "utf-8")
    (tmp_path / "test.tsv").write_text("what does [a] b\tc\n", "utf-8")
    kgqa("bench", "set", "directory", "--data", ".").failed("has no dev questions", "Have it split by seed")


def test_a_set_to_train_on_needs_training_and_dev_questions(kgqa: Kgqa, data: Path, tmp_path: Path) -> None:
    (tmp_path / "kb.txt").write_text((data / "kb.txt").read_text("utf-8"), "utf-8")
    (tmp_path / "test.jsonl").write_text((data / "questions.jsonl").read_text("utf-8"), "utf-8")
    words = ("bench", "experiment", experiment(tmp_path, by=None, split="test"), "--data", ".")
    kgqa(*words).failed("has no train questions")
    (tmp_path / "train.jsonl").write_text((data / "questions.jsonl").read_text("utf-8"), "utf-8")
    kgqa(*words).failed("has no dev questions", "Have it split by seed")
