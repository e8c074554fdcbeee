"""Records whose end is inside, for @fastify/session and koa-session: a visit that extends a life writes the record."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sessile import CookieOptions, RequestFacts, Sessions
from sessile.codecs.koa import KoaSession
from sessile.errors import StoreUnavailable
from sessile.stores.memory import MemoryStore
from tests.conftest import SECRET, Clock

FASTIFY = b'{"cookie":{"expires":"%b","originalMaxAge":60000,"sameSite":null,"secure":false,"path":"/"},"n":1}'
EXPRESS = b'{"cookie":{"originalMaxAge":60000,"expires":"%b","httpOnly":true,"path":"/"},"n":1}'


def iso(moment: float) -> bytes:
    from sessile._records.attributes import iso

    return iso(moment).encode()


class Site:
    def __init__(self, record: bytes, clock: Clock, **options: Any) -> None:
        self.clock = clock
        self.store = MemoryStore(clock=clock)
        self.store.create("an-id", record, 60)
        self.sessions = Sessions(
            secret=SECRET, store=self.store, clock=clock, cookie=CookieOptions(max_age=3600), **options
        )

    def visit(self, work: Any = dict) -> tuple[Any, tuple[str, ...]]:
        header = "; ".join(
            line.partition(";")[0] for line in self.sessions.engine.setup.transport.write("an-id", {"path": "/"}, 0)
        )
        session = self.sessions.engine.begin_sync(header.encode(), RequestFacts)
        return work(session), self.sessions.engine.commit_sync(session)

    @property
    def record(self) -> dict[str, Any]:
        found = self.store.load("an-id")
        assert found is not None
        return json.loads(found.payload)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("record", "options", "written"),
    [
        (FASTIFY, {}, True),
        (FASTIFY, {"touch_after": 30}, False),
        (EXPRESS, {}, False),
        (EXPRESS, {"token": "fastify-session"}, True),
        (EXPRESS, {"token": "fastify-session", "keep_alive": lambda facts: False}, False),
    ],
)
def test_a_visit_writes_the_new_end_where_somebody_goes_by_it(
    record: bytes, options: dict[str, Any], written: bool, clock: Clock
) -> None:
    """With the length of life that the session has; the browser keeps its cookie."""
    site = Site(record % iso(clock() + 60), clock, **options)
    before = site.record
    clock.advance(10)
    assert site.visit() == ({"n": 1}, ())
    after = site.record
    assert (after != before) is written
    assert list(after["cookie"]) == list(before["cookie"])
    assert {**after, "cookie": None} == {**before, "cookie": None}
    if written:
        assert after["cookie"]["expires"] == iso(clock() + 60).decode()
        clock.advance(55)
        assert site.visit()[0] == {"n": 1}


def test_koas_record_gets_its_new_end(clock: Clock) -> None:
    record = b'{"n":1,"_expire":%d,"_maxAge":60000}' % ((clock() + 60) * 1000)
    site = Site(record, clock, token="koa-session", codec=KoaSession())
    clock.advance(10)
    assert site.visit() == ({"n": 1}, ())
    assert site.record == {"n": 1, "_expire": round((clock() + 60) * 1000), "_maxAge": 60000}


def test_a_change_that_is_not_to_be_saved_is_not_written_with_the_end(clock: Clock) -> None:
    site = Site(FASTIFY % iso(clock() + 60), clock, autosave=False)
    before = site.record
    clock.advance(10)
    site.visit(lambda session: session.update(n=2))
    assert site.record == before
    site.visit()
    assert site.record["n"] == 1


def test_two_visits_at_once_lose_nothing(clock: Clock) -> None:
    """One changes the session, the other only looks, and would write what it has read."""
    site = Site(FASTIFY % iso(clock() + 60), clock)
    header = f"connect.sid={site.sessions.token_of('an-id')}".encode()
    looking = site.sessions.engine.begin_sync(header, RequestFacts)
    clock.advance(1)
    site.visit(lambda session: session.update(n=2))
    dict(looking)
    site.sessions.engine.commit_sync(looking)
    assert site.record["n"] == 2
    assert site.visit()[0] == {"n": 2}


def test_what_was_ended_meanwhile_is_not_written_again(clock: Clock) -> None:
    site = Site(FASTIFY % iso(clock() + 60), clock)
    header = f"connect.sid={site.sessions.token_of('an-id')}".encode()
    looking = site.sessions.engine.begin_sync(header, RequestFacts)
    site.sessions.revoke("an-id")
    assert site.sessions.engine.commit_sync(looking) == ()
    assert site.store.load("an-id") is None


def test_a_new_end_that_cannot_be_written_decides_no_answer(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """It renews a life, like a touch; a change that cannot be written is an outage all the same."""
    site = Site(FASTIFY % iso(clock() + 60), clock)

    def is_down(*_: object) -> None:
        raise StoreUnavailable("down")

    monkeypatch.setattr(site.store, "replace", is_down)
    assert site.visit() == ({"n": 1}, ())
    with pytest.raises(StoreUnavailable):
        site.visit(lambda session: session.update(n=2))
