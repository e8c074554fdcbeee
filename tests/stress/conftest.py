"""The servers of the stress runs: each is started once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.stress.stores import SITES, Site


@pytest.fixture(scope="session")
def sites() -> Iterator[Callable[[str], Site]]:
    """A function that returns the site of a store."""
    opened: dict[str, Site] = {}
    with ExitStack() as running:

        def site(name: str) -> Site:
            if name not in opened:
                opened[name] = running.enter_context(SITES[name]())
            return opened[name]

        yield site
