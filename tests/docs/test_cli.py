"""Every command has help with an example, and is documented; every command that a page shows exists."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import pytest
import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from kgqa.cli.commands import app
from tests.docs.repository import commands, markdown


def leaves(
    group: TyperGroup, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], TyperCommand | TyperGroup]]:
    """Every command that does something, groups that do so alone among them, with its words after ``kgqa``."""
    for name, child in group.commands.items():
        if isinstance(child, TyperGroup):
            if child.invoke_without_command:
                yield (*path, name), child
            yield from leaves(child, (*path, name))
        else:
            assert isinstance(child, TyperCommand)
            yield (*path, name), child


def options(words: tuple[str, ...]) -> list[TyperOption]:
    return [option for option in COMMANDS[words].params if isinstance(option, TyperOption) and not option.hidden]


ROOT_GROUP = typer.main.get_command(app)
assert isinstance(ROOT_GROUP, TyperGroup)
COMMANDS = dict(leaves(ROOT_GROUP))
by_name = pytest.mark.parametrize("words", COMMANDS, ids=" ".join)


@by_name
def test_help_says_what_the_command_does_and_shows_an_example(words: tuple[str, ...]) -> None:
    text = COMMANDS[words].help or ""
    assert text.strip()
    assert f"kgqa {' '.join(words)}" in text, "no example"


@by_name
def test_every_option_has_help(words: tuple[str, ...]) -> None:
    assert [option.name for option in options(words) if not option.help] == []


@by_name
def test_the_reference_documents_the_command_and_its_options(words: tuple[str, ...]) -> None:
    page = markdown()["docs/reference/cli.md"]
    heading = f"## kgqa {' '.join(words)}"
    sections = dict(re.findall(r"^(## kgqa .*?)$(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    assert heading in sections
    missing = [option.opts[0] for option in options(words) if f"`{option.opts[0]}" not in sections[heading]]
    assert missing == [], f"{heading} doesn't say"


@pytest.mark.parametrize("page", sorted(markdown()))
def test_commands_in_pages_exist_with_their_options(page: str) -> None:
    groups = {known[:length] for known in COMMANDS for length in range(len(known))}
    for line in commands(markdown()[page]):
        _, called, said = line.partition("kgqa ")
        if not called or not re.fullmatch(r"([A-Z_]+=\S+ )*(\S*/)?", line.partition("kgqa ")[0]):
            continue
        words = shlex.split(said)
        fitting = [known for known in COMMANDS if tuple(words[: len(known)]) == known]
        command = max(fitting, key=len, default=None)
        if command is None:
            assert words[-1] == "--help", f"{page}: {line}"
            assert tuple(words[:-1]) in groups, f"{page}: {line}"
            continue
        known_options = {"--help"} | {
            flag for option in COMMANDS[command].params for flag in (*option.opts, *option.secondary_opts)
        }
        used = {word.partition("=")[0] for word in words[len(command) :] if re.match(r"--?[a-z]", word)}
        assert used <= known_options, f"{page}: {line}"
