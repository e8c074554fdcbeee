"""A store of three verbs, wrapped: the contract, but for what three verbs cannot do."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sessile import InvalidOption, Sessions
from sessile.asgi import SessionMiddleware
from sessile.stores.wrapped import NotAtomicWarning, WrappedStore
from sessile.testing import FrozenClock, StoreConformance
from tests.asgi import Browser, handler
from tests.conftest import SECRET


class Plain:
    """The least that express would call a store."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def get(self, sid: str) -> Any:
        return self.kept.get(sid)

    def set(self, sid: str, value: bytes, ttl: float) -> Any:
        self.kept[sid] = value

    def destroy(self, sid: str) -> Any:
        self.kept.pop(sid, None)


class Waiting:
    """The same behind ``async def``."""

    def __init__(self) -> None:
        self.inner = Plain()

    async def get(self, sid: str) -> Any:
        await asyncio.sleep(0)
        return self.inner.get(sid)

    async def set(self, sid: str, value: bytes, ttl: float) -> None:
        self.inner.set(sid, value, ttl)

    async def destroy(self, sid: str) -> None:
        self.inner.destroy(sid)


def wrapped(inner: Any, clock: Any) -> WrappedStore:
    with pytest.warns(NotAtomicWarning, match="cannot compare and write in one step"):
        return WrappedStore(inner, clock=clock)


class TestWrapped(StoreConformance):
    """The contract, one call after another. What it says of races is what this store warns that it cannot do."""

    test_of_many_creators_one_wins = None
    test_of_many_replacers_one_wins = None
    test_of_many_deleters_one_ends_the_session = None
    test_no_increment_is_lost = None
    test_deleting_among_writers_is_final = None

    @pytest.fixture
    def store(self, clock: FrozenClock) -> WrappedStore:
        return wrapped(Plain(), clock)


class TestWrappedUnderAsyncio(TestWrapped):
    """The same for asynchronous verbs."""

    @pytest.fixture
    def store(self, clock: FrozenClock) -> WrappedStore:
        return wrapped(Waiting(), clock).asynchronous()


@pytest.mark.parametrize("inner", [Plain, Waiting])
async def test_an_application_can_use_it(inner: Any, clock: Any) -> None:
    """Sessions are kept, and a logout holds."""
    sessions = Sessions(secret=SECRET, store=wrapped(inner(), clock), clock=clock)
    browser = Browser(SessionMiddleware(handler(lambda s: s.setdefault("a", len(s))), sessions))
    assert [(await browser.get()).body for _ in range(2)] == [b"0", b"0"]
    browser.app = SessionMiddleware(handler(lambda s: s.logout()), sessions)
    assert "Max-Age=0" in str((await browser.get()).cookie)


def test_what_stands_there_from_before_is_no_session(clock: Any) -> None:
    """Values that were not written through the wrapper count as absent."""
    inner = Plain()
    inner.kept = {"a": b"", "b": b"\xff", "c": b'{"cookie":{}}', "d": "text"}  # type: ignore[dict-item]
    store = wrapped(inner, clock)
    assert [store.load(sid) for sid in "abcd"] == [None] * 4


def test_what_lacks_a_verb_is_refused() -> None:
    """With the verbs that it needs."""
    with pytest.raises(InvalidOption, match=r"lacks get, set, destroy.*Give an object with get"):
        WrappedStore(object())  # type: ignore[arg-type]
