"""One process of Node for all tests of this folder, and at the end a table of what explains what."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from tests.differential.departures import EXPLAINED
from tests.differential.express import Express


@pytest.fixture(scope="session")
def express() -> Iterator[Express]:
    """The real express-session."""
    node = Express()
    yield node
    node.close()


@pytest.fixture(autouse=True)
def _no_log() -> Iterator[None]:
    """Thousands of visitors with bad cookies are no news."""
    logger = logging.getLogger("sessile")
    logger.disabled = True
    yield
    logger.disabled = False


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """With -v, say how many scenarios each departure explains."""
    if terminalreporter.config.get_verbosity() > 0 and EXPLAINED:
        terminalreporter.section("scenarios that a departure explains")
        for name, number in EXPLAINED.most_common():
            terminalreporter.write_line(f"{number:7}  {name}")
