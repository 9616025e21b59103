"""Names of columns: telling a header from a fact, and which columns hold head, relation and tail."""

from __future__ import annotations

import re
from collections.abc import Sequence

from graph_schema import InputError
from ingest.options import LoadOptions

ROLES = {
    "head": frozenset({"head", "subject", "subj", "source", "src", "from", "start"}),
    "relation": frozenset({"relation", "relationship", "predicate", "pred", "property", "type", "rel", "edge"}),
    "tail": frozenset({"tail", "object", "obj", "target", "dst", "destination", "to", "end"}),
}
"""Words by which a column says what it holds; case, punctuation and a final "id" don't count."""


def role(cell: str) -> str | None:
    """The role that a column's name says: "head", "relation", "tail", or None."""
    word = re.sub(r"[\W_]", "", cell).casefold()
    return next((name for name, words in ROLES.items() if word in words or word.removesuffix("id") in words), None)


def is_header(cells: Sequence[str], options: LoadOptions) -> bool:
    """Whether the first line names the columns rather than stating a fact."""
    if options.header != "auto" or options.table:
        return options.header != "no"
    columns = options.columns
    if columns is None:
        return len(cells) == 3 and None not in (said := {role(cell) for cell in cells}) and len(said) == 3
    if any(isinstance(column, str) for column in columns):
        return True
    places = [column for column in columns if isinstance(column, int)]
    return max(places) < len(cells) and [role(cells[place]) for place in places] == list(ROLES)


def positions(
    source: str, header: Sequence[str] | None, options: LoadOptions, *, named: bool = False
) -> tuple[int, int, int]:
    """Positions of the columns that hold head, relation and tail.

    Args:
        named: the columns' names say what they hold, whatever their order and whatever else there is.

    Raises:
        InputError: a column asked for by name isn't in the header, or is there twice; or with ``named``, no columns are
            asked for, and the names don't say which they are.
    """
    if options.columns is None and named:
        return _by_roles(source, header or ())
    if options.columns is None:
        said = {role(cell): place for place, cell in enumerate(header or ())}
        if len(header or ()) == 3 and said.keys() == ROLES.keys():
            return said["head"], said["relation"], said["tail"]
        return 0, 1, 2
    head, relation, tail = (
        column if isinstance(column, int) else _named(source, column, header or ()) for column in options.columns
    )
    return head, relation, tail


def _by_roles(source: str, header: Sequence[str]) -> tuple[int, int, int]:
    roles = [role(name) for name in header]
    if all(roles.count(name) == 1 for name in ROLES):
        return roles.index("head"), roles.index("relation"), roles.index("tail")
    raise InputError(
        "its columns don't say which of them are head, relation and tail",
        where=source,
        fix=f"Say the three columns; it has {_some(header)}",
    )


def _some(header: Sequence[str]) -> str:
    return ", ".join(map(repr, header[:20])) + (" and more" if len(header) > 20 else "")


def _named(source: str, column: str, header: Sequence[str]) -> int:
    if (times := header.count(column)) == 1:
        return list(header).index(column)
    raise InputError(
        f"its header has {'no' if not times else 'more than one'} column {column!r}",
        where=source,
        fix=f"It names {_some(header)}",
    )
