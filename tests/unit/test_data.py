"""Question files: what is read, and what is refused with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from graph_schema import InputError
from kgqa.data import Question, read_metaqa, read_questions, split_dev


def test_lines_are_question_tab_answers(tmp_path: Path) -> None:
    path = tmp_path / "q.tsv"
    path.write_bytes(
        b"\xef\xbb\xbfwho directed [Heat]\tMichael Mann\r\n\n"
        b"who starred in Heat?\tAl Pacino| Robert De Niro |Al Pacino|\n"
    )
    assert read_questions(path, "mine") == [
        Question("who directed Heat", ((13, 17),), ("Michael Mann",), "mine"),
        Question("who starred in Heat?", (), ("Al Pacino", "Robert De Niro"), "mine"),
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "q.tsv: no questions in the file"),
        (b"\n \n", "q.tsv: no questions in the file"),
        (b"who\tx\nwho directed Heat\n", "q.tsv:2: no answers. Write one question a line"),
        (b"who directed Heat\t\n", "q.tsv:1: no answers"),
        (b"who directed Heat\t | \n", "q.tsv:1: no answers"),
        (b"\tMichael Mann\n", "q.tsv:1: the question is empty"),
        (b"who directed [ ]\tMichael Mann\n", "q.tsv:1: nothing stands in the brackets"),
        (b"who " * 1000 + b"\tx\n", "q.tsv:1: the question is too long"),
        (b"caf\xe9\tx\n", "q.tsv: not UTF-8 text"),
        (b"\0\1\xff" * 100, "q.tsv: not UTF-8 text"),
    ],
)
def test_what_is_no_question_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "q.tsv"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_questions(path)
    assert said in str(caught.value)


def test_a_missing_file_and_a_directory(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_questions(tmp_path / "gone")
    with pytest.raises(InputError, match="Is a directory"):
        read_questions(tmp_path)


def test_metaqas_layout(tmp_path: Path) -> None:
    for hops in (1, 2, 3):
        (tmp_path / f"{hops}-hop/vanilla").mkdir(parents=True)
        (tmp_path / f"{hops}-hop/vanilla/qa_dev.txt").write_text(f"q{hops} [x]\ta\n", "utf-8")
    found = read_metaqa(tmp_path, "dev")
    assert [(q.plain, q.part) for q in found] == [("q1 x", "1-hop"), ("q2 x", "2-hop"), ("q3 x", "3-hop")]
    with pytest.raises(InputError, match=r"1-hop/ntm/qa_dev.txt: can't read the questions"):
        read_metaqa(tmp_path, "dev", (1,), "ntm")
    with pytest.raises(InputError, match="no such directory"):
        read_metaqa(tmp_path / "gone", "dev")


def test_a_tenth_is_held_out_by_seed() -> None:
    questions = [Question(f"q{i}", (), ("a",)) for i in range(50)]
    training, dev = split_dev(questions, 1)
    assert (len(training), len(dev)) == (45, 5)
    assert {q.plain for q in (*training, *dev)} == {q.plain for q in questions}
    assert split_dev(questions, 1) == (training, dev)
    assert split_dev(questions, 2)[1] != dev
    assert [len(part) for part in split_dev(questions[:2], 0)] == [1, 1]
    with pytest.raises(InputError, match=r"1 question can't be split.*--dev"):
        split_dev(questions[:1], 0)
