"""The command, for the pages whose commands are run."""

from __future__ import annotations

from tests.command import kgqa

__all__ = ["kgqa"]
