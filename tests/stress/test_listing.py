"""The list of a user's sessions costs what they cost, however many sessions of others there are: on each store."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sessile import Sessions
from sessile.dual import AsyncCapable
from sessile.testing import FaultyStore
from tests.conftest import SECRET
from tests.stress.stores import SITES, Site, close_store, open_store


@pytest.mark.parametrize("name", SITES)
async def test_a_list_asks_for_the_users_own_sessions_and_nothing_else(name: str, sites: Callable[[str], Site]) -> None:
    """As a number of calls, each of which is for one id; as times, ``python -m benchmarks.listing``."""
    inner = open_store(name, sites(name).url, 20.0)
    store = FaultyStore(inner)
    sessions = Sessions(secret=SECRET, store=store)

    async def log_in(user: str, times: int) -> None:
        for _ in range(times):
            session = sessions.engine.blank()
            session.login(user)
            await session.asave()

    async def listing(user: str) -> tuple[int, list[str]]:
        store.calls.clear()
        found = await sessions.aof_user(user)
        assert {handle.user_id for handle in found} == {user}
        return len(found), list(store.calls)

    await log_in("few", 3)
    for number in range(8):
        await log_in(f"other {number}", 5)
        assert await listing("few") == (3, ["load"] * (1 + 3))
    assert await listing("other 7") == (5, ["load"] * (1 + 5))
    assert await sessions.arevoke_user("few") == 3
    await close_store(inner.asynchronous() if isinstance(inner, AsyncCapable) else inner)
