"""Sessions of all sorts, to be moved, and what makes two stores equal."""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import suppress
from typing import Any

from sessile import CookieOptions, RequestFacts, Sessions
from sessile._records.tombstone import bury
from sessile.dual import AsyncCapable
from sessile.stores.base import Record, can

SECRET = "a secret that is long enough for tests!"

DATA: list[dict[str, Any]] = [
    {"n": 1},
    {"name": "Zoë", "text": '日本語 \U0001f600 \u2028 \x00 \\ "quoted"'},
    {"cart": {"items": [{"sku": "a-1", "price": 12.5}, {"sku": "b", "price": 1e21}], "open": True, "coupon": None}},
    {"10": "ten", "2": "two", "b": 1.5, "a": -0.25, "big": 2**60},
    {"nested": [[[[[{"deep": [1, 2, 3]}]]]]]},
    {"long": "x" * 9000},
    {"": "an empty key", "a.b": 1, "$set": {"c": 2}},
]


def under_asyncio(store: Any) -> Any:
    return store.asynchronous() if can(store, AsyncCapable) else store


async def answer(given: Any) -> Any:
    return await given if hasattr(given, "__await__") else given


async def fill(given: Any, number: int, first: int = 0) -> None:
    """Store sessions of all sorts: of users and of strangers, with an end and without one, tombstones, expired ones."""
    site = given if isinstance(given, Sessions) else Sessions(secret=SECRET, store=given)
    long = Sessions(
        secret=SECRET,
        store=site.store,
        cookie=CookieOptions(max_age=30 * 86_400),
        hash_ids=False,
    )
    store = under_asyncio(site.store)
    users = max(10, number // 20)

    async def one(position: int) -> None:
        sessions = site if position % 2 else long
        session = sessions.engine.blank(RequestFacts)
        session.update(DATA[position % len(DATA)], position=position)
        if position % 3 == 0:
            session.login(f"user-{position % users}", keep=True)
        if position % 11 == 0:
            session.index("tenant", position % 4)
        await answer(sessions.engine.commit_async(session))
        sid = session.id
        if position % 17 == 0:
            await answer(store.create(f"{sid}old", bury(f"{sid}old", sid, time.time() + 60), 3600))
        if position % 19 == 0:
            await answer(store.create(f"{sid}dead", b'{"cookie":{}}', -1))
        if position % 23 == 0:
            # What Node gives no end.
            await answer(store.touch(sid, math.floor(8.6e12 - time.time())))

    for begin in range(first, first + number, 50):
        await asyncio.gather(*(one(position) for position in range(begin, min(begin + 50, first + number))))


async def records(given: Any) -> dict[str, Record]:
    """Return all that a store has. Those that cannot list are asked for what ``expected`` names."""
    store = under_asyncio(given.store if isinstance(given, Sessions) else given)
    found = store.all()
    if hasattr(found, "__aiter__"):
        return {str(sid): record async for sid, record in found}
    return {str(sid): record for sid, record in found}


async def records_of(given: Any, sids: Any) -> dict[str, Record]:
    """Return those of ``sids`` that a store has."""
    store = under_asyncio(given)
    found = {sid: await answer(store.load(sid)) for sid in sids}
    return {sid: record for sid, record in found.items() if record is not None}


def assert_equal(one: dict[str, Record], other: dict[str, Record], seconds: float = 2) -> None:
    """All payloads byte for byte, and all ends within so many seconds, where there is an end."""
    assert set(one) == set(other)
    far = time.time() + 9 * 365 * 86_400
    for sid, record in one.items():
        assert record.payload == other[sid].payload
        ends = record.expires_at, other[sid].expires_at
        assert abs(ends[0] - ends[1]) <= seconds or min(ends) > far


async def close(*given: Any) -> None:
    for store in given:
        with suppress(AttributeError):
            await answer(under_asyncio(store).close())
