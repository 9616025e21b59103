"""Fixtures of the unit tests."""

from __future__ import annotations

from tests.command import kgqa

__all__ = ["kgqa"]
