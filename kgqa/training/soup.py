"""The mean of several readers' weights ("model soup", Wortsman et al. 2022, arXiv:2203.05482, uniform).

Readers that began with the same weights, and were trained a little on other questions each, differ in what they made
of the wordings that these didn't settle. Their mean costs no more to ask than any one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from graph_schema import ConfigError
from kgqa.model.checkpoint import Checkpoint
from kgqa.model.network import ReaderNetwork


def averaged(readers: Sequence[Checkpoint]) -> Checkpoint:
    """A reader with the mean of the weights of one or more; all else, its calibration too, is that of the first.

    Raises:
        ConfigError: there are none, or their networks have other settings.
    """
    if not readers:
        raise ConfigError("there are no readers to take the mean of", fix="Give one or more")
    first = readers[0]
    for other in readers[1:]:
        if other.config.model != first.config.model:
            raise ConfigError(
                "the readers to take the mean of have networks of other settings",
                where=f"{first.path}, {other.path}",
                fix="Train them with the same settings of the model",
            )
    states = [reader.network.state_dict() for reader in readers]
    network = ReaderNetwork(first.config.model)
    network.load_state_dict({name: torch.stack([state[name] for state in states]).mean(0) for name in states[0]})
    return replace(first, network=network.to(next(first.network.parameters()).device))
