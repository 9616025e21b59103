"""``kgqa bench``"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graph_schema import KgqaError
from kgqa.cli import bench_distill, bench_table, bench_transfer, common
from kgqa.cli.bench_sets import (
    DataOption,
    RowsOption,
    SlotsOption,
    about_graph,
    about_slots,
    about_split,
    checked_part,
    kept,
    leakage,
    question_set,
    say_what_wasnt_asked,
    show,
    split_name,
    with_questions,
)
from kgqa.cli.graph_files import drawn
from kgqa.cli.train import TrainingBar
from kgqa.data import read_metaqa
from kgqa.data.graph import Walker
from kgqa.data.sets import open_set
from kgqa.stores import without_password

if TYPE_CHECKING:
    from kgqa.config import Settings
    from kgqa.data import Question
    from kgqa.evaluation.experiment import Experiment
    from kgqa.evaluation.record import Recorder, Row
    from kgqa.model.checkpoint import Checkpoint
    from kgqa.model.encoder import Encoder
    from kgqa.stores.snapshot import Snapshot

app = typer.Typer(help="Measure accuracy and speed on a question set.", no_args_is_help=True)


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
    slots: SlotsOption = None,
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
    from kgqa.evaluation.accuracy import evaluate  # noqa: PLC0415  as above
    from kgqa.evaluation.figures import accuracy_rows, speed_rows  # noqa: PLC0415  as above
    from kgqa.evaluation.record import Recorder, append  # noqa: PLC0415  as above

    about = {
        "store": without_password(store).partition(":")[0] if store else "sqlite",
        "kind": kind,
        **about_slots(slots),
    }
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
        answerer = common.answerer(chosen, opened, slots)
        with common.errors.status(f"answering {len(questions):,} questions"):
            found = evaluate(answerer, questions, snapshot, brackets=brackets)
        figures += accuracy_rows("metaqa", found, recorder, brackets=brackets)
        if singles:
            with common.errors.status("measuring speed"):
                figures += speed_rows(
                    "metaqa", answerer, questions, snapshot, recorder, brackets=brackets, singles=singles, batch=batch
                )
    if rows:
        append(rows, figures)
    show(figures)


def _start(
    wanted: Experiment, graph: Snapshot, encoder: Encoder, out: Path, seed: int, chosen: Settings, bar: TrainingBar
) -> Checkpoint | None:
    """What a training of an experiment begins with; None: nothing."""
    from kgqa.adapt.session import adapted  # noqa: PLC0415  slow to import
    from kgqa.model.checkpoint import load_checkpoint, shipped  # noqa: PLC0415  as above

    if wanted.adapt:
        settings = wanted.adapt.model_dump()
        return adapted(graph, encoder, out, **settings, seed=seed, device=chosen.device, say=bar.say, progress=bar)
    return load_checkpoint(shipped(wanted.start), chosen.device) if wanted.start else None


def _told(
    wanted: Experiment,
    name: str,
    whole: Walker,
    walker: Walker,
    questions: Sequence[Question],
    recorder: Recorder,
    encoder: Encoder,
) -> tuple[Snapshot, Walker, list[Row]]:
    """The graphs of training and of asking, with what training questions tell, and how true that is."""
    if not wanted.told:
        return walker.snapshot, walker, []
    from kgqa.evaluation.told import told_graphs, told_rows  # noqa: PLC0415  slow to import
    from kgqa.model.checkpoint import load_checkpoint, shipped  # noqa: PLC0415  as above

    reader = load_checkpoint(shipped(wanted.told.reader), recorder.device)
    shuffled = drawn(list(questions), None, recorder.seed)
    with common.errors.status("reading what answers tell"):
        graphs = told_graphs(walker.snapshot, shuffled, wanted.told.hold, reader, encoder)
    rows = list(told_rows(name, graphs.telling, whole, walker, recorder))
    return graphs.training, Walker(graphs.asked), rows


@app.command("experiment")
def experiment(
    file: Annotated[Path, typer.Argument(help="The experiment (YAML), e.g. benchmarks/experiments/metaqa.yaml.")],
    data: DataOption,
    out: Annotated[Path, typer.Option("--out", help="Directory for the runs, gone on with if found there.")] = Path(
        "runs"
    ),
    split: Annotated[str | None, typer.Option("--split", help="dev or test, instead of what the file says.")] = None,
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
    from kgqa.adapt.questions import conjunctions  # noqa: PLC0415  slow to import
    from kgqa.answering import Answerer  # noqa: PLC0415  as above
    from kgqa.evaluation.experiment import Experiment  # noqa: PLC0415  as above
    from kgqa.evaluation.figures import Means, mean_means, over_seeds  # noqa: PLC0415  as above
    from kgqa.evaluation.measure import measure  # noqa: PLC0415  as above
    from kgqa.evaluation.record import Recorder, append  # noqa: PLC0415  as above
    from kgqa.training.session import train  # noqa: PLC0415  as above

    wanted = Experiment.load(file)
    part = checked_part(split) if split else wanted.split
    opened = open_set(wanted.set, data)
    whole = Walker(opened.graph())
    loaded_encoder = common.encoder(chosen)
    short: list[str] = []
    for variant in wanted.variants:
        of_seeds: list[Row] = []
        found_means: list[Means] = []
        for seed in wanted.seeds:
            about = {
                "experiment": file.stem,
                "variant": variant,
                "split": split_name(opened, wanted.by),
                **about_graph(wanted.keep),
            }
            recorder = Recorder(part, seed, chosen.device, about)
            parts = opened.split(wanted.by, seed, whole, wanted.shares)
            with_questions(opened, parts, "train", "dev", part)
            walker = kept(whole, wanted.keep, seed)
            seen, walker, telling = _told(wanted, opened.name, whole, walker, parts.train, recorder, loaded_encoder)
            graph = parts.training_graph(seen)
            training = drawn(list(parts.train), wanted.questions, seed)
            training += conjunctions(graph, wanted.conjunctions, seed)
            with TrainingBar() as bar:
                bar.say(f"{variant}, seed {seed}")
                start = _start(wanted, graph, loaded_encoder, out / file.stem / f"adapted-{seed}", seed, chosen, bar)
                model = start.config.model.model_dump() if start else None
                checkpoint = train(
                    wanted.config(variant, seed, model),
                    loaded_encoder,
                    graph,
                    training,
                    parts.dev,
                    out / file.stem / f"{variant}-{seed}",
                    device=chosen.device,
                    start=start,
                    about={
                        **about_split(opened, wanted.by, seed, wanted.shares),
                        "experiment": file.name,
                        "note": wanted.note,
                    },
                    progress=bar,
                )
            measured = measure(
                opened.name,
                Answerer(walker.snapshot, checkpoint, loaded_encoder),
                parts.part(part),
                walker,
                recorder,
                seed=seed,
                also=wanted.also,
                trained=training,
            )
            seconds = float(checkpoint.config.trained["seconds"])
            figures = [*telling, *measured.rows, recorder.row(opened.name, "train_seconds", seconds, len(training))]
            if rows:
                append(rows, figures)
            show(figures)
            if "abstention" in wanted.also:
                say_what_wasnt_asked(figures)
            of_seeds += figures
            found_means.append(measured.means)
        if len(wanted.seeds) > 1:
            together = over_seeds(of_seeds)
            if rows:
                append(rows, together)
            show(together)
        short += wanted.shortfalls(variant, mean_means(found_means))
    if short:
        raise KgqaError("; ".join(short), where=str(file))


app.command("set")(question_set)
app.command("leakage")(leakage)
app.command("distill")(bench_distill.command)
app.command("transfer")(bench_transfer.command)
app.command("table")(bench_table.command)
