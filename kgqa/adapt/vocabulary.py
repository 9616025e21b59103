"""The words of an encoder's vocabulary with their embeddings: made once for an encoder, and kept in the user's cache.

To embed some 20,000 words takes longer than all else that is done before questions are made.
"""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from kgqa.files import write_atomically
from kgqa.model.encoder import Encoder

_BATCH = 512


def vocabulary(encoder: Encoder) -> tuple[list[str], Float[Tensor, "W E"]]:
    """Its words in small letters, sorted, and the embedding of each, of length 1 (in half precision, kept or not)."""
    words = sorted({word.lower() for word in encoder.vocabulary()})
    path = cache_path(encoder)
    kept = _read(path, (len(words), encoder.width))
    if kept is None:
        parts = [encoder.embed(words[begin : begin + _BATCH]).cpu() for begin in range(0, len(words), _BATCH)]
        kept = functional.normalize(torch.cat([torch.zeros(0, encoder.width), *parts]), dim=-1).half()
        _write(path, kept)
    return words, kept.float()


def cache_path(encoder: Encoder) -> Path:
    """Where the embeddings of an encoder lie: by its fingerprint, which is over the vocabulary, too."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "kgqa" / "vocabulary" / f"{encoder.fingerprint()}.npy"


def _read(path: Path, shape: tuple[int, int]) -> Tensor | None:
    """What was kept; None if that is nothing, or not what was written."""
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    if found.shape != shape or found.dtype != np.float16 or not np.isfinite(found).all():
        return None
    return torch.from_numpy(found)


def _write(path: Path, embeddings: Tensor) -> None:
    packed = BytesIO()
    np.save(packed, embeddings.numpy())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, packed.getvalue())
    except OSError:
        pass  # a folder that can't be written to, a full disk: they are made anew the next time
