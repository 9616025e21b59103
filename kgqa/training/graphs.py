"""Questions of several graphs in one training.

Several graphs are one graph of several parts with no fact between them: entities and relations are told apart by the
graph they are from, and a relation is read by the words that its own graph has for it. So a batch may mix questions of
all of them, and next to nothing else in training knows of it: a walk never leaves its topic's part, and is only offered
the relations there. Which part a relation is of has to be known (``Snapshot.part``) where a relation is absent.

Graphs with many questions would drown the others. Graph g with n_g questions is asked in proportion to n_g^a, as
languages are in multilingual models (Conneau et al. 2020, Unsupervised Cross-lingual Representation Learning at
Scale): its questions are repeated (max n / n_g)^(1 - a) times, rounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from graph_schema import Entity, Schema
from graph_schema.schema import RelationSchema
from kgqa.adapt.other_words import other_wordings
from kgqa.data import Question
from kgqa.stores.snapshot import Snapshot
from kgqa.training.prepare import Prepared, Ragged, prepare


@dataclass(frozen=True)
class GraphQuestions:
    """A graph with the questions about it. ``unlabelled``: without answers, for teachers to answer."""

    snapshot: Snapshot
    train: Sequence[Question]
    dev: Sequence[Question]
    unlabelled: Sequence[Question] = ()


def prepare_graphs(
    graphs: Sequence[GraphQuestions], mixture: float, mention_questions: int
) -> tuple[Snapshot, Prepared, Prepared]:
    """The graphs as one, with the training and the dev questions over it.

    Args:
        mixture: the exponent a of the module's text; 1: by number of questions, 0: each graph as often.
        mention_questions: of how many questions, over all graphs, mentions teach the topic scorer.
    """
    each = mention_questions // len(graphs)
    train = [
        prepare([*one.train, *one.unlabelled], one.snapshot, mentions_of=min(each, len(one.train))) for one in graphs
    ]
    dev = [prepare(one.dev, one.snapshot) for one in graphs]
    if len(graphs) == 1:
        return graphs[0].snapshot, train[0], dev[0]
    snapshots = [one.snapshot for one in graphs]
    sizes = [one.info().entities for one in snapshots]
    first = [sum(sizes[:place]) for place in range(len(sizes))]
    repeated = [
        _repeated(part, times)
        for part, times in zip(train, repeats([len(part.questions) for part in train], mixture), strict=True)
    ]
    return side_by_side(snapshots), _together(snapshots, repeated, first), _together(snapshots, dev, first)


def repeats(questions: Sequence[int], mixture: float) -> list[int]:
    """How often the questions of each graph are asked, see the module's text.

    >>> repeats([38000, 1500, 0], 0.5)
    [1, 5, 1]
    """
    most = max(questions)
    return [round((most / count) ** (1 - mixture)) if count else 1 for count in questions]


def side_by_side(snapshots: Sequence[Snapshot]) -> Snapshot:
    """The graphs as one; dense indices of entities and relations are those of each graph, one after the other."""
    entities: list[Entity] = []
    relations: list[str] = []
    said: dict[str, RelationSchema] = {}
    parts: list[int] = []
    columns: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for place, one in enumerate(snapshots):
        mark = _mark(place)
        columns.append(_facts(one, len(entities), len(relations)))
        entities += [Entity(mark + entity.id, entity.name, entity.label) for entity in one.all_entities()]
        schema = one.schema()
        for name in one.relations():
            relations.append(mark + name)
            inverse = schema.words(name, inverse=True) if schema.has_inverse_words(name) else None
            parts.append(place)
            said[mark + name] = RelationSchema(words=schema.words(name), inverse=inverse)
    head, relation, tail = (np.concatenate(column) for column in zip(*columns, strict=True))
    made = Snapshot.from_columns(
        entities,
        relations,
        head,
        relation,
        tail,
        schema=Schema(relations=said),
        url=" + ".join(one.url for one in snapshots),
        changes=0,
    )
    made.part = np.array(parts, dtype=np.int64)
    made.said = [words for one in snapshots for words in other_wordings(one.schema(), one.relations())]
    return made


def _mark(place: int) -> str:
    """What stands before the ids and relations of a graph; of one length, so that their order by code point stays."""
    return f"{place:06}:"


def _marked(question: Question, snapshot: Snapshot, place: int) -> Question:
    """A question whose paths are those of the graphs side by side."""
    mark = _mark(place)
    paths = []
    for path in question.paths:
        by_id = int(snapshot.index_of([path.topic])[0]) >= 0
        steps = tuple((mark + name, inverse) for name, inverse in path.steps)
        paths.append(replace(path, topic=mark + path.topic if by_id else path.topic, steps=steps))
    return replace(question, paths=tuple(paths))


def _facts(one: Snapshot, entities: int, relations: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Head, relation and tail of each fact, numbered after so many entities and relations of other graphs."""
    groups = np.diff(one.group_start)
    edges = np.diff(one.edge_start)
    source = np.repeat(np.repeat(np.arange(len(groups)), groups), edges)
    directed = np.repeat(one.group_relation.astype(np.int64), edges)
    forward = directed % 2 == 0
    return (
        source[forward] + entities,
        directed[forward] // 2 + relations,
        one.edge_target[forward].astype(np.int64) + entities,
    )


def _repeated(part: Prepared, times: int) -> Prepared:
    """Each question so many times; what is kept of them, texts and rows, only once."""
    if times == 1:
        return part
    return Prepared(
        questions=[question for _ in range(times) for question in part.questions],
        texts=part.texts,
        row_text=part.row_text,
        row_topics=part.row_topics,
        rows=_joined([(part.rows, 0)] * times),
        answers=_joined([(part.answers, 0)] * times),
        missing=part.missing.repeat(times),
        mention_text=part.mention_text,
        mention_share=part.mention_share,
        mention_right=part.mention_right,
    )


def _together(snapshots: Sequence[Snapshot], parts: Sequence[Prepared], first: Sequence[int]) -> Prepared:
    """Questions over several graphs as questions over the one, in which graph g begins at node ``first[g]``."""
    place: dict[str, int] = {}
    texts = [
        torch.tensor([place.setdefault(text, len(place)) for text in part.texts], dtype=torch.int64) for part in parts
    ]
    rows = [0]
    for part in parts:
        rows.append(rows[-1] + len(part.row_text))
    return Prepared(
        questions=[
            _marked(question, one, place)
            for place, (one, part) in enumerate(zip(snapshots, parts, strict=True))
            for question in part.questions
        ],
        texts=list(place),
        row_text=torch.cat([of[part.row_text] for of, part in zip(texts, parts, strict=True)]),
        row_topics=_joined([(part.row_topics, node) for part, node in zip(parts, first, strict=True)]),
        rows=_joined([(part.rows, row) for part, row in zip(parts, rows, strict=False)]),
        answers=_joined([(part.answers, node) for part, node in zip(parts, first, strict=True)]),
        missing=torch.cat([part.missing for part in parts]),
        mention_text=torch.cat([of[part.mention_text] for of, part in zip(texts, parts, strict=True)]),
        mention_share=torch.cat([part.mention_share for part in parts]),
        mention_right=torch.cat([part.mention_right for part in parts]),
    )


def _joined(parts: Sequence[tuple[Ragged, int]]) -> Ragged:
    """Lists one after the other, a number added to each one's values."""
    lengths = torch.cat([torch.zeros(1, dtype=torch.int64), *(part.start.diff() for part, _ in parts)])
    return Ragged(lengths.cumsum(0), torch.cat([part.values + more for part, more in parts]))
