"""What the reader reads for each topic of a question about several."""

from __future__ import annotations

import pytest
import torch

from graph_schema import Entity
from kgqa.linking import Mention, split_brackets
from kgqa.linking.topics import Linked, find_topics, row_texts
from kgqa.model.config import ModelConfig
from kgqa.model.encoder import Encoder
from kgqa.model.network import ReaderNetwork


@pytest.fixture(scope="module")
def network(encoder: Encoder) -> ReaderNetwork:
    torch.manual_seed(0)
    return ReaderNetwork(ModelConfig(encoder_dim=encoder.width, state_dim=8, relation_dim=8, slot_dim=8)).eval()


def question(plain: str, *names: str, marked: bool) -> Linked:
    topics = [Mention(plain.index(name), plain.index(name) + len(name), name, (Entity(name, name),)) for name in names]
    return Linked(plain, plain, marked, tuple(topics), settled=marked)


def test_each_topic_is_read_without_the_names_of_the_others(encoder: Encoder, network: ReaderNetwork) -> None:
    """In free text, too, where names that turn out to be none are left as they are."""
    plain = "what film by Ann has Bob, and who is in it?"
    other = question("who directed Heat", "Heat", marked=False)
    read = {}
    for marked in (True, False):
        # Names that are written small give way to those with capitals.
        names = ("Ann", "Bob") if marked else ("film", "Ann", "Bob")
        linked = [other, question(plain, *names, marked=marked), other]
        before = encoder.encode([text for one in linked for text in one.texts])
        found, tokens = find_topics(linked, before, network, encoder)
        assert [[m.text for m in one.topics] for one in found] == [["Heat"], ["Ann", "Bob"], ["Heat"]]
        assert all(one.settled for one in found)
        read[marked] = tokens
        words = [encoder.words(ids[mask].tolist())[1:-1] for ids, mask in zip(tokens.ids, tokens.mask, strict=True)]
        assert words[1] == ["what", "film", "by", "[MASK]", "has", "[UNK]", ",", "and", "who", "is", "in", "it"]
        assert words[2] == ["what", "film", "by", "[UNK]", "has", "[MASK]", ",", "and", "who", "is", "in", "it"]
        assert words[0] == words[3] == ["who", "directed", "[MASK]"]
    mask = read[True].mask
    assert torch.equal(read[False].mask[:, : mask.shape[1]], mask)
    assert not read[False].mask[:, mask.shape[1] :].any()
    for part in ("states", "words"):
        one, another = (getattr(read[marked], part)[:, : mask.shape[1]][mask] for marked in (True, False))
        assert torch.allclose(one, another, atol=1e-5), part


def test_names_of_relations_are_read_as_words() -> None:
    plain, name = "the place_of_birth of Some_One", "Some_One"
    (text,) = row_texts(plain, [Mention(plain.index(name), len(plain), name, ())], settled=True)
    assert text == "the place of birth of [MASK]"


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("the reactions of case [7]", "the reactions of [MASK]"),
        ("Age Group [7] has what", "[MASK] has what"),
        ("which case [7] follows", "which case [MASK] follows"),
        ("what does the suitcase [7] hold", "what does the suitcase [MASK] hold"),
        ("case, [7]", "case, [MASK]"),
        ("what have case [7] and [8]", "what have [MASK] and [UNK]"),
        ("reactions of the case '[7]'?", "reactions of [MASK]"),
        ('which case "[7]" follows', "which case [MASK] follows"),
        ("list the reactions of the age group named “[7]”.", "list the reactions of [MASK]"),
        ("Who reported the Case with the number [7]", "Who reported the Case with the number [MASK]"),
        ("who reported a case called [7]", "who reported [MASK]"),
        ("what do '[7]' and '[8]' share", "what do [MASK] and [UNK] share"),
        ("who made the film titled '[7]'", "who made [MASK]"),  # not what the graph calls it
        ("which film titled [7] is it", "which film titled [MASK] is it"),
        ("is [7]' a case", "is [MASK]' a case"),
    ],
)
def test_what_a_topic_is_called_before_its_name_belongs_to_it(question: str, text: str) -> None:
    plain, spans = split_brackets(question)
    kinds = (Entity("x", "x", "Case"), Entity("y", "y", "AgeGroup"))
    topics = [Mention(start, end, plain[start:end], kinds) for start, end in spans]
    assert row_texts(plain, topics, settled=True)[0] == text


def test_the_kind_of_a_topic_that_is_another_topic_stays() -> None:
    plain = "reactions of case 7"
    case, number = Mention(13, 17, "case", ()), Mention(18, 19, "7", (Entity("x", "x", "Case"),))
    assert row_texts(plain, [case, number], settled=True) == ["reactions of [MASK] [UNK]", "reactions of [UNK] [MASK]"]


def test_rows_may_be_replaced_by_longer_and_by_shorter_texts(encoder: Encoder) -> None:
    texts = ["who directed [MASK]", "which films has the director of [MASK] made", "[MASK]"]
    whole = encoder.encode(texts)
    for changed in (["where was [MASK] born"], ["in which of the years of the whole century was [MASK] born then"]):
        index = torch.tensor([1])
        got = whole.replaced(index, encoder.encode(changed))
        for row, text in enumerate((texts[0], changed[0], texts[2])):
            alone = encoder.encode([text])
            length = alone.mask.shape[1]
            assert got.mask[row].sum() == length
            assert torch.equal(got.ids[row, :length], alone.ids[0])
            assert torch.allclose(got.states[row, :length], alone.states[0], atol=1e-5)
            assert torch.allclose(got.words[row, :length], alone.words[0], atol=1e-6)
            assert not got.states[row, length:].any()
