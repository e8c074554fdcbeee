"""What a store with connections to a server has to endure, whatever server it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from sessile import StoreUnavailable
from sessile.stores.base import Replaced
from sessile.testing import Link
from tests.stores.beside import Ours


async def visitor_is_told_to_come_again(ours: Ours, link: Link) -> None:
    """While the server is away: 503, Retry-After, and the cookie stays; afterwards the visitor is who he was."""
    try:
        await ours.visit(lambda session: session.update(a=1))
        cookie = ours.cookie
        for fail in (link.refuse, link.silence):
            fail()
            assert await ours.visit() is None
            assert (ours.response.status, ours.response.cookie) == (503, None)
            assert ours.response.get("retry-after") == "10"
            link.resume()
            assert await ours.visit() == {"a": 1}
            assert ours.cookie == cookie
    finally:
        await ours.sessions.aclose()


async def killed_server_comes_back(store: Any, kill: Callable[[], None], restart: Callable[[], None]) -> None:
    """An outage meanwhile, for both colours; what was stored is there afterwards, and no call is lost on old connections."""
    under_asyncio = store.asynchronous()
    store.create("a", b"{}", 60)
    assert (await under_asyncio.load("a")).payload == b"{}"
    kill()
    for _ in range(4):
        with pytest.raises(StoreUnavailable):
            store.load("a")
        with pytest.raises(StoreUnavailable):
            await under_asyncio.replace("a", b"[]", 60, b"{}")
    for starts in (1, 2):
        restart()
        assert await under_asyncio.replace("a", b"[]", 60, b"{}") == Replaced(), starts
        assert store.replace("a", b"{}", 60, b"[]") == Replaced(), starts
    await under_asyncio.close()
    store.close()


def each_event_loop_has_connections_of_its_own(store: Any) -> None:
    """They end with it, whether the store was closed or not, and harm nobody."""

    async def visit(close: bool) -> bytes:
        under_asyncio = store.asynchronous()
        await under_asyncio.create("a", b"{}", 60)
        record = await under_asyncio.load("a")
        if close:
            await under_asyncio.close()
        return bytes(record.payload)

    assert [asyncio.run(visit(close)) for close in (True, False, True, False)] == [b"{}"] * 4
