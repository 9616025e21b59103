"""A TCP proxy whose line can be cut, so that connections are reset and new ones refused until it is mended; or on which
nothing more is passed on, though connections stay."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from types import TracebackType

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Proxy:
    """Forwards 127.0.0.1:``port`` to another port, until it is left as a context."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._lock = threading.Lock()
        self._cut = False
        self._silent = False
        self._closed = False
        self.bytes = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Reset every connection, and each new one from now on."""
        with self._lock:
            self._cut = True
            for pair in self._pairs:
                for end in pair:
                    _reset(end)
            self._pairs.clear()

    def silence(self) -> None:
        """Accept connections and keep them, but pass nothing on."""
        self._silent = True

    def mend(self) -> None:
        """Let connections through again."""
        self._silent = False
        with self._lock:
            self._cut = False

    def _accept(self) -> None:
        while not self._closed:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if self._cut:
                    _reset(near)
                    continue
                far = socket.create_connection(("127.0.0.1", self._to))
                self._pairs.add((near, far))
            threading.Thread(target=self._forward, args=(near, far), daemon=True).start()

    def _forward(self, near: socket.socket, far: socket.socket) -> None:
        other = {near: far, far: near}
        with contextlib.suppress(OSError, ValueError):  # ValueError: a socket that was closed meanwhile
            while True:
                for end in select.select([near, far], [], [], 1.0)[0]:
                    while self._silent and not self._closed:
                        time.sleep(0.05)
                    block = end.recv(65_536)
                    if not block:
                        raise OSError
                    other[end].sendall(block)
                    self.bytes += len(block)
        with self._lock:
            self._pairs.discard((near, far))
        for end in (near, far):
            end.close()


def _reset(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        end.close()
