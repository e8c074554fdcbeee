"""Gives each test the site that it is about, running."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integrations.running import Running


@pytest.fixture(scope="session")
def runs() -> Iterator[list[Running]]:
    """The site that runs, if one does."""
    running: list[Running] = []
    yield running
    for each in running:
        each.close()


@pytest.fixture
def site(request: Any, runs: list[Running], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A site of the table, under its server: started once for all its tests, which come in a row.

    A fixture of a wider scope would be started for each test: beside a plain parameter, pytest makes it one of a test.
    """
    if not runs or runs[0].site != request.param:
        for each in runs:
            each.close()
        runs[:] = [Running(request.param, tmp_path_factory.mktemp(request.param.module))]
    yield runs[0]
    runs[0].see_off()
