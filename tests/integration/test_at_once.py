"""A fact that one process loads is answered by another that was already answering: no restart, no training."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.command import clean_environment, started
from tests.docs.repository import ROOT
from tests.neo4j_container import PASSWORD, USER, Neo4jServer
from tests.reader import SmallFilms

FILM, DIRECTOR = "The Night Train to Graz", "Ada Unbekannt"
SECONDS = 60


@pytest.fixture(params=["embedded", pytest.param("neo4j", marks=pytest.mark.neo4j)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "embedded":
        return f"sqlite:///{tmp_path}/films.db"
    server: Neo4jServer = request.getfixturevalue("neo4j_server")
    server.wipe()
    return server.url


@contextmanager
def answering(url: str, films: SmallFilms, question: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.answering_process", url, USER, PASSWORD, str(films.run), question],
        cwd=ROOT,
        env={**clean_environment(), "OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.communicate(timeout=SECONDS)


def ingest(folder: Path, url: str, *words: object) -> None:
    process = started(folder, "ingest", *words, "--store", url, "--user", USER, "--password", PASSWORD)
    _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, err


def test_a_new_fact_is_answered_by_a_process_that_was_already_answering(
    url: str, small_films: SmallFilms, tmp_path: Path
) -> None:
    (tmp_path / "new.txt").write_text(f"{FILM}|directed_by|{DIRECTOR}\n", "utf-8")
    ingest(tmp_path, url, small_films.facts)
    with answering(url, small_films, f"who directed [{FILM}]") as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first, process.communicate()[1]
        assert json.loads(first) == {"alone": [], "batch": []}
        ingest(tmp_path, url, "new.txt")
        loaded = time.monotonic()
        came: dict[str, float] = {}
        while len(came) < 2 and time.monotonic() < loaded + SECONDS:
            for way, answers in json.loads(process.stdout.readline()).items():
                if answers == [DIRECTOR]:
                    came.setdefault(way, time.monotonic())
        assert came.keys() == {"alone", "batch"}
        assert process.poll() is None
