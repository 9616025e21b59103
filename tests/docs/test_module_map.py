"""The module map names every module, and no other."""

from __future__ import annotations

import re

from tests.docs.repository import ROOT

PACKAGES = ("graph_schema", "ingest", "kgqa")


def test_the_map_names_every_module_and_no_other() -> None:
    page = (ROOT / "docs/module-map.md").read_text("utf-8")
    sections = dict(re.findall(r"^## (graph_schema|ingest|kgqa):.*?$(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    for package in PACKAGES:
        there = {
            ".".join(path.relative_to(ROOT / package).with_suffix("").parts)
            for path in (ROOT / package).rglob("*.py")
            if path.name != "__init__.py"
        }
        rows = [line.split("|")[1] for line in sections[package].splitlines() if line.startswith("| `")]
        named = {name for row in rows for name in re.findall(r"`([\w.]+)`", row)}
        assert named == there, package
