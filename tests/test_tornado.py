"""self.session in Tornado's handlers: its own test case, cookies, XSRF, and WebSockets."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from http.cookies import SimpleCookie
from typing import Any

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse
from tornado.httpserver import HTTPServer
from tornado.testing import AsyncHTTPTestCase, bind_unused_port
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketClosedError, WebSocketHandler, websocket_connect

from sessile import CookieOptions, Sessions
from sessile._wire.signing import Signer
from sessile.errors import MissingMiddleware, SessionEnded, SessionGone
from sessile.stores.memory import MemoryStore
from sessile.tornado import SessionMixin
from tests.conftest import SECRET


class Count(SessionMixin, RequestHandler):
    def get(self) -> None:
        self.session["n"] = int(str(self.session.get("n", 0))) + 1
        self.set_signed_cookie("theme", "dark")
        self.finish({"n": self.session["n"], "theme": (self.get_signed_cookie("theme") or b"").decode()})

    post = get


class Finished(SessionMixin, RequestHandler):
    def get(self) -> None:
        self.session["n"] = 1
        self.redirect("/")
        for late in (lambda: self.write("more"), self.finish):
            with pytest.raises(RuntimeError):
                late()
        raise ValueError("after the response")


class Unwatched(SessionMixin, RequestHandler):
    async def get(self) -> None:
        self.session["n"] = 7
        self.write("a")
        self.flush()
        self.write("b")
        self.finish("c")


class Impatient(SessionMixin, RequestHandler):
    def prepare(self) -> None:  # type: ignore[override]
        """Forget the mixin's."""

    def get(self) -> None:
        with pytest.raises(MissingMiddleware, match=r"super\(\).prepare"):
            self.session.get("n")


class Wrong(SessionMixin, RequestHandler):
    def get(self) -> None:
        self.session["n"] = 1
        self.set_status(204)
        self.write("a body that 204 cannot have")


class WithoutMixin(RequestHandler):
    def get(self) -> None:
        self.write("ok")


class Page(SessionMixin, RequestHandler):
    def get_current_user(self) -> Any:
        return self.session.user_id

    def get(self) -> None:
        self.session.login("zoe")
        self.write(str(self.current_user))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.write(f"sorry, {self.current_user}")


class Fails(Page):
    def get(self) -> None:
        self.session["lost"] = True
        raise ValueError("as asked for")


class Socket(SessionMixin, WebSocketHandler):
    async def on_message(self, message: str | bytes) -> None:
        if message == "write":
            self.session.read_only = False
            self.session["seen"] = True
            await self.session.asave()
        elif message == "careless":
            with pytest.raises(SessionEnded):
                self.session["seen"] = False
        await self.write_message(str(dict(self.session)))


class Pushes(SessionMixin, WebSocketHandler):
    """Sends three messages, and waits for none; at "again" it tries once more."""

    raised: list[type[Exception]]

    def on_message(self, message: str | bytes) -> None:
        for word in ("a", "b", "c"):
            self.write_message(word)

    async def again(self) -> None:
        Pushes.raised = []
        try:
            await self.write_message("d")
        except Exception as error:
            Pushes.raised.append(type(error))

    def open(self, *args: str, **kwargs: str) -> None:
        Pushes.last = self

    last: Pushes


class Streams(SessionMixin, RequestHandler):
    async def get(self) -> None:
        with suppress(SessionGone):
            while True:
                await self.session.areload()
                self.write("a")
                await self.flush()
                await asyncio.sleep(0)


HANDLERS: list[Any] = [
    ("/", Count),
    ("/finished", Finished),
    ("/unwatched", Unwatched),
    ("/impatient", Impatient),
    ("/wrong", Wrong),
    ("/without", WithoutMixin),
    ("/page", Page),
    ("/fails", Fails),
    ("/socket", Socket),
    ("/pushes", Pushes),
    ("/streams", Streams),
]


def application(sessions: Sessions, **settings: Any) -> Application:
    return Application(HANDLERS, sessions=sessions, cookie_secret="tornado's own", **settings)


def cookies_of(response: HTTPResponse) -> str:
    """Return what a browser would send back."""
    jar: SimpleCookie = SimpleCookie()
    for line in response.headers.get_list("Set-Cookie"):
        jar.load(line)
    return "; ".join(f"{name}={morsel.coded_value}" for name, morsel in jar.items())


class TestTheCaseOfTornado(AsyncHTTPTestCase):
    """AsyncHTTPTestCase, with which Tornado's users test."""

    def get_app(self) -> Application:
        return application(Sessions(secret=SECRET))

    def look(self, path: str, cookie: str = "") -> HTTPResponse:
        return self.fetch(path, headers={"Cookie": cookie}, follow_redirects=False)

    def test_a_visitor_is_known_again(self) -> None:
        """And cookies that Tornado signs are sent beside ours."""
        first = self.look("/")
        assert len(first.headers.get_list("Set-Cookie")) == 2
        assert json.loads(self.look("/", cookies_of(first)).body) == {"n": 2, "theme": "dark"}

    def test_a_finished_handler_is_finished(self) -> None:
        """While the commit is under way, write() and finish() are refused, and an exception changes nothing more."""
        response = self.look("/finished")
        assert (response.code, response.headers["Location"]) == (302, "/")
        assert b'"n": 2' in self.look("/", cookies_of(response)).body

    def test_what_cannot_be_sent_is_an_error(self) -> None:
        """A mistake that finish() finds, after the commit, is answered with 500, and nobody waits for ever."""
        assert self.look("/wrong").code == 500

    def test_nobody_has_to_wait_for_a_flush(self) -> None:
        """flush() and finish() without await send all there is, in its order, after the commit."""
        response = self.look("/unwatched")
        assert response.body == b"abc"
        assert b'"n": 8' in self.look("/", cookies_of(response)).body

    def test_a_prepare_that_forgets_the_mixins_is_told(self) -> None:
        """The remedy is in the exception."""
        assert self.look("/impatient").code == 200

    def test_a_handler_without_the_mixin_has_no_session(self) -> None:
        """And its response no header of ours."""
        headers = self.look("/without").headers
        assert not {"Set-Cookie", "Vary"} & set(headers)

    def test_the_current_user_is_that_of_the_session(self) -> None:
        """get_current_user() may look at the session, and an error page may, too; what led to it is dropped."""
        response = self.look("/page")
        assert response.body == b"zoe"
        response = self.look("/fails", cookies_of(response))
        assert (response.code, response.body) == (500, b"sorry, zoe")


async def serve(sessions: Sessions, **settings: Any) -> tuple[HTTPServer, str]:
    """Serve an application, and return its server and address."""
    socket, port = bind_unused_port()
    server = HTTPServer(application(sessions, **settings))
    server.add_socket(socket)
    return server, f"127.0.0.1:{port}"


async def test_a_websocket_reads_the_session(sessions: Sessions) -> None:
    """In a WebSocket the session is read-only; a handler that wants to write says so, and saves."""
    server, address = await serve(sessions)
    browser = AsyncHTTPClient(force_instance=True)
    try:
        cookie = cookies_of(await browser.fetch(f"http://{address}/"))
        said: list[Any] = []
        for word in ("look", "careless", "write", "look"):
            socket = await websocket_connect(HTTPRequest(f"ws://{address}/socket", headers={"Cookie": cookie}))
            await socket.write_message(word)
            said.append(await socket.read_message())
            socket.close()
            assert await socket.read_message() is None
        assert said == ["{'n': 1}", "{'n': 1}", "{'n': 1, 'seen': True}", "{'n': 1, 'seen': True}"]
    finally:
        browser.close()
        server.stop()
        await server.close_all_connections()


@pytest.mark.parametrize("by", ["receive", "send"])
async def test_a_websocket_of_a_revoked_session_is_closed(sessions: Sessions, by: str) -> None:
    """When a message comes, or when the handler sends one; neither gets through. Until then the order is kept."""
    server, address = await serve(sessions, revocation_check=0)
    browser = AsyncHTTPClient(force_instance=True)
    try:
        cookie = cookies_of(await browser.fetch(f"http://{address}/"))
        socket = await websocket_connect(HTTPRequest(f"ws://{address}/pushes", headers={"Cookie": cookie}))
        await socket.write_message("go")
        assert [await socket.read_message() for _ in range(3)] == ["a", "b", "c"]
        await sessions.aclear()
        if by == "receive":
            await socket.write_message("go")
        else:
            await Pushes.last.again()
            assert Pushes.raised == [WebSocketClosedError]
        assert await socket.read_message() is None
        assert (socket.close_code, socket.close_reason) == (1008, "the session was ended")
        socket.close()
    finally:
        browser.close()
        server.stop()
        await server.close_all_connections()


async def test_a_stream_may_end_with_its_session(sessions: Sessions) -> None:
    """The handler asks before each chunk: `await session.areload()` raises SessionGone, and the body ends."""
    server, address = await serve(sessions)
    browser, begun = AsyncHTTPClient(force_instance=True), asyncio.Event()
    try:
        cookie = cookies_of(await browser.fetch(f"http://{address}/"))
        request = HTTPRequest(
            f"http://{address}/streams", headers={"Cookie": cookie}, streaming_callback=lambda chunk: begun.set()
        )
        answer = asyncio.ensure_future(browser.fetch(request))
        await begun.wait()
        await sessions.aclear()
        assert (await answer).code == 200
    finally:
        browser.close()
        server.stop()
        await server.close_all_connections()


async def test_xsrf_cookies_are_tornados(sessions: Sessions) -> None:
    """xsrf_cookies works beside the session: a form without the token is refused."""
    server, address = await serve(sessions, xsrf_cookies=True)
    browser = AsyncHTTPClient(force_instance=True)
    try:
        cookie = cookies_of(await browser.fetch(f"http://{address}/"))
        headers = {"Cookie": cookie + "; _xsrf=abc", "X-Xsrftoken": "abc"}
        accepted = await browser.fetch(f"http://{address}/", method="POST", body="", headers=headers)
        assert accepted.code == 200
        refused = await browser.fetch(
            f"http://{address}/", method="POST", body="", headers={"Cookie": cookie}, raise_error=False
        )
        assert refused.code == 403
    finally:
        browser.close()
        server.stop()
        await server.close_all_connections()


async def test_without_sessions_the_remedy_is_told(sessions: Sessions) -> None:
    """An application without the setting, and a URL outside the cookie's path, have no session."""
    browser = AsyncHTTPClient(force_instance=True)
    for each in (None, Sessions(secret=SECRET, cookie=CookieOptions(path="/app"))):
        server, address = await serve(each)  # type: ignore[arg-type]
        response = await browser.fetch(f"http://{address}/", raise_error=False)
        assert response.code == 500
        server.stop()
        await server.close_all_connections()
    browser.close()


class Down(MemoryStore):
    """A store that cannot be reached."""

    def load(self, sid: str) -> Any:
        raise ConnectionError


async def test_a_websocket_is_refused_while_the_store_is_down() -> None:
    """The handshake is answered with 503."""
    server, address = await serve(Sessions(secret=SECRET, store=Down()))
    token = Signer([SECRET.encode()]).token("A" * 32)
    handshake = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    browser = AsyncHTTPClient(force_instance=True)
    response = await browser.fetch(
        f"http://{address}/socket",
        headers={**handshake, "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Cookie": f"connect.sid={token}"},
        raise_error=False,
    )
    assert (response.code, response.headers["Retry-After"]) == (503, "10")
    browser.close()
    server.stop()
    await server.close_all_connections()
