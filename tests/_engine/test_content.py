"""Sessions that travel whole in the cookie: ``cookie://``, in both forms."""

from __future__ import annotations

import base64
import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessile import CookieOptions, InvalidOption, RequestFacts, SessionError, Sessions
from sessile._engine.content import Pocket, SealedCookie
from sessile._engine.forms.cookie_session import CookieSession
from sessile._wire.signing import keygrip_sign
from sessile.asgi import SessionMiddleware
from sessile.errors import CookieTooLarge, MissingExtra, SessionEnded
from sessile.stores.base import Record, Replaced
from sessile.stores.cookie import CookieStore
from tests.asgi import Browser, Response, handler
from tests.conftest import SECRET, Clock

OTHER_SECRET = "another secret, long enough for tests!!"
FORMS = ["encrypted", "cookie-session", "iron-session", "h3", "koa-session", "client-sessions", "secure-session"]
#: A key has 32 bytes there, and is not text.
SECRETS = {"secure-session": bytes(range(32))}
OTHERS = {"secure-session": bytes(range(1, 33))}


class Site:
    """A site that keeps its sessions in cookies, and one visitor."""

    def __init__(self, form: str = "encrypted", *, clock: Clock | None = None, **options: Any) -> None:
        self.clock = clock or Clock()
        self.events: list[str] = []
        self.sessions = Sessions(
            **{"secret": SECRETS.get(form, SECRET), "name": "session", **options},
            store=f"cookie://?form={form}",
            clock=self.clock,
            on_event=lambda event: self.events.append(event.name),
        )
        self.jar: dict[str, str] = {}

    async def do(self, work: Any = dict, cookie: str | None = None, scheme: str = "http") -> Response:
        app = SessionMiddleware(handler(work), self.sessions)
        return await self.serve(app, cookie, scheme)

    async def serve(self, app: Any, cookie: str | None = None, scheme: str = "http") -> Response:
        return await Browser(app, self.jar, scheme).get(cookie=cookie)


def put(session: Any) -> None:
    session["n"] = session.get("n", 0) + 1


@pytest.fixture(params=FORMS)
def site(request: pytest.FixtureRequest) -> Site:
    """A site of each form."""
    return Site(request.param)


# Both forms -----------------------------------------------------------------------------------------------------------


async def test_a_session_lives_in_the_cookie(site: Site) -> None:
    await site.do(put)
    await site.do(put)
    assert (await site.do()).body == b"{'n': 2}"


async def test_an_untouched_visitor_gets_no_cookie(site: Site) -> None:
    assert (await site.do()).all("set-cookie") == []


async def test_an_unchanged_session_is_not_sent_again(site: Site) -> None:
    await site.do(put)
    assert (await site.do()).all("set-cookie") == []


async def test_a_nested_change_is_noticed(site: Site) -> None:
    await site.do(lambda session: session.update(cart={"items": [1]}))
    await site.do(lambda session: session["cart"]["items"].append(2))
    assert (await site.do()).body == b"{'cart': {'items': [1, 2]}}"


async def test_rolling_sends_it_each_time(site: Site) -> None:
    rolling = Site(site.sessions.store.form, rolling=True, cookie=CookieOptions(max_age=60))
    await rolling.do(put)
    rolling.clock.advance(50)
    assert "Max-Age=60" in (await rolling.do()).all("set-cookie")[0]
    rolling.clock.advance(50)
    # h3 counts a session's life from its beginning, and nothing extends it.
    ended = site.sessions.store.form == "h3"
    assert (await rolling.do()).body == (b"{}" if ended else b"{'n': 1}")


@pytest.mark.parametrize("end", ["destroy", "logout"])
async def test_the_end_takes_the_cookie_away(site: Site, end: str) -> None:
    await site.do(put)
    await site.do(lambda session: getattr(session, end)())
    assert site.jar == {}


async def test_login_and_regenerate_keep_what_they_are_told_to(site: Site) -> None:
    await site.do(lambda session: session.update(cart=[1], theme="dark"))
    await site.do(lambda session: session.login(7, keep=["cart"]))
    assert (await site.do(lambda session: (dict(session), session.user_id))).body == b"({'cart': [1]}, 7)"
    await site.do(lambda session: session.regenerate())
    assert (await site.do(lambda session: (dict(session), session.user_id))).body == b"({}, None)"


async def test_unset_destroy(site: Site) -> None:
    """The slot set to None takes the cookie away, if the options say so."""
    gone = Site(site.sessions.store.form, unset="destroy")
    await gone.do(put)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["session"] = None
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    await gone.serve(SessionMiddleware(app, gone.sessions))
    assert gone.jar == {}


async def test_save_and_reload_within_a_request(site: Site) -> None:
    async def work(session: Any) -> None:
        session["a"] = 1
        assert await session.asave()
        session["a"] = 2
        await session.areload()

    await site.do(work)
    assert (await site.do()).body == b"{'a': 1}"


async def test_a_transaction_and_a_value_taken_once(site: Site) -> None:
    await site.do(lambda session: session.update(token="t", n=1))

    async def work(session: Any) -> Any:
        async with session.transaction() as s:
            s["n"] += 1
        return await session.apop_once("token"), await session.apop_once("token")

    assert (await site.do(work)).body == b"('t', None)"
    assert (await site.do()).body == b"{'n': 2}"


async def test_a_cookie_under_another_secret_is_no_session(site: Site) -> None:
    await site.do(put)
    form = site.sessions.store.form
    other = Site(form, secret=OTHERS.get(form, OTHER_SECRET))
    other.jar = site.jar
    assert (await other.do()).body == b"{}"
    assert other.events == ["bad_signature"]


async def test_a_secret_on_its_way_out_is_replaced_at_the_next_request(site: Site) -> None:
    """What an older secret protects is read, and sent again under the first though nothing changed."""
    await site.do(put)
    form = site.sessions.store.form
    new, old = OTHERS.get(form, OTHER_SECRET), SECRETS.get(form, SECRET)
    both = Site(form, secret=[new, old])
    both.jar = site.jar
    assert (await both.do()).body == b"{'n': 1}"
    only = Site(form, secret=new)
    only.jar = both.jar
    assert (await only.do()).body == b"{'n': 1}"


async def test_a_session_larger_than_a_cookie_is_an_error_that_names_the_fattest_key(site: Site) -> None:
    """Nothing is sent, and the browser keeps the cookie that it had."""
    await site.do(put)
    before = dict(site.jar)
    with pytest.raises(CookieTooLarge, match=r"of the 4096 bytes .* session\['basket'\] alone 50\d\d") as caught:
        await site.do(lambda session: session.update(basket="x" * 5000, a="y" * 100))
    assert caught.value.key == "basket"
    assert caught.value.size > 4096
    assert site.jar == before


async def test_a_session_that_just_fits(site: Site) -> None:
    """What is sent is never over the limit of browsers."""
    for size in range(2700, 3100, 7):
        try:
            response = await site.do(lambda session, size=size: session.update(a="x" * size))
        except CookieTooLarge:
            # Its base64 is encoded once more, so what it takes differs from one seal to the next.
            assert size > (2700 if site.sessions.store.form == "secure-session" else 2800)
            return
        pair = response.all("set-cookie")[0].partition(";")[0]
        assert len(pair) - 1 <= 4096
    raise AssertionError("there was no limit")


async def test_an_error_page_does_not_meet_the_same_error(site: Site) -> None:
    """The program is told once; what it answers then goes out."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["session"]["a"] = "x" * 5000
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        except CookieTooLarge:
            await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    response = await site.serve(SessionMiddleware(app, site.sessions))
    assert (response.status, response.all("set-cookie")) == (500, [])


async def test_a_change_after_the_head_is_lost_and_says_so(site: Site) -> None:
    """Nobody but the browser could keep it."""
    await site.do(put)
    site.events.clear()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["session"].get("n")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        scope["session"]["late"] = 1
        await send({"type": "http.response.body", "body": b""})

    await site.serve(SessionMiddleware(app, site.sessions))
    assert site.events == ["loaded", "cookie_too_late"]
    assert (await site.do()).body == b"{'n': 1}"


@pytest.mark.parametrize("verb", ["open", "revoke"])
def test_outside_a_request_there_is_nothing_to_open_or_end(site: Site, verb: str) -> None:
    """A cookie cannot be revoked, and nothing here pretends that it can."""
    with pytest.raises(SessionError, match="in the visitors' cookies"):
        getattr(site.sessions, verb)("an id")


@pytest.mark.parametrize("verb", ["all", "count", "clear"])
def test_there_is_no_list_of_sessions(site: Site, verb: str) -> None:
    with pytest.raises(SessionError, match="CookieStore has no ability Iterable"):
        getattr(site.sessions, verb)()


async def test_a_lazy_middleware(site: Site) -> None:
    await site.do(put)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        session = scope["session"]
        await site.sessions.engine.load_async(session)
        put(session)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    await site.serve(SessionMiddleware(app, site.sessions, lazy=True))
    assert (await site.do()).body == b"{'n': 2}"


def test_a_synchronous_server(site: Site) -> None:
    session = site.sessions.engine.begin_sync(b"", RequestFacts)
    session["n"] = 1
    lines = site.sessions.engine.commit_sync(session)
    header = "; ".join(line.partition(";")[0] for line in lines).encode()
    again = site.sessions.engine.begin_sync(header, RequestFacts)
    assert dict(again) == {"n": 1}


async def test_secure_over_http_sends_nothing(site: Site) -> None:
    secure = Site(site.sessions.store.form, cookie=CookieOptions(secure=True))
    assert (await secure.do(put)).all("set-cookie") == []
    assert secure.events == ["insecure_transport"]
    assert len((await secure.do(put, scheme="https")).all("set-cookie")) >= 1


async def test_autosave_off(site: Site) -> None:
    quiet = Site(site.sessions.store.form, autosave=False)
    await quiet.do(put)
    assert quiet.jar == {}

    async def save(session: Any) -> None:
        put(session)
        await session.asave()

    await quiet.do(save)
    assert (await quiet.do()).body == b"{'n': 1}"


async def test_two_live_cookies_of_one_name_are_both_refused(site: Site) -> None:
    await site.do(put)
    first = dict(site.jar)
    site.jar.clear()
    await site.do(lambda session: session.update(n=5))
    second = dict(site.jar)
    both = "; ".join(f"{name}={value}" for jar in (first, second) for name, value in jar.items())
    assert (await site.do(cookie=both)).body == b"{}"
    assert "ambiguous_cookies" in site.events


@given(st.binary(max_size=300))
def test_any_cookie_is_served(raw: bytes) -> None:
    """Nothing in a cookie raises."""
    for content in (SealedCookie("session", [b"k" * 32]), CookieSession("session", [b"k" * 32])):
        for header in (raw, b"session=" + raw, b"session=c." + raw, b"session=e30=; session.sig=" + raw):
            held, _ = content.open(header)
            assert held == []


@pytest.mark.parametrize("payload", ["", "null", "[]", "7", '{"a":', '{"cookie":5}', "\udcff"])
async def test_signed_content_that_is_no_session_is_none(payload: str) -> None:
    """What another program signed may be anything."""
    site = Site("cookie-session")
    value = base64.b64encode(payload.encode("utf-8", "surrogateescape")).decode()
    signature = keygrip_sign(f"session={value}", SECRET)
    response = await site.do(cookie=f"session={value}; session.sig={signature}")
    assert response.body == b"{}"
    assert site.events == ["corrupt_record"]


# Encrypted ------------------------------------------------------------------------------------------------------------


async def test_the_browser_cannot_read_it() -> None:
    site = Site()
    await site.do(lambda session: session.update(secret_plan="attack at dawn"))
    raw = site.jar["session"]
    assert raw.startswith("c.")
    padded = raw[2:] + "=" * (-len(raw[2:]) % 4)
    assert b"attack" not in base64.urlsafe_b64decode(padded)


async def test_the_end_is_inside_and_out_of_the_browsers_reach() -> None:
    """A copy of the cookie is good until its own end, whatever the browser does with Expires."""
    site = Site(cookie=CookieOptions(max_age=60))
    await site.do(put)
    site.clock.advance(59.9)
    assert (await site.do()).body == b"{'n': 1}"
    site.jar = dict(site.jar)
    stale = Site(cookie=CookieOptions(max_age=60))
    await stale.do(put)
    stale.clock.advance(60)
    assert (await stale.do()).body == b"{}"
    assert stale.events[-1] == "expired"


async def test_a_visitor_who_only_looks_is_not_logged_out() -> None:
    """In the second half of its life a session is sent again, though nothing changed: visits extend it."""
    site = Site(ttl=100)
    await site.do(put)
    site.clock.advance(49)
    assert (await site.do()).all("set-cookie") == []
    site.clock.advance(2)
    assert len((await site.do()).all("set-cookie")) == 1
    site.clock.advance(99)
    assert (await site.do()).body == b"{'n': 1}"


async def test_a_request_that_does_not_count_extends_nothing() -> None:
    site = Site(ttl=100, keep_alive=lambda facts: False)
    await site.do(put)
    site.clock.advance(60)
    assert (await site.do()).all("set-cookie") == []
    await site.do(put)
    site.clock.advance(40)
    assert (await site.do()).body == b"{}"


async def test_the_id_stays_the_same_until_it_is_changed() -> None:
    site = Site()
    await site.do(put)
    first = (await site.do(lambda session: session.id)).body
    assert (await site.do(lambda session: session.id)).body == first
    await site.do(lambda session: session.regenerate(keep=True))
    assert (await site.do(lambda session: session.id)).body != first


async def test_it_is_bound_to_the_name_of_the_cookie() -> None:
    """The cookie of one application is not good under another's name."""
    site = Site()
    await site.do(put)
    other = Site(name="other")
    assert (await other.do(cookie=f"other={site.jar['session']}")).body == b"{}"


async def test_attributes_of_the_cookie_are_inside() -> None:
    """As in a store: what a handler sets for one session stays with it."""
    site = Site()

    def remember(session: Any) -> None:
        put(session)
        session.cookie.max_age = 1000

    await site.do(remember)
    assert "Max-Age=1000" in (await site.do(put)).all("set-cookie")[0]


def test_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sessile._wire.sealing", None)
    with pytest.raises(MissingExtra, match=r"sessile\[encryption\]"):
        Sessions(secret=SECRET, store="cookie://")
    assert Sessions(secret=SECRET, store="cookie://?form=cookie-session")


# cookie-session -------------------------------------------------------------------------------------------------------

VECTORS = [
    ("session", {"message": "hi"}, ["a", "b"], "eyJtZXNzYWdlIjoiaGkifQ==", "vdp2-kj-91tgzbWcV1QzofT3hu0"),
    ("session", {"message": "hi"}, ["b"], "eyJtZXNzYWdlIjoiaGkifQ==", "SiRRAEncekXEzVdvey_7SkWaMM4"),
    (
        "my.session",
        {"views": 1, "u": {"n": "é"}},
        ["key1"],
        "eyJ2aWV3cyI6MSwidSI6eyJuIjoiw6kifX0=",
        "brxKJ8L6XcQ3H0uYSIq1sJQ09qg",
    ),
]


@pytest.mark.filterwarnings("ignore::sessile.options.WeakSecretWarning")
@pytest.mark.parametrize(("name", "data", "keys", "value", "signature"), VECTORS)
async def test_the_vectors_of_cookie_session(
    name: str, data: dict[str, Any], keys: list[str], value: str, signature: str
) -> None:
    """What cookie-session 2.1 gave for known input, written and read."""
    site = Site("cookie-session", name=name, secret=keys)
    lines = (await site.do(lambda session: session.update(data))).all("set-cookie")
    assert [line.partition(";")[0] for line in lines] == [f"{name}={value}", f"{name}.sig={signature}"]
    assert (await site.do()).body == repr(data).encode()


async def test_the_content_is_bare_json() -> None:
    """No cookie attributes and no id are in it; what login() knows is, under one key."""
    site = Site("cookie-session", cookie=CookieOptions(max_age=60))
    await site.do(put)
    assert base64.b64decode(site.jar["session"]) == b'{"n":1}'
    await site.do(lambda session: session.login("ada"))
    held = json.loads(base64.b64decode(site.jar["session"]))
    assert held["sessile"]["user"] == "ada"


async def test_both_cookies_have_the_same_attributes() -> None:
    site = Site("cookie-session", cookie=CookieOptions(max_age=60, path="/", same_site="strict"))
    lines = (await site.do(put, scheme="https")).all("set-cookie")
    assert len(lines) == 2
    assert {line.partition(";")[2] for line in lines} == {
        " Max-Age=60; Path=/; Expires=Tue, 14 Nov 2023 22:14:20 GMT; HttpOnly; Secure; SameSite=Strict"
    }


async def test_the_attributes_of_later_responses_are_those_of_the_options() -> None:
    """There is no place for them in the content."""
    site = Site("cookie-session", cookie=CookieOptions(max_age=60))
    await site.do(put)
    assert "Max-Age=60" in (await site.do(put)).all("set-cookie")[0]


async def test_a_cookie_without_its_signature_is_no_session() -> None:
    site = Site("cookie-session")
    await site.do(put)
    assert (await site.do(cookie=f"session={site.jar['session']}")).body == b"{}"


# Options --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["cookie://?form=jwt", "cookie://?colour=red"])
def test_a_wrong_url_is_refused(url: str) -> None:
    with pytest.raises(InvalidOption):
        Sessions(secret=SECRET, store=url)


@pytest.mark.parametrize("options", [{"transport": "header"}, {"token": "encrypted"}])
def test_options_that_mean_nothing_here_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidOption, match="with cookie://"):
        Sessions(secret=SECRET, store=CookieStore(), **options)


def test_a_pocket_keeps_the_contract(clock: Clock) -> None:
    """It is a store for one request: nothing is created by replace or touch."""
    pocket = Pocket(clock, [])
    assert not pocket.touch("a", 60)
    assert not pocket.delete("a")
    assert type(pocket.replace("a", b"x", 60, b"")).__name__ == "Missing"
    assert pocket.create("a", b"x", 60)
    assert type(pocket.replace("a", b"y", 60, b"other")).__name__ == "Conflict"
    assert pocket.replace("a", b"y", 60, b"x") == Replaced()
    assert pocket.load("a") == Record(b"y", clock() + 60)
    clock.advance(60)
    assert not pocket.touch("a", 60)


async def test_nothing_can_be_changed_after_the_end(site: Site) -> None:
    def work(session: Any) -> None:
        put(session)
        session.destroy()
        with pytest.raises(SessionEnded):
            session["a"] = 1

    assert (await site.do(work)).status == 200
