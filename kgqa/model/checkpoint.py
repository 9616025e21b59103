"""A trained reader on disk: ``model.safetensors`` and ``config.json`` in one directory.

The JSON says what the weights need: the encoder (its fingerprint) and the relations they were trained on, with their
words (their fingerprint). A graph may have more relations than that, which are read by their words; one that lacks
some, or says them in other words, is another schema.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save

from graph_schema import CheckpointError, ConfigError, FingerprintMismatch, Schema
from kgqa.files import write_atomically
from kgqa.model.config import ModelConfig
from kgqa.model.decision import Calibration
from kgqa.model.network import ReaderNetwork

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
FILMS, GENERAL = "films", "general"  # the readers that ship
START = "start"  # what kgqa adapt begins with
FORMAT = 2


class CheckpointConfig(BaseModel):
    """What stands in ``config.json``; unknown keys are refused.

    ``calibration``: of the scores, fitted on dev; ``guesses``: of those that rest on guesses. ``trained``: what it was
    trained on and how well it did there, for people to read.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    model: ModelConfig
    calibration: Calibration
    guesses: Calibration | None = None
    encoder: str
    encoder_fingerprint: str
    relations: tuple[str, ...]
    schema_fingerprint: str
    trained: dict[str, Any] = {}


@dataclass(frozen=True)
class Checkpoint:
    """A network with what it needs. ``path``: where it was read from."""

    network: ReaderNetwork
    config: CheckpointConfig
    path: str = field(default="")

    def check(self, schema: Schema, relations: Iterable[str], encoder_fingerprint: str, *, any_schema: bool) -> None:
        """Refuse a graph or an encoder that the weights don't belong to.

        Args:
            schema: of the graph. relations: names the graph has or its schema declares.
            any_schema: let a graph of another schema pass, to be read by its relations' words.

        Raises:
            FingerprintMismatch: with both fingerprints named.
        """
        if encoder_fingerprint != self.config.encoder_fingerprint:
            raise FingerprintMismatch(
                f"the checkpoint was trained with the encoder {self.config.encoder} "
                f"({self.config.encoder_fingerprint}), the one loaded is {encoder_fingerprint}",
                where=self.path,
                fix="Set encoder to the one it was trained with, or train anew: kgqa train",
            )
        relations = list(relations)
        if any_schema or self.knows(schema, relations):
            return
        missing = self._missing(schema, relations)
        lacks = f", which lacks {', '.join(missing[:5])}{' ...' if len(missing) > 5 else ''}" if missing else ""
        raise FingerprintMismatch(
            f"the checkpoint belongs to the schema {self.config.schema_fingerprint}, "
            f"the store has the schema {schema.fingerprint(relations)}{lacks}",
            where=self.path,
            fix="Fit it to this store (kgqa adapt), train one (kgqa train), or try this one as it is with --any-schema",
        )

    def knows(self, schema: Schema, relations: Iterable[str]) -> bool:
        """Whether a graph has the relations that it was trained on, and says them as its own did."""
        own = schema.fingerprint(self.config.relations)
        return own == self.config.schema_fingerprint and not self._missing(schema, relations)

    def with_slots(self, budget: int) -> Checkpoint:
        """The same weights with another budget of slots, see ``ModelConfig.slot_budget``; this one stays as it is.

        Args:
            budget: slots that a row may fill; 0: one for each entity it reaches.

        Raises:
            ConfigError: the reader was trained without slots.
        """
        if not self.config.model.slots:
            raise ConfigError(
                "the reader has no slots (it was trained with model.slots off)",
                where=self.path,
                fix="Leave the number of slots out",
            )
        model = self.config.model.model_copy(update={"slot_budget": budget})
        network = ReaderNetwork(model)
        network.load_state_dict(self.network.state_dict())
        network.eval().requires_grad_(False)
        config = self.config.model_copy(update={"model": model})
        return Checkpoint(network.to(self.network.device), config, self.path)

    def _missing(self, schema: Schema, relations: Iterable[str]) -> list[str]:
        return sorted(set(self.config.relations) - set(relations) - set(schema.relations))


def save_checkpoint(directory: Path, network: ReaderNetwork, config: CheckpointConfig) -> None:
    """Write a checkpoint; each file whole or not at all, the config last."""
    directory.mkdir(parents=True, exist_ok=True)
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    write_atomically(directory / WEIGHTS, save(tensors))
    text = json.dumps(config.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"
    write_atomically(directory / CONFIG, text.encode())


def shipped(name: str) -> Path:
    """Where one of the readers is that ship with kgqa."""
    return Path(str(resources.files("kgqa") / "checkpoints" / name))


def load_checkpoint(directory: Path | None = None, device: str | torch.device = "cpu") -> Checkpoint:
    """Read a checkpoint; None: the one of films that ships with kgqa.

    Raises:
        CheckpointError: missing, incomplete, corrupt, or written by a newer kgqa.
    """
    where = directory or shipped(FILMS)
    advice = "Give the directory that kgqa train wrote, with model.safetensors and config.json in it"
    try:
        raw = json.loads((where / CONFIG).read_text("utf-8"))
        weights = (where / WEIGHTS).read_bytes()
    except OSError as error:
        raise CheckpointError(
            f"no checkpoint here ({error.strerror}: {Path(str(error.filename)).name})", where=str(where), fix=advice
        ) from error
    except ValueError as error:
        raise CheckpointError(f"{CONFIG} is not JSON", where=str(where), fix=advice) from error
    if isinstance(raw, dict) and raw and (version := raw.get("format")) != FORMAT:
        older = isinstance(version, int) and version < FORMAT
        raise CheckpointError(
            f"written in format {version}, this kgqa reads format {FORMAT}",
            where=str(where),
            fix="Train it again (kgqa train)" if older else "Update kgqa",
        )
    try:
        config = CheckpointConfig.model_validate(raw)
        network = ReaderNetwork(config.model)
        network.load_state_dict(load(weights))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, f['loc']))}: {f['msg']}" for f in error.errors())
        raise CheckpointError(f"{CONFIG}: {faults}", where=str(where), fix=advice) from error
    except (SafetensorError, RuntimeError) as error:
        said = " ".join(str(error).split())[:200]
        raise CheckpointError(
            f"{WEIGHTS} is damaged or doesn't fit {CONFIG} ({said})", where=str(where), fix=advice
        ) from error
    network.eval().requires_grad_(False)
    return Checkpoint(network.to(device), config, str(where))
