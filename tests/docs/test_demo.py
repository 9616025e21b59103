"""The demonstration's questions have answers in the film graph, and each is about exactly one entity."""

from __future__ import annotations

import gzip
import re
from collections import defaultdict
from functools import cache

import pytest

from graph_schema.text import name_key
from tests.docs.repository import ROOT

# Question → its topic and the relations to walk; "^" walks from tail to head.
QUESTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "who directed Blade Runner?": ("Blade Runner", ("directed_by",)),
    "which films share a director with Memento?": ("Memento", ("directed_by", "^directed_by")),
    "who starred in the films that share a director with Toy Story?": (
        "Toy Story",
        ("directed_by", "^directed_by", "starred_actors"),
    ),
}
EXPECTED = {"Blade Runner": {"Ridley Scott"}, "Memento": {"Inception", "Interstellar"}, "Toy Story": {"Owen Wilson"}}


@cache
def facts() -> list[tuple[str, str, str]]:
    with gzip.open(ROOT / "examples/films/kb.txt.gz", "rt", encoding="utf-8") as lines:
        return [(head, relation, tail) for head, relation, tail in (line.rstrip("\n").split("|") for line in lines)]


@cache
def neighbours() -> dict[tuple[str, str], set[str]]:
    found = defaultdict(set)
    for head, relation, tail in facts():
        found[head, relation].add(tail)
        found[tail, f"^{relation}"].add(head)
    return found


def test_the_graph_is_as_its_readme_says() -> None:
    readme = (ROOT / "examples/films/README.md").read_text("utf-8")
    entities = {entity for head, _, tail in facts() for entity in (head, tail)}
    relations = [relation for _, relation, _ in facts()]
    assert f"{len(set(facts())):,} facts over {len(entities):,} entities\nand {len(set(relations))} relations" in readme
    table = dict(re.findall(r"^\| (\w+) \| ([\d,]+) \|$", readme, re.MULTILINE))
    assert table == {relation: f"{relations.count(relation):,}" for relation in set(relations)}


def test_the_script_asks_these_questions() -> None:
    script = (ROOT / "tools/demo.sh").read_text("utf-8")
    assert re.findall(r'^kgqa ask "(.*?)"', script, re.MULTILINE) == list(QUESTIONS)


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_answers_are_in_the_graph_and_the_topic_is_unambiguous(question: str) -> None:
    topic, path = QUESTIONS[question]
    assert topic in question
    entities = {entity for head, _, tail in facts() for entity in (head, tail)}
    assert [entity for entity in entities if name_key(entity) == name_key(topic)] == [topic]
    reached = {topic}
    for relation in path:
        reached = {tail for head in reached for tail in neighbours().get((head, relation), set())} - {topic}
    assert reached >= EXPECTED[topic]
    assert len(reached) <= 20
