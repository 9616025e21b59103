"""What the commands share: consoles, options, and opening a store or an answerer from settings."""

from __future__ import annotations

import gc
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from graph_schema import ConfigError, GraphReader, GraphStore, KgqaError
from kgqa.cli import INTERRUPTED
from kgqa.config import Settings, load_settings
from kgqa.names import NamesIndex, open_index
from kgqa.stores import open_reader, open_store

if TYPE_CHECKING:
    from kgqa.answering import Answerer
    from kgqa.model.encoder import Encoder

# A line is as long as it is: files and other programs read it, and terminals break it themselves.
out = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False)

StoreOption = Annotated[
    str | None, typer.Option("--store", help="URL of the store: sqlite:///films.db, neo4j://host:7687 ...")
]
UserOption = Annotated[str | None, typer.Option("--user", help="User name at the store.")]
PasswordOption = Annotated[
    str | None, typer.Option("--password", help="Password at the store; better given as KGQA_PASSWORD.")
]
SchemaOption = Annotated[
    Path | None,
    typer.Option("--schema", help="Schema file that kgqa connect wrote, of a database that somebody else modelled."),
]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="Settings file (TOML); kgqa.toml if there is one.")]
CheckpointOption = Annotated[
    Path | None, typer.Option("--checkpoint", help="Directory of a trained reader; one that ships if not given.")
]
EncoderOption = Annotated[str | None, typer.Option("--encoder", help="Text encoder: a directory or a model's name.")]
DeviceOption = Annotated[str | None, typer.Option("--device", help="Where the network runs: cpu, cuda, cuda:1 ...")]
ThreadsOption = Annotated[int | None, typer.Option("--threads", help="CPU threads.")]
AnySchemaOption = Annotated[
    bool | None, typer.Option("--any-schema", help="Use a checkpoint on a graph of another schema, by its words.")
]
YesOption = Annotated[bool, typer.Option("--yes", help="Go on without asking, though something goes or changes.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def fail(message: str, status: int, advice: str = "") -> NoReturn:
    """Say what was wrong, on one line, and end."""
    if message:
        ended = message if not advice or message.endswith((".", "?")) else f"{message}."
        errors.print(f"[bold red]error:[/] {escape(' '.join(f'{ended}{advice}'.split()))}", soft_wrap=True)
    sys.exit(status)


def script(main: Callable[[], None]) -> None:
    """Run a script of benchmarks/, and say on one line what whoever runs it can mend, as the commands do.

    Raises:
        SystemExit: of status 1 after such an error, of 130 where it was interrupted.
    """
    try:
        main()
    except KgqaError as error:
        fail(str(error), 1)
    except OSError as error:
        if error.filename is None:
            raise
        fail(f"{error.filename}: {error.strerror}", 1)
    except KeyboardInterrupt:
        fail("stopped; run the same command to start again", INTERRUPTED)


def settings(config: Path | None, **flags: Any) -> Settings:
    """Settings from a command's flags, the environment and the file; threads are set at once."""
    loaded = load_settings(flags, config)
    if loaded.threads:
        import torch  # noqa: PLC0415  slow to import, and only needed by the commands that compute

        torch.set_num_threads(loaded.threads)
    return loaded


@contextmanager
def opened(chosen: Settings, *, create: bool = False) -> Iterator[GraphStore]:
    """The store of these settings, closed at the end."""
    password = chosen.password.get_secret_value() if chosen.password else None
    store = open_store(chosen.store, create=create, user=chosen.user, password=password, timeout=chosen.timeout)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def reading(chosen: Settings) -> Iterator[GraphReader]:
    """What questions are asked of: a store of kgqa's own, or with ``schema_file`` somebody else's database."""
    password = chosen.password.get_secret_value() if chosen.password else None
    reader = open_reader(chosen.store, chosen.schema_file, user=chosen.user, password=password, timeout=chosen.timeout)
    try:
        yield reader
    finally:
        reader.close()


def confirmed(question: str, *, yes: bool) -> bool:
    """Whether the user agrees: asked on a terminal, unless ``yes`` says so already.

    Raises:
        ConfigError: there is nobody to ask.
    """
    if yes:
        return True
    if not can_ask():
        raise ConfigError(
            "this takes away or changes what is there, and there is no terminal to ask on",
            where="--yes",
            fix="Add --yes",
        )
    return agreed(question)


def can_ask() -> bool:
    """Whether there is somebody at a terminal."""
    return sys.stdin.isatty()


def agreed(question: str) -> bool:
    """What is answered on the terminal; Ctrl-C and Ctrl-D mean no."""
    try:
        return typer.confirm(question, err=True)
    except typer.Abort:
        errors.print()
        return False


@contextmanager
def importing() -> Iterator[None]:
    """Import the libraries that compute: 6 s on a slow core, a seventh of it spent by the garbage collector in vain."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def check_device(chosen: Settings) -> None:
    """Raises:
    ConfigError: no such device.
    """
    with importing():
        import torch  # noqa: PLC0415  slow to import, and only needed by the commands that compute

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.zeros(1, device=chosen.device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(
            f"no such device ({str(error).splitlines()[0]})", where=f"--device {chosen.device}", fix="Use cpu"
        ) from error


def encoder(chosen: Settings) -> Encoder:
    """The text encoder of these settings, on their device.

    Raises:
        ConfigError: no such device. EncoderError: no such encoder.
    """
    check_device(chosen)
    with importing():
        from kgqa.model.encoder import Encoder  # noqa: PLC0415  slow to import

        return Encoder(chosen.encoder, chosen.device)


def answerer(chosen: Settings, store: GraphReader, slots: int | None = None) -> Answerer:
    """All that is needed to ask: encoder, checkpoint and store, checked against each other.

    Args:
        slots: that a topic may fill, 0 being one for each entity; None: as the reader was trained.

    Raises:
        ConfigError: the reader has no slots to be told of, or no such device.
    """
    with errors.status("loading the reader"):
        check_device(chosen)
        with importing():
            from kgqa.answering import Answerer, checkpoint_for  # noqa: PLC0415  slow to import

        checkpoint = checkpoint_for(store, chosen.checkpoint, chosen.device)
        if slots is not None:
            checkpoint = checkpoint.with_slots(slots)
        # Somebody else's schema is none that a checkpoint was trained for; its words are all there is to read.
        any_schema = chosen.any_schema or chosen.schema_file is not None
        made = Answerer(store, checkpoint, encoder(chosen), chosen.budget_edges, any_schema)
    if chosen.names:
        made.names = names(store)
    return made


def names(store: GraphReader) -> NamesIndex:
    """The index of the store's names, made or brought up to date if need be."""
    with errors.status("looking at the names") as status:
        return open_index(store, progress=lambda done: status.update(f"looking at the names: {done:,}"))
