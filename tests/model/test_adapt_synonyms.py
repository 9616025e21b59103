"""Words of the encoder's vocabulary that are like one relation and like no other."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from graph_schema import RelationSchema, Schema
from kgqa.adapt.synonyms import KIND, MOST, likely_kinds, synonyms
from kgqa.adapt.vocabulary import cache_path, vocabulary
from kgqa.adapt.wording import KINDS
from kgqa.model.encoder import Encoder


def test_words_are_near_to_one_relation_only(encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    relations = ["spouse", "children", "nationality", "profession"]
    found = synonyms(encoder, Schema(), relations)
    assert "wife" in found["spouse"]
    assert "career" in found["profession"]
    every = [word for near in found.values() for word in near]
    assert len(every) == len(set(every))
    assert all(len(near) <= MOST for near in found.values())
    # No other form of its own word; and what fits two relations is taken for neither.
    assert not {"child", "professions"} & set(every)
    alike = Schema(relations={"p": RelationSchema(words="teacher"), "q": RelationSchema(words="lecturer")})
    assert "professor" in synonyms(encoder, alike, ["p"])["p"]
    assert "professor" not in (synonyms(encoder, alike, ["p", "q"]).get("p", ()))
    # Everyday English stands first.
    assert found["spouse"][:2] == ("husband", "wife")
    assert synonyms(encoder, Schema(), []) == {}


def test_kinds_of_thing_are_those_that_the_relations_are_told_of(encoder: Encoder) -> None:
    films = likely_kinds(encoder, Schema(), ["directed_by", "starred_actors", "has_genre"])
    assert {"film", "movie"} <= set(films[:3])
    biology = likely_kinds(encoder, Schema(), ["binds", "is_expressed_in", "treats"])
    assert {"gene", "protein", "drug"} & set(biology)
    assert not {"film", "movie"} & set(biology)
    assert all(len(found) == KIND and set(found) <= set(KINDS) for found in (films, biology))
    assert likely_kinds(encoder, Schema(), []) == ()


def test_a_vocabulary_is_embedded_once(encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    few = copy.copy(encoder)
    monkeypatch.setattr(few, "vocabulary", lambda: ["Wife", "career", "wife"])
    embedded: list[str] = []

    def embed(texts: Sequence[str]) -> Tensor:
        embedded.extend(texts)
        return encoder.embed(texts)

    monkeypatch.setattr(few, "embed", embed)
    words, first = vocabulary(few)
    assert words == embedded == ["career", "wife"]
    assert torch.allclose(first, functional.normalize(encoder.embed(words), dim=-1), atol=1e-3)
    path = cache_path(few)
    assert [file.name for file in path.parent.iterdir()] == [f"{encoder.fingerprint()}.npy"]
    assert torch.equal(vocabulary(few)[1], first)
    assert len(embedded) == 2
    # What is no such table is made anew: a damaged file, one of other words.
    for bad in (b"", path.read_bytes()[:-3]):
        path.write_bytes(bad)
        assert torch.equal(vocabulary(few)[1], first)
    np.save(path, np.zeros((3, encoder.width), np.float16))
    assert torch.equal(vocabulary(few)[1], first)
    assert len(embedded) == 8
    # Nor does it matter that nothing can be kept.
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert torch.equal(vocabulary(few)[1], first)
