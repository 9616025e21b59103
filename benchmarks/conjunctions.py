"""Can a reader say what two things have in common? Questions made from a graph, asked with and without brackets.

    python benchmarks/conjunctions.py examples/films/kb.txt.gz --json benchmarks/results/conjunctions.jsonl

The questions are worded by the grammar of ``kgqa adapt`` ("films directed by X that Y starred in"), drawn by --seed; a
reader that was trained on such questions must have had another seed, and those that it was asked (--trained N, by the
--trained-seed) are left out here, whatever their words: no pair of topics is in both.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from kgqa.adapt.questions import conjunctions
from kgqa.answering import Answerer
from kgqa.cli.common import script
from kgqa.data import Question
from kgqa.data.graph import load_graph
from kgqa.evaluation.accuracy import evaluate
from kgqa.evaluation.record import Recorder, Row, append
from kgqa.model.checkpoint import load_checkpoint
from kgqa.model.encoder import Encoder

METRICS = ("hits_at_1", "precision", "recall", "f1", "exact")


def pair(question: Question) -> tuple[str, ...]:
    """The two topics, whatever their order."""
    return tuple(sorted(question.topics))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("facts", type=Path, help="the graph: a file of facts")
    parser.add_argument("--checkpoint", type=Path, help="directory of a reader; the one that ships if not given")
    parser.add_argument("--encoder", help="text encoder: a directory or a model's name")
    parser.add_argument("--number", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1_000)
    parser.add_argument("--trained", type=int, default=3000, help="how many such questions the reader was trained on")
    parser.add_argument("--trained-seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="append the figures to this file")
    given = parser.parse_args()

    snapshot = load_graph(given.facts)
    known = {pair(question) for question in conjunctions(snapshot, given.trained, given.trained_seed)}
    made = [q for q in conjunctions(snapshot, given.number, given.seed) if pair(q) not in known]
    answerer = Answerer(snapshot, load_checkpoint(given.checkpoint), Encoder(given.encoder), any_schema=True)
    recorder = Recorder("made", given.seed, "cpu", {"checkpoint": str(given.checkpoint or "shipped")})
    rows: list[Row] = []
    for way, brackets in (("brackets", True), ("free text", False)):
        asked = [replace(question, part="conjunction") for question in made]
        scores = evaluate(answerer, asked, snapshot, brackets=brackets).scores
        means = scores.means(torch.ones(len(asked), dtype=torch.bool))
        rows += [recorder.row("conjunctions", name, means[name], len(asked), topics=way) for name in METRICS]
    for row in rows:
        print(f"{row.config['topics']:10} {row.metric:10} {row.value:.4f}  {row.n:,}")
    if given.json:
        append(given.json, rows)


if __name__ == "__main__":
    script(main)
