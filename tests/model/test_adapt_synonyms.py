"""Words of the encoder's vocabulary that are like one relation and like no other."""

from __future__ import annotations

from graph_schema import RelationSchema, Schema
from kgqa.adapt.synonyms import MOST, synonyms
from kgqa.model.encoder import Encoder


def test_words_are_near_to_one_relation_only(encoder: Encoder) -> None:
    relations = ["spouse", "children", "nationality", "profession"]
    found = synonyms(encoder, Schema(), relations)
    assert "wife" in found["spouse"]
    assert "career" in found["profession"]
    every = [word for near in found.values() for word in near]
    assert len(every) == len(set(every))
    assert all(len(near) <= MOST for near in found.values())
    # No other form of its own word; and what fits two relations is taken for neither.
    assert not {"child", "professions"} & set(every)
    alike = Schema(relations={"p": RelationSchema(words="spouse"), "q": RelationSchema(words="wife")})
    assert "husband" not in (synonyms(encoder, alike, ["p", "q"]).get("p", ()))
    assert synonyms(encoder, Schema(), []) == {}
