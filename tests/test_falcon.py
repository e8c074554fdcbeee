"""req.context.session: Falcon's own test client, its media, its WebSockets."""

from __future__ import annotations

from asyncio import Event, wait_for
from contextlib import suppress
from typing import Any

import falcon
import falcon.asgi
import falcon.testing
import pytest
from falcon.asgi import SSEvent, WebSocket

import sessile.falcon
from sessile import CookieOptions, InvalidOption, Sessions
from sessile._wire.signing import Signer
from sessile.errors import MissingMiddleware, NotLoaded, SessionGone
from sessile.falcon import SessionMiddleware
from sessile.stores.memory import MemoryStore
from tests.conftest import SECRET


class Down(MemoryStore):
    """A store that cannot be reached."""

    def load(self, sid: str) -> Any:
        raise ConnectionError


class Count:
    """Counts the visits, under WSGI."""

    def on_get(self, req: Any, resp: Any) -> None:
        session = sessile.falcon.session(req)
        session["n"] = int(str(session.get("n", 0))) + 1
        resp.media = dict(session)


class CountAsync:
    """Counts the visits, under ASGI."""

    async def on_get(self, req: Any, resp: Any) -> None:
        session = await sessile.falcon.aload(req)
        session["n"] = int(str(session.get("n", 0))) + 1
        resp.media = dict(session)

    async def on_websocket(self, req: Any, ws: WebSocket) -> None:
        session = req.context.session
        await ws.accept()
        await ws.send_text(str(session.get("n")))
        session.read_only = await ws.receive_text() == "look"
        session["seen"] = True
        await session.asave()
        await ws.send_text("saved")


def client(app: Any, resource: Any) -> Any:
    """Return Falcon's test client."""
    app.add_route("/", resource)
    return falcon.testing.TestClient(app)


def visit(browser: Any, **settings: Any) -> tuple[Any, dict[str, str]]:
    """Visit a page; return what it says, and the cookies to come back with."""
    result = browser.simulate_get("/", **settings)
    return result.json, {name: cookie.value for name, cookie in result.cookies.items()}


def test_the_test_client_of_falcon(sessions: Sessions) -> None:
    """A visitor is known again, under WSGI."""
    browser = client(falcon.App(middleware=[SessionMiddleware(sessions)]), Count())
    said, cookies = visit(browser)
    assert said == {"n": 1}
    assert visit(browser, cookies=cookies)[0] == {"n": 2}


def test_the_test_client_of_falcon_with_asgi(sessions: Sessions) -> None:
    """A visitor is known again, under ASGI; one middleware serves both."""
    browser = client(falcon.asgi.App(middleware=[SessionMiddleware(sessions)]), CountAsync())
    said, cookies = visit(browser)
    assert said == {"n": 1}
    assert visit(browser, cookies=cookies)[0] == {"n": 2}


@pytest.mark.parametrize(("app", "counting"), [(falcon.App, Count), (falcon.asgi.App, CountAsync)])
def test_a_session_as_media_is_looked_at(app: Any, counting: Any, sessions: Sessions) -> None:
    """It is loaded, and caches are told, though Falcon writes it when all is said."""

    class Media:
        def on_get(self, req: Any, resp: Any) -> None:
            resp.media = req.context.session

        async def on_get_async(self, req: Any, resp: Any) -> None:
            self.on_get(req, resp)

    site = app(middleware=[SessionMiddleware(sessions)])
    browser = client(site, counting())
    site.add_route("/all", Media(), **({"suffix": "async"} if counting is CountAsync else {}))
    _, cookies = visit(browser)
    pages = [browser.simulate_get("/all", cookies=each) for each in (cookies, {})]
    assert [page.json for page in pages] == [{"n": 1}, {}]
    assert [page.headers["Vary"] for page in pages] == ["Cookie"] * 2


def test_the_session_cannot_be_used_before_it_is_loaded(sessions: Sessions) -> None:
    """Where loading is lazy under ASGI, a responder that did not await aload() is told so."""
    told: list[Exception] = []

    class Careless:
        async def on_get(self, req: Any, resp: Any) -> None:
            with pytest.raises(NotLoaded) as caught:
                req.context.session.get("n")
            told.append(caught.value)

    client(falcon.asgi.App(middleware=[SessionMiddleware(sessions, lazy=True)]), Careless()).simulate_get("/")
    assert len(told) == 1


def test_without_the_middleware_the_remedy_is_told() -> None:
    """session() says what is missing, and the middleware what it wants."""
    with pytest.raises(MissingMiddleware, match="SessionMiddleware"):
        sessile.falcon.session(falcon.Request(falcon.testing.create_environ()))
    with pytest.raises(InvalidOption, match="sessions"):
        SessionMiddleware()


def test_outside_the_path_there_is_no_session() -> None:
    """Where the cookie is not sent, Falcon's context has no session, under WSGI and ASGI."""
    options: Any = {"secret": SECRET, "cookie": CookieOptions(path="/app")}

    class Look:
        def on_get(self, req: Any, resp: Any) -> None:
            resp.media = hasattr(req.context, "session")

    class LookAsync:
        async def on_get(self, req: Any, resp: Any) -> None:
            resp.media = hasattr(req.context, "session")

        async def on_websocket(self, req: Any, ws: WebSocket) -> None:
            await ws.accept()
            await ws.send_text(str(hasattr(req.context, "session")))

    assert visit(client(falcon.App(middleware=[SessionMiddleware(**options)]), Look()))[0] is False
    assert visit(client(falcon.asgi.App(middleware=[SessionMiddleware(**options)]), LookAsync()))[0] is False


async def test_a_mounted_application_has_its_session_where_the_browser_sees_it() -> None:
    """The path of the cookie is the browser's: that of the mount is part of it, whether or not the scope says so twice."""
    middleware = SessionMiddleware(secret=SECRET, cookie=CookieOptions(path="/shop"))
    app = falcon.asgi.App(middleware=[middleware])

    class Look:
        async def on_get(self, req: Any, resp: Any) -> None:
            resp.media = hasattr(req.context, "session")

        async def on_websocket(self, req: Any, ws: WebSocket) -> None:
            await ws.accept()
            talked.append(hasattr(req.context, "session"))

    talked: list[bool] = []
    for path in ("/cart", "/shop/cart"):
        app.add_route(path, Look())
    async with falcon.testing.ASGIConductor(app) as browser:
        for root, path, has in (("/shop", "/cart", True), ("/shop", "/shop/cart", True), ("", "/cart", False)):
            assert (await browser.simulate_get(path, root_path=root)).json is has
            async with browser.simulate_ws(path, root_path=root):
                pass
            assert talked.pop() is has


def test_an_exception_that_falcon_answers_with_another_status_is_a_page(sessions: Sessions) -> None:
    """What raises HTTPError is stored, and a handler of errors may make a page of any exception: 500 alone drops."""
    app = falcon.App(middleware=[SessionMiddleware(sessions)])

    class Fails:
        def on_get(self, req: Any, resp: Any) -> None:
            req.context.session["n"] = 1
            raise {"http": falcon.HTTPForbidden, "value": ValueError, "other": LookupError}[req.params["kind"]]

    def handle(req: Any, resp: Any, error: Any, params: Any) -> None:
        resp.status = 422
        resp.media = "no"

    app.add_error_handler(ValueError, handle)
    browser = client(app, Fails())
    kept = {kind: bool(visit(browser, params={"kind": kind})[1]) for kind in ("http", "value", "other")}
    assert kept == {"http": True, "value": True, "other": False}


async def test_a_websocket_reads_the_session(sessions: Sessions) -> None:
    """In a WebSocket the session is read-only; a responder that wants to write says so, and saves."""
    app = falcon.asgi.App(middleware=[SessionMiddleware(sessions)])
    app.add_route("/", CountAsync())
    async with falcon.testing.ASGIConductor(app) as browser:
        cookies = {name: cookie.value for name, cookie in (await browser.simulate_get("/")).cookies.items()}
        header = {"cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
        async with browser.simulate_ws("/", headers=header) as ws:
            assert await ws.receive_text() == "1"
            await ws.send_text("write")
            assert await ws.receive_text() == "saved"
        assert (await browser.simulate_get("/", cookies=cookies)).json == {"n": 2, "seen": True}
        async with browser.simulate_ws("/", headers=header) as ws:
            assert await ws.receive_text() == "2"
            await ws.send_text("look")
            with pytest.raises(falcon.WebSocketDisconnected):
                await ws.receive_text()


@pytest.mark.parametrize("by", ["receive", "send"])
@pytest.mark.parametrize("queue", [0, 4])
async def test_a_websocket_of_a_revoked_session_is_closed(sessions: Sessions, by: str, queue: int) -> None:
    """When a message comes, or when the responder sends one; neither gets through."""
    proceed, ended, heard = Event(), Event(), []

    class Talk:
        async def on_websocket(self, req: Any, ws: WebSocket) -> None:
            await ws.accept()
            await ws.send_text("ready")
            await proceed.wait()
            with pytest.raises(falcon.WebSocketDisconnected) as gone:
                heard.append(await ws.receive_text() if by == "receive" else await ws.send_text("more"))
            assert gone.value.code == (1008 if by == "receive" else 1000)
            assert ws.closed
            ended.set()

    app = falcon.asgi.App(middleware=[SessionMiddleware(sessions, revocation_check=0)])
    app.ws_options.max_receive_queue = queue
    app.add_route("/", CountAsync())
    app.add_route("/talk", Talk())
    async with falcon.testing.ASGIConductor(app) as browser:
        cookies = {name: cookie.value for name, cookie in (await browser.simulate_get("/")).cookies.items()}
        header = {"cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
        async with browser.simulate_ws("/talk", headers=header) as ws:
            assert await ws.receive_text() == "ready"
            await sessions.aclear()
            if by == "receive":
                await ws.send_text("more")
            proceed.set()
            await wait_for(ended.wait(), 20)
            assert ws.close_code == 1008
    assert heard == []


async def test_events_of_the_server_may_change_the_session(sessions: Sessions) -> None:
    """What is written while events are sent is stored at their end."""

    class Events:
        async def on_get(self, req: Any, resp: Any) -> None:
            session = req.context.session
            session["sent"] = 0

            async def events() -> Any:
                for number in (1, 2):
                    session["sent"] = number
                    yield SSEvent(text=str(number))

            resp.sse = events()

    app = falcon.asgi.App(middleware=[SessionMiddleware(sessions)])
    app.add_route("/", CountAsync())
    app.add_route("/events", Events())
    async with falcon.testing.ASGIConductor(app) as browser:
        result = await browser.simulate_get("/events")
        assert "data: 2" in result.text
        cookies = {name: cookie.value for name, cookie in result.cookies.items()}
        assert (await browser.simulate_get("/", cookies=cookies)).json == {"n": 1, "sent": 2}


async def test_a_stream_may_end_with_its_session(sessions: Sessions) -> None:
    """The handler asks before each chunk: `await session.areload()` raises SessionGone, and the body ends."""

    class Stream:
        async def on_get(self, req: Any, resp: Any) -> None:
            async def chunks() -> Any:
                with suppress(SessionGone):
                    for _ in range(3):
                        await req.context.session.areload()
                        yield b"a"
                        await sessions.aclear()

            resp.stream = chunks()

    app = falcon.asgi.App(middleware=[SessionMiddleware(sessions)])
    app.add_route("/", CountAsync())
    app.add_route("/stream", Stream())
    async with falcon.testing.ASGIConductor(app) as browser:
        cookies = {name: cookie.value for name, cookie in (await browser.simulate_get("/")).cookies.items()}
        assert (await browser.simulate_get("/stream", cookies=cookies)).text == "a"


def test_a_store_that_is_down_is_an_error_of_falcon() -> None:
    """What the visitor is told goes through the error serialiser of the application, under WSGI and ASGI."""
    cookie = {"connect.sid": Signer([SECRET.encode()]).token("A" * 32)}
    apps: list[tuple[Any, Any]] = [(falcon.App, Count()), (falcon.asgi.App, CountAsync())]
    for kind, resource in apps:
        app = kind(middleware=[SessionMiddleware(secret=SECRET, store=Down())])
        app.set_error_serializer(lambda req, resp, error: setattr(resp, "text", f"sorry: {error.title}"))
        result = client(app, resource).simulate_get("/", cookies=cookie)
        assert (result.status_code, result.text) == (503, "sorry: 503 Service Unavailable")
        assert (result.headers["retry-after"], result.headers["cache-control"]) == ("10", "no-store")


async def test_a_websocket_is_refused_while_the_store_is_down() -> None:
    """The handshake is refused."""
    app = falcon.asgi.App(middleware=[SessionMiddleware(secret=SECRET, store=Down())])
    app.add_route("/", CountAsync())
    header = {"cookie": f"connect.sid={Signer([SECRET.encode()]).token('A' * 32)}"}
    async with falcon.testing.ASGIConductor(app) as browser:
        with pytest.raises(falcon.WebSocketDisconnected) as caught:
            async with browser.simulate_ws("/", headers=header):
                pass
    assert caught.value.code == 3503
