"""Facts that answered questions tell: see ``kgqa.told.facts``."""

from kgqa.told.facts import SURE, Telling, Told, tell

__all__ = ["SURE", "Telling", "Told", "tell"]
