"""``kgqa ask`` with a trained reader: what it prints, and what it refuses."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from graph_schema import Fact
from tests.command import Kgqa
from tests.reader import SmallFilms, small_graph


@pytest.fixture(scope="module")
def directed() -> Fact:
    """A film with one director."""
    facts = [fact for fact in small_graph() if fact.relation == "directed_by"]
    films = [fact.head for fact in facts]
    return next(fact for fact in facts if films.count(fact.head) == 1 and len(fact.head.split()) > 1)


def asked(kgqa: Kgqa, films: SmallFilms, *words: object) -> Any:
    return kgqa("ask", *words, "--store", films.store, "--checkpoint", films.run)


def test_an_answer_with_its_evidence(kgqa: Kgqa, small_films: SmallFilms, directed: Fact) -> None:
    question = f"who directed [{directed.head}]?"
    out = asked(kgqa, small_films, question).succeeded()
    lines = out.splitlines()
    assert lines[0] == question
    assert lines[1].startswith(f"  {directed.tail}  ")
    assert lines[2] == f"      {directed.head} -directed_by-> {directed.tail}"
    assert lines[-1].split("(")[0].strip().endswith(" ms")
    for stage in ("linking", "retrieval", "encoder", "reading", "evidence"):
        assert stage in lines[-1]


def test_free_text_and_brackets_agree(kgqa: Kgqa, small_films: SmallFilms, directed: Fact) -> None:
    answers = []
    for name in (f"[{directed.head}]", directed.head, directed.head.lower()):
        found = json.loads(asked(kgqa, small_films, f"who directed {name}?", "--json").succeeded())
        answers.append([answer["name"] for answer in found["answers"]])
    assert answers == [[directed.tail]] * 3


def test_json(kgqa: Kgqa, small_films: SmallFilms, directed: Fact) -> None:
    found = json.loads(asked(kgqa, small_films, f"who directed [{directed.head}]?", "--json").succeeded())
    assert found["topics"][0]["text"] == directed.head
    (answer,) = found["answers"]
    assert answer["id"] == directed.tail
    assert 0.5 <= answer["score"] <= 1
    (path,) = answer["evidence"]
    assert path["holds"] is True
    (step,) = path["steps"]
    assert (step["head"], step["relation"], step["tail"], step["inverse"]) == (
        directed.head,
        "directed_by",
        directed.tail,
        False,
    )
    assert found["touched"]["edges"] >= 1
    assert found["trace"] == []
    assert sum(found["seconds"].values()) > 0


def test_explain_shows_the_hops_from_each_topic(kgqa: Kgqa, small_films: SmallFilms, directed: Fact) -> None:
    question = f"which films directed by [{directed.tail}] is [{directed.head}]"
    out = asked(kgqa, small_films, question, "--explain").succeeded()
    assert f"from {directed.tail}:\n" in out
    assert f"from {directed.head}:\n" in out
    assert out.count("hop 1: ") == 2
    (said,) = map(json.loads, asked(kgqa, small_films, question, "--explain", "--json").succeeded().splitlines())
    assert {(hop["topic"], hop["hop"]) for hop in said["trace"]} >= {(directed.tail, 1), (directed.head, 1)}
    assert all(hop["relations"] for hop in said["trace"])


def test_explain_shows_hops_relations_and_weights(kgqa: Kgqa, small_films: SmallFilms, directed: Fact) -> None:
    out = asked(kgqa, small_films, f"who directed [{directed.head}]?", "--explain").succeeded()
    assert "  hop 1: the last one with probability " in out
    assert "      words: " in out
    assert "      relations: directed_by " in out
    assert "  fusion weights: question " in out
    assert re.search(r"^      path -?\d+\.\d\d \+ slots -?\d+\.\d\d \+ question -?\d+\.\d\d$", out, re.MULTILINE)
    assert "  asked for is what has: " in out
    assert f"  {directed.head} directed_by {directed.tail}: {small_films.facts}:{line_of(small_films, directed)}" in out


def test_json_says_where_each_fact_comes_from(kgqa: Kgqa, small_films: SmallFilms, directed: Fact) -> None:
    found = json.loads(asked(kgqa, small_films, f"who directed [{directed.head}]?", "--json").succeeded())
    (step,) = found["answers"][0]["evidence"][0]["steps"]
    (origin,) = step["origins"]
    assert (origin["source"], origin["line"]) == (str(small_films.facts), line_of(small_films, directed))
    assert origin["load"]


def line_of(films: SmallFilms, fact: Fact) -> int:
    lines = films.facts.read_text("utf-8").splitlines()
    return lines.index(f"{fact.head}|{fact.relation}|{fact.tail}") + 1


def test_questions_from_a_file(kgqa: Kgqa, small_films: SmallFilms, directed: Fact, tmp_path: Path) -> None:
    (tmp_path / "q.txt").write_text(f"who directed [{directed.head}]\n\nwho directed [Nothing Known]\n", "utf-8")
    out = asked(kgqa, small_films, "--file", "q.txt", "--json").succeeded()
    first, second = map(json.loads, out.splitlines())
    assert [answer["name"] for answer in first["answers"]] == [directed.tail]
    assert second["answers"] == []


def test_a_question_about_nothing_in_the_graph(kgqa: Kgqa, small_films: SmallFilms) -> None:
    out = asked(kgqa, small_films, "why is grass green?").succeeded()
    assert "The graph doesn't know." in out
    assert "No name in the question is in the graph." in out


def test_an_unknown_name_gets_suggestions(kgqa: Kgqa, small_films: SmallFilms, directed: Fact) -> None:
    out = asked(kgqa, small_films, f"who directed [{directed.head}x]?").succeeded()
    assert f'"{directed.head}x" is not a name in the graph.' in out
    assert f"Did you mean {directed.head}" in out


def test_a_graph_that_has_changed_is_asked_as_it_is(
    kgqa: Kgqa, small_films: SmallFilms, directed: Fact, tmp_path: Path
) -> None:
    (tmp_path / "new.txt").write_text(f"A Film Never Seen|directed_by|{directed.tail}\n", "utf-8")
    kgqa("ingest", small_films.facts, tmp_path / "new.txt", "--store", "sqlite:///more.db").succeeded()
    words = ("--store", "sqlite:///more.db", "--checkpoint", small_films.run, "--json")
    done = kgqa("ask", "who directed a film never seen?", *words)
    assert [answer["name"] for answer in json.loads(done.succeeded())["answers"]] == [directed.tail]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("",), "the question is empty"),
        (("  \n",), "the question is empty"),
        (("word " * 10_000,), "the question is too long: 50,000 characters"),
        ((), "give one question, or --file"),
        (("who", "--file", "q.txt"), "give one question, or --file"),
        (("--file", "gone.txt"), "gone.txt: can't read the questions: No such file"),
        (("--file", "."), ".: can't read the questions: Is a directory"),
    ],
)
def test_what_cannot_be_asked(kgqa: Kgqa, words: tuple[str, ...], said: str) -> None:
    """Before store, checkpoint or encoder are looked at."""
    kgqa("ask", *words).failed(said)


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "no questions in the file"), (b"caf\xe9\n", "not UTF-8 text"), (b"who\n[]\n", "brackets")],
)
def test_files_of_questions_that_cannot_be_asked(kgqa: Kgqa, tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "q.txt").write_bytes(content)
    kgqa("ask", "--file", "q.txt").failed(said)


def test_more_tokens_than_are_read(kgqa: Kgqa, small_films: SmallFilms, directed: Fact) -> None:
    question = f"who directed [{directed.head}] " + "a " * 300
    asked(kgqa, small_films, question).failed("the question is too long: ", "tokens, at most 192")


def test_no_such_device(kgqa: Kgqa, small_films: SmallFilms) -> None:
    asked(kgqa, small_films, "who", "--device", "nonsense").failed("--device nonsense: no such device", "Use cpu")
    if not torch.cuda.is_available():
        asked(kgqa, small_films, "who", "--device", "cuda").failed("--device cuda: no such device", "Use cpu")


@pytest.mark.parametrize("name", ["./gone", "/gone/model", "~gone/model"])
def test_no_such_encoder(kgqa: Kgqa, small_films: SmallFilms, name: str) -> None:
    asked(kgqa, small_films, "who", "--encoder", name).failed(f"{name}: there is no such directory")


def test_a_directory_that_is_no_encoder(kgqa: Kgqa, small_films: SmallFilms, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}", "utf-8")
    asked(kgqa, small_films, "who", "--encoder", tmp_path).failed("the text encoder can't be loaded")


def test_a_checkpoint_of_another_schema_is_refused_with_both_named(
    kgqa: Kgqa, small_films: SmallFilms, tmp_path: Path
) -> None:
    (tmp_path / "facts").write_text("a|likes|b\n", "utf-8")
    kgqa("ingest", "facts", "--store", "sqlite:///other.db").succeeded()
    words = ("ask", "who likes [b]", "--store", "sqlite:///other.db", "--checkpoint", small_films.run)
    done = kgqa(*words)
    done.failed(
        f"{small_films.run}: the checkpoint belongs to the schema ", "the store has the schema ", "--any-schema"
    )
    assert small_films.checkpoint.config.schema_fingerprint in done.err
    assert "who likes [b]" in kgqa(*words, "--any-schema").succeeded()
    general = json.loads(kgqa(*words[:-2], "--json").succeeded())  # the one that ships for any graph isn't refused
    assert [answer["name"] for answer in general["answers"]] == ["a"]


def test_a_schema_that_says_a_relation_in_other_words_is_another_schema(
    kgqa: Kgqa, small_films: SmallFilms, tmp_path: Path
) -> None:
    (tmp_path / "said.yaml").write_text("relations: {directed_by: {words: made by}}\n", "utf-8")
    store = ("--store", "sqlite:///said.db")
    kgqa("ingest", small_films.facts, "--schema", "said.yaml", *store).succeeded()
    kgqa("ask", "who", "--checkpoint", small_films.run, *store).failed("the checkpoint belongs to the schema ")


def broken_checkpoints(whole: Path, folder: Path) -> dict[str, str]:
    """Makes directories that are no checkpoints; what is said of each."""

    def copy(name: str) -> Path:
        shutil.copytree(whole, folder / name)
        return folder / name

    config = json.loads((whole / "config.json").read_text("utf-8"))
    (folder / "empty").mkdir()
    (folder / "file").write_text("x", "utf-8")
    (copy("weightless") / "model.safetensors").unlink()
    (copy("configless") / "config.json").unlink()
    cut = copy("truncated") / "model.safetensors"
    cut.write_bytes(cut.read_bytes()[:100_000])
    (copy("hollow") / "model.safetensors").write_bytes(b"")
    (copy("unjson") / "config.json").write_text("{", "utf-8")
    (copy("list") / "config.json").write_text("[]", "utf-8")
    (copy("newer") / "config.json").write_text(json.dumps({**config, "format": 3}), "utf-8")
    (copy("unknown") / "config.json").write_text(json.dumps({**config, "colour": 1}), "utf-8")
    smaller = {**config, "model": {**config["model"], "slot_dim": 3}}
    (copy("misfit") / "config.json").write_text(json.dumps(smaller), "utf-8")
    return {
        "gone": "no checkpoint here (No such file or directory: config.json)",
        "empty": "no checkpoint here (No such file or directory: config.json)",
        "file": "no checkpoint here (Not a directory: config.json)",
        "weightless": "no checkpoint here (No such file or directory: model.safetensors)",
        "configless": "no checkpoint here (No such file or directory: config.json)",
        "truncated": "model.safetensors is damaged",
        "hollow": "model.safetensors is damaged",
        "unjson": "config.json is not JSON",
        "list": "config.json: ",
        "newer": "written in format 3, this kgqa reads format 2. Update kgqa",
        "unknown": "config.json: colour: ",
        "misfit": "model.safetensors is damaged or doesn't fit config.json (Error(s) in loading state_dict",
    }


def test_what_is_no_checkpoint_is_refused(kgqa: Kgqa, small_films: SmallFilms, tmp_path: Path) -> None:
    for name, said in broken_checkpoints(small_films.run, tmp_path).items():
        kgqa("ask", "who", "--store", small_films.store, "--checkpoint", name).failed(f"{name}: ", said)
