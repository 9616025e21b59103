"""How much two names look alike, the same for every store: used to say "did you mean"."""

from __future__ import annotations

from collections.abc import Iterable

from rapidfuzz import fuzz

from graph_schema.text import name_key
from graph_schema.types import Entity
from kgqa.stores.batches import name_keys

WORTH_SAYING = 55.0  # of 100; below this a suggestion helps nobody
WORD_SET = 0.95  # same words in another order or with extra ones: nearly as good as the same text


def likeness(left: str, right: str) -> float:
    """How alike two name keys are, 0 to 100."""
    return max(fuzz.ratio(left, right), WORD_SET * fuzz.token_set_ratio(left, right))


def most_alike(name: str, candidates: Iterable[Entity], limit: int) -> tuple[Entity, ...]:
    """The candidates whose name or an alias is most like ``name``, best first, ties by id; poor ones left out."""
    key = name_key(name)
    scored = [
        (max((likeness(key, other) for other in name_keys(entity)), default=0.0), entity) for entity in set(candidates)
    ]
    best = sorted((-score, entity.id, entity) for score, entity in scored if score >= WORTH_SAYING)
    return tuple(entity for _, _, entity in best[: max(limit, 0)])
