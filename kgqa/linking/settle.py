"""Which of the entities that a mention may name is the one: what the question asks says, else how it is written.

A question about a name that several bear ("Crash", or "andy warhol", the writer and the tag) goes to those that have
what it asks for first: with z the logits of the relations at the first hop, and R_e the directed relations around e,

    fit_e = log sum_{r in R_e} exp(z_r) - log sum_r exp(z_r)

Before that, a kind or a value that the question says decides ("the film It", "the Crash of 2004").
Among those that fit about as well, the one written most alike is taken, then the one that the most is known of; the
others are told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import torch
from jaxtyping import Float
from rapidfuzz.distance import OSA
from torch import Tensor

from graph_schema import Entity
from graph_schema.text import relation_words
from graph_schema.types import DEFAULT_LABEL
from kgqa.linking.mentions import Mention
from kgqa.names.forms import words_of
from kgqa.retrieval.expander import Groups

AS_WELL = 1.0  # how much worse an entity may fit, in the log, to be still as good


@dataclass(frozen=True)
class Around:
    """What is known around the entities of some mentions, in the order of ``several``.

    Attributes:
        fit: how well each fits what is asked; see the module's text. facts: how many facts each has.
    """

    fit: Sequence[float]
    facts: Sequence[int]


def several(mentions: Sequence[Mention]) -> list[tuple[int, Entity]]:
    """(mention, entity) of the mentions that may name more than one entity."""
    return [
        (m, entity) for m, mention in enumerate(mentions) if len(mention.entities) > 1 for entity in mention.entities
    ]


def around(logits: Float[Tensor, "N D1"], groups: Groups) -> Around:
    """What the relations offered around N entities say.

    Args:
        logits: of all directed relations for the question of each entity, and last of none.
        groups: the relations around each.
    """
    count = len(logits)
    offered = torch.zeros_like(logits[:, :-1], dtype=torch.bool)
    offered[groups.owner, groups.relation] = True
    own = logits[:, :-1].masked_fill(~offered, float("-inf")).logsumexp(-1)
    fit = (own - logits[:, :-1].logsumexp(-1)).tolist()
    facts = torch.zeros(count, dtype=torch.int64, device=logits.device).index_add(0, groups.owner, groups.count)
    return Around(fit, facts.tolist())


def settled(mentions: Sequence[Mention], plain: Sequence[str], known: Around) -> list[Mention]:
    """The mentions with one entity each, and the rest among their ``others``, best first.

    Args:
        plain: the text of the question of each mention.
    """
    ranked: dict[int, list[tuple[bool, float, int, int, str, Entity]]] = {}
    for (m, entity), fit, facts in zip(several(mentions), known.fit, known.facts, strict=True):
        said = not hinted(plain[m], mentions[m], entity)
        edits = 0 if mentions[m].how == "partial" else _edits(mentions[m].text, entity)
        ranked.setdefault(m, []).append((said, fit, edits, -facts, entity.id, entity))
    done = list(mentions)
    for m, rows in ranked.items():
        best = max(fit for _, fit, *_ in rows)
        order = sorted(rows, key=lambda row: (row[0], row[1] < best - AS_WELL, *row[2:5]))
        first, *rest = (row[-1] for row in order)
        done[m] = replace(mentions[m], entities=(first,), others=(*rest, *mentions[m].others))
    return done


def hinted(plain: str, mention: Mention, entity: Entity) -> bool:
    """Whether the question says which one it means: its kind before the name ("the film It"), or a property's value
    elsewhere in the text ("the Crash of 2004")."""
    before, after = words_of(plain[: mention.start]), words_of(plain[mention.end :])
    kind = tuple(relation_words(entity.label).split())
    if entity.label != DEFAULT_LABEL and before[-len(kind) :] == kind:
        return True
    said = {*before, *after}
    values = (v.year if isinstance(v, date) else v for v in entity.properties.values() if not isinstance(v, bool))
    return any(str(value).casefold() in said for value in values if isinstance(value, int | str) and value != "")


def _edits(text: str, entity: Entity) -> int:
    return min(OSA.distance(text, name) for name in (entity.name, *entity.aliases))
