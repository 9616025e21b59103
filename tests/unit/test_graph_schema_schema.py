"""The schema: in and out of YAML, every fault named at once, its page in step with it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from graph_schema import LabelSchema, PropertySchema, RelationSchema, Schema, SchemaError, schema

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "schema.md"

# What YAML can say: no control characters or lone surrogates.
names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
words = st.none() | names
properties = st.dictionaries(
    names,
    st.builds(PropertySchema, words=words, type=st.sampled_from(["string", "integer", "float", "boolean", "date"])),
    max_size=3,
)
labels = st.builds(
    LabelSchema, name=names, aliases=st.lists(names, max_size=3).map(tuple), words=words, properties=properties
)
relations = st.builds(RelationSchema, words=words, inverse=words, head=names, tail=names)
schemas = st.builds(
    Schema, labels=st.dictionaries(names, labels, max_size=4), relations=st.dictionaries(names, relations, max_size=4)
)


@given(schemas)
def test_yaml_round_trip(made: Schema) -> None:
    again = Schema.from_yaml(made.to_yaml())
    assert again == made
    assert again.fingerprint() == made.fingerprint()
    assert Schema.from_dict(made.to_dict()) == made


def test_the_example_in_the_docstring_is_a_schema() -> None:
    example = "\n".join(line for line in (schema.__doc__ or "").splitlines() if line.startswith("    "))
    read = Schema.from_yaml(example)
    assert read.labels["Film"].name == "title"
    assert read.labels["Film"].properties["released"].words == "release year"
    assert read.relations["directed_by"] == RelationSchema(
        words="directed by", inverse="directed", head="Film", tail="Person"
    )


def test_all_faults_are_named_at_once() -> None:
    bad = """
version: 2
colour: red
labels: {Film: {nam: title, properties: {year: {typ: integer, type: number}}}}
relations: {r: {head: '', sound: loud}, q: 3}
"""
    with pytest.raises(SchemaError) as caught:
        Schema.from_yaml(bad, where="films.yaml")
    message = str(caught.value)
    assert message.startswith("films.yaml: ")
    for fault in (
        "version: Input should be 1",
        "colour: unknown key",
        "labels.Film.nam: unknown key",
        "labels.Film.properties.year.typ: unknown key",
        "labels.Film.properties.year.type: Input should be",
        "relations.r.head: ",
        "relations.r.sound: unknown key",
        "relations.q: ",
    ):
        assert fault in message
    assert "docs/reference/schema.md" in caught.value.fix


@pytest.mark.parametrize("text", ["", "just words", "- a\n- b", "3"])
def test_what_is_no_mapping_is_no_schema(text: str) -> None:
    with pytest.raises(SchemaError, match="is a YAML mapping"):
        Schema.from_yaml(text)


@pytest.mark.parametrize("text", ["a: [", "a: b: c", "!!python/object:os.system {}", "\x00"])
def test_what_is_no_yaml_is_one_line(text: str) -> None:
    with pytest.raises(SchemaError, match="not valid YAML") as caught:
        Schema.from_yaml(text)
    assert "\n" not in str(caught.value)


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "schema.yaml"
    path.write_text("relations: {bornIn: {inverse: birthplace of}}", "utf-8")
    assert Schema.load(path).words("bornIn", inverse=True) == "birthplace of"
    path.write_bytes(b"\xff")
    for bad, said in ((path, "not UTF-8"), (tmp_path, "directory"), (tmp_path / "gone", "No such file")):
        with pytest.raises(SchemaError, match=said) as caught:
            Schema.load(bad)
        assert caught.value.where == str(bad)


def test_words_in_both_directions() -> None:
    made = Schema(relations={"r": RelationSchema(words="made by", inverse="maker of"), "bornIn": RelationSchema()})
    assert (made.words("r"), made.words("r", inverse=True)) == ("made by", "maker of")
    assert (made.words("bornIn"), made.words("bornIn", inverse=True)) == ("born in", "born in")
    assert made.words("never_heard_of") == "never heard of"
    assert [made.has_inverse_words(r) for r in ("r", "bornIn", "never_heard_of")] == [True, False, False]


@given(schemas, schemas)
def test_merging_keeps_all_and_prefers_the_later(one: Schema, two: Schema) -> None:
    both = one.merged(two)
    assert both.relations == {**one.relations, **two.relations}
    assert both.labels == {**one.labels, **two.labels}
    assert both.merged(two) == both
    assert one.merged(Schema()) == one


@given(schemas, st.sets(names, max_size=4))
def test_widening_adds_only_what_is_missing(made: Schema, found: set[str]) -> None:
    wide = made.with_relations(found)
    assert set(wide.relations) == set(made.relations) | found
    assert all(wide.relations[name] == relation for name, relation in made.relations.items())
    assert wide.with_relations(found) is wide


def test_the_fingerprint_is_of_what_is_said_and_nothing_else() -> None:
    base = Schema(relations={"a_b": RelationSchema(), "c": RelationSchema()})
    assert base.fingerprint() == Schema(relations={"c": RelationSchema(), "a_b": RelationSchema()}).fingerprint()
    assert base.fingerprint() == base.model_copy(update={"labels": {"Film": LabelSchema()}}).fingerprint()
    assert (
        base.fingerprint()
        == Schema(relations={"a_b": RelationSchema(words="a b"), "c": RelationSchema()}).fingerprint()
    )
    assert (
        base.fingerprint() != Schema(relations={"a_b": RelationSchema(words="a"), "c": RelationSchema()}).fingerprint()
    )
    assert base.fingerprint() != Schema(relations={"a_b": RelationSchema()}).fingerprint()
    assert base.fingerprint(["c"]) == Schema(relations={"c": RelationSchema()}).fingerprint()
    assert re.fullmatch(r"[0-9a-f]{16}", base.fingerprint())


def test_schemas_are_frozen() -> None:
    schema: Any = Schema()
    with pytest.raises(ValueError, match="frozen"):
        schema.version = 1


def page_tables() -> dict[str, dict[str, str]]:
    """The page's tables: heading -> {key: default}."""
    tables: dict[str, dict[str, str]] = {}
    for section in re.split(r"^## ", PAGE.read_text("utf-8"), flags=re.M)[1:]:
        rows = re.findall(r"^\| `(\w+)` \| [^|]* \| ([^|]*) \|", section, flags=re.M)
        if rows:
            tables[section.splitlines()[0].strip()] = {key: default.strip() for key, default in rows}
    return tables


@pytest.mark.parametrize(
    ("heading", "model"),
    [
        ("The file", Schema),
        ("A label", LabelSchema),
        ("A property", PropertySchema),
        ("A relation", RelationSchema),
    ],
)
def test_the_page_has_every_key_with_its_default(heading: str, model: type[BaseModel]) -> None:
    documented = page_tables()[heading]
    plain: dict[str, Any] = model().model_dump(mode="json")
    assert documented.keys() == plain.keys()
    for key, default in documented.items():
        read = None if default == "none" else yaml.safe_load(default.strip("`"))
        assert read == plain[key], key


def test_every_example_on_the_page_is_a_schema() -> None:
    examples = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text("utf-8"), flags=re.M | re.S)
    assert len(examples) >= 2
    for example in examples:
        assert Schema.from_yaml(example) != Schema()
