"""All that a report shows, measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kgqa.answering import Answerer
from kgqa.data.graph import Walker
from kgqa.data.questions import Question
from kgqa.evaluation.abstention import abstention
from kgqa.evaluation.accuracy import Evaluated, evaluate
from kgqa.evaluation.calibration import (
    Reliability,
    area_under_risk_coverage,
    expected_calibration_error,
    reliability,
    risk_coverage,
)
from kgqa.evaluation.evidence import evidence
from kgqa.evaluation.figures import abstention_rows, evidence_rows
from kgqa.evaluation.metrics import METRICS
from kgqa.evaluation.record import Recorder, Row
from kgqa.evaluation.slices import slices
from kgqa.report.plots import Plot, reliability_diagram, risk_coverage_plot
from kgqa.report.shown import Shown, shown

SHOWN = ("hits_at_1", "f1", "exact")
RESAMPLES = 1000
ERRORS_AT_MOST = 60


@dataclass(frozen=True)
class Figure:
    """A mean over questions with the ends of its 95 % interval; shares in [0, 1]."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{100 * self.mean:.2f} ({100 * self.low:.2f} to {100 * self.high:.2f})"


@dataclass(frozen=True)
class SliceLine:
    """The questions of one value of a slicing; ``errors``: numbers of the errors shown of it, from 1."""

    value: str
    questions: int
    figures: tuple[Figure, ...]
    errors: tuple[int, ...]


@dataclass(frozen=True)
class Collected:
    """What a page is made of.

    Attributes:
        parts: name, number of questions and the figure of each of ``metrics`` (None where the set has none of it).
        ece, aurc: by part, in the same order. bins: of the reliability diagram, all questions.
        slices: by slicing. errors: the worst, see ``collect``. samples: questions to look at, right or wrong.
        more: rows on evidence and abstention.
    """

    metrics: tuple[str, ...]
    parts: tuple[tuple[str, int, tuple[Figure | None, ...]], ...]
    ece: tuple[float, ...]
    aurc: tuple[float, ...]
    bins: Reliability
    plots: tuple[Plot, ...]
    slices: tuple[tuple[str, tuple[SliceLine, ...]], ...]
    errors: tuple[Shown, ...]
    wrong: int
    samples: tuple[Shown, ...]
    more: tuple[Row, ...]


def collect(
    name: str,
    answerer: Answerer,
    questions: Sequence[Question],
    walker: Walker,
    recorder: Recorder,
    *,
    brackets: bool = True,
    samples: int = 6,
    errors: int = 2,
    also: Iterable[str] = (),
    say: Callable[[str], None] = lambda _: None,
) -> Collected:
    """Answer every question, and look closer at some.

    Args:
        samples: how many questions are shown with their attention, spread over the parts.
        errors: how many of each slice are shown, the worst first: wrong first answers before incomplete sets, and the
            surest of equal ones. ``ERRORS_AT_MOST`` altogether.
        also: "evidence", "abstention".
    """
    snapshot = walker.snapshot
    say(f"answering {len(questions):,} questions")
    found = evaluate(answerer, questions, snapshot, brackets=brackets)
    cut = slices(questions, walker)
    of_question: list[list[tuple[str, str]]] = [[] for _ in questions]
    for slicing, values in cut.items():
        for value, chosen in values.items():
            for at in torch.nonzero(chosen).squeeze(-1).tolist():
                of_question[at].append((slicing, value))

    def look(at: int, *, slots: bool) -> Shown:
        own = found.scores
        scores = float(own.hits_at_1[at]), float(own.f1[at]), float(own.confidence[at])
        return shown(answerer, questions[at], snapshot, scores, of_question[at], brackets=brackets, slots=slots)

    say("looking at errors")
    number: dict[int, int] = {}
    worst = _worst(found)
    lines = []
    for slicing, values in cut.items():
        own_lines = []
        for value, chosen in values.items():
            mine = [at for at in worst if chosen[at]][:errors]
            for at in mine:
                if len(number) < ERRORS_AT_MOST:
                    number.setdefault(at, len(number) + 1)
            figures = tuple(interval(getattr(found.scores, metric)[chosen], recorder.seed) for metric in SHOWN)
            own_lines.append(
                SliceLine(value, int(chosen.sum()), figures, tuple(sorted(number[at] for at in mine if at in number)))
            )
        lines.append((slicing, tuple(own_lines)))
    bad = tuple(look(at, slots=False) for at in number)
    say("looking at sample questions")
    good = tuple(look(at, slots=True) for at in _spread(found, samples))

    more: list[Row] = []
    if "evidence" in also:
        say("walking the evidence again")
        more += evidence_rows(name, evidence(answerer, questions, snapshot, brackets=brackets), recorder)
    if "abstention" in also:
        say("asking what the graph doesn't know")
        asked = abstention(answerer, questions, walker, recorder.seed, brackets=brackets)
        more += abstention_rows(name, asked, recorder)
    everything = torch.ones(len(questions), dtype=torch.bool)
    parts = {**found.parts(), "all": everything}
    confidence, right = found.scores.confidence, found.first_is_right()
    ece = tuple(expected_calibration_error(confidence[chosen], right[chosen]) for chosen in parts.values())
    aurc = tuple(area_under_risk_coverage(confidence[chosen], right[chosen]) for chosen in parts.values())
    bins = reliability(confidence, right)
    return Collected(
        metrics=METRICS,
        parts=tuple(
            (part, int(chosen.sum()), tuple(_figure(getattr(found.scores, m)[chosen], recorder.seed) for m in METRICS))
            for part, chosen in parts.items()
        ),
        ece=ece,
        aurc=aurc,
        bins=bins,
        plots=(reliability_diagram(bins, ece[-1]), risk_coverage_plot(risk_coverage(confidence, right), aurc[-1])),
        slices=tuple(lines),
        errors=bad,
        wrong=len(worst),
        samples=good,
        more=tuple(more),
    )


def interval(values: Tensor, seed: int) -> Figure:
    """The mean of per-question values with the percentile bootstrap's 95 % interval over the questions.

    Efron and Tibshirani 1993 (An Introduction to the Bootstrap), section 13.3. Where all values are equal it has no
    width, which says only that more questions are needed to see the next one differ.
    """
    known = values[~values.isnan()].numpy()
    generator = np.random.default_rng(seed)
    means = np.concatenate(
        [known[generator.integers(0, len(known), (50, len(known)))].mean(1) for _ in range(RESAMPLES // 50)]
    )
    low, high = np.quantile(means, (0.025, 0.975))
    return Figure(float(known.mean()), float(low), float(high))


def _figure(values: Tensor, seed: int) -> Figure | None:
    return None if bool(values.isnan().all()) else interval(values, seed)


def _worst(found: Evaluated) -> list[int]:
    """Questions whose set of answers isn't exactly right, the worst first."""
    own = found.scores
    wrong = torch.nonzero(own.exact < 1).squeeze(-1).tolist()
    return sorted(wrong, key=lambda at: (float(own.hits_at_1[at]), float(own.f1[at]), -float(own.confidence[at]), at))


def _spread(found: Evaluated, count: int) -> list[int]:
    """Positions of questions, the same number of each part, evenly over it."""
    parts = list(found.parts().values())
    each = -(-count // max(1, len(parts)))
    chosen: list[int] = []
    for part in parts:
        at = torch.nonzero(part).squeeze(-1)
        chosen += at[torch.linspace(0, len(at) - 1, min(each, len(at))).long()].tolist()
    return chosen[:count]
