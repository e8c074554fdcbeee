"""The limits of a session's life: kept by the server, whatever the cookie says."""

from __future__ import annotations

import asyncio
import json
import math
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessile import CookieOptions, InvalidOption, Lifetime, Session, SessionConflict, SessionError
from sessile._records.record import AUTHENTICATED, CREATED, REMEMBERED, RENEWED, USER
from tests._engine.test_rotation import Site
from tests.asgi import Response

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0


def log_in(session: Session) -> None:
    session.login("zoe")


def look(session: Session) -> Any:
    return dict(session)


async def is_out(site: Site, jar: dict[str, str]) -> bool:
    """Make a visit, and tell whether the session was gone."""
    return (await site.visit(dict(jar), lambda session: (session.user_id, dict(session)))).body == b"(None, {})"


# Without a visit ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cookie", [CookieOptions(), CookieOptions(max_age=30 * DAY)], ids=["browser", "month"])
async def test_without_a_visit_it_ends_after_the_idle_limit_whatever_the_cookie_says(cookie: CookieOptions) -> None:
    site = Site(lifetime=Lifetime(idle=timedelta(minutes=30)), cookie=cookie)
    jar = await site.visitor()
    for _ in range(100):
        site.clock.advance(30 * MINUTE - 1)
        assert not await is_out(site, jar)
    site.clock.advance(30 * MINUTE)
    assert await is_out(site, jar)


async def test_a_cookie_may_end_before_the_idle_limit() -> None:
    site = Site(lifetime=Lifetime(idle=HOUR), cookie=CookieOptions(max_age=60))
    jar = await site.visitor()
    site.clock.advance(60)
    assert await is_out(site, jar)


async def test_the_idle_limit_may_be_longer_than_what_holds_for_browser_sessions() -> None:
    site = Site(lifetime=Lifetime(idle=7 * DAY))
    jar = await site.visitor()
    site.clock.advance(7 * DAY - 1)
    assert not await is_out(site, jar)


async def test_what_does_not_count_as_a_visit_does_not_extend() -> None:
    site = Site(lifetime=Lifetime(idle=HOUR), keep_alive=lambda facts: False)
    jar = await site.visitor()
    site.clock.advance(HOUR / 2)
    assert not await is_out(site, jar)
    site.clock.advance(HOUR / 2)
    assert await is_out(site, jar)


# In all ---------------------------------------------------------------------------------------------------------------


async def visited_until_out(site: Site, jar: dict[str, str], step: float) -> float:
    """Visit every ``step`` seconds, changing something, and return after how long the session was gone."""
    begun = site.clock()
    while (await site.visit(jar, lambda session: session.get("n") and session.update(n=session["n"] + 1))).status:
        if "expired" in site.events:
            return site.clock() - begun
        assert site.clock() - begun < 100 * DAY
        site.clock.advance(step)
    raise AssertionError


@pytest.mark.parametrize("work", [log_in, look], ids=["logged in", "anonymous"])
async def test_however_busy_it_is_it_ends_after_the_absolute_limit(work: Any) -> None:
    """OWASP ASVS 5.0 7.3.2. The record is there still, and says itself that it is over."""
    site = Site(lifetime=Lifetime(absolute=12 * HOUR), rolling=True, cookie=CookieOptions(max_age=30 * DAY))
    jar = await site.visitor(n=1)
    await site.visit(jar, work)
    copied = dict(jar)
    assert await visited_until_out(site, jar, MINUTE) == 12 * HOUR
    assert site.store.count() == 1
    assert await is_out(site, copied)
    assert site.live() == []


@pytest.mark.parametrize("again", [log_in, lambda session: session.reauthenticated()], ids=["login", "reauthenticated"])
async def test_who_proves_again_to_be_who_he_is_begins_anew(again: Any) -> None:
    """NIST SP 800-63B-4 section 5.2."""
    site = Site(lifetime=Lifetime.AAL3)
    jar = await site.visitor()
    await site.visit(jar, log_in)
    for number in range(3 * 60):
        site.clock.advance(10 * MINUTE)
        assert not await is_out(site, jar), number
        if number % 60 == 59:
            await site.visit(jar, again)
    assert await is_out(site, jar) is False


async def test_a_new_id_alone_begins_nothing_anew() -> None:
    site = Site(lifetime=Lifetime(absolute=DAY))
    jar = await site.visitor()
    await site.visit(jar, log_in)
    site.clock.advance(DAY - 1)
    await site.visit(jar, lambda session: session.regenerate(keep=True))
    assert not await is_out(site, jar)
    site.clock.advance(1)
    assert await is_out(site, jar)


async def test_a_session_of_before_begins_when_we_first_see_it() -> None:
    """One that Node made says nothing of its beginning."""
    site = Site()
    jar = await site.visitor()
    sid = next(sid for sid, _ in site.store.all())
    limited = Site(lifetime=Lifetime(absolute=HOUR))
    record = site.store.load(sid)
    assert record is not None
    assert CREATED not in json.loads(record.payload).get("sessile", {})
    limited.store.create(sid, record.payload, 30 * DAY)
    assert not await is_out(limited, jar)
    for _ in range(59):
        limited.clock.advance(MINUTE)
        assert not await is_out(limited, jar)
    limited.clock.advance(MINUTE)
    assert await is_out(limited, jar)


async def test_a_limit_that_is_set_later_holds_for_sessions_of_before() -> None:
    site = Site(lifetime=Lifetime(absolute=DAY))
    jar = await site.visitor()
    site.clock.advance(2 * HOUR)
    assert not await is_out(site, jar)
    stricter = Site(lifetime=Lifetime(absolute=HOUR))
    stricter.clock.now = site.clock.now
    for sid, record in site.store.all():
        stricter.store.create(sid, record.payload, 1000)
    assert await is_out(stricter, jar)


async def test_programs_find_no_session_that_is_over() -> None:
    site = Site(lifetime=Lifetime(absolute=HOUR), cookie=CookieOptions(max_age=DAY))
    jar = await site.visitor()
    await site.visit(jar, log_in)
    sid = next(session.id for session in site.sessions.all())
    site.clock.advance(HOUR / 2)
    await site.visit(jar)
    assert await site.sessions.aopen(sid) is not None
    assert len(await site.sessions.aof_user("zoe")) == 1
    site.clock.advance(HOUR / 2)
    assert await site.sessions.aopen(sid) is None
    assert await site.sessions.aof_user("zoe") == []
    assert site.live() == []


async def test_the_list_of_devices_says_when_each_was_used_and_when_it_ends() -> None:
    site = Site(lifetime=Lifetime(idle=HOUR, absolute=3 * HOUR))
    jar = await site.visitor()
    begun = site.clock()
    await site.visit(jar, log_in)
    for after in (0.5, 1.4, 2.3):
        site.clock.now = begun + after * HOUR
        await site.visit(jar)
        [handle] = await site.sessions.aof_user("zoe")
        assert handle.last_seen == pytest.approx(site.clock())
        assert handle.expires_at == pytest.approx(begun + min(after + 1, 3) * HOUR)
        [session] = site.sessions.all()
        assert (session.last_seen, session.expires_at) == (handle.last_seen, handle.expires_at)


async def test_a_limit_costs_a_visitor_no_write() -> None:
    site = Site(lifetime=Lifetime(idle=HOUR, absolute=DAY, renew_every=HOUR))
    jar = await site.visitor()
    await site.visit(jar)
    assert site.store.calls == ["load"]  # And a touch.


async def test_nothing_is_stored_for_a_visitor_who_only_looks() -> None:
    site = Site(lifetime=Lifetime.AAL2)
    await site.visit({})
    assert site.store.calls == []


# Nobody logged in -----------------------------------------------------------------------------------------------------


async def test_an_anonymous_session_may_have_a_shorter_life() -> None:
    site = Site(lifetime=Lifetime(anonymous=10 * MINUTE), cookie=CookieOptions(max_age=DAY))
    jar = await site.visitor()
    known = await site.visitor()
    await site.visit(known, log_in)
    site.clock.advance(10 * MINUTE)
    assert await is_out(site, jar)
    assert not await is_out(site, known)
    site.clock.advance(DAY - 1)
    assert not await is_out(site, known)


# Remembered -----------------------------------------------------------------------------------------------------------


REMEMBERING = Lifetime(idle=HOUR, absolute=8 * HOUR, remember=30 * DAY)


async def test_who_wants_to_be_remembered_is() -> None:
    site = Site(lifetime=REMEMBERING)
    jar, other = await site.visitor(), await site.visitor()
    response = await site.visit(jar, lambda session: session.login("zoe", remember=True))
    assert "Max-Age=2592000" in str(response.cookie)
    response = await site.visit(other, log_in)
    assert "Max-Age" not in str(response.cookie)
    site.clock.advance(HOUR)
    assert await is_out(site, other)
    assert not await is_out(site, jar)
    for _ in range(29):
        site.clock.advance(DAY)
        assert not await is_out(site, jar)
    site.clock.advance(23 * HOUR)
    assert await is_out(site, jar)


async def test_and_is_no_more_once_he_logs_in_without() -> None:
    site = Site(lifetime=REMEMBERING)
    jar = await site.visitor()
    await site.visit(jar, lambda session: session.login("zoe", remember=True))
    response = await site.visit(jar, log_in)
    assert "Max-Age" not in str(response.cookie)
    site.clock.advance(HOUR)
    assert await is_out(site, jar)


async def test_a_renewed_session_is_remembered_still() -> None:
    site = Site(lifetime=Lifetime(idle=HOUR, remember=30 * DAY, renew_every=DAY))
    jar = await site.visitor()
    await site.visit(jar, lambda session: session.login("zoe", remember=True))
    site.clock.advance(2 * DAY)
    response = await site.visit(jar)
    assert "Max-Age=2592000" in str(response.cookie)
    site.clock.advance(2 * DAY)
    assert not await is_out(site, jar)


@pytest.mark.parametrize("lifetime", [None, Lifetime(idle=HOUR), Lifetime.AAL2, Lifetime.AAL3])
async def test_nobody_is_remembered_where_the_options_do_not_say_so(lifetime: Lifetime | None) -> None:
    site = Site(lifetime=lifetime)
    jar = await site.visitor()

    def remember(session: Session) -> None:
        with pytest.raises(SessionError, match="remember="):
            session.login("zoe", remember=True)
        assert session.user_id is None

    await site.visit(jar, remember)
    assert site.live() == [{"n": 1}]


# A new id now and then ------------------------------------------------------------------------------------------------


RENEWING = Lifetime(renew_every=15 * MINUTE)


async def test_it_gets_a_new_id_now_and_then() -> None:
    """OWASP Session Management: renewal timeout."""
    site = Site(lifetime=RENEWING)
    jar = await site.visitor()
    seen = {jar["connect.sid"]}
    for minute in range(1, 61):
        site.clock.advance(MINUTE)
        response = await site.visit(jar)
        assert (response.cookie is not None) == (minute % 15 == 0)
        assert response.body == b"{'n': 1}"
        seen.add(jar["connect.sid"])
    assert len(seen) == 5


async def test_for_a_time_the_old_id_is_good_as_well_and_leads_the_browser_to_the_new_one() -> None:
    """So that an answer may be lost, and several requests be in flight."""
    site = Site(lifetime=RENEWING)
    jar = await site.visitor()
    old = dict(jar)
    site.clock.advance(15 * MINUTE)
    await site.visit(jar)
    assert jar != old
    late = dict(old)
    site.clock.advance(59)
    response = await site.visit(late)
    assert response.body == b"{'n': 1}"
    assert response.get("cache-control") == "no-store"
    assert {session.id for session in site.sessions.all()} == {(await sid_of(site, late))} == {await sid_of(site, jar)}
    site.clock.advance(1)
    assert await is_out(site, old)
    assert site.events == ["replayed"]
    assert not await is_out(site, jar)


async def sid_of(site: Site, jar: dict[str, str]) -> str:
    found: list[str] = []
    await site.visit(dict(jar), lambda session: found.append(session.id))
    return found[0]


@pytest.mark.parametrize("lazy", [False, True])
async def test_a_lazy_request_is_led_on_too(lazy: bool) -> None:
    from sessile.asgi import SessionMiddleware
    from tests.asgi import Browser, handler

    site = Site(lifetime=RENEWING)
    jar = await site.visitor()
    old = dict(jar)
    site.clock.advance(15 * MINUTE)
    await site.visit(jar)

    async def work(session: Session) -> Any:
        await site.sessions.engine.load_async(session)
        return dict(session)

    browser = Browser(SessionMiddleware(handler(work), site.sessions, lazy=lazy), dict(old))
    response = await browser.get()
    assert response.body == b"{'n': 1}"
    assert await sid_of(site, browser.jar) == await sid_of(site, jar)


@pytest.mark.parametrize(
    ("conflict", "writers"),  # With the other two, one of two changes is lost, or refused: that was asked for.
    [("merge", 0), ("merge", 1), ("merge", 2), ("merge", 5)] + [(c, w) for c in ("overwrite", "error") for w in (0, 1)],
)
async def test_requests_that_renew_at_once_end_in_one_session(writers: int, conflict: Any) -> None:
    """Whichever answer the browser hears last, it is in the session; and what each changed is there."""
    site = Site(lifetime=RENEWING, conflict=conflict)
    jar = await site.visitor()
    site.clock.advance(15 * MINUTE)
    everybody = asyncio.Barrier(6)

    async def request(number: int) -> dict[str, str]:
        mine = dict(jar)

        async def work(session: Session) -> None:
            await everybody.wait()  # All have loaded the session under its old id.
            if number < writers:
                session[f"k{number}"] = number

        await site.visit(mine, work)
        return mine

    jars = await asyncio.gather(*(request(number) for number in range(6)))
    assert len({await sid_of(site, each) for each in jars}) == 1
    assert site.live() == [{"n": 1, **{f"k{number}": number for number in range(writers)}}]
    site.clock.advance(MINUTE)
    for each in jars:
        assert not await is_out(site, each)


@pytest.mark.parametrize("conflict", ["overwrite", "error"])
async def test_a_renewal_overwrites_nothing_and_refuses_nothing(conflict: Any) -> None:
    """The handler has changed nothing: what somebody else wrote meanwhile is no conflict."""
    site = Site(lifetime=RENEWING, conflict=conflict)
    jar = await site.visitor()
    site.clock.advance(15 * MINUTE - 1)
    writer = dict(jar)

    async def slow(session: Session) -> None:
        await site.visit(writer, lambda other: other.update(m=2))
        site.clock.advance(1)

    await site.visit(jar, slow)
    assert site.live() == [{"n": 1, "m": 2}]

    async def changing(session: Session) -> None:
        await site.visit(dict(jar), lambda other: other.update(m=3))
        session["k"] = 1
        site.clock.advance(15 * MINUTE)

    if conflict == "error":
        with pytest.raises(SessionConflict):
            await site.visit(jar, changing)
        assert site.live() == [{"n": 1, "m": 3}]


async def test_a_logout_in_flight_ends_the_renewed_session() -> None:
    site = Site(lifetime=RENEWING)
    jar = await site.visitor()
    site.clock.advance(15 * MINUTE)
    leaving = dict(jar)

    async def leave(session: Session) -> None:
        await site.visit(jar)
        session.destroy()

    await site.visit(leaving, leave)
    assert site.live() == []
    assert await is_out(site, jar)


@pytest.mark.parametrize(
    "work",
    [
        lambda session: setattr(session, "read_only", True),
        lambda session: setattr(session, "keep_alive", False),
        lambda session: (setattr(session, "autosave", False), session.update(x=1)),
        lambda session: session.destroy(),
    ],
    ids=["read_only", "keep_alive", "autosave", "destroy"],
)
async def test_where_nothing_is_to_be_written_no_id_is_renewed(work: Any) -> None:
    site = Site(lifetime=RENEWING)
    jar = await site.visitor()
    site.clock.advance(HOUR)
    await site.visit(jar, work)
    assert "rotated" not in site.events


async def test_a_program_renews_no_id() -> None:
    """Nobody would tell the browser."""
    site = Site(lifetime=RENEWING)
    jar = await site.visitor()
    site.clock.advance(HOUR)
    session = await site.sessions.aopen(next(sid for sid, _ in site.store.all()))
    session["n"] = 2
    await session.asave()
    assert (await site.visit(jar)).body == b"{'n': 2}"


async def test_a_page_that_is_streamed_renews_the_id_with_its_head_or_not_at_all() -> None:
    from sessile.asgi import SessionMiddleware
    from tests.asgi import Browser

    site = Site(lifetime=RENEWING)
    jar = await site.visitor()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        site.clock.advance(HOUR)
        scope["session"]["late"] = 1
        await send({"type": "http.response.body", "body": b""})

    assert (await Browser(SessionMiddleware(app, site.sessions), jar).get()).cookie is None
    assert site.live() == [{"n": 1, "late": 1}]
    assert not any(name == "cookie_too_late" for name in site.events)


async def test_the_lock_is_kept_through_it() -> None:
    site = Site(lifetime=RENEWING)
    jar = await site.visitor()
    site.clock.advance(HOUR)

    async def work(session: Session) -> None:
        async with session.lock():
            session["n"] = 2

    await site.visit(jar, work)
    assert (await site.visit(jar)).body == b"{'n': 2}"


async def test_renewals_leave_no_heap_of_tombstones() -> None:
    site = Site(lifetime=RENEWING, cookie=CookieOptions(max_age=30 * DAY))
    jar = await site.visitor()
    for _ in range(200):
        site.clock.advance(15 * MINUTE)
        assert (await site.visit(jar)).cookie is not None
    site.store.prune()
    assert site.store.count() <= 2


async def test_the_user_keeps_one_entry_in_the_list() -> None:
    site = Site(lifetime=RENEWING, max_sessions_per_user=1)
    jar = await site.visitor()
    await site.visit(jar, log_in)
    for _ in range(5):
        site.clock.advance(15 * MINUTE)
        await site.visit(jar)
        assert len(await site.sessions.aof_user("zoe")) == 1


async def test_a_new_id_that_the_handler_asked_for_counts() -> None:
    site = Site(lifetime=RENEWING)
    jar = await site.visitor()
    site.clock.advance(10 * MINUTE)
    await site.visit(jar, lambda session: session.regenerate())
    await site.visit(jar, lambda session: session.update(n=1))
    site.clock.advance(10 * MINUTE)
    assert (await site.visit(jar)).cookie is None


# What is no lifetime --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"idle": 0}, "lifetime idle: 0 is no length of time"),
        ({"idle": -1}, "lifetime idle"),
        ({"absolute": "12h"}, "lifetime absolute: '12h'"),
        ({"anonymous": True}, "lifetime anonymous"),
        ({"remember": math.inf}, "lifetime remember"),
        ({"renew_every": math.nan}, "lifetime renew_every"),
        ({"renewal_grace": None}, "lifetime renewal_grace"),
        ({"renewal_grace": 301}, "up to 300 seconds"),
        ({"renewal_grace": 60, "renew_every": 30}, "60 seconds are more than renew_every=30"),
        ({"idle": timedelta(hours=2), "absolute": timedelta(hours=1)}, "7200 seconds are more than absolute=3600"),
        ({"anonymous": 20, "absolute": 10}, "lifetime anonymous"),
    ],
)
def test_what_is_no_lifetime(arguments: Any, words: str) -> None:
    with pytest.raises(InvalidOption, match=words):
        Lifetime(**arguments)


def test_what_is_no_lifetime_of_sessions() -> None:
    with pytest.raises(InvalidOption, match="sessile.Lifetime"):
        Site(lifetime=3600)


def test_what_nist_asks_for() -> None:
    """SP 800-63B-4: overall and inactivity timeouts of each assurance level, and no lasting cookie from level 2 on."""
    asked = {"AAL1": (None, 30 * DAY), "AAL2": (HOUR, DAY), "AAL3": (15 * MINUTE, 12 * HOUR)}
    for name, (idle, absolute) in asked.items():
        lifetime = getattr(Lifetime, name)
        assert (lifetime.idle, lifetime.absolute) == (idle, absolute)
        assert lifetime.remember is None or lifetime.remember <= absolute
    assert Lifetime.AAL2.remember is Lifetime.AAL3.remember is None


# Whatever stands in a record ------------------------------------------------------------------------------------------

_fields = st.sampled_from([CREATED, AUTHENTICATED, RENEWED, REMEMBERED, USER])
_values = st.one_of(
    st.none(),
    st.booleans(),
    st.text(max_size=3),
    st.integers(),
    st.sampled_from([10**400, -(10**400), 1e308, -1e308, 1_000_000_000]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.lists(st.none(), max_size=1),
    st.dictionaries(st.text(max_size=1), st.none(), max_size=1),
)


@given(
    st.dictionaries(_fields, _values),
    st.sampled_from([REMEMBERING, Lifetime.AAL1, Lifetime.AAL3, RENEWING, Lifetime(anonymous=5, renew_every=100)]),
)
def test_no_record_breaks_the_limits(system: dict[str, Any], lifetime: Lifetime) -> None:
    """It may make its session end sooner, and never later than it could have begun now."""
    now = 1e9
    limit = lifetime.remember if lifetime.remember is not None and system.get(REMEMBERED) is True else lifetime.absolute
    assert lifetime.end(system, now) <= now + (math.inf if limit is None else limit)  # type: ignore[operator]
    assert 0 < lifetime.of_record(system, None, DAY) <= 30 * DAY
    assert lifetime.renewal_is_due(system, now) in (True, False)
    assert lifetime.lacks_beginning(system) in (True, False)


@given(st.dictionaries(_fields, _values))
def test_no_record_causes_an_error(system: dict[str, Any]) -> None:
    async def visits() -> list[Response]:
        site = Site(lifetime=Lifetime(idle=60, absolute=100, renew_every=80, remember=1000, anonymous=30))
        jar = await site.visitor()
        sid = next(sid for sid, _ in site.store.all())
        payload = json.dumps({"cookie": {"originalMaxAge": None, "path": "/"}, "sessile": system, "n": 1})
        site.store.delete(sid)
        site.store.create(sid, payload.encode(), 1000)
        return [await site.visit(jar, look) for _ in range(2)]

    for response in asyncio.run(visits()):
        assert response.status == 200
