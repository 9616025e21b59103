"""How right can an answerer be at MetaQA's one hop? What the graph gives, held against what the questions list.

    python benchmarks/ceiling.py MetaQA --split test --json benchmarks/results/ceiling.jsonl

Films of one title are one entity in this graph, so a relation may give more than a question lists ("who directed X" of
two films called X), and nothing in question or graph tells which. Whoever follows, of the relations around the topic
that give all the listed answers, the one that gives fewest, and draws the first answer from what it gives, is right in
the share of it that is listed: ``hits_at_1`` is what is to be expected, ``f1`` that of the whole set; ``more`` counts
the questions that list fewer than the relation gives, ``uncovered`` those that list what none gives (wrong here).

With --keep 0.5, of all hops, on a graph of which only that share of each relation's facts is left (by --seed):
``broken`` counts the questions whose gold path leads to no gold answer any more, ``gone`` those of them whose topic, or
whose every answer, is in no fact that is left, so that no reader of the graph can be right, and ``hits_at_1`` is the
share of all questions of which that isn't so.

With --told too, what the answers of training questions tell is counted: ``told_back`` is how many of the broken
questions have an answer whose own training question, of the same hops backwards, lists their topic (as a reader of one
number of hops, with a vector for each entity that it learns from these questions, may learn it); ``told_hits_at_1`` is
the share of all questions whose gold path leads to an answer where the facts that training questions of one hop tell
are in the graph again.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from graph_schema import Fact
from kgqa.cli.bench_sets import about_graph
from kgqa.cli.common import script
from kgqa.data import Question
from kgqa.data.graph import Walker, thinned, with_facts
from kgqa.data.sets.registry import open_set
from kgqa.evaluation.record import Recorder, append

PARTS = ("1-hop", "2-hop", "3-hop")


def ceiling(walker: Walker, questions: Sequence[Question]) -> dict[str, float]:
    """The figures of the module's text, over questions of one hop and one topic."""
    hits, f1, more, uncovered = 0.0, 0.0, 0, 0
    for question in questions:
        (topic,) = walker.ids(question.topics)
        listed = walker.ids(question.answers)
        given = [reached for _, reached in walker.ways(topic, 1) if listed <= reached]
        if not given:
            uncovered += 1
            continue
        share = len(listed) / min(map(len, given))
        hits += share
        f1 += 2 * share / (1 + share)
        more += share < 1
    number = max(1, len(questions))
    return {"hits_at_1": hits / number, "f1": f1 / number, "more": more, "uncovered": uncovered}


def ceiling_of_part(walker: Walker, questions: Sequence[Question]) -> dict[str, float]:
    """The figures of a graph of which a part is left."""
    broken = [question for question in questions if walker.ids(question.answers).isdisjoint(walker.answers(question))]
    gone = sum(not walker.ids(question.topics) or not walker.ids(question.answers) for question in broken)
    return {"hits_at_1": 1 - gone / max(1, len(questions)), "broken": len(broken), "gone": gone}


Steps = tuple[tuple[str, bool], ...]


class Taught:
    """What training questions with a gold path tell by their answers.

    Attributes:
        facts: what those of one hop tell. ways: all that is told: to whom a way leads from where.
    """

    def __init__(self, walker: Walker, training: Sequence[Question]) -> None:
        self.facts: set[Fact] = set()
        self.ways: set[tuple[str, Steps, str]] = set()
        for question in training:
            (path,) = question.paths
            topics, answers = walker.ids([path.topic]), walker.ids(question.answers)
            self.ways.update((topic, path.steps, answer) for topic in topics for answer in answers)
            if len(path.steps) == 1:
                ((relation, inverse),) = path.steps
                heads, tails = (answers, topics) if inverse else (topics, answers)
                self.facts.update(Fact(head, relation, tail) for head in heads for tail in tails)

    def back(self, walker: Walker, question: Question) -> bool:
        """Whether a training question about one of the answers lists this question's topic, the same way back."""
        (path,) = question.paths
        steps = tuple((relation, not inverse) for relation, inverse in reversed(path.steps))
        topics, answers = walker.ids([path.topic]), walker.ids(question.answers)
        return any((answer, steps, topic) in self.ways for answer in answers for topic in topics)


def told(whole: Walker, left: Walker, taught: Taught, questions: Sequence[Question]) -> dict[str, float]:
    """The figures of a graph of which a part is left, with what training questions tell.

    Args:
        whole: knows all entities.
    """
    broken = [question for question in questions if left.ids(question.answers).isdisjoint(left.answers(question))]
    again = Walker(with_facts(left.snapshot, taught.facts))
    right = sum(not again.ids(question.answers).isdisjoint(again.answers(question)) for question in questions)
    return {
        "told_hits_at_1": right / max(1, len(questions)),
        "told_back": sum(taught.back(whole, question) for question in broken),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="MetaQA's directory")
    parser.add_argument("--split", choices=("dev", "test"), default="dev")
    parser.add_argument("--json", type=Path, help="append the figures to this file")
    parser.add_argument("--keep", type=float, help="share of each relation's facts that is left")
    parser.add_argument("--seed", type=int, default=0, help="of which facts are left")
    parser.add_argument("--told", action="store_true", help="with --keep: also what training questions tell")
    given = parser.parse_args()
    if given.told and given.keep is None:
        parser.error("--told says what is told of a graph of which a part is left; give --keep, too")

    opened = open_set("metaqa", given.data)
    walker = Walker(opened.graph())
    parts = opened.split(None, 0, walker)
    questions = parts.part(given.split)
    recorder = Recorder(given.split, given.seed, "cpu", {"topics": "brackets", **about_graph(given.keep)})
    left = None if given.keep is None else Walker(thinned(walker.snapshot, given.keep, given.seed))
    taught = Taught(walker, parts.train) if given.told else None
    rows = []
    for part in ("1-hop",) if left is None else PARTS:
        asked = [question for question in questions if question.part == part]
        found = ceiling(walker, asked) if left is None else ceiling_of_part(left, asked)
        if left is not None and taught is not None:
            found |= told(walker, left, taught, asked)
        rows += [recorder.row(f"metaqa/{part}", f"ceiling_{name}", value, len(asked)) for name, value in found.items()]
    for row in rows:
        print(f"{row.set}  {row.metric:20} {row.value:10.4f}  {row.n:,}")
    if given.json:
        append(given.json, rows)


if __name__ == "__main__":
    script(main)
