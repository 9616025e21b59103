"""Words that are misspelt in a database are said as they are meant, and it is said that they are."""

from __future__ import annotations

from graph_schema import LabelSchema, PropertySchema, RelationSchema, Schema
from graph_schema.schema import RelationPropertySchema
from kgqa.stores.foreign.decisions import Decided, Place
from kgqa.stores.foreign.spelling import meant_by, respelt

KNOWN = frozenset(("primary", "substance", "manufacturer", "drug", "indication", "indicating", "dose", "producer"))


def test_wordings_are_mended_wherever_they_stand_and_names_are_not() -> None:
    schema = Schema(
        labels={
            "Manufactuer": LabelSchema(
                words="manufactuer",
                properties={
                    "primarySubstabce": PropertySchema(
                        words="primary substabce", inverse="drug with primary substabce"
                    ),
                    "dose": PropertySchema(words="dose", inverse="drug with dose"),
                },
            )
        },
        relations={
            "HAS": RelationSchema(
                words="produceer", inverse="drug", properties={"x": RelationPropertySchema(tail_words="indicaton")}
            )
        },
    )
    why: dict[Place, str] = {("labels", "Manufactuer", "properties", "primarySubstabce"): "94 % have it"}
    mended = respelt(Decided(schema, why), KNOWN)
    label, relation = mended.schema.labels["Manufactuer"], mended.schema.relations["HAS"]
    assert label.words == "manufacturer"
    assert label.properties["primarySubstabce"].words == "primary substance"
    assert label.properties["primarySubstabce"].inverse == "drug with primary substance"
    assert (relation.words, relation.inverse) == ("producer", "drug")
    assert relation.properties["x"].tail_words == "indication"
    assert mended.why["labels", "Manufactuer", "properties", "primarySubstabce"] == (
        "94 % have it; said 'substance' for 'substabce', which is no word known here"
    )
    assert ("labels", "Manufactuer", "properties", "dose") not in mended.why
    assert why == {("labels", "Manufactuer", "properties", "primarySubstabce"): "94 % have it"}


def test_nothing_is_mended_by_guessing() -> None:
    assert meant_by("substabce", KNOWN) == "substance"
    assert meant_by("substances", KNOWN) == ""  # a plural
    assert meant_by("drog", KNOWN) == ""  # too short to tell
    assert meant_by("jndication", KNOWN) == ""  # another first letter
    assert meant_by("indicatin", {"indication", "indicating"}) == ""  # it may be either
    assert meant_by("concomitant", KNOWN) == ""
    assert meant_by("сubstance", KNOWN) == ""
    schema = Schema(relations={"R": RelationSchema(words="substabce")})
    assert respelt(Decided(schema), ()) == Decided(schema)
