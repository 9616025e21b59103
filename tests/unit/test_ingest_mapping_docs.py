"""The page on mappings is in step with the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from ingest import mapping_file
from ingest.mapping_file import MappingFile

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "mapping.md").read_text("utf-8")
WORDED = {
    "the id",
    "ISO 8601",
    "the source's",
    "the schema's, or `string`",
    "`true` if the source has nodes",
    "either this",
    "or this",
}


def table(after: str) -> dict[str, str]:
    found = re.search(r"\n\|.*?\n\n", PAGE[PAGE.index(f"\n{after}\n") :], flags=re.S)
    assert found
    rows = [re.split(r"(?<!\\) \| ", line.strip("| ")) for line in found.group().strip().splitlines()[2:]]
    return {key: row[-1] for row in rows for key in re.findall(r"`(\w+)`", row[0])}


@pytest.mark.parametrize(
    ("after", "model"),
    [
        ("## The file", MappingFile),
        ("## A source", mapping_file.SourceSpec),
        ("## A node", mapping_file.NodeSpec),
        ("## A property", mapping_file.PropertySpec),
        ("## A relationship", mapping_file.RelationshipSpec),
        ("An end:", mapping_file.EndSpec),
        ("## Triples", mapping_file.TriplesSpec),
    ],
)
def test_every_key_is_there_with_its_default(after: str, model: type[BaseModel]) -> None:
    documented = table(after)
    assert documented.keys() == {field.alias or name for name, field in model.model_fields.items()}
    for name, field in model.model_fields.items():
        said = documented[field.alias or name]
        if said in WORDED:
            continue
        if said == "must be there":
            assert field.is_required(), name
            continue
        assert not field.is_required(), name
        default: Any = field.get_default(call_default_factory=True)
        assert default is not PydanticUndefined
        plain = default.model_dump(exclude_defaults=True) if isinstance(default, BaseModel) else default
        read = None if said == "none" else yaml.safe_load(said.strip("`")) if said != "`.`" else "."
        assert read == (
            ([*plain] if isinstance(plain, tuple) else plain) or (read if not read and not plain else plain)
        ), name


def test_every_example_on_the_page_is_a_mapping(tmp_path: Path) -> None:
    (tmp_path / "schema.yaml").write_text("labels: {}", "utf-8")
    examples = re.findall(r"^```yaml\n(.*?)^```", PAGE, flags=re.M | re.S)
    assert len(examples) == 3
    for example in examples:
        assert MappingFile.from_yaml(example, folder=tmp_path).sources
