"""Plots as SVG in data addresses, so that a page needs no other file; drawn without a display."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

from matplotlib import rc_context
from matplotlib.figure import Figure
from torch import Tensor

from kgqa.evaluation.calibration import Reliability

BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#767676"  # told apart by the colour-blind too (Okabe and Ito 2008)


@dataclass(frozen=True)
class Plot:
    """``source``: what an image's ``src`` takes. ``alt``: the same in words."""

    source: str
    alt: str


def reliability_diagram(found: Reliability, ece: float) -> Plot:
    """How often the first answer is right, by how sure the reader was of it."""
    there = found.count > 0
    confidence, accuracy = found.confidence[there], found.accuracy[there]
    figure = Figure(figsize=(5, 4.2), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.plot([0, 1], [0, 1], color=GREY, linestyle="--", label="confidence = accuracy")
    upper.plot(confidence, accuracy, color=BLUE, marker="o", label="measured")
    upper.set(ylabel="share right", xlim=(0, 1), ylim=(0, 1.02))
    upper.legend(loc="upper left", frameon=False)
    bins = len(found.count)
    centres = [(number + 0.5) / bins for number in range(bins)]
    lower.bar(centres, found.count.tolist(), width=0.9 / bins, color=BLUE)
    lower.set(xlabel="confidence in the first answer", ylabel="questions", yscale="log")
    told = "; ".join(
        f"at {c:.2f} {a:.2f} of {n}"
        for c, a, n in zip(confidence.tolist(), accuracy.tolist(), found.count[there].tolist(), strict=True)
    )
    return _plot(
        figure, f"Reliability diagram, expected calibration error {ece:.4f}. Share right by confidence: {told}."
    )


def risk_coverage_plot(risk: Tensor, area: float) -> Plot:
    """How often the first answer is wrong among the surest questions, by how many of them are answered."""
    number = len(risk)
    figure = Figure(figsize=(5, 3.4), layout="constrained")
    axes = figure.subplots()
    axes.plot([(k + 1) / number for k in range(number)], risk.tolist(), color=ORANGE)
    axes.set(xlabel="coverage: share of questions answered, the surest first", ylabel="risk: share wrong", xlim=(0, 1))
    axes.set_ylim(bottom=0)
    told = "; ".join(
        f"{float(risk[max(0, round(part * number) - 1)]):.4f} at {part:.0%}" for part in (0.25, 0.5, 0.75, 0.9, 1.0)
    )
    return _plot(figure, f"Risk against coverage, area {area:.4f}. Share wrong: {told}.")


def _plot(figure: Figure, alt: str) -> Plot:
    packed = io.BytesIO()
    # Text stays text, and the same figure gives the same bytes.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "kgqa"}):
        figure.savefig(packed, format="svg", metadata={"Date": None})
    return Plot(f"data:image/svg+xml;base64,{base64.b64encode(packed.getvalue()).decode()}", alt)
