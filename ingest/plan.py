"""Which load a load is: the names its sources go by, and the key by which the store knows it again."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path

from graph_schema import InputError, Schema
from graph_schema.loads import LoadPlan, SourcePlan
from ingest.options import LoadOptions
from ingest.sources import Source

READING = 1
"""To be raised when the same bytes come to mean other facts, or lines are numbered otherwise, than in the release
before: a load that was broken off then isn't gone on with, but begun anew."""

NOT_MEANING = frozenset({"batch_size", "max_errors", "rejects", "examples", "workers", "source", "mapping"})
"""Options that say how to load, not what; and the mapping, whose own fingerprint counts."""


def make_plan(
    sources: Sequence[Source],
    options: LoadOptions,
    schema: Schema,
    mapping: str = "",
    called: Sequence[Sequence[str]] | None = None,
) -> LoadPlan:
    """What is to be loaded. Reads every file once, for its digest; streams aren't touched.

    A stream has no digest beforehand. With a name, it is the same load each time it comes under it: nothing of it is
    taken to be in the store already, all is compared. Without one, it is a load of its own each time.

    Args:
        mapping: fingerprint of the mapping; empty: that of plain triples.
        called: what each source goes by; several names, if its rows are from several. None: as ``names`` says.

    Raises:
        InputError: a file can't be read.
    """
    called = called or [[name] for name in names(sources, options.source)]
    plans = tuple(
        SourcePlan(name, -1 if source.size is None else source.size, fingerprint)
        for source, named, fingerprint in zip(sources, called, map(digest, sources), strict=True)
        for name in named
    )
    said = {field.name: getattr(options, field.name) for field in fields(options) if field.name not in NOT_MEANING}
    labels = {name: (relation.head, relation.tail) for name, relation in schema.relations.items()}
    nameless = not options.source and any(not plan.digest for plan in plans)
    meant = {
        "reading": READING,
        "sources": [(plan.name, plan.size, plan.digest) for plan in plans],
        "options": said,
        "labels": labels,
        "mapping": mapping,
        "once": secrets.token_hex(16) if nameless else "",
    }
    text = json.dumps(meant, sort_keys=True, default=str)
    return LoadPlan(hashlib.sha256(text.encode()).hexdigest(), plans)


def digest(source: Source) -> str:
    """Fingerprint of a file's bytes as they lie on disk, 32 hex digits; empty for a stream.

    Raises:
        InputError: the file can't be read.
    """
    if source.path is None or source.size is None:
        return ""
    try:
        with source.path.open("rb") as file:
            return hashlib.file_digest(file, partial(hashlib.blake2b, digest_size=16)).hexdigest()
    except OSError as error:
        raise InputError(f"can't be read: {error.strerror}", where=source.name, fix="Check the file") from error


def names(sources: Sequence[Source], name: str | None) -> list[str]:
    """What each source goes by: its absolute path; or ``name``, and if there are several, ``name`` with the path below
    the folder that they have in common.
    """
    if name is None:
        return [source.name if source.path is None else absolute(source.path) for source in sources]
    if len(sources) <= 1:
        return [name] * len(sources)
    paths = [Path(absolute(source.path or Path(source.name))) for source in sources]
    folder = os.path.commonpath([path.parent for path in paths])
    return [f"{name}/{path.relative_to(folder).as_posix()}" for path in paths]


def absolute(path: Path) -> str:
    """The path from the root; links are kept, since one may be led on to a newer version of the same source."""
    return os.path.normpath(path.absolute())


def same_source(name: str, known: str) -> bool:
    """Whether a source in a store, ``known``, is what ``name`` stands for: itself, or one of several under it."""
    return known == name or known.startswith(f"{name}/")
