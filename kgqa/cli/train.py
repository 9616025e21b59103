"""``kgqa train``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml
from pydantic import ValidationError
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from graph_schema import ConfigError
from kgqa.cli import common
from kgqa.cli.graph_files import read_all, wanted_graphs
from kgqa.stores import without_password

if TYPE_CHECKING:
    from kgqa.model.checkpoint import Checkpoint
    from kgqa.training.config import TrainConfig
    from kgqa.training.trainer import Progress as Step


QuestionsArgument = Annotated[
    list[Path] | None, typer.Argument(help="Files of questions: question TAB answer|answer, a line each.")
]
DevOption = Annotated[
    list[Path] | None, typer.Option("--dev", help="Files of dev questions; a tenth is held out if not given.")
]
LimitOption = Annotated[
    int | None, typer.Option("--limit", min=2, help="Train on so many of the questions, drawn by seed.")
]
GraphsOption = Annotated[
    Path | None, typer.Option("--graphs", help="Several stores with their questions (YAML), trained on at once.")
]
UnlabelledOption = Annotated[
    list[Path] | None, typer.Option("--unlabelled", help="Files of questions that only the teachers answer.")
]


def command(
    out: Annotated[
        Path, typer.Option("--out", help="Directory for the checkpoint; a run found there is gone on with.")
    ],
    questions: QuestionsArgument = None,
    dev: DevOption = None,
    limit: LimitOption = None,
    graphs: GraphsOption = None,
    init_from: Annotated[
        Path | None, typer.Option("--init-from", help="Begin with this checkpoint's weights instead of random ones.")
    ] = None,
    teacher: Annotated[
        list[Path] | None, typer.Option("--teacher", help="A checkpoint to learn from; several are an ensemble.")
    ] = None,
    unlabelled: UnlabelledOption = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="A training setting, e.g. steps=600 or model.slots=false.")
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
    r"""Train a reader for a store from questions and their answers; topics may stand in \[brackets].

    Example: [bold]kgqa train questions.tsv --store sqlite:///films.db --out runs/films[/]
    """
    chosen = common.settings(
        config, store=store, user=user, password=password, encoder=encoder, device=device, threads=threads
    )
    if out.exists() and not out.is_dir():
        raise ConfigError("that is a file, not a directory", where=f"--out {out}", fix="Give another place")
    if unlabelled and not teacher:
        raise ConfigError("nobody answers these questions", where="--unlabelled", fix="Give a checkpoint by --teacher")
    wanted = wanted_graphs(graphs, store, chosen.store, questions or [], dev or [], limit, unlabelled or [])
    # Files are read before torch is loaded, so that what is wrong with them is said at once.
    if init_from is None:
        settings = train_config(set_ or [], seed)
        if not settings.steps:
            raise ConfigError(
                "steps: a new reader that takes no steps knows nothing",
                where="--set",
                fix="Give steps; with none, --init-from calibrates a reader that is there",
            )
    read = read_all(wanted, chosen, seed)
    with common.importing():
        from kgqa.model.checkpoint import load_checkpoint  # noqa: PLC0415  slow to import
        from kgqa.training.graphs import GraphQuestions  # noqa: PLC0415  as above
        from kgqa.training.session import train_graphs  # noqa: PLC0415  as above
    start = None
    if init_from is not None:
        start = load_checkpoint(init_from, chosen.device)
        settings = train_config(set_ or [], seed, start.config.model.model_dump())
    teachers = [load_checkpoint(path, chosen.device) for path in teacher or []]
    with TrainingBar() as bar:
        checkpoint = train_graphs(
            settings,
            common.encoder(chosen),
            [GraphQuestions(*one) for one in read],
            out,
            device=chosen.device,
            about={"files": [path.name for one in wanted for path in one.questions]},
            start=start,
            teachers=teachers,
            say=bar.say,
            progress=bar,
        )
    common.out.print(f"{out}: {outcome(checkpoint)}")
    asked = without_password(wanted[0].store)
    common.out.print(f'Ask with it: kgqa ask "..." --store {asked} --checkpoint {out}')


def outcome(checkpoint: Checkpoint) -> str:
    """How good a reader is on its dev questions, and how long it was trained, in words."""
    found = checkpoint.config.trained["dev"]
    return (
        f"Hits@1 {found['hits_at_1']:.4f}, F1 {found['f1']:.4f} on {found['questions']:,} dev questions; "
        f"{checkpoint.config.trained['seconds']:.0f} s"
    )


def train_config(pairs: list[str], seed: int, model: dict[str, Any] | None = None) -> TrainConfig:
    """Training settings from ``key=value`` pairs.

    Args:
        model: settings of the model where the pairs say nothing of it.

    Raises:
        ConfigError: an unknown key or a wrong value, all of them named.
    """
    from kgqa.training.config import TrainConfig  # noqa: PLC0415  slow to import

    data: dict[str, Any] = {"seed": seed} | ({"model": model} if model else {})
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f"{pair!r} is not key=value", where="--set", fix="For example: --set steps=600")
        try:
            merge(data, key.strip().split("."), yaml.safe_load(value))
        except (yaml.YAMLError, TypeError) as error:
            raise ConfigError(f"{pair!r} can't be read", where="--set", fix="For example: --set steps=600") from error
    try:
        return TrainConfig.model_validate(data)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, f['loc']))}: {f['msg']}" for f in error.errors())
        raise ConfigError(faults, where="--set", fix="See docs/reference/training.md for the settings") from error


def merge(data: dict[str, Any], path: list[str], value: Any) -> None:
    """Put a value into nested dictionaries.

    Raises:
        TypeError: on the way there is something else than a dictionary.
    """
    for part in path[:-1]:
        data = data.setdefault(part, {})
        if not isinstance(data, dict):
            raise TypeError(part)
    data[path[-1]] = value


class TrainingBar:
    """One progress bar with loss, dev score and time left; plain lines where there is no terminal."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}  dev {task.fields[dev]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=common.errors,
            disable=not common.errors.is_terminal,
        )
        self._task = self._progress.add_task("training", total=None, loss="-", dev="-")
        self._mean: float | None = None

    def __enter__(self) -> TrainingBar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def say(self, text: str) -> None:
        """Show what is being done before the first step."""
        self._progress.update(self._task, description=text)
        if self._progress.disable:
            common.errors.print(text, soft_wrap=True)

    def __call__(self, step: Step) -> None:
        self._mean = step.loss if self._mean is None else 0.95 * self._mean + 0.05 * step.loss
        dev = f"Hits@1 {step.dev.hits_at_1:.4f} F1 {step.dev.f1:.4f}" if step.dev else "-"
        self._progress.update(
            self._task,
            description="training",
            completed=step.step,
            total=step.steps,
            loss=f"{self._mean:.4f}",
            dev=dev,
        )
        if self._progress.disable and (step.step % 100 == 0 or step.step == step.steps):
            common.errors.print(f"step {step.step}/{step.steps}  loss {self._mean:.4f}  best dev {dev}", soft_wrap=True)
