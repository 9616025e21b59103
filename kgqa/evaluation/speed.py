"""Speed: one question at a time on a store, and batches on a snapshot, split by stage."""

from __future__ import annotations

import random
import resource
import sys
import time
from collections.abc import Sequence

import torch

from graph_schema import Response
from kgqa.answering import Answerer, Stopwatch
from kgqa.answering.run import rank
from kgqa.data import Question
from kgqa.data.questions import bracketed
from kgqa.evaluation.accuracy import link_known
from kgqa.evaluation.ensemble import mean_ranked
from kgqa.stores.snapshot import Snapshot
from kgqa.training.prepare import TextStates

WARM_UP = 20


def sample(questions: Sequence[Question], count: int, seed: int) -> list[Question]:
    """``count`` questions, spread evenly over the parts, drawn by seed."""
    parts = list(dict.fromkeys(q.part for q in questions))
    drawn = []
    for part in parts:
        own = [q for q in questions if q.part == part]
        drawn += random.Random(seed).sample(own, min(len(own), -(-count // len(parts))))
    random.Random(seed).shuffle(drawn)
    return drawn


def one_by_one(
    answerer: Answerer, questions: Sequence[Question], *, brackets: bool
) -> tuple[dict[str, float], list[Response]]:
    """Whole-pipeline latency of single questions, warm, in milliseconds: p50, p95, and the mean of each stage.

    Also the mean number of round trips, where the store is asked over a network and counts them.
    """
    texts = [bracketed(q) if brackets else q.plain for q in questions]
    for text in texts[:WARM_UP]:
        answerer.ask(text)
    taken, stages = [], Stopwatch()
    responses = []
    trips = getattr(answerer.reader, "round_trips", None)
    for text in texts:
        began = time.perf_counter()
        response = answerer.ask(text)
        taken.append(time.perf_counter() - began)
        responses.append(response)
        for name, seconds in response.seconds.items():
            stages.add(name, 1000 * seconds / len(texts))
    taken.sort()
    figures = {"p50_ms": 1000 * taken[len(taken) // 2], "p95_ms": 1000 * taken[int(len(taken) * 0.95)]}
    if trips is not None:
        figures["round_trips"] = (getattr(answerer.reader, "round_trips", trips) - trips) / len(texts)
    return {**figures, **{f"{name}_ms": value for name, value in stages.seconds.items()}}, responses


def batched(
    answerer: Answerer,
    questions: Sequence[Question],
    snapshot: Snapshot,
    batch: int,
    others: Sequence[Answerer] = (),
) -> dict[str, float]:
    """Questions a second in batches on a snapshot, from text to ranked scores, with the encoder and with cached states.

    Linking is by brackets. With the encoder, every question of a batch is encoded, repeated texts too.

    Args:
        others: readers of the same settings that make an ensemble with the first; all of them are asked, one after
            another, and what they say is put together.
    """
    linked = [link_known(question, snapshot, brackets=True) for question in questions]
    readers = [(one, one.expander(snapshot)) for one in (answerer, *others)]
    device = answerer.network.device
    batches = [linked[i : i + batch] for i in range(0, len(linked), batch)]
    figures = {}
    for cached in (False, True):
        states = TextStates(answerer.encoder, [t for one in linked for t in one.texts]) if cached else None
        for measured in (False, True):  # the first round warms up
            watch, done, rows = Stopwatch(), 0, 0
            _synchronise(device)
            began = time.perf_counter()
            for some in batches[: None if measured else 2]:
                texts = [text for one in some for text in one.texts]
                with watch.stage("encoder"):
                    if states is None:
                        tokens = answerer.encoder.encode(texts).to(device)
                    else:
                        tokens = states.take(torch.arange(rows, rows + len(texts)), device)
                rows += len(texts)
                rankings = []
                for one, expander in readers:
                    run = one.run(some, tokens, expander, watch)
                    if run is not None:
                        with watch.stage("reading"):
                            rankings.append(rank(run.scores, expander, one.checkpoint.config.calibration))
                if others and rankings:
                    with watch.stage("reading"):
                        mean_ranked(rankings, readers[0][1])
                done += len(some)
            _synchronise(device)
            taken = time.perf_counter() - began
        name = "cached_per_second" if cached else "encoded_per_second"
        figures[name] = done / taken
        figures.update({f"{name}_{stage}_share": seconds / taken for stage, seconds in watch.seconds.items()})
    return figures


def peak_memory_mib() -> float:
    """Largest resident size this process has had, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
