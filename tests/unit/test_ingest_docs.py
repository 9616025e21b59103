"""The page on loading is in step with the code."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from ingest import FileReport, LoadOptions, LoadReport, Progress, Reason, delimited, header, lines, validation, values

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "ingest.md").read_text("utf-8")


def first_cells(under: str) -> list[str]:
    """First column of the first table after a heading or bold word."""
    table = re.search(r"\n\|.*?\n\n", PAGE[PAGE.index(under) :], flags=re.S)
    assert table
    return [row.split("|")[1].strip().strip("`") for row in table.group().strip().splitlines()[2:]]


def names(of: type) -> list[str]:
    return [field.name for field in dataclasses.fields(of)]


def test_every_option_is_there_with_its_default() -> None:
    assert first_cells("### Options") == names(LoadOptions)
    default = LoadOptions()
    assert f"| `batch_size` | `{default.batch_size}` |" in PAGE
    assert f"| `examples` | `{default.examples}` |" in PAGE


def test_every_reason_and_limit_is_there() -> None:
    assert set(first_cells("## Lines that are set aside")) == set(Reason)
    for limit in (
        lines.MAX_LINE,
        delimited.MAX_RECORD,
        validation.MAX_ENTITY,
        validation.MAX_RELATION,
        values.MAX_VALUE,
        values.MAX_ITEMS,
    ):
        assert f"more than {limit:,} " in PAGE


def test_every_word_for_a_role_is_there() -> None:
    for role, words in header.ROLES.items():
        row = re.search(rf"^\| {role} \| (.*) \|$", PAGE, flags=re.M)
        assert row
        assert set(row[1].split(", ")) == words


def test_every_field_of_the_reports_is_there() -> None:
    report = PAGE[PAGE.index("## The report") :]
    for name in {*names(LoadReport), *LoadReport((), 0.0).as_dict(), *names(FileReport), *names(Progress)}:
        assert f"`{name}`" in report, name
