"""What becomes of a call when the network fails."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from sessile.errors import StoreUnavailable
from sessile.testing.conformance.calls import OTHER, SID, Caller, ask, asked

__all__ = ["Faults"]


class Faults(Caller):
    """A server that is silent, gone or restarted, and requests that were cancelled. Needs the fixture ``server``."""

    #: How long a call may take, in seconds, while the server is silent: the deadline of the store under test.
    deadline = 2.0
    #: How much longer it may take, in seconds, on a busy machine. Drivers themselves wait for 20 seconds at least, so
    #: the tests still see a deadline that does not hold.
    busy = 10.0

    @pytest.mark.parametrize("verb", ["load", "create", "replace", "touch", "delete"])
    async def test_a_silent_server_costs_the_deadline_and_no_more(self, store: Any, server: Any, verb: str) -> None:
        """An outage by the deadline, whatever the driver does; and the first call after it is answered."""
        if server is None:
            return
        await ask(store.create(SID, b"a", 60))
        server.silence()
        await self.refused(store, verb)
        server.resume()
        assert await ask(store.load(OTHER)) is None

    async def test_a_silent_server_costs_one_of_many(self, store: Any, server: Any) -> None:
        """Calls at once do not wait one behind the other."""
        if server is None:
            return
        await ask(store.create(SID, b"a", 60))
        waits = await self.waits(store)
        calls = [partial(self.error_of, store, "load")] * 8
        server.silence()
        began = time.monotonic()
        errors = await asyncio.gather(*(call() for call in calls)) if waits else self.in_threads(calls)
        assert time.monotonic() - began < self.deadline + self.busy
        assert {type(error) for error in errors} == {StoreUnavailable}
        server.resume()
        assert (await ask(store.load(SID))).payload == b"a"

    @pytest.mark.parametrize("verb", ["load", "create", "replace", "touch", "delete"])
    async def test_a_server_that_is_gone_is_an_outage(self, store: Any, server: Any, verb: str) -> None:
        """And its return is noticed by the first call."""
        if server is None:
            return
        await ask(store.create(SID, b"a", 60))
        server.refuse()
        for _ in range(4):
            await self.refused(store, verb)
        server.resume()
        assert (await ask(store.load(SID))).payload == b"a"

    async def test_connections_that_broke_are_replaced(self, store: Any, server: Any) -> None:
        """A server that was restarted costs no request: what may be asked twice is asked again."""
        if server is None:
            return
        await ask(store.create(SID, b"a", 60))
        for verb in (partial(store.load, SID), partial(store.touch, SID, 60)):
            server.cut()
            assert await ask(verb())

    async def test_replies_that_come_late_are_nobody_elses(self, store: Any, server: Any) -> None:
        """What was asked before an outage does not answer what is asked after it."""
        if server is None:
            return
        await ask(store.create(SID, b"mine", 60))
        await ask(store.create(OTHER, b"another's", 60))
        server.silence()
        await self.refused(store, "load")
        server.resume()
        for _ in range(10):
            assert (await ask(store.load(OTHER))).payload == b"another's"

    async def test_a_request_that_is_cancelled_leaves_nothing_behind(self, store: Any, server: Any) -> None:
        """Wherever it is cut off, the next one reads its own record."""
        if server is None or not await self.waits(store):
            return
        await ask(store.create(SID, b"mine", 60))
        await ask(store.create(OTHER, b"another's", 60))
        for pauses in range(40):
            task = asyncio.ensure_future(asked(partial(store.load, SID)))
            for _ in range(pauses):
                await asyncio.sleep(0)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            assert (await ask(store.load(OTHER))).payload == b"another's"

    async def refused(self, store: Any, verb: str) -> None:
        """Make sure that ``verb`` is an outage, in time."""
        began = time.monotonic()
        assert isinstance(await self.error_of(store, verb), StoreUnavailable)
        assert time.monotonic() - began < self.deadline + self.busy

    async def error_of(self, store: Any, verb: str) -> Exception | None:
        """Return what ``verb`` raises."""
        arguments = {"load": (), "create": (b"b", 60), "replace": (b"b", 60, b"a"), "touch": (60,), "delete": ()}[verb]
        try:
            await ask(getattr(store, verb)(SID, *arguments))
        except Exception as error:
            return error
        return None
