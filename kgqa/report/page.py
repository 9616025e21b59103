"""The page itself, from what was collected."""

from __future__ import annotations

from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined

from kgqa.evaluation.tables import VariantTable
from kgqa.report.collect import SHOWN, Collected

CONTENTS = (
    ("figures", "Figures"),
    ("confidence", "Confidence"),
    ("slices", "Slices"),
    ("attention", "Attention in sample questions"),
    ("errors", "Errors"),
)


def page(title: str, about: Sequence[tuple[str, str]], found: Collected, tables: Sequence[VariantTable] = ()) -> str:
    """One HTML file that needs no other.

    Args:
        about: what was measured, with what and where, in pairs. tables: of recorded rows.
    """
    environment = Environment(
        loader=PackageLoader("kgqa.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    there = found.bins.count > 0
    return (
        environment.get_template("page.html.j2")
        .render(
            title=title,
            about=about,
            found=found,
            sliced=SHOWN,
            contents=(*CONTENTS, *([("recorded", "Recorded figures")] if tables else [])),
            bins=list(
                zip(
                    *(
                        column[there].tolist()
                        for column in (found.bins.confidence, found.bins.accuracy, found.bins.count)
                    ),
                    strict=True,
                )
            ),
            tables=tables,
        )
        .lstrip()
    )
