"""``kgqa adapt``"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graph_schema import ConfigError, InputError
from kgqa.cli import common
from kgqa.cli.train import TrainingBar, train_config
from kgqa.data import Question, read_questions
from kgqa.data.questions import bracketed
from kgqa.stores import without_password

if TYPE_CHECKING:
    from kgqa.adapt.session import Adapted
    from kgqa.model.checkpoint import Checkpoint
    from kgqa.stores.snapshot import Snapshot

SHOWN_ANSWERS = 5
GOING_ON = 1e-3  # the learning rate of a reader that is given; the one that ships has less to lose


def command(
    out: Annotated[
        Path | None, typer.Option("--out", help="Directory for the checkpoint; it mustn't be there yet.")
    ] = None,
    questions: Annotated[
        Path | None, typer.Option("--questions", help="Real questions: question TAB answer|answer, a line each.")
    ] = None,
    number: Annotated[int, typer.Option("--number", min=100, help="Questions to make, about.")] = 4000,
    minutes: Annotated[float, typer.Option("--minutes", min=0.5, help="Time for all of it.")] = 3.0,
    steps: Annotated[
        int | None, typer.Option("--steps", min=1, help="Train so many steps, however long they take.")
    ] = None,
    way_steps: Annotated[
        int,
        typer.Option("--way-steps", min=0, help="With --steps: cheaper steps before, on what relations are asked for."),
    ] = 0,
    runs: Annotated[
        int,
        typer.Option(
            "--runs", min=1, max=50, help="With --steps: so many readers, on other questions each; their mean is kept."
        ),
    ] = 1,
    init_from: Annotated[
        Path | None, typer.Option("--init-from", help="Begin with this checkpoint; with one that ships if not given.")
    ] = None,
    new: Annotated[bool, typer.Option("--new", help="Begin with a new reader, which knows nothing.")] = False,
    show: Annotated[
        int | None, typer.Option("--show", min=1, help="Show so many of the questions with answers; train nothing.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of everything random.")] = 0,
    store: common.StoreOption = None,
    schema: common.SchemaOption = None,
    user: common.UserOption = None,
    password: common.PasswordOption = None,
    encoder: common.EncoderOption = None,
    device: common.DeviceOption = None,
    threads: common.ThreadsOption = None,
    config: common.ConfigOption = None,
) -> None:
    """Train a reader for a graph without training questions: they are made from the graph and its schema.

    Example: [bold]kgqa adapt --store sqlite:///films.db --out runs/films[/]
    """
    began = time.monotonic()
    chosen = common.settings(
        config,
        store=store,
        schema_file=schema,
        user=user,
        password=password,
        encoder=encoder,
        device=device,
        threads=threads,
    )
    if (out is None) == (show is None):
        raise ConfigError(
            "give a directory to write the checkpoint to, or how many questions to show", fix="Use --out, or --show 20"
        )
    if new and init_from:
        raise ConfigError("--new and --init-from say two things", fix="Leave one of them out")
    for option, more in (("--way-steps", way_steps > 0), ("--runs", runs > 1)):
        if more and steps is None:
            raise ConfigError(f"{option} takes more time than --minutes says", fix="Give --steps, too")
    given = read_questions(questions, "given") if questions else []
    with common.importing():
        from kgqa.adapt.given import with_ways  # noqa: PLC0415  as above
        from kgqa.adapt.paths import bounded_snapshot  # noqa: PLC0415  slow to import
        from kgqa.adapt.questions import check_graph, held_out, make_questions, with_given  # noqa: PLC0415  as above
        from kgqa.adapt.session import APART, SETTINGS, adapt, check_free  # noqa: PLC0415  as above
        from kgqa.adapt.synonyms import likely_kinds, synonyms  # noqa: PLC0415  as above
        from kgqa.answering import checkpoint_for  # noqa: PLC0415  as above
        from kgqa.model.checkpoint import START, load_checkpoint, shipped  # noqa: PLC0415  as above
        from kgqa.model.config import ModelConfig  # noqa: PLC0415  as above
    if out is not None:
        check_free(out)
    common.check_device(chosen)
    start = None if new else load_checkpoint(init_from or shipped(START), chosen.device)
    model = start.config.model if start else ModelConfig()
    with common.errors.status("reading the graph"), common.reading(chosen) as opened:
        snapshot = bounded_snapshot(opened, opened.info())
    check_graph(snapshot)
    given = with_ways(_in_graph(given, snapshot, questions), snapshot, model.max_hops)
    # What it is compared to is the reader that would be asked without it.
    other = checkpoint_for(snapshot, init_from, chosen.device)
    if _trained_here(other, snapshot):
        common.errors.print(
            f"{other.path}: was trained on a graph of this schema; made questions may make it worse", soft_wrap=True
        )
    with common.errors.status("making questions"):
        reading = common.encoder(chosen)
        near = synonyms(reading, snapshot.schema(), snapshot.relations())
        kinds = likely_kinds(reading, snapshot.schema(), snapshot.relations())
        asked = [
            make_questions(snapshot, number, seed + APART * run, model.max_hops, near, kinds) for run in range(runs)
        ]
    if out is None:
        _show(asked[0][:show], snapshot)
        return
    made = [held_out(some, seed) for some in asked]  # the same wordings, whichever run they are of
    if given:
        made = [with_given(some, given, seed) for some in made]
    settings = train_config([], seed, model.model_dump()).model_copy(
        update={
            **SETTINGS,
            "way_steps": way_steps,
            **({"learning_rate": GOING_ON} if init_from else {}),
            **({"steps": steps} if steps is not None else {}),
        }
    )
    with TrainingBar() as bar:
        bar.say(f"{sum(len(some.train) for some in made):,} questions to train on, {len(made[0].score):,} to score")
        done = adapt(
            settings,
            reading,
            snapshot,
            made,
            other,
            out,
            start=start,
            seconds=None if steps is not None else 60 * minutes,
            began=began,
            device=chosen.device,
            say=bar.say,
            progress=bar,
        )
    _report(done)
    words = f" --schema {chosen.schema_file}" if chosen.schema_file else ""
    common.out.print(
        f'Ask with it: kgqa ask "..." --store {without_password(chosen.store)}{words} --checkpoint {out}', markup=False
    )


def _trained_here(start: Checkpoint, snapshot: Snapshot) -> bool:
    """Whether a reader belongs to this graph's schema already, all of whose relations it knows."""
    relations = snapshot.relations()
    return set(relations) <= set(start.config.relations) and start.knows(snapshot.schema(), relations)


def _in_graph(given: list[Question], snapshot: Snapshot, path: Path | None) -> list[Question]:
    """The given questions that the graph can be asked: those with a topic and an answer in it.

    Raises:
        InputError: there are none.
    """
    from kgqa.training.prepare import prepare  # noqa: PLC0415  slow to import

    if not given:
        return []
    ready = prepare(given, snapshot)
    usable = ((ready.rows.start.diff() > 0) & (ready.answers.start.diff() > 0)).tolist()
    kept = [one for one, fits in zip(given, usable, strict=True) if fits]
    if not kept:
        raise InputError(
            "no question has a topic and an answer that are in the graph",
            where=str(path),
            fix="Check that the questions belong to this store, and that topics stand in [brackets]",
        )
    if len(kept) < len(given):
        common.errors.print(f"{len(given) - len(kept)} of {len(given)} questions aren't about this graph: left out")
    return kept


def _show(asked: Sequence[Question], snapshot: Snapshot) -> None:
    for one in asked:
        known = snapshot.entities(one.answers[:SHOWN_ANSWERS])
        names = ", ".join(known[answer].name for answer in one.answers[:SHOWN_ANSWERS])
        more = f" and {len(one.answers) - SHOWN_ANSWERS} more" if len(one.answers) > SHOWN_ANSWERS else ""
        print(f"{bracketed(one)}\t{names}{more}")


def _report(done: Adapted) -> None:
    """Hits@1 and F1 before and after, on held-out questions."""
    for was, now in zip(done.before, done.after, strict=True):
        common.out.print(
            f"{now.part:<6} {now.questions:>4} held-out questions: Hits@1 {was.hits_at_1:.4f} -> {now.hits_at_1:.4f}, "
            f"F1 {was.f1:.4f} -> {now.f1:.4f}",
            markup=False,
        )
