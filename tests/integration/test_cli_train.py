"""``kgqa train``: from questions to a checkpoint that answers; an interrupt and going on; what is refused."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
import torch

from tests.command import Done, Kgqa, started
from tests.reader import SmallFilms, small_graph

SMALL = (
    *("--set", "batch_size=8", "--set", "warmup=5", "--set", "evaluate_every=100", "--threads", "1"),
    *("--set", "model={state_dim: 32, relation_dim: 32, slot_dim: 8}"),
)


def trained(kgqa: Kgqa, films: SmallFilms, *words: object) -> Done:
    return kgqa("train", films.questions, "--store", films.store, *SMALL, *words)


def test_ctrl_c_and_the_same_command_goes_on(kgqa: Kgqa, small_films: SmallFilms, tmp_path: Path) -> None:
    words = ("train", small_films.questions, "--store", small_films.store, "--out", "run", *SMALL, "--set", "steps=250")
    process = started(tmp_path, *words)
    assert process.stderr
    for line in process.stderr:
        if line.startswith("step 100/250"):
            process.send_signal(signal.SIGINT)
            break
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert err.endswith("stopped; what was finished before is kept, run the same command to go on\n")
    assert "Traceback" not in err
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["state.pt", "train.json"]
    step = torch.load(tmp_path / "run/state.pt", weights_only=True)["step"]
    assert 100 <= step < 250
    # What is there is no checkpoint yet, and is said not to be.
    kgqa("ask", "who", "--store", small_films.store, "--checkpoint", "run").failed("run: no checkpoint here")
    done = kgqa(*words)
    out = done.succeeded()
    assert f"going on from step {step}\n" in done.err
    assert "step 100/250" not in done.err
    assert "step 250/250" in done.err
    assert out.startswith("run: Hits@1 ")
    assert json.loads((tmp_path / "run/config.json").read_text("utf-8"))["trained"]["settings"]["steps"] == 250
    film, director = next((f.head, f.tail) for f in small_graph() if f.relation == "directed_by")
    answer = kgqa("ask", f"who directed [{film}]", "--store", small_films.store, "--checkpoint", "run", "--json")
    assert director in [entity["name"] for entity in json.loads(answer.succeeded())["ranking"]]
    # A run that is complete is left as it is; one of other settings is refused.
    assert "going on from step 250" in kgqa(*words).err
    kgqa(*words, "--seed", "1").failed_after_lines("run: there is a run of other settings here (differing: ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--set", "stepz=3"), "--set: stepz: "),
        (
            ("--set", "model.guess=true", "--set", "model.slots=false"),
            "--set: model: Value error, guess: facts are guessed from slots, and slots is off",
        ),
        (("--set", "model.slotz=3"), "--set: model.slotz: "),
        (("--set", "steps=-1"), "--set: steps: "),
        (("--set", "steps=0"), "--set: steps: a new reader that takes no steps knows nothing"),
        (("--set", "steps=many", "--set", "clip=-1"), "; clip: "),
        (("--set", "steps"), "--set: 'steps' is not key=value"),
        (("--set", "steps=1", "--set", "steps.more=1"), "--set: "),
        (("--set", "steps=[1"), "--set: "),
        (("--store", "sqlite:///gone.db"), "gone.db: there is no store"),
        (("--device", "nonsense"), "--device nonsense: no such device"),
        (("--encoder", "./gone"), "./gone: there is no such directory"),
        (("--dev", "gone.tsv"), "gone.tsv: can't read the questions"),
    ],
)
def test_wrong_settings_leave_nothing(
    kgqa: Kgqa, small_films: SmallFilms, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    kgqa("train", small_films.questions, "--store", small_films.store, "--out", "run", *words).failed(said)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "q.tsv: no questions in the file"),
        (b"who directed [Heat]\n", "q.tsv:1: no answers"),
        (b"who directed [Heat]\tMichael Mann\n", "1 question can't be split"),
        (b"who is [x]\ty\n" * 20, "no training question has a topic and an answer that are in the graph"),
    ],
)
def test_questions_that_cannot_teach(
    kgqa: Kgqa, small_films: SmallFilms, tmp_path: Path, content: bytes, said: str
) -> None:
    (tmp_path / "q.tsv").write_bytes(content)
    kgqa("train", "q.tsv", "--store", small_films.store, "--out", "run").failed_after_lines(said)
    assert [path.name for path in tmp_path.iterdir()] == ["q.tsv"]


def test_an_output_that_is_a_file(kgqa: Kgqa, small_films: SmallFilms, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine", "utf-8")
    trained(kgqa, small_films, "--out", "run").failed("--out run: that is a file")
    assert (tmp_path / "run").read_text("utf-8") == "mine"


@pytest.mark.parametrize("file", ["state.pt", "train.json"])
@pytest.mark.parametrize("content", [b"", b"junk", b"\x80\x04junk"])
def test_a_damaged_run_is_refused(
    kgqa: Kgqa, small_films: SmallFilms, tmp_path: Path, file: str, content: bytes
) -> None:
    (tmp_path / "run").mkdir()
    for name in ("state.pt", "train.json"):
        (tmp_path / "run" / name).write_bytes((small_films.run / name).read_bytes())
    (tmp_path / "run" / file).write_bytes(content)
    trained(kgqa, small_films, "--out", "run").failed_after_lines("run: the run can't be read")


def test_several_stores_at_once_and_another_training_that_begins_with_it(
    kgqa: Kgqa, small_films: SmallFilms, tmp_path: Path
) -> None:
    (tmp_path / "towns.txt").write_text("".join(f"Person {i}|lives_in|Town {i % 3}\n" for i in range(12)), "utf-8")
    lines = "".join(f"where does [Person {i}] live\tTown {i % 3}\n" for i in range(12))
    (tmp_path / "towns.tsv").write_text(lines, "utf-8")
    kgqa("ingest", "towns.txt", "--store", "sqlite:///towns.db").succeeded()
    graphs = [
        {"store": "sqlite:///towns.db", "questions": ["towns.tsv"]},
        {"store": small_films.store, "questions": [str(small_films.questions)], "limit": 40},
    ]
    (tmp_path / "graphs.yaml").write_text(json.dumps(graphs), "utf-8")  # which is YAML too
    words = ("train", "--graphs", "graphs.yaml", "--out", "both", *SMALL, "--set", "steps=100")
    kgqa(*words).succeeded()
    trained_on = json.loads((tmp_path / "both/config.json").read_text("utf-8"))
    assert trained_on["relations"] == []
    assert trained_on["trained"]["questions"] == 40 + 11
    asked = kgqa("ask", "where does [Person 4] live", "--store", "sqlite:///towns.db", "--checkpoint", "both", "--json")
    assert [e["name"] for e in json.loads(asked.succeeded())["ranking"]][:1] == ["Town 1"]
    # It goes on from there: the model is that of the checkpoint, whatever is the default.
    on = ("train", small_films.questions, "--store", small_films.store, "--out", "on", "--set", "steps=2")
    kgqa(*on, "--init-from", "both", "--threads", "1").succeeded()
    config = json.loads((tmp_path / "on/config.json").read_text("utf-8"))
    assert config["model"] == trained_on["model"]
    assert config["trained"]["start"]["questions"] == 51
    # With no steps it is only calibrated for these questions.
    kgqa(*on[:-1], "steps=0", "--out", "same", "--init-from", "both", "--threads", "1").succeeded()
    assert (tmp_path / "same/model.safetensors").read_bytes() == (tmp_path / "both/model.safetensors").read_bytes()
    kgqa(*on, "--init-from", "both", "--set", "model.slots=false").failed_after_lines("(slots is True)")
    kgqa(*on, "--init-from", "gone").failed("gone: no checkpoint here")


@pytest.mark.parametrize(
    ("words", "content", "said"),
    [
        ((), "[]", "no files of questions. Give some, or several stores"),
        (("--graphs", "g.yaml", "--store", "sqlite:///a.db"), "[]", "--graphs: the file says where the questions are"),
        (("--graphs", "gone.yaml"), "[]", "gone.yaml: can't read the graphs"),
        (("--graphs", "g.yaml"), "[]", "g.yaml: no graphs in the file"),
        (("--graphs", "g.yaml"), "[", "g.yaml: not valid YAML"),
        (("--graphs", "g.yaml"), "[{store: a, questions: []}]", "g.yaml: 0.questions: "),
        (("--graphs", "g.yaml"), "[{store: a, question: [b]}]", "0.question: Extra inputs"),
        (("--graphs", "g.yaml"), "[{store: 'sqlite:///a.db', questions: [b.tsv]}]", "b.tsv: can't read the questions"),
    ],
)
def test_graphs_that_cant_be_trained_on(
    kgqa: Kgqa, tmp_path: Path, words: tuple[str, ...], content: str, said: str
) -> None:
    (tmp_path / "g.yaml").write_text(content, "utf-8")
    kgqa("train", "--out", "run", *words).failed(said)
    assert [path.name for path in tmp_path.iterdir()] == ["g.yaml"]


def test_teachers_and_a_student_in_one_command(kgqa: Kgqa, small_films: SmallFilms, tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text("who made [Nobody's film]\nwho directed [Nobody]\tNobody\n", "utf-8")
    files = (small_films.questions, "--store", small_films.store, "--limit", "20", "--threads", "1")
    few = ("--set", "steps=2", "--set", "model={state_dim: 16, relation_dim: 16, slot_dim: 4}")
    large = ("--teacher-set", "steps=2", "--teacher-set", "model.state_dim=32", "--teachers", "2")
    out = kgqa("distill", *files, "--out", "both", "--unlabelled", "more.txt", *few, *large).succeeded()
    assert [line.partition(":")[0] for line in out.splitlines()] == ["both/teacher-0", "both/teacher-1", "both/student"]
    student = json.loads((tmp_path / "both/student/config.json").read_text("utf-8"))
    assert (student["model"]["state_dim"], len(student["trained"]["teachers"])) == (16, 2)
    # The same from teachers that are there.
    teachers = ("--teacher", "both/teacher-0", "--teacher", "both/teacher-1")
    kgqa("train", *files, "--out", "again", *few, *teachers, "--unlabelled", "more.txt").succeeded()
    again = json.loads((tmp_path / "again/config.json").read_text("utf-8"))
    assert again["trained"]["dev"] == student["trained"]["dev"]
    kgqa("train", *files, "--out", "none", "--unlabelled", "more.txt").failed("--unlabelled: nobody answers these")
    kgqa("train", *files, "--out", "none", "--teacher", "gone").failed("gone: no checkpoint here")
