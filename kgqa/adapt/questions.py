"""Questions made from a graph, and which of them are trained on: the others have wordings of their own.

Ways, the relations in their order, aren't held out: a reader that has never been asked for some takes them to be ways
that nobody asks for, and answers by another.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from zlib import crc32

from graph_schema import InputError
from kgqa.adapt.grammar import Grammar, masked_text
from kgqa.adapt.paths import PathSampler
from kgqa.adapt.people import ways_to_people
from kgqa.data import Question
from kgqa.stores.snapshot import Snapshot

LEAST = 20  # distinct paths that there must be
HELD = 0.08  # of the wordings, held out for choosing, and as many for the score
MOST_HELD = 600  # questions of each held-out part
BOTH = 0.1  # questions about what two things have in common, beside as many others
BETWEEN = 0.15  # questions about what relationships say, beside as many others; none where they say nothing
WORDINGS = 6  # of one path, where there aren't enough paths
WEIGHT = 0.4  # of the training, at least, that questions which were given make up
REPEATED = 30


@dataclass(frozen=True)
class Made:
    """Questions to train on, to choose the best state of a reader by, and to score it on."""

    train: tuple[Question, ...]
    choose: tuple[Question, ...]
    score: tuple[Question, ...]


def check_graph(snapshot: Snapshot) -> None:
    """Raises:
    InputError: the graph has no relations.
    """
    if not snapshot.relations():
        raise InputError("the graph has no relations to ask for", where=snapshot.url, fix="Load facts: kgqa ingest")


def make_questions(
    snapshot: Snapshot,
    number: int,
    seed: int,
    hops: int,
    synonyms: Mapping[str, Sequence[str]] | None = None,
    kinds: Sequence[str] = (),
) -> list[Question]:
    """About ``number`` questions, the same for the same seed; fewer where the graph hasn't as many.

    Args:
        hops: of the longest. synonyms: other words for relations. kinds: what things may be; for both, see ``Words``.

    Raises:
        InputError: the graph has no relations, or too few paths to ask for.
    """
    check_graph(snapshot)
    generator = random.Random(f"adapt {seed}")
    sampler = PathSampler(snapshot, generator)
    paths = sampler.paths(number, hops)
    if len(paths) < LEAST:
        raise InputError(
            f"the graph has too few ways to ask for: {len(paths)} were found, {LEAST} are needed",
            where=snapshot.url,
            fix="Adapt once there are more facts, or ask with the reader as it is (--any-schema)",
        )
    people = ways_to_people(snapshot)
    grammar = Grammar(snapshot.schema(), snapshot.relations(), generator, synonyms or {}, kinds, people)
    wanted = min(WORDINGS, -(-number // len(paths)))
    between, both = sampler.between(round(BETWEEN * number)), sampler.both(round(BOTH * number))
    made = (
        one
        for _ in range(wanted)
        for some in (map(grammar.question, paths), map(grammar.between, between), map(grammar.both, both))
        for one in some
    )
    distinct = {(one.plain, one.paths[0].steps): one for one in made if one is not None}
    return list(islice(distinct.values(), number + len(between) + len(both)))


def conjunctions(snapshot: Snapshot, number: int, seed: int) -> list[Question]:
    """At most ``number`` questions about what two things have in common ("films directed by X that Y starred in").

    Raises:
        InputError: the graph has no relations.
    """
    check_graph(snapshot)
    generator = random.Random(f"conjunctions {seed}")
    grammar = Grammar(snapshot.schema(), snapshot.relations(), generator)
    made = map(grammar.both, PathSampler(snapshot, generator).both(number))
    return [one for one in made if one is not None]


def held_out(questions: Sequence[Question], seed: int) -> Made:
    """Divide questions by their wordings, see the module's text.

    Raises:
        InputError: they are too few to be divided.
    """
    generator = random.Random(f"held out {seed}")
    parts: tuple[list[Question], ...] = ([], [], [])
    for one in questions:
        parts[_part_of(masked_text(one), seed)].append(one)
    train, *held = parts
    if not all(parts):
        raise InputError(f"{len(questions)} questions are too few to hold some out", fix="Make more of them: --number")
    return Made(tuple(train), *(tuple(generator.sample(part, min(len(part), MOST_HELD))) for part in held))


def with_given(made: Made, given: Sequence[Question], seed: int) -> Made:
    """The same with questions that people asked: repeated in the training, so that they weigh, a fifth of 20 and more
    held out for choosing."""
    shuffled = list(given)
    random.Random(f"given {seed}").shuffle(shuffled)
    apart = len(shuffled) // 5 if len(shuffled) >= LEAST else 0
    choose, train = shuffled[:apart], shuffled[apart:]
    times = max(1, min(REPEATED, round(WEIGHT / (1 - WEIGHT) * len(made.train) / len(train))))
    return Made((*made.train, *train * times), (*made.choose, *choose), made.score)


def _part_of(wording: str, seed: int) -> int:
    """0 to train on, 1 to choose by, 2 to score."""
    share = crc32(f"{seed} {wording}".encode()) / 2**32
    return 1 if share < HELD else 2 if share < 2 * HELD else 0
