"""Made-up graphs for the general reader: what the file says is what they hold."""

from __future__ import annotations

import pytest

from benchmarks.domains import DOMAINS, Domain, Related, Told, graphs, read_domains
from kgqa.adapt.questions import make_questions
from kgqa.data.graph import Walker
from kgqa.stores.foreign.plan import TAIL

SMALL = """# a comment
domain office
worker > boss: reports to; boss
worker >> tool: uses; owns {since: date, how often: integer}
worker.first day date, start date
"""


def test_lines_are_read() -> None:
    assert read_domains(SMALL) == [
        Domain(
            "office",
            (
                Related("worker", "boss", several=False, said=("reports to", "boss"), properties=()),
                Related("worker", "tool", True, ("uses", "owns"), (("since", "date"), ("how often", "integer"))),
            ),
            (Told("worker", "first day", "date", ("start date",)),),
        )
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [("worker > boss", "line 2"), ("worker.age number", "no type: number"), ("nothing", "line 2")],
)
def test_a_wrong_line_is_named(line: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_domains(f"domain office\n{line}")


def test_the_file_that_ships_is_whole() -> None:
    domains = read_domains(DOMAINS.read_text())
    assert len({domain.name for domain in domains}) == len(domains) == 47
    assert all(len(domain.related) >= 7 and domain.told for domain in domains)
    for domain in domains:
        things = {end for one in domain.related for end in (one.head, one.tail)}
        assert {one.thing for one in domain.told} <= things


def test_graphs_are_the_same_for_a_seed_and_say_each_relation_in_its_own_words() -> None:
    domains = read_domains(DOMAINS.read_text())
    one, again, other = ([*graphs(domains, 8, seed)] for seed in (0, 0, 1))
    assert [(name, [*graph.all_facts()]) for name, graph in one] == [
        (name, [*graph.all_facts()]) for name, graph in again
    ]
    assert [name for name, _ in one] != [name for name, _ in other]
    held = 0
    for _, graph in one:
        schema = graph.schema()
        own = [name for name in graph.relations() if "." not in name]
        said = [schema.words(name) for name in own]
        ways = [way for name in own for way in {schema.words(name), *schema.relations[name].synonyms}]
        assert len(set(said)) == len(said)
        assert len(set(ways)) == len(ways)
        held += sum(name.startswith(TAIL) for name in graph.relations())
    assert held


def test_what_is_asked_of_them_has_the_answers_that_are_walked_to() -> None:
    for _, graph in graphs(read_domains(DOMAINS.read_text()), 3, 0):
        walker = Walker(graph)
        for question in make_questions(graph, 150, 0, 3):
            if len(question.paths) == 1:
                assert set(walker.answers(question)) == set(question.answers), question.plain


def test_properties_that_several_relations_have_are_said_with_them_and_others_alone() -> None:
    text = "domain kitchen\ndish >> food: garnish {amount: float}\ndish >> food: filling {amount: float, cut: text}\n"
    (domain,) = read_domains(text)
    said: dict[str, str] = {}
    for _, made in graphs([domain], 12, 3):
        said |= {name: made.schema().words(name) for name in made.relations() if "." in name}
    assert {words for name, words in said.items() if name.endswith("GARNISH.amount")} == {
        "amount of garnish",
        "amount as garnish",
    }
    assert {words for name, words in said.items() if name.endswith("FILLING.cut")} == {"cut"}
    types = {name.removeprefix("~").split(".")[0] for name in said}
    assert len(types & {"GARNISH", "IS_GARNISH", "HAS_GARNISH"}) > 1  # called in several ways
