"""A snapshot that follows its store: made anew in the background when the store's change counter has moved."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock, Thread

from graph_schema.errors import StoreBusy
from graph_schema.ports import GraphReader
from kgqa.stores.snapshot import Snapshot


class FollowingSnapshot:
    """Gives the newest snapshot of a store that is ready. Safe to share between threads.

    Where only others write to a Neo4j database that kgqa has loaded, no change counter moves: make a new one. One that
    somebody else modelled is followed, by what every answer says of the last transaction.

    Args:
        reader: the store; stays open as long as this is used.
        build: makes the snapshot of a store.
    """

    def __init__(self, reader: GraphReader, build: Callable[[GraphReader], Snapshot] = Snapshot.build) -> None:
        self._reader = reader
        self._build = build
        self._lock = Lock()
        self._snapshot: Snapshot | None = None
        self._builder: Thread | None = None
        self._failed: Exception | None = None

    def current(self) -> Snapshot:
        """The newest one that is ready. Only the first call waits for a snapshot to be made.

        While the store is written to so often that no state of it can be read, that is an old one.

        Raises:
            StoreError: the store failed, now or when it was last read in the background.
        """
        changes = self._reader.changes()
        with self._lock:
            failed, self._failed = self._failed, None
            if failed is not None and (self._snapshot is None or not isinstance(failed, StoreBusy)):
                raise failed
            if self._snapshot is None:
                self._snapshot = self._build(self._reader)
            elif self._snapshot.changes() != changes:
                self._begin()
            return self._snapshot

    def ready(self) -> Snapshot | None:
        """The newest one that is ready; None while the first one is made in the background.

        Raises:
            StoreError: the store failed, now or when it was last read in the background.
        """
        with self._lock:
            if self._snapshot is None:
                failed, self._failed = self._failed, None
                if failed is not None and not isinstance(failed, StoreBusy):
                    raise failed
                self._begin()
                return None
        return self.current()

    def newest(self) -> Snapshot:
        """One that has all that was in the store at the call; waits until it is ready.

        Raises:
            StoreError: the store failed.
        """
        snapshot = self.current()
        if (builder := self._builder) is not None:
            snapshot = self._made_by(builder)
            if (builder := self._builder) is not None:  # the one before had begun to read before the call
                snapshot = self._made_by(builder)
        return snapshot

    def _begin(self) -> None:
        """Make one in the background, if none is being made; the lock is held."""
        if self._builder is None:
            self._builder = Thread(target=self._renew, name="snapshot", daemon=True)
            self._builder.start()

    def _made_by(self, builder: Thread) -> Snapshot:
        builder.join()
        with self._lock:
            failed, self._failed = self._failed, None
        if failed is not None:
            raise failed
        return self.current()

    def _renew(self) -> None:
        try:
            made = self._build(self._reader)
        except Exception as error:  # noqa: BLE001  whatever it is, it is for the next caller to hear
            with self._lock:
                self._failed, self._builder = error, None
            return
        with self._lock:
            self._snapshot, self._builder = made, None
