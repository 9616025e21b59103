"""``kgqa report``"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from graph_schema import ConfigError, InputError
from kgqa.cli import common
from kgqa.cli.bench_sets import (
    ByOption,
    DataOption,
    KeepOption,
    NameArgument,
    SharesOption,
    about_graph,
    about_split,
    checked_keep,
    kept,
    say_what_wasnt_asked,
    split_kind,
    split_name,
    split_shares,
    trained_elsewhere,
    with_questions,
)
from kgqa.data.graph import Walker
from kgqa.data.sets import PARTS, open_set
from kgqa.files import write_atomically


def command(
    name: NameArgument,
    data: DataOption,
    out: Annotated[Path, typer.Option("--out", help="The file to write (HTML).")] = Path("report.html"),
    split: Annotated[str, typer.Option("--split", help="dev or test.")] = "dev",
    by: ByOption = None,
    shares: SharesOption = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the split, and of all else that is drawn.")] = 0,
    keep: KeepOption = None,
    brackets: Annotated[
        bool, typer.Option("--brackets/--free-text", help="Topics as marked in the questions, or found in the text.")
    ] = True,
    samples: Annotated[int, typer.Option("--samples", min=0, help="Questions shown with their attention.")] = 6,
    errors: Annotated[int, typer.Option("--errors", min=0, help="Errors shown of each slice, the worst.")] = 2,
    evidence: Annotated[bool, typer.Option("--evidence", help="Also walk the shown paths again.")] = False,
    abstention: Annotated[
        bool, typer.Option("--abstention", help="Also ask as many questions that the graph doesn't answer.")
    ] = False,
    rows: Annotated[
        list[Path] | None, typer.Option("--rows", help="A file that kgqa bench --json wrote, shown as tables too.")
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option("--metric", help="A metric to show of --rows; else Hits@1 and F1.")
    ] = None,
    checkpoint: common.CheckpointOption = None,
    encoder: common.EncoderOption = None,
    device: common.DeviceOption = None,
    threads: common.ThreadsOption = None,
    any_schema: common.AnySchemaOption = None,
    config: common.ConfigOption = None,
) -> None:
    """One HTML file on a reader and a question set: figures, calibration, slices, attention, the worst errors.

    Example: [bold]kgqa report PQ-2H --data DATA --checkpoint runs/pq-2h/full-0 --out pq-2h.html[/]
    """
    chosen = common.settings(
        config, checkpoint=checkpoint, encoder=encoder, device=device, threads=threads, any_schema=any_schema
    )
    if split not in PARTS[1:]:
        raise ConfigError(f"{split!r} is no part to measure", where="--split", fix="Use dev or test")
    kind, sizes = split_kind(by), split_shares(shares)
    checked_keep(keep)
    opened = open_set(name, data)
    whole = Walker(opened.graph())
    questions = with_questions(opened, opened.split(kind, seed, whole, sizes), split).part(split)
    walker = kept(whole, keep, seed)
    from kgqa.evaluation.record import Recorder, commit, describe_device  # noqa: PLC0415  slow to import
    from kgqa.evaluation.tables import FIRST, read_rows, variant_tables  # noqa: PLC0415  as above
    from kgqa.report.collect import collect  # noqa: PLC0415  as above
    from kgqa.report.page import page  # noqa: PLC0415  as above

    tables = variant_tables(read_rows(rows or []), metric or FIRST)
    answerer = common.answerer(chosen, walker.snapshot)
    trained_elsewhere(answerer.checkpoint, about_split(opened, kind, seed, sizes))
    also = [what for what, wanted in (("evidence", evidence), ("abstention", abstention)) if wanted]
    recorder = Recorder(split, seed, chosen.device, {"split": split_name(opened, kind), **about_graph(keep)})
    with common.errors.status("") as status:
        found = collect(
            opened.name,
            answerer,
            questions,
            walker,
            recorder,
            brackets=brackets,
            samples=samples,
            errors=errors,
            also=also,
            say=status.update,
        )
    trained = answerer.checkpoint.config.trained
    about = [
        (
            "Set",
            f"{opened.name}, {split}, {len(questions):,} questions, split: {split_name(opened, kind)}, seed {seed}",
        ),
        (
            "Facts",
            f"{len(walker.facts):,}"
            + (f" of {len(whole.facts):,}: {keep:g} of each relation's, drawn by seed {seed}" if keep else ", all"),
        ),
        ("Topics", "as marked" if brackets else "found in the text"),
        ("Checkpoint", chosen.checkpoint.name if chosen.checkpoint else "the one that ships with kgqa"),
        ("Weights", f"{trained['parameters']:,}" if "parameters" in trained else "not known"),
        ("Trained on", f"{trained['questions']:,} questions" if "questions" in trained else "not known"),
        ("Made", f"{datetime.now(UTC):%Y-%m-%d}, commit {commit()}, {describe_device(chosen.device)}"),
    ]
    try:
        write_atomically(out, page(f"kgqa on {opened.name}", about, found, tables).encode())
    except OSError as error:
        raise InputError(f"can't write the report: {error.strerror}", where=str(out)) from error
    if abstention:
        say_what_wasnt_asked(found.more)
    _, _, (hits, *_) = found.parts[-1]
    common.out.print(f"{out}: Hits@1 {hits}, {found.wrong:,} of {len(questions):,} sets of answers not exactly right")
