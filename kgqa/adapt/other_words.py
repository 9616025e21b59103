"""Other wordings of relations for a reader to read: what else their schema says of them, and what follows from it.

A reader knows a relation by its words, and a schema has one way to say it ("acted in"). People have several ("who
stars in Heat", "the actors of Heat"), and those that follow from the words and from what its ends are called need not
be learnt: they are told to the reader, which compares a question with each of them (``kgqa.model.relations``).
"""

from __future__ import annotations

from collections.abc import Sequence

from graph_schema import RelationSchema, Schema
from kgqa.adapt.phrases import held_property, label_nouns, phrases
from kgqa.adapt.synonyms import everyday
from kgqa.model.encoder import Encoder
from kgqa.model.network import ReaderNetwork
from kgqa.model.relations import RelationTable, Wordings

MOST = 10  # of one direction
_ARTICLES = frozenset(("a", "the"))
RELATIONS = 1000  # of a graph that has more, only the schema's own synonyms are taken: each is compared with all


def other_wordings(schema: Schema, relations: Sequence[str]) -> list[tuple[str, ...]]:
    """Of each directed relation (2 r: from head to tail, 2 r + 1: back) other ways to say it than its own words.

    First come the schema's synonyms, then nouns ("director"), then verbs, where what it leads to is of another kind
    than what it leads from, so that they tell the direction.

    >>> said = Schema(relations={"DIRECTED": RelationSchema(inverse="directed by", head="Person", tail="Movie")})
    >>> other_wordings(said, ["DIRECTED"])
    [('movie',), ('person', 'director', 'directed')]
    """
    derive = len(relations) <= RELATIONS
    nouns = everyday(schema, relations) if derive else {}
    found = []
    for name in relations:
        known = schema.relations.get(name, RelationSchema())
        for inverse in (False, True):
            said = list(known.inverse_synonyms if inverse else known.synonyms)
            if derive and inverse and held_property(schema, name):
                # Who has a value, of both ends of the relationship: what they are called tells them apart.
                way = phrases(schema, name, inverse, known.head)
                having = [clause for clause in way.clauses if not _ARTICLES & set(clause.split())]
                having += [f"with {noun}" for noun in nouns.get(name, ())]
                said += [f"{end} {clause}" for end in label_nouns(schema, known.head) for clause in having]
                said += way.verbs
            elif derive:
                way = phrases(schema, name, inverse, known.head if inverse else known.tail)
                said += way.nouns
                said += [f"{noun} {done}" for noun, done in way.happened]
                if known.head != known.tail:
                    said += (*way.verbs, *way.objects)
                said += nouns.get(name, ()) if not inverse else ()
            own = schema.words(name, inverse=inverse).lower()
            found.append(tuple(dict.fromkeys(one for one in said if one.lower() != own))[:MOST])
    return found


def wordings(
    network: ReaderNetwork,
    encoder: Encoder,
    schema: Schema,
    relations: Sequence[str],
    said: Sequence[Sequence[str]] | None = None,
) -> Wordings | None:
    """The other wordings of a graph's relations, encoded for a network; None for one that doesn't read them.

    Args:
        said: what they are, where that isn't told from the schema (``Snapshot.said``).
    """
    if not network.config.wordings:
        return None
    return encoder.wordings(other_wordings(schema, relations) if said is None else said).to(network.device)


def relation_table(
    network: ReaderNetwork,
    encoder: Encoder,
    schema: Schema,
    relations: Sequence[str],
    said: Sequence[Sequence[str]] | None = None,
) -> RelationTable:
    """The relations of a graph as a network reads them, with all wordings that it reads. Arguments: as above."""
    text = encoder.relation_texts(schema, relations).to(network.device)
    return network.relations.table(text, wordings(network, encoder, schema, relations, said))
