"""Which mentions become topics, given what the network's topic scorer says.

The scorer here is a real one whose weights are set so that its logit is ``bias + slope * tanh(share)``, share being the
mention's share of the question: with a positive slope, longer mentions are likelier topics.
"""

from __future__ import annotations

import math

import pytest
import torch

from graph_schema import Entity
from kgqa.linking import Mention
from kgqa.linking.topics import MIN_PROBABILITY, MORE_PROBABILITY, NUMBER_PROBABILITY, Linked, choose_topics
from kgqa.model.config import ModelConfig
from kgqa.model.encoder import TokenStates
from kgqa.model.network import ReaderNetwork

MASK_ID = 7
SMALL = ModelConfig(encoder_dim=4, state_dim=4, relation_dim=4, slot_dim=4)


def network(bias: float, slope: float = 0.0) -> ReaderNetwork:
    made = ReaderNetwork(SMALL)
    with torch.no_grad():
        for parameter in made.topic.parameters():
            parameter.zero_()
        made.topic.hidden.weight[0, -1] = 1.0
        made.topic.out.weight[0, 0] = slope
        made.topic.out.bias.fill_(bias)
    return made


def question(plain: str, *names: str, bracketed: bool = False) -> Linked:
    topics = [Mention(plain.index(name), plain.index(name) + len(name), name, (Entity(name, name),)) for name in names]
    return Linked(plain, plain, bracketed, tuple(sorted(topics, key=lambda m: (m.start, m.end))))


def chosen(linked: list[Linked], made: ReaderNetwork) -> tuple[list[list[str]], list[list[str]], list[int]]:
    """Topics and other names by question, and the rows that are kept."""
    count = sum(len(one.topics) for one in linked)
    ids = torch.full((count, 3), MASK_ID)
    states = torch.zeros(count, 3, 4)
    tokens = TokenStates(states, torch.ones(count, 3, dtype=torch.bool), ids, states)
    decided, rows = choose_topics(linked, tokens, made, MASK_ID)
    return (
        [[m.text for m in one.topics] for one in decided],
        [[m.text for m in one.others] for one in decided],
        rows.tolist(),
    )


def logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def test_likely_mentions_are_all_topics() -> None:
    one = question("did heat inspire ali", "heat", "ali")
    assert chosen([one], network(logit(MORE_PROBABILITY) + 0.01)) == ([["heat", "ali"]], [[]], [0, 1])


def test_of_less_likely_ones_the_best_is_the_topic_and_the_others_are_named() -> None:
    one = question("did heat inspire ali", "heat", "ali")
    assert chosen([one], network(-1.0, 1.0)) == ([["heat"]], [["ali"]], [0])
    assert chosen([one], network(-1.0, -1.0)) == ([["ali"]], [["heat"]], [1])


def test_an_unlikely_mention_alone_is_no_topic_but_named() -> None:
    one = question("what is this", "what")
    assert chosen([one], network(logit(MIN_PROBABILITY) - 0.01)) == ([[]], [["what"]], [])
    assert chosen([one], network(logit(MIN_PROBABILITY) + 0.01)) == ([["what"]], [[]], [0])


def test_mentions_that_overlap_are_never_both_topics() -> None:
    one = question("who wrote Kill Bill Murray", "Kill Bill", "Bill Murray")
    assert chosen([one], network(9.0, 1.0)) == ([["Bill Murray"]], [["Kill Bill"]], [1])
    assert chosen([one], network(9.0, -1.0)) == ([["Kill Bill"]], [["Bill Murray"]], [0])


def test_equal_ones_are_settled_by_length() -> None:
    one = question("who wrote Kill Bill Murray", "Kill Bill", "Bill Murray")
    assert chosen([one], network(9.0)) == ([["Bill Murray"]], [["Kill Bill"]], [1])


def test_what_stands_in_brackets_is_a_topic_however_unlikely() -> None:
    one = question("what is what it was", "what", "was", bracketed=True)
    assert chosen([one], network(-50.0)) == ([["what", "was"]], [[]], [0, 1])


@pytest.mark.parametrize("probability", [1e-9, MORE_PROBABILITY - 0.01])
def test_names_written_with_capitals_are_topics_whatever_the_network_thinks(probability: float) -> None:
    one = question("which film has Heat and Ali in it", "film", "Heat", "Ali")
    topics, others, rows = chosen([one], network(logit(probability)))
    assert (topics, rows) == ([["Heat", "Ali"]], [1, 2])
    assert others == [["film"] if probability > MIN_PROBABILITY else []]


def test_with_them_go_others_that_are_likely() -> None:
    one = question("which film by Mann is of 1995", "film", "Mann", "1995")
    assert chosen([one], network(logit(MORE_PROBABILITY) + 0.01))[0] == [["film", "Mann", "1995"]]
    assert chosen([one], network(logit(NUMBER_PROBABILITY) + 0.01))[0] == [["Mann", "1995"]]
    assert chosen([one], network(logit(NUMBER_PROBABILITY) - 0.01))[0] == [["Mann"]]
    assert chosen([question("Who is Mann", "Who", "Mann")], network(50.0))[0] == [["Mann"]]
    guess = Mention(6, 10, "flim", (Entity("film", "film"),), how="typo")
    mann = question("which flim is by Mann", "Mann").topics
    guessed = Linked("which flim is by Mann", "which flim is by Mann", bracketed=False, topics=(guess, *mann))
    assert chosen([guessed], network(50.0))[0] == [["Mann"]]


def test_what_a_name_is_asked_to_have_done_is_no_name() -> None:
    sure = network(50.0)
    assert chosen([question("which group does case 12345 fall under", "12345", "fall")], sure)[0] == [["12345"]]
    assert chosen([question("which films did the actor Ali direct", "Ali", "direct")], sure)[0] == [["Ali"]]
    assert chosen([question("which films did ali direct", "ali", "direct")], network(50.0, -1.0))[0] != [
        ["ali", "direct"]
    ]
    assert chosen([question("which year does Ali, heat say", "Ali", "heat")], sure)[0] == [["Ali", "heat"]]
    assert chosen([question("which films did Ali Heat direct", "Ali", "Heat")], sure)[0] == [["Ali", "Heat"]]
    assert chosen([question("which films of ali heat", "ali", "heat")], sure)[0] == [["ali", "heat"]]


def test_of_names_with_capitals_that_overlap_the_network_says_which() -> None:
    one = question("who wrote Kill Bill Murray", "Kill Bill", "Bill Murray")
    assert chosen([one], network(-50.0, 1.0))[0] == [["Bill Murray"]]
    assert chosen([one], network(-50.0, -1.0))[0] == [["Kill Bill"]]


def test_a_capital_that_the_graph_has_not_tells_nothing() -> None:
    film, heat = Mention(6, 10, "FILM", (Entity("film", "film"),)), Mention(14, 18, "heat", (Entity("heat", "heat"),))
    one = Linked("which FILM is heat", "which FILM is heat", bracketed=False, topics=(film, heat))
    assert chosen([one], network(-1.0))[0] == [["FILM"]]


def test_the_first_word_has_a_capital_anyway() -> None:
    alone = question("Who is this", "Who")
    assert chosen([alone], network(logit(MIN_PROBABILITY) - 0.01)) == ([[]], [["Who"]], [])
    assert chosen([question("Who is Ali", "Who", "Ali")], network(0.0))[0] == [["Ali"]]
    assert chosen([question("The Who, what are they", "The Who")], network(-50.0))[0] == [["The Who"]]


@pytest.mark.parametrize("empty_first", [True, False])
def test_rows_count_over_the_questions_of_a_batch(empty_first: bool) -> None:
    two, none = question("did heat inspire ali", "heat", "ali"), question("who are you")
    bracketed = question("what is Heat", "Heat", bracketed=True)
    linked = [none, two, bracketed] if empty_first else [two, none, bracketed]
    topics, others, rows = chosen(linked, network(-1.0, -1.0))
    assert rows == [1, 2]
    assert topics == ([[], ["ali"], ["Heat"]] if empty_first else [["ali"], [], ["Heat"]])
    assert others == ([[], ["heat"], []] if empty_first else [["heat"], [], []])


def test_no_mention_at_all() -> None:
    assert chosen([question("who are you")], network(1.0)) == ([[]], [[]], [])
    assert chosen([], network(1.0)) == ([], [], [])
