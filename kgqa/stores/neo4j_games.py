"""Which facts are written at the same time, so that no two transactions of a loader lock the same node.

Every node belongs to one of 2 W + 1 groups, by its internal id, and every fact to the pair of groups that its ends are
in. A pair is a *game*: one worker writes its facts. Two games are played at once only if they have no group in common;
with that many groups there are always W such games, and a worker that is done finds another one though the games are
not equally long. Games of the next batch are played while the last ones of the batch before it still are; those of one
pair, in the order of the batches.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations
from typing import Generic, TypeVar

import numpy as np

from graph_schema.types import Int64s
from kgqa.stores.batches import Prepared
from kgqa.stores.neo4j_values import marks

Result = TypeVar("Result")

STATEMENT_ROWS = 100  # facts of the most frequent relation in a game; with fewer, games cost more than they bring


@dataclass(frozen=True)
class Planned:
    """Facts of one relation that one worker writes in one game: columns of the same length, and where they come from.

    Attributes:
        heads, tails: internal ids; int64 [F].
        marks: int64 [F].
        places: int64 [F], position of each in the batch's list of that relation.
    """

    relation: str
    heads: Int64s
    tails: Int64s
    marks: Int64s
    places: Int64s

    def part(self, which: slice) -> Planned:
        """Some of the rows."""
        return Planned(self.relation, self.heads[which], self.tails[which], self.marks[which], self.places[which])


@dataclass(frozen=True)
class Game:
    """What one worker writes while nobody else touches the nodes of these groups."""

    groups: frozenset[int]
    rows: Sequence[Planned]

    def __len__(self) -> int:
        return sum(len(of.heads) for of in self.rows)


class Games(Generic[Result]):
    """Plays games by workers of a pool, the first ones first, never two at once that have a group in common."""

    def __init__(self, pool: ThreadPoolExecutor, workers: int) -> None:
        self._pool = pool
        self._idle = workers
        self._taken: set[int] = set()
        self._waiting: list[tuple[frozenset[int], Callable[[], Result], Future[Result]]] = []
        self._lock = threading.Lock()

    def play(self, groups: frozenset[int], call: Callable[[], Result]) -> Future[Result]:
        """Call as soon as a worker and all of these groups are free."""
        future: Future[Result] = Future()
        with self._lock:
            self._waiting.append((groups, call, future))
            self._start()
        return future

    def close(self) -> None:
        """Games that haven't begun are not played."""
        with self._lock:
            for _, _, future in self._waiting:
                future.cancel()
            self._waiting = []

    def _start(self) -> None:
        """Begin what can be begun; the lock is held."""
        for game in [*self._waiting]:
            if not self._idle:
                return
            if not game[0] & self._taken:
                self._waiting.remove(game)
                self._taken |= game[0]
                self._idle -= 1
                self._pool.submit(self._play, *game)

    def _play(self, groups: frozenset[int], call: Callable[[], Result], future: Future[Result]) -> None:
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001  it is raised to whom asks for the result
            future.set_exception(error)
        else:
            future.set_result(result)
        with self._lock:
            self._taken -= groups
            self._idle += 1
            self._start()


def pairing(workers: int) -> tuple[list[frozenset[int]], Int64s]:
    """The groups of each game, and the game of each pair of groups, [groups, groups].

    A group has to be paired with itself, too; that is part of a game with its neighbour.

    >>> pairing(1)[0]
    [frozenset({0})]
    >>> len(pairing(2)[0])
    10
    """
    groups = 2 * workers + 1 if workers > 1 else 1
    games = [*combinations(range(groups), 2)] or [(0, 0)]
    game_of = np.zeros((groups, groups), np.int64)
    for number, (one, other) in enumerate(games):
        game_of[one, other] = game_of[other, one] = number
    for group in range(groups):
        game_of[group, group] = game_of[group, (group + 1) % groups]
    return [frozenset(pair) for pair in games], game_of


def games_of(prepared: Prepared, nodes: Int64s, chosen: Mapping[str, Int64s], origin: int, workers: int) -> list[Game]:
    """Facts of a batch by game, the longest first; those of each relation ascending by head and tail.

    Args:
        nodes: internal ids of ``prepared.ids``; int64. chosen: by relation, which facts, by place; int64.
    """
    found, game_of = pairing(workers)
    if max(map(len, chosen.values()), default=0) < STATEMENT_ROWS * len(found):
        found, game_of = [frozenset().union(*found)], np.zeros_like(game_of)
    groups = nodes % len(game_of)
    planned: list[list[Planned]] = [[] for _ in found]
    for relation, places in chosen.items():
        pairs = prepared.facts[relation]
        at_heads, at_tails = pairs.heads[places], pairs.tails[places]
        heads, tails = nodes[at_heads], nodes[at_tails]
        marked = marks(origin, pairs.lines[places])
        games = game_of[groups[at_heads], groups[at_tails]]
        order = np.lexsort((tails, heads, games))
        ends = np.searchsorted(games[order], np.arange(len(found) + 1))
        for number in np.flatnonzero(np.diff(ends)).tolist():
            of = order[ends[number] : ends[number + 1]]
            planned[number].append(Planned(relation, heads[of], tails[of], marked[of], places[of]))
    made = [Game(taken, rows) for taken, rows in zip(found, planned, strict=True) if rows]
    made.sort(key=len, reverse=True)
    # The server plans a statement for each relation. Whoever comes first to one plans it; let it be another for each.
    return [
        Game(game.groups, _turned(game.rows, at % workers * len(game.rows) // workers)) for at, game in enumerate(made)
    ]


def _turned(rows: Sequence[Planned], start: int) -> Sequence[Planned]:
    """The same, from another one on."""
    return [*rows[start:], *rows[:start]]


def all_of(prepared: Prepared) -> dict[str, Int64s]:
    """By relation, the places of all facts."""
    return {relation: np.arange(len(pairs)) for relation, pairs in prepared.facts.items()}


def ends_of(prepared: Prepared, rows: Sequence[Planned]) -> Int64s:
    """Positions, in ``prepared.ids``, of the entities that some facts join; int64, ascending."""
    ends = []
    for of in rows:
        pairs = prepared.facts[of.relation]
        ends += [pairs.heads[of.places], pairs.tails[of.places]]
    return np.unique(np.concatenate(ends))


def taken(pending: Sequence[Planned], size: int) -> tuple[list[Planned], list[Planned]]:
    """The first ``size`` facts, and the rest."""
    first: list[Planned] = []
    for number, rows in enumerate(pending):
        if size >= len(rows.heads):
            first.append(rows)
            size -= len(rows.heads)
            continue
        if size:
            return [*first, rows.part(slice(size))], [rows.part(slice(size, None)), *pending[number + 1 :]]
        return first, [*pending[number:]]
    return first, []
