"""Figures of a question set as rows: by part, by slice, speed, over seeds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import torch

from graph_schema import Response
from kgqa.answering import Answerer
from kgqa.data import Question
from kgqa.data.graph import Walker
from kgqa.evaluation.abstention import Abstention
from kgqa.evaluation.accuracy import Evaluated
from kgqa.evaluation.calibration import area_under_risk_coverage, expected_calibration_error
from kgqa.evaluation.evidence import EvidenceScores, from_each_topic
from kgqa.evaluation.intervals import mean_interval
from kgqa.evaluation.metrics import METRICS
from kgqa.evaluation.record import Recorder, Row
from kgqa.evaluation.slices import slices
from kgqa.evaluation.speed import batched, one_by_one, peak_memory_mib, sample
from kgqa.stores.snapshot import Snapshot

Means = Mapping[str, Mapping[str, float]]
SLICED = ("hits_at_1", "f1", "exact")
LESS_IS_BETTER = ("ece", "aurc")
MEASURED = (*METRICS, *LESS_IS_BETTER)
"""What an experiment may expect of a part of the questions."""
EVIDENCE = ("evidence_precision", "evidence_holds")
"""What it may expect of all questions, where evidence is walked again."""
ABSTENTION = ("abstention_auroc", "abstained", "answerable_f1")
"""What it may expect of a kind of unanswerable questions (``abstention.KINDS``), where these are asked."""


def means(found: Evaluated) -> dict[str, dict[str, float]]:
    """Metrics by part, and of all questions together: see ``kgqa.evaluation.metrics`` and ``calibration``."""
    everything = torch.ones(len(found.questions), dtype=torch.bool)
    confidence, right = found.scores.confidence, found.first_is_right()
    return {
        part: {
            **found.scores.means(chosen),
            "ece": expected_calibration_error(confidence[chosen], right[chosen]),
            "aurc": area_under_risk_coverage(confidence[chosen], right[chosen]),
        }
        for part, chosen in {**found.parts(), "all": everything}.items()
    }


def accuracy_rows(name: str, found: Evaluated, recorder: Recorder, *, brackets: bool) -> Iterator[Row]:
    """A row for each part and metric, and for all questions together."""
    count = {part: int(chosen.sum()) for part, chosen in found.parts().items()}
    topics = "brackets" if brackets else "free text"
    for part, metrics in means(found).items():
        n = count.get(part, len(found.questions))
        for metric, value in metrics.items():
            yield recorder.row(f"{name}/{part}", metric, value, n, topics=topics)
        known = torch.tensor([bool(question.spans) for question in found.questions]) & found.parts().get(part, True)
        if not brackets and bool(known.any()):
            right = float(found.right_topic[known].mean())
            yield recorder.row(f"{name}/{part}", "right_topic", right, int(known.sum()), topics=topics)


def slice_rows(
    name: str, found: Evaluated, walker: Walker, recorder: Recorder, trained: Sequence[Question] = ()
) -> Iterator[Row]:
    """A row for each slice and metric of SLICED. ``trained``: the training questions."""
    for slicing, values in slices(found.questions, walker, trained).items():
        for value, chosen in values.items():
            metrics = found.scores.means(chosen)
            for metric in SLICED:
                about = {"slice": slicing, "of": value}
                yield recorder.row(f"{name}/all", metric, metrics[metric], int(chosen.sum()), **about)


def evidence_rows(name: str, found: EvidenceScores, recorder: Recorder) -> Iterator[Row]:
    """How often paths prove what they are shown for."""
    for metric, value, n in zip(EVIDENCE, (found.precision, found.holds), (found.paths, found.right), strict=True):
        yield recorder.row(f"{name}/all", metric, value, n)


def abstention_rows(name: str, found: Mapping[str, Abstention], recorder: Recorder) -> Iterator[Row]:
    """A row for each kind of unanswerable questions and metric."""
    for kind, one in found.items():
        values = (one.auroc, one.abstained, one.f1)
        counts = (one.answerable + one.unanswerable, one.unanswerable, one.answerable)
        for metric, value, n in zip(ABSTENTION, values, counts, strict=True):
            yield recorder.row(f"{name}/{kind}", metric, value, n)


def speed_rows(
    name: str,
    answerer: Answerer,
    questions: Sequence[Question],
    snapshot: Snapshot,
    recorder: Recorder,
    *,
    brackets: bool,
    singles: int,
    batch: int,
) -> Iterator[Row]:
    """Latency of single questions on the answerer's store, throughput on the snapshot, evidence, peak memory."""
    some = sample(questions, singles, recorder.seed)
    latency, responses = one_by_one(answerer, some, brackets=brackets)
    topics = "brackets" if brackets else "free text"
    for metric, value in latency.items():
        yield recorder.row(f"{name}/one question", metric, value, len(some), topics=topics)
    yield recorder.row(f"{name}/one question", "evidence_holds", *_evidence(some, responses), topics=topics)
    many = sample(questions, max(2000, 4 * batch), recorder.seed)
    for metric, value in batched(answerer, many, snapshot, batch).items():
        yield recorder.row(f"{name}/batches", metric, value, len(many), batch=batch)
    yield recorder.row(name, "peak_memory_mib", peak_memory_mib(), 1)


def over_seeds(rows: Sequence[Row]) -> list[Row]:
    """The mean over the seeds of rows that are otherwise of the same, with the 95 % interval in ``config``.

    Such a row has no seed; ``n`` is the mean of the rows' n.
    """
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.set, row.metric, repr(sorted(row.config.items()))), []).append(row)
    return [_mean(group) for group in groups.values()]


def mean_means(found: Iterable[Means]) -> dict[str, dict[str, float]]:
    """The mean, over seeds, of metrics by part."""
    lists: dict[str, dict[str, list[float]]] = {}
    for one in found:
        for part, metrics in one.items():
            for metric, value in metrics.items():
                lists.setdefault(part, {}).setdefault(metric, []).append(value)
    return {part: {m: sum(v) / len(v) for m, v in metrics.items()} for part, metrics in lists.items()}


def _mean(group: Sequence[Row]) -> Row:
    first = group[0]
    interval = mean_interval([row.value for row in group])
    half = None if interval.half is None else round(interval.half, 6)
    return Row(
        set=first.set,
        split=first.split,
        metric=first.metric,
        value=round(interval.mean, 6),
        n=round(sum(row.n for row in group) / len(group)),
        commit=first.commit,
        device=first.device,
        threads=first.threads,
        seed=None,
        config={**first.config, "seeds": [row.seed for row in group], "half_of_95_percent_interval": half},
        when=first.when,
    )


def _evidence(questions: Sequence[Question], responses: list[Response]) -> tuple[float, int]:
    """Share of the right answers that carry a path found in the store again, and how many right answers there are."""
    right = [
        all(path.holds for path in answer.evidence) and from_each_topic(answer, response)
        for question, response in zip(questions, responses, strict=True)
        for answer in response.answers
        if not {answer.entity.id, answer.entity.name}.isdisjoint(question.answers)
    ]
    return (sum(right) / len(right) if right else 0.0), len(right)
