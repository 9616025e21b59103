"""``kgqa bench set`` and ``kgqa bench leakage``, and what all benchmarks share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer
from rich.markup import escape
from rich.table import Table

from graph_schema import ConfigError, InputError
from kgqa.cli import common
from kgqa.data.graph import Walker, thinned
from kgqa.data.leakage import SHARES, Kind, Shares, Split, check, measure
from kgqa.data.sets import NAMES, PARTS, QuestionSet, open_set

if TYPE_CHECKING:
    from kgqa.evaluation.measure import Also
    from kgqa.evaluation.record import Row
    from kgqa.model.checkpoint import Checkpoint

NameArgument = Annotated[str, typer.Argument(help=f"The set: {', '.join(NAMES)}.")]
DataOption = Annotated[
    Path, typer.Option("--data", help="Directory of the set, in its official layout, or of several sets.")
]
RowsOption = Annotated[Path | None, typer.Option("--json", help="Append the figures to this file, one object a line.")]
ByOption = Annotated[
    str | None, typer.Option("--by", help="How to split: random, path, entity, relation; else official, or random.")
]

SharesOption = Annotated[
    str | None,
    typer.Option("--shares", help="Of train, dev and test, where it is split by seed: 0.8,0.1,0.1 if not given."),
]
KeepOption = Annotated[
    float | None,
    typer.Option("--keep", help="Share of each relation's facts that the graph keeps, drawn by seed: 0.5, say."),
]
SlotsOption = Annotated[
    int | None,
    typer.Option("--slots", min=0, help="Slots that a topic may fill, instead of the reader's; 0: one per entity."),
]


def question_set(
    name: NameArgument,
    data: DataOption,
    split: Annotated[str, typer.Option("--split", help="dev or test.")] = "dev",
    by: ByOption = None,
    shares: SharesOption = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the split, and of all else that is drawn.")] = 0,
    keep: KeepOption = None,
    slots: SlotsOption = None,
    brackets: Annotated[
        bool, typer.Option("--brackets/--free-text", help="Topics as marked in the questions, or found in the text.")
    ] = True,
    slices: Annotated[bool, typer.Option("--slices", help="Also by hops, relation, topic, size of the set.")] = False,
    evidence: Annotated[bool, typer.Option("--evidence", help="Also walk the shown paths again.")] = False,
    abstention: Annotated[
        bool, typer.Option("--abstention", help="Also ask as many questions that the graph doesn't answer.")
    ] = False,
    singles: Annotated[int, typer.Option("--singles", min=0, help="Questions asked one by one; 0: no speed.")] = 0,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Questions in a batch.")] = 128,
    rows: RowsOption = None,
    checkpoint: common.CheckpointOption = None,
    encoder: common.EncoderOption = None,
    device: common.DeviceOption = None,
    threads: common.ThreadsOption = None,
    any_schema: common.AnySchemaOption = None,
    config: common.ConfigOption = None,
) -> None:
    """Any question set, every question of one part: accuracy, whole answer sets, calibration; more if asked.

    Example: [bold]kgqa bench set PQ-2H --data PathQuestion --checkpoint runs/pq-2h/full-0[/]
    """
    chosen = common.settings(
        config, checkpoint=checkpoint, encoder=encoder, device=device, threads=threads, any_schema=any_schema
    )
    checked_part(split)
    kind, sizes = split_kind(by), split_shares(shares)
    checked_keep(keep)
    opened = open_set(name, data)
    whole = Walker(opened.graph())
    questions = with_questions(opened, opened.split(kind, seed, whole, sizes), split).part(split)
    walker = kept(whole, keep, seed)
    from kgqa.evaluation.figures import speed_rows  # noqa: PLC0415  slow to import
    from kgqa.evaluation.measure import measure as measured  # noqa: PLC0415  as above
    from kgqa.evaluation.record import Recorder, append  # noqa: PLC0415  as above

    answerer = common.answerer(chosen, walker.snapshot, slots)
    trained_elsewhere(answerer.checkpoint, about_split(opened, kind, seed, sizes))
    more: dict[Also, bool] = {"slices": slices, "evidence": evidence, "abstention": abstention}
    about = {"split": split_name(opened, kind), **about_graph(keep), **about_slots(slots)}
    recorder = Recorder(split, seed, chosen.device, about)
    with common.errors.status("") as status:
        found = measured(
            opened.name,
            answerer,
            questions,
            walker,
            recorder,
            seed=seed,
            brackets=brackets,
            also=[what for what, wanted in more.items() if wanted],
            say=status.update,
        )
        figures = found.rows
        if singles:
            status.update("measuring speed")
            figures += speed_rows(
                opened.name,
                answerer,
                questions,
                walker.snapshot,
                recorder,
                brackets=brackets,
                singles=singles,
                batch=batch,
            )
    if rows:
        append(rows, figures)
    show(figures)
    if abstention:
        say_what_wasnt_asked(figures)


def leakage(
    name: NameArgument,
    data: DataOption,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="How many seeds to take the mean over.")] = 5,
    by: ByOption = None,
) -> None:
    """How many test questions have their wording, path, topic ... in training too, for each way to split by seed.

    Example: [bold]kgqa bench leakage PQ-2H --data PathQuestion[/]
    """
    kind = split_kind(by)
    opened = open_set(name, data)
    walker = Walker(opened.graph())
    table = Table(title=f"{opened.name}: % of the test questions whose ... is in training", padding=0)
    for column in ("split", "test", "wording", "path", "answers", "relations", "topic", "each entity", "each relation"):
        table.add_column(column, no_wrap=column == "split", justify="left" if column == "split" else "right")
    none: list[str] = []
    for one in [kind] if kind else [*([None] if opened.official else []), *get_args(Kind)]:
        try:
            found = [_leak(opened, one, seed, walker) for seed in range(seeds if one else 1)]
        except InputError as error:
            if kind:
                raise
            none.append(f"{split_name(opened, one)}: {error.what}")
            continue
        shares = {key: mean(leak[key] for leak in found) for key in found[0]}
        number = f"{shares.pop('questions'):,.0f}"
        table.add_row(split_name(opened, one), number, *(f"{100 * share:.1f}" for share in shares.values()))
    if table.row_count:
        common.out.print(table, soft_wrap=False)
    for said in none:
        common.out.print(escape(f"No such split - {said}"))


def _leak(opened: QuestionSet, kind: Kind | None, seed: int, walker: Walker) -> dict[str, float]:
    """What leaks through one split.

    Raises:
        InputError: there is no such split. ConfigError: it breaks its promise.
    """
    split = opened.split(kind, seed, walker)
    faults = check(split, kind, walker) if kind else []
    if faults:
        raise ConfigError("; ".join(faults), where=f"{opened.name}, split {kind}, seed {seed}")
    return asdict(measure(split.train, split.test, walker))


def checked_part(split: str) -> str:
    """Raises:
    ConfigError: a reader isn't measured on this part.
    """
    if split not in PARTS[1:]:
        raise ConfigError(f"{split!r} is no part to measure", where="--split", fix="Use dev or test")
    return split


def with_questions(opened: QuestionSet, split: Split, *parts: str) -> Split:
    """The split, if it has questions in these parts.

    Raises:
        InputError: one has none.
    """
    for part in parts:
        if not split.part(part):
            raise InputError(
                f"{opened.name} has no {part} questions",
                where=str(opened.folder),
                fix="Have it split by seed (by, --by), or use a set that has some",
            )
    return split


def split_kind(by: str | None) -> Kind | None:
    """Raises:
    ConfigError: no such way to split.
    """
    kinds: tuple[Kind, ...] = get_args(Kind)
    found = next((kind for kind in kinds if kind == by), None)
    if by is not None and found is None:
        raise ConfigError(f"{by!r} is no way to split", where="--by", fix=f"Use {', '.join(kinds)}")
    return found


def split_shares(shares: str | None) -> Shares:
    """Raises:
    ConfigError: these are no three numbers.
    """
    if shares is None:
        return SHARES
    try:
        train, dev, test = map(float, shares.split(","))
    except ValueError as error:
        raise ConfigError(f"{shares!r} are no shares", where="--shares", fix="For example: 0.7,0.1,0.2") from error
    return train, dev, test


def checked_keep(keep: float | None) -> float | None:
    """Raises:
    ConfigError: that is no share of the facts that could be kept.
    """
    if keep is not None and not 0 < keep < 1:
        raise ConfigError(
            f"{keep:g} is no share of the facts", where="--keep", fix="Use one between 0 and 1, or leave it out: all"
        )
    return keep


def kept(whole: Walker, keep: float | None, seed: int) -> Walker:
    """A walker over the graph with a share of each relation's facts, as ``thinned`` draws it; None: over all of it."""
    return whole if keep is None else Walker(thinned(whole.snapshot, keep, seed))


def about_graph(keep: float | None) -> dict[str, Any]:
    """What rows say of the graph that was asked; nothing of a whole one."""
    return {} if keep is None else {"facts_kept": str(keep)}


def about_slots(slots: int | None) -> dict[str, Any]:
    """What rows say of the memory; nothing where it is as the reader was trained."""
    return {} if slots is None else {"slot_budget": slots}


def split_name(opened: QuestionSet, kind: Kind | None) -> str:
    """How a set is split, in one word."""
    return kind or ("official" if opened.official is not None else "random")


def about_split(opened: QuestionSet, kind: Kind | None, seed: int, shares: Shares = SHARES) -> dict[str, Any]:
    """What a checkpoint shall say of the split that it was trained on; of its shares if they aren't the usual ones."""
    said = split_name(opened, kind)
    about: dict[str, Any] = {"set": opened.name, "split": said}
    if said == "official":
        return about
    return about | {"split_seed": seed} | ({} if shares == SHARES else {"split_shares": list(shares)})


def trained_elsewhere(checkpoint: Checkpoint, own: dict[str, Any]) -> None:
    """Refuse to measure a checkpoint on another split of the set that it was trained on, or that it began with.

    Args:
        own: what ``about_split`` says of the split that is measured.

    Raises:
        ConfigError: what is held out here may have been in training there.
    """
    for trained in _trainings(checkpoint.config.trained):
        there = {key: trained.get(key) for key in ("set", "split", "split_seed", "split_shares")}
        usual = {"split_seed": None, "split_shares": None}
        if there["set"] == own["set"] and there["split"] and there != {**usual, **own}:
            seeded = f", seed {there['split_seed']}" if there["split_seed"] is not None else ""
            if there["split_shares"]:
                seeded += f", shares {','.join(map(str, there['split_shares']))}"
            raise ConfigError(
                f"the checkpoint was trained on another split of {own['set']} ({there['split']}{seeded}), "
                "so questions held out here may have been in its training",
                fix="Give --by, --seed and --shares as in training",
            )


def _trainings(trained: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What a checkpoint says of its data, of each set if there were several, and of what it began with."""
    yield trained
    yield from trained.get("sets", ())
    for other in (*([trained["start"]] if "start" in trained else []), *trained.get("teachers", ())):
        yield from _trainings(other)


def say_what_wasnt_asked(figures: Iterable[Row]) -> None:
    """Name the kinds of unanswerable questions that there are no figures of."""
    from kgqa.evaluation.abstention import KINDS  # noqa: PLC0415  slow to import

    there = {row.set.partition("/")[2] for row in figures if row.metric == "abstention_auroc"}
    if none := [kind for kind in KINDS if kind not in there]:
        common.errors.print(
            f"Not asked, as no such questions could be made of the set: {', '.join(none)}. "
            "Facts are removed along gold paths; unknown entities and relations need topics in brackets.",
            soft_wrap=True,
        )


def show(figures: Iterable[Row]) -> None:
    """The figures as a table."""
    table = Table("set", "metric", "value", "n")
    for row in figures:
        value = f"{row.value:.4f}" if row.value < 10 else f"{row.value:,.1f}"
        half = row.config.get("half_of_95_percent_interval")
        where = f", {row.config['slice']} {row.config['of']}" if "slice" in row.config else ""
        table.add_row(
            escape(row.set + where), row.metric, value if half is None else f"{value} ± {half:.4f}", f"{row.n:,}"
        )
    common.out.print(table, soft_wrap=False)
