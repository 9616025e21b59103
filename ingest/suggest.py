"""Proposing a mapping from the data: what each file is, and which columns refer to which. See ``suggest``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from graph_schema.types import DEFAULT_LABEL
from ingest.formats import RDF
from ingest.header import role
from ingest.mapping_file import MappingFile
from ingest.options import LoadOptions
from ingest.profile import Column, Profile, profiled
from ingest.sources import Source
from ingest.suggestion import End, Link, Node, Plan, written

MIN_CONTAINED = 0.9
FEW = 100  # kinds of something
_GENERIC = re.compile(r"(all|the)?[_ -]?(nodes?|entit(y|ies)|vertices|things?|items?)", re.IGNORECASE)
_ID = re.compile(r"[\s_.-]*(id|ids|key|code|ref|fk|no|nr|number)$", re.IGNORECASE)
_ITSELF = frozenset({"parent", "manager", "boss", "reportsto", "supervisor", "superior", "predecessor", "successor"})
_NAMES = ("name", "title", "label", "fullname", "displayname", "preferredname", "caption")
_KINDS = frozenset({"label", "kind", "type", "class", "category"})
_PREFIX = re.compile(r"(.*?(?:::|[:/_#-]))(.+)", re.DOTALL)


def suggest(sources: Sequence[Source], options: LoadOptions | None = None) -> str:
    """A mapping for these files, as YAML with comments that say why; to be looked over and edited.

    It loads the data as it is: what can't be made out stays a property, and ends that aren't there become nodes. Of
    each file at most ``profile.ROWS`` rows are looked at; a comment says where there are more.

    Raises:
        InputError: a file can't be read.
    """
    profiles = [profiled(source, options or LoadOptions()) for source in sources]
    plans = _Suggestion(profiles).plans()
    text = written(plans)
    MappingFile.from_yaml(text, where="the suggested mapping")
    return text


@dataclass
class _Table:
    """A file of rows, on the way to being understood."""

    profile: Profile
    plan: Plan
    key: Column | None = None
    references: dict[str, End] = field(default_factory=dict)  # by column

    @property
    def label(self) -> str:
        return self.plan.label


class _Suggestion:
    def __init__(self, profiles: Sequence[Profile]) -> None:
        self._tables = [_Table(profile, Plan(profile)) for profile in profiles]

    def plans(self) -> list[Plan]:
        tables = [table for table in self._tables if table.profile.format not in RDF and not self._is_triples(table)]
        for table in tables:
            table.key = _key(table.profile)
            table.plan.label = _label(table)
        for table in tables:
            for column in table.profile.columns:
                if column is not table.key or _said_end(column):
                    self._refer(table, column, tables)
        edges = [table for table in tables if _is_edges(table)]
        nodes = [table for table in tables if table not in edges]
        self._write_ids(nodes)
        for table in nodes:
            _fill_node(table)
        for table in edges:
            _fill_edges(table)
        return [table.plan for table in self._tables]

    def _is_triples(self, table: _Table) -> bool:
        """Three columns, the middle one of few kinds, or with a header that says so."""
        profile = table.profile
        if not profile.columns:
            table.plan.note("no rows were seen")
        if len(profile.columns) != 3 or any(column.nested for column in profile.columns):
            return False
        roles = [role(column.name) for column in profile.columns]
        said = profile.header is not False and set(roles) == {"head", "relation", "tail"}
        first, middle, last = profile.columns
        many = min(len(first.distinct | last.distinct), profile.rows)
        few = profile.header is False and middle.type[0] == "string" and len(middle.distinct) < many
        few = few and len(middle.distinct) <= max(FEW, many / 2)
        if not said and not few:
            return False
        if said:
            table.plan.triples = tuple(profile.columns[roles.index(name)].name for name in ("head", "relation", "tail"))
            table.plan.note("the header says head, relation and tail")
        else:
            table.plan.triples = (0, 1, 2)
            table.plan.note(f"three columns without a header; the middle one has {len(middle.distinct):,} kinds")
        return True

    def _refer(self, table: _Table, column: Column, tables: Sequence[_Table]) -> None:
        """Find out whether a column refers to the key of some file."""
        found = [
            (score, end)
            for other in tables
            if other.key is not None and (other is not table or column is not table.key)
            for score, end in _references(table, column, other)
        ]
        found.sort(key=lambda pair: -pair[0])
        if found and found[0][0] > 0 and (len(found) == 1 or found[0][0] > found[1][0]):
            table.references[column.name] = found[0][1]
        elif found:
            could = ", ".join(end.file for _, end in found)
            table.plan.doubts[column.name] = f"may refer to {could}; by its values it can't be told"
        elif (said := _said_end(column)) and said[1]:
            why = "as the header says; that file wasn't given"
            table.references[column.name] = End(said[1], "", (column.name,), create=True, why=why)

    def _write_ids(self, tables: Sequence[_Table]) -> None:
        """Ids as they stand, where they can't be those of another file; else with the label before."""
        for table in tables:
            if table.key is None:
                continue
            others = [other.key.distinct for other in tables if other is not table and other.key is not None]
            clash = any(not table.key.distinct.isdisjoint(other) for other in others)
            if clash or table.key.type[0] == "integer":
                table.plan.template = f"{_plain(table.label)}/"
                table.plan.note(
                    f"ids get {table.plan.template!r} before them, "
                    + ("since other files have the same ones" if clash else "since numbers may come up elsewhere too")
                )
        templates = {table.label: table.plan.template for table in tables}
        for table in self._tables:
            for end in table.references.values():
                if end.file and not end.prefix:
                    end.template = templates.get(end.label, "")


def _key(profile: Profile) -> Column | None:
    """The column that tells the rows apart."""
    unique = [c for c in profile.columns if c.unique and not c.nested and not c.separator and c.type[0] != "float"]
    stem = _plain(_singular(profile.stem))

    def rank(column: Column) -> int:
        name, kind, _ = column.imported
        plain = _plain(name)
        if kind == "ID" or plain in ("id", f"{stem}id", "key", "code", f"{stem}key", f"{stem}code", "uri", "iri"):
            return 0
        if _ID.search(name) or plain in (stem, "isbn", "sku", "symbol", "abbreviation"):
            return 1
        short = max(map(len, column.texts), default=0) <= 100
        return 2 if short and column.type[0] in ("string", "integer") and plain not in ("description", "text") else 3

    ranked = sorted((c for c in unique if rank(c) < 3 and not _said_end(c)), key=rank)
    if not ranked:
        return None
    # Without a name that says so, only the first column may be it, and not one of two rows.
    if rank(ranked[0]) == 2 and ranked[0] is not profile.columns[0] and profile.rows < 20:
        return None
    return ranked[0]


def _said_end(column: Column) -> tuple[str, str] | None:
    """Side and label, of a column named as in ``:START_ID(Gene)``."""
    _, kind, label = column.imported
    return {"START_ID": ("head", label), "END_ID": ("tail", label)}.get(kind)


def _label(table: _Table) -> str:
    if table.key is not None and (space := table.key.imported[2]):
        return space
    words = re.findall(r"[^\W_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", table.profile.stem)) or [DEFAULT_LABEL]
    made = "".join(word[0].upper() + word[1:] for word in words)
    return _singular(made) if not made[0].isdigit() else f"File{made}"


def _references(table: _Table, column: Column, other: _Table) -> Iterator[tuple[int, End]]:
    """How well a column fits the key of a file, if it does, and the end that it then is; 0: it may be chance."""
    key = other.key
    values = column.items
    if key is None or not values or column.type[0] in ("float", "boolean") or (column.nested and not column.several):
        return
    said = _said_end(column)
    contained = len(values & key.distinct) / len(values)
    prefix = ""
    if contained < MIN_CONTAINED and (prefix := _prefix(column, key, said[1] if said else "")):
        contained = sum(prefix + value in key.distinct for value in values) / len(values)
    if contained < MIN_CONTAINED and not (other.profile.more and contained > 0):
        return
    name, target = _plain(_ID.sub("", column.imported[0])), _plain(other.label)
    alike = name in (target, _plain(other.profile.stem)) or (
        _plain(column.name) == _plain(key.name) and _plain(key.name) != "id"
    )
    itself = other is table and name in _ITSELF
    numbers = column.type[0] == "integer" and not prefix
    pointing = _ID.search(column.imported[0])
    if alike or itself or (said is not None and (prefix or said[1] == other.label)):
        score = 3
    elif target and name.endswith(target):
        score = 2
    elif target and numbers and pointing:
        # Numbers of its own may be among those of any file that has more.
        certain = not column.unique or (other is not table and pointing[1].casefold() in ("id", "ids"))
        score = 1 if certain and contained == 1 else 0
    elif not numbers and len(values) >= 3 and other is not table:
        score = 1
    else:
        return
    missing = len(values) - round(contained * len(values))
    why = f"{len(values) - missing:,} of its {len(values):,} values are {key.name} in {other.profile.file}"
    label = said[1] if said and said[1] else ("" if other.plan.label_column else other.label)
    if prefix:
        label = label or prefix.rstrip(":/_#-")
    yield (
        score,
        End(
            label or DEFAULT_LABEL,
            other.profile.file,
            (column.name,),
            prefix=prefix,
            separator=column.separator,
            create=missing > 0 or other.profile.more or table.profile.more,
            why=why,
        ),
    )


def _prefix(column: Column, key: Column, label: str) -> str:
    """What must stand before the column's values to make the key's; empty if nothing does."""
    sample = [*column.items][:FEW]
    known: dict[str, set[str]] = {}
    for text in key.distinct:
        if match := _PREFIX.fullmatch(text):
            known.setdefault(match[1], set()).add(match[2])
    fitting = [
        before
        for before, rest in known.items()
        if sum(value in rest for value in sample) >= MIN_CONTAINED * len(sample)
    ]
    named = [before for before in fitting if label and _plain(before) == _plain(label)]
    chosen = named or fitting
    return chosen[0] if len(chosen) == 1 else ""


def _is_edges(table: _Table) -> bool:
    """Two references, and no key but them."""
    own = table.key is not None and table.key.name not in table.references
    return len(table.references) >= 2 and (
        not own or {_said_end(c) is not None for c in table.profile.columns} == {True}
    )


def _fill_node(table: _Table) -> None:
    profile, plan = table.profile, table.plan
    if not profile.columns:
        return
    node = Node()
    if table.key is not None:
        node.key = (table.key.name,)
        plan.note(f"{table.key.name} is in each row, and no value comes twice")
    else:
        whole = [c.name for c in profile.columns if c.complete and c.type[0] != "float" and not c.nested]
        node.key = tuple(whole[:1]) if len(whole) < 2 else tuple(whole[:6])
        node.merge = True
        plan.note("NO KEY was found: rows are told apart by several columns. Choose better if you can")
        if not node.key:
            node.key = (profile.columns[0].name,)
            node.optional = True
    kind = next((c for c in profile.columns if _plain(c.imported[0]) in _KINDS or c.imported[1] == "LABEL"), None)
    if kind is not None and _says_label(kind, profile) and kind.name not in node.key:
        node.label_column = plan.label_column = kind.name
        plan.note(f"{kind.name} says what each row is; it has {len(kind.distinct)} kinds")
    rest = [c for c in profile.columns if c.name not in (*node.key, node.label_column)]
    node.name = _name([c for c in rest if c.name not in table.references], table.label)
    for column in rest:
        if column.name in table.references:
            end = table.references[column.name]
            plan.links.append(Link(_type_of(column, end.label), tail=end, why=end.why))
        elif column.name not in node.name:
            node.properties.append(column)
    plan.node = node


def _says_label(column: Column, profile: Profile) -> bool:
    general = _GENERIC.fullmatch(profile.stem) is not None or column.imported[1] == "LABEL"
    return general and column.complete and len(column.distinct) <= FEW


def _name(columns: Sequence[Column], label: str) -> tuple[str, ...]:
    """The column that names a node, or two: first and last name."""
    texts = [c for c in columns if c.type[0] == "string" and c.texts and not c.nested and not c.separator]
    plain = {_plain(c.imported[0]): c.name for c in texts}
    for first, last in (("firstname", "lastname"), ("first", "last"), ("givenname", "familyname")):
        if first in plain and last in plain:
            return plain[first], plain[last]
    wanted = [*_NAMES, *(f"{_plain(label)}{word}" for word in _NAMES)]
    exact = next((plain[word] for word in wanted if word in plain), None)
    ending = next((name for word, name in plain.items() if word.endswith(("name", "title"))), None)
    found = exact or ending
    return (found,) if found else ()


def _fill_edges(table: _Table) -> None:
    profile, plan = table.profile, table.plan
    sides = {side[0]: c.name for c in profile.columns if (side := _said_end(c)) and c.name in table.references}
    names = [sides[side] for side in ("head", "tail") if side in sides]
    if len(names) < 2:
        names = sorted(table.references, key=lambda name: role(name) == "tail")[:2]
    head, tail = (table.references[name] for name in names)
    kind = next(
        (
            c
            for c in profile.columns
            if c.name not in names and (role(c.name) == "relation" or c.imported[1] == "TYPE") and c.complete
        ),
        None,
    )
    if kind is not None and len(kind.distinct) > FEW and kind.imported[1] != "TYPE":
        kind = None
    link = Link(_edge_type(profile.stem, head.label, tail.label), head, tail)
    if kind is not None:
        link.type, link.type_column = "", kind.name
        plan.note(f"{kind.name} says the relationship; it has {len(kind.distinct)} kinds")
    plan.note(f"its rows have no key of their own and two references: {names[0]} and {names[1]}")
    for name, end in zip(names, (head, tail), strict=True):
        plan.note(f"{name}: {end.why}")
    link.optional = any(not column.complete for column in profile.columns if column.name in names)
    link.properties = [c for c in profile.columns if c.name not in (*names, link.type_column)]
    plan.links.append(link)


def _edge_type(stem: str, head: str, tail: str) -> str:
    """A relationship's name from a file's: what stands between the labels, or all of it."""
    words = re.split(r"[_\-. ]+", stem)
    inner = words[1:-1] if len(words) > 2 and _same(words[0], head) and _same(words[-1], tail) else words
    return "_".join(inner)


def _same(word: str, label: str) -> bool:
    one, other = _plain(_singular(word)), _plain(_singular(label))
    return one == other or (len(one) > 4 and one[:-2] in other)


def _type_of(column: Column, label: str) -> str:
    name = re.sub(r"\W+", "_", _ID.sub("", column.imported[0])).strip("_") or column.name
    return f"has_{name}" if _plain(name) == _plain(label) else name


def _plain(text: str) -> str:
    return re.sub(r"[\W_]", "", text).casefold()


def _singular(word: str) -> str:
    lower = word.casefold()
    if lower in ("people", "persons"):
        return "Person" if word[0].isupper() else "person"
    for ending, instead in (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("shes", "sh"), ("s", "")):
        if (
            lower.endswith(ending)
            and len(lower) > len(ending) + 2
            and not lower.endswith(("ss", "us", "is", "ics", "eries"))
        ):
            return word[: -len(ending)] + instead
    return "Series" if lower == "series" and word[0].isupper() else word
