"""Whatever a browser sends and whatever stands in the store: no error, no adopted id, no unbounded work."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast import Sessions
from holdfast.asgi import SessionMiddleware
from holdfast.stores.memory import MemoryStore
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
    header = f"connect.sid={Sessions(secret=SECRET)._transport.write(sid, {}, 0)[0].split(';')[0].split('=', 1)[1]}"
    asyncio.run(visit(header.encode(), store))


def test_a_megabyte_of_cookies_is_read_in_one_pass() -> None:
    """Servers let 100 KB through; a value is found behind them all the same, and at most four are looked at."""
    from holdfast.cookies import candidates

    header = b"a=b; " * 200_000 + b"connect.sid=x"
    assert candidates(header, b"connect.sid") == [b"x"]
    assert len(candidates(b"connect.sid=x; " * 100_000, b"connect.sid")) == 4
    assert candidates(b"connect.sid" * 100_000, b"connect.sid") == []
