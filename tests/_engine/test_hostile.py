"""Whatever a browser sends and whatever stands in the store: no error, no adopted id, no unbounded work."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessile import Lifetime, RequestFacts, Sessions
from sessile.asgi import SessionMiddleware
from sessile.stores.memory import MemoryStore
from tests.asgi import Browser, handler
from tests.conftest import SECRET

TOKENS = st.one_of(
    st.text(max_size=80),
    st.text(alphabet='s:%3A.ab="; ', max_size=40),
    st.builds("s%3A{}.{}".format, st.text(max_size=40), st.text(max_size=60)),
)
HEADERS = st.one_of(
    st.binary(max_size=300),
    st.lists(st.builds("connect.sid={}".format, TOKENS), max_size=8).map(lambda pairs: "; ".join(pairs).encode()),
)


async def visit(header: bytes, store: MemoryStore) -> None:
    sessions = Sessions(secret=SECRET, store=store)
    browser = Browser(SessionMiddleware(handler(lambda session: session.setdefault("a", 1)), sessions))
    before = {sid for sid, _ in store.all()}
    scope = browser.scope(headers=[(b"cookie", header)])
    sent = []

    async def send(message: object) -> None:
        sent.append(message)

    await browser.app(scope, None, send)
    assert sent[0]["status"] == 200  # type: ignore[index]
    for sid, _ in store.all():
        assert sid in before or len(sid) == 32, "an id came from the browser"
        assert sid in before or sid.encode() not in header


@given(header=HEADERS)
@settings(max_examples=300)
def test_any_cookie_header_is_served_and_no_id_adopted(header: bytes) -> None:
    """A header is bytes that anybody may send."""
    asyncio.run(visit(header, MemoryStore()))


@given(
    payload=st.one_of(st.binary(max_size=200), st.text().map(str.encode), st.sampled_from([b"[" * 5000, b"1" * 5000]))
)
@settings(max_examples=300)
def test_any_stored_bytes_are_served(payload: bytes) -> None:
    """A record is bytes that another program may have written."""
    store = MemoryStore()
    sid = "x" * 32
    store.create(sid, payload, 60)
    header = f"connect.sid={Sessions(secret=SECRET).engine.setup.transport.write(sid, {}, 0)[0].split(';')[0].split('=', 1)[1]}"
    asyncio.run(visit(header.encode(), store))


def test_a_megabyte_of_cookies_is_read_in_one_pass() -> None:
    """Servers let 100 KB through; a value is found behind them all the same, and at most four are looked at."""
    from sessile.cookies import candidates

    header = b"a=b; " * 200_000 + b"connect.sid=x"
    assert candidates(header, b"connect.sid") == [b"x"]
    assert len(candidates(b"connect.sid=x; " * 100_000, b"connect.sid")) == 4
    assert candidates(b"connect.sid" * 100_000, b"connect.sid") == []


HUGE = 10**400


@pytest.mark.parametrize(
    "system",
    [
        {"rotated": "AAAA", "until": HUGE},
        {"created": HUGE},
        {"created": -HUGE, "renewed": HUGE, "user": HUGE},
        {"user": "zoe", "auth_time": HUGE},
        {"lock": {"fence": 1, "until": HUGE}},
        {"lock": {"fence": HUGE, "until": 1}},
    ],
)
@pytest.mark.parametrize("lifetime", [None, Lifetime(idle=60, absolute=600, renew_every=100, remember=1000)])
def test_a_number_that_no_float_can_hold_is_no_error(system: dict[str, Any], lifetime: Any) -> None:
    """JSON has numbers of any size, and whoever can write to the store can write one."""
    sessions = Sessions(secret=SECRET, lifetime=lifetime)
    sid = "A" * 32
    cookie = {"originalMaxAge": HUGE, "expires": None}
    sessions.store.create(sid, json.dumps({"cookie": cookie, "n": HUGE, "sessile": system}).encode(), 1000)
    session = sessions.engine.begin_sync(f"connect.sid={sessions.token_of(sid)}".encode(), RequestFacts)
    assert isinstance(session.is_fresh(60), bool)
    assert session.created_at is None or session.created_at < 1e12
    assert session.logged_in_at is None
    assert isinstance(session.claims, dict)
    assert session.last_seen is None or session.last_seen < 1e12
    with session.lock(wait=0):
        session["m"] = 1
    sessions.engine.commit_sync(session)


@pytest.mark.parametrize("life", [2e-311, 5e-324, -1e300, 1e300])
@pytest.mark.parametrize("fields", [{"user": "zoe"}, {"created": 1.0}, {"index": {"tenant": "a"}}])
def test_no_length_of_life_in_a_record_of_ours_is_an_error_page(life: float, fields: dict[str, Any]) -> None:
    """However short or long, also where the index counts in such lives whether its entries are to be renewed."""
    store = MemoryStore()
    sessions = Sessions(secret=SECRET, store=store)
    sid = "x" * 32
    system = sessions.engine.setup.fields.sealed(fields, sid)
    record = {"cookie": {"originalMaxAge": life, "expires": None, "path": "/"}, "sessile": system, "a": 1}
    store.create(sid, json.dumps(record).encode(), 100)
    header = f"connect.sid={sessions.token_of(sid)}".encode()
    for _ in range(2):
        session = sessions.engine.begin_sync(header, RequestFacts)
        assert sessions.engine.commit_sync(session) == ()
