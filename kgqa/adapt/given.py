"""Ways for questions that people asked, which come with their answers alone: those that lead to just these answers.

A question says little about the way by its answers, for many ways lead to one entity; but few lead to a whole set, and
to no more. Where a single one of the shortest does, it is taken for the way that is asked for, and can be taught like
that of a made question (``kgqa.training.steps``). The last hop is looked for from an answer back, so that a question of
three hops takes the sets that two lead to, and not all that three do. Around hubs with many relations there are too
many of them: the search is then given up, and the question has no way.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kgqa.adapt.paths import REACHED, PathSampler, turns_back
from kgqa.data import Question
from kgqa.data.questions import GoldPath
from kgqa.stores.snapshot import Snapshot
from kgqa.training.prepare import answer_nodes

LOOKED_AT = 100_000  # relations of nodes that are followed for one question, at most: about a quarter of a second


def with_ways(questions: Sequence[Question], snapshot: Snapshot, hops: int) -> list[Question]:
    """The same questions, with the way of each that has one topic and whose way is told by its answers.

    Args:
        hops: of the longest way that is looked for.
    """
    search = _Search(snapshot)
    return [one if one.paths else search.with_way(one, hops) for one in questions]


class _Search:
    def __init__(self, snapshot: Snapshot) -> None:
        self._graph, self._sampler = snapshot, PathSampler(snapshot, random.Random(0))

    def with_way(self, question: Question, hops: int) -> Question:
        topics = question.topics
        starts = np.unique(self._nodes(topics[0])) if len(topics) == 1 else np.zeros(0, np.int64)
        answers = [self._nodes(answer) for answer in question.answers]
        if not len(starts) or not answers or not all(map(len, answers)):
            return question
        ways = self._ways(starts, answers, hops)
        if len(ways) != 1:
            return question
        names = self._graph.relations()
        steps = tuple((names[kind // 2], kind % 2 == 1) for kind in ways[0])
        return replace(question, paths=(GoldPath(topics[0], steps, turns_back(ways[0])),))

    def _ways(self, starts: Any, answers: Sequence[Any], hops: int) -> list[tuple[int, ...]]:
        """The shortest ways from all that is called by the topic to the answers and nothing else."""
        before: list[tuple[tuple[int, ...], Any]] = [((), starts)]
        last = self._into(answers[0])
        left = LOOKED_AT
        for hop in range(hops):
            left -= len(before) * len(last)
            if left < 0:
                break
            found = [
                (*kinds, kind)
                for kinds, nodes in before
                for kind, sources in last.items()
                if np.isin(sources, nodes).any() and self._leads(starts, (*kinds, kind), answers)
            ]
            if found or hop == hops - 1:
                return found
            longer: list[tuple[tuple[int, ...], Any]] = []
            for kinds, nodes in before:
                around = self._around(nodes)
                left -= len(nodes) * len(around)
                if left < 0:
                    return []
                longer += self._longer(kinds, nodes, around)
            before = longer
        return []

    def _into(self, answer: Any) -> dict[int, Any]:
        """The directed relations by which an answer is reached, each with what it is reached from."""
        return {
            kind ^ 1: np.concatenate([self._sampler.far(int(bearer), kind) for bearer in answer])
            for kind in self._around(answer)
        }

    def _longer(
        self, kinds: tuple[int, ...], nodes: Any, around: Sequence[int]
    ) -> Iterator[tuple[tuple[int, ...], Any]]:
        for kind in around:
            parts = [self._sampler.far(int(node), kind) for node in nodes]
            if sum(map(len, parts)) <= REACHED:
                yield (*kinds, kind), np.unique(np.concatenate(parts))

    def _leads(self, starts: Any, kinds: tuple[int, ...], answers: Sequence[Any]) -> bool:
        """Whether a way leads to something of each answer's name, and to nothing else."""
        reached = self._sampler.walk(starts, kinds)
        return (
            bool(reached)
            and bool(np.isin(reached[-1], np.concatenate(answers)).all())
            and all(np.isin(answer, reached[-1]).any() for answer in answers)
        )

    def _around(self, nodes: Sequence[int]) -> list[int]:
        """The directed relations around some nodes."""
        start, relation = self._graph.group_start, self._graph.group_relation
        around = [relation[start[node] : start[node + 1]] for node in nodes]
        return sorted({int(kind) for part in around for kind in part})

    def _nodes(self, name: str) -> Any:
        """What has this id, or else all that is called so."""
        return np.array(answer_nodes([name], self._graph)[0], dtype=np.int64)
