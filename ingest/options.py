"""How a load is to be done."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from graph_schema import ConfigError
from ingest.formats import Format
from ingest.rdf_options import RdfOptions
from ingest.records import Reject

Header = Literal["auto", "yes", "no"]
Quoting = Literal["auto", "yes", "no"]
Columns = tuple[int | str, int | str, int | str]
BATCH_SIZE = 60_000  # facts; against 20,000 a load into Neo4j takes a tenth less CPU time, and one again a sixth less
FIRST_BATCH = 15_000


def _nobody(_: object) -> None:
    """Takes what is set aside, and only lets it be counted."""


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """Attributes:
        format: "tsv", "pipe" (``|``), "csv", "semicolon" (CSV with ``;``), "jsonl", "parquet", "ntriples", "nquads",
            "turtle", "trig"; or "auto": found from the content and the name.
        header: "yes": the first line that isn't blank names the columns; "no": it is a fact; "auto": it is a header if
            columns are asked for by name, or if it says head, relation and tail in words that mean so.
        columns: which columns hold head, relation and tail: 0-based positions, or names from the header. None: the
            lines have exactly three, in the header's order if it says one, else head, relation, tail.
        table: the rows are those of a table of any width, with a header unless ``header`` is "no"; a mapping says what
            they mean.
        needed: of JSON lines and Parquet, the only columns that are read; of nested ones ``outer.inner``. None: all.
        rdf: what RDF is to mean.
        quoting: "yes": fields may stand in double quotes as RFC 4180 has it; "no": quotes are characters like any
            other; "auto": "yes" for CSV, with commas or semicolons, and where each field of the first lines is quoted;
            otherwise only on a line that has the right number of fields no other way.
        batch_size: facts that are given to the store at once, at least 1; how far a load is, is known in steps of it.
        max_errors: the load ends when more lines than this are bad; None: never.
        rejects: takes each line that is set aside.
        source: what the source goes by in the store, instead of its path; of several, each gets its path added. A
            stream that is named is the same load each time it comes.
        workers: batches that the store writes at once, if it gains by it; at least 1.
        examples: rejected lines kept in the report, for each reason of each file.

    Raises:
        ConfigError: a value is none of these.
    """

    format: Format = "auto"
    header: Header = "auto"
    columns: Columns | None = None
    table: bool = False
    needed: tuple[str, ...] | None = None
    rdf: RdfOptions = field(default_factory=RdfOptions)
    quoting: Quoting = "auto"
    batch_size: int = BATCH_SIZE
    max_errors: int | None = None
    rejects: Reject = _nobody
    examples: int = 5
    source: str | None = None
    workers: int = 1

    def __post_init__(self) -> None:
        allowed = {
            "format": get_args(Format),
            "header": ("auto", "yes", "no"),
            "quoting": ("auto", "yes", "no"),
        }
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                raise ConfigError(f"{getattr(self, name)!r} is no {name}", where=name, fix=f"Use {', '.join(values)}")
        for name in ("batch_size", "workers"):
            if (value := getattr(self, name)) < 1:
                raise ConfigError(f"{value} is too few", where=name, fix="Use 1 or more")
        if self.source is not None and (not self.source.strip() or not self.source.isprintable()):
            raise ConfigError(f"{self.source!r} is no name", where="source", fix="Use printable characters")
        if self.max_errors is not None and self.max_errors < 0:
            raise ConfigError(f"{self.max_errors} errors can't be allowed", where="max_errors", fix="Use 0 or more")
        if self.columns is not None:
            if self.table:
                raise ConfigError(
                    "the columns of a table are its mapping's to say", where="columns", fix="Leave them out"
                )
            self._check_columns(self.columns)

    @property
    def first_batch(self) -> int:
        """Facts in the first batch: few, so that the store begins to write early."""
        return min(self.batch_size, FIRST_BATCH)

    def _check_columns(self, columns: Columns) -> None:
        if len(columns) != 3 or len(set(columns)) != 3 or any(isinstance(c, int) and c < 0 for c in columns):
            raise ConfigError(
                f"{columns!r} aren't three different columns",
                where="columns",
                fix="Give the columns of head, relation and tail: positions from 0, or names from the header",
            )
        if self.header == "no" and any(isinstance(c, str) for c in columns):
            raise ConfigError(
                "columns are given by name, but the file is said to have no header",
                where="columns",
                fix="Give positions from 0, or say that there is a header",
            )
