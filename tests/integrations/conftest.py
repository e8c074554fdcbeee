"""Gives each test the site that it is about, running."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integrations.running import Running


@pytest.fixture(scope="session")
def site(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A site of the table, under its server."""
    running = Running(request.param, tmp_path_factory.mktemp(request.param.module))
    yield running
    running.close()
