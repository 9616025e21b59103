"""A suggested mapping before it is YAML, and how it is written, with the reasons beside it."""

from __future__ import annotations

import glob
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

import yaml

from graph_schema import PropertyType
from graph_schema.text import counted
from graph_schema.types import DEFAULT_LABEL
from ingest.formats import RDF
from ingest.ids import braced
from ingest.profile import ROWS, Column, Profile


@dataclass
class End:
    """An end of a relationship: the label and file that a column refers to, and what stands before its values."""

    label: str
    file: str
    columns: tuple[str, ...]
    prefix: str = ""
    template: str = ""
    separator: str = ""
    create: bool = False
    why: str = ""


@dataclass
class Link:
    """A relationship; ``head``: None: the row's own node."""

    type: str
    head: End | None = None
    tail: End | None = None
    type_column: str = ""
    optional: bool = False
    properties: list[Column] = field(default_factory=list)
    why: str = ""


@dataclass
class Node:
    """A node for each row."""

    key: tuple[str, ...] = ()
    name: tuple[str, ...] = ()
    label_column: str = ""
    properties: list[Column] = field(default_factory=list)
    merge: bool = False
    optional: bool = False


@dataclass
class Plan:
    """What a file is taken for. ``template``: what stands before its ids; ``doubts``: by column."""

    profile: Profile
    label: str = DEFAULT_LABEL
    template: str = ""
    label_column: str = ""
    node: Node | None = None
    links: list[Link] = field(default_factory=list)
    triples: tuple[str | int, ...] = ()
    notes: list[str] = field(default_factory=list)
    doubts: dict[str, str] = field(default_factory=dict)

    def note(self, text: str) -> None:
        self.notes.append(text)


def written(plans: Sequence[Plan]) -> str:
    """The mapping as YAML."""
    lines = [
        "# A mapping suggested from the data. Look it over: labels, names, types, which columns refer to which.",
        "# Every key is described in docs/reference/mapping.md.",
        "version: 1",
        "sources:",
    ]
    times = Counter(plan.profile.file for plan in plans)
    for plan in plans:
        folder = PurePath(plan.profile.source.name).parent.name if times[plan.profile.file] > 1 else ""
        lines += _source(plan, glob.escape(f"{folder}/{plan.profile.file}" if folder else plan.profile.file))
    return "\n".join(lines) + "\n"


def _source(plan: Plan, files: str) -> Iterator[str]:
    profile = plan.profile
    for note in (*plan.notes, *_seen(profile)):
        yield f"  # {_one_line(note)}"
    yield f"  - files: {_text(files)}"
    if profile.format in RDF:
        yield "    rdf: {}"
        return
    if profile.header is not None and profile.format != "auto":
        yield f"    format: {profile.format}"
    if profile.header is not None:
        yield f"    header: {_text('yes' if profile.header else 'no')}"
    nulls = dict.fromkeys(word for column in profile.columns for word in column.nulls)
    if nulls:
        where = ", ".join(_one_line(column.name) for column in profile.columns if column.nulls)
        yield f"    nulls: {_text(['', *nulls])}  # in {where}"
    if plan.triples:
        yield f"    triples: {_text([*plan.triples])}"
        return
    if profile.header is False:
        names = [_column(profile, column.name) for column in profile.columns]
        yield f"    columns: {_text(names)}  # names to be chosen"
    if plan.node is not None:
        yield from _node(plan, plan.node)
    if plan.links:
        yield "    relationships:"
        for link in plan.links:
            yield from _link(plan, link)
    if plan.node is None and not plan.links:
        yield "    triples: [0, 1, 2]"


def _seen(profile: Profile) -> Iterator[str]:
    if profile.doubt:
        yield profile.doubt
    if profile.more:
        yield f"only the first {ROWS:,} rows were looked at: keys, types and references may be otherwise after them"
    if profile.bad:
        yield f"{counted(profile.bad, 'line')} can't be read, and will be set aside"


def _node(plan: Plan, node: Node) -> Iterator[str]:
    yield "    nodes:"
    label = {"column": node.label_column} if node.label_column else plan.label
    yield f"      - label: {_text(label)}"
    names = [_column(plan.profile, name) for name in node.key]
    yield f"        id: {_text(_id(plan.template, names))}"
    if node.name:
        chosen = [_column(plan.profile, name) for name in node.name]
        yield f"        name: {_text(chosen[0] if _plain(chosen) else ' '.join(map(braced, chosen)))}"
    if node.properties:
        yield "        properties:"
        yield from _properties(plan, node.properties, " " * 10)
    if node.merge:
        yield "        duplicates: merge"
    if node.optional:
        yield "        optional: true"


def _link(plan: Plan, link: Link) -> Iterator[str]:
    type_: Any = {"column": _column(plan.profile, link.type_column)} if link.type_column else link.type
    yield f"      - type: {_text(type_)}" + (f"  # {_one_line(link.why)}" if link.why else "")
    yield f"        head: {_text(plan.label if link.head is None else _end(plan, link.head))}"
    if link.tail is not None:
        yield f"        tail: {_text(_end(plan, link.tail))}"
    if link.properties:
        yield "        properties:"
        yield from _properties(plan, link.properties, " " * 10)
    if link.optional:
        yield "        optional: true  # some rows lack an end"
    if any(end.create for end in (link.head, link.tail) if end is not None):
        yield "        dangling: create  # some ends weren't found among the nodes, or not all was looked at"


def _properties(plan: Plan, columns: Sequence[Column], indent: str) -> Iterator[str]:
    taken: set[str] = set()
    for column in columns:
        name, shown = _property_name(column, plan.profile), _column(plan.profile, column.name)
        while name in taken:
            name += "_"
        taken.add(name)
        type_, format_ = _type(column)
        said: dict[str, Any] = {"column": shown}
        if type_ != "string":
            said["type"] = type_
        if format_:
            said["format"] = format_
        if type_ == "float" and column.decimal != ".":
            said["decimal"] = column.decimal
        if column.several:
            said["list"] = True
        elif column.separator:
            said["separator"] = column.separator
        comments = [plan.doubts[column.name]] if column.name in plan.doubts else []
        if format_ in ("%d/%m/%Y", "%m/%d/%Y"):
            comments.append("day and month may be the other way round")
        if not column.texts and not column.several:
            comments.append("no value was seen")
        comment = f"  # {_one_line('; '.join(comments))}" if comments else ""
        yield f"{indent}{_text(name)}: {_text(shown if len(said) == 1 else said)}{comment}"


def _type(column: Column) -> tuple[PropertyType, str]:
    return ("string", "") if column.nested and not column.several else column.type


def _property_name(column: Column, profile: Profile) -> str:
    name = column.imported[0] or column.name
    return re.sub(r"\W+", "_", _column(profile, name) if name == column.name else name).strip("_") or "value"


def _column(profile: Profile, name: str) -> str:
    """A column as the mapping names it."""
    return f"column_{name}" if profile.header is False and name.isdigit() else name


def _id(prefix: str, columns: Sequence[str]) -> object:
    if _plain(columns) and not prefix:
        return columns[0]
    if prefix or len(columns) == 1:
        return prefix.replace("{", "{{").replace("}", "}}") + "/".join(map(braced, columns))
    return list(columns)


def _plain(columns: Sequence[str]) -> bool:
    """Whether it is a single column that can be written without braces."""
    return len(columns) == 1 and not set("{}") & set(columns[0])


def _end(plan: Plan, end: End) -> dict[str, Any]:
    columns = [_column(plan.profile, name) for name in end.columns]
    said: dict[str, Any] = {} if end.label == DEFAULT_LABEL else {"label": end.label}
    if end.prefix or not end.file or end.label == DEFAULT_LABEL:
        said["id"] = _id(end.prefix or end.template, columns)
    else:
        said["key"] = columns[0] if len(columns) == 1 else columns
    if end.separator:
        said["separator"] = end.separator
    return said


def _text(value: object) -> str:
    """A value as YAML on one line."""
    made = yaml.safe_dump(value, default_flow_style=True, width=1_000_000, allow_unicode=True, sort_keys=False)
    return made.removesuffix("\n").removesuffix("\n...")


def _one_line(text: str) -> str:
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())
