"""kgqa: ask a knowledge graph in plain language."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    __version__: str
else:

    def __getattr__(name: str) -> str:
        """``__version__``, found when it is asked for: the search costs a command a tenth of a second."""
        if name == "__version__":
            from importlib.metadata import version  # noqa: PLC0415

            return version("kgqa")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
