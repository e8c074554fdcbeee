# pytest imports this module in every project that has holdfast installed, whether its tests use it or not. So it stands
# outside the package, and imports nothing of it until a fixture is asked for.
"""Fixtures for the tests of applications: ``holdfast_clock``, ``holdfast_store`` and ``holdfast_sessions``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from holdfast import Sessions
    from holdfast.testing import FaultyStore, FrozenClock


@pytest.fixture
def holdfast_clock() -> FrozenClock:
    """A clock that stands still until the test says ``holdfast_clock.advance(seconds)``."""
    from holdfast.testing import FrozenClock

    return FrozenClock()


@pytest.fixture
def holdfast_store(holdfast_clock: FrozenClock) -> FaultyStore:
    """An empty store in memory, by that clock: ``holdfast_store.fail("load")`` is an outage."""
    from holdfast.stores.memory import MemoryStore
    from holdfast.testing import FaultyStore

    return FaultyStore(MemoryStore(clock=holdfast_clock))


@pytest.fixture
def holdfast_sessions(holdfast_clock: FrozenClock, holdfast_store: FaultyStore) -> Sessions:
    """Sessions in that store, by that clock, with the default options. Define a fixture of this name for others."""
    from holdfast import Sessions

    secret = "for tests only, and known to everybody"  # noqa: S105
    return Sessions(secret=secret, store=holdfast_store, clock=holdfast_clock)
