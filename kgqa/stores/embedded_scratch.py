"""An embedded store that is only written, to be read once from end to end."""

from __future__ import annotations

from collections.abc import Sequence

from graph_schema.types import Entity
from kgqa.stores import embedded_read
from kgqa.stores.embedded import EmbeddedStore


class ScratchStore(EmbeddedStore):
    """Keeps no names, so ``lookup`` and ``suggest`` find nothing, and no index of ids before somebody asks for one.

    Keeping both in order is half of a load's work. Its file is no embedded store's, which other programs would open.
    """

    SCRATCH = True

    def entities(self, ids: Sequence[str]) -> dict[str, Entity]:
        with self._writing() as connection:
            there = self._writer.entities.there(ids)  # the index is made only where there may be something to find
            if not there:
                return {}
            self._writer.entities.index_ids()
            return embedded_read.entities(connection, there)
