"""Other words for relations: those of everyday English (``thesaurus``); where it has none, the nearest of the encoder's
vocabulary.

A word w is taken for relation r, with embeddings E of the relation's words and of the word by itself, if

    cos(E_w, E_r) > LIKE   and   cos(E_w, E_r) > cos(E_w, E_s) + APART   for every other relation s

so that one that fits two relations is taken for neither. Nor is one of everyday English, or one that another relation
is called by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from torch.nn import functional

from graph_schema import Schema
from graph_schema.types import DEFAULT_LABEL
from kgqa.adapt.phrases import phrases
from kgqa.adapt.thesaurus import other_nouns
from kgqa.adapt.verbs import singular
from kgqa.adapt.vocabulary import vocabulary
from kgqa.adapt.wording import KINDS
from kgqa.model.encoder import Encoder

LIKE, APART = 0.45, 0.05
KIND = 6  # of the kinds
MOST = 8  # of one relation, the nearest ones


def synonyms(encoder: Encoder, schema: Schema, relations: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Of each relation words like its own from head to tail, those of everyday English or else the nearest, nearest
    first; relations without any are left out."""
    if not relations:
        return {}
    said = [schema.words(relation) for relation in relations]
    own = functional.normalize(encoder.embed(said), dim=-1).cpu()
    words, embeddings = vocabulary(encoder)
    like = embeddings @ own.T
    best, at = like.max(-1)
    others = like.scatter(1, at.unsqueeze(1), -1.0).amax(-1)
    found = everyday(schema, relations)
    plain = {relation for relation in relations if not found[relation]}
    for place in best.argsort(descending=True).tolist():
        if best[place] <= LIKE:
            break
        relation = relations[int(at[place])]
        known = {singular(word) for word in schema.words(relation).split()}
        fits = best[place] > others[place] + APART and singular(words[place]) not in known
        if fits and relation in plain and len(found[relation]) < MOST:
            found[relation].append(words[place])
    return {relation: tuple(near) for relation, near in found.items() if near}


def likely_kinds(encoder: Encoder, schema: Schema, relations: Sequence[str]) -> tuple[str, ...]:
    """What things may be of which such relations are told: the ``KIND`` of ``KINDS`` that are most like their words.

    A film is directed and has actors; a protein isn't, and a question that says so is read otherwise.
    """
    if not relations:
        return ()
    said = sorted({schema.words(relation) for relation in relations})
    own = functional.normalize(encoder.embed(said), dim=-1).cpu()
    kinds = functional.normalize(encoder.embed(KINDS), dim=-1).cpu()
    like = (kinds @ own.T).mean(-1)
    return tuple(KINDS[at] for at in like.topk(KIND).indices.tolist())


def everyday(schema: Schema, relations: Sequence[str]) -> dict[str, list[str]]:
    """Of each relation the nouns of everyday English that mean none that is said otherwise; of some none."""
    texts = {relation: schema.words(relation).lower() for relation in relations}
    said = {text: {singular(text), *map(singular, text.split())} for text in texts.values()}
    own = {
        text: (text, *phrases(schema, name, inverse=False, label=DEFAULT_LABEL).nouns) for name, text in texts.items()
    }
    nouns = {
        text: tuple(dict.fromkeys(noun for one in of for noun in other_nouns(one) if noun not in of))
        for text, of in own.items()
    }
    meant = Counter(noun for of in nouns.values() for noun in set(of))
    named = Counter(word for words in said.values() for word in words)
    free = {
        text: [noun for noun in of if meant[noun] == 1 and not named[singular(noun)] - (singular(noun) in said[text])]
        for text, of in nouns.items()
    }
    return {relation: list(free[text]) for relation, text in texts.items()}
