"""A snapshot's arrays on disk: written whole or not at all, opened memory-mapped.

    DIR/current.json   names the version in force, its arrays with their sizes and checksums, and what isn't an array
    DIR/v-<token>/     the arrays of that version, one .npy file each

A version is written under a temporary name, synced, renamed, and comes into force when ``current.json`` is replaced.
Who has an older version open keeps it: mapped files outlive their names. Of several who write at once, one after the
other puts its version in force and removes the others.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from graph_schema.errors import StoreError

FORMAT = 2
MANIFEST = "current.json"
VERIFIED_BYTES = 64 * 2**20  # up to this size every byte is checked on opening (about 20 ms); beyond it, only sizes
ABANDONED_SECONDS = 24 * 3600

Array = npt.NDArray[Any]
REBUILD = "Build the snapshot again (for a store's own: kgqa ingest, or remove the directory)"


def write_arrays(directory: Path, arrays: Iterable[tuple[str, Array]], facts: dict[str, Any]) -> None:
    """Put a new version in force; ``facts`` are JSON values kept beside the arrays, which are written as they come.

    Raises:
        StoreError: the disk is full, or the directory can't be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=directory))
        try:
            sizes = {}
            for name, array in arrays:
                sizes[name] = _write_array(temporary / f"{name}.npy", array)
                del array  # the next is made only then
            _sync_directory(temporary)
            with _alone(directory):
                version = directory / f"v-{temporary.name.removeprefix('.new-')}"
                temporary.rename(version)
                manifest = {"format": FORMAT, "version": version.name, "arrays": sizes, **facts}
                _replace(directory / MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=1).encode())
                _remove_old(directory, keep=version.name)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    except OSError as error:
        raise StoreError(f"can't write the snapshot: {error.strerror or error}", where=str(directory)) from error


def read_arrays(directory: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """The arrays in force, memory-mapped and read-only, and the manifest.

    Raises:
        StoreError: no snapshot there, or a damaged one.
    """
    while True:
        manifest = _read_manifest(directory)
        try:
            return _open_arrays(directory, manifest), manifest
        except StoreError:
            # Another version may have come into force meanwhile, and this one be removed.
            if _read_manifest(directory).get("version") == manifest.get("version"):
                raise


def _open_arrays(directory: Path, manifest: dict[str, Any]) -> dict[str, Array]:
    try:
        sizes: dict[str, dict[str, int]] = manifest["arrays"]
        verify = sum(size["bytes"] for size in sizes.values()) <= VERIFIED_BYTES
        folder = directory / str(manifest["version"])
        return {name: _open_array(folder / f"{name}.npy", size, verify) for name, size in sizes.items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise StoreError("the snapshot's manifest is damaged", where=str(directory / MANIFEST), fix=REBUILD) from error


def _read_manifest(directory: Path) -> dict[str, Any]:
    path = directory / MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise StoreError("there is no snapshot", where=str(directory), fix=REBUILD) from error
    except OSError as error:
        raise StoreError(f"can't read the snapshot: {error.strerror}", where=str(path)) from error
    except ValueError as error:
        raise StoreError("the snapshot's manifest is damaged", where=str(path), fix=REBUILD) from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise StoreError("the snapshot is damaged, or of another kgqa", where=str(path), fix=REBUILD)
    return manifest


def _write_array(path: Path, array: Array) -> dict[str, int]:
    with path.open("wb") as file:
        checked = _Checked(file)
        np.lib.format.write_array(checked, array, allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())
    return {"bytes": checked.size, "crc32": checked.crc}


class _Checked:
    """Counts and sums up what is written through it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = self.crc = 0

    def write(self, data: bytes) -> int:
        self.size += len(data)
        self.crc = zlib.crc32(data, self.crc)
        return self._file.write(data)


def _open_array(path: Path, size: dict[str, int], verify: bool) -> Array:
    try:
        if path.stat().st_size != size["bytes"] or (verify and zlib.crc32(path.read_bytes()) != size["crc32"]):
            raise StoreError("the snapshot is damaged", where=str(path), fix=REBUILD)
        mapped: Array = np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)
        return mapped
    except (OSError, ValueError) as error:
        raise StoreError(f"the snapshot can't be read: {error}", where=str(path), fix=REBUILD) from error


def _replace(path: Path, content: bytes) -> None:
    descriptor, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """No other process or thread is in here for the same directory."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_old(directory: Path, keep: str) -> None:
    """Old versions go, and what a killed process left half-written a day ago."""
    for path in directory.iterdir():
        old = path.name.startswith("v-") and path.name != keep
        abandoned = False
        with suppress(FileNotFoundError):  # another writer's, taken away as it failed
            abandoned = path.name.startswith(".new-") and time.time() - path.stat().st_mtime > ABANDONED_SECONDS
        if old or abandoned:
            shutil.rmtree(path, ignore_errors=True)
