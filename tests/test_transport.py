"""How a token travels: by cookie or header, signed or sealed."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from starlette.testclient import TestClient

from holdfast import CookieOptions, InvalidOption, Sessions
from holdfast.asgi import SessionMiddleware
from holdfast.errors import MissingExtra
from holdfast.stores.memory import MemoryStore
from tests.asgi import Browser, Response, handler
from tests.conftest import SECRET, Clock

HEADER = "x-session-token"


class Program:
    """A client without a cookie jar: it sends the token that it was given last, in a header."""

    def __init__(self, clock: Clock, transport: str = "header", **options: Any) -> None:
        self.events: list[str] = []
        self.store = options.pop("store", MemoryStore(clock=clock))
        self.sessions = Sessions(
            secret=SECRET,
            store=self.store,
            transport=transport,  # type: ignore[arg-type]
            clock=clock,
            on_event=lambda event: self.events.append(event.name),
            **options,
        )
        self.token: str | None = None
        self.sends = (b"authorization", b"Bearer ") if transport == "bearer" else (HEADER.encode(), b"")

    async def do(self, work: Any = lambda session: dict(session), raw: bytes | None = None, **more: Any) -> Response:
        name, prefix = self.sends
        value = raw if raw is not None else None if self.token is None else prefix + self.token.encode()
        app = SessionMiddleware(handler(work), self.sessions)
        response = await Browser(app, **more).get(headers=[] if value is None else [(name, value)])
        given = response.get(HEADER)
        if given is not None:
            self.token = given or None
        return response


@pytest.mark.parametrize("token", ["signed", "encrypted"])
@pytest.mark.parametrize("transport", ["header", "bearer"])
async def test_a_session_lives_without_cookies(clock: Clock, transport: str, token: Any) -> None:
    """The token comes in a header of the response, and goes back in one of the request."""
    program = Program(clock, transport, token=token)
    await program.do(lambda session: session.update(n=1))
    assert program.token is not None
    assert program.token.startswith("e." if token == "encrypted" else "s%3A")
    assert (await program.do()).body == b"{'n': 1}"


@pytest.mark.parametrize("transport", ["header", "bearer"])
async def test_no_cookie_is_read_or_set(clock: Clock, transport: str) -> None:
    program = Program(clock, transport)
    first = await program.do(lambda session: session.update(n=1))
    assert first.get("set-cookie") is None
    app = SessionMiddleware(handler(dict), program.sessions)
    assert (await Browser(app).get(cookie=f"connect.sid={program.token}")).body == b"{}"


@pytest.mark.parametrize(("transport", "varies"), [("header", "X-Session-Token"), ("bearer", "Authorization")])
async def test_caches_are_told_which_header_counts(clock: Clock, transport: str, varies: str) -> None:
    program = Program(clock, transport)
    response = await program.do(lambda session: session.update(n=1))
    assert response.get("vary") == varies
    assert response.get("cache-control") == "no-store"


async def test_destroy_empties_the_header(clock: Clock) -> None:
    program = Program(clock)
    await program.do(lambda session: session.update(n=1))
    response = await program.do(lambda session: session.destroy())
    assert response.get(HEADER) == ""
    assert program.store.count() == 0


async def test_regenerate_sends_the_new_token(clock: Clock) -> None:
    program = Program(clock)
    await program.do(lambda session: session.update(n=1))
    old = program.token
    await program.do(lambda session: session.regenerate(keep=True))
    assert program.token not in (None, old)
    assert (await program.do()).body == b"{'n': 1}"
    assert (await program.do(raw=(old or "").encode())).body == b"{}"


async def test_an_unchanged_session_is_touched_and_nothing_sent(clock: Clock) -> None:
    program = Program(clock)
    await program.do(lambda session: session.update(n=1))
    assert (await program.do()).get(HEADER) is None


@pytest.mark.parametrize(
    "raw", [b"", b" ", b"Bearer", b"Bearer ", b"Basic dXNlcjpwYXNz", b"bearer\xff", b"Digest a=b, c=d"]
)
async def test_other_authorizations_are_none_of_ours(clock: Clock, raw: bytes) -> None:
    program = Program(clock, "bearer")
    assert (await program.do(raw=raw)).body == b"{}"
    assert program.events == []


@pytest.mark.parametrize("raw", [b"Bearer s%3Aid.forged", b"bearer e.AAAA", b"Bearer a b c"])
async def test_a_forged_bearer_token_is_an_event_and_no_session(clock: Clock, raw: bytes) -> None:
    program = Program(clock, "bearer")
    assert (await program.do(raw=raw)).body == b"{}"
    assert program.events == ["bad_signature"]


async def test_the_scheme_of_a_bearer_token_is_read_in_any_case(clock: Clock) -> None:
    """RFC 9110 11.1: the name of an authentication scheme is case-insensitive."""
    program = Program(clock, "bearer")
    await program.do(lambda session: session.update(n=1))
    assert (await program.do(raw=b"bEARER  " + (program.token or "").encode())).body == b"{'n': 1}"


async def test_the_header_has_the_name_that_was_asked_for(clock: Clock) -> None:
    sessions = Sessions(secret=SECRET, transport="header", header="X-My-Token", clock=clock)
    app = SessionMiddleware(handler(lambda session: session.update(n=1)), sessions)
    assert (await Browser(app).get(cookie="")).get("x-my-token") is not None


async def test_a_token_of_a_cookie_is_good_in_a_header(clock: Clock) -> None:
    """One signed token, however it travels: a page may hand its session to a program."""
    store = MemoryStore(clock=clock)
    site = Sessions(secret=SECRET, store=store, clock=clock)
    browser = Browser(SessionMiddleware(handler(lambda session: session.update(n=1)), site))
    await browser.get()
    program = Program(clock, store=store)
    program.token = browser.jar["connect.sid"]
    assert (await program.do()).body == b"{'n': 1}"


async def test_secure_tokens_do_not_travel_in_clear(clock: Clock) -> None:
    """secure=True over http: nothing is stored, whatever the transport."""
    program = Program(clock, cookie=CookieOptions(secure=True))
    response = await program.do(lambda session: session.update(n=1))
    assert (response.get(HEADER), program.store.count(), program.events) == (None, 0, ["insecure_transport"])


async def test_pages_by_cookie_and_an_api_by_header_share_sessions(clock: Clock) -> None:
    """Two managers on one store; the one outside keeps to its path."""
    store = MemoryStore(clock=clock)
    pages = Sessions(secret=SECRET, store=store, clock=clock)
    api = Sessions(secret=SECRET, store=store, clock=clock, transport="bearer", cookie=CookieOptions(path="/api"))
    app = SessionMiddleware(SessionMiddleware(handler(lambda session: session.update(n=1)), pages), api)
    assert (await Browser(app).get("/")).get("set-cookie") is not None
    answer = await Browser(app).get("/api/things")
    assert answer.get("set-cookie") is None
    assert answer.get(HEADER) is not None


async def test_encrypted_tokens_in_a_cookie(clock: Clock) -> None:
    """The browser cannot read the id, and what was signed before is still good."""
    store = MemoryStore(clock=clock)
    browser = Browser(None)
    signed = Sessions(secret=SECRET, store=store, clock=clock)
    sealed = Sessions(secret=SECRET, store=store, clock=clock, token="encrypted")
    seen: list[str] = []

    def count(session: Any) -> int:
        session["n"] = session.get("n", 0) + 1
        seen.append(session.id)
        return int(session["n"])

    browser.app = SessionMiddleware(handler(count), signed)
    await browser.get()
    browser.app = SessionMiddleware(handler(count), sealed)
    assert (await browser.get()).body == b"2"
    await Browser(SessionMiddleware(handler(lambda session: session.regenerate(keep=True)), sealed), browser.jar).get()
    token = browser.jar["connect.sid"]
    assert token.startswith("e.")
    assert (await browser.get()).body == b"3"
    assert seen[-1] not in token
    browser.jar["connect.sid"] = token[:-1] + ("A" if token[-1] != "A" else "B")
    assert (await browser.get()).body == b"1"


def test_encrypted_tokens_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "holdfast.sealing", None)
    with pytest.raises(MissingExtra, match=r"holdfast\[encryption\]"):
        Sessions(secret=SECRET, token="encrypted")


@pytest.mark.parametrize(
    "options", [{"transport": "query"}, {"token": "jwt"}, {"header": "a b"}, {"header": ""}, {"header": None}]
)
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidOption) as caught:
        Sessions(secret=SECRET, **options)
    assert caught.value.option in options


def test_a_websocket_may_bring_its_token(clock: Clock) -> None:
    """Programs send headers with the handshake; browsers cannot, and use the cookie."""
    program = Program(clock)
    session = program.sessions.begin_sync(b"", lambda: None)  # type: ignore[arg-type, return-value]
    session._facts = None
    session["n"] = 1
    (token,) = program.sessions.commit_sync(session)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": str(scope["session"].get("n"))})
        await send({"type": "websocket.close"})

    client = TestClient(SessionMiddleware(app, program.sessions))
    with client.websocket_connect("/", headers={HEADER: token}) as socket:
        assert socket.receive_text() == "1"
