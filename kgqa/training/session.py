"""One training, from questions to a checkpoint on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from graph_schema import ConfigError, FingerprintMismatch, Schema
from kgqa.data import Question
from kgqa.model.checkpoint import Checkpoint, CheckpointConfig, load_checkpoint, save_checkpoint
from kgqa.model.encoder import Encoder
from kgqa.stores.snapshot import Snapshot
from kgqa.training.config import TrainConfig
from kgqa.training.distill import teach
from kgqa.training.graphs import GraphQuestions, prepare_graphs
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
    start: Checkpoint | None = None,
    teachers: Sequence[Checkpoint] = (),
    say: Callable[[str], None] = lambda _: None,
    progress: Callable[[Progress], None] = lambda _: None,
    room: Callable[[], Mapping[str, int]] | None = None,
) -> Checkpoint:
    """Train a reader on one graph: see ``train_graphs``."""
    graphs = [GraphQuestions(snapshot, questions, dev)]
    return train_graphs(
        config,
        encoder,
        graphs,
        run,
        device=device,
        about=about,
        start=start,
        teachers=teachers,
        say=say,
        progress=progress,
        room=room,
    )


def train_graphs(
    config: TrainConfig,
    encoder: Encoder,
    graphs: Sequence[GraphQuestions],
    run: Path,
    *,
    device: str = "cpu",
    about: dict[str, Any] | None = None,
    start: Checkpoint | None = None,
    teachers: Sequence[Checkpoint] = (),
    say: Callable[[str], None] = lambda _: None,
    progress: Callable[[Progress], None] = lambda _: None,
    room: Callable[[], Mapping[str, int]] | None = None,
) -> Checkpoint:
    """Train a reader and write its checkpoint into ``run``; a run found there is gone on with.

    A reader of several graphs belongs to the schema of none: its checkpoint names no relations, and is taken on any
    graph.

    Args:
        graphs: one, or several that are trained on at once (see ``kgqa.training.graphs``).
        about: what the model card shall say of the data. start: a checkpoint to begin with.
        teachers: readers to learn from, see ``kgqa.training.distill``.
        say: told what is being done before training starts. progress: called at each step. room: see ``Trainer.fit``.

    Raises:
        CheckpointError, InputError: see ``Trainer``.
        ConfigError: the network of ``start`` has other settings, something is to be kept of none, or nobody answers the
            unlabelled questions.
        FingerprintMismatch: ``start`` or a teacher had another encoder.
    """
    if start is not None:
        check_start(start, config, encoder)
    elif config.keep_start:
        raise ConfigError(
            "keep_start says how much is kept of a reader to begin with, and there is none",
            fix="Give one (--init-from, or start in an experiment), or leave keep_start out",
        )
    for teacher in teachers:
        check_encoder(teacher, encoder)
    if not teachers and any(one.unlabelled for one in graphs):
        raise ConfigError("questions without answers teach nothing without teachers", fix="Give a teacher")
    encoder = encoder.reading(config.model)
    say(f"linking {sum(len(one.train) + len(one.unlabelled) + len(one.dev) for one in graphs):,} questions")
    snapshot, prepared, prepared_dev = prepare_graphs(graphs, config.mixture, config.mention_questions)
    weights = None if start is None else start.network.state_dict()
    teaching = None
    if teachers:
        say(f"asking the teachers {len(prepared.questions):,} questions")
        teaching = teach(teachers, encoder, snapshot, prepared, config.distill_weight, config.temperature)
    trainer = Trainer(config, encoder, snapshot, prepared, prepared_dev, run, device, weights, teaching)
    say(f"encoding {len(prepared.texts) + len(prepared_dev.texts):,} distinct wordings")
    if trainer.step:
        say(f"going on from step {trainer.step}")
    trained = trainer.fit(progress, room)
    schema, relations = (snapshot.schema(), snapshot.relations()) if len(graphs) == 1 else (Schema(), ())
    save_checkpoint(
        run,
        trained.network,
        CheckpointConfig(
            model=config.model,
            calibration=trained.dev.calibration,
            guesses=trained.guesses,
            encoder=encoder.name,
            encoder_fingerprint=encoder.fingerprint(),
            relations=relations,
            schema_fingerprint=schema.fingerprint(relations),
            trained={
                **(about or {}),
                "questions": sum(len(one.train) for one in graphs),
                "settings": trainer.config.model_dump(exclude={"model"}),
                "seconds": round(trained.seconds, 1),
                "dev": trained.dev.as_dict(),
                "parameters": sum(p.numel() for p in trained.network.parameters()),
                **({} if start is None else {"start": start.config.trained}),
                **({"teachers": [teacher.config.trained for teacher in teachers]} if teachers else {}),
            },
        ),
    )
    return load_checkpoint(run, device)


def distill(
    teacher: TrainConfig,
    student: TrainConfig,
    count: int,
    encoder: Encoder,
    graphs: Sequence[GraphQuestions],
    run: Path,
    *,
    device: str = "cpu",
    about: dict[str, Any] | None = None,
    say: Callable[[str], None] = lambda _: None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> tuple[list[Checkpoint], Checkpoint]:
    """Train ``count`` teachers, into ``run``/teacher-0 and so on, and a student that learns from them, ``run``/student.

    Args:
        teacher: settings of the teachers; each has a seed of its own, told from this one's. student: of the student.
        graphs: with unlabelled questions, if there are any, for the student alone.

    Raises:
        CheckpointError, InputError: see ``train_graphs``.
    """
    labelled = [replace(one, unlabelled=()) for one in graphs]
    more: dict[str, Any] = {"device": device, "about": about, "say": say, "progress": progress}
    teachers = []
    for number in range(count):
        say(f"teacher {number + 1} of {count}")
        own = teacher.model_copy(update={"seed": teacher.seed + 1000 * number})
        teachers.append(train_graphs(own, encoder, labelled, run / f"teacher-{number}", **more))
    say("student")
    return teachers, train_graphs(student, encoder, graphs, run / "student", teachers=teachers, **more)


def check_start(start: Checkpoint, config: TrainConfig, encoder: Encoder) -> None:
    """Refuse to begin with a checkpoint whose weights another network or another encoder has.

    ``reorder`` says how a plan is followed, not what is learned; it may be another.

    Raises:
        ConfigError, FingerprintMismatch: see ``train_graphs``.
    """
    own, other = (model.model_dump(exclude={"reorder"}) for model in (start.config.model, config.model))
    if own != other:
        differing = ", ".join(f"{key} is {own[key]}" for key in own if own[key] != other[key])
        raise ConfigError(
            f"the checkpoint to begin with has other settings of the model ({differing})",
            where=start.path,
            fix="Leave --set model... out: the model is that of the checkpoint",
        )
    check_encoder(start, encoder)


def check_encoder(other: Checkpoint, encoder: Encoder) -> None:
    """Raises:
    FingerprintMismatch: the checkpoint was trained with another encoder.
    """
    if other.config.encoder_fingerprint != encoder.fingerprint():
        raise FingerprintMismatch(
            f"the checkpoint to learn from was trained with the encoder {other.config.encoder} "
            f"({other.config.encoder_fingerprint}), the one loaded is {encoder.fingerprint()}",
            where=other.path,
            fix="Set encoder to the one it was trained with",
        )
