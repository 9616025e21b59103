"""One training, from questions to a checkpoint on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from kgqa.data import Question
from kgqa.model.checkpoint import Checkpoint, CheckpointConfig, load_checkpoint, save_checkpoint
from kgqa.model.encoder import Encoder
from kgqa.stores.snapshot import Snapshot
from kgqa.training.config import TrainConfig
from kgqa.training.prepare import prepare
from kgqa.training.trainer import Progress, Trainer


def train(
    config: TrainConfig,
    encoder: Encoder,
    snapshot: Snapshot,
    questions: Sequence[Question],
    dev: Sequence[Question],
    run: Path,
    *,
    device: str = "cpu",
    about: dict[str, Any] | None = None,
    say: Callable[[str], None] = lambda _: None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Checkpoint:
    """Train a reader and write its checkpoint into ``run``; a run found there is gone on with.

    Args:
        about: what the model card shall say of the data. say: told what is being done before training starts.
        progress: called at each step.

    Raises:
        CheckpointError, InputError: see ``Trainer``.
    """
    encoder = encoder.reading(contextual=config.model.contextual)
    say(f"linking {len(questions) + len(dev):,} questions")
    mentions = min(config.mention_questions, len(questions))
    prepared = prepare(questions, snapshot, mentions_of=mentions)
    prepared_dev = prepare(dev, snapshot)
    trainer = Trainer(config, encoder, snapshot, prepared, prepared_dev, run, device)
    say(f"encoding {len(prepared.texts) + len(prepared_dev.texts):,} distinct wordings")
    if trainer.step:
        say(f"going on from step {trainer.step}")
    trained = trainer.fit(progress)
    schema, relations = snapshot.schema(), snapshot.relations()
    save_checkpoint(
        run,
        trained.network,
        CheckpointConfig(
            model=config.model,
            threshold=trained.dev.threshold,
            encoder=encoder.name,
            encoder_fingerprint=encoder.fingerprint(),
            relations=relations,
            schema_fingerprint=schema.fingerprint(relations),
            trained={
                **(about or {}),
                "questions": len(questions),
                "settings": config.model_dump(exclude={"model"}),
                "seconds": round(trained.seconds, 1),
                "dev": trained.dev.as_dict(),
                "parameters": sum(p.numel() for p in trained.network.parameters()),
            },
        ),
    )
    return load_checkpoint(run, device)
