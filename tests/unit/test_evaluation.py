"""Metrics against a loop over sets; experiments; result rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from graph_schema import InputError
from kgqa.answering.run import Ranked
from kgqa.data import Question
from kgqa.data.questions import bracketed
from kgqa.evaluation.accuracy import Evaluated
from kgqa.evaluation.experiment import Experiment
from kgqa.evaluation.figures import accuracy_rows, means
from kgqa.evaluation.metrics import QuestionScores, score_questions
from kgqa.evaluation.record import Recorder, append
from kgqa.evaluation.speed import sample
from kgqa.evaluation.transfer import Transfer
from kgqa.linking import split_brackets
from tests.docs.repository import ROOT

METRICS = ("hits_at_1", "mrr", "precision", "recall", "f1", "exact")
Said = list[tuple[int, float]]


def score(
    said: list[Said],
    gold: list[set[int]],
    absent: list[int],
    threshold: float = 0.5,
    listed: list[int] | None = None,
) -> QuestionScores:
    """Score rankings of (node, score) against gold nodes and how many more gold answers the graph hasn't got."""
    question = [q for q, ranking in enumerate(said) for _ in ranking]
    pairs = [(q, node) for q, nodes in enumerate(gold) for node in sorted(nodes)]
    ranked = Ranked(
        torch.tensor(question, dtype=torch.int64),
        torch.tensor([node for ranking in said for node, _ in ranking], dtype=torch.int64),
        torch.tensor([value for ranking in said for _, value in ranking], dtype=torch.float32),
        torch.tensor([place for ranking in said for place in range(len(ranking))], dtype=torch.int64),
    )
    return score_questions(
        ranked,
        ranked.score >= threshold,
        torch.tensor([q for q, _ in pairs], dtype=torch.int64),
        torch.tensor([node for _, node in pairs], dtype=torch.int64),
        torch.tensor([len(nodes) + more for nodes, more in zip(gold, absent, strict=True)], dtype=torch.int64),
        None if listed is None else torch.tensor(listed, dtype=torch.int64),
    )


def figures(scores: QuestionScores, question: int) -> tuple[float, ...]:
    return tuple(float(getattr(scores, name)[question]) for name in METRICS)


rankings = st.dictionaries(st.integers(0, 6), st.sampled_from([0.9, 0.5, 0.49, 0.1])).map(
    lambda scored: sorted(scored.items(), key=lambda item: -item[1])
)
asked = st.tuples(rankings, st.sets(st.integers(0, 6)), st.integers(0, 2))


@settings(max_examples=100, deadline=None)
@given(st.lists(asked, min_size=1, max_size=5))
def test_metrics_are_those_of_a_loop_over_sets(questions: list[tuple[Said, set[int], int]]) -> None:
    said, gold, absent = (list(part) for part in zip(*questions, strict=True))
    scores = score(said, gold, absent)
    for number, (ranking, right, more) in enumerate(questions):
        chosen = {node for node, value in ranking if value >= 0.5}
        assert scores.confidence[number] == pytest.approx(max((value for _, value in ranking), default=0.0))
        if not right and not more:
            assert figures(scores, number) == (float(not chosen),) * len(METRICS)
            continue
        precision = len(chosen & right) / len(chosen) if chosen else 0.0
        recall = len(chosen & right) / (len(right) + more)
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        hit = float(bool(ranking) and ranking[0][0] in right)
        exact = float(chosen == right and not more)
        places = [place for place, (node, _) in enumerate(ranking, 1) if node in right]
        reciprocal = 1 / places[0] if places else 0.0
        assert figures(scores, number) == pytest.approx((hit, reciprocal, precision, recall, f1, exact))


def test_a_question_without_a_ranking_is_wrong_and_counts() -> None:
    scores = score([[(1, 0.9)], []], [{1}, {1}], [0, 0])
    assert figures(scores, 0) == (1, 1, 1, 1, 1, 1)
    assert figures(scores, 1) == (0, 0, 0, 0, 0, 0)
    assert scores.means(torch.tensor([True, True])) == dict.fromkeys(METRICS, 0.5)
    assert scores.means(torch.tensor([True, False])) == dict.fromkeys(METRICS, 1.0)


def test_an_empty_set_is_no_answer_though_the_ranking_is_right() -> None:
    assert figures(score([[(1, 0.2)]], [{1}], [0]), 0) == (1, 1, 0, 0, 0, 0)


def test_a_question_without_answers_is_right_if_nothing_is_said() -> None:
    scores = score([[(1, 0.9)], [(1, 0.2)], []], [set(), set(), set()], [0, 0, 0])
    assert [figures(scores, q) for q in range(3)] == [(0,) * 6, (1,) * 6, (1,) * 6]


def test_the_listed_answer_counts_alone_and_only_where_one_is_listed() -> None:
    ranking = [(1, 0.9), (2, 0.8)]
    scores = score([ranking] * 4 + [[]], [{1, 2}] * 5, [0] * 5, listed=[1, 2, -1, -2, 1])
    assert scores.listed_at_1.tolist()[:3] == [1, 0, 0]
    assert torch.isnan(scores.listed_at_1[3])
    assert scores.listed_at_1[4] == 0
    assert scores.means(torch.ones(5, dtype=torch.bool))["listed_at_1"] == 0.25
    assert "listed_at_1" not in scores.means(torch.arange(5) == 3)
    assert "listed_at_1" not in score([ranking], [{1}], [0]).means(torch.tensor([True]))


def test_the_reciprocal_rank_is_that_of_the_first_right_one() -> None:
    ranking = [(5, 0.9), (6, 0.8), (1, 0.7), (2, 0.6)]
    assert score([ranking], [{1, 2}], [0]).mrr.tolist() == pytest.approx([1 / 3])
    assert score([ranking], [{9}], [0]).mrr.tolist() == [0]


def test_an_answer_that_the_graph_hasnt_got_is_missed() -> None:
    hit, _, precision, recall, f1, exact = figures(score([[(1, 0.9)]], [{1}], [1]), 0)
    assert (hit, precision, recall, exact) == (1, 1, 0.5, 0)
    assert f1 == pytest.approx(2 / 3)


def test_the_answer_of_another_question_doesnt_count() -> None:
    assert figures(score([[(2, 0.9)], [(1, 0.9)]], [{1}, {2}], [0, 0]), 0) == (0, 0, 0, 0, 0, 0)


def test_nothing_ranked_at_all() -> None:
    assert figures(score([[], []], [{1}, set()], [0, 1]), 1) == (0, 0, 0, 0, 0, 0)


GIVEN: dict[str, Any] = {
    "set": "metaqa",
    "questions": 100,
    "split": "dev",
    "seeds": [0, 1],
    "train": {"steps": 7, "model": {"slot_dim": 16, "read_gate": False}},
    "variants": {"full": {}, "no-slots": {"model": {"slots": False}, "steps": 9}},
    "expected": {"full": {"1-hop": {"hits_at_1": 0.9, "f1": 0.8}, "2-hop": {"f1": 0.5}}},
}


def load(tmp_path: Path, **changes: object) -> Experiment:
    (tmp_path / "experiment.yaml").write_text(yaml.safe_dump({**GIVEN, **changes}), "utf-8")
    return Experiment.load(tmp_path / "experiment.yaml")


def test_a_variant_changes_the_settings_that_it_names(tmp_path: Path) -> None:
    experiment = load(tmp_path)
    assert (list(experiment.variants), experiment.seeds) == (["full", "no-slots"], (0, 1))
    full, without = experiment.config("full", 0), experiment.config("no-slots", 1)
    assert (full.steps, full.seed, full.model.slots, full.model.slot_dim) == (7, 0, True, 16)
    assert (without.steps, without.seed, without.model.slots, without.model.slot_dim) == (9, 1, False, 16)
    assert not without.model.read_gate
    assert experiment.train == GIVEN["train"]


def test_figures_below_what_is_expected_are_named(tmp_path: Path) -> None:
    experiment = load(tmp_path)
    means = {"1-hop": {"hits_at_1": 0.9, "f1": 0.79}, "2-hop": {"hits_at_1": 0.1, "f1": 0.25}}
    assert experiment.shortfalls("full", means) == [
        "full, 1-hop: f1 is 0.7900, expected at least 0.8",
        "full, 2-hop: f1 is 0.2500, expected at least 0.5",
    ]
    assert experiment.shortfalls("no-slots", means) == []
    assert experiment.shortfalls("full", {"1-hop": {"hits_at_1": 1.0, "f1": 1.0}}) == [
        "full, 2-hop: nothing measured f1"
    ]


def test_of_errors_at_most_so_much_is_expected(tmp_path: Path) -> None:
    experiment = load(tmp_path, expected={"full": {"all": {"ece": 0.05, "aurc": 0.1, "mrr": 0.5}}})
    assert experiment.shortfalls("full", {"all": {"ece": 0.05, "aurc": 0.0, "mrr": 0.5}}) == []
    assert sorted(experiment.shortfalls("full", {"all": {"ece": 0.06, "aurc": 0.2, "mrr": 0.4}})) == [
        "full, all: aurc is 0.2000, expected at most 0.1",
        "full, all: ece is 0.0600, expected at most 0.05",
        "full, all: mrr is 0.4000, expected at least 0.5",
    ]


def test_evidence_and_abstention_can_be_expected(tmp_path: Path) -> None:
    wanted = {
        "all": {"f1": 0.5, "evidence_precision": 0.9, "evidence_holds": 0.8},
        "facts removed": {"abstention_auroc": 0.95, "abstained": 0.7, "answerable_f1": 0.6},
        "unknown entity": {"abstained": 1.0},
    }
    experiment = load(tmp_path, also=["evidence", "abstention"], expected={"full": wanted})
    assert experiment.shortfalls("full", wanted) == []
    low = {
        "all": {"f1": 0.5, "evidence_precision": 0.89, "evidence_holds": 1.0},
        "facts removed": wanted["facts removed"],
    }
    assert experiment.shortfalls("full", low) == [
        "full, all: evidence_precision is 0.8900, expected at least 0.9",
        "full, unknown entity: nothing measured abstained",
    ]


def test_the_parts_of_a_directory_are_its_own(tmp_path: Path) -> None:
    experiment = load(tmp_path, set="directory", by="entity", expected={"full": {"mine": {"f1": 0.5}}})
    assert (experiment.by, experiment.shortfalls("full", {"mine": {"f1": 0.5}})) == ("entity", [])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": "red"}, "colour: Extra inputs"),
        ({"colour": 1, "shape": 2}, "colour: .*; shape: "),
        ({"train": {"stepz": 7}}, "stepz: Extra inputs"),
        ({"train": {"model": 3}}, "model: "),
        ({"variants": {"full": {"model": {"slotz": False}}}}, "model.slotz: Extra inputs"),
        ({"set": "freebase"}, "set: "),
        ({"questions": 0}, "questions: "),
        ({"start": "specific"}, "start: "),
        ({"start": "general", "adapt": {"runs": 3}}, "start and adapt both say what is begun with"),
        ({"adapt": {"runs": 0}}, "adapt.runs: "),
        ({"by": "luck"}, "by: "),
        ({"seeds": []}, "seeds: "),
        ({"also": ["magic"]}, "also.0: "),
        ({"split": "train"}, "split: "),
        ({"expected": {"fool": {"1-hop": {"f1": 0.5}}}}, "variants that there are not: fool"),
        ({"expected": {"full": {"4-hop": {"f1": 0.5}}}}, "expected.full.4-hop"),
        ({"expected": {"full": {"1-hop": {"f2": 0.5}}}}, "expected.full.1-hop.f2"),
        (
            {"expected": {"full": {"all": {"evidence_precision": 0.5}}}},
            "expected.full.all.evidence_precision: that is measured only with evidence in also",
        ),
        (
            {"expected": {"full": {"1-hop": {"evidence_holds": 0.5}}}, "also": ["evidence"]},
            "expected.full.1-hop.evidence_holds: that is measured of all",
        ),
        (
            {"expected": {"full": {"facts removed": {"abstention_auroc": 0.5}}}},
            "expected.full.facts removed.abstention_auroc: that is measured only with abstention in also",
        ),
        (
            {"expected": {"full": {"all": {"abstained": 0.5}}}, "also": ["abstention"]},
            "expected.full.all.abstained: that is measured of facts removed, unknown entity, unknown relation",
        ),
        (
            {"expected": {"full": {"unknown entity": {"f1": 0.5}}}, "also": ["abstention"]},
            "expected.full.unknown entity.f1: that is measured of 1-hop, 2-hop",
        ),
    ],
)
def test_what_is_no_experiment_is_refused_before_anything_is_trained(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load(tmp_path, **changes)
    assert caught.value.where == str(tmp_path / "experiment.yaml")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"set: [", "not valid YAML"), (b"\xff\xff", "not valid YAML"), (b"", "dictionary"), (b"- 1", "dictionary")],
)
def test_a_file_that_cant_be_read_as_an_experiment(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "experiment.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        Experiment.load(path)
    with pytest.raises(InputError, match="No such file"):
        Experiment.load(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks/experiments").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_experiments_that_come_with_kgqa_can_be_run(path: Path) -> None:
    experiment = Experiment.load(path)
    assert {experiment.config(v, s).seed for v in experiment.variants for s in experiment.seeds} == {*experiment.seeds}


def test_what_an_experiment_doesnt_say_of_the_model_is_as_it_is_told(tmp_path: Path) -> None:
    narrow = load(tmp_path, start="general", train={"model": {"slot_dim": 16}})
    told = narrow.config("full", 0, {"slot_dim": 48, "state_dim": 96}).model
    assert (told.slot_dim, told.state_dim) == (16, 96)
    assert narrow.config("full", 0).model.state_dim != 96


CURVE: dict[str, Any] = {
    "target": "PQ-2H",
    "split": "dev",
    "sources": [{"set": "WC-1H", "questions": 50}],
    "shots": [0, 10],
    "seeds": [0],
    "model": {"slot_dim": 16},
    "tune": {"steps": 9},
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": "PQ-9H"}, "no set is called 'PQ-9H'"),
        ({"sources": [{"set": "freebase"}]}, "no set is called 'freebase'"),
        ({"sources": []}, "sources: "),
        ({"sources": [{"set": "PQ-2H"}]}, "PQ-2H is the target and a source"),
        ({"shots": [10, 0]}, "ascending"),
        ({"shots": [-1]}, "ascending"),
        ({"train": {"stepz": 1}}, "stepz: Extra inputs"),
        ({"model": {"slotz": 1}}, "slotz: Extra inputs"),
        ({"alone": {"model": {}}}, "alone.model: one model is for all"),
        ({"colour": "red"}, "colour: Extra inputs"),
    ],
)
def test_what_is_no_few_shot_experiment_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = tmp_path / "curve.yaml"
    path.write_text(yaml.safe_dump(CURVE), "utf-8")
    stages = [Transfer.load(path).config(stage, 3) for stage in ("train", "tune", "alone")]
    assert [(one.steps, one.seed, one.model.slot_dim) for one in stages] == [(2000, 3, 16), (9, 3, 16), (2000, 3, 16)]
    path.write_text(yaml.safe_dump({**CURVE, **changes}), "utf-8")
    with pytest.raises(InputError, match=message) as caught:
        Transfer.load(path)
    assert caught.value.where == str(path)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "benchmarks/experiments/transfer").glob("*.yaml")), ids=lambda path: path.stem
)
def test_the_few_shot_experiments_that_come_with_kgqa_can_be_run(path: Path) -> None:
    assert Transfer.load(path).shots[0] == 0


def test_silence_is_no_miscalibration() -> None:
    one, none = torch.ones(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    silent = QuestionScores(one, one * torch.nan, one, one, one, one, one, confidence=none)
    found = Evaluated([Question("who wrote Heat", ((10, 14),), ())], silent, one)
    assert means(found)["all"]["hits_at_1"] == 1
    assert means(found)["all"]["ece"] == 0
    answered = Evaluated([Question("who wrote Heat", ((10, 14),), ("Michael Mann",))], silent, one)
    assert means(answered)["all"]["ece"] == 1


def test_topics_are_right_or_wrong_only_where_they_are_marked() -> None:
    ones = torch.ones(3, dtype=torch.float64)
    scores = QuestionScores(ones, ones, ones, ones, ones, ones, ones, confidence=ones)
    marked, unmarked = (Question("who wrote Heat", spans, ("Michael Mann",), "1-hop") for spans in (((10, 14),), ()))
    found = Evaluated([marked, unmarked, unmarked], scores, torch.tensor([0.0, 1.0, 1.0], dtype=torch.float64))
    recorder = Recorder("dev", 0, "cpu", {})
    rows = [r for r in accuracy_rows("x", found, recorder, brackets=False) if r.metric == "right_topic"]
    assert [(r.set, r.value, r.n, r.config["topics"]) for r in rows] == [
        ("x/1-hop", 0, 1, "free text"),
        ("x/all", 0, 1, "free text"),
    ]
    none = Evaluated([unmarked] * 3, scores, ones)
    assert "right_topic" not in {r.metric for r in accuracy_rows("x", none, recorder, brackets=False)}


def test_rows_are_appended_with_where_they_come_from(tmp_path: Path) -> None:
    recorder = Recorder("dev", 3, "cpu", {"variant": "full"})
    rows = [recorder.row("metaqa/1-hop", "f1", 0.12345678, 10, topics="brackets"), recorder.row("é", "f1", 1.0, 1)]
    append(tmp_path / "rows.jsonl", rows[:1])
    append(tmp_path / "rows.jsonl", rows[1:])
    first, second = map(json.loads, (tmp_path / "rows.jsonl").read_text("utf-8").splitlines())
    assert (first["value"], first["seed"], first["n"]) == (0.123457, 3, 10)
    assert first["config"] == {"variant": "full", "topics": "brackets"}
    assert second["config"] == {"variant": "full"}
    assert second["set"] == "é"
    assert first["device"].startswith("CPU")
    with pytest.raises(InputError, match="can't write the results"):
        append(tmp_path / "nowhere" / "rows.jsonl", rows)


def test_a_sample_is_spread_evenly_over_the_parts() -> None:
    questions = [
        Question(f"{part} {i}", (), ("a",), part) for part, n in (("1", 50), ("2", 50), ("3", 4)) for i in range(n)
    ]
    drawn = sample(questions, 30, seed=0)
    assert [sum(q.part == part for q in drawn) for part in "123"] == [10, 10, 4]
    assert len(set(drawn)) == len(drawn)
    assert drawn == sample(questions, 30, seed=0) != sample(questions, 30, seed=1)


def test_brackets_come_back_where_they_were() -> None:
    text = "did [Ann] meet [Bob] in [Rome]"
    assert bracketed(Question(*split_brackets(text), ("yes",))) == text
