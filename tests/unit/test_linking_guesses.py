"""Names that a question writes otherwise: which of its words are looked into, and the mentions that come of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from graph_schema import Batch, Entity, Fact, GraphReader, Schema
from kgqa.linking import Mention, find_mentions
from kgqa.linking.settle import around, hinted, settled, several
from kgqa.names import NamesIndex
from kgqa.retrieval.expander import Groups
from kgqa.stores import open_store

NAMES = (
    "Pulp", "Pulp Fiction", "Michael Mann", "Michael", "Man", "Tom Cruise", "Tom Hanks", "Hide and Seek", "Heat",
    "The Lord of the Rings", "Steven Spielberg", "Spider-Man", "The Matrix", "The Matrix Reloaded",
)  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GraphReader]:
    made = open_store(f"sqlite:///{tmp_path_factory.mktemp('names') / 'x.db'}", create=True)
    made.migrate(Schema())
    made.write(Batch([], [Fact(name, "r", "x") for name in NAMES]))
    yield made
    made.close()


@pytest.fixture(scope="module")
def index(store: GraphReader) -> NamesIndex:
    made = NamesIndex()
    made.refresh(store.all_entities())
    return made


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("who directed Pulp Fiction", {}),
        ("who directed Pulp Fction", {"Pulp Fction": ["Pulp Fiction"]}),
        # Both words are names, but they stand together as one would.
        ("what did Michael Man direct", {"Michael Man": ["Michael Mann"]}),
        ("what did Michael Mann direct", {}),
        ("who is in Hide an Seek", {"Hide an Seek": ["Hide and Seek"]}),
        ("what are Spielberg's films", {"Spielberg": ["Steven Spielberg"]}),
        ("what is Tom in", {"Tom": ["Tom Hanks", "Tom Cruise"]}),
        ("who is in spiderman", {"spiderman": ["Spider-Man"]}),
        ("what is cruise in", {"cruise": ["Tom Cruise"]}),
        # In small letters, parts of names are looked for only where there is no name.
        ("is heat like cruise", {}),
        ("who wrote LOTR", {"LOTR": ["The Lord of the Rings"]}),
        ("Who wrote it", {}),
        # But for articles and the order of the words, all of a name is there; then no longer one is meant in part.
        ("who directed Matrix", {"Matrix": ["The Matrix"]}),
        ("who directed Matrix, The", {"Matrix, The": ["The Matrix"]}),
        ("who directed matrix", {"matrix": ["The Matrix"]}),
        ("what did Cruise, Tom act in", {"Cruise, Tom": ["Tom Cruise"]}),
        ("what did hanks tom act in", {"hanks tom": ["Tom Hanks"]}),
        # What is a name as it stands isn't guessed at, nor are English words beside it.
        ("was Michael Mann in The Matrix", {}),
        ("when was The Matrix released", {}),
        ("when was the matrix released", {}),
        ("when was The Matrix Reloded released", {"The Matrix Reloded": ["The Matrix Reloaded"]}),
        # Small words are no parts of names.
        ("with whom did lord play there", {"lord": ["The Lord of the Rings"]}),
        ("[Pulp Fction] or Pulp Fction", {}),
    ],
)
def test_guesses(store: GraphReader, index: NamesIndex, question: str, expected: dict[str, list[str]]) -> None:
    spans = ((1, 12),) if question.startswith("[") else ()
    mentions = find_mentions(question, spans, store, index)
    guessed = {m.text: [entity.name for entity in m.entities] for m in mentions if m.guessed}
    assert {text: sorted(names) for text, names in guessed.items()} == {t: sorted(n) for t, n in expected.items()}
    plain = find_mentions(question, spans, store)
    assert [m for m in mentions if not m.guessed] == list(plain), "what is a name stays one"


def test_an_index_that_knows_names_which_the_store_has_not_guesses_nothing(index: NamesIndex, tmp_path: Path) -> None:
    empty = open_store(f"sqlite:///{tmp_path / 'empty.db'}", create=True)
    empty.migrate(Schema())
    assert find_mentions("who directed Pulp Fction", (), empty, index) == ()
    empty.close()


# ---- which entity is meant


CRASHES = tuple(Entity(f"crash/{n}", "Crash", "Film") for n in range(3))


def groups(*rows: tuple[int, int, int]) -> Groups:
    """(entity, directed relation, facts) as an offer."""
    owner, relation, count = torch.tensor(rows, dtype=torch.int64).reshape(-1, 3).T
    return Groups(owner, relation, count, owner)


def test_what_is_asked_for_decides_then_what_is_known() -> None:
    mention = Mention(0, 5, "Crash", CRASHES)
    assert [entity.id for _, entity in several([mention])] == ["crash/0", "crash/1", "crash/2"]
    # Relation 0 is what is asked for; the second entity lacks it, the third has more facts.
    logits = torch.tensor([[5.0, -5.0, 0.0]]).expand(3, -1)
    known = around(logits, groups((0, 0, 1), (1, 1, 900), (2, 0, 4), (2, 1, 2)))
    assert known.facts == [1, 900, 6]
    (one,) = settled([mention], ["Crash"], known)
    assert [entity.id for entity in one.entities] == ["crash/2"]
    assert [entity.id for entity in one.others] == ["crash/0", "crash/1"]


def test_an_entity_without_any_relation_fits_nothing() -> None:
    known = around(torch.zeros(2, 3), groups((1, 0, 1)))
    (one,) = settled([Mention(0, 5, "Crash", CRASHES[:2])], ["Crash"], known)
    assert [entity.id for entity in one.entities] == ["crash/1"]


def test_of_those_that_fit_the_one_written_most_alike_is_taken() -> None:
    both = (Entity("a", "bruce willis", "Tag"), Entity("b", "Bruce Willis", "Person"))
    known = around(torch.zeros(2, 2), groups((0, 0, 1), (1, 0, 9)))
    for text, expected in (("bruce willis", "a"), ("Bruce Willis", "b"), ("Bruce Wilis", "b")):
        (one,) = settled([Mention(0, len(text), text, both)], [text], known)
        assert one.entities[0].id == expected


def test_mentions_of_one_entity_stay_as_they_are() -> None:
    one = Mention(0, 4, "Heat", (Entity("heat", "Heat"),))
    crash = Mention(5, 10, "Crash", CRASHES)
    known = around(torch.zeros(3, 2), groups((0, 0, 1), (1, 0, 1), (2, 0, 1)))
    first, second = settled([one, crash], ["Heat Crash"] * 2, known)
    assert first is one
    assert second.entities == CRASHES[:1]


@pytest.mark.parametrize(
    ("question", "meant"),
    [
        ("who directed the film It", True),
        ("who directed the person It", False),
        ("who directed It of 1990", True),
        ("who directed It of 2017", False),
        ("It", False),
    ],
)
def test_hints(question: str, meant: bool) -> None:
    start = question.index("It")
    it = Entity("it", "It", "Film", properties={"released": 1990, "tags": ("a", "b"), "rating": 7.5, "note": ""})
    assert hinted(question, Mention(start, start + 2, "It", (it,)), it) is meant
