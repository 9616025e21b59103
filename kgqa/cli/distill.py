"""``kgqa distill``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from graph_schema import ConfigError
from kgqa.cli import common
from kgqa.cli.graph_files import read_all, wanted_graphs
from kgqa.cli.train import (
    DevOption,
    GraphsOption,
    LimitOption,
    QuestionsArgument,
    TrainingBar,
    UnlabelledOption,
    outcome,
    train_config,
)

LARGE = ("model.state_dim=256", "model.relation_dim=256", "model.slot_dim=96")


def command(
    out: Annotated[
        Path, typer.Option("--out", help="Directory for teachers and student; runs found there are gone on with.")
    ],
    questions: QuestionsArgument = None,
    dev: DevOption = None,
    limit: LimitOption = None,
    graphs: GraphsOption = None,
    unlabelled: UnlabelledOption = None,
    teachers: Annotated[int, typer.Option("--teachers", min=1, help="How many teachers are trained.")] = 3,
    teacher_set: Annotated[
        list[str] | None,
        typer.Option(
            "--teacher-set", help="A setting of the teachers; each is twice as wide as usual if none is given."
        ),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="A setting of the student, e.g. model.state_dim=64.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of everything random.")] = 0,
    store: common.StoreOption = None,
    user: common.UserOption = None,
    password: common.PasswordOption = None,
    encoder: common.EncoderOption = None,
    device: common.DeviceOption = None,
    threads: common.ThreadsOption = None,
    config: common.ConfigOption = None,
) -> None:
    """Train large readers, and a small one that learns from them what they make of each question.

    Example: [bold]kgqa distill questions.tsv --store sqlite:///films.db --out runs/small --set model.state_dim=64[/]
    """
    chosen = common.settings(
        config, store=store, user=user, password=password, encoder=encoder, device=device, threads=threads
    )
    if out.exists() and not out.is_dir():
        raise ConfigError("that is a file, not a directory", where=f"--out {out}", fix="Give another place")
    wanted = wanted_graphs(graphs, store, chosen.store, questions or [], dev or [], limit, unlabelled or [])
    large, small = train_config(teacher_set or list(LARGE), seed), train_config(set_ or [], seed)
    read = read_all(wanted, chosen, seed)
    with common.importing():
        from kgqa.training.graphs import GraphQuestions  # noqa: PLC0415  slow to import
        from kgqa.training.session import distill  # noqa: PLC0415  as above
    with TrainingBar() as bar:
        trained, student = distill(
            large,
            small,
            teachers,
            common.encoder(chosen),
            [GraphQuestions(*one) for one in read],
            out,
            device=chosen.device,
            about={"files": [path.name for one in wanted for path in one.questions]},
            say=bar.say,
            progress=bar,
        )
    for one in (*trained, student):
        common.out.print(f"{one.path}: {one.config.trained['parameters']:,} weights, {outcome(one)}")
