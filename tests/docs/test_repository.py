"""The documentation and the repository's files say what is so: links lead somewhere, commands exist, versions agree."""

from __future__ import annotations

import re
import tomllib
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.docs.repository import ROOT, commands, markdown, text_files

LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)
# A path that exists on one machine only, or a package index's address.
MACHINE_PATH = re.compile(r"(?<![\w.$})~*-])/(?:root|home|Users|work|opt)/[\w.-]")
INDEX_ADDRESS = re.compile(r"https?://[\w.-]*(?:pypi|artifactory|nexus|registry|mirror)[\w.-]*", re.IGNORECASE)


def anchor(heading: str) -> str:
    """The anchor that a heading gets on a Git host."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def project() -> dict[str, Any]:
    loaded: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return loaded


@pytest.mark.parametrize("page", sorted(markdown()))
def test_links_lead_to_files_and_headings_that_exist(page: str) -> None:
    for link in LINK.findall(markdown()[page]):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, fragment = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), f"{page} links to {link}"
        if fragment:
            anchors = {anchor(heading) for heading in HEADING.findall(target.read_text("utf-8"))}
            assert fragment in anchors, f"{page} links to {link}"


def test_every_page_of_docs_can_be_reached_from_its_index() -> None:
    pages = {name for name in markdown() if name.startswith("docs/")}
    reached, todo = set(), ["docs/README.md"]
    while todo:
        page = todo.pop()
        reached.add(page)
        here = (ROOT / page).parent
        linked = {(here / link.partition("#")[0]).resolve() for link in LINK.findall(markdown()[page])}
        todo += [name for name in pages - reached if (ROOT / name).resolve() in linked]
    assert pages - reached == set()


@pytest.mark.parametrize("page", sorted(markdown()))
def test_make_commands_in_pages_are_targets(page: str) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {target for line in commands(markdown()[page]) for target in re.findall(r"\bmake ([a-z-]+)", line)}
    named |= set(re.findall(r"`(?:[A-Z_]+=\S+ )*make ([a-z-]+)[^`]*`", markdown()[page]))
    assert named <= targets


def test_the_readme_names_the_two_commands_of_a_fresh_machine() -> None:
    assert [line for line in commands(markdown()["README.md"]) if line.startswith("make ")] == [
        "make demo",
        "make test",
    ]


def test_every_make_target_has_its_line_of_help() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    phony = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony
    for target in phony[0].split():
        assert re.search(rf"^{target}:.*## \S", makefile, re.MULTILINE), f"make {target} has no help"


def test_ci_runs_the_readmes_test_command() -> None:
    assert "make test" in text_files()[".ci/run"].splitlines()


def test_the_changelog_speaks_of_this_version_first() -> None:
    versions = re.findall(r"^## (\d+\.\d+\.\d+)", markdown()["CHANGELOG.md"], re.MULTILINE)
    assert versions[0] == project()["version"]


def test_every_dependency_is_pinned_to_a_version_it_allows() -> None:
    wanted = [*project()["dependencies"], *chain.from_iterable(project()["optional-dependencies"].values())]
    pins = dict(line.split("==") for line in text_files()["constraints.txt"].splitlines() if not line.startswith("#"))
    pinned = {canonicalize_name(name): version for name, version in pins.items()}
    for requirement in map(Requirement, wanted):
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), requirement


def test_constraints_are_sorted_and_carry_no_local_version() -> None:
    lines = text_files()["constraints.txt"].splitlines()[1:]
    assert lines == sorted(lines, key=str.lower)
    assert not [line for line in lines if "+" in line]


@pytest.mark.parametrize("pattern", [MACHINE_PATH, INDEX_ADDRESS], ids=["path", "index"])
def test_no_file_names_one_machines_path_or_a_package_index(pattern: re.Pattern[str]) -> None:
    found = [
        f"{name}:{number}: {line.strip()}"
        for name, text in text_files().items()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    "line", ["see " + "/root" + "/x", "cd=" + "/work" + "/main", "url: https://" + "pypi.example.org/simple"]
)
def test_the_patterns_find_what_they_are_for(line: str) -> None:
    assert MACHINE_PATH.search(line) or INDEX_ADDRESS.search(line)


def test_scripts_can_be_executed() -> None:
    scripts = [name for name, text in text_files().items() if text.startswith("#!")]
    assert scripts
    assert [name for name in scripts if not Path(ROOT / name).stat().st_mode & 0o100] == []
