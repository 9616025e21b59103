"""Train a reader on several graphs at once, on questions made from each: one that reads a schema it has never seen.

    kgqa ingest examples/films/kb.txt.gz --store sqlite:///films.db
    kgqa ingest fb15k237 --store sqlite:///fb15k.db
    kgqa ingest hetionet/nodes.tsv 'hetionet/edges_by_type/*.tsv' --mapping examples/hetionet/mapping.yaml \\
        --store sqlite:///hetionet.db
    python -m benchmarks.general sqlite:///films.db sqlite:///fb15k.db sqlite:///hetionet.db --out runs/general

The questions are those of ``kgqa adapt``, so no question that a person asked is in it. Beside the graphs that are given
there are made-up ones in many schemas (``domains``), so that no words are learnt by heart; those about the last fields
of life are not trained on, and tell how good the reader is on a graph that it has never seen. Run again with the same
--out it goes on; a state is kept every half a minute. With --init-from A B --way-steps 0 --steps 0 the mean of two
readers' weights is calibrated.
"""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path

from benchmarks.domains import DOMAINS, graphs, read_domains
from kgqa.adapt.paths import bounded_snapshot
from kgqa.adapt.questions import held_out, make_questions
from kgqa.adapt.session import SETTINGS, scores
from kgqa.adapt.synonyms import likely_kinds, synonyms
from kgqa.cli.adapt import GOING_ON
from kgqa.cli.common import script
from kgqa.cli.train import TrainingBar, train_config
from kgqa.evaluation.record import Recorder, append
from kgqa.model.checkpoint import load_checkpoint
from kgqa.model.config import ModelConfig
from kgqa.model.encoder import Encoder
from kgqa.stores import open_store, without_password
from kgqa.training.graphs import GraphQuestions
from kgqa.training.session import train_graphs
from kgqa.training.soup import averaged

UNSEEN = 6  # fields of life that the reader isn't trained on
DEV_EACH = 20  # held-out questions of a made-up graph, for choosing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", nargs="+", help="a graph to make questions from")
    parser.add_argument("--out", type=Path, required=True, help="directory for the checkpoint")
    parser.add_argument(
        "--init-from", type=Path, nargs="+", help="checkpoint to begin with, at half the rate; of several, their mean"
    )
    parser.add_argument("--encoder", help="text encoder: a directory or a model's name")
    parser.add_argument("--number", type=int, default=6000, help="questions to make from each graph, about")
    parser.add_argument("--domains", type=int, default=48, help="made-up graphs beside these")
    parser.add_argument("--each", type=int, default=500, help="questions to make from each of them, about")
    parser.add_argument("--way-steps", type=int, default=3000, help="steps before, on the ways alone")
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--looks", type=int, default=5, help="how often the held-out questions are asked")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path, help="append the figures to this file")
    given = parser.parse_args()

    encoder, model = Encoder(given.encoder, given.device), ModelConfig(wordings=True, reorder=True)
    start = averaged([load_checkpoint(one, given.device) for one in given.init_from]) if given.init_from else None
    real, asked, names = [], [], [url.rpartition("/")[2] for url in given.store]
    for url in given.store:
        with closing(open_store(url)) as store:
            snapshot = bounded_snapshot(store, store.info())
        near = synonyms(encoder, snapshot.schema(), snapshot.relations())
        kinds = likely_kinds(encoder, snapshot.schema(), snapshot.relations())
        every = make_questions(snapshot, given.number, given.seed, model.max_hops, near, kinds)
        made = held_out(every, given.seed)
        real.append(GraphQuestions(snapshot, made.train, made.choose))
        asked.append(made.score)
        print(
            f"{without_password(url)}: {len(made.train):,} questions to train on, {len(made.score):,} to score",
            flush=True,
        )
    domains = read_domains(DOMAINS.read_text())
    made_up = []
    for name, snapshot in graphs(domains[:-UNSEEN], given.domains, given.seed):
        made = held_out(make_questions(snapshot, given.each, given.seed, model.max_hops), given.seed)
        made_up.append(GraphQuestions(snapshot, made.train, made.choose[:DEV_EACH]))
        print(f"{name}: {len(made.train):,} questions to train on", flush=True)
    unseen = [
        (snapshot, make_questions(snapshot, given.each, given.seed, model.max_hops))
        for _, snapshot in graphs(domains[-UNSEEN:], UNSEEN, given.seed)
    ]
    config = train_config([], given.seed, model.model_dump()).model_copy(
        update={
            **SETTINGS,
            "mention_questions": 1000 * len(real),
            "dev_questions": 400 * len(real),
            "mixture": 1.0,
            "way_steps": given.way_steps,
            "steps": given.steps,
            **({"learning_rate": GOING_ON} if start else {}),
            "evaluate_every": max(1, -(-given.steps // given.looks)),
        }
    )
    about = {"made": f"questions from the graphs {', '.join(names)}"}
    with TrainingBar() as bar:
        trained = train_graphs(
            config,
            encoder,
            real + made_up,
            given.out,
            device=given.device,
            about=about,
            start=start,
            say=bar.say,
            progress=bar,
        )
    settings = {
        "steps": given.steps,
        "way_steps": given.way_steps,
        "graphs": names,
        "domains": given.domains,
        **({"init_from": [one.name for one in given.init_from]} if given.init_from else {}),
    }
    recorder = Recorder("made", given.seed, given.device, settings)
    rows = []
    scored = [*zip(names, (one.snapshot for one in real), asked, strict=True)]
    scored += [(f"unseen {at}", snapshot, tuple(made_of)) for at, (snapshot, made_of) in enumerate(unseen)]
    for name, snapshot, questions in scored:
        for score in scores(trained, encoder, snapshot, questions):
            print(f"{name:16} {score.part:6} {score.questions:5,}  Hits@1 {score.hits_at_1:.4f}  F1 {score.f1:.4f}")
            rows += [
                recorder.row("general", metric, value, score.questions, graph=name, part=score.part)
                for metric, value in (("hits_at_1", score.hits_at_1), ("f1", score.f1))
            ]
    if given.json:
        append(given.json, rows)


if __name__ == "__main__":
    script(main)
