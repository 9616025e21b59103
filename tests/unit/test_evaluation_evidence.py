"""Whether evidence proves what it is shown for; slices."""

from __future__ import annotations

import pytest

from graph_schema import Answer, Entity, EvidencePath, EvidenceStep, Fact, Response, Topic
from kgqa.data.graph import Walker
from kgqa.data.questions import GoldPath, Question
from kgqa.evaluation.evidence import EvidenceScores, score_evidence, walk_again
from kgqa.evaluation.slices import binned, slices
from tests.sets import graph

FACTS = [Fact("ann", "parent", "bea"), Fact("bea", "lives_in", "rome"), Fact("cid", "parent", "bea")]
GRAPH = graph(FACTS)


def path(*steps: tuple[str, str, str, bool]) -> EvidencePath:
    return EvidencePath(tuple(EvidenceStep(Fact(h, r, t), inverse, 1.0) for h, r, t, inverse in steps), True)


UP = path(("ann", "parent", "bea", False))
HOME = path(("ann", "parent", "bea", False), ("bea", "lives_in", "rome", False))
SIBLING = path(("ann", "parent", "bea", False), ("cid", "parent", "bea", True))
MADE_UP = path(("ann", "lives_in", "rome", False))


@pytest.mark.parametrize(
    ("walked", "topics", "answer", "proves"),
    [
        (UP, {"ann"}, "bea", True),
        (HOME, {"ann", "x"}, "rome", True),
        (SIBLING, {"ann"}, "cid", True),
        (HOME, {"bea"}, "rome", False),  # another topic
        (HOME, {"ann"}, "bea", False),  # goes on past the answer
        (UP, {"ann"}, "rome", False),  # stops before it
        (MADE_UP, {"ann"}, "rome", False),  # no such fact, though it says that it holds
        (EvidencePath((), True), {"ann"}, "ann", False),
    ],
)
def test_a_path_is_walked_again(walked: EvidencePath, topics: set[str], answer: str, proves: bool) -> None:
    assert walk_again(walked, topics, answer, set(FACTS)) is proves


def response(topic: str, *answers: tuple[str, tuple[EvidencePath, ...]]) -> Response:
    return Response(
        "who",
        tuple(Answer(Entity(id_, id_), 0.9, shown) for id_, shown in answers),
        topics=(Topic(0, 3, topic, (Entity(topic, topic),)),),
    )


def test_evidence_is_counted_by_path_and_by_right_answer() -> None:
    responses = [
        response("ann", ("bea", (UP,)), ("rome", (HOME,))),  # rome is wrong, though its path holds
        response("ann", ("rome", (HOME, MADE_UP)), ("cid", ())),  # one of rome's paths doesn't hold; cid has none
        Response("who", ()),
    ]
    found = score_evidence(responses, [{"bea"}, {"rome", "cid"}, {"ann"}], GRAPH)
    assert found == EvidenceScores(paths=4, proving=2, right=3, proven=1)
    assert (found.precision, found.holds) == (1 / 2, 1 / 3)
    assert score_evidence([], [], GRAPH) == EvidenceScores(0, 0, 0, 0)
    assert (EvidenceScores(0, 0, 0, 0).precision, EvidenceScores(0, 0, 0, 0).holds) == (0, 0)


def test_of_several_topics_each_must_have_a_path() -> None:
    down = path(("cid", "parent", "bea", False))
    both = tuple(Topic(at, at + 3, name, (Entity(name, name),)) for at, name in ((0, "ann"), (8, "cid")))
    for shown, proven in (((UP, down), 1), ((UP,), 0), ((), 0)):
        one = Response("whose", (Answer(Entity("bea", "bea"), 0.9, shown),), topics=both)
        assert score_evidence([one], [{"bea"}], GRAPH).proven == proven


def test_slices() -> None:
    questions = [
        Question(
            "home of ann 's parent", (), ("rome",), paths=(GoldPath("ann", (("parent", False), ("lives_in", False))),)
        ),
        Question("children of bea", ((12, 15),), ("ann", "cid"), paths=(GoldPath("bea", (("parent", True),)),)),
        Question("both", (), (), paths=(GoldPath("ann", (("parent", False),)), GoldPath("bea", (("parent", True),)))),
        Question("who is Zoe", ((7, 10),), ("x",)),
    ]
    cut = slices(questions, Walker(GRAPH))
    found = {name: {value: mask.tolist() for value, mask in of.items()} for name, of in cut.items()}
    assert found == {
        "hops": {"1": [False, True, True, False], "2": [True, False, False, False]},
        "relation": {
            "^parent": [False, True, True, False],
            "lives_in": [True, False, False, False],
            "parent": [True, False, True, False],
        },
        "topic facts": {"1-2": [True, False, False, False], "3-10": [False, True, True, False]},
        "answers": {
            "0": [False, False, True, False],
            "1": [True, False, False, True],
            "2-5": [False, True, False, False],
        },
        "gold path": {"whole": [True, True, True, False]},
        "namesakes": {"1": [True, True, True, False]},
        "trained": {},
    }
    assert slices([], Walker(GRAPH))["hops"] == {}


def test_what_training_had_of_a_path() -> None:
    def asked(*steps: tuple[str, bool]) -> Question:
        return Question("q", (), ("x",), paths=(GoldPath("ann", steps),))

    trained = [asked(("parent", False), ("lives_in", False)), asked(("knows", True))]
    questions = [
        asked(("parent", False), ("lives_in", False)),
        asked(("lives_in", False), ("knows", True)),
        asked(("knows", False)),
        Question("no path", (), ("x",)),
    ]
    found = {value: of.tolist() for value, of in slices(questions, Walker(GRAPH), trained)["trained"].items()}
    assert found == {
        "new": [False, False, True, False],
        "path": [True, False, False, False],
        "relations": [False, True, False, False],
    }


def test_namesakes_are_counted() -> None:
    named = graph([Fact("Ann", "knows", "Bob"), Fact("ann", "knows", "Bob")])
    question = Question("who knows Ann", ((10, 13),), ("Bob",))
    assert list(slices([question], Walker(named))["namesakes"]) == ["2"]
    assert list(slices([question], Walker(named))["topic facts"]) == ["1-2"]


def test_bins() -> None:
    assert [binned(n, (0, 1, 5), 0) for n in (0, 1, 2, 5, 6)] == ["0", "1", "2-5", "2-5", "6+"]
