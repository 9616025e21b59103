"""The command line: the composition root, where settings, store, encoder and model are put together."""

from kgqa.cli.main import app, main

__all__ = ["app", "main"]
