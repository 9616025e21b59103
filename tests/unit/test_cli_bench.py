"""``kgqa bench``: what is wrong with data or experiment is said in one line, and nothing is left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command import Kgqa

QUESTION = "who directed [Heat]\tMichael Mann\n"


def layout(folder: Path, *splits: str) -> None:
    """A directory of MetaQA's layout with one question for each number of hops, and without facts."""
    for hops in (1, 2, 3):
        (folder / f"{hops}-hop/vanilla").mkdir(parents=True)
        for split in splits:
            (folder / f"{hops}-hop/vanilla/qa_{split}.txt").write_text(QUESTION, "utf-8")


@pytest.mark.parametrize("words", [("metaqa",), ("experiment", "small.yaml")])
def test_data_that_is_not_there(kgqa: Kgqa, tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "small.yaml").write_text("{set: metaqa, questions: 1, split: dev, seeds: [0]}", "utf-8")
    kgqa("bench", *words, "--data", "gone").failed("gone: no such directory")
    kgqa("bench", *words, "--data", "small.yaml").failed("small.yaml: no such directory")
    (tmp_path / "empty").mkdir()
    kgqa("bench", *words, "--data", "empty").failed("1-hop/vanilla/qa_", "can't read the questions: No such file")
    assert {path.name for path in tmp_path.iterdir()} == {"small.yaml", "empty"}


def test_a_split_or_kind_that_there_is_not(kgqa: Kgqa, tmp_path: Path) -> None:
    layout(tmp_path / "set", "dev")
    kgqa("bench", "metaqa", "--data", "set", "--split", "tset").failed("qa_tset.txt: can't read the questions")
    kgqa("bench", "metaqa", "--data", "set", "--kind", "audio").failed("audio/qa_dev.txt: can't read the questions")


def test_questions_without_their_facts(kgqa: Kgqa, tmp_path: Path) -> None:
    layout(tmp_path / "set", "dev")
    kgqa("bench", "metaqa", "--data", "set", "--json", "rows.jsonl").failed("kb.txt: no such file")
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_bad_questions_are_named_by_line(kgqa: Kgqa, tmp_path: Path) -> None:
    layout(tmp_path / "set", "dev")
    (tmp_path / "set/1-hop/vanilla/qa_dev.txt").write_text(f"{QUESTION}who wrote [Heat]\n", "utf-8")
    kgqa("bench", "metaqa", "--data", "set").failed("qa_dev.txt:2: no answers")
    (tmp_path / "set/1-hop/vanilla/qa_dev.txt").write_bytes(b"caf\xe9\tx\n")
    kgqa("bench", "metaqa", "--data", "set").failed("qa_dev.txt: not UTF-8 text")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "x.yaml: "),
        (b"set: [", "x.yaml: not valid YAML"),
        (b"\xff\xfe\x00", "x.yaml: not valid YAML"),
        (b"{set: metaqa, questions: 1, split: dev, seeds: [0], colour: red}", "x.yaml: colour: "),
    ],
)
def test_what_is_no_experiment(kgqa: Kgqa, tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "x.yaml").write_bytes(content)
    kgqa("bench", "experiment", "x.yaml", "--data", ".").failed(said)
    kgqa("bench", "experiment", "gone.yaml", "--data", ".").failed("gone.yaml: can't read the experiment: No such file")
    kgqa("bench", "experiment", ".", "--data", ".").failed("can't read the experiment: Is a directory")
