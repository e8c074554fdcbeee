# pytest imports this module in every project that has sessile installed, whether its tests use it or not. So it stands
# outside the package, and imports nothing of it until a fixture is asked for.
"""Fixtures for the tests of applications: ``sessile_clock``, ``sessile_store`` and ``sessile_sessions``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sessile import Sessions
    from sessile.testing import FaultyStore, FrozenClock


@pytest.fixture
def sessile_clock() -> FrozenClock:
    """A clock that stands still until the test says ``sessile_clock.advance(seconds)``."""
    from sessile.testing import FrozenClock

    return FrozenClock()


@pytest.fixture
def sessile_store(sessile_clock: FrozenClock) -> FaultyStore:
    """An empty store in memory, by that clock: ``sessile_store.fail("load")`` is an outage."""
    from sessile.stores.memory import MemoryStore
    from sessile.testing import FaultyStore

    return FaultyStore(MemoryStore(clock=sessile_clock))


@pytest.fixture
def sessile_sessions(sessile_clock: FrozenClock, sessile_store: FaultyStore) -> Sessions:
    """Sessions in that store, by that clock, with the default options. Define a fixture of this name for others."""
    from sessile import Sessions

    secret = "for tests only, and known to everybody"  # noqa: S105
    return Sessions(secret=secret, store=sessile_store, clock=sessile_clock)
