"""Which facts are written at the same time: every fact in one game, and no two games at once on the same nodes."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from itertools import combinations_with_replacement

import numpy as np
import pytest

from graph_schema import Batch, Fact
from kgqa.stores.batches import prepare
from kgqa.stores.neo4j_games import Games, all_of, games_of, pairing, taken


@pytest.mark.parametrize("workers", [1, 2, 3, 4])
def test_every_pair_of_groups_has_a_game(workers: int) -> None:
    games, game_of = pairing(workers)
    for one, other in combinations_with_replacement(range(len(game_of)), 2):
        assert game_of[one, other] == game_of[other, one]
        assert {one, other} <= games[game_of[one, other]]
    apart: list[frozenset[int]] = []
    for game in games:
        if all(not game & other for other in apart):
            apart.append(game)
    assert len(apart) == workers, "so many games at once"


@pytest.mark.parametrize("count", [0, 300, 8_000])
def test_every_fact_is_in_one_game_and_its_ends_in_the_groups_of_it(count: int) -> None:
    rng = random.Random(count)
    facts = [Fact(f"n{rng.randrange(400)}", f"r{rng.randrange(2)}", f"n{rng.randrange(400)}") for _ in range(count)]
    prepared = prepare(Batch(facts=facts, origin=3, fact_lines=range(1, count + 1)))
    nodes = 7 * np.arange(len(prepared.ids))
    games = games_of(prepared, nodes, all_of(prepared), 3, 2)
    names = dict(zip(nodes.tolist(), prepared.ids, strict=True))
    found: Counter[Fact] = Counter()
    for game in games:
        for rows in game.rows:
            for head, tail, mark, place in zip(rows.heads, rows.tails, rows.marks, rows.places, strict=True):
                fact = Fact(names[int(head)], rows.relation, names[int(tail)])
                found[fact] += 1
                pairs = prepared.facts[rows.relation]
                assert nodes[[pairs.heads[place], pairs.tails[place]]].tolist() == [head, tail]
                assert mark == 3 * 2**40 + facts.index(fact) + 1, "its first line"
                assert len(games) == 1 or {head % 5, tail % 5} <= game.groups
    assert found == dict.fromkeys(facts, 1)
    assert [*map(len, games)] == sorted(map(len, games), reverse=True)
    assert len(games) == {0: 0, 300: 1, 8_000: 10}[count], "few facts aren't worth several"


def test_games_that_share_a_group_are_played_one_after_the_other_in_their_order() -> None:
    rng = random.Random(1)
    drawn = [frozenset(rng.sample(range(5), 2)) for _ in range(60)]
    playing: list[frozenset[int]] = []
    played: list[int] = []
    most = 0
    lock = threading.Lock()

    def play(number: int) -> int:
        nonlocal most
        with lock:
            assert all(not drawn[number] & other for other in playing)
            playing.append(drawn[number])
            most = max(most, len(playing))
            played.append(number)
        time.sleep(0.001 * (number % 3))
        with lock:
            playing.remove(drawn[number])
        return number

    with ThreadPoolExecutor(4) as pool:
        games: Games[int] = Games(pool, 2)
        futures = [games.play(groups, partial(play, number)) for number, groups in enumerate(drawn)]
        assert [future.result(30) for future in futures] == [*range(60)]
    assert most == 2
    for groups in set(drawn):
        same = [number for number in played if drawn[number] == groups]
        assert same == sorted(same)


def test_a_failure_is_told_and_what_has_not_begun_is_not_played_after_the_end() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def fail() -> int:
        begun.set()
        go_on.wait(30)
        raise ValueError("lost")

    with ThreadPoolExecutor(2) as pool:
        games: Games[int] = Games(pool, 1)
        first: Future[int] = games.play(frozenset({0}), fail)
        second = games.play(frozenset({1}), lambda: 2)
        assert begun.wait(30)
        games.close()
        go_on.set()
        wait([first], 30)
    assert second.cancelled()
    with pytest.raises(ValueError, match="lost"):
        first.result()


def test_a_part_of_a_game_and_the_rest_are_all_of_it() -> None:
    prepared = prepare(Batch(facts=[Fact(f"n{n}", f"r{n % 3}", "hub") for n in range(30)]))
    (game,) = games_of(prepared, np.arange(len(prepared.ids)), all_of(prepared), 1, 2)
    sizes = []
    rest = [*game.rows]
    while rest:
        part, rest = taken(rest, 13)
        sizes.append(sum(len(rows.heads) for rows in part))
    assert sizes == [13, 13, 4]
