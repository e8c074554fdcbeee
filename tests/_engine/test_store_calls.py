"""What comes out of a store: an outage, a refusal, or a mistake; and what the log is told of each."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import trio

from sessile import SessionError, Sessions, StoreRefused, StoreUnavailable
from sessile.asgi import SessionMiddleware
from sessile.events import Event
from sessile.stores.memory import MemoryStore
from sessile.testing import FaultyStore
from tests.asgi import Browser, handler
from tests.conftest import SECRET

BUGS = [
    AttributeError("'NoneType' object has no attribute 'get'"),
    TypeError("load() takes 1 positional argument but 2 were given"),
    NameError("name 'sid' is not defined"),
    KeyError("payload"),
    IndexError("list index out of range"),
    ValueError("not enough values to unpack"),
    ZeroDivisionError("division by zero"),
    NotImplementedError(),
    RecursionError("maximum recursion depth exceeded"),
    AssertionError(),
    ImportError("no module named redis"),
]


class DriverError(ValueError):
    """As drivers have them: a class of their own, below one of Python's."""


OUTAGES = [
    OSError("refused"),
    ConnectionResetError(),
    TimeoutError(),
    EOFError(),
    DriverError("secret"),
    Exception("secret"),
]


def site(store: Any, told: list[Event] | None = None) -> Browser:
    """A page that counts its visits, and lets exceptions through."""
    sessions = Sessions(
        secret=SECRET, store=store, on_store_error="raise", on_event=None if told is None else told.append
    )

    def count(session: Any) -> None:
        session["n"] = session.get("n", 0) + 1

    return Browser(SessionMiddleware(handler(count), sessions), {})


@pytest.mark.parametrize("verb", ["load", "create", "replace"])
@pytest.mark.parametrize("error", BUGS, ids=lambda error: type(error).__name__)
async def test_a_bug_in_a_store_is_no_outage(verb: str, error: Exception) -> None:
    """It propagates as what it is, with its traceback: as a 503 nobody would ever find it."""
    told: list[Event] = []
    store = FaultyStore(MemoryStore())
    browser = site(store, told)
    if verb != "create":
        await browser.get()
    store.fail(verb, error=error)
    with pytest.raises(type(error)) as caught:
        await browser.get()
    assert caught.value is error
    assert "store_unavailable" not in [event.name for event in told]


@pytest.mark.parametrize("error", OUTAGES, ids=lambda error: type(error).__name__)
async def test_what_a_driver_raises_is_an_outage(error: Exception) -> None:
    """The log names the store, the operation and the class, and nothing that the error says."""
    told: list[Event] = []
    store = FaultyStore(MemoryStore())
    store.fail("create", error=error)
    with pytest.raises(StoreUnavailable) as caught:
        await site(store, told).get()
    assert caught.value.__cause__ is error
    (event,) = [each for each in told if each.name == "store_unavailable"]
    assert event.detail == f"FaultyStore.create failed: {type(error).__name__}"


async def test_the_log_names_store_operation_and_reason_of_a_refusal(caplog: pytest.LogCaptureFixture) -> None:
    """So that who reads it knows what to do."""
    store = FaultyStore(MemoryStore())
    store.fail("create", error=StoreRefused("RedisStore", "create", "OOM command not allowed"))
    with caplog.at_level(logging.ERROR, "sessile"), pytest.raises(StoreRefused):
        await site(store).get()
    assert caplog.messages == ["store_unavailable session=- RedisStore refused create: OOM command not allowed"]


async def test_the_log_names_the_drivers_error_once() -> None:
    """Whether the store's words have it or not; a line is a line, and has an end."""
    for words, detail in [
        ("gone: OSError", "gone: OSError"),
        ("no answer", "no answer (OSError)"),
        ("no answer\nsecond line", "no answer (OSError)"),
        ("x" * 1000, "x" * 300 + " (OSError)"),
    ]:
        told: list[Event] = []
        error = StoreUnavailable(words)
        error.__cause__ = OSError("secret")
        store = FaultyStore(MemoryStore())
        store.fail("create", error=error)
        with pytest.raises(StoreUnavailable):
            await site(store, told).get()
        assert [each.detail for each in told if each.name == "store_unavailable"] == [detail]


def test_a_store_that_needs_asyncio_says_so_under_trio() -> None:
    """Whosever it is, ours or yours: an error that names asyncio, and no outage that never ends."""

    class Theirs(MemoryStore):
        async def create(self, sid: str, payload: bytes, ttl: float) -> bool:
            import asyncio

            await asyncio.sleep(0.01)
            return True

    for store in ("redis://127.0.0.1:1", "memcached://127.0.0.1:1", "mongodb://127.0.0.1:1", Theirs()):
        told: list[Event] = []
        with pytest.raises(SessionError, match="needs asyncio") as caught:
            trio.run(site(store, told).get)
        assert not isinstance(caught.value, StoreUnavailable)
        assert "store_unavailable" not in [event.name for event in told]


def test_requests_that_meet_wait_for_each_other_under_trio() -> None:
    """What needs no server works there: in memory a dozen requests that change one session lose nothing."""
    sessions = Sessions(secret=SECRET)

    async def change(session: Any) -> None:
        for number in range(20):
            session[f"key{number}"] = number
            await trio.sleep(0)
        session[f"visit{len(done)}"] = done.append(None)

    done: list[None] = []
    browser = Browser(SessionMiddleware(handler(change), sessions), {})

    async def visits() -> None:
        await browser.get()
        async with trio.open_nursery() as nursery:
            for _ in range(12):
                nursery.start_soon(browser.get)

    trio.run(visits)
    (session,) = sessions.all()
    assert {key for key in session if key.startswith("visit")} == {f"visit{number}" for number in range(1, 14)}
    assert sessions.counts()["retries"] > 0, "nobody met anybody: this proves nothing"
