"""kgqa: ask a knowledge graph in plain language."""

from importlib.metadata import version

__version__ = version("kgqa")
