"""``kgqa bench table``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from graph_schema import ConfigError
from kgqa.cli import common

if TYPE_CHECKING:
    from kgqa.evaluation.tables import VariantTable


def command(
    files: Annotated[list[Path], typer.Argument(help="Files of figures that kgqa bench --json wrote.")],
    metric: Annotated[
        list[str] | None,
        typer.Option("--metric", help="A metric to show, several times if wanted; else Hits@1 and F1."),
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
) -> None:
    """Recorded figures as a table: variants against metrics, mean and 95 % interval over the seeds.

    Example: [bold]kgqa bench table benchmarks/results/metaqa-ablation.jsonl --metric f1[/]
    """
    from kgqa.evaluation.tables import FIRST, read_rows, variant_tables  # noqa: PLC0415  slow to import

    rows = read_rows(files)
    tables = variant_tables(rows, metric or FIRST)
    if not tables:
        known = sorted({row.metric for row in rows if row.seed is not None})
        raise ConfigError(
            f"no figures of {', '.join(metric or FIRST)}",
            where=", ".join(map(str, files)),
            fix=f"Use --metric with one of {', '.join(known)}" if known else "Give a file with rows of single seeds",
        )
    for table in tables:
        if markdown:
            print(in_markdown(table))
        else:
            _print(table)


def in_markdown(table: VariantTable) -> str:
    """The table as Markdown, under its title."""
    head = ["", "seeds", *(f"{part} {metric}".strip() for part, metric in table.columns)]
    lines = [
        [variant, str(seeds), *("" if cell is None else str(cell) for cell in cells)]
        for variant, seeds, cells in table.lines
    ]
    written = [f"**{table.title}**", "", *(_line(cells) for cells in (head, ["---"] * len(head), *lines)), ""]
    return "\n".join(written)


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")


def _print(table: VariantTable) -> None:
    """One table for each metric, so that it fits a terminal."""
    for metric in dict.fromkeys(metric for _, metric in table.columns):
        mine = [at for at, (_, own) in enumerate(table.columns) if own == metric]
        shown = Table(title=escape(f"{table.title}: {metric}"))
        shown.add_column("variant")
        shown.add_column("seeds", justify="right")
        for at in mine:
            shown.add_column(escape(table.columns[at][0]), justify="right", no_wrap=True)
        for variant, seeds, cells in table.lines:
            shown.add_row(escape(variant), str(seeds), *("" if cells[at] is None else str(cells[at]) for at in mine))
        common.out.print(shown, soft_wrap=False)
