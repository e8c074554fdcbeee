"""An adopted session belongs to whoever came first with its old cookie."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sessile import Session, Sessions
from sessile.adoption import AsgiAdoption, new_id
from sessile.asgi import SessionMiddleware
from sessile.stores.memory import MemoryStore
from tests.asgi import Browser, handler
from tests.conftest import SECRET, Clock

RECORD = b'{"cookie":{"originalMaxAge":900000,"expires":"2033-01-01T00:00:00.000Z","httpOnly":true,"path":"/"},"n":1}'


@pytest.mark.parametrize(
    "work",
    [
        lambda session: session.update(m=2),
        lambda session: session.regenerate(keep=True),
        lambda session: session.touch(),
    ],
    ids=["write", "new id", "touch"],
)
async def test_who_comes_second_gets_no_token(work: Callable[[Session], Any]) -> None:
    """They may be anybody who has found the old cookie; the first may be too, but then the second notices."""
    clock = Clock()
    store = MemoryStore(clock=clock)
    sessions = Sessions(secret=SECRET, store=store, clock=clock)
    store.create(new_id("abc"), RECORD, 900)
    until = datetime.fromtimestamp(clock(), UTC) + timedelta(days=1)
    app = AsgiAdoption(SessionMiddleware(handler(work), sessions), sessions, until=until)
    first, second = {"session": "abc"}, {"session": "abc"}
    assert (await Browser(app, first).get()).status == 200
    assert "connect.sid" in first
    assert (await Browser(app, second).get()).status == 200
    look = SessionMiddleware(handler(lambda session: session.get("n")), sessions)
    assert (await Browser(look, first).get()).body == b"1"
    second.pop("session", None)
    assert (await Browser(look, second).get()).body == b"None"
