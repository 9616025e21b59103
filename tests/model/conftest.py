"""What the tests of the reader share: the real encoder, loaded once."""

from __future__ import annotations

import pytest

from kgqa.model.encoder import Encoder


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    return Encoder()
