# A new store is tested by a subclass of this class and one fixture. The tests are the contract of stores/base.py, line
# by line; a store that passes can be trusted with sessions. Verbs may be plain or async: `ask` takes both.
"""The conformance kit: what any store must do."""

from __future__ import annotations

from typing import Any

import pytest

from sessile.stores.base import Store
from sessile.testing.clock import FrozenClock
from sessile.testing.conformance.abilities import Abilities
from sessile.testing.conformance.calls import OTHER, SID, ask
from sessile.testing.conformance.faults import Faults
from sessile.testing.conformance.oddities import HOSTILE_SIDS, LOOKALIKES, PAYLOADS, Oddities
from sessile.testing.conformance.races import Races
from sessile.testing.conformance.verbs import Verbs
from sessile.testing.link import Link

__all__ = ["HOSTILE_SIDS", "LOOKALIKES", "OTHER", "PAYLOADS", "SID", "StoreConformance", "ask"]


class StoreConformance(Verbs, Oddities, Races, Abilities, Faults):
    """Subclass this, define the fixture ``store``, and pytest runs the whole contract against it.

    The fixture gets ``clock``, a FrozenClock that the store must use for the expiry of its records::

        class TestMyStore(StoreConformance):
            @pytest.fixture
            def store(self, clock):
                return MyStore(clock=clock)

    Needs pytest-asyncio in auto mode.
    """

    @pytest.fixture
    def clock(self) -> FrozenClock:
        """The clock that the store must go by."""
        return FrozenClock()

    @pytest.fixture
    def store(self, clock: FrozenClock) -> Store:
        """The store under test: override this."""
        raise NotImplementedError("a subclass defines the fixture `store`")

    @pytest.fixture
    def server(self) -> Link | None:
        """What stands between the store and its server: a Link (``sessile.testing``). None: there is no server."""
        return None

    async def test_its_repr_tells_nothing_of_a_session(self, store: Any) -> None:
        """Neither ids nor payloads get into a log by way of what a store is or answers."""
        await ask(store.create("secret-id", b"secret-payload", 60))
        answers = [await ask(store.load("secret-id")), await ask(store.replace("secret-id", b"b", 60, b"a"))]
        assert "secret" not in repr([store, *answers])
