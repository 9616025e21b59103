"""``kgqa bench``"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from graph_schema import KgqaError
from kgqa.cli import common
from kgqa.cli.train import TrainingBar, drawn
from kgqa.data import read_metaqa
from kgqa.stores import without_password
from kgqa.stores.snapshot import Snapshot

if TYPE_CHECKING:
    from kgqa.evaluation.record import Row

app = typer.Typer(help="Measure accuracy and speed on a question set.", no_args_is_help=True)

DataOption = Annotated[Path, typer.Option("--data", help="Directory of the set, in its official layout.")]
RowsOption = Annotated[Path | None, typer.Option("--json", help="Append the figures to this file, one object a line.")]


@app.command("metaqa")
def metaqa(
    data: DataOption,
    split: Annotated[str, typer.Option("--split", help="dev or test.")] = "dev",
    brackets: Annotated[
        bool, typer.Option("--brackets/--free-text", help="Topics as marked in the questions, or found in the text.")
    ] = True,
    kind: Annotated[str, typer.Option("--kind", help="vanilla, or ntm (paraphrases, 1 hop only).")] = "vanilla",
    rows: RowsOption = None,
    seed: Annotated[int, typer.Option("--seed", help="Draws the questions that speed is measured on.")] = 0,
    singles: Annotated[int, typer.Option("--singles", min=0, help="Questions asked one by one; 0: no speed.")] = 300,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Questions in a batch.")] = 128,
    store: Annotated[
        str | None, typer.Option("--store", help="A store that holds the set's facts; a scratch one if not given.")
    ] = None,
    user: common.UserOption = None,
    password: common.PasswordOption = None,
    checkpoint: common.CheckpointOption = None,
    encoder: common.EncoderOption = None,
    device: common.DeviceOption = None,
    threads: common.ThreadsOption = None,
    any_schema: common.AnySchemaOption = None,
    config: common.ConfigOption = None,
) -> None:
    """MetaQA, every question: Hits@1 and whole answer sets by hops; latency, throughput, memory.

    Example: [bold]kgqa bench metaqa --data MetaQA --json results.jsonl[/]
    """
    chosen = common.settings(
        config,
        store=store,
        user=user,
        password=password,
        checkpoint=checkpoint,
        encoder=encoder,
        device=device,
        threads=threads,
        any_schema=any_schema,
    )
    questions = list(read_metaqa(data, split, (1,) if kind == "ntm" else (1, 2, 3), kind))
    from kgqa.evaluation import metaqa as bench  # noqa: PLC0415  slow to import
    from kgqa.evaluation.record import Recorder, append  # noqa: PLC0415  as above

    about = {"store": without_password(store).partition(":")[0] if store else "sqlite", "kind": kind}
    recorder = Recorder(split, seed, chosen.device, about)
    figures: list[Row] = []
    with ExitStack() as stack:
        if store is None:
            opened, loaded = stack.enter_context(bench.scratch_store(data, recorder))
            figures.append(loaded)
        else:
            opened = stack.enter_context(common.opened(chosen))
        snapshot, built = bench.build(opened, recorder)
        figures.append(built)
        answerer = common.answerer(chosen, opened)
        with common.errors.status(f"answering {len(questions):,} questions"):
            found = bench.accuracy(answerer, questions, snapshot, brackets=brackets)
        figures += bench.accuracy_rows(found, recorder, brackets=brackets)
        if singles:
            with common.errors.status("measuring speed"):
                figures += bench.speed_rows(
                    answerer, questions, snapshot, recorder, brackets=brackets, singles=singles, batch=batch
                )
    if rows:
        append(rows, figures)
    show(figures)


@app.command("experiment")
def experiment(
    file: Annotated[Path, typer.Argument(help="The experiment (YAML), e.g. benchmarks/experiments/metaqa.yaml.")],
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
    """Train and measure what an experiment file says; fails if a figure stays below what it expects.

    Example: [bold]kgqa bench experiment benchmarks/experiments/metaqa.yaml --data MetaQA[/]
    """
    chosen = common.settings(config, encoder=encoder, device=device, threads=threads)
    from kgqa.answering import Answerer  # noqa: PLC0415  slow to import
    from kgqa.evaluation import metaqa as bench  # noqa: PLC0415  as above
    from kgqa.evaluation.experiment import Experiment  # noqa: PLC0415  as above
    from kgqa.evaluation.record import Recorder, append  # noqa: PLC0415  as above
    from kgqa.training.session import train  # noqa: PLC0415  as above

    wanted = Experiment.load(file)
    training, dev = list(read_metaqa(data, "train")), list(read_metaqa(data, "dev"))
    measured = list(read_metaqa(data, wanted.split))
    loaded_encoder = common.encoder(chosen)
    short: list[str] = []
    with bench.scratch_store(data, Recorder(wanted.split, 0, chosen.device, {})) as (opened, _):
        snapshot = Snapshot.build(opened)
        for variant, seed in wanted.runs():
            recorder = Recorder(wanted.split, seed, chosen.device, {"experiment": file.stem, "variant": variant})
            with TrainingBar() as bar:
                bar.say(f"{variant}, seed {seed}")
                checkpoint = train(
                    wanted.config(variant, seed),
                    loaded_encoder,
                    snapshot,
                    drawn(training, wanted.questions, seed),
                    dev,
                    out / file.stem / f"{variant}-{seed}",
                    device=chosen.device,
                    about={"set": "MetaQA, reconstructed train split", "experiment": file.name},
                    progress=bar,
                )
            answerer = Answerer(opened, checkpoint, loaded_encoder)
            found = bench.accuracy(answerer, measured, snapshot, brackets=True)
            seconds = float(checkpoint.config.trained["seconds"])
            figures = [
                *bench.accuracy_rows(found, recorder, brackets=True),
                recorder.row("metaqa", "train_seconds", seconds, wanted.questions),
            ]
            if rows:
                append(rows, figures)
            show(figures)
            short += wanted.shortfalls(f"{variant}", bench.means(found))
    if short:
        raise KgqaError("; ".join(short), where=str(file))


def show(figures: Iterable[Row]) -> None:
    """The figures as a table."""
    table = Table("set", "metric", "value", "n")
    for row in figures:
        table.add_row(row.set, row.metric, f"{row.value:.4f}" if row.value < 10 else f"{row.value:,.1f}", f"{row.n:,}")
    common.out.print(table, soft_wrap=False)
