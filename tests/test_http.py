"""What every integration does, under asyncio: the same as for synchronous code."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.datastructures import Headers

from sessile import RequestFacts, Sessions, StoreUnavailable
from sessile.errors import NotLoaded
from sessile.http import Body, Exchange
from sessile.stores.memory import MemoryStore
from tests.conftest import SECRET


class Down(MemoryStore):
    """A store that cannot be reached."""

    async def create(self, sid: str, payload: bytes, ttl: float) -> Any:  # type: ignore[override]
        raise ConnectionError


async def answered(
    sessions: Sessions, header: bytes, key: str, late: str | None = None
) -> tuple[Headers, dict[str, Any]]:
    """Serve a request as an asynchronous framework would: write ``key``, and ``late`` while the body is sent."""
    exchange, headers = Exchange(sessions, header, RequestFacts), Headers()
    session = await exchange.load_async()
    found = dict(session)
    session[key] = True
    await exchange.commit_async(headers)
    if late:
        session[late] = True
    await exchange.finish_async()
    return headers, found


async def test_a_request_under_asyncio(sessions: Sessions) -> None:
    """Load, commit before the head, and once more at the end."""
    headers, found = await answered(sessions, b"", "first", "late")
    assert (found, headers["Vary"], headers["Cache-Control"]) == ({}, "Cookie", "no-store")
    cookie = headers["Set-Cookie"].partition(";")[0].encode()
    headers, found = await answered(sessions, cookie, "second")
    assert (found, "Set-Cookie" in headers) == ({"first": True, "late": True}, False)


async def test_what_was_not_loaded_says_so(sessions: Sessions) -> None:
    """An integration that forgets to load hears of it at the first look, and an unloaded session commits nothing."""
    exchange, headers = Exchange(sessions, b"", RequestFacts), Headers()
    with pytest.raises(NotLoaded):
        exchange.session.get("n")
    await exchange.commit_async(headers)
    assert not headers


@pytest.mark.parametrize("policy", ["unavailable", "raise", "anonymous"])
async def test_the_store_is_down(policy: Any) -> None:
    """The exception is the integration's, which asks whether to answer with 503; or nothing is stored and nobody told."""
    sessions = Sessions(secret=SECRET, store=Down(), on_store_error=policy)
    exchange, headers = Exchange(sessions, b"", RequestFacts), Headers()
    (await exchange.load_async())["n"] = 1
    if policy == "anonymous":
        await exchange.commit_async(headers)
    else:
        with pytest.raises(StoreUnavailable):
            await exchange.commit_async(headers)
    assert exchange.refuses is (policy == "unavailable")
    assert "Set-Cookie" not in headers


@pytest.mark.parametrize(
    ("before", "after"),
    [(None, "Cookie"), ("Accept", "Accept, Cookie"), ("cookie", "cookie"), ("*", "*"), ("", "Cookie")],
)
def test_vary_is_added_to(sessions: Sessions, before: str | None, after: str) -> None:
    """What a response depends on already stays (RFC 9110 12.5.5)."""
    exchange, headers = Exchange(sessions, b"", RequestFacts), Headers()
    if before is not None:
        headers["Vary"] = before
    exchange.load_lazily().get("n")
    exchange.commit(headers)
    assert headers["Vary"] == after


async def test_where_no_cookie_can_be_sent_no_session_begins(sessions: Sessions) -> None:
    """Without headers a new session is not stored, and one that is there is."""
    exchange = Exchange(sessions, b"", RequestFacts)
    (await exchange.load_async())["n"] = 1
    await exchange.commit_async(None)
    assert sessions.store.count() == 0
    headers, _ = await answered(sessions, b"", "first")
    exchange = Exchange(sessions, headers["Set-Cookie"].partition(";")[0].encode(), RequestFacts)
    session = exchange.load_lazily()
    session["n"] = 1
    exchange.commit(None)
    stored = await sessions.aopen(session.id)
    assert dict(stored) == {"first": True, "n": 1}


def test_an_id_becomes_a_token_and_back(sessions: Sessions) -> None:
    """And no text that we did not make does."""
    assert sessions.sid_of(sessions.token_of("A" * 32)) == "A" * 32
    assert [sessions.sid_of(text) for text in ("", "A" * 32, "s:A.B", "\ud800")] == [None] * 4


async def test_no_verb_depends_on_a_running_loop(sessions: Sessions) -> None:
    """On an event loop too, a synchronous verb does its work and returns its result."""
    session = sessions.engine.blank()
    session["n"] = 1
    assert session.save() is True
    opened, awaited = sessions.open(session.id), await sessions.aopen(session.id)
    assert opened is not None
    assert awaited is not None
    assert dict(opened) == dict(awaited) == {"n": 1}
    assert sessions.revoke(session.id) is True
    assert await sessions.aopen(session.id) is None


def test_no_line_of_vary_is_lost(sessions: Sessions) -> None:
    """Of several lines, whose first is all that ``get`` tells in most frameworks, one is made (RFC 9110 5.3)."""
    exchange, headers = Exchange(sessions, b"", RequestFacts), Headers()
    headers.add("Vary", "Accept")
    headers.add("vary", "Accept-Language")
    exchange.load_lazily().get("n")
    exchange.commit(headers)
    assert headers.getlist("Vary") == ["Accept, Accept-Language, Cookie"]


def test_a_body_that_nobody_reads_ends_its_request(sessions: Sessions) -> None:
    """close() alone stores what was changed, once, and closes the body."""
    exchange = Exchange(sessions, b"", RequestFacts)
    session = exchange.load_lazily()
    session["n"] = {}
    exchange.commit(Headers())
    session["m"] = 1
    body = Body(exchange, [b"x"])
    body.close()
    body.close()
    stored = sessions.open(session.id)
    assert dict(stored) == {"n": {}, "m": 1}
