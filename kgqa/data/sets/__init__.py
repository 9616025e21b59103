"""Question sets: each a small module that turns a set's own files into the same questions."""

from kgqa.data.sets.base import PARTS, QuestionSet
from kgqa.data.sets.registry import FOLDERS, NAMES, open_set

__all__ = ["FOLDERS", "NAMES", "PARTS", "QuestionSet", "open_set"]
