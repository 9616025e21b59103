r"""Ids of nodes: made from the columns of a row by a template, so that ids of different tables don't collide.

A template is text with columns in braces: ``film/{film_id}``; ``{{`` and ``}}`` are braces themselves, and in the name
of a column ``\{`` and ``\}`` are. A value stands in it as it is; where there are several, what separates them is
written ``%XX`` inside of each, as is ``%``, so that no two rows of different keys have the same id.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_PART = re.compile(r"\{\{|\}\}|\{((?:\\[{}]|[^{}])+)\}|[{}]|[^{}]+")
_BETWEEN = "/"


def braced(column: str) -> str:
    r"""A column as it stands in a template.

    >>> print(braced("film_id"), braced("a{b"))
    {film_id} {a\{b}
    """
    return "{" + re.sub(r"[{}]", r"\\\g<0>", column) + "}"


@dataclass(frozen=True, slots=True)
class Template:
    """``columns`` stand between ``texts``, of which there is one more."""

    texts: tuple[str, ...]
    columns: tuple[str | int, ...]

    @classmethod
    def parse(cls, text: str) -> Template:
        """A template from how it is written; text without braces is the name of the only column.

        Raises:
            ValueError: why it is none.
        """
        if "{" not in text and "}" not in text:
            return cls(("", ""), (text,))
        texts, columns = [""], []
        for match in _PART.finditer(text):
            if match.group() in "{}":
                raise ValueError(f"{text!r} has a single {match.group()}; write a brace that is meant as two")
            if match[1] is None:
                texts[-1] += match.group().replace("{{", "{").replace("}}", "}")
            else:
                columns.append(re.sub(r"\\([{}])", r"\1", match[1]))
                texts.append("")
        if not columns:
            raise ValueError(f"{text!r} has no column in it; write one as {{column}}")
        if "" in texts[1:-1]:
            raise ValueError(f"{text!r} has two columns with nothing between; put a / there")
        return cls(tuple(texts), tuple(columns))

    @classmethod
    def of(cls, columns: Sequence[str | int]) -> Template:
        """The plain one: the columns with a slash between."""
        return cls(("", *[_BETWEEN] * (len(columns) - 1), ""), tuple(columns))

    def filled(self, columns: Sequence[Sequence[str | None]]) -> list[str | None]:
        """The id of each row; None where one of its columns has nothing."""
        before, after = self.texts[0], self.texts[-1]
        if len(columns) == 1:
            if not before and not after:
                return list(columns[0])
            return [None if value is None else f"{before}{value}{after}" for value in columns[0]]
        escapes = self._escapes()
        rows = zip(*columns, strict=True)
        return [None if None in row else self._joined([str(value).translate(escapes) for value in row]) for row in rows]

    def _joined(self, values: Sequence[str]) -> str:
        return "".join(text + value for text, value in zip(self.texts, (*values, ""), strict=True))

    def _escapes(self) -> dict[int, str]:
        return {ord(character): f"%{ord(character):02X}" for text in ("%", *self.texts[1:-1]) for character in text}
