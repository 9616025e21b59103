"""``kgqa bench distill``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kgqa.cli import common
from kgqa.cli.bench_sets import DataOption, RowsOption, about_split, show, split_name, with_questions
from kgqa.cli.graph_files import drawn
from kgqa.cli.train import TrainingBar
from kgqa.data.graph import Walker
from kgqa.data.sets import open_set

if TYPE_CHECKING:
    from kgqa.evaluation.record import Row


def command(
    file: Annotated[Path, typer.Argument(help="The distillation (YAML).")],
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
    """Train large readers and a small one that learns from them; measure how good, large and fast they are.

    Example: [bold]kgqa bench distill benchmarks/experiments/distillation/pq-3h.yaml --data DATA[/]
    """
    chosen = common.settings(config, encoder=encoder, device=device, threads=threads)
    from kgqa.answering import Answerer  # noqa: PLC0415  slow to import
    from kgqa.evaluation.distillation import (  # noqa: PLC0415  as above
        ALONE,
        ENSEMBLE,
        STUDENT,
        TEACHER,
        Distillation,
        cost_rows,
    )
    from kgqa.evaluation.ensemble import evaluate_together  # noqa: PLC0415  as above
    from kgqa.evaluation.figures import accuracy_rows, over_seeds  # noqa: PLC0415  as above
    from kgqa.evaluation.measure import measure  # noqa: PLC0415  as above
    from kgqa.evaluation.record import Recorder, append  # noqa: PLC0415  as above
    from kgqa.training.graphs import GraphQuestions  # noqa: PLC0415  as above
    from kgqa.training.session import distill, train  # noqa: PLC0415  as above

    wanted = Distillation.load(file)
    opened = open_set(wanted.set, data)
    walker = Walker(opened.graph())
    loaded_encoder = common.encoder(chosen)
    figures: list[Row] = []
    for seed in wanted.seeds:
        split = with_questions(opened, opened.split(wanted.by, seed, walker), "train", "dev", wanted.split)
        training = drawn(list(split.train), None, seed)
        labelled = training[: wanted.questions]
        rest = training[len(labelled) :][: wanted.unlabelled]
        graph = split.training_graph(walker.snapshot)
        run, about = out / file.stem / str(seed), about_split(opened, wanted.by, seed)
        with TrainingBar() as bar:
            teachers, student = distill(
                wanted.config(TEACHER, seed),
                wanted.config(STUDENT, seed),
                wanted.teachers,
                loaded_encoder,
                [GraphQuestions(graph, labelled, split.dev, rest)],
                run,
                device=chosen.device,
                about=about,
                say=bar.say,
                progress=bar,
            )
            bar.say(ALONE)
            alone = train(
                wanted.config(STUDENT, seed),
                loaded_encoder,
                graph,
                labelled,
                split.dev,
                run / "alone",
                device=chosen.device,
                about=about,
                progress=bar,
            )
        questions = list(split.part(wanted.split))
        ensemble = [Answerer(walker.snapshot, one, loaded_encoder) for one in teachers]
        asked = {
            TEACHER: ensemble[:1],
            **({ENSEMBLE: ensemble} if len(ensemble) > 1 else {}),
            STUDENT: [Answerer(walker.snapshot, student, loaded_encoder)],
            ALONE: [Answerer(walker.snapshot, alone, loaded_encoder)],
        }
        for variant, readers in asked.items():
            config_ = {"experiment": file.stem, "variant": variant, "split": split_name(opened, wanted.by)}
            recorder = Recorder(wanted.split, seed, chosen.device, config_)
            if variant == ENSEMBLE:
                found = evaluate_together(readers, questions, walker.snapshot)
                shown = list(accuracy_rows(opened.name, found, recorder, brackets=True))
            else:
                shown = measure(opened.name, readers[0], questions, walker, recorder, seed=seed).rows
            shown += cost_rows(opened.name, readers, questions, walker.snapshot, recorder)
            if rows:
                append(rows, shown)
            show(shown)
            figures += shown
    if len(wanted.seeds) > 1:
        together = over_seeds(figures)
        if rows:
            append(rows, together)
        show(together)
