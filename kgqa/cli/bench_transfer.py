"""``kgqa bench transfer``"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graph_schema import InputError
from kgqa.cli import common
from kgqa.cli.bench_sets import DataOption, RowsOption, about_split, show, split_name, with_questions
from kgqa.cli.graph_files import drawn
from kgqa.cli.train import TrainingBar
from kgqa.data.graph import Walker
from kgqa.data.leakage import Split
from kgqa.data.sets import QuestionSet, open_set

if TYPE_CHECKING:
    from kgqa.config import Settings
    from kgqa.evaluation.record import Row
    from kgqa.evaluation.transfer import Transfer
    from kgqa.model.checkpoint import Checkpoint
    from kgqa.model.encoder import Encoder


def command(
    file: Annotated[Path, typer.Argument(help="The few-shot experiment (YAML).")],
    data: DataOption,
    out: Annotated[Path, typer.Option("--out", help="Directory for the runs, gone on with if found there.")] = Path(
        "runs"
    ),
    rows: RowsOption = None,
    encoder: common.EncoderOption = None,
    device: common.DeviceOption = None,
    threads: common.ThreadsOption = None,
    config: common.ConfigOption = None,
) -> None:
    """Train on some sets, then on a few questions of another, and measure there; beside the few questions alone.

    Example: [bold]kgqa bench transfer benchmarks/experiments/transfer/pq-2h.yaml --data DATA[/]
    """
    chosen = common.settings(config, encoder=encoder, device=device, threads=threads)
    from kgqa.evaluation.figures import over_seeds  # noqa: PLC0415  slow to import
    from kgqa.evaluation.record import append  # noqa: PLC0415  as above
    from kgqa.evaluation.transfer import Transfer  # noqa: PLC0415  as above

    wanted = Transfer.load(file)
    curve = _Curve(wanted, file.stem, data, out / file.stem, chosen, common.encoder(chosen))
    figures: list[Row] = []
    for seed in wanted.seeds:
        for shown in curve.rows(seed):
            if rows:
                append(rows, shown)
            show(shown)
            figures += shown
    if len(wanted.seeds) > 1:
        together = over_seeds(figures)
        if rows:
            append(rows, together)
        show(together)


class _Curve:
    """One few-shot curve; graphs are loaded once for all seeds."""

    def __init__(self, wanted: Transfer, name: str, data: Path, out: Path, chosen: Settings, encoder: Encoder) -> None:
        self.wanted, self.name, self.out, self.chosen, self.encoder = wanted, name, out, chosen, encoder
        self.target = open_set(wanted.target, data)
        self.walker = Walker(self.target.graph())
        self.sources: list[tuple[QuestionSet, Walker]] = []
        for source in wanted.sources:
            opened = open_set(source.set, data)
            self.sources.append((opened, Walker(opened.graph())))

    def rows(self, seed: int) -> Iterator[list[Row]]:
        """For each number of shots, with the sources and without, the rows of one seed."""
        from kgqa.evaluation.transfer import ALONE, FROM_SOURCES  # noqa: PLC0415  slow to import

        split = self.target.split(self.wanted.by, seed, self.walker)
        with_questions(self.target, split, "train", self.wanted.split)
        pool = drawn(list(split.train), None, seed)
        if len(pool) < self.wanted.shots[-1]:
            raise InputError(f"{self.target.name} has only {len(pool):,} training questions", where=self.name)
        first = self._sources(seed)
        for shots in self.wanted.shots:
            for variant, start in ((FROM_SOURCES, first), (ALONE, None)):
                if shots:
                    checkpoint = self._tuned(split, pool[:shots], seed, start)
                elif start is not None:
                    checkpoint = start
                else:
                    continue
                yield self._measured(checkpoint, split, seed, variant=variant, shots=shots)

    def _sources(self, seed: int) -> Checkpoint:
        """The reader of the sources."""
        from kgqa.training.graphs import GraphQuestions  # noqa: PLC0415  slow to import
        from kgqa.training.session import train_graphs  # noqa: PLC0415  as above

        graphs, about = [], []
        for source, (opened, walker) in zip(self.wanted.sources, self.sources, strict=True):
            split = with_questions(opened, opened.split(source.by, seed, walker), "train", "dev")
            training = drawn(list(split.train), source.questions, seed)
            graphs.append(GraphQuestions(split.training_graph(walker.snapshot), training, split.dev))
            about.append(about_split(opened, source.by, seed))
        with TrainingBar() as bar:
            bar.say(f"{', '.join(opened.name for opened, _ in self.sources)}, seed {seed}")
            return train_graphs(
                self.wanted.config("train", seed),
                self.encoder,
                graphs,
                self.out / f"sources-{seed}",
                device=self.chosen.device,
                about={"sets": about},
                progress=bar,
            )

    def _tuned(self, split: Split, shots: list[Any], seed: int, start: Checkpoint | None) -> Checkpoint:
        """The reader after the shots, beginning with another or with nothing."""
        from kgqa.training.session import train  # noqa: PLC0415  slow to import

        stage = "alone" if start is None else "tune"
        with TrainingBar() as bar:
            bar.say(f"{self.target.name}, {len(shots)} questions, {stage}, seed {seed}")
            return train(
                self.wanted.config(stage, seed),
                self.encoder,
                split.training_graph(self.walker.snapshot),
                shots,
                shots,
                self.out / f"{stage}-{len(shots)}-{seed}",
                device=self.chosen.device,
                about=about_split(self.target, self.wanted.by, seed),
                start=start,
                progress=bar,
            )

    def _measured(self, checkpoint: Checkpoint, split: Split, seed: int, **about: Any) -> list[Row]:
        from kgqa.answering import Answerer  # noqa: PLC0415  slow to import
        from kgqa.evaluation.measure import measure  # noqa: PLC0415  as above
        from kgqa.evaluation.record import Recorder  # noqa: PLC0415  as above

        wanted = self.wanted
        config = {"experiment": self.name, "split": split_name(self.target, wanted.by), **about}
        recorder = Recorder(wanted.split, seed, self.chosen.device, config)
        answerer = Answerer(self.walker.snapshot, checkpoint, self.encoder, any_schema=True)
        questions = split.part(wanted.split)
        found = measure(self.target.name, answerer, questions, self.walker, recorder, seed=seed)
        seconds = float(checkpoint.config.trained["seconds"])
        return [
            *found.rows,
            recorder.row(self.target.name, "train_seconds", seconds, checkpoint.config.trained["questions"]),
        ]
