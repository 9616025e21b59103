"""What holds for every test.

Tests marked ``neo4j`` need a Docker engine. Where none answers they are skipped, and the very last lines of the run say
how many and why; with ``CI=true`` they fail instead.
"""

from __future__ import annotations

import os
import subprocess
from functools import cache

import hypothesis
import pytest
from jaxtyping import install_import_hook

# Every shape annotation is checked in every call. Here, because it only reaches modules that are imported later.
install_import_hook(
    ["kgqa.model", "kgqa.retrieval", "kgqa.training", "kgqa.evaluation", "kgqa.told"], "beartype.beartype"
)

# torch's threads wait by spinning; beside a database on the same few cores, several slow everything down tenfold.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Whether a test passes is not to depend on what else the machine is doing: an example may take as long as it takes.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")

RYUK_SWITCH = "TESTCONTAINERS_RYUK_DISABLED"
PULL_SECONDS = 15


def docker(*arguments: str, seconds: float = 20) -> str:
    """Run the docker command; why it failed, as one line, empty if it didn't."""
    try:
        done = subprocess.run(
            ["docker", *arguments],
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        return "there is no docker command"
    except subprocess.TimeoutExpired:
        return f"docker {arguments[0]} gave no answer in {seconds:.0f} s"
    lines = done.stderr.split("\n")
    return "" if done.returncode == 0 else next(filter(None, lines), f"docker {arguments[0]} failed")


@cache
def docker_fault() -> str:
    """Why no Docker engine can be used; empty if one answers."""
    return docker("version", "--format", "{{.Server.Version}}")


def allow_missing_ryuk() -> None:
    """Switch testcontainers' clean-up helper off where its image is neither here nor to be had within PULL_SECONDS.

    The fixtures stop their containers themselves; the helper only covers a run that is killed.
    """
    if RYUK_SWITCH in os.environ:
        return
    from testcontainers.core.config import testcontainers_config

    image = testcontainers_config.ryuk_image
    if docker("image", "inspect", image) and docker("pull", "--quiet", image, seconds=PULL_SECONDS):
        os.environ[RYUK_SWITCH] = "true"


def needs_neo4j(item: pytest.Item) -> bool:
    return item.get_closest_marker("neo4j") is not None


def pytest_collection_finish(session: pytest.Session) -> None:
    """Ask for the engine once, after deselection, and only if a test of this run needs it."""
    if any(map(needs_neo4j, session.items)) and not session.config.option.collectonly and not docker_fault():
        allow_missing_ryuk()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if not needs_neo4j(item) or not docker_fault():
        return
    reason = f"no Docker engine answers: {docker_fault()}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def pytest_unconfigure(config: pytest.Config) -> None:
    """The last lines of a run: what was not run for want of a Docker engine. pytest's own closing line stands above."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if not isinstance(reporter, pytest.TerminalReporter):
        return
    skipped = sum("neo4j" in report.keywords for report in reporter.stats.get("skipped", []))
    if skipped:
        reporter.write_line(
            f"NOT RUN: {skipped} test{'s' * (skipped > 1)} on a real Neo4j, because no Docker engine answers.\n"
            "Install Docker (Debian, Ubuntu: apt-get install docker.io), start it, and run again.",
            yellow=True,
            bold=True,
        )
