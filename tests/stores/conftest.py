"""What the tests of the stores share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.stores.sqlite import SqliteStore
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
