"""Names found in a question's text: brackets, normal forms, longest match, punctuation, ambiguity."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_schema import Batch, Entity, Fact, GraphReader, QuestionError, Schema
from kgqa.linking import Mention, find_mentions, masked, split_brackets
from kgqa.linking.mentions import MAX_CHARACTERS
from kgqa.stores import open_store

NAMES = (
    "Heat", "heat", "The Matrix", "The Matrix Reloaded", "Stars", "Director", "Kill Bill: Vol. 1", "Léon", "$",
    "Mission: Impossible", "Kill!", "Kill", "東京物語", "In Hell", "Hell", "The American", "American Pop", "Of Hell",
    "Rings", "The Lord of the Rings", "Batman", "Batman Begins", "M", "1984", "103011729", "2010-12-27",
    "BIOCODEX",
)  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GraphReader]:
    made = open_store(f"sqlite:///{tmp_path_factory.mktemp('names') / 'x.db'}", create=True)
    made.migrate(Schema())
    entities = [
        Entity("m1", "Mercury", "Planet", ("Hermes",)),
        Entity("m2", "Mercury", "Metal", ("Quicksilver",)),
    ]
    made.write(Batch(entities, [Fact(name, "r", "x") for name in (*NAMES, "m1", "m2")]))
    made.finish()
    yield made
    made.close()


def found(question: str, store: GraphReader) -> dict[str, list[str]]:
    plain, spans = split_brackets(question)
    mentions = find_mentions(plain, spans, store)
    for mention in mentions:
        assert plain[mention.start : mention.end] == mention.text
    return {mention.text: [entity.id for entity in mention.entities] for mention in mentions}


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("who directed Heat?", {"Heat": ["Heat"]}),
        ("who directed Heat ?", {"Heat": ["Heat"]}),
        ('what is " The Matrix Reloaded " ?', {"The Matrix Reloaded": ["The Matrix Reloaded"]}),
        ("WHO DIRECTED HEAT", {"HEAT": ["Heat", "heat"]}),
        ("who directed heat", {"heat": ["Heat", "heat"]}),
        ("Who directed heat", {"heat": ["Heat", "heat"]}),
        ("is heat like Ali", {"heat": ["heat"]}),
        ("who is in kill!", {"kill!": ["Kill", "Kill!"]}),
        ("who wrote the matrix reloaded", {"the matrix reloaded": ["The Matrix Reloaded"]}),
        ("Stars or The Matrix Reloaded", {"Stars": ["Stars"], "The Matrix Reloaded": ["The Matrix Reloaded"]}),
        ("the director of Stars", {"director": ["Director"], "Stars": ["Stars"]}),
        ("is kill bill vol 1 good", {"kill bill vol 1": ["Kill Bill: Vol. 1"]}),
        ("who is in leon?", {"leon": ["Léon"]}),
        ("what is $ about", {"$": ["$"]}),
        ("who is in Kill!", {"Kill!": ["Kill!"]}),
        ("who directed 東京物語?", {"東京物語": ["東京物語"]}),
        ("is Mercury hot", {"Mercury": ["m1", "m2"]}),
        ("is quicksilver hot", {"quicksilver": ["m2"]}),
        ("who are you", {}),
        # A longer name that begins before the capitals doesn't hide the one that is spelled as in the graph.
        ("who is in Hell", {"in Hell": ["In Hell"], "Hell": ["Hell"]}),
        ("who is In Hell", {"In Hell": ["In Hell"]}),
        ("who is in hell", {"in hell": ["In Hell"]}),
        ("the American Pop director", {
            "the American": ["The American"], "American Pop": ["American Pop"], "director": ["Director"],
        }),
        ("who wrote the Lord of the Rings", {"the Lord of the Rings": ["The Lord of the Rings"]}),
        ("who wrote Batman begins", {"Batman begins": ["Batman Begins"]}),
    ],
)  # fmt: skip
def test_free_text(store: GraphReader, question: str, expected: dict[str, list[str]]) -> None:
    assert found(question, store) == expected


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("who directed [Heat]?", {"Heat": ["Heat"]}),
        ("is [Mercury] a director of stars", {"Mercury": ["m1", "m2"]}),
        ("who directed [Nothing Known]", {"Nothing Known": []}),
        ("did [Heat] star in [The Matrix]?", {"Heat": ["Heat"], "The Matrix": ["The Matrix"]}),
        ("who directed [the matrix]", {"the matrix": ["The Matrix"]}),
    ],
)
def test_only_what_stands_in_brackets_is_looked_up(
    store: GraphReader, question: str, expected: dict[str, list[str]]
) -> None:
    assert found(question, store) == expected


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("", "the question is empty"),
        (" \t\n", "the question is empty"),
        ("who directed []?", "nothing stands in the brackets"),
        ("who directed [ ]?", "nothing stands in the brackets"),
        ("word " * 10_000, r"too long: 50,000 characters, at most 2,000"),
    ],
)
def test_what_is_no_question(question: str, said: str) -> None:
    with pytest.raises(QuestionError, match=said) as caught:
        split_brackets(question)
    assert caught.value.fix


def test_the_longest_question_that_is_read() -> None:
    assert split_brackets("x" * MAX_CHARACTERS) == ("x" * MAX_CHARACTERS, ())


@given(st.text(st.characters(exclude_characters="[]")), st.text(st.characters(exclude_characters="[]"), min_size=1))
def test_spans_are_what_stood_in_brackets(around: str, name: str) -> None:
    question = f"{around}[{name}]{around}[{name}]"
    if not name.strip():
        with pytest.raises(QuestionError):
            split_brackets(question)
        return
    plain, spans = split_brackets(question)
    assert plain == f"{around}{name}{around}{name}"
    assert [plain[start:end] for start, end in spans] == [name, name]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Heat", True),
        ("heat", False),
        ("HEAT", False),
        ("M", False),
        ("Quicksilver", True),
        ("quicksilver", False),
        ("1984", False),  # it may be a year
        ("103011729", True),
        ("2010-12-27", True),
        ("BIOCODEX", True),
        ("Biocodex", True),
        ("biocodex", False),
    ],
)
def test_what_is_written_as_a_name(store: GraphReader, text: str, written: bool) -> None:
    (mention,) = find_mentions(f"is {text} good", (), store)
    assert mention.text == text
    assert mention.written_as_name is written


@pytest.mark.parametrize(
    ("plain", "at", "expected"),
    [
        ("who directed Heat?", (13, 17), "who directed [MASK]"),
        ("Heat was directed by whom?!", (0, 4), "[MASK] was directed by whom"),
        ("is Heat like heat ?", (3, 7), "is [MASK] like heat"),
    ],
)
def test_masking(plain: str, at: tuple[int, int], expected: str) -> None:
    assert masked(plain, Mention(*at, plain[slice(*at)], ()), "[MASK]") == expected


def test_other_mentions_are_masked_in_another_way() -> None:
    plain = "did Heat inspire Ali and Collateral?"
    heat, ali, collateral = (
        Mention(plain.index(name), plain.index(name) + len(name), name, ()) for name in ("Heat", "Ali", "Collateral")
    )
    assert masked(plain, ali, "[M]", [heat, collateral], "[O]") == "did [O] inspire [M] and [O]"
    assert masked(plain, collateral, "[M]", [ali, heat], "[O]") == "did [O] inspire [O] and [M]"
