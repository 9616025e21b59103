"""Names of columns: telling a header from a fact, and which columns hold head, relation and tail."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from graph_schema import InputError
from ingest.options import LoadOptions

ROLES = {
    "head": frozenset({"head", "subject", "subj", "source", "src", "from", "start"}),
    "relation": frozenset({"relation", "relationship", "predicate", "pred", "property", "type", "rel", "edge"}),
    "tail": frozenset({"tail", "object", "obj", "target", "dst", "destination", "to", "end"}),
}
"""Words by which a column says what it holds; case, punctuation and a final "id" don't count."""
_OTHER = frozenset({"id", "name", "label", "title", "key", "code", "value", "uri", "iri", "node", "entity"})


def role(cell: str) -> str | None:
    """The role that a column's name says: "head", "relation", "tail", or None."""
    word = _word(cell)
    return next((name for name, words in ROLES.items() if word in words or word.removesuffix("id") in words), None)


def names_a_column(cell: str) -> bool:
    """Whether it is a word that columns are called by, whatever the data."""
    return role(cell) is not None or _word(cell) in _OTHER


def repeated(names: Sequence[str], *, exactly: bool = False) -> tuple[str, ...]:
    """The names that come more than once, each as it stands first; unless ``exactly``, case and punctuation don't
    count.
    """
    words = [name if exactly else _word(name) or name for name in names]
    first = dict(zip(reversed(words), reversed(names), strict=True))
    return tuple(first[word] for word in dict.fromkeys(words) if words.count(word) > 1)


def _word(cell: str) -> str:
    return re.sub(r"[\W_]", "", cell).casefold()


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


def is_broken_header(first: Sequence[str], rows: Iterable[Sequence[str]]) -> bool:
    """Whether a first line that wasn't taken for a header plainly is one that has a name twice, or two for the same of
    head, relation and tail: only words that columns are called by, none of which comes again in the rows below.
    """
    roles = [said for cell in first if (said := role(cell))]
    if not all(map(names_a_column, first)) or not (repeated(first) or len({*roles}) < len(roles)):
        return False
    return not any(cell.strip() == name.strip() for row in rows for name, cell in zip(first, row, strict=True))


def broken_header(source: str, line: int, names: Sequence[str], *, table: bool = False) -> InputError:
    """That the first line names the columns, and it can't be told from it which is which.

    Args:
        table: its columns are a mapping's to say.
    """
    twice = ", ".join(map(repr, repeated(names, exactly=table)))
    what = f"has {twice} more than once" if twice else "doesn't say one each for head, relation and tail"
    else_ = "give all of them names in a mapping (columns)" if table else "say the three by position (columns: 0,1,2)"
    return InputError(
        f"its first line looks like a header that {what}: {_some(names)}",
        where=f"{source}:{line}",
        fix=f"Rename the columns, {else_}, or say header: no if that line is data",
    )


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
        fix="Say the three columns, or what all mean in a mapping (--mapping; --suggest proposes one); "
        f"it has {_some(header)}",
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
