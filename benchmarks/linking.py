"""Does free text find the right topic, and how fast are names found?

    python benchmarks/linking.py questions --data DIRECTORY_OF_METAQA --json benchmarks/results/linking.jsonl
    python benchmarks/linking.py names --names 1000000 --json benchmarks/results/linking.jsonl

``questions``: MetaQA's questions without their brackets: as written, in small letters, and with one random slip in the
topic's name (see kgqa/evaluation/misspelling.py). Right: the topics found are the entities that the brackets mark. Of
--sample questions drawn by --seed; 0: all of them. Names without letters can't be misspelt and count as they are.

``names``: an index of made-up names (words of syllables drawn with a skew, one to five in a name): its size and memory,
the time to make it and to refresh it unchanged, and of look-ups: written exactly, in small letters, with one slip, and
by one word of the name. Found: the name is among the ten best.
"""

from __future__ import annotations

import argparse
import random
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import torch

from graph_schema import Entity
from kgqa.answering import Answerer, Stopwatch
from kgqa.cli.common import script
from kgqa.config import load_settings
from kgqa.data import Question
from kgqa.data.sets.metaqa import open_metaqa
from kgqa.evaluation.accuracy import link_known, linked_batches, right_topics
from kgqa.evaluation.metaqa import build, scratch_store
from kgqa.evaluation.misspelling import lower_cased, misspelt, slip
from kgqa.evaluation.record import Recorder, Row, append
from kgqa.model.checkpoint import load_checkpoint
from kgqa.model.encoder import Encoder
from kgqa.names import NamesIndex

if TYPE_CHECKING:
    from kgqa.stores.snapshot import Snapshot

TIMED = 500  # look-ups, and questions whose linking is timed
SYLLABLES = [c + v for c in "bcdfghjklmnprstvwz" for v in ("a", "e", "i", "o", "u", "ai", "ea", "ou")]
SYLLABLES += ["an", "er", "in", "on", "ar", "el", "st", "th", "ch", "sh"]
WORDS = 300_000


def questions(data: Path, split: str, sample: int, seed: int, recorder: Recorder) -> Iterator[Row]:
    """Share of questions whose topic is found, written in each way."""
    asked = [q for q in (open_metaqa(data).official or {})[split] if q.spans]
    if sample:
        asked = random.Random(seed).sample(asked, min(sample, len(asked)))
    rng = random.Random(seed)
    ways: dict[str, Callable[[Question], Question]] = {
        "as written": lambda question: question,
        "small letters": lower_cased,
        "one slip": partial(misspelt, rng=rng),
    }
    settings = load_settings({})
    with scratch_store(data, recorder) as (store, _), TemporaryDirectory() as scratch:
        snapshot, _ = build(store, recorder)
        index = NamesIndex(Path(scratch) / "names.db")
        began = time.perf_counter()
        index.refresh(store.all_entities())
        yield recorder.row("metaqa/names", "index_seconds", time.perf_counter() - began, len(index))
        answerer = Answerer(store, load_checkpoint(settings.checkpoint), Encoder(settings.encoder), names=index)
        for way, written in ways.items():
            texts = [written(question) for question in asked]
            right = np.array([*found(answerer, texts, asked, snapshot)])
            yield recorder.row("metaqa/all", "right_topic", float(right.mean()), len(right), written=way)
            if way == "one slip":
                changed = np.array([text.plain != question.plain for text, question in zip(texts, asked, strict=True)])
                yield recorder.row(
                    "metaqa/all", "right_topic", float(right[changed].mean()), int(changed.sum()), written=way, only=way
                )
            for names, guesses in (("exact", None), ("index", index)):
                times = [timed(link_known, text, snapshot, brackets=False, guesses=guesses) for text in texts[:TIMED]]
                yield from spread(recorder, "metaqa/linking", times, written=way, names=names)
        index.close()


def found(
    answerer: Answerer, texts: Sequence[Question], asked: Sequence[Question], snapshot: Snapshot
) -> Iterator[bool]:
    """Whether each question's topics are those of its brackets."""
    done = 0
    for some, tokens in linked_batches(answerer, texts, snapshot, brackets=False):
        planned = answerer.plan(some, tokens, answerer.expander(snapshot), Stopwatch())
        yield from right_topics(planned[0] if planned else some, asked[done : done + len(some)], snapshot)
        done += len(some)


def made_up(count: int, seed: int) -> tuple[list[str], random.Random]:
    """Names, and what drew them."""
    rng = random.Random(seed)
    words = ["".join(rng.choices(SYLLABLES, k=rng.choice((1, 2, 2, 3, 3, 4)))) for _ in range(WORDS)]

    def name() -> str:
        chosen = [
            words[int(WORDS * rng.random() ** 3)].capitalize() for _ in range(rng.choice((1, 2, 2, 2, 3, 3, 4, 5)))
        ]
        return " ".join(["The"] * (rng.random() < 0.2) + chosen)

    return [name() for _ in range(count)], rng


def names(count: int, seed: int, recorder: Recorder) -> Iterator[Row]:
    """Size and speed of an index of made-up names."""
    texts, rng = made_up(count, seed)
    set_ = "names/made up"

    def entities() -> Iterator[Entity]:
        return (Entity(f"Q{number}", text, "Thing") for number, text in enumerate(texts))

    with TemporaryDirectory() as scratch:
        path = Path(scratch) / "names.db"
        index = NamesIndex(path)
        for metric in ("index_seconds", "refresh_seconds"):
            began, worked = time.perf_counter(), time.process_time()
            index.refresh(entities())
            taken, cpu = time.perf_counter() - began, time.process_time() - worked
            yield recorder.row(set_, metric, taken, count, cpu_seconds=round(cpu, 1))
        index.close()
        yield recorder.row(set_, "file_mb", path.stat().st_size / 1e6, count)
        index = NamesIndex(path)
        before = resident()
        chosen = rng.sample(texts, min(TIMED, count))
        ways = {
            "exact": chosen,
            "small letters": [text.lower() for text in chosen],
            "one slip": [slip(text, rng) for text in chosen],
            "one word": [rng.choice(text.removeprefix("The ").split()) for text in chosen],
        }
        index.find("warm")
        for way, asked in ways.items():
            hits: list[bool] = []
            times: list[float] = []
            spent: list[float] = []
            for text, meant in zip(asked, chosen, strict=True):
                began, cpu = time.perf_counter(), time.process_time()
                best = index.find(text)
                times.append(time.perf_counter() - began)
                spent.append(time.process_time() - cpu)
                hits.append(any(hit.name == meant for hit in best))
            yield from spread(recorder, set_, times, written=way, cpu_p50_ms=round(1000 * float(np.median(spent)), 3))
            yield recorder.row(set_, "found", float(np.mean(hits)), len(hits), written=way)
        yield recorder.row(set_, "memory_mb", (resident() - before) / 1e6, count)
        index.close()


def timed(function: Callable[..., object], *words: object, **more: object) -> float:
    began = time.perf_counter()
    function(*words, **more)
    return time.perf_counter() - began


def spread(recorder: Recorder, set_: str, seconds: Sequence[float], **more: object) -> Iterator[Row]:
    for metric, share in (("p50_ms", 0.5), ("p95_ms", 0.95)):
        yield recorder.row(set_, metric, 1000 * float(np.quantile(seconds, share)), len(seconds), **more)


def resident() -> int:
    """Bytes that the process has in memory; the most it had, where the system doesn't tell."""
    try:
        return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * resource.getpagesize()
    except OSError:
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="+", choices=["questions", "names"])
    parser.add_argument("--data", type=Path, help="MetaQA's directory, for questions")
    parser.add_argument("--split", default="dev", choices=["dev", "test"], help="test: to be looked at once")
    parser.add_argument("--sample", type=int, default=0, help="questions drawn; 0: all")
    parser.add_argument("--names", type=int, default=1_000_000, help="names made up")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="append the figures to this file")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    for part in given.parts:
        if part == "questions" and given.data is None:
            parser.error("questions: say with --data where MetaQA lies")
        recorder = Recorder(given.split if part == "questions" else "", given.seed, "cpu", {})
        rows = (
            questions(given.data, given.split, given.sample, given.seed, recorder)
            if part == "questions"
            else names(given.names, given.seed, recorder)
        )
        for row in rows:
            print(f"{row.set:16} {row.metric:16} {row.value:12.4f}  n={row.n}  {row.config}", flush=True)
            if given.json:
                append(given.json, [row])


if __name__ == "__main__":
    script(main)
