"""What the tests of the stores share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sessile.stores.sqlite import SqliteStore
from tests.stores.databases import Mariadb, Postgres
from tests.waiting import PATIENCE


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions.db"


@pytest.fixture
def store(path: Path, clock: Any) -> Iterator[SqliteStore]:
    store = SqliteStore(path, clock=clock)
    yield store
    store.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server of our own."""
    server = Postgres()
    yield server
    server.close()


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Mariadb]:
    """A MariaDB server of our own."""
    server = Mariadb()
    yield server
    server.close()


@pytest.fixture
def patience(request: pytest.FixtureRequest) -> float:
    """How long a call of the kit's tests may take: the class's deadline where a fault is what is tested."""
    faults = {"silent", "gone", "late"}
    return float(request.cls.deadline) if faults & set(request.node.name.split("[")[0].split("_")) else PATIENCE


@pytest.fixture
def on_a_small_disk(tmp_path: Path) -> Callable[..., None]:
    """A function that runs code with a folder that holds three megabytes, and the arguments after it."""
    folder = tmp_path / "small"
    folder.mkdir()
    # In a namespace of its own, where anybody may mount.
    namespace = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    script = 'mount -t tmpfs -o size=3m none "$1" && shift && exec "$@"'

    def run(code: str, *arguments: str) -> None:
        command = [*namespace, "sh", "-c", script, "sh", str(folder), sys.executable, "-c", code, str(folder)]
        subprocess.run([*command, *arguments], check=True, timeout=120)

    return run
