"""How a token travels: by cookie or header, signed or sealed."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from sessile import CookieOptions, InvalidOption, RequestFacts, SessionError, Sessions
from sessile._engine.transport import CookieTransport
from sessile._engine.transports import make_transport
from sessile._wire.signing import Signer
from sessile.asgi import SessionMiddleware
from sessile.errors import MissingExtra
from sessile.options import Options
from sessile.stores.memory import MemoryStore
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
    monkeypatch.setitem(sys.modules, "sessile._wire.sealing", None)
    with pytest.raises(MissingExtra, match=r"sessile\[encryption\]"):
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
    session = program.sessions.engine.begin_sync(b"", RequestFacts)
    session["n"] = 1
    (token,) = program.sessions.engine.commit_sync(session)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": str(scope["session"].get("n"))})
        await send({"type": "websocket.close"})

    client = TestClient(SessionMiddleware(app, program.sessions))
    with client.websocket_connect("/", headers={HEADER: token}) as socket:
        assert socket.receive_text() == "1"


# The tokens of Node's other packages ----------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["fastify-session", "koa-session"])
@given(raw=st.binary(max_size=300))
def test_nothing_in_a_cookie_of_another_package_raises(token: str, raw: bytes) -> None:
    transport = make_transport(Options(secret=SECRET, token=token))  # type: ignore[arg-type]
    name = b"connect.sid"
    for header in (raw, name + b"=" + raw, name + b"=a; " + name + b".sig=" + raw, name + b"=" + raw + b"." + raw):
        assert transport.read(header).sids == ()
    assert transport.tokens.read_token(raw) is None


def test_two_cookies_of_koa_may_come_in_any_order_and_with_strangers_between() -> None:
    """A hostile neighbour may set more of either; what we signed is found, and nothing else."""
    transport = make_transport(Options(secret=SECRET, token="koa-session"))
    value, signature = (line.partition(";")[0] for line in transport.write("an-id", {"path": "/"}, 0))
    stranger = "connect.sid=forged; connect.sid.sig=AAAA"
    for header in (f"{value}; {signature}", f"{signature}; {value}", f"{stranger}; {signature}; {value}; {stranger}"):
        assert transport.read(header.encode()).sids == ("an-id",)
    assert transport.read(value.encode()) == ((), 1)
    with pytest.raises(SessionError, match="browsers drop"):
        transport.check("x" * 5000)


def test_several_secrets_verify_and_the_first_signs() -> None:
    old = make_transport(Options(secret=SECRET, token="koa-session"))
    new = make_transport(Options(secret=["another secret, long enough for tests!!", SECRET], token="koa-session"))
    header = "; ".join(line.partition(";")[0] for line in old.write("an-id", {"path": "/"}, 0)).encode()
    assert new.read(header).sids == ("an-id",)
    again = "; ".join(line.partition(";")[0] for line in new.write("an-id", {"path": "/"}, 0)).encode()
    assert old.read(again).sids == ()


def test_a_sealed_token_is_good_under_its_name_and_a_signed_one_can_be_refused() -> None:
    """`encrypted_only` ends the time in which signed tokens, good under any name, are taken as well."""
    signed, both, only, other = (
        Sessions(secret=SECRET, token=token, name=name)
        for token, name in (
            ("signed", "sid"),
            ("encrypted", "sid"),
            ("encrypted_only", "sid"),
            ("encrypted_only", "other"),
        )
    )
    token = signed.token_of("an-id")
    assert (both.sid_of(token), only.sid_of(token)) == ("an-id", None)
    sealed = only.token_of("an-id")
    assert (both.sid_of(sealed), only.sid_of(sealed), other.sid_of(sealed)) == ("an-id", "an-id", None)
    assert signed.sid_of(sealed) is None


async def test_our_tokens_are_remembered_and_forged_ones_are_not() -> None:
    """The header of a visitor may change at each request; what strangers make up pushes no token out."""
    read: list[bytes] = []

    class Counted(Signer):
        def read_token(self, raw: bytes) -> str | None:
            read.append(raw)
            return super().read_token(raw)

    transport = CookieTransport("sid", Counted([b"k" * 40]))
    ours, forged = Signer([b"k" * 40]).token("a").encode(), Signer([b"other" * 8]).token("a").encode()
    for number in range(3):
        assert transport.read(b"_ga=%d; sid=" % number + ours) == (("a",), 0)
        assert transport.read(b"_ga=%d; sid=" % number + forged) == ((), 1)
    assert read == [ours, forged, forged, forged]
