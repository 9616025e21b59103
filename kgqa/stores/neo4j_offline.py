"""The first load of something large: files for ``neo4j-admin database import full``, instead of transactions.

``OfflineWriter`` is written to like any store. It keeps what it is told in a scratch store beside the files, so
memory stays bounded, a load that was broken off goes on, and names, aliases, properties, marks and journals come out as
in any store. ``export`` then writes the files and says the command; the database that it makes has the same graph, with
its loads, as an online load would have made.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from graph_schema.errors import StoreError
from graph_schema.loads import Load, LoadPlan, Origin, Withdrawn
from graph_schema.migrations import MIGRATIONS
from graph_schema.schema import Schema
from graph_schema.types import Batch, Entity, Fact, Properties, Value, Written
from kgqa.stores import cypher_write
from kgqa.stores.embedded_scratch import ScratchStore
from kgqa.stores.neo4j_export import Exported, export

SCRATCH = "load.db"
AFTERWARDS = "indexes.cypher"
IMAGE = "neo4j:5.26"
BUFFER = 4 * 2**20  # neo4j-admin's own size of what it reads at once; no value may be longer


@dataclass(frozen=True)
class ImportPlan:
    """What was written, and what is to be run.

    Attributes:
        folder: where the files are; absolute.
        nodes, relationships: names of files in it.
        afterwards: of the file with the constraints and indexes to be made in the database; a kgqa that writes to it
            makes them, too.
        options: of the import, as they have to be for these files.
        entities, facts: how many.
    """

    folder: Path
    nodes: tuple[str, ...]
    relationships: tuple[str, ...]
    afterwards: str
    options: tuple[str, ...]
    entities: int
    facts: int

    def command(self, database: str = "neo4j") -> str:
        """The import, to be run where the server's files are, while the database is stopped or not made yet."""
        return self._command(database, self.folder)

    def docker_command(self, volume: str, image: str = IMAGE, database: str = "neo4j") -> str:
        """The same in a container, into a volume (or folder) for /data that no server uses meanwhile."""
        mounts = ["-v", f"{volume}:/data", "-v", f"{self.folder}:/import:ro"]
        return shlex.join(["docker", "run", "--rm", *mounts, image]) + " " + self._command(database, Path("/import"))

    def _command(self, database: str, folder: Path) -> str:
        files = [f"--nodes={folder / name}" for name in self.nodes]
        files += [f"--relationships={folder / name}" for name in self.relationships]
        return shlex.join(["neo4j-admin", "database", "import", "full", database, *self.options, *files])


class OfflineWriter:
    """A ``GraphWriter`` and ``LoadLedger`` that makes files for an import into an empty Neo4j database.

    Args:
        folder: where the files go; made if it isn't there. What an earlier writer left there goes on.

    Raises:
        StoreError: the folder can't be used.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"can't be made: {error.strerror}", where=str(folder), fix="Name another folder"
            ) from error
        self._store = ScratchStore(self._folder / SCRATCH, create=True)

    @property
    def url(self) -> str:
        """Of the store that it is kept in until then."""
        return self._store.url

    def export(self) -> ImportPlan:
        """Write the files for all that was written so far.

        Raises:
            StoreError: nothing was written, or the disk is full.
        """
        if not self._store.info().entities:
            raise StoreError("there is nothing to import", where=str(self._folder), fix="Load something first")
        try:
            written = export(self._store, self._folder)
            statements = [cypher_write.requirement(wanted) for of in MIGRATIONS for wanted in of.requires]
            (self._folder / AFTERWARDS).write_text("".join(f"{text};\n" for text in statements), "utf-8")
        except OSError as error:
            raise StoreError(
                f"can't write the files: {error.strerror}", where=str(self._folder), fix="Make room, and try again"
            ) from error
        return ImportPlan(
            self._folder,
            written.nodes,
            written.relationships,
            AFTERWARDS,
            tuple(_options(written)),
            written.entities,
            written.facts,
        )

    # ---- GraphWriter

    def migrate(self, schema: Schema) -> None:
        self._store.migrate(schema)

    def write(self, batch: Batch) -> Written:
        return self._store.write(batch)

    def delete(self, facts: Sequence[Fact]) -> int:
        return self._store.delete(facts)

    def finish(self) -> None:
        """Nothing: what is derived is made by Neo4j."""

    def close(self) -> None:
        self._store.close()

    # ---- LoadLedger

    def begin_load(self, plan: LoadPlan) -> Load:
        return self._store.begin_load(plan)

    def end_load(self, id: str, report: str = "") -> None:
        self._store.end_load(id, report)

    def count_rejected(self, id: str, rejected: Sequence[int]) -> None:
        self._store.count_rejected(id, rejected)

    def loads(self) -> tuple[Load, ...]:
        return self._store.loads()

    def write_many(self, batches: Iterable[Batch], *, workers: int = 1) -> Iterator[Written]:
        return self._store.write_many(batches, workers=workers)

    def origins(self, facts: Sequence[Fact]) -> list[tuple[Origin, ...]]:
        return self._store.origins(facts)

    def fact_properties(self, facts: Sequence[Fact]) -> list[Properties]:
        return self._store.fact_properties(facts)

    def facts_of(self, origins: Sequence[int], *, alone: bool = False) -> Iterator[Fact]:
        return self._store.facts_of(origins, alone=alone)

    def spoken_of(self, ids: Sequence[str]) -> set[str]:
        return self._store.spoken_of(ids)

    def entities_without(self, origins: Sequence[int]) -> Iterator[tuple[Entity, Entity | None]]:
        return self._store.entities_without(origins)

    def properties_without(self, origins: Sequence[int]) -> Iterator[tuple[Fact, Properties, Properties | None]]:
        return self._store.properties_without(origins)

    def withdraw(self, origins: Sequence[int], *, undone: str = "") -> Withdrawn:
        return self._store.withdraw(origins, undone=undone)

    def values(self, label: str, name: str, without: Sequence[int] = ()) -> Iterator[tuple[str, Value]]:
        return self._store.values(label, name, without)

    # ---- what a load looks up

    def entities(self, ids: Sequence[str]) -> dict[str, Entity]:
        """See ``GraphReader.entities``."""
        return self._store.entities(ids)

    def holds(self, facts: Sequence[Fact]) -> list[bool]:
        """See ``GraphReader.holds``."""
        return self._store.holds(facts)


def _options(written: Exported) -> Iterator[str]:
    yield "--id-type=actual"
    yield f"--array-delimiter=U+{ord(written.delimiter):04X}"
    yield f"--multiline-fields={'true' if written.multiline else 'false'}"
    yield "--bad-tolerance=0"
    if written.longest > BUFFER // 2:
        yield f"--read-buffer-size={2 * written.longest}"
