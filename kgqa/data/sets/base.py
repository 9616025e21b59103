"""What every question set is once it has been read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from graph_schema import InputError, Schema
from kgqa.data.graph import Walker, load_graph
from kgqa.data.leakage import SHARES, Kind, Shares, Split, make_split
from kgqa.data.questions import Question
from kgqa.stores.snapshot import Snapshot

PARTS = ("train", "dev", "test")


@dataclass(frozen=True)
class QuestionSet:
    """A set's facts and questions.

    Attributes:
        name: as figures and experiments call it.
        facts: its file of facts, of a format that ``kgqa ingest`` reads; None where a mapping explains other files.
        schema: of the graph, where the set has one.
        questions: all of them, or, of a set with an official split, none.
        official: the questions of "train", "dev" and "test", where the set says which is which.
        mapping, aside: see ``load_graph``.
    """

    name: str
    facts: Path | None
    questions: Sequence[Question] = ()
    official: Mapping[str, Sequence[Question]] | None = None
    schema: Schema | None = None
    mapping: Path | None = None
    aside: tuple[Path, ...] = ()

    @property
    def folder(self) -> Path:
        """The directory of its facts."""
        return next((path.parent for path in (self.facts, self.mapping) if path), Path())

    def graph(self) -> Snapshot:
        """The set's facts, in memory.

        Raises:
            InputError, MappingError: see ``load_graph``.
        """
        return load_graph(self.facts, self.schema, self.mapping, self.aside)

    def split(self, kind: Kind | None, seed: int, walker: Walker, shares: Shares = SHARES) -> Split:
        """The split of this kind and seed; None: the official one, or "random" where there is none.

        Raises:
            InputError: see ``make_split``, or shares of a split that is as it is.
        """
        if kind is None and self.official is not None:
            if shares != SHARES:
                raise InputError(
                    f"{self.name} has an official split, so shares say nothing",
                    fix="Say how to split it (by, --by), or leave the shares out",
                )
            train, dev, test = (tuple(self.official.get(part, ())) for part in PARTS)
            return Split(train, dev, test)
        together = self.questions or [q for part in PARTS for q in (self.official or {}).get(part, ())]
        try:
            return make_split(together, kind or "random", seed, walker, shares)
        except InputError as error:
            raise InputError(error.what, where=f"{self.name}, split {kind or 'random'}", fix=error.fix) from error
