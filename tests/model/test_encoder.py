"""The real text encoder: where it is found, what it gives, what it refuses."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from graph_schema import EncoderError, QuestionError, Schema
from graph_schema.schema import RelationSchema
from kgqa.model.config import ModelConfig
from kgqa.model.encoder import DEFAULT_ENCODER, MASK, MAX_TOKENS, Encoder, _packaged
from kgqa.model.words import CODE, WordsAlone, codes

SCHEMA = Schema(relations={"directed_by": RelationSchema(words="directed by", inverse="director of")})


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The installed model's directory, to be changed."""
    packaged = _packaged()
    assert packaged is not None
    return Path(shutil.copytree(packaged, tmp_path / "model"))


@pytest.mark.usefixtures("no_network")
def test_it_is_found_without_the_network_and_is_the_same_from_anywhere(encoder: Encoder, copy: Path) -> None:
    found = Encoder()
    assert (found.name, found.width) == (DEFAULT_ENCODER, 384)
    assert found.fingerprint() == encoder.fingerprint() == Encoder(str(copy)).fingerprint()
    assert len(found.fingerprint()) == 16
    text = ["who directed [MASK]"]
    assert torch.equal(found.encode(text).states, encoder.encode(text).states)


def test_one_other_weight_is_another_encoder(encoder: Encoder, copy: Path) -> None:
    (weights,) = copy.rglob("*.safetensors")
    tensors = load_file(weights)
    name = next(name for name in tensors if name.endswith("layer.0.attention.self.query.bias"))
    tensors[name][0] += 1e-3
    save_file(tensors, weights, metadata={"format": "pt"})
    assert Encoder(str(copy)).fingerprint() != encoder.fingerprint()


def test_without_context_a_word_is_the_same_everywhere(encoder: Encoder) -> None:
    static = encoder.reading(ModelConfig(contextual=False))
    one, other = static.encode(["who directed [MASK]"]), static.encode(["[MASK] directed the man"])
    assert torch.equal(one.ids[0, 2], other.ids[0, 2])
    assert torch.equal(one.states[0, 2], other.states[0, 2])
    assert not torch.allclose(one.states[0, 1], one.states[0, 2])
    assert static.fingerprint() == encoder.fingerprint()
    # The encoder that it was made from reads on in context, and so does one made back from it.
    texts = ["who directed [MASK]", "[MASK] directed the man"]
    for contextual in (encoder, static.reading(ModelConfig())):
        found = contextual.encode(texts).states
        assert not torch.allclose(found[0, 2], found[1, 2], atol=0.1)
    # Relations are read the same way, or nothing could be compared.
    assert not torch.allclose(
        static.relation_texts(SCHEMA, ["directed_by"]), encoder.relation_texts(SCHEMA, ["directed_by"])
    )


def test_a_word_by_itself_is_what_a_relation_of_that_name_is(encoder: Encoder) -> None:
    encoder = encoder.reading(ModelConfig(spelled=True))
    found = encoder.encode(["who is the cinematographer of [MASK]'s films", "films"])
    pieces = encoder.words(found.ids[0].tolist())
    schema = Schema(relations={word: RelationSchema(words=word) for word in ("cinematographer", "films")})
    cinematographer, films = encoder.relation_texts(schema, ["cinematographer", "films"])[::2]
    first = pieces.index("cinematographer") if "cinematographer" in pieces else pieces.index("cinema")
    last = pieces.index("of")
    assert torch.allclose(found.words[0, first:last], cinematographer.expand(last - first, -1), atol=1e-5)
    assert torch.allclose(found.words[0, pieces.index("films")], films, atol=1e-5)
    assert torch.equal(found.words[0, pieces.index("films")], found.words[1, 1])
    own = [pieces.index(piece) for piece in ("[CLS]", "[MASK]", "[SEP]")]
    assert not bool(found.words[0, own].any())
    assert not bool(found.words[~found.mask].any())
    assert encoder.words_alone(found.ids[:0, :0]).shape == (0, 0, 384 + CODE)
    for alone, spelled in ((False, False), (True, False), (False, True)):
        reading = encoder.reading(ModelConfig(words_alone=alone, spelled=spelled))
        part = found.words[1:, :3, 0 if alone else 384 : None if spelled else 384]
        without = reading.encode(["films"])
        assert without.words.shape == part.shape
        assert torch.allclose(without.words, part, atol=1e-5)
        assert torch.allclose(without.states, found.states[1:, :3], atol=1e-5)
        told = reading.relation_texts(schema, ["films"])
        assert told.shape == (2, 384 + CODE * spelled)
        assert torch.allclose(told[0], films[: told.shape[1]], atol=1e-5)


def test_words_are_told_apart_by_how_they_are_spelt(encoder: Encoder) -> None:
    encoder = encoder.reading(ModelConfig(spelled=True))
    said = {"release": "release", "releases": "releases", "both": "Release date", "other": "published"}
    schema = Schema(relations={name: RelationSchema(words=words) for name, words in said.items()})
    found = encoder.encode(["when was the release date of [MASK]"])
    pieces = encoder.words(found.ids[0].tolist())
    word, date = (found.words[0, pieces.index(one), 384:] for one in ("release", "date"))
    spelt = encoder.relation_texts(schema, list(said))[::2, 384:]
    assert torch.cosine_similarity(spelt, word).tolist()[0] == pytest.approx(1)
    assert torch.cosine_similarity(spelt, word).abs()[[1, 3]].max() < 0.3
    assert torch.cosine_similarity(spelt, word + date).tolist()[2] == pytest.approx(1)
    assert torch.cosine_similarity(spelt, word).tolist()[2] == pytest.approx(2**-0.5, abs=0.15)


def test_codes_are_of_one_length_and_the_same_wherever_they_are_made() -> None:
    made = codes(["release", "releases", ""])
    assert made.shape == (3, CODE)
    assert torch.allclose(made.norm(dim=-1), torch.ones(3))
    assert "".join("01"[int(bit > 0)] for bit in made[0, :24]) == "001111110010101111100001"
    assert codes([]).shape == (0, CODE)


def test_no_more_words_are_kept_than_there_is_room_for(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kgqa.model.words.KEPT", 4)
    fresh = WordsAlone(encoder._tokenizer, encoder.embed, encoder.width, spelled=False)
    for text in ("who directed this", "who wrote that film", "a", "one two three four five six"):
        ids = encoder.encode([text]).ids
        assert torch.allclose(fresh(ids), encoder.words_alone(ids), atol=1e-5)
    assert len(fresh._place) == 6  # what one text needs is kept, whatever it is


def test_padding_changes_nothing_but_rounding(encoder: Encoder) -> None:
    texts = ["[MASK]", "who directed [MASK]", "which films did the director of [MASK] make in the year it was released"]
    together = encoder.encode(texts)
    assert not bool(together.states[~together.mask].any())
    for at, text in enumerate(texts):
        alone = encoder.encode([text])
        length = alone.states.shape[1]
        assert bool(alone.mask.all())
        assert together.mask[at].tolist() == [True] * length + [False] * (together.mask.shape[1] - length)
        assert together.ids[at, :length].tolist() == alone.ids[0].tolist()
        assert torch.allclose(together.states[at, :length], alone.states[0], atol=1e-5)
    taken = together.take(torch.tensor([2, 0]))
    assert torch.equal(taken.states, together.states[[2, 0]])


def test_the_mask_is_one_token_and_words_can_be_read(encoder: Encoder) -> None:
    found = encoder.encode([f"who directed {MASK}"])
    assert int((found.ids == encoder.mask_id).sum()) == 1
    assert encoder.words(found.ids[0].tolist()) == ["[CLS]", "who", "directed", "[MASK]", "[SEP]"]


def test_no_text_at_all(encoder: Encoder) -> None:
    none = encoder.encode([])
    assert (none.states.shape, none.mask.shape, none.ids.shape) == ((0, 0, 384), (0, 0), (0, 0))
    assert none.words.shape == (0, 0, 384)
    assert encoder.relation_texts(SCHEMA, []).shape == (0, 384)


def test_the_longest_question_is_read_and_a_longer_one_refused(encoder: Encoder) -> None:
    longest = "film " * (MAX_TOKENS - 2)  # and two that mark its ends
    assert encoder.encode([longest]).states.shape == (1, MAX_TOKENS, 384)
    with pytest.raises(QuestionError, match=f"{MAX_TOKENS + 1} tokens, at most {MAX_TOKENS}"):
        encoder.encode(["who", longest + "film"])
    with pytest.raises(QuestionError, match="10002 tokens"):
        encoder.encode(["film " * 10_000])


def test_relations_are_embedded_as_their_words_in_each_direction(encoder: Encoder) -> None:
    found = encoder.relation_texts(SCHEMA, ["directed_by", "releaseYear"])
    assert found.shape == (4, 384)
    for text, words in zip(found, ["directed by", "director of", "release year", "release year"], strict=True):
        assert torch.allclose(text, encoder.encode([words]).states[0].mean(0), atol=1e-5)


def test_there_is_no_encoder_there(tmp_path: Path, copy: Path) -> None:
    missing, empty, incomplete = (tmp_path / name for name in ("missing", "empty", "incomplete"))
    empty.mkdir()
    shutil.copytree(copy, incomplete, ignore=lambda _, names: {"model.safetensors"} & set(names))
    (weights,) = copy.rglob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:1000])
    for path in (missing, empty, incomplete, copy):
        with pytest.raises(EncoderError) as caught:
            Encoder(str(path))
        assert caught.value.where == str(path)
        assert caught.value.fix
        assert "\n" not in str(caught.value)


@pytest.fixture
def silent_hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A hub that takes connections and never answers."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=8)) as server:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setattr("kgqa.model.encoder.HUB_SECONDS", 0.5)
        yield server


def connections(server: socket.socket) -> int:
    """How many have connected since it was asked last."""
    server.setblocking(False)
    count = 0
    while True:
        try:
            server.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1


def test_a_hub_that_does_not_answer_is_asked_once_and_given_up(silent_hub: socket.socket) -> None:
    with pytest.raises(EncoderError, match="isn't on this machine, and the model hub can't be reached") as caught:
        Encoder("somebody/some-model")
    assert caught.value.where == "somebody/some-model"
    assert "directory that holds the model" in caught.value.fix
    assert "\n" not in str(caught.value)
    assert connections(silent_hub) == 1


def test_a_hub_that_is_not_there_is_given_up_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:1")
    began = time.monotonic()
    with pytest.raises(EncoderError, match="the model hub can't be reached"):
        Encoder("somebody/some-model")
    assert time.monotonic() - began < 20  # sentence-transformers' own retries take longer than a minute


@pytest.mark.usefixtures("no_network")
def test_what_was_downloaded_once_is_used_without_the_network(
    encoder: Encoder, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The hub client's own layout: models--NAME/snapshots/COMMIT, and which commit is the newest.
    kept = tmp_path / "cache/models--somebody--some-model"
    shutil.copytree(copy, kept / "snapshots/0123456789abcdef0123456789abcdef01234567")
    (kept / "refs").mkdir()
    (kept / "refs/main").write_text("0123456789abcdef0123456789abcdef01234567", "utf-8")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("transformers.utils.hub.HF_HUB_CACHE", str(tmp_path / "cache"), raising=False)
    assert Encoder("somebody/some-model").fingerprint() == encoder.fingerprint()
