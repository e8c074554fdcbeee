"""What a browser and a store see of a request, through the ASGI middleware."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest

from sessile import (
    CookieOptions,
    Record,
    RequestFacts,
    Session,
    SessionConflict,
    SessionError,
    Sessions,
    StoreUnavailable,
    asgi,
)
from sessile.asgi import SessionMiddleware
from sessile.errors import (
    InvalidOption,
    MissingMiddleware,
    NotLoaded,
    RetriesExhausted,
    SessionEnded,
    SessionGone,
    UnserialisableValue,
)
from sessile.merge import add, union
from sessile.stores.memory import MemoryStore
from tests.asgi import Browser, handler
from tests.conftest import SECRET, Clock


class CountingStore(MemoryStore):
    """The memory store, and a list of the verbs it was asked."""

    def __init__(self, clock: Any) -> None:
        super().__init__(clock=clock)
        self.calls: list[str] = []

    def load(self, sid: str) -> Record | None:
        self.calls.append("load")
        return super().load(sid)

    def create(self, sid: str, payload: bytes, ttl: float) -> bool:
        self.calls.append("create")
        return super().create(sid, payload, ttl)

    def replace(self, sid: str, payload: bytes, ttl: float, expected: bytes) -> Any:
        self.calls.append("replace")
        return super().replace(sid, payload, ttl, expected)

    def touch(self, sid: str, ttl: float) -> bool:
        self.calls.append("touch")
        return super().touch(sid, ttl)

    def delete(self, sid: str) -> bool:
        self.calls.append("delete")
        return super().delete(sid)


class AsyncStore:
    """The memory store behind `async def` verbs that really wait."""

    def __init__(self, clock: Any) -> None:
        self.inner = CountingStore(clock)

    @property
    def calls(self) -> list[str]:
        return self.inner.calls

    def all(self) -> Any:
        return self.inner.all()

    def count(self) -> int:
        return self.inner.count()

    def clear(self) -> None:
        self.inner.clear()

    async def load(self, sid: str) -> Any:
        await asyncio.sleep(0)
        return self.inner.load(sid)

    async def create(self, sid: str, payload: bytes, ttl: float) -> Any:
        await asyncio.sleep(0)
        return self.inner.create(sid, payload, ttl)

    async def replace(self, sid: str, payload: bytes, ttl: float, expected: bytes) -> Any:
        await asyncio.sleep(0)
        return self.inner.replace(sid, payload, ttl, expected)

    async def touch(self, sid: str, ttl: float) -> Any:
        await asyncio.sleep(0)
        return self.inner.touch(sid, ttl)

    async def delete(self, sid: str) -> Any:
        await asyncio.sleep(0)
        return self.inner.delete(sid)


class DownStore(MemoryStore):
    """A memory store that can be switched off."""

    down: frozenset[str] | set[str] = frozenset()

    def _check(self, verb: str) -> None:
        if verb in self.down:
            raise ConnectionError("no route to the store")

    def load(self, sid: str) -> Record | None:
        self._check("load")
        return super().load(sid)

    def create(self, sid: str, payload: bytes, ttl: float) -> bool:
        self._check("create")
        return super().create(sid, payload, ttl)

    def replace(self, sid: str, payload: bytes, ttl: float, expected: bytes) -> Any:
        self._check("replace")
        return super().replace(sid, payload, ttl, expected)

    def touch(self, sid: str, ttl: float) -> bool:
        self._check("touch")
        return super().touch(sid, ttl)


ALL_VERBS = {"load", "create", "replace", "touch", "delete"}


class Site:
    """A site with one session manager, whose handler is chosen for each request."""

    def __init__(self, store: Any = None, *, lazy: bool = False, scheme: str = "http", **options: Any) -> None:
        self.clock = Clock()
        self.store = CountingStore(self.clock) if store is None else store(self.clock)
        self.events: list[str] = []
        self.sessions = Sessions(
            secret=options.pop("secret", SECRET),
            store=self.store,
            clock=self.clock,
            on_event=lambda event: self.events.append(event.name),
            **options,
        )
        self.lazy = lazy
        self.browser = Browser(None, scheme=scheme)

    async def do(self, work: Any = lambda session: None, browser: Browser | None = None, **more: Any) -> Any:
        headers = more.pop("headers", None)
        return await self.serve(handler(work, headers), browser, **more)

    async def serve(self, app: Any, browser: Browser | None = None, **more: Any) -> Any:
        browser = browser or self.browser
        browser.app = SessionMiddleware(app, self.sessions, lazy=self.lazy)
        if hasattr(self.store, "calls"):
            self.store.calls.clear()
        self.events.clear()
        return await browser.get(**more)

    def data(self) -> list[dict[str, Any]]:
        """What the store holds now; looking does not count as a call, and works while the store is down."""
        store = getattr(self.store, "inner", self.store)
        kept, store.__class__ = store.__class__, MemoryStore
        try:
            return [json.loads(record.payload) for _, record in store.all()]
        finally:
            store.__class__ = kept

    def second_browser(self) -> Browser:
        return Browser(None, dict(self.browser.jar), self.browser.scheme)


@pytest.fixture(params=[CountingStore, AsyncStore], ids=["plain store", "async store"])
def site(request: pytest.FixtureRequest) -> Site:
    return Site(request.param)


def put(**values: Any) -> Any:
    return lambda session: session.update(values)


# A visitor who only looks -----------------------------------------------------------------------------------------


async def test_an_untouched_new_session_costs_nothing(site: Site) -> None:
    """No store call, no cookie, no header."""
    response = await site.do()
    assert (site.store.calls, response.headers) == ([], [])


async def test_reading_an_empty_session_varies_and_stores_nothing(site: Site) -> None:
    """A response that depends on there being no session depends on the cookie."""
    response = await site.do(lambda session: "cart" in session)
    assert (site.store.calls, response.headers) == ([], [("vary", "Cookie")])


@pytest.mark.parametrize(
    "look",
    [
        lambda s: s.get("a"),
        lambda s: "a" in s,
        lambda s: len(s),
        lambda s: bool(s),
        lambda s: list(s),
        lambda s: list(reversed(s)),
        lambda s: list(s.keys()),
        lambda s: list(s.values()),
        lambda s: list(s.items()),
        lambda s: s == {},
        lambda s: s != {},
        lambda s: s | {},
        lambda s: {} | s,
        lambda s: dict(s),
        lambda s: {**s},
        lambda s: s.copy(),
        lambda s: s.id,
        lambda s: s.is_new,
        lambda s: s.is_modified,
        lambda s: s.user_id,
        lambda s: s.created_at,
        lambda s: s.cookie,
        lambda s: s.pop("a", None),
    ],
)
async def test_every_way_of_looking_counts(look: Any) -> None:
    """Vary: Cookie is sent for whatever way a handler looked."""
    response = await Site().do(look)
    assert response.get("vary") == "Cookie"


async def test_a_known_visitor_who_does_not_look_is_only_renewed(site: Site) -> None:
    """express-session: load and touch, no cookie; and no header, since nothing depends on the session."""
    await site.do(put(a=1))
    response = await site.do()
    assert (site.store.calls, response.headers) == (["load", "touch"], [])


# Writing ------------------------------------------------------------------------------------------------------------


async def test_the_first_change_creates_the_record_and_sends_the_cookie(site: Site) -> None:
    """One call, one cookie, and caches are told to keep out."""
    response = await site.do(put(views=1))
    assert site.store.calls == ["create"]
    assert response.cookie.startswith("connect.sid=s%3A")
    assert response.cookie.endswith("; Path=/; HttpOnly; SameSite=Lax")
    assert response.get("cache-control") == "no-store"
    assert response.get("vary") == "Cookie"


async def test_the_payload_is_what_express_session_writes(site: Site) -> None:
    """Node reads it as its own: nothing of ours is in it while there is nothing to say."""
    await site.do(put(views=1))
    assert site.data() == [
        {
            "cookie": {
                "originalMaxAge": None,
                "expires": None,
                "secure": False,
                "httpOnly": True,
                "path": "/",
                "sameSite": "lax",
            },
            "views": 1,
        }
    ]


async def test_what_was_put_in_is_there_at_the_next_request(site: Site) -> None:
    """That is what it is for."""
    await site.do(put(cart={"items": ["rope"]}))
    response = await site.do(lambda session: session["cart"])
    assert response.body == b"{'items': ['rope']}"


async def test_a_nested_change_is_noticed(site: Site) -> None:
    """There is no flag to forget."""
    await site.do(put(cart={"items": ["rope"]}))
    await site.do(lambda session: session["cart"]["items"].append("hook"))
    assert site.store.calls == ["load", "replace"]
    assert site.data()[0]["cart"] == {"items": ["rope", "hook"]}


async def test_a_change_that_is_taken_back_is_none(site: Site) -> None:
    """Bytes are compared, not intentions."""
    await site.do(put(a=1))

    def change_and_revert(session: Session) -> None:
        session["a"] = 2
        session["a"] = 1

    await site.do(change_and_revert)
    assert site.store.calls == ["load", "touch"]


async def test_a_change_of_a_browser_session_sends_no_cookie_again(site: Site) -> None:
    """express-session: a cookie without an end is sent once."""
    await site.do(put(a=1))
    response = await site.do(put(a=2))
    assert response.cookie is None
    assert site.data()[0]["a"] == 2


async def test_a_change_of_a_session_with_an_end_sends_the_cookie_again() -> None:
    """The end moved, so the browser must know; Max-Age stands beside Expires for clocks that are wrong."""
    site = Site(cookie=CookieOptions(max_age=60))
    await site.do(put(a=1))
    site.clock.now += 10
    response = await site.do(put(a=2))
    assert "Max-Age=60; Path=/; Expires=Tue, 14 Nov 2023 22:14:30 GMT" in response.cookie
    assert site.data()[0]["cookie"]["originalMaxAge"] == 60_000
    assert site.data()[0]["cookie"]["expires"] == "2023-11-14T22:14:30.000Z"


async def test_the_record_is_stored_before_the_head_leaves(site: Site) -> None:
    """A browser that follows a redirect at once finds what was saved (express-session #360)."""
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["session"]["a"] = 1
        await send({"type": "http.response.start", "status": 302, "headers": [(b"location", b"/")]})
        await send({"type": "http.response.body"})

    async def spy(scope: Any, receive: Any, send: Any) -> None:
        async def watching(message: Any) -> None:
            if message["type"] == "http.response.start":
                seen.append(site.data())
            await send(message)

        await SessionMiddleware(app, site.sessions)(scope, receive, watching)

    site.browser.app = spy
    await site.browser.get()
    assert seen[0][0]["a"] == 1


async def test_a_handler_that_raises_changes_nothing(site: Site) -> None:
    """What was half done is not kept."""

    def fail(session: Session) -> None:
        session["a"] = 1
        raise LookupError

    with pytest.raises(LookupError):
        await site.do(fail)
    assert site.data() == []


async def test_a_value_that_json_cannot_hold_names_its_place() -> None:
    """And nothing is written, no cookie sent."""
    site = Site()
    with pytest.raises(UnserialisableValue, match=r"session\['cart'\]\['when'\]\[1\] is a set"):
        await site.do(put(cart={"when": [1, {2}]}))
    assert site.data() == []


# Headers of the response ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], ["Cookie"]),
        ([(b"vary", b"Accept")], ["Accept, Cookie"]),
        ([(b"Vary", b"accept-encoding, cookie")], None),
        ([(b"vary", b"*")], ["*"]),
        ([(b"vary", b"")], ["Cookie"]),
    ],
)
async def test_vary_is_merged(given: Any, expected: Any) -> None:
    """What a response depended on before, it depends on still."""
    response = await Site().do(lambda session: session.get("a"), headers=given)
    lines = [value for name, value in response.headers if name.lower() == "vary"]
    assert lines == (expected or ["accept-encoding, cookie"])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], ["no-store"]),
        ([(b"cache-control", b"public, max-age=60")], ["no-store"]),
        ([(b"cache-control", b"private, no-store, max-age=0")], ["private, no-store, max-age=0"]),
    ],
)
async def test_a_response_that_sets_the_cookie_is_stored_by_no_cache(given: Any, expected: Any) -> None:
    """RFC 9111 7.3: Set-Cookie alone does not keep a cache from storing (CVE-2023-30861)."""
    response = await Site().do(put(a=1), headers=given)
    assert response.all("cache-control") == expected


async def test_other_headers_are_left_alone() -> None:
    """The application's own cookies keep their order and their number."""
    given = [(b"set-cookie", b"a=1"), (b"x", b"1"), (b"set-cookie", b"b=2")]
    browser = Browser(None)
    browser.remember = lambda line: None  # type: ignore[method-assign]
    site = Site()
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    await SessionMiddleware(handler(put(a=1), given), site.sessions)(browser.scope(), None, send)  # type: ignore[arg-type]
    assert messages[0]["headers"][:3] == given


# Ids --------------------------------------------------------------------------------------------------------------------


async def test_a_forged_cookie_never_reaches_the_store(site: Site) -> None:
    """The signature is checked first, so guessing costs the guesser and nobody else."""
    response = await site.do(lambda s: s.get("a"), cookie="connect.sid=s%3Aforged.c2lnbmF0dXJl")
    assert (site.store.calls, response.cookie) == ([], None)
    assert site.events == ["bad_signature"]


async def test_an_unknown_id_is_never_adopted(site: Site) -> None:
    """A signed id that the store does not know gives a session with an id of its own (session fixation)."""
    await site.do(put(a=1))
    before = dict(site.browser.jar)
    await site.sessions.aclear()
    response = await site.do(put(a=2))
    assert site.events == ["unknown_id", "created"]
    assert response.cookie is not None
    assert site.browser.jar != before


async def test_an_expired_record_is_no_session(site: Site) -> None:
    """The record's own end decides, at the instant itself."""
    await site.do(put(a=1))
    site.clock.now += 86_400
    response = await site.do(lambda session: dict(session))
    assert response.body == b"{}"


@pytest.mark.parametrize("payload", [b"", b"null", b"[]", b"\xff", b"{", b'{"cookie":7}', b'{"a":1', b"[" * 100_000])
async def test_a_corrupt_record_is_no_session(payload: bytes) -> None:
    """And no error page: the visitor starts again, and an event says so."""
    site = Site()
    await site.do(put(a=1))
    (sid, record), *_ = site.store.all()
    site.store.replace(sid, payload, 60, record.payload)
    response = await site.do(lambda session: dict(session))
    assert (response.status, response.body) == (200, b"{}")
    assert site.events == ["corrupt_record"]


@pytest.mark.parametrize(
    "cookie",
    [
        {"path": "/\r\nSet-Cookie: x=1"},
        {"domain": "a b"},
        {"sameSite": "sometimes"},
        {"priority": ["x"]},
        {"originalMaxAge": "soon", "expires": "never"},
        {"originalMaxAge": 1e300, "expires": 5},
        {"originalMaxAge": True},
        {},
    ],
)
async def test_odd_attributes_in_a_record_cause_no_error(cookie: Any) -> None:
    """A record is data that somebody else may have written."""
    site = Site(rolling=True)
    await site.do(put(a=1))
    (sid, record), *_ = site.store.all()
    site.store.replace(sid, json.dumps({"cookie": cookie, "a": 1}).encode(), 60, record.payload)
    response = await site.do(put(a=2))
    assert response.status == 200
    assert "\r" not in (response.cookie or "")


async def test_of_two_live_cookies_none_is_believed(site: Site) -> None:
    """Which of them came first is the choice of whoever planted the other (cookie tossing)."""
    other = Browser(None)
    await site.do(put(who="me"))
    await site.do(put(who="evil"), other)
    both = f"connect.sid={site.browser.jar['connect.sid']}; connect.sid={other.jar['connect.sid']}"
    response = await site.do(lambda session: dict(session), cookie=both)
    assert response.body == b"{}"
    assert "ambiguous_cookies" in site.events


@pytest.mark.parametrize("order", ["{good}; connect.sid=x", "connect.sid=x; {good}", "{good}; {good}"])
async def test_a_live_cookie_is_found_among_bad_ones(site: Site, order: str) -> None:
    """An invalid neighbour does not log the visitor out (express-session #881)."""
    await site.do(put(a=1))
    good = f"connect.sid={site.browser.jar['connect.sid']}"
    response = await site.do(lambda session: session.get("a"), cookie=order.format(good=good))
    assert response.body == b"1"


async def test_an_old_secret_verifies_and_the_new_one_signs() -> None:
    """Secrets are rotated without logging anybody out."""
    site = Site()
    await site.do(put(a=1))
    old_cookie = site.browser.jar["connect.sid"]
    newer = Sessions(secret=["another secret that is long enough!!", SECRET], store=site.store, clock=site.clock)
    site.sessions = newer
    response = await site.do(lambda session: session["a"])
    assert response.body == b"1"
    response = await site.do(lambda session: session.regenerate(keep=True))
    assert response.cookie.split(";")[0].rpartition(".")[2] != old_cookie.rpartition(".")[2]


# Intents ----------------------------------------------------------------------------------------------------------------


async def test_regenerate_gives_a_new_id_and_kills_the_old(site: Site) -> None:
    """The old id is dead even if the new cookie never arrives."""
    await site.do(put(a=1, b=2))
    old = site.second_browser()
    await site.do(lambda session: session.regenerate())
    assert (await site.do(lambda session: dict(session))).body == b"{}"
    assert site.browser.jar != old.jar
    assert (await site.do(lambda session: dict(session), old)).body == b"{}"
    assert len(site.data()) == 1


@pytest.mark.parametrize(("keep", "kept"), [((), {}), (["a"], {"a": 1}), (True, {"a": 1, "b": 2}), (False, {})])
async def test_regenerate_keeps_what_it_is_told_to(site: Site, keep: Any, kept: Any) -> None:
    """Nothing by default, the named keys, or all (express-session #1036)."""
    await site.do(put(a=1, b=2))
    await site.do(lambda session: session.regenerate(keep=keep))
    response = await site.do(lambda session: dict(session))
    assert response.body == repr(kept).encode()


async def test_login_changes_the_id_and_keeps_the_cart(site: Site) -> None:
    """The user stands in the system fields, outside the handler's data."""
    await site.do(put(cart=["rope"]))
    before = dict(site.browser.jar)
    await site.do(lambda session: session.login("zoe"))
    assert site.browser.jar != before
    response = await site.do(lambda session: (session.user_id, dict(session), session.created_at))
    assert response.body == b"('zoe', {'cart': ['rope']}, 1700000000.0)"


async def test_login_of_another_user_drops_the_data(site: Site) -> None:
    """What belonged to one user is not shown to the next (CVE-2014-0482)."""
    await site.do(lambda session: session.login("zoe"))
    await site.do(put(private=1))
    await site.do(lambda session: session.login("bob"))
    assert (await site.do(lambda session: dict(session))).body == b"{}"


async def test_destroy_removes_the_record_and_expires_the_cookie(site: Site) -> None:
    """With the attributes that the cookie was set with, or browsers would keep it."""
    await site.do(put(a=1))
    response = await site.do(lambda session: session.logout())
    assert site.store.calls == ["load", "replace", "delete"]
    assert response.cookie == (
        "connect.sid=; Max-Age=0; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax"
    )
    assert site.data() == []


async def test_destroy_is_final(site: Site) -> None:
    """A change after it says what to do instead; regenerate() begins a new session."""

    def work(session: Session) -> None:
        session.destroy()
        with pytest.raises(SessionEnded, match="regenerate"):
            session["a"] = 1
        session.regenerate()
        session["b"] = 2

    await site.do(put(old=1))
    await site.do(work)
    assert (await site.do(lambda session: dict(session))).body == b"{'b': 2}"
    assert len(site.data()) == 1


async def test_destroying_nothing_does_nothing(site: Site) -> None:
    """A log-out without a session makes no record and sends no cookie (CVE-2015-5143)."""
    response = await site.do(lambda session: session.destroy())
    assert (site.store.calls, response.cookie) == ([], None)


@pytest.mark.parametrize(("unset", "left"), [("keep", 1), ("destroy", 0)])
async def test_a_slot_set_to_none(unset: Any, left: int) -> None:
    """express's req.session = null: what follows is up to `unset`, and changes are lost either way."""
    site = Site(unset=unset)
    await site.do(put(a=1))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["session"]["a"] = 2
        scope["session"] = None
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body"})

    await site.serve(app)
    assert [data["a"] for data in site.data()] == [1] * left


async def test_something_else_in_the_slot_is_left_alone() -> None:
    """A mounted application brings a session of its own (NiceGUI, SQLAdmin); express-session hangs."""
    site = Site()
    await site.do(put(a=1))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["session"]["b"] = 2
        scope["session"] = {"theirs": True}
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b""})

    await site.serve(app)
    assert (await site.do()).status == 200
    assert (await site.do(lambda session: session["a"])).body == b"1"


async def test_touch_renews_the_record_and_the_cookie() -> None:
    """touch() is the one way to send the cookie of an unchanged session again."""
    site = Site(cookie=CookieOptions(max_age=60))
    await site.do(put(a=1))
    site.clock.now += 30
    response = await site.do(lambda session: session.touch())
    assert "Max-Age=60" in response.cookie
    assert next(iter(site.store.all()))[1].expires_at == site.clock.now + 60


async def test_a_change_of_the_cookie_alone_is_stored_and_sent() -> None:
    """express-session loses it unless rolling (its #275, #564)."""
    site = Site()
    await site.do(put(a=1))

    def remember_me(session: Session) -> None:
        session.cookie.max_age = 30 * 86_400

    response = await site.do(remember_me)
    assert "Max-Age=2592000" in response.cookie
    assert site.data()[0]["cookie"]["originalMaxAge"] == 2_592_000_000
    assert next(iter(site.store.all()))[1].expires_at == site.clock.now + 2_592_000


async def test_stored_attributes_win_over_the_options() -> None:
    """A session keeps the cookie it was made with (express-session 1.3)."""
    site = Site(cookie=CookieOptions(max_age=60, priority="high"))
    await site.do(put(a=1))
    site.sessions = Sessions(secret=SECRET, store=site.store, clock=site.clock, rolling=True)
    response = await site.do()
    assert "Max-Age=60" in response.cookie
    assert "Priority=High" in response.cookie


# Options --------------------------------------------------------------------------------------------------------------


async def test_save_uninitialized_stores_every_visitor() -> None:
    """As express-session does by default; here it must be asked for."""
    site = Site(save_uninitialized=True)
    response = await site.do()
    assert site.store.calls == ["create"]
    assert response.cookie is not None


async def test_resave_writes_what_did_not_change() -> None:
    """It is replaced by itself, and no cookie is sent."""
    site = Site(resave=True)
    await site.do(put(a=1))
    response = await site.do()
    assert (site.store.calls, response.cookie) == (["load", "replace"], None)


async def test_rolling_sends_the_cookie_with_every_response() -> None:
    """And tells caches, though nobody looked (CVE-2026-35192)."""
    site = Site(rolling=True, cookie=CookieOptions(max_age=60))
    await site.do(put(a=1))
    site.clock.now += 30
    response = await site.do()
    assert "Max-Age=60" in response.cookie
    assert (response.get("vary"), response.get("cache-control")) == ("Cookie", "no-store")
    assert site.store.calls == ["load", "touch"]


async def test_rolling_and_a_nested_read_warn_of_no_late_cookie() -> None:
    """The cookie left with the head; what is looked at after that finds nothing to send."""
    site = Site(rolling=True, cookie=CookieOptions(max_age=60))
    await site.do(put(a={"b": [1]}))
    site.events.clear()
    response = await site.do(lambda session: session["a"]["b"][0])
    assert "Max-Age=60" in response.cookie
    assert "cookie_too_late" not in site.events


async def test_outside_the_cookies_path_there_is_no_session() -> None:
    """/app covers /app and /app/x, and not /application, for which no browser would send the cookie."""
    site = Site(cookie=CookieOptions(path="/app"))
    seen = [
        (await site.do(lambda session: session is None, path=path)).body
        for path in ("/app", "/app/x", "/application", "/")
    ]
    assert seen == [b"False", b"False", b"True", b"True"]


async def test_an_outer_session_is_kept() -> None:
    """One middleware inside another leaves the session alone (express-session 1)."""
    site = Site()
    inner = SessionMiddleware(handler(put(a=1)), secret=SECRET, name="inner")
    response = await site.serve(inner)
    assert response.cookie.startswith("connect.sid=")


async def test_two_managers_share_a_store_and_keep_their_own_options() -> None:
    """Names, secrets and lives do not mix (express-session #521)."""
    site = Site()
    admin = Sessions(
        secret=SECRET, store=site.store, name="admin.sid", clock=site.clock, cookie=CookieOptions(max_age=5)
    )
    browser = Browser(SessionMiddleware(handler(put(a=1)), admin))
    response = await browser.get()
    assert response.cookie.startswith("admin.sid=")
    assert "Max-Age=5" in response.cookie
    assert "Max-Age" not in (await site.do(put(a=1))).cookie


@pytest.mark.parametrize("colour", ["sync", "async"])
async def test_genid_makes_the_ids(colour: str) -> None:
    """It gets the facts of the request, and may be async (express-session #107)."""

    def sync(facts: Any) -> str:
        return f"{facts.method}-{facts.client}-1"

    async def later(facts: Any) -> str:
        await asyncio.sleep(0)
        return sync(facts)

    site = Site(genid=sync if colour == "sync" else later)
    await site.do(put(a=1))
    assert [sid for sid, _ in site.store.all()] == ["GET-127.0.0.1-1"]


async def test_a_genid_that_repeats_itself_overwrites_nobody() -> None:
    """express-session overwrites the other visitor's record; this is an error that says so."""
    site = Site(genid=lambda facts: "always the same")
    await site.do(put(a=1))
    with pytest.raises(SessionError, match="genid"):
        await site.do(put(a=2), Browser(None))
    assert site.data()[0]["a"] == 1


async def test_the_cookie_may_depend_on_the_request() -> None:
    """A function of the facts returns its options (express-session #988)."""
    site = Site(cookie=lambda facts: CookieOptions(max_age=5 if facts.path == "/short" else None))
    assert "Max-Age=5" in (await site.do(put(a=1), path="/short")).cookie
    assert "Max-Age" not in (await site.do(put(a=1), Browser(None), path="/long")).cookie


async def test_a_secure_cookie_over_http_stores_nothing() -> None:
    """No browser would send it back, so the record would be nobody's; an event says what is wrong."""
    site = Site(cookie=CookieOptions(secure=True))
    response = await site.do(put(a=1))
    assert (response.cookie, site.store.calls, site.events) == (None, [], ["insecure_transport"])


@pytest.mark.parametrize(("scheme", "secure"), [("http", False), ("https", True)])
async def test_secure_auto_follows_the_scheme(scheme: str, secure: bool) -> None:
    """Works in development, and is safe in production."""
    site = Site(scheme=scheme)
    response = await site.do(put(a=1))
    assert ("; Secure" in response.cookie) is secure
    assert site.data()[0]["cookie"]["secure"] is secure


# Two requests at once ---------------------------------------------------------------------------------------------------


async def meanwhile(site: Site, mine: Any, theirs: Any) -> Any:
    """Let ``theirs`` run, from first to last, while ``mine`` is between its load and its commit."""

    async def work(session: Session) -> None:
        mine(session)
        inner = Site.__new__(Site)
        inner.__dict__.update(site.__dict__)
        inner.browser = site.second_browser()
        browser = inner.browser
        browser.app = SessionMiddleware(handler(theirs), site.sessions)
        await browser.get()

    return await site.do(work)


async def test_two_requests_that_change_different_keys_both_keep_their_change(site: Site) -> None:
    """No lost update."""
    await site.do(put(a=0, b=0))
    await meanwhile(site, put(a=1), put(b=1))
    assert (site.data()[0]["a"], site.data()[0]["b"]) == (1, 1)
    assert "merged" in site.events


async def test_of_two_changes_to_one_key_the_later_commit_wins(site: Site) -> None:
    """And is told as a collision."""
    await site.do(put(a=0))
    await meanwhile(site, put(a="mine"), put(a="theirs"))
    assert site.data()[0]["a"] == "mine"
    assert "collided" in site.events


async def test_overwrite_does_what_express_session_does() -> None:
    """The whole record is mine, and what is gone comes back: only for those who ask for it."""
    site = Site(conflict="overwrite")
    await site.do(put(a=0, b=0))
    await meanwhile(site, put(a=1), put(b=1))
    assert (site.data()[0]["a"], site.data()[0]["b"]) == (1, 0)
    await meanwhile(site, put(a=2), lambda session: session.destroy())
    assert site.data()[0]["a"] == 2


async def test_error_raises_with_all_three_versions() -> None:
    """Nothing is written; the program may decide."""
    site = Site(conflict="error")
    await site.do(put(a=0))
    with pytest.raises(SessionConflict) as caught:
        await meanwhile(site, put(a=1), put(a=2))
    assert (caught.value.base, caught.value.mine, caught.value.theirs) == ({"a": 0}, {"a": 1}, {"a": 2})
    assert site.data()[0]["a"] == 2


@pytest.mark.parametrize(
    "mine",
    [
        lambda session: None,
        lambda session: session.get("a"),
        put(a=1),
        lambda session: session.touch(),
        lambda session: session.regenerate(keep=True),
        lambda session: session.regenerate(keep=["a"]),
        lambda session: session.destroy(),
    ],
    ids=["untouched", "reader", "writer", "toucher", "rotator", "partial rotator", "other logout"],
)
@pytest.mark.parametrize("rolling", [False, True])
async def test_a_logout_is_never_undone_by_a_request_in_flight(mine: Any, rolling: bool) -> None:
    """The record stays gone, and no cookie is sent: the browser may hold a newer one by now."""
    site = Site(rolling=rolling)
    await site.do(put(a=0))
    response = await meanwhile(site, mine, lambda session: session.destroy())
    assert (response.status, response.cookie, site.data()) == (200, None, [])


@pytest.mark.parametrize("conflict", ["merge", "error"])
async def test_a_rotation_is_never_undone_by_a_request_in_flight(conflict: Any) -> None:
    """The old id stays dead, and there is one session, not two."""
    site = Site(conflict=conflict)
    await site.do(put(a=0))
    await meanwhile(site, put(a=1), lambda session: session.regenerate(keep=True))
    assert len(site.data()) == 1
    assert site.data()[0]["a"] == 0


async def test_a_rotation_keeps_what_others_stored_meanwhile(site: Site) -> None:
    """A cart that is filled while its owner logs in is not emptied."""
    await site.do(put(cart=[]))
    await meanwhile(site, lambda session: session.login("zoe"), put(cart=["rope"]))
    response = await site.do(lambda session: (session.user_id, session["cart"]))
    assert response.body == b"('zoe', ['rope'])"
    assert len(site.data()) == 1


async def test_a_partial_rotation_keeps_the_named_keys_only(site: Site) -> None:
    """Keys that others added meanwhile do not slip in."""
    await site.do(put(a=0, b=0))
    await meanwhile(site, lambda session: session.regenerate(keep=["a"]), put(a=1, c=1))
    assert (await site.do(lambda session: dict(session))).body == b"{'a': 1}"


# After the head ---------------------------------------------------------------------------------------------------------


def streaming(before: Any, during: Any) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        before(scope["session"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        during(scope["session"])
        await send({"type": "http.response.body", "body": b"b", "more_body": False})

    return app


async def test_a_change_while_streaming_is_stored_at_the_end(site: Site) -> None:
    """Nearly every peer loses it."""
    await site.do(put(a=0))
    await site.serve(streaming(put(a=1), put(b=2)))
    assert (site.data()[0]["a"], site.data()[0]["b"]) == (1, 2)
    assert site.store.calls == ["load", "replace", "replace"]


async def test_a_value_that_left_before_the_head_may_change_after_it(site: Site) -> None:
    """What was taken out of the session is still the session's."""
    await site.do(put(items=[1]))
    taken: list[Any] = []
    await site.serve(streaming(lambda s: taken.append(s["items"]), lambda s: taken[0].append(2)))
    assert site.data()[0]["items"] == [1, 2]
    assert site.store.calls == ["load", "touch", "replace"]


async def test_reading_while_streaming_costs_the_store_nothing(site: Site) -> None:
    """A request renews its session once."""
    await site.do(put(items=[1]))
    await site.serve(streaming(lambda s: s["items"], lambda s: s["items"]))
    assert site.store.calls == ["load", "touch"]


@pytest.mark.parametrize(
    "reach",
    [
        lambda s: s["items"],
        lambda s: s.get("items"),
        lambda s: s.setdefault("items", []),
        lambda s: next(iter(s.values())),
        lambda s: next(iter(s.items()))[1],
        lambda s: s.copy()["items"],
        lambda s: dict(s)["items"],
        lambda s: {**s}["items"],
        lambda s: (s | {})["items"],
        lambda s: ({} | s)["items"],
    ],
)
async def test_a_change_is_noticed_however_the_value_was_reached(reach: Any) -> None:
    """Nothing that can be changed leaves the session unseen."""
    site = Site()
    await site.do(put(items=[1]))
    await site.do(lambda session: reach(session).append(2))
    assert site.data()[0]["items"] == [1, 2]


async def test_a_late_commit_keeps_what_was_merged_before(site: Site) -> None:
    """The second commit starts from what the first one wrote, not from what was loaded."""
    await site.do(put(a=0, b=0))

    def theirs_then_mine(session: Session) -> None:
        sid, record = next(iter(site.store.all()))
        store = getattr(site.store, "inner", site.store)
        store.replace(sid, record.payload.replace(b'"b":0', b'"b":7'), 60, record.payload)
        session["a"] = 1

    await site.serve(streaming(theirs_then_mine, put(c=1)))
    assert {key: site.data()[0][key] for key in "abc"} == {"a": 1, "b": 7, "c": 1}


async def test_a_session_that_begins_while_streaming_is_not_stored(site: Site) -> None:
    """No browser would ever name it; an event says what to do."""
    await site.serve(streaming(lambda session: None, put(a=1)))
    assert (site.data(), site.events) == ([], ["cookie_too_late"])


async def test_a_late_logout_counts(site: Site) -> None:
    """The record goes, though the cookie cannot be expired any more."""
    await site.do(put(a=0))
    await site.serve(streaming(lambda session: None, lambda session: session.logout()))
    assert site.data() == []


async def test_a_late_rotation_is_dropped(site: Site) -> None:
    """Storing the log-in under the old id would be session fixation; an event says so."""
    await site.do(put(a=0))
    await site.serve(streaming(lambda session: None, lambda session: session.login("zoe")))
    assert site.events == ["loaded", "cookie_too_late"]
    assert (await site.do(lambda session: session.user_id)).body == b"None"


async def test_after_the_response_a_change_is_refused(site: Site) -> None:
    """A background task may read, and is told where a change would have been kept."""
    kept: list[Session] = []
    await site.do(lambda session: kept.append(session) or session.update(a=1))
    assert kept[0]["a"] == 1
    with pytest.raises(SessionEnded, match="before you respond"):
        kept[0]["a"] = 2


# WebSockets -------------------------------------------------------------------------------------------------------------


async def converse(site: Site, app: Any, incoming: list[Any], cookie: str | None = None) -> list[Any]:
    sent: list[Any] = []
    queue = [{"type": "websocket.connect"}, *incoming]

    async def receive() -> Any:
        return queue.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = site.browser.scope(type="websocket", scheme="ws")
    await SessionMiddleware(app, site.sessions)(scope, receive, send)
    for message in sent:
        for name, value in message.get("headers", []):
            if name == b"set-cookie":
                site.browser.remember(value.decode())
    return sent


async def test_a_websocket_has_the_session_and_its_changes_are_kept(site: Site) -> None:
    """Loaded at the handshake, stored when the visitor leaves."""
    await site.do(put(a=1))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        scope["session"]["a"] += 1
        while (await receive())["type"] != "websocket.disconnect":
            pass

    await converse(site, app, [{"type": "websocket.receive", "text": "x"}, {"type": "websocket.disconnect"}])
    assert site.data()[0]["a"] == 2


async def test_a_websocket_handler_that_ends_with_the_connection_loses_nothing(site: Site) -> None:
    """Frameworks raise where a visitor leaves; that is no reason to forget."""
    await site.do(put(a=1))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        scope["session"]["a"] = 5
        await receive()
        raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        await converse(site, app, [{"type": "websocket.disconnect"}])
    assert site.data()[0]["a"] == 5


async def test_a_session_can_begin_in_a_handshake(site: Site) -> None:
    """The cookie goes with websocket.accept."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        scope["session"]["a"] = 1
        await send({"type": "websocket.accept", "subprotocol": "chat"})
        await send({"type": "websocket.close"})

    sent = await converse(site, app, [])
    assert [name for name, _ in sent[0]["headers"]] == [b"set-cookie", b"cache-control", b"vary"]
    assert (await site.do(lambda session: session["a"])).body == b"1"


# The store is down ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rolling", [False, True])
async def test_a_renewal_of_life_that_fails_decides_no_answer(rolling: bool) -> None:
    """The page is served, with an event, and without a cookie that would promise what the store has not confirmed."""
    site = Site(lambda clock: DownStore(clock=clock), rolling=rolling, cookie=CookieOptions(max_age=60))
    await site.do(put(a=1))
    site.store.down = {"touch"}
    response = await site.do(lambda session: session["a"])
    assert (response.status, response.body, response.cookie) == (200, b"1", None)
    assert site.events.count("store_unavailable") == 1
    site.store.down = set()
    assert (await site.do(lambda session: session["a"])).body == b"1"


@pytest.mark.parametrize("down", [{"load"}, {"replace"}, ALL_VERBS])
async def test_a_store_that_is_down_is_a_503_and_the_cookie_stays(down: set[str]) -> None:
    """Never "no session": a replacement would log everybody out."""
    site = Site(lambda clock: DownStore(clock=clock))
    await site.do(put(a=1))
    site.store.down = down
    work = put(a=2) if "replace" in down else (lambda session: None)
    response = await site.do(work)
    assert response.status == 503
    assert response.get("retry-after") == "10"
    assert response.get("cache-control") == "no-store"
    assert response.cookie is None
    assert "store_unavailable" in site.events
    site.store.down = set()
    assert (await site.do(lambda session: session["a"])).body == b"1"


async def test_a_failed_creation_sends_no_cookie() -> None:
    """A cookie leaves only after the store has confirmed what it promises."""
    site = Site(lambda clock: DownStore(clock=clock))
    site.store.down = ALL_VERBS
    response = await site.do(put(a=1))
    assert (response.status, response.cookie) == (503, None)


async def test_without_a_session_an_outage_is_nobodys_business() -> None:
    """Pages that need no session work on."""
    site = Site(lambda clock: DownStore(clock=clock))
    site.store.down = ALL_VERBS
    assert (await site.do()).status == 200


@pytest.mark.parametrize("down", [{"load"}, {"replace"}])
async def test_anonymous_serves_without_a_session(down: set[str]) -> None:
    """Nothing is minted, nothing overwritten, and after the outage the visitor is who they were."""
    site = Site(lambda clock: DownStore(clock=clock), on_store_error="anonymous")
    await site.do(put(a=1))
    jar = dict(site.browser.jar)
    site.store.down = down
    response = await site.do(put(a=2))
    assert (response.status, response.cookie, site.browser.jar) == (200, None, jar)
    site.store.down = set()
    assert (await site.do(lambda session: session["a"])).body == b"1"


async def test_raise_lets_the_exception_through() -> None:
    """With the driver's own error as its cause."""
    site = Site(lambda clock: DownStore(clock=clock), on_store_error="raise")
    await site.do(put(a=1))
    site.store.down = ALL_VERBS
    with pytest.raises(StoreUnavailable) as caught:
        await site.do()
    assert isinstance(caught.value.__cause__, ConnectionError)


async def test_a_failed_read_destroys_nothing() -> None:
    """express-session with unset="destroy" deletes the session because reading it failed."""
    site = Site(lambda clock: DownStore(clock=clock), unset="destroy")
    await site.do(put(a=1))
    site.store.down = {"load"}
    await site.do()
    assert len(site.data()) == 1


async def test_a_websocket_is_closed_while_the_store_is_down() -> None:
    """1013: try again later."""
    site = Site(lambda clock: DownStore(clock=clock))
    await site.do(put(a=1))
    site.store.down = ALL_VERBS
    sent = await converse(site, handler(lambda session: None), [])
    assert sent == [{"type": "websocket.close", "code": 1013}]


# I/O at once ------------------------------------------------------------------------------------------------------------


async def test_save_stores_now_and_the_cookie_follows(site: Site) -> None:
    """One write in all, and the browser still gets its cookie."""

    async def work(session: Session) -> bool:
        session["a"] = 1
        saved = await session.asave()
        assert site.data()[0]["a"] == 1
        return saved

    response = await site.do(work)
    assert response.body == b"True"
    assert response.cookie is not None
    assert site.store.calls == ["create"]
    assert (await site.do(lambda session: session["a"])).body == b"1"


async def test_save_of_a_session_that_is_gone_says_so(site: Site) -> None:
    """False, no record, no cookie; and the handler may go on."""
    await site.do(put(a=1))

    async def work(session: Session) -> bool:
        session["a"] = 2
        await site.sessions.arevoke(session.id)
        saved = await session.asave()
        session["b"] = 1
        return saved

    response = await site.do(work)
    assert (response.body, response.cookie, site.data()) == (b"False", None, [])


async def test_reload_takes_what_is_stored(site: Site) -> None:
    """Changes made here and not saved are lost; a session that is gone raises SessionGone."""
    await site.do(put(a=1))

    async def work(session: Session) -> Any:
        session["a"] = 2
        await session.areload()
        seen = session["a"]
        await site.sessions.arevoke(session.id)
        with pytest.raises(SessionGone):
            await session.areload()
        return seen

    assert (await site.do(work)).body == b"1"


async def test_pop_once_gives_a_value_to_one_request(site: Site) -> None:
    """Two requests that both loaded the token: one gets it, the other the default."""
    await site.do(put(token="t", other=1))
    both_loaded = asyncio.Barrier(2)

    async def work(session: Session) -> Any:
        await both_loaded.wait()
        return await session.apop_once("token", "gone")

    app = SessionMiddleware(handler(work), site.sessions)
    first, second = await asyncio.gather(*(Browser(app, dict(site.browser.jar)).get() for _ in range(2)))
    assert sorted([first.body, second.body]) == [b"'gone'", b"'t'"]
    assert "token" not in site.data()[0]
    assert site.data()[0]["other"] == 1


async def test_a_transaction_sees_what_is_stored_and_keeps_pending_changes(site: Site) -> None:
    """It commits at its end; what the handler changed before is in it."""
    await site.do(put(n=1))

    async def work(session: Session) -> None:
        session["mine"] = 1
        other = await site.sessions.aopen(session.id)
        other["n"] = 10
        await other.asave()
        async with session.transaction() as current:
            current["n"] += 1
        assert {key: site.data()[0][key] for key in ("n", "mine")} == {"n": 11, "mine": 1}

    await site.do(work)


async def test_a_transaction_that_raises_leaves_nothing_behind(site: Site) -> None:
    """Neither in the store nor in the session."""
    await site.do(put(items=[1]))

    async def work(session: Session) -> Any:
        with pytest.raises(LookupError):
            async with session.transaction():
                session["items"].append(2)
                raise LookupError
        return session["items"]

    assert (await site.do(work)).body == b"[1]"
    assert site.data()[0]["items"] == [1]


async def test_a_transaction_never_overwrites_a_key_that_changed_meanwhile(site: Site) -> None:
    """SessionConflict, nothing written; run it again."""
    await site.do(put(n=1))

    async def work(session: Session) -> None:
        other = await site.sessions.aopen(session.id)
        with pytest.raises(SessionConflict):
            async with session.transaction():
                session["n"] += 1
                other["n"] = 10
                await other.asave()
        await session.areload()

    await site.do(work)
    assert site.data()[0]["n"] == 10


# Lazy ---------------------------------------------------------------------------------------------------------------------


async def test_a_lazy_session_that_nobody_loads_asks_nothing() -> None:
    """A route that never looks never asks the store."""
    site = Site(lazy=True)
    await site.do()
    response = await site.do()
    assert (site.store.calls, response.headers) == ([], [])


async def test_an_application_loads_a_lazy_session() -> None:
    """load(scope) asks the store once; session(scope) is the same object, and says what is missing where there is none."""
    found: list[Session] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        found.extend([await asgi.aload(scope), await asgi.aload(scope), asgi.session(scope)])

    await Browser(SessionMiddleware(app, secret=SECRET, lazy=True)).get()
    assert found[0] is found[1] is found[2]
    with pytest.raises(MissingMiddleware, match="SessionMiddleware"):
        asgi.session({})
    with pytest.raises(MissingMiddleware, match="SessionMiddleware"):
        await asgi.aload({})


async def test_a_lazy_session_that_nobody_loaded_may_be_committed(site: Site) -> None:
    """By an integration that does not ask whether it was."""
    session = site.sessions.engine.begin_lazy(b"", RequestFacts)
    assert site.sessions.engine.commit_sync(session) == ()
    assert site.sessions.engine.commit_async(session) == ()
    assert site.store.calls == []


async def test_a_lazy_session_must_be_loaded_before_it_is_looked_at() -> None:
    """Looking says how; once loaded it is like any other."""
    site = Site(lazy=True)

    async def work(session: Session) -> Any:
        with pytest.raises(NotLoaded, match="sessile.starlette.aload"):
            session["a"]
        with pytest.raises(NotLoaded):
            session["a"] = 1
        with pytest.raises(NotLoaded):
            json.dumps(session)
        with pytest.raises(TypeError, match="NotLoaded"):  # It cannot be asked, but it does not say {}.
            msgspec.json.encode(session)
        assert repr(session) == "<Session lazy>"
        await site.sessions.engine.load_async(session)
        session["n"] = session.get("n", 0) + 1
        return session["n"]

    assert (await site.do(work)).body == b"1"
    assert (await site.do(work)).body == b"2"


# Mistakes -----------------------------------------------------------------------------------------------------------------


async def test_a_middleware_without_a_manager_says_what_to_give() -> None:
    """At construction, not at the first request."""
    app = handler(lambda session: None)
    with pytest.raises(InvalidOption, match=r"Give sessions=Sessions"):
        SessionMiddleware(app)
    with pytest.raises(InvalidOption, match="is not a Sessions"):
        SessionMiddleware(app, "memory://")  # type: ignore[arg-type]
    with pytest.raises(InvalidOption, match="beside sessions="):
        SessionMiddleware(app, Sessions(secret=SECRET), name="x")


async def test_a_cookie_that_browsers_would_drop_is_an_error() -> None:
    """Over 4096 bytes of name and value they do so silently; and nothing is stored."""
    site = Site(genid=lambda facts: "x" * 4100)
    with pytest.raises(SessionError, match="4096"):
        await site.do(put(a=1))
    assert site.data() == []


async def test_programs_use_the_manager_too(site: Site) -> None:
    """open, all, count, revoke, clear."""
    await site.do(put(a=1))
    await site.do(put(a=2), Browser(None))
    assert await site.sessions.acount() == 2
    assert sorted([session["a"] async for session in site.sessions.all()]) == [1, 2]
    sid = next(iter(site.store.all()))[0]
    session = await site.sessions.aopen(sid)
    session["b"] = 1
    assert await session.asave() is True
    assert await site.sessions.arevoke(sid) is True
    assert await site.sessions.arevoke(sid) is False
    assert await site.sessions.aopen(sid) is None
    await site.sessions.aclear()
    assert await site.sessions.acount() == 0


def test_programs_without_asyncio_get_plain_results() -> None:
    """The same calls, no await."""
    sessions = Sessions(secret=SECRET)
    sessions.store.create("x" * 32, b'{"cookie":{"originalMaxAge":null},"a":1}', 60)
    with sessions.open("x" * 32).transaction() as session:
        session["a"] += 1
    assert [session["a"] for session in sessions.all()] == [2]
    assert sessions.open("x" * 32).pop_once("a") == 2
    assert sessions.prune() == 0
    assert sessions.count() == 1
    assert sessions.close() is None
    with pytest.raises(SessionError, match="asynchronous"):
        Sessions(secret=SECRET, store=AsyncStore(Clock())).open("x")


# Changes that are stored only when the handler asks -----------------------------------------------------------------


async def test_without_autosave_only_save_stores(clock: Clock) -> None:
    """autosave=False: what a handler does not save is gone with its request, and the record is only touched."""
    site = Site(autosave=False)
    await site.do(lambda session: session.update(n=1))
    assert (site.store.calls, site.browser.jar) == ([], {})

    async def save(session: Session) -> None:
        session["n"] = 1
        assert await session.asave()
        session["n"] = 2

    await site.do(save)
    assert site.store.calls == ["create"]
    assert (await site.do(dict)).body == b"{'n': 1}"
    await site.do(lambda session: session.update(n=3))
    assert site.store.calls == ["load", "touch"]
    assert (await site.do(dict)).body == b"{'n': 1}"


async def test_without_autosave_intents_are_carried_out(site: Site) -> None:
    """A logout is never lost for want of a save()."""
    await site.do(lambda session: session.update(n=1))

    def leave(session: Session) -> None:
        session.autosave = False
        session.destroy()

    await site.do(leave)
    assert site.store.count() == 0
    assert site.browser.jar == {}

    def log_in(session: Session) -> None:
        session.autosave = False
        session.login("ada")

    await site.do(log_in)
    assert (await site.do(lambda session: session.user_id)).body == b"'ada'"


@pytest.mark.parametrize("option", ["resave", "save_uninitialized"])
async def test_without_autosave_no_option_writes(option: str) -> None:
    site = Site(autosave=False, **{option: True})
    await site.do()
    assert site.store.calls == []
    await site.do(lambda session: session.save())
    written = len(site.store.calls)
    await site.do(lambda session: session.update(n=1))
    assert "replace" not in site.store.calls
    assert written <= 1


async def test_one_handler_may_leave_its_changes_unsaved(site: Site) -> None:
    """session.autosave = False, for this request alone; and True where the option says False."""

    def quiet(session: Session) -> None:
        session["n"] = 1
        assert session.autosave is True
        session.autosave = False

    await site.do(quiet)
    assert site.store.calls == []
    loud = Site(autosave=False)

    def save(session: Session) -> None:
        assert session.autosave is False
        session.autosave = True
        session["n"] = 1

    await loud.do(save)
    assert loud.store.calls == ["create"]


async def test_a_change_of_the_cookie_is_not_saved_either(site: Site) -> None:
    await site.do(lambda session: session.update(n=1))

    def lengthen(session: Session) -> None:
        session.autosave = False
        session.cookie.max_age = 1000

    response = await site.do(lengthen)
    assert (response.cookie, site.store.calls) == (None, ["load", "touch"])


# Requests that are no visits ------------------------------------------------------------------------------------------


def polls(facts: RequestFacts) -> bool:
    return facts.path != "/poll"


async def test_a_request_that_is_no_visit_extends_nothing(site: Site) -> None:
    """express-session 210, 287: a page that polls must not keep its session alive."""
    site = Site(type(site.store), keep_alive=polls, ttl=100)
    await site.do(lambda session: session.update(n=1))
    site.clock.advance(60)
    await site.do(path="/poll")
    assert site.store.calls == ["load"]
    site.clock.advance(39)
    await site.do(path="/")
    assert site.store.calls == ["load", "touch"]
    site.clock.advance(60)
    await site.do(path="/poll")
    site.clock.advance(40)
    assert (await site.do(dict, path="/poll")).body == b"{}"


async def test_what_it_changes_is_stored_and_ends_when_it_would_have(site: Site) -> None:
    site = Site(type(site.store), keep_alive=polls, cookie=CookieOptions(max_age=100))
    await site.do(lambda session: session.update(n=1))
    site.clock.advance(60)
    response = await site.do(lambda session: session.update(n=2), path="/poll")
    assert (response.cookie, site.store.calls) == (None, ["load", "replace"])
    (record,) = [record for _, record in site.store.all()]
    assert json.loads(record.payload) == {
        "cookie": {
            "originalMaxAge": 100_000,
            "expires": "2023-11-14T22:15:00.000Z",
            "secure": False,
            "httpOnly": True,
            "path": "/",
            "sameSite": "lax",
        },
        "n": 2,
    }
    assert record.expires_at == site.clock() + 40


async def test_rolling_sends_no_cookie_with_it() -> None:
    site = Site(keep_alive=polls, rolling=True, cookie=CookieOptions(max_age=100))
    await site.do(lambda session: session.update(n=1))
    assert (await site.do(path="/poll")).cookie is None
    assert (await site.do(lambda session: session.update(n=2), path="/poll")).cookie is None
    assert (await site.do(path="/")).cookie is not None


async def test_a_handler_may_say_that_it_is_no_visit(site: Site) -> None:
    await site.do(lambda session: session.update(n=1))

    def peek(session: Session) -> None:
        assert session.keep_alive is True
        session.keep_alive = False
        assert session.keep_alive is False

    await site.do(peek)
    assert site.store.calls == ["load"]

    def extend(session: Session) -> None:
        session.keep_alive = False
        session.touch()

    response = await site.do(extend)
    assert response.cookie is not None
    assert site.store.calls == ["load", "replace"]


async def test_the_option_is_asked_once_and_can_be_overruled() -> None:
    asked: list[str] = []

    def never(facts: RequestFacts) -> bool:
        asked.append(facts.path)
        return False

    site = Site(keep_alive=never)
    await site.do(lambda session: session.update(n=1))
    asked.clear()
    await site.do()
    assert (asked, site.store.calls) == (["/"], ["load"])

    def visit(session: Session) -> None:
        assert session.keep_alive is False
        session.keep_alive = True

    await site.do(visit)
    assert site.store.calls == ["load", "touch"]


async def test_a_change_joined_with_anothers_keeps_the_others_end(site: Site) -> None:
    """A poll that meets a visit takes over what the visit stored, its new end in the cookie's attributes too."""
    site = Site(type(site.store), cookie=CookieOptions(max_age=100))
    await site.do(lambda session: session.update(n=1))
    site.clock.advance(50)
    visitor = Browser(None, dict(site.browser.jar))

    async def poll(session: Session) -> None:
        session.keep_alive = False
        session["polled"] = True
        await site.do(lambda other: other.update(n=2), visitor)

    await site.do(poll)
    (record,) = [record for _, record in site.store.all()]
    stored = json.loads(record.payload)
    assert (stored["n"], stored["polled"]) == (2, True)
    assert stored["cookie"]["expires"] == "2023-11-14T22:15:50.000Z"


async def test_a_value_taken_once_by_a_poll_extends_nothing(site: Site) -> None:
    site = Site(type(site.store), ttl=100)
    await site.do(lambda session: session.update(token="t"))
    site.clock.advance(60)

    async def poll(session: Session) -> Any:
        session.keep_alive = False
        return await session.apop_once("token")

    assert (await site.do(poll)).body == b"'t'"
    (record,) = [record for _, record in site.store.all()]
    assert record.expires_at == site.clock() + 40


# A store that knows whether it is connected --------------------------------------------------------------------------


class LinkedStore(CountingStore):
    """The counting store with a connection that can be cut."""

    ready = True


async def test_a_store_that_is_disconnected_is_not_asked() -> None:
    """What express-session does on the store's event `disconnect`, as an outage instead of a lost session."""
    site = Site(LinkedStore)
    await site.do(lambda session: session.update(n=1))
    site.store.ready = False
    response = await site.do(dict)
    assert (response.status, site.store.calls, response.cookie) == (503, [], None)
    assert site.events[-1] == "store_unavailable"
    site.store.ready = True
    assert (await site.do(dict)).body == b"{'n': 1}"


async def test_visitors_without_a_session_are_served_while_it_is_disconnected() -> None:
    site = Site(LinkedStore)
    site.store.ready = False
    assert (await site.do()).status == 200


async def test_a_session_in_use_is_saved_though_the_store_disconnects() -> None:
    """As in express-session: requests in flight are tried."""
    site = Site(LinkedStore)
    await site.do(lambda session: session.update(n=1))

    def work(session: Session) -> None:
        site.store.ready = False
        session["n"] = 2

    await site.do(work)
    site.store.ready = True
    assert (await site.do(dict)).body == b"{'n': 2}"


async def test_anonymous_service_while_it_is_disconnected() -> None:
    site = Site(LinkedStore, on_store_error="anonymous")
    await site.do(lambda session: session.update(n=1))
    site.store.ready = False
    response = await site.do(dict)
    assert (response.status, response.body, response.cookie) == (200, b"{}", None)


async def test_a_lazy_session_of_a_disconnected_store() -> None:
    site = Site(LinkedStore)
    await site.do(lambda session: session.update(n=1))
    site.store.ready = False
    site.lazy = True

    async def load(session: Session) -> None:
        await site.sessions.engine.load_async(session)

    assert (await site.do(load)).status == 503


async def test_a_lazy_session_without_its_store_is_empty() -> None:
    """Where the site goes on without the store, what cannot be loaded is a session with nothing in it."""
    site = Site(LinkedStore, on_store_error="anonymous")
    await site.do(lambda session: session.update(n=1))
    site.store.ready = False
    site.lazy = True

    async def app(scope: Any, receive: Any, send: Any) -> None:
        loaded = await asgi.aload(scope)
        await handler(lambda session: (dict(loaded), json.dumps(session)))(scope, receive, send)

    response = await site.serve(app)
    assert (response.status, response.body, response.cookie) == (200, b"({}, '{}')", None)


# Found by telling the same stories to express-session ----------------------------------------------------------------


async def test_resave_writes_once_in_a_request(site: Site) -> None:
    """A value that could have been changed in place makes nobody write the same again at the end of the body."""
    site = Site(type(site.store), resave=True)
    await site.do(lambda session: session.update(cart=[1]))
    await site.do(lambda session: session["cart"])
    assert site.store.calls == ["load", "replace"]


@pytest.mark.parametrize(("resave", "written"), [(False, "touch"), (True, "replace")])
async def test_a_save_of_what_did_not_change_is_the_only_one(site: Site, resave: bool, written: str) -> None:
    site = Site(type(site.store), resave=resave)
    await site.do(lambda session: session.update(n=1))

    async def save(session: Session) -> None:
        assert await session.asave()

    await site.do(save)
    assert site.store.calls == ["load", written]


async def test_regenerate_ends_the_old_session_though_the_new_one_cannot_be_sent(site: Site) -> None:
    """A secure cookie over http: nobody gets a new session, and what was left behind is over."""
    site = Site(type(site.store), cookie=CookieOptions(secure=True))
    site.browser.scheme = "https"
    await site.do(lambda session: session.login("ada"))
    site.browser.scheme = "http"

    def leave(session: Session) -> None:
        session.destroy()
        session.regenerate()
        session["new"] = True

    response = await site.do(leave)
    assert (response.cookie, site.store.count()) == (None, 0)
    assert "insecure_transport" in site.events


async def test_a_late_regenerate_ends_the_old_session(site: Site) -> None:
    """After the head no new id can be sent; but who was to be logged out is."""
    await site.do(lambda session: session.login("ada"))
    await site.serve(streaming(lambda session: None, lambda session: session.regenerate()))
    assert "cookie_too_late" in site.events
    assert (await site.do(lambda session: session.user_id)).body == b"None"
    assert site.store.count() == 0


@pytest.mark.parametrize("keep", [True, ["cart"]])
async def test_what_was_to_be_left_behind_decides(site: Site, keep: Any) -> None:
    """A rotation that keeps all and cannot be sent leaves the session as it was; one that does not, ends it."""
    await site.do(lambda session: session.update(cart=[1], plan="x"))
    await site.serve(streaming(lambda session: None, lambda session: session.regenerate(keep=keep)))
    assert site.store.count() == (1 if keep is True else 0)


# Counting, merging, looking -------------------------------------------------------------------------------------------


async def test_incr_counts_every_request(site: Site) -> None:
    """Fifty at once, and none is lost."""
    await site.do(lambda session: session.update(base=1))

    async def count(_: int) -> Any:
        return (await site.do(lambda session: session.aincr("n"), Browser(None, dict(site.browser.jar)))).body

    answers = await asyncio.gather(*map(count, range(50)))
    assert sorted(int(answer) for answer in answers) == list(range(1, 51))
    assert (await site.do(dict)).body == b"{'base': 1, 'n': 50}"


async def test_incr_of_a_new_session_is_stored_with_it(site: Site) -> None:
    assert (await site.do(lambda session: session.incr("n", 2.5))).body == b"2.5"
    assert (await site.do(dict)).body == b"{'n': 2.5}"


async def test_incr_keeps_what_the_handler_changed(site: Site) -> None:
    """Its own changes are stored with the response, as always."""
    await site.do(lambda session: session.update(n=1))

    async def work(session: Session) -> Any:
        session["a"] = 1
        session["n"] = 10
        return await session.aincr("n"), session["n"]

    assert (await site.do(work)).body == b"(2, 11)"
    assert (await site.do(dict)).body == b"{'n': 11, 'a': 1}"


@pytest.mark.parametrize("value", ["1", None, True, [1]])
async def test_incr_of_what_is_no_number_changes_nothing(site: Site, value: Any) -> None:
    await site.do(lambda session: session.update(n=value))
    with pytest.raises(TypeError, match=r"session\['n'\] is a"):
        await site.do(lambda session: session.aincr("n"))
    assert (await site.do(dict)).body == repr({"n": value}).encode()


async def test_incr_adds_a_number(site: Site) -> None:
    with pytest.raises(TypeError, match="adds a number"):
        await site.do(lambda session: session.incr("n", "1"))  # type: ignore[arg-type]


async def test_incr_of_a_session_that_was_ended_says_so(site: Site) -> None:
    await site.do(lambda session: session.update(n=1))

    async def work(session: Session) -> None:
        await site.do(lambda other: other.destroy(), Browser(None, dict(site.browser.jar)))
        await session.aincr("n")

    with pytest.raises(SessionGone):
        await site.do(work)


async def test_functions_decide_what_becomes_of_a_key_that_both_changed(site: Site) -> None:
    site = Site(type(site.store), merge={"seen": union, "n": add})
    await site.do(lambda session: session.update(seen=["a"], n=1, theme="light"))

    async def work(session: Session) -> None:
        session["seen"].append("mine")
        session["n"] += 10
        session["theme"] = "dark"
        await site.do(
            lambda other: other.update(seen=["a", "theirs"], n=2, theme="red"), Browser(None, dict(site.browser.jar))
        )

    await site.do(work)
    assert site.events.count("collided") == 1
    assert (await site.do(dict)).body == b"{'seen': ['a', 'theirs', 'mine'], 'n': 12, 'theme': 'dark'}"


async def test_dicts_within_are_joined_if_asked(site: Site) -> None:
    site = Site(type(site.store), merge_depth=2)
    await site.do(lambda session: session.update(cart={"rope": 1}))

    async def work(session: Session) -> None:
        session["cart"]["hook"] = 1
        await site.do(lambda other: other["cart"].update(map=1), Browser(None, dict(site.browser.jar)))

    await site.do(work)
    assert (await site.do(dict)).body == b"{'cart': {'rope': 1, 'map': 1, 'hook': 1}}"


async def test_a_transaction_joins_with_functions_too(site: Site) -> None:
    """A key with a function is no collision."""
    site = Site(type(site.store), merge={"n": add})
    await site.do(lambda session: session.update(n=1))

    async def work(session: Session) -> None:
        async with session.transaction() as s:
            s["n"] += 1
            await site.do(lambda other: other.update(n=5), Browser(None, dict(site.browser.jar)))

    await site.do(work)
    assert (await site.do(dict)).body == b"{'n': 6}"


@pytest.mark.parametrize(
    "options",
    [
        {"merge": {"n": 5}},
        {"merge": [add]},
        {"merge": {"n": add}, "conflict": "error"},
        {"merge_depth": 0},
        {"merge_depth": True},
        {"merge_depth": "2"},
    ],
)
def test_wrong_ways_to_merge_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidOption) as caught:
        Sessions(secret=SECRET, **options)
    assert caught.value.option in options


async def test_a_request_that_only_looks_disturbs_nothing(site: Site) -> None:
    """Neither touched nor written, and no cookie, whatever the options."""
    site = Site(type(site.store), rolling=True, resave=True, cookie=CookieOptions(max_age=60))
    await site.do(lambda session: session.update(n=1))

    def look(session: Session) -> Any:
        session.read_only = True
        assert session.read_only
        return session["n"]

    response = await site.do(look)
    assert (response.body, response.cookie, site.store.calls) == (b"1", None, ["load"])


@pytest.mark.parametrize(
    "change",
    [
        lambda session: session.update(n=2),
        lambda session: session.destroy(),
        lambda session: session.login("ada"),
        lambda session: session.touch(),
        lambda session: setattr(session.cookie, "max_age", 5),
    ],
)
async def test_a_change_in_a_request_that_only_looks_is_an_error(site: Site, change: Any) -> None:
    await site.do(lambda session: session.update(n=1))

    def look(session: Session) -> None:
        session.read_only = True
        with pytest.raises(SessionEnded, match="only looks"):
            change(session)

    await site.do(look)
    assert (await site.do(dict)).body == b"{'n': 1}"


async def test_a_value_changed_in_place_while_only_looking_is_not_stored(site: Site) -> None:
    await site.do(lambda session: session.update(cart=[1]))

    def look(session: Session) -> None:
        session.read_only = True
        session["cart"].append(2)

    await site.do(look)
    assert site.store.calls == ["load"]


async def test_only_looking_can_be_taken_back_and_not_be_said_too_late(site: Site) -> None:
    def work(session: Session) -> None:
        session.read_only = True
        session.read_only = False
        session["n"] = 1
        with pytest.raises(SessionError, match="before"):
            session.read_only = True

    await site.do(work)
    assert (await site.do(dict)).body == b"{'n': 1}"


class Contended(CountingStore):
    """A store in which somebody else is always faster."""

    others = 10**9

    def replace(self, sid: str, payload: bytes, ttl: float, expected: bytes) -> Any:
        if self.others:
            self.others -= 1
            record = super().load(sid)
            assert record is not None
            theirs = json.loads(record.payload)
            theirs["theirs"] = theirs.get("theirs", 0) + 1
            super().replace(sid, json.dumps(theirs, separators=(",", ":")).encode(), ttl, record.payload)
        return super().replace(sid, payload, ttl, expected)


async def test_a_request_gives_up_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """With an error that says so, and nothing written."""
    monkeypatch.setattr("sessile._engine.patience.LONGEST_PAUSE", 0.001)
    site = Site(Contended)
    await site.do(lambda session: session.update(n=1))
    with pytest.raises(RetriesExhausted):
        await site.do(lambda session: session.update(mine=1))
    with pytest.raises(RetriesExhausted):
        await site.do(lambda session: session.incr("n"))
    site.store.others = 0
    assert b"mine" not in (await site.do(dict)).body


@pytest.mark.parametrize("others", [1, 5, 20])
async def test_a_request_that_meets_many_others_goes_on(others: int) -> None:
    """It waits longer and longer, and everybody's change is kept."""
    site = Site(Contended)
    site.store.others = 0
    await site.do(lambda session: session.update(n=1))
    site.store.others = others
    await site.do(lambda session: session.update(mine=1))
    assert (await site.do(dict)).body == repr({"n": 1, "theirs": others, "mine": 1}).encode()


def test_waiting_in_synchronous_code(clock: Clock) -> None:
    store = Contended(clock)
    store.others = 0
    sessions = Sessions(secret=SECRET, store=store, clock=clock)
    session = sessions.engine.begin_sync(b"", RequestFacts)
    session["n"] = 1
    sessions.engine.commit_sync(session)
    store.others = 8
    session["mine"] = 1
    sessions.engine.commit_sync(session)
    opened = sessions.open(session.id)
    assert opened == {"n": 1, "theirs": 8, "mine": 1}


# Touched only now and then --------------------------------------------------------------------------------------------


async def test_a_session_is_touched_when_it_has_lost_some_of_its_life(site: Site) -> None:
    """connect-mongo's touchAfter, for every store: most requests of a visitor who looks around cost one round trip."""
    site = Site(type(site.store), touch_after=60, ttl=1000)
    await site.do(lambda session: session.update(n=1))
    seen = []
    for _ in range(14):
        site.clock.advance(5)
        await site.do(dict)
        seen.append(list(site.store.calls))
    assert seen[:11] == [["load"]] * 11
    assert seen[11:].count(["load", "touch"]) == 1
    (record,) = [record for _, record in site.store.all()]
    assert record.expires_at - site.clock() > 985


async def test_a_session_is_touched_in_half_of_its_life_at_the_latest() -> None:
    """However long touch_after is, somebody who comes back in time stays logged in."""
    site = Site(touch_after=3600, cookie=CookieOptions(max_age=100))
    await site.do(lambda session: session.update(n=1))
    for _ in range(10):
        site.clock.advance(49)
        assert (await site.do(dict)).body == b"{'n': 1}"


async def test_a_change_is_written_and_extends_whatever_touch_after_says() -> None:
    site = Site(touch_after=60, ttl=1000)
    await site.do(lambda session: session.update(n=1))
    site.clock.advance(1)
    await site.do(lambda session: session.update(n=2))
    assert site.store.calls == ["load", "replace"]
    (record,) = [record for _, record in site.store.all()]
    assert record.expires_at == site.clock() + 1000


async def test_no_cookie_promises_a_life_that_the_record_has_not() -> None:
    site = Site(touch_after=60, rolling=True, cookie=CookieOptions(max_age=1000))
    await site.do(lambda session: session.update(n=1))
    site.clock.advance(1)
    response = await site.do()
    assert (response.cookie, site.store.calls) == (None, ["load"])
    site.clock.advance(66)
    response = await site.do()
    assert response.cookie is not None
    assert site.store.calls == ["load", "touch"]


async def test_sessions_that_began_together_are_touched_one_after_the_other() -> None:
    site = Site(touch_after=100, ttl=1000)
    visitors = [Browser(None) for _ in range(40)]
    for visitor in visitors:
        await site.do(lambda session: session.update(n=1), visitor)
    site.clock.advance(105)
    due = 0
    for visitor in visitors:
        await site.do(dict, visitor)
        due += "touch" in site.store.calls
    assert 0 < due < 40
