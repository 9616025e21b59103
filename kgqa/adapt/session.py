"""Training a reader on questions that were made from a graph, within a time, with a score before and after."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from graph_schema import ConfigError
from kgqa.adapt.paths import REACHED
from kgqa.adapt.questions import Made, check_graph, held_out, make_questions
from kgqa.adapt.synonyms import likely_kinds, synonyms
from kgqa.answering import Answerer, checkpoint_for
from kgqa.data import Question
from kgqa.evaluation.accuracy import evaluate
from kgqa.model.checkpoint import CONFIG, START, WEIGHTS, Checkpoint, load_checkpoint, shipped
from kgqa.model.encoder import Encoder
from kgqa.stores.snapshot import Snapshot
from kgqa.training.config import TrainConfig
from kgqa.training.session import check_encoder, check_start, train
from kgqa.training.soup import averaged
from kgqa.training.trainer import Progress

PROBE, PROBE_DEV, PROBE_STEPS = 256, 64, 10  # questions and steps by which a machine's speed is told
FEWEST, MOST = 40, 3000  # steps
LOOKS = 4
APART = 1000  # of the seeds of several readers
BUDGET = (
    REACHED  # facts that a question may expand at one hop, while it is trained on or scored: its path takes no more
)
SPARE = 0.7  # of the time that is left once all is ready, for steps: what remains is for the dev looks
WAYS = 0.4  # of that, for steps on ways, which come first
MOST_WAYS = 700
SETTINGS = {
    "dev_questions": 400,
    "mention_questions": 1000,
    "steps_weight": 0.5,
    "budget_edges": BUDGET,
    "explore_edges": BUDGET // 2,
}


@dataclass(frozen=True, slots=True)
class Score:
    """Means over the questions of one part, in [0, 1]."""

    part: str
    questions: int
    hits_at_1: float
    f1: float


@dataclass(frozen=True)
class Adapted:
    """The reader as it is now, and how good it was and is on the held-out questions; the last of each is over all."""

    checkpoint: Checkpoint
    before: list[Score]
    after: list[Score]


def adapt(
    config: TrainConfig,
    encoder: Encoder,
    snapshot: Snapshot,
    made: Sequence[Made],
    other: Checkpoint,
    out: Path,
    *,
    start: Checkpoint | None = None,
    seconds: float | None,
    began: float,
    device: str = "cpu",
    say: Callable[[str], None] = lambda _: None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Adapted:
    """Train a reader, and put the checkpoint at ``out`` once it is whole; an interrupt leaves nothing there.

    Args:
        config: settings; ``steps`` are those that ``seconds`` have room for, unless these are None.
        made: questions, or several times others; a reader is trained on each, with a seed of its own, and the mean of
            their weights is kept (see ``kgqa.training.soup``). It is calibrated and scored on the first ones.
        other: the reader whose score is that of before. start: one to begin with; without it, a new one is trained.
        began: what ``time.monotonic`` said when the seconds began.

    Raises:
        ConfigError: there is something at ``out``. CheckpointError, InputError: see ``train_graphs``.
    """
    check_free(out)
    if start is not None:
        check_start(start, config, encoder)
    check_encoder(other, encoder)
    say(f"asking the reader {len(made[0].score):,} held-out questions as it is")
    asked = time.monotonic()
    before = scores(other, encoder, snapshot, made[0].score)
    asking = time.monotonic() - asked
    with _parents_of(out), TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as scratch:
        room: Callable[[], dict[str, int]] | None = None
        if seconds is not None:
            say("seeing how fast this machine is")
            pace = _pace(config, encoder, snapshot, made[0], start, Path(scratch) / "pace", device)
            until = began + seconds - asking  # the held-out questions are asked again at the end

            def in_time() -> dict[str, int]:
                steps = pace.steps_in(SPARE * (until - time.monotonic()))
                return {**steps, "evaluate_every": _between_looks(steps["steps"], LOOKS)}

            # As if all questions were encoded already; asked again when they are.
            config, room = config.model_copy(update=in_time()), in_time
        looks = LOOKS if len(made) == 1 else 1  # of several, none is chosen: the mean is of all of them as they ended
        config = config.model_copy(update={"evaluate_every": _between_looks(config.steps, looks)})
        about = {"made": "questions from the graph itself", "held_out_before": before[-1].hits_at_1}
        more: dict[str, Any] = {"device": device, "about": about, "say": say, "progress": progress}
        readers = []
        for number, some in enumerate(made):
            run = Path(scratch) / f"run-{number}"
            if len(made) > 1:
                say(f"reader {number + 1} of {len(made)}")
            own = config.model_copy(update={"seed": config.seed + APART * number})
            readers.append(train(own, encoder, snapshot, some.train, some.choose, run, start=start, room=room, **more))
        trained = readers[0]
        if len(made) > 1:
            say("taking the mean of their weights")
            run, about["readers"] = Path(scratch) / "mean", len(made)
            once = config.model_copy(update={"steps": 0, "way_steps": 0})
            one = made[0]
            trained = train(once, encoder, snapshot, one.train, one.choose, run, start=averaged(readers), **more)
        say("asking the held-out questions again")
        after = scores(trained, encoder, snapshot, made[0].score)
        ready = Path(scratch) / "checkpoint"
        ready.mkdir()
        for name in (WEIGHTS, CONFIG):
            shutil.copyfile(run / name, ready / name)
        ready.replace(out)  # whole or not at all; an empty directory may be in its place
    return Adapted(load_checkpoint(out, device), before, after)


def adapted(
    snapshot: Snapshot,
    encoder: Encoder,
    out: Path,
    *,
    number: int,
    steps: int,
    way_steps: int,
    runs: int,
    seed: int,
    device: str = "cpu",
    say: Callable[[str], None] = lambda _: None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Checkpoint:
    """The reader that ships, adapted to a graph of which nobody has asked anything; one that is at ``out`` is taken.

    Args:
        number: questions that are made, about. runs: readers, whose mean is kept. Else see ``adapt``.

    Raises:
        ConfigError: what is at ``out`` is none, or of a graph of other relations. InputError: see ``check_graph``.
    """
    if out.is_dir() and any(out.iterdir()):
        found = load_checkpoint(out, device)
        if tuple(found.config.relations) != tuple(snapshot.relations()):
            raise ConfigError("this reader was adapted to another graph", where=str(out), fix="Take another --out")
        return found
    check_graph(snapshot)
    start = load_checkpoint(shipped(START), device)
    near = synonyms(encoder, snapshot.schema(), snapshot.relations())
    kinds = likely_kinds(encoder, snapshot.schema(), snapshot.relations())
    hops = start.config.model.max_hops
    say(f"making {runs * number:,} questions")
    made = [make_questions(snapshot, number, seed + APART * run, hops, near, kinds) for run in range(runs)]
    config = TrainConfig.model_validate(
        {"model": start.config.model, "seed": seed, "steps": steps, "way_steps": way_steps, **SETTINGS}
    )
    return adapt(
        config,
        encoder,
        snapshot,
        [held_out(some, seed) for some in made],
        checkpoint_for(snapshot, None, device),
        out,
        start=start,
        seconds=None,
        began=time.monotonic(),
        device=device,
        say=say,
        progress=progress,
    ).checkpoint


def _between_looks(steps: int, looks: int) -> int:
    return max(1, -(-steps // looks))


@contextmanager
def _parents_of(out: Path) -> Iterator[None]:
    """The directories that ``out`` is to lie in; those that were made for it are gone again if nothing is put there."""
    new = [parent for parent in out.parents if not parent.exists()]
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        with suppress(OSError):  # somebody else has put something into one
            for parent in new:
                parent.rmdir()
        raise


def check_free(out: Path) -> None:
    """Raises:
    ConfigError: there is a file, or a directory with something in it.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError("there is something here already", where=f"--out {out}", fix="Give another place")


def scores(checkpoint: Checkpoint, encoder: Encoder, snapshot: Snapshot, questions: Sequence[Question]) -> list[Score]:
    """How good a reader is on questions: by part, and over all."""
    found = evaluate(Answerer(snapshot, checkpoint, encoder, BUDGET, any_schema=True), questions, snapshot)
    parts = dict(sorted(found.parts().items()))
    every = torch.ones(len(questions), dtype=torch.bool)
    means = {name: (chosen, found.scores.means(chosen)) for name, chosen in {**parts, "all": every}.items()}
    return [Score(name, int(chosen.sum()), mean["hits_at_1"], mean["f1"]) for name, (chosen, mean) in means.items()]


@dataclass(frozen=True, slots=True)
class _Pace:
    """Seconds that a step takes, and a step on ways, about."""

    step: float
    way_step: float

    def steps_in(self, seconds: float) -> dict[str, int]:
        """How many of both there is time for."""
        ways = int(max(0, min(MOST_WAYS, WAYS * seconds / self.way_step)))
        steps = int(max(FEWEST, min(MOST, (seconds - ways * self.way_step) / self.step)))
        return {"way_steps": ways, "steps": steps}


def _pace(
    config: TrainConfig,
    encoder: Encoder,
    snapshot: Snapshot,
    made: Made,
    start: Checkpoint | None,
    run: Path,
    device: str,
) -> _Pace:
    """How fast this machine is."""
    times: list[float] = [time.monotonic()]
    some = made.train[:PROBE]
    short = config.model_copy(update={"steps": PROBE_STEPS, "way_steps": PROBE_STEPS, "evaluate_every": PROBE_STEPS})
    train(
        short,
        encoder,
        snapshot,
        some,
        made.choose[:PROBE_DEV],
        run,
        device=device,
        start=start,
        progress=lambda _: times.append(time.monotonic()),
    )
    # The first step waits for the encoder, the last one for the dev questions; where no way is known, there are none.
    ways = len(times) - 1 - PROBE_STEPS
    way = (times[ways] - times[1]) / (ways - 1) if ways else 1.0
    each = (times[-2] - times[ways + 1]) / (PROBE_STEPS - 2)
    return _Pace(max(each, 1e-3), max(way, 1e-3))
