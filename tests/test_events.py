"""Events: what happened, told to the log and to a hook, with nothing in it that a thief could use."""

from __future__ import annotations

import asyncio
import functools
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessile import CookieOptions, Event, InvalidOption, RequestFacts, Sessions, asgi, wsgi
from sessile.errors import TooManySessions
from sessile.events import LINES, WINDOW, EventKind, Events, RateLimit
from sessile.stores.memory import MemoryStore
from sessile.testing import FaultyStore
from tests.asgi import Browser
from tests.conftest import SECRET, Clock, Visitor

SID = "fzKVhLG8cRvKQXJ2hOe9u0a1BCD-_xyz"


@pytest.fixture
def told() -> list[Event]:
    """What the hook was told."""
    return []


@pytest.fixture
def watched(told: list[Event], new_visitor: Callable[..., Visitor]) -> Visitor:
    """A visitor of a site whose events are heard."""
    return new_visitor(on_event=told.append)


def names(told: list[Event]) -> list[str]:
    return [event.name for event in told]


@pytest.mark.parametrize("happening", EventKind, ids=lambda happening: happening.name)
def test_each_is_logged_at_its_level(happening: EventKind, caplog: pytest.LogCaptureFixture) -> None:
    """Each happening is one line in the log named ``sessile``, at the level that the table gives it."""
    caplog.set_level(logging.DEBUG, "sessile")
    Events(b"key", None).report(happening, SID, "What it means.")
    (line,) = caplog.records
    assert (line.name, line.levelno) == ("sessile", happening.level)
    assert line.getMessage().startswith(f"{happening.label} session=")
    assert line.getMessage().endswith("What it means.")


@pytest.fixture(params=["memory", "sqlite", "sqlite, hashed ids", "cookie"])
def options(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """A store that answers at once, one that has to be waited for, one of stored ids, and none at all."""
    url = {"memory": "memory://", "cookie": "cookie://"}.get(request.param, f"sqlite:///{tmp_path / 'sessions.db'}")
    return {"store": url, "hash_ids": "hashed" in request.param}


@pytest.fixture(params=["asgi", "asgi, lazy", "wsgi"])
def new_browser(request: pytest.FixtureRequest, clock: Clock) -> Iterator[Callable[..., Browsing]]:
    """A function that returns a visitor of a site in one of the colours."""
    opened: list[Sessions] = []

    def make(**options: Any) -> Browsing:
        opened.append(Sessions(secret=SECRET, clock=clock, **options))
        return Browsing(opened[-1], request.param)

    yield make
    for sessions in opened:
        sessions.close()


class Browsing:
    """A browser that shows the address 192.0.2.7, of an application in either colour."""

    def __init__(self, sessions: Sessions, colour: str) -> None:
        self.sessions = sessions
        self.jar: dict[str, str] = {}
        self._colour = colour

    def visit(self, work: Callable[[Any], Any], cookie: str | None = None) -> None:
        """Make a request in which ``work`` has the session. ``cookie``: not the jar's."""
        cookie = "; ".join(f"{name}={value}" for name, value in self.jar.items()) if cookie is None else cookie
        if self._colour == "wsgi":
            self._visit_wsgi(work, cookie)
        else:
            asyncio.run(self._visit_asgi(work, cookie))

    async def _visit_asgi(self, work: Callable[[Any], Any], cookie: str) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            if "lazy" in self._colour:
                await scope["sessile.load"]()
            work(scope["session"])
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        browser = Browser(asgi.SessionMiddleware(app, self.sessions, lazy="lazy" in self._colour), self.jar, "https")
        await browser.get("/", cookie, client=("192.0.2.7", 50000))

    def _visit_wsgi(self, work: Callable[[Any], Any], cookie: str) -> None:
        def app(environ: Any, start_response: Any) -> list[bytes]:
            work(environ["sessile.session"])
            start_response("200 OK", [])
            return [b""]

        def started(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            browser = Browser(None, self.jar)
            for name, value in headers:
                if name.lower() == "set-cookie":
                    browser.remember(value)

        environ = {"wsgi.url_scheme": "https", "HTTP_COOKIE": cookie, "REMOTE_ADDR": "192.0.2.7"}
        list(wsgi.SessionMiddleware(app, self.sessions)(environ, started))


def test_each_step_of_a_life_is_told_once(
    options: dict[str, Any], told: list[Event], new_browser: Callable[..., Browsing], clock: Clock
) -> None:
    """In either colour, with any store: what a request did, in its order, and who did it."""
    browser = new_browser(**options, on_event=told.append)

    def of(work: Callable[[Any], Any], cookie: str | None = None) -> list[str]:
        told.clear()
        browser.visit(work, cookie)
        assert {event.client for event in told} <= {"192.0.2.7"}
        return names(told)

    assert of(lambda session: session.get("a")) == []
    assert of(lambda session: session.update(a=1)) == ["created"]
    assert of(lambda session: session.get("a")) == ["loaded"]
    assert of(lambda session: session.update(a=2)) == ["loaded", "saved"]
    assert of(lambda session: session.login("zoe")) == ["loaded", "created", "rotated", "logged_in"]
    before, rotated, after = told[0].session, told[2], told[1].session
    assert (rotated.session, told[3].session) == (before, after)
    assert before != after
    assert rotated.detail == f"it goes on as {after}"
    assert of(lambda session: session.reauthenticated()) == ["loaded", "created", "rotated", "reauthenticated"]
    assert of(lambda session: session.regenerate(keep=["a"])) == ["loaded", "created", "rotated"]
    assert of(lambda session: session.regenerate()) == ["loaded", "created", "rotated"]
    assert of(lambda session: session.login("zoe")) == ["loaded", "created", "rotated", "logged_in"]
    assert of(lambda session: session.logout()) == ["loaded", "destroyed"]
    assert of(lambda session: session.login("zoe")) == ["created", "logged_in"]
    assert browser.sessions.counts()["logged_in"] == 3
    clock.advance(86_400)
    # A record in a cookie is still to be seen when its time is over; a store by contract shows none.
    assert of(lambda session: session.get("a")) == (["expired"] if "cookie" in options["store"] else ["unknown_id"])


def test_a_log_in_that_came_to_nothing_is_not_told(told: list[Event], new_visitor: Callable[..., Visitor]) -> None:
    """Neither one that the handler took back, nor one whose session could not be stored."""
    watched = new_visitor(on_event=told.append)
    watched.visit(lambda session: (session.login("zoe"), session.logout()))
    watched.visit(lambda session: (session.login("zoe"), session.regenerate()))
    plain = new_visitor("http", on_event=told.append, cookie=CookieOptions(secure=True))
    plain.visit(lambda session: session.login("zoe"))
    crowded = new_visitor(on_event=told.append, max_sessions_per_user=1, too_many_sessions="refuse")
    crowded.visit(lambda session: session.login("zoe"))
    crowded.jar.clear()
    with pytest.raises(TooManySessions):
        crowded.visit(lambda session: session.login("zoe"))
    assert names(told).count("logged_in") == 1


def test_a_log_in_that_is_saved_at_once_is_told_once(told: list[Event], watched: Visitor) -> None:
    """With ``save()`` the store confirms it there and then, and the response has nothing to add."""

    async def work(session: Any) -> None:
        session.login("zoe")
        await session.asave()
        assert names(told) == ["created", "logged_in"]

    watched.visit(work)
    assert names(told) == ["created", "logged_in"]


def test_two_logouts_at_once_end_one_session(told: list[Event], watched: Visitor) -> None:
    """The one that was first is told of."""
    watched.visit(lambda session: session.update(a=1))

    async def work(session: Any) -> None:
        await watched.sessions.arevoke(session.id)
        session.logout()

    told.clear()
    watched.visit(work)
    assert names(told) == ["loaded", "revoked"]


def test_what_is_written_at_once_is_told(told: list[Event], watched: Visitor) -> None:
    """``incr`` and ``pop_once`` change what is stored; a lock does not."""
    watched.visit(lambda session: session.update(a=1))
    told.clear()

    async def work(session: Any) -> None:
        await session.aincr("a")
        async with session.lock():
            pass
        await session.apop_once("a")
        await session.apop_once("a")

    watched.visit(work)
    assert names(told) == ["loaded", "saved", "saved"]


def test_ordinary_life_is_not_logged_by_default(watched: Visitor, caplog: pytest.LogCaptureFixture) -> None:
    """A visitor who comes, writes and leaves gives no line at the level where most logs begin; a log-in gives one."""
    caplog.set_level(logging.INFO, "sessile")
    watched.visit(lambda session: session.update(a=1))
    watched.visit(lambda session: session.update(a=2))
    watched.visit(lambda session: session.login("user"))
    watched.visit(lambda session: session.logout())
    assert [line.event for line in caplog.records] == ["logged_in"]  # type: ignore[attr-defined]
    assert "user" not in caplog.text


def test_labels_are_of_one_kind() -> None:
    """A label is a name that every system of metrics takes, and no two happenings share one."""
    labels = [happening.label for happening in EventKind]
    assert all(label.replace("_", "").isalpha() and label.islower() for label in labels)
    assert len(set(labels)) == len(labels) == len(EventKind.__members__)


@given(sid=st.text(st.characters(), min_size=6), key=st.binary())
def test_no_id_is_told(sid: str, key: bytes) -> None:
    """Whatever the id, an event has a short keyed hash in its place."""
    told: list[Event] = []
    Events(key, told.append).report(EventKind.SAVED, sid)
    assert len(told[0].session) == 12
    assert sid not in told[0].session + told[0].detail


def test_one_session_has_one_alias() -> None:
    """Two events of one session can be told to be so; those of others, and those of another site, differ."""

    def alias(key: bytes, sid: str | None) -> str:
        told: list[Event] = []
        Events(key, told.append).report(EventKind.SAVED, sid)
        return told[0].session

    assert alias(b"key", "one") == alias(b"key", "one")
    assert len({alias(b"key", "one"), alias(b"key", "two"), alias(b"other", "one"), alias(b"key", None)}) == 4
    assert alias(b"key", None) == ""


def test_a_hook_that_raises_changes_nothing(
    new_visitor: Callable[..., Visitor], caplog: pytest.LogCaptureFixture
) -> None:
    """An error of the hook is logged, and the visitor is served and remembered all the same."""

    def broken(event: Event) -> None:
        raise RuntimeError("the hook is broken")

    visitor = new_visitor(on_event=broken)
    assert visitor.visit(lambda session: session.update(a=1)).set_cookie
    assert visitor.visit(dict).result == {"a": 1}
    assert "the on_event hook failed" in caplog.text
    assert "the hook is broken" in caplog.text


def test_nothing_is_made_when_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a hook, and with the log silent, no event is made and nothing is hashed."""
    logging.getLogger("sessile").setLevel(logging.CRITICAL)
    try:
        monkeypatch.setattr("sessile.events.Event", None)
        monkeypatch.setattr("sessile.events.hashlib.blake2b", None)
        Events(b"key", None).report(EventKind.STORE_UNAVAILABLE, SID)
    finally:
        logging.getLogger("sessile").setLevel(logging.NOTSET)


def test_who_is_looked_up_by_a_program_has_brought_nothing(told: list[Event], watched: Visitor, clock: Clock) -> None:
    """What a program opens, lists and does not find is no event: nobody has come with a token."""
    watched.visit(lambda session: session.login("zoe"))
    sid = watched.visit(lambda session: session.id).result
    watched.visit(lambda session: session.regenerate(keep=True, grace=5))
    clock.advance(60)
    told.clear()
    assert watched.sessions.open("unknown") is None
    assert watched.sessions.open(sid) is None
    assert len(list(watched.sessions.all())) == 1
    assert len(watched.sessions.of_user("zoe")) == 1
    assert told == []


def test_what_is_corrupt_is_told_to_a_program_too(told: list[Event], watched: Visitor) -> None:
    """It is a fact about the store, whoever finds it."""
    watched.sessions.store.create("some id", b"no JSON", 60.0)
    assert list(watched.sessions.all()) == []
    assert (names(told), told[0].client) == (["corrupt_record"], None)


def test_what_a_cookie_may_be_is_told(told: list[Event], watched: Visitor, clock: Clock) -> None:
    """A forged cookie, one of no session, one of an ended and of an expired session each have an event."""
    watched.visit(lambda session: session.update(a=1))
    cookie = f"connect.sid={watched.jar['connect.sid']}"
    told.clear()

    watched.visit(cookie="connect.sid=forged")
    assert names(told) == ["bad_signature"]
    assert told.pop().session == ""

    clock.advance(86_400)
    watched.visit(cookie=cookie)
    assert names(told) == ["unknown_id"]
    assert told[0].session
    assert told[0].client == "127.0.0.1"


def test_a_corrupt_record_is_told(told: list[Event], clock: Clock, new_visitor: Callable[..., Visitor]) -> None:
    """A record that is no session is told of, and its visitor is a stranger."""
    visitor = new_visitor(on_event=told.append)
    visitor.visit(lambda session: session.update(a=1))
    sid = visitor.visit(lambda session: session.id).result
    visitor.sessions.store.delete(sid)
    visitor.sessions.store.create(sid, b"no JSON", 60.0)
    told.clear()
    assert visitor.visit(dict).result == {}
    assert names(told) == ["corrupt_record"]


def test_dropped_changes_are_told(told: list[Event], watched: Visitor) -> None:
    """Changes to a session that was ended meanwhile are dropped, and an event says so."""
    watched.visit(lambda session: session.update(a=1))
    told.clear()

    def work(session: Any) -> None:
        session["a"] = 2
        watched.sessions.store.delete(session.id)

    assert watched.visit(work).set_cookie is None
    assert names(told) == ["loaded", "changes_dropped"]


def test_a_merge_is_told(told: list[Event], watched: Visitor) -> None:
    """A commit that met another's is told of, and so is a key that both changed."""
    watched.visit(lambda session: session.update(a=1))
    told.clear()

    def meeting(key: str, value: int) -> Callable[[Any], Any]:
        async def work(session: Any) -> None:
            session["mine"] = value
            other = await watched.sessions.aopen(session.id)
            other[key] = -value
            await other.asave()

        return work

    watched.visit(meeting("theirs", 1))
    assert names(told) == ["loaded", "saved", "merged", "saved"]
    told.clear()
    watched.visit(meeting("mine", 2))
    assert names(told) == ["loaded", "saved", "merged", "collided", "saved"]
    assert watched.visit(dict).result == {"a": 1, "mine": 2, "theirs": -1}


def test_a_merge_that_took_several_tries_is_told_once(told: list[Event], watched: Visitor) -> None:
    """What was joined and then met another write is joined anew, and only what is stored is told."""
    watched.visit(lambda session: session.update(a=1))
    store = watched.sessions.store
    replace, others = store.replace, iter((1, 2, 3))

    def meeting(sid: str, payload: bytes, ttl: float, expected: bytes) -> Any:
        number = next(others, None)
        if number is not None:
            record = store.load(sid)
            replace(sid, record.payload.replace(b'"a":', b'"b%d":1,"a":' % number), ttl, record.payload)
        return replace(sid, payload, ttl, expected)

    store.replace = meeting
    told.clear()
    watched.visit(lambda session: session.update(mine=1))
    assert names(told) == ["loaded", "merged", "saved"]
    assert watched.sessions.counts()["conflicts"] == 3
    assert watched.visit(dict).result == {"a": 1, "b1": 1, "b2": 1, "b3": 1, "mine": 1}


def test_a_revoked_session_is_told(told: list[Event], watched: Visitor) -> None:
    """Ending a session from outside is told at a level that logs keep."""
    sid = watched.visit(lambda session: (session.update(a=1), session.id)[1]).result
    told.clear()
    assert watched.sessions.revoke(sid) is True
    assert names(told) == ["revoked"]
    assert EventKind.REVOKED.level == logging.INFO
    assert watched.sessions.revoke(sid) is False
    assert names(told) == ["revoked"]
    watched.sessions.clear()
    assert names(told) == ["revoked", "revoked"]
    assert told[1].detail == "all sessions of the store were ended"


@pytest.mark.parametrize("hash_ids", [False, True])
def test_the_sessions_of_a_user_are_revoked_under_the_alias_that_they_had(
    told: list[Event], new_visitor: Callable[..., Visitor], hash_ids: bool
) -> None:
    """By the limit, by a handle and all at once: each is told once, and lines about it can be found."""
    visitor = new_visitor(on_event=told.append, max_sessions_per_user=2, hash_ids=hash_ids)
    aliases = []
    for _ in range(4):
        visitor.jar.clear()
        visitor.visit(lambda session: session.login("zoe"))
        aliases.append(told[-1].session)
    limited = [event for event in told if event.name == "revoked"]
    assert [event.session for event in limited] == aliases[:2]
    assert {event.detail for event in limited} == {"a log-in went beyond max_sessions_per_user"}
    told.clear()
    visitor.sessions.of_user("zoe")[0].revoke()
    assert visitor.sessions.revoke_user("zoe") == 1
    assert names(told) == ["revoked", "revoked"]
    assert {event.session for event in told} == set(aliases[2:])


def test_a_cookie_that_cannot_leave_is_told(told: list[Event], new_visitor: Callable[..., Visitor]) -> None:
    """A secure cookie on a plain request is told of, with what to do, because the visitor will not be remembered."""
    visitor = new_visitor("http", on_event=told.append, cookie=CookieOptions(secure=True))
    assert visitor.visit(lambda session: session.update(a=1)).set_cookie is None
    assert names(told) == ["insecure_transport"]
    assert "proxy=" in told[0].detail


def test_an_outage_is_told(told: list[Event], clock: Clock) -> None:
    """A store that fails is told of by the type of its error, and by nothing that the error says."""

    class Broken:
        def load(self, sid: str) -> None:
            raise OSError("connection to user:password@host failed")

        create = replace = touch = delete = load

    sessions = Sessions(secret=SECRET, store=Broken(), clock=clock, on_event=told.append)  # type: ignore[arg-type]
    good = Sessions(secret=SECRET, clock=clock)
    session = good.engine.begin_sync(b"", RequestFacts)
    session["a"] = 1
    (cookie,) = good.engine.commit_sync(session)
    visitor = Visitor(sessions)
    visitor.jar["connect.sid"] = cookie.partition(";")[0].partition("=")[2]
    visit = visitor.visit()
    assert visit.response.status == 503
    assert visit.session is None
    assert names(told) == ["store_unavailable"]
    assert "OSError" in told[0].detail
    assert "password" not in repr(told)


@pytest.mark.parametrize("verb", ["load", "create", "replace", "touch", "delete"])
def test_an_outage_is_told_once(told: list[Event], new_browser: Callable[..., Browsing], verb: str) -> None:
    """Whichever call it is that fails, in either colour, and whoever is at fault."""
    store = FaultyStore(MemoryStore())
    browser = new_browser(store=store, on_event=told.append)
    works: dict[str, Callable[[Any], Any]] = {"replace": lambda session: session.update(a=2)}
    works |= {"touch": lambda session: session.get("a"), "delete": lambda session: session.logout()}
    if verb != "create":
        browser.visit(lambda session: session.update(a=1))
    told.clear()
    store.fail(verb, error=ConnectionResetError("redis://user:password@host"))
    browser.visit(works.get(verb, lambda session: session.update(a=1)))
    assert names(told) == (["loaded"] if verb in works else []) + ["store_unavailable"]
    assert told[-1].detail == f"FaultyStore.{verb} failed: ConnectionResetError"


# The log --------------------------------------------------------------------------------------------------------------


def test_a_line_has_fields(caplog: pytest.LogCaptureFixture) -> None:
    """What writes JSON finds in each record what the text says."""
    caplog.set_level(logging.INFO, "sessile")
    Events(b"key", None).report(EventKind.REVOKED, SID, "What it means.")
    (line,) = caplog.records
    fields = {name: vars(line)[name] for name in ("event", "detail", "suppressed")}
    assert fields == {"event": "revoked", "detail": "What it means.", "suppressed": 0}
    assert vars(line)["session"] in line.getMessage()
    assert len(vars(line)["session"]) == 12


@pytest.mark.parametrize("happening", EventKind, ids=lambda happening: happening.name)
def test_of_what_anybody_can_cause_a_few_lines_are_written(
    happening: EventKind, caplog: pytest.LogCaptureFixture, clock: Clock
) -> None:
    """The rest is one line, when the time is over. The hook is told of each, and each is counted."""
    caplog.set_level(logging.DEBUG, "sessile")
    told: list[Event] = []
    events = Events(b"key", told.append, clock=clock)
    for _ in range(LINES + 90):
        events.report(happening, SID)
    assert len(caplog.records) == (LINES if happening.limited else LINES + 90)
    assert (len(told), events.counts()) == (LINES + 90, {happening.label: LINES + 90})
    caplog.clear()
    clock.advance(WINDOW)
    events.report(happening, SID)
    lines = [(line.levelno, line.getMessage().split(" ", 2)[2]) for line in caplog.records]
    held = [(happening.level, "90 more like this were suppressed")]
    assert lines == (held if happening.limited else []) + [(happening.level, "")]
    assert [vars(line)["suppressed"] for line in caplog.records] == ([90] if happening.limited else []) + [0]


def test_what_is_limited_is_what_strangers_can_cause() -> None:
    """A line that an audit wants is never left out; nor is one that somebody has asked for by the level."""
    audit = {
        EventKind.LOGGED_IN,
        EventKind.REAUTHENTICATED,
        EventKind.REVOKED,
        EventKind.OPERATED,
        EventKind.LOGIN_REFUSED,
        EventKind.REVOCATION_INCOMPLETE,
        EventKind.DEVICE_BOUND,
    }
    assert not any(happening.limited for happening in audit)
    logged_by_default = {happening for happening in EventKind if happening.level >= logging.INFO}
    assert all(happening.limited for happening in logged_by_default - audit)


def test_a_burst_that_is_over_is_told_with_the_next_event(caplog: pytest.LogCaptureFixture, clock: Clock) -> None:
    """Of whatever kind that is."""
    events = Events(b"key", None, clock=clock)
    for _ in range(LINES + 5):
        events.report(EventKind.CORRUPT, SID)
    clock.advance(WINDOW)
    caplog.clear()
    events.report(EventKind.STORE_UNAVAILABLE)
    assert [(line.levelno, vars(line)["event"], vars(line)["suppressed"]) for line in caplog.records] == [
        (logging.WARNING, "corrupt_record", 5),
        (logging.ERROR, "store_unavailable", 0),
    ]


def test_threads_share_one_limit_and_no_count_is_lost(caplog: pytest.LogCaptureFixture, clock: Clock) -> None:
    """However many requests are served at once."""
    told: list[Event] = []
    events = Events(b"key", told.append, clock=clock)

    def flood() -> None:
        for _ in range(500):
            events.report(EventKind.CORRUPT, SID)

    threads = [threading.Thread(target=flood) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(caplog.records) == LINES
    clock.advance(WINDOW)
    events.report(EventKind.CORRUPT, SID)
    assert vars(caplog.records[-2])["suppressed"] == 4000 - LINES
    assert events.counts() == {"corrupt_record": 4001}
    assert len(told) == 4001


def test_a_limit_keeps_nothing_of_what_is_over(clock: Clock) -> None:
    """Its memory is that of the names that were told lately."""
    limit: RateLimit[int] = RateLimit(1, 60.0, clock)
    for name in range(100):
        assert limit.passes(name)
    clock.advance(60)
    assert limit.held() == []
    assert limit._windows == {}


CANARY = "caNaRy"
HOSTILE = [
    f"{CANARY}\r\nERROR root: forged line",
    f"s:{CANARY}\x1b[31m.\x00",
    f"s%3A{CANARY}%0d%0aforged.{'A' * 43}",
    f"{CANARY}%(message)s{{0.__class__}}",
    f"\u2028{CANARY}\xa0".encode().decode("latin-1"),
]


@pytest.mark.parametrize("store", ["memory://", "cookie://"])
def test_no_text_of_a_client_is_in_the_log(
    new_browser: Callable[..., Browsing], store: str, caplog: pytest.LogCaptureFixture, clock: Clock
) -> None:
    """Whatever a request says of itself: no line of the log repeats it, and none has a line break in it."""
    caplog.set_level(logging.DEBUG, "sessile")
    told: list[Event] = []
    browser = new_browser(store=store, on_event=told.append)
    for hostile in HOSTILE:
        browser.visit(lambda session: session.get("a"), cookie=f"connect.sid={hostile}")
        browser.visit(lambda session, hostile=hostile: session.login(hostile, device=hostile))
        browser.visit(lambda session, hostile=hostile: session.update({hostile: hostile}))
        browser.visit(lambda session: session.logout())
    assert {"bad_signature", "created", "logged_in", "saved", "destroyed"} <= set(names(told))
    lines = [vars(line)[field] for line in caplog.records for field in ("event", "session", "detail")]
    for text in [*lines, *(line.getMessage() for line in caplog.records), repr(told)]:
        assert CANARY not in text
        assert text.isprintable()


def test_the_log_has_no_address(watched: Visitor, told: list[Event], caplog: pytest.LogCaptureFixture) -> None:
    """It is personal data; the hook has it, and the program decides."""
    watched.visit(cookie="connect.sid=forged")
    assert [event.client for event in told] == ["127.0.0.1"]
    assert [line.name for line in caplog.records] == ["sessile"] * len(caplog.records)
    assert "127.0.0.1" not in repr([vars(line) for line in caplog.records])


# The hook -------------------------------------------------------------------------------------------------------------


async def later(event: Event) -> None:
    raise AssertionError("nobody awaits it")


class Later:
    async def __call__(self, event: Event) -> None:
        raise AssertionError("nobody awaits it")


@pytest.mark.parametrize("hook", [later, Later(), functools.partial(later)], ids=["function", "object", "partial"])
def test_a_hook_that_would_have_to_be_awaited_is_refused(hook: Any) -> None:
    """At construction, with what to do instead."""
    with pytest.raises(InvalidOption, match="on_event: it is a coroutine function.* queue"):
        Sessions(secret=SECRET, on_event=hook)


def test_a_hook_that_returns_a_coroutine_is_told_of_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Where that is hidden from us, each call of it is a failure; and no warning of Python's is left to guess at."""
    Events(b"key", lambda event: later(event)).report(EventKind.SAVED, SID)
    assert "on_event returned a coroutine" in caplog.text


def test_a_hook_that_fails_fills_no_log(caplog: pytest.LogCaptureFixture, clock: Clock) -> None:
    """Its traceback is long, and a stranger may cause it as often as he likes."""

    def broken(event: Event) -> None:
        raise RuntimeError("the hook is broken")

    events = Events(b"key", broken, clock=clock)
    for _ in range(100):
        events.report(EventKind.SAVED, SID)
    assert len(caplog.records) == LINES
    assert caplog.records[0].exc_info
    assert events.counts() == {"saved": 100, "hook_failed": 100}
