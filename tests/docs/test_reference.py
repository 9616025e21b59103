"""The pages on settings name every setting, and no other."""

from __future__ import annotations

import re

import pytest
import yaml

from kgqa.config import Settings
from kgqa.model.config import ModelConfig
from kgqa.training.config import TrainConfig
from tests.docs.repository import ROOT


@pytest.mark.parametrize(
    ("page", "fields"),
    [
        ("settings", set(Settings.model_fields)),
        ("training", set(TrainConfig.model_fields) | set(ModelConfig.model_fields)),
    ],
)
def test_the_page_names_every_setting(page: str, fields: set[str]) -> None:
    text = (ROOT / f"docs/reference/{page}.md").read_text("utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == fields


def test_the_page_on_training_gives_the_defaults() -> None:
    page = (ROOT / "docs/reference/training.md").read_text("utf-8")
    said = dict(re.findall(r"^\| `(\w+)` \| (\S+) \|", page, re.MULTILINE))
    fields = {**TrainConfig.model_fields, **ModelConfig.model_fields}
    assert {key: yaml.safe_load(value.replace(",", "")) for key, value in said.items() if value != "|"} == {
        key: field.default for key, field in fields.items() if key != "model"
    }
