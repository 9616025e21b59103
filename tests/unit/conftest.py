"""Fixtures of the unit tests."""

from __future__ import annotations

from tests.command import kgqa
from tests.unit.full_disk import small_disk

__all__ = ["kgqa", "small_disk"]
