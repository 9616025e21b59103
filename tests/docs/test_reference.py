"""The pages on settings name every setting, and no other."""

from __future__ import annotations

import re

import pytest

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
