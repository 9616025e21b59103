"""Facts that answered questions tell: those that are missing, and no others, by a reader that never saw the graph."""

from __future__ import annotations

import numpy as np
import pytest

from graph_schema import Entity, Fact, Schema
from kgqa.answering import Answerer
from kgqa.data import Question
from kgqa.data.graph import with_facts
from kgqa.evaluation.told import told_graphs
from kgqa.linking import split_brackets
from kgqa.model.checkpoint import Checkpoint, load_checkpoint, shipped
from kgqa.model.encoder import Encoder
from kgqa.stores.snapshot import Snapshot
from kgqa.told import Telling, reading, tell
from tests.reader import small_graph
from tests.sets import graph

DIRECTED = [fact for fact in small_graph() if fact.relation == "directed_by"]
GONE = DIRECTED[::3]
LEFT = {end for fact in small_graph() if fact not in GONE for end in (fact.head, fact.tail)}
# A director of whom nothing is left may share the name with a tag, which is then who is meant, and directs nothing.
CLEAR = sorted(fact for fact in GONE if fact.tail in LEFT or fact.tail.lower() not in LEFT)


@pytest.fixture(scope="module")
def general() -> Checkpoint:
    return load_checkpoint(shipped("general"))


@pytest.fixture(scope="module")
def films() -> Snapshot:
    """The films, a third of which have lost their director."""
    return graph(fact for fact in small_graph() if fact not in GONE)


def asked(text: str, *answers: str) -> Question:
    return Question(*split_brackets(text), answers)


def who_directed() -> list[Question]:
    """One for each film, with all of its directors."""
    of: dict[str, list[str]] = {}
    for fact in DIRECTED:
        of.setdefault(fact.head, []).append(fact.tail)
    return [asked(f"who directed [{film}]", *directors) for film, directors in of.items()]


def told(
    general: Checkpoint, encoder: Encoder, films: Snapshot, questions: list[Question], sure: float = 0.9
) -> Telling:
    return tell(Answerer(films, general, encoder, any_schema=True), films, questions, sure=sure)


def test_what_the_graph_lacks_is_told_and_nothing_else(general: Checkpoint, encoder: Encoder, films: Snapshot) -> None:
    found = told(general, encoder, films, who_directed())
    assert 0 < len(CLEAR) < len(GONE)
    assert [one.fact for one in found.told] == CLEAR
    assert found.known == len(DIRECTED) - len(GONE)
    assert found.one_hop + found.unsure + found.two_hops == len({fact.head for fact in DIRECTED})
    assert found.unsure + found.two_hops <= len(GONE) - len(CLEAR)
    assert all(one.fact.head in one.question.plain and one.fact.tail in one.question.answers for one in found.told)
    assert all(one.new == tuple({one.fact.tail} - LEFT) for one in found.told)
    assert any(one.new for one in found.told)
    assert any(not one.new for one in found.told)


def test_told_facts_answer_what_was_lost(general: Checkpoint, encoder: Encoder, films: Snapshot) -> None:
    found = told(general, encoder, films, who_directed())
    mended = with_facts(films, (one.fact for one in found.told))
    assert set(mended.all_facts()) == set(films.all_facts()) | set(CLEAR)
    film, director = CLEAR[0].head, CLEAR[0].tail
    assert mended.entities([director]) == {director: Entity(director, director)}
    said = Answerer(mended, general, encoder, any_schema=True).ask(f"who directed [{film}]")
    assert director in [answer.entity.id for answer in said.answers]
    assert not any(answer.guessed for answer in said.answers)


def test_the_other_way_round(general: Checkpoint, encoder: Encoder, films: Snapshot) -> None:
    """The director is the topic, and the film the answer."""
    lost = next(fact for fact in GONE if fact.tail in LEFT)
    found = told(general, encoder, films, [asked(f"which films were directed by [{lost.tail}]", lost.head)])
    assert [one.fact for one in found.told] == [lost]


def test_two_hops_tell_nothing(general: Checkpoint, encoder: Encoder, films: Snapshot) -> None:
    film = DIRECTED[1].head
    some = [fact.tail for fact in small_graph() if fact.relation == "release_year"][:3]
    found = told(
        general, encoder, films, [asked(f"when were the films by the director of [{film}] released", *some)]
    )  # fmt: skip
    assert (found.told, found.one_hop, found.two_hops + found.unsure) == ((), 0, 1)


def test_an_answer_of_another_kind_is_not_told(general: Checkpoint, encoder: Encoder, films: Snapshot) -> None:
    """A year directs nothing, whoever says so."""
    year = next(fact.tail for fact in films.all_facts() if fact.relation == "release_year")
    film = GONE[0].head
    assert told(general, encoder, films, [asked(f"who directed [{film}]", year)]).told == ()


def test_what_is_not_clear_tells_nothing(general: Checkpoint, encoder: Encoder, films: Snapshot) -> None:
    film = GONE[0].head
    questions = [
        asked("who directed it", "Somebody"),
        asked("who directed [A Film That Nobody Knows]", "Nobody Knows Him"),
        asked(f"who directed [{film}]", film),
    ]
    found = told(general, encoder, films, questions)
    assert (found.told, found.one_hop, found.unclear) == ((), 0, 3)


def test_a_name_that_several_bear_is_not_told(general: Checkpoint, encoder: Encoder) -> None:
    facts = [
        *(Fact(f"f{number}", "directed_by", f"p{number % 3}") for number in range(6)),
        *(Fact(f"f{number}", "release_year", f"{1990 + number}") for number in range(8)),
    ]
    films = graph(facts, {"p0": "Ann Ray", "p1": "Joe Low", "p2": "Joe Low", "f6": "Dusk", "f7": "Dawn"})
    found = told(
        general, encoder, films, [asked("who directed [Dusk]", "Joe Low"), asked("who directed [Dawn]", "Ann Ray")]
    )  # fmt: skip
    assert [one.fact for one in found.told] == [Fact("f7", "directed_by", "p0")]
    assert found.unclear == 1


def test_what_the_graph_says_of_the_same_words_counts(general: Checkpoint, encoder: Encoder, films: Snapshot) -> None:
    """Words that say nothing by themselves mean what their answers have been so far, if the reader thinks that
    possible; and where the answers aren't those, words aren't believed."""
    alone = told(general, encoder, films, [q for q in who_directed() if CLEAR[0].head in q.plain], sure=0.0)
    together = told(general, encoder, films, who_directed(), sure=0.0)
    lost = CLEAR[0]
    (by_itself,) = [one for one in alone.told if one.fact == lost]
    (with_others,) = [one for one in together.told if one.fact == lost]
    assert with_others.probability > by_itself.probability
    wrong = [
        asked(question.plain.replace("who directed ", "who directed [") + "]", *other.answers)
        for question, other in zip(who_directed(), who_directed()[1:], strict=False)
    ]
    assert told(general, encoder, films, wrong).told == ()


def test_nothing_asked(general: Checkpoint, encoder: Encoder, films: Snapshot) -> None:
    assert told(general, encoder, films, []) == Telling((), 0, 0, 0, 0, 0)
    nothing = np.zeros(0, dtype=np.int64)
    heat = [Entity("heat", "Heat")]
    bare = Snapshot.from_columns(heat, [], nothing, nothing, nothing, schema=Schema(), url="test", changes=0)
    assert told(general, encoder, bare, [asked("who directed [Heat]", "Ann")]) == Telling((), 0, 0, 0, 0, 1)


def of_ann(
    general: Checkpoint, encoder: Encoder, known: dict[str, str], *questions: Question, more: tuple[Fact, ...] = ()
) -> Telling:
    """What is told of four films by Ann, and some by others, whose years are known, but for hers."""
    facts = [
        *(Fact(f"Film {number}", "directed_by", "Ann") for number in range(4)),
        *(Fact(f"Film {number}", "directed_by", f"Director {number % 3}") for number in range(4, 12)),
        *(Fact(f"Film {number}", "release_year", f"{1980 + number}") for number in range(4, 12)),
        *(Fact(film, "release_year", year) for film, year in known.items()),
        *(Fact(f"Film {number}", "starred_actors", f"Actor {number % 4}") for number in range(4, 12)),
        Fact("Film 3", "starred_actors", "Bo"),
        *more,
    ]
    return told(general, encoder, graph(facts), list(questions))


ANN = "when were the films directed by [Ann] released"
BO = "when were the films starring [Bo] released"


def test_two_hops_tell_what_they_leave_no_choice_in(general: Checkpoint, encoder: Encoder) -> None:
    known = {"Film 0": "1984", "Film 1": "1985", "Film 2": "1986"}
    hers, his = asked(ANN, "1984", "1985", "1986", "2001"), asked(BO, "2001", "1984")
    # Of her films one has no year, and one year no film: but it may be one of the other years, too.
    assert not of_ann(general, encoder, known, hers).told
    assert not of_ann(general, encoder, known, hers, his).told
    found = of_ann(general, encoder, known, hers, asked(BO, "2001"))
    (one,) = found.told
    assert (one.fact, one.hops, one.new) == (Fact("Film 3", "release_year", "2001"), 2, ("2001",))
    assert (found.one_hop, found.two_hops) == (0, 2)


def test_where_nothing_needs_it_nothing_is_told(general: Checkpoint, encoder: Encoder) -> None:
    """Two films have no year, and either may be of the one that is left; or another film explains the year."""
    assert not of_ann(general, encoder, {"Film 0": "1984", "Film 1": "1985"}, asked(ANN, "1984", "1985", "2001")).told
    known = {"Film 0": "1984", "Film 1": "1984", "Film 2": "1984"}
    assert not of_ann(general, encoder, known, asked(ANN, "1984")).told


def test_where_questions_disagree_nothing_is_told(general: Checkpoint, encoder: Encoder) -> None:
    known = {"Film 0": "1984", "Film 1": "1985", "Film 2": "1986"}
    hers = asked(ANN, "1984", "1985", "1986", "2001")
    assert not of_ann(general, encoder, known, hers, asked(BO, "2002")).told


def test_what_one_hop_tells_is_known_for_two(general: Checkpoint, encoder: Encoder) -> None:
    known = {"Film 0": "1984", "Film 1": "1985"}
    questions = asked(ANN, "1984", "1985", "1986", "2001"), asked(BO, "2001")
    assert [one.fact for one in of_ann(general, encoder, known, *questions).told] == [
        Fact("Film 3", "release_year", "2001")
    ]


def test_training_may_be_told_less(general: Checkpoint, encoder: Encoder, films: Snapshot) -> None:
    """Of the questions a share, the first ones, tells the training graph nothing."""
    questions = who_directed()
    held = round(0.5 * len(questions))
    graphs = told_graphs(films, questions, 0.5, general, encoder)
    rest = {one.fact for one in told(general, encoder, films, questions[held:]).told}
    known = set(films.all_facts())
    assert set(graphs.training.all_facts()) == known | rest
    assert set(graphs.asked.all_facts()) == known | set(CLEAR)
    assert rest < set(CLEAR)
    assert told_graphs(films, questions, 0.0, general, encoder).training.info() == graphs.asked.info()


def test_what_leads_to_too_many_is_not_taken_for_silent(
    general: Checkpoint, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thing with more facts than are looked at has some."""
    assert of_ann(general, encoder, {}, asked(BO, "2001")).told
    monkeypatch.setattr(reading, "WIDE", 0)
    assert not of_ann(general, encoder, {}, asked(BO, "2001")).told
    monkeypatch.setattr(reading, "WIDE", 1)
    assert of_ann(general, encoder, {}, asked(BO, "2001")).told
    two = tuple(Fact("Film 3", "release_year", year) for year in ("1990", "1991"))
    assert not of_ann(general, encoder, {}, asked(BO, "2001"), more=two).told


def test_things_without_facts_stay_what_they_are(general: Checkpoint, encoder: Encoder) -> None:
    """A year that the graph knows by its name, and says nothing of, is the one that is told of, and isn't new."""
    facts = [
        *(Fact(f"f{number}", "directed_by", f"p{number % 3}") for number in range(9)),
        *(Fact(f"f{number}", "release_year", f"y{number}") for number in range(8)),
    ]
    ids = sorted({end for fact in facts for end in (fact.head, fact.tail)} | {"y2001"})
    names = {"p2": "Ann", "y2001": "2001"} | {f"y{number}": f"{1980 + number}" for number in range(8)}
    relations = ["directed_by", "release_year"]
    films = Snapshot.from_columns(
        [Entity(id_, names.get(id_, id_)) for id_ in ids],
        relations,
        np.array([ids.index(fact.head) for fact in facts], dtype=np.int64),
        np.array([relations.index(fact.relation) for fact in facts], dtype=np.int64),
        np.array([ids.index(fact.tail) for fact in facts], dtype=np.int64),
        schema=Schema(),
        url="test",
        changes=0,
    )
    (one,) = told(general, encoder, films, [asked("when was [f8] released", "2001")]).told
    assert (one.fact, one.hops, one.new) == (Fact("f8", "release_year", "y2001"), 1, ())
    mended = with_facts(films, [one.fact, Fact("f9", "directed_by", "p2")])
    assert mended.entities(["p2", "y2001", "f9"]) == {
        "p2": Entity("p2", "Ann"),
        "y2001": Entity("y2001", "2001"),
        "f9": Entity("f9", "f9"),
    }
    assert with_facts(films, []).entities(["y2001"]) == {"y2001": Entity("y2001", "2001")}
    # By elimination, too, though by then another fact has been told.
    alone = with_facts(
        films, [Fact("f8", "starred_actors", "Bo"), *(Fact(f"f{n}", "starred_actors", f"a{n}") for n in range(8))]
    )
    (one,) = told(general, encoder, alone, [asked(BO, "2001"), asked("who directed [f7]", "Cy")]).told[1:]
    assert (one.fact, one.hops, one.new) == (Fact("f8", "release_year", "y2001"), 2, ())
