"""``kgqa adapt``: from a graph alone to a checkpoint that answers; an interrupt leaves nothing; what is refused."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest
import torch

from kgqa.cli.adapt import GOING_ON
from kgqa.model.checkpoint import START, load_checkpoint, shipped
from kgqa.model.config import ModelConfig
from tests.command import Kgqa, started
from tests.reader import SmallFilms

QUICK = ("--number", "600", "--threads", "1")
LINE = re.compile(r"all +\d+ held-out questions: Hits@1 ([\d.]+) -> ([\d.]+), F1 ([\d.]+) -> ([\d.]+)")


def scores(out: str) -> tuple[float, ...]:
    """Hits@1 before and after, and F1 before and after."""
    found = LINE.search(out)
    assert found, out
    return tuple(map(float, found.groups()))


def test_it_learns_this_graph_and_answers(kgqa: Kgqa, small_films: SmallFilms, tmp_path: Path) -> None:
    store = ("--store", small_films.store)
    words = ("adapt", *store, "--number", "1200", "--threads", "1", "--steps", "200")
    out = kgqa(*words, "--out", "made", "--questions", small_films.questions).succeeded()
    before, after, f1_before, f1_after = scores(out)
    # The general reader, which it is compared with, knows films: made questions have little to gain from those given.
    assert after > max(0.7, before - 0.1)
    assert f1_after > max(0.7, f1_before - 0.1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made"]
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == ["config.json", "model.safetensors"]
    made = load_checkpoint(tmp_path / "made").config
    assert made.trained["settings"]["steps"] == 200
    assert made.trained["start"] == load_checkpoint(shipped(START)).config.trained
    # It belongs to this graph, and is asked without --any-schema.
    question = small_films.questions.read_text("utf-8").splitlines()[0].split("\t")[0]
    answer = kgqa("ask", question, *store, "--checkpoint", "made", "--json")
    assert json.loads(answer.succeeded())["ranking"]
    kgqa(*words, "--out", "made").failed("--out made: there is something here already")


def one_step(films: SmallFilms) -> tuple[str, ...]:
    return ("adapt", "--store", films.store, "--out", "made", *QUICK, "--steps", "1")


def test_a_reader_to_begin_with_goes_on(kgqa: Kgqa, small_films: SmallFilms, tmp_path: Path) -> None:
    kgqa(*one_step(small_films), "--init-from", small_films.run).succeeded()
    start, made = load_checkpoint(small_films.run).config, load_checkpoint(tmp_path / "made").config
    assert made.model == start.model
    assert made.trained["start"] == start.trained
    assert made.trained["settings"]["learning_rate"] == GOING_ON


def test_a_new_reader_begins_with_nothing(kgqa: Kgqa, small_films: SmallFilms, tmp_path: Path) -> None:
    kgqa(*one_step(small_films), "--new", "--way-steps", "3").succeeded()
    made = load_checkpoint(tmp_path / "made").config
    assert made.model == ModelConfig()
    assert "start" not in made.trained
    assert made.trained["settings"]["way_steps"] == 3
    assert made.trained["settings"]["learning_rate"] > GOING_ON


def test_several_readers_become_one(kgqa: Kgqa, small_films: SmallFilms, tmp_path: Path) -> None:
    words = (*one_step(small_films), "--way-steps", "3", "--questions", small_films.questions)
    scores(kgqa(*words, "--runs", "2").succeeded())
    assert [path.name for path in tmp_path.iterdir()] == ["made"]
    made, start = load_checkpoint(tmp_path / "made"), load_checkpoint(shipped(START))
    assert made.config.trained["readers"] == 2
    assert made.config.trained["start"]["settings"]["way_steps"] == 3  # of the first of them
    assert made.config.trained["start"]["start"] == start.config.trained
    # The first of them is the one that it would be alone, and the other has changed what it became.
    alone = (*words[: words.index("made")], "alone", *words[words.index("made") + 1 :])
    kgqa(*alone).succeeded()
    first, mean = load_checkpoint(tmp_path / "alone").network.state_dict(), made.network.state_dict()
    assert any(not torch.equal(value, first[name]) for name, value in mean.items())
    others = {name: 2 * value - first[name] for name, value in mean.items()}
    moved = [name for name, value in start.network.state_dict().items() if not torch.allclose(others[name], value)]
    assert moved  # neither the start's weights nor the first's: it was trained


def test_questions_are_shown_and_nothing_is_written(kgqa: Kgqa, small_films: SmallFilms, tmp_path: Path) -> None:
    words = ("adapt", "--store", small_films.store, "--number", "200")
    done = kgqa(*words, "--show", "7")
    lines = done.succeeded().splitlines()
    assert "was trained on a graph of this schema" not in done.err  # the films that ship have more relations
    own = kgqa(*words, "--show", "7", "--init-from", small_films.run)
    assert own.err == f"{small_films.run}: was trained on a graph of this schema; made questions may make it worse\n"
    assert len(lines) == 7
    assert all(re.fullmatch(r".*\[.+\].*\t.+", line) for line in lines)
    assert own.out.splitlines() == lines  # they are the graph's and the seed's, whichever reader is to learn them
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_leaves_nothing(small_films: SmallFilms, tmp_path: Path) -> None:
    process = started(tmp_path, "adapt", "--store", small_films.store, "--out", "runs/made", *QUICK, "--steps", "2000")
    assert process.stderr
    for line in process.stderr:
        if line.startswith("step 100/"):
            process.send_signal(signal.SIGINT)
            break
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert err.endswith("stopped; run the same command to start again\n")
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--out", "made", "--store", "sqlite:///gone.db"), "gone.db: there is no store"),
        (("--out", "made", "--questions", "gone.tsv"), "gone.tsv: can't read the questions"),
        (("--out", "made", "--questions", "bad.tsv"), "bad.tsv:1: no answers"),
        (("--out", "made", "--questions", "strange.tsv"), "strange.tsv: no question has a topic and an answer"),
        (("--out", "bad.tsv"), "--out bad.tsv: there is something here already"),
        (("--out", "made", "--init-from", "gone"), "gone: no checkpoint here"),
        (("--out", "made", "--init-from", "gone", "--new"), "--new and --init-from say two things"),
        (("--out", "made", "--way-steps", "5"), "--way-steps takes more time than --minutes says"),
        (("--out", "made", "--runs", "2"), "--runs takes more time than --minutes says"),
        (("--out", "made", "--schema", "gone.yaml"), "gone.yaml: can't read the schema"),
        (("--out", "made", "--device", "nonsense"), "no such device"),
        ((), "Use --out, or --show 20"),
        (("--out", "made", "--show", "3"), "Use --out, or --show 20"),
    ],
)
def test_what_is_wrong_is_said_and_leaves_nothing(
    kgqa: Kgqa, small_films: SmallFilms, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    (tmp_path / "bad.tsv").write_text("who directed [Heat]\n", "utf-8")
    (tmp_path / "strange.tsv").write_text("who directed [Nobody's Film]\tNobody\n", "utf-8")
    store = () if "--store" in words else ("--store", small_films.store)
    kgqa("adapt", *store, *words).failed_after_lines(said)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.tsv", "strange.tsv"]


@pytest.mark.parametrize(
    ("facts", "said"), [("a\tlikes\tb\n", "too few ways to ask for"), ("", "the graph has no relations")]
)
def test_too_small_a_graph_is_refused(kgqa: Kgqa, tmp_path: Path, facts: str, said: str) -> None:
    (tmp_path / "facts.tsv").write_text("a\tlikes\tb\n", "utf-8")
    kgqa("ingest", "facts.tsv", "--store", "sqlite:///g.db").succeeded()
    if not facts:
        kgqa("loads", "undo", "2", "--store", "sqlite:///g.db", "--yes").succeeded()
    kgqa("adapt", "--store", "sqlite:///g.db", "--show", "3").failed(said)
