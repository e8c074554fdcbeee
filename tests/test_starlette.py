"""In Starlette: ``request.session`` as before, kept on the server."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

import sessile
from sessile import CookieOptions, InvalidOption, Session, SessionConflict, Sessions, UnserialisableValue
from sessile.asgi import SessionMiddleware
from sessile.errors import MissingMiddleware, SessionEnded
from sessile.stores.memory import MemoryStore
from sessile.testing import FaultyStore, FrozenClock, session_of
from tests.conftest import SECRET


def client(*routes: Any, middleware: list[Middleware] | None = None, lazy: bool = False, **options: Any) -> TestClient:
    sessions = Sessions(secret=SECRET, **options)
    stack = [Middleware(SessionMiddleware, sessions=sessions, lazy=lazy), *(middleware or [])]
    test_client = TestClient(Starlette(routes=[*routes], middleware=stack), raise_server_exceptions=False)
    test_client.sessions = sessions  # type: ignore[attr-defined]
    return test_client


async def count(request: Request) -> Response:
    request.session["n"] = request.session.get("n", 0) + 1
    return JSONResponse(request.session)


async def show(request: Request) -> Response:
    return JSONResponse(request.session)


def test_request_session_is_the_session() -> None:
    """And a JSONResponse of it is its data."""
    site = client(Route("/", count))
    assert [site.get("/").json() for _ in range(3)] == [{"n": 1}, {"n": 2}, {"n": 3}]


def test_the_flag_of_starlettes_own_session_is_there() -> None:
    """``request.session.modified``: whoever sets it after a nested change may leave the line in."""

    async def add(request: Request) -> Response:
        was = request.session.modified
        request.session.setdefault("cart", []).append("rope")
        request.session.modified = True
        return JSONResponse([was, request.session.modified])

    browser = client(Route("/add", add), Route("/", count))
    assert [browser.get("/add").json() for _ in range(2)] == [[False, True]] * 2
    assert browser.get("/").json() == {"cart": ["rope", "rope"], "n": 1}


def test_asking_for_request_session_counts_as_looking() -> None:
    """A serialiser written in C reads a dict without asking; Starlette tells us in time."""
    site = client(Route("/", lambda request: PlainTextResponse(json.dumps(request.session))))
    assert site.get("/").headers["vary"] == "Cookie"


def test_a_synchronous_handler_may_save_at_once() -> None:
    """It runs in a worker thread, where nothing is to be awaited."""

    def handler(request: Request) -> Response:
        request.session["a"] = 1
        return PlainTextResponse(str(request.session.save()))

    site = client(Route("/", handler), Route("/show", show))
    assert site.get("/").text == "True"
    assert site.get("/show").json() == {"a": 1}


def test_behind_a_base_http_middleware() -> None:
    """Which runs the application in a task of its own."""

    class Passing(BaseHTTPMiddleware):
        async def dispatch(self, request: Request, call_next: Any) -> Response:
            request.session["outer"] = True
            response: Response = await call_next(request)
            return response

    site = client(Route("/", count), middleware=[Middleware(Passing)])
    assert site.get("/").json() == {"outer": True, "n": 1}
    assert site.get("/").json() == {"outer": True, "n": 2}


def test_in_a_mounted_application() -> None:
    """One session for the site."""
    inner = Starlette(routes=[Route("/", count)])
    site = client(Route("/", count), Mount("/inner", inner))
    site.get("/")
    assert site.get("/inner/").json() == {"n": 2}


def test_a_redirect_finds_what_was_stored_before_it() -> None:
    """Log in, be sent on, be logged in."""

    async def enter(request: Request) -> Response:
        sessile.starlette.session(request).login("zoe")
        return RedirectResponse("/")

    async def who(request: Request) -> Response:
        return PlainTextResponse(str(sessile.starlette.session(request).user_id))

    site = client(Route("/", who), Route("/enter", enter))
    assert site.get("/enter").text == "zoe"


def test_an_http_error_is_a_response_like_any_other() -> None:
    """What the handler changed before it is kept; an unexpected exception changes nothing."""

    async def refuse(request: Request) -> Response:
        request.session["tries"] = request.session.get("tries", 0) + 1
        raise HTTPException(401)

    async def fail(request: Request) -> Response:
        request.session["tries"] = 99
        raise LookupError

    site = client(Route("/refuse", refuse), Route("/fail", fail), Route("/", show))
    assert site.get("/refuse").status_code == 401
    assert site.get("/fail").status_code == 500
    assert site.get("/").json() == {"tries": 1}


def test_an_application_may_answer_a_conflict() -> None:
    """With conflict="error": what the error page of the application says is what the visitor gets."""

    async def handler(request: Request) -> Response:
        session = sessile.starlette.session(request)
        other = await sessions.aopen(session.id)
        other["n"], session["n"] = 10, 20
        await other.asave()
        await session.asave()
        return PlainTextResponse("never")

    async def sorry(request: Request, error: Exception) -> Response:
        return PlainTextResponse(type(error).__name__, status_code=409)

    sessions = Sessions(secret=SECRET, conflict="error")
    app = Starlette(
        routes=[Route("/", handler), Route("/count", count), Route("/show", show)],
        middleware=[Middleware(SessionMiddleware, sessions=sessions)],
        exception_handlers={SessionConflict: sorry},
    )
    site = TestClient(app)
    site.get("/count")
    assert site.get("/").text == "SessionConflict"
    assert site.get("/show").json() == {"n": 10}


@pytest.mark.parametrize("mends", [False, True])
def test_an_application_may_answer_a_save_that_failed(mends: bool) -> None:
    """Its error page does not meet the same error again; a handler that mends the session is served."""

    async def handler(request: Request) -> Response:
        request.session["a"] = {1, 2}
        try:
            await sessile.starlette.session(request).save()
        except UnserialisableValue:
            if not mends:
                raise
            request.session["a"] = [1, 2]
        return JSONResponse(request.session)

    async def sorry(request: Request, error: Exception) -> Response:
        return PlainTextResponse(type(error).__name__, status_code=409)

    sessions = Sessions(secret=SECRET)
    app = Starlette(
        routes=[Route("/", handler)],
        middleware=[Middleware(SessionMiddleware, sessions=sessions)],
        exception_handlers={UnserialisableValue: sorry},
    )
    response = TestClient(app).get("/")
    assert response.text == ('{"a":[1,2]}' if mends else "UnserialisableValue")
    assert ("set-cookie" in response.headers) is mends
    assert sessions.count() == mends


def test_a_stream_may_change_the_session() -> None:
    """It is stored when the stream ends."""

    async def stream(request: Request) -> Response:
        async def lines() -> Any:
            for number in range(3):
                request.session["n"] = number
                yield str(number)

        return StreamingResponse(lines())

    site = client(Route("/", count), Route("/stream", stream), Route("/show", show))
    site.get("/")
    assert site.get("/stream").text == "012"
    assert site.get("/show").json() == {"n": 2}


def test_a_background_task_may_change_the_session() -> None:
    """It runs within the request: what it changed is stored when it is done."""

    def work(request: Request) -> None:
        request.session["n"] += 1

    async def handler(request: Request) -> Response:
        request.session["n"] = 1
        return PlainTextResponse("ok", background=BackgroundTask(work, request))

    site = client(Route("/", handler), Route("/show", show))
    assert site.get("/").text == "ok"
    assert site.get("/show").json() == {"n": 2}


def test_after_the_request_a_change_is_refused() -> None:
    """A task that outlives its request is told so, instead of losing what it wrote."""
    kept: list[Session] = []

    async def handler(request: Request) -> Response:
        kept.append(request.session)
        request.session["n"] = 1
        return PlainTextResponse("ok")

    client(Route("/", handler)).get("/")
    assert kept[0]["n"] == 1
    with pytest.raises(SessionEnded, match="before you respond"):
        kept[0]["n"] = 2


def test_websockets_have_sessions() -> None:
    """Read at the handshake, stored at the end."""

    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_json(socket.session["n"])
        socket.session["n"] += 10
        await socket.close()

    site = client(Route("/", count), WebSocketRoute("/ws", talk))
    site.get("/")
    with site.websocket_connect("/ws") as socket:
        assert socket.receive_json() == 1
    assert site.get("/").json() == {"n": 12}


def test_head_and_options_requests() -> None:
    """They carry the cookie like any other."""
    site = client(Route("/", count))
    assert "set-cookie" in site.head("/").headers
    assert site.get("/").json() == {"n": 2}


def test_a_lazy_session_is_loaded_on_demand() -> None:
    """A route that never asks costs the store nothing."""

    async def plain(request: Request) -> Response:
        return PlainTextResponse("static")

    async def lazy(request: Request) -> Response:
        session = await sessile.starlette.aload(request)
        session["n"] = session.get("n", 0) + 1
        return JSONResponse(session)

    site = client(Route("/plain", plain), Route("/", lazy), lazy=True)
    assert [site.get("/").json() for _ in range(2)] == [{"n": 1}, {"n": 2}]
    assert "vary" not in site.get("/plain").headers


def test_a_missing_middleware_says_what_to_add() -> None:
    """In our functions; Starlette's own property has its own message."""

    async def handler(request: Request) -> Response:
        with pytest.raises(MissingMiddleware, match="app.add_middleware"):
            sessile.starlette.session(request)
        with pytest.raises(MissingMiddleware, match="app.add_middleware"):
            await sessile.starlette.aload(request)
        return PlainTextResponse("told")

    assert TestClient(Starlette(routes=[Route("/", handler)])).get("/").text == "told"


def test_the_store_is_closed_with_the_application(tmp_path: Any) -> None:
    """At the end of the lifespan; it is opened again if it is needed."""
    site = client(Route("/", count), store=f"sqlite:///{tmp_path}/sessions.db")
    with site:
        site.get("/")
    assert not (tmp_path / "sessions.db-wal").exists()
    assert site.get("/").json() == {"n": 2}
    site.sessions.close()  # type: ignore[attr-defined]


# WebSockets that outlive their session --------------------------------------------------------------------------------


async def echo(socket: WebSocket) -> None:
    """Answers each message with who is logged in; stores how the conversation ended."""
    await socket.accept()
    session = sessile.starlette.session(socket)
    try:
        async for _ in socket.iter_text():
            await socket.send_text(str(session.user_id))
    finally:
        session["heard"] = True


async def tick(socket: WebSocket) -> None:
    """Sends without being asked, and never listens."""
    await socket.accept()
    for number in range(1000):
        await socket.send_text(str(number))
        ticking.append(number)
        await asyncio.to_thread(proceed.acquire)


ticking: list[int] = []
proceed = threading.Semaphore(0)


async def enter(request: Request) -> Response:
    (await sessile.starlette.aload(request)).login("zoe")
    return PlainTextResponse("ok")


async def leave(request: Request) -> Response:
    (await sessile.starlette.aload(request)).logout()
    return PlainTextResponse("ok")


async def renew(request: Request) -> Response:
    (await sessile.starlette.aload(request)).regenerate(keep=True, grace=10)
    return PlainTextResponse("ok")


def talking(clock: FrozenClock, **options: Any) -> TestClient:
    """A site with WebSockets, and somebody who is logged in."""
    settings = {name: options.pop(name) for name in ("revocation_check", "lazy") if name in options}
    sessions = Sessions(secret=SECRET, clock=clock, **options)
    routes = [
        Route("/enter", enter),
        Route("/leave", leave),
        Route("/renew", renew),
        Route("/show", show),
        WebSocketRoute("/echo", echo),
        WebSocketRoute("/tick", tick),
    ]
    site = TestClient(Starlette(routes=routes, middleware=[Middleware(SessionMiddleware, sessions, **settings)]))
    site.sessions = sessions  # type: ignore[attr-defined]
    site.get("/enter")
    return site


def asked(socket: Any) -> str:
    socket.send_text("who?")
    answer: str = socket.receive_text()
    return answer


def revoke(site: TestClient) -> None:
    with session_of(site, site.sessions) as session:  # type: ignore[attr-defined]
        assert site.sessions.revoke(session.id)  # type: ignore[attr-defined]


@pytest.mark.parametrize("end", ["logout", "login", "revoke", "age"])
def test_a_websocket_is_closed_when_its_session_was_ended(clock: FrozenClock, end: str) -> None:
    """At the first message after the time of the check, with code 1008; the application does not get the message."""
    site = talking(clock, cookie=CookieOptions(max_age=3600))
    with site.websocket_connect("/echo") as socket:
        assert asked(socket) == "zoe"
        if end == "logout":
            site.get("/leave")
        elif end == "login":
            site.get("/enter")
        elif end == "revoke":
            revoke(site)
        else:
            clock.advance(3600)
        clock.advance(59 if end != "age" else 0)
        if end != "age":
            assert asked(socket) == "zoe"
            clock.advance(1)
        with pytest.raises(WebSocketDisconnect) as closed:
            asked(socket)
    assert (closed.value.code, closed.value.reason) == (1008, "the session was ended")
    assert site.sessions.count() == (end == "login")  # type: ignore[attr-defined]


def test_an_application_that_only_sends_is_stopped(clock: FrozenClock) -> None:
    """It hears what it hears when the visitor has gone: WebSocketDisconnect, in Starlette."""
    site = talking(clock, revocation_check=0)
    ticking.clear()
    with pytest.raises(WebSocketDisconnect), site.websocket_connect("/tick") as socket:
        assert socket.receive_text() == "0"
        revoke(site)
        proceed.release()
        socket.receive_text()
    assert ticking == [0]


@pytest.mark.parametrize("patience", [None, 0, 5])
def test_how_often_a_websocket_asks(clock: FrozenClock, patience: float | None) -> None:
    """Once in so many seconds at most; with None never, and with 0 at each message, coming or going."""
    store = FaultyStore(MemoryStore(clock=clock))
    site = talking(clock, store=store, revocation_check=patience)
    with site.websocket_connect("/echo") as socket:
        store.calls.clear()
        for _ in range(10):
            clock.advance(1)
            asked(socket)
        assert store.calls == ["load"] * {None: 0, 0: 20, 5: 2}[patience]  # type: ignore[index]


def test_an_outage_closes_no_websocket(clock: FrozenClock) -> None:
    """It ends no session, so it is asked again."""
    store = FaultyStore(MemoryStore(clock=clock))
    site = talking(clock, store=store, revocation_check=5)
    with site.websocket_connect("/echo") as socket:
        store.fail("load")
        clock.advance(5)
        assert asked(socket) == "zoe"
        store.mend()
        revoke(site)
        clock.advance(5)
        with pytest.raises(WebSocketDisconnect):
            asked(socket)


def test_a_session_that_was_given_a_new_id_goes_on(clock: FrozenClock) -> None:
    """However long ago: the socket was opened by the old id when that was good, and nobody is suspected of anything."""
    told: list[str] = []
    site = talking(clock, revocation_check=1, on_event=lambda event: told.append(event.name))
    with site.websocket_connect("/echo") as socket:
        site.get("/renew")
        clock.advance(600)
        assert asked(socket) == "zoe"
        assert "replayed" not in told
        revoke(site)
        clock.advance(1)
        with pytest.raises(WebSocketDisconnect):
            asked(socket)


@pytest.mark.parametrize("options", [{"store": "cookie://"}, {"lazy": True}])
def test_a_websocket_that_has_no_record_is_not_asked_for(clock: FrozenClock, options: Any) -> None:
    """A session in the cookie, or one that was never loaded, cannot be ended by anybody else."""

    async def silent(socket: WebSocket) -> None:
        await socket.accept()
        async for text in socket.iter_text():
            await socket.send_text(text)

    site = talking(clock, revocation_check=0, **options)
    site.app.routes.append(WebSocketRoute("/silent", silent))  # type: ignore[attr-defined]
    with site.websocket_connect("/silent") as socket:
        assert asked(socket) == "who?"


def test_a_check_at_no_time_is_refused() -> None:
    with pytest.raises(InvalidOption, match="revocation_check: -1 is no time"):
        SessionMiddleware(show, secret=SECRET, revocation_check=-1)  # type: ignore[arg-type]


def test_what_a_websocket_changed_is_stored_when_the_visitor_leaves(clock: FrozenClock) -> None:
    """And not before: one write for a conversation."""
    site = talking(clock)
    with site.websocket_connect("/echo") as socket:
        asked(socket)
        assert site.get("/show").json() == {}
    assert site.get("/show").json() == {"heard": True}


# The life of an application, and several of them ----------------------------------------------------------------------


def test_several_middlewares_side_by_side() -> None:
    """Each part of a site has sessions of its own, in cookies of their own."""
    parts = [
        Mount(
            f"/{name}", app=SessionMiddleware(Starlette(routes=[Route("/", count)]), secret=SECRET, name=f"{name}.id")
        )
        for name in ("shop", "forum")
    ]
    site = TestClient(Starlette(routes=[*parts, Route("/", lambda request: PlainTextResponse("none"))]))
    assert [site.get("/shop/").json(), site.get("/shop/").json(), site.get("/forum/").json()] == [
        {"n": 1},
        {"n": 2},
        {"n": 1},
    ]
    assert {cookie.name for cookie in site.cookies.jar} == {"shop.id", "forum.id"}
    assert "vary" not in site.get("/").headers


def test_a_middleware_inside_another_uses_its_session() -> None:
    """A mounted application that brings its own finds the session of the site."""
    inner = SessionMiddleware(Starlette(routes=[Route("/", count)]), secret=SECRET, name="inner.id")
    site = client(Route("/", count), Mount("/inner", app=inner))
    site.get("/")
    assert site.get("/inner/").json() == {"n": 2}
    assert {cookie.name for cookie in site.cookies.jar} == {"connect.sid"}


def test_an_error_page_of_the_application_may_use_the_session() -> None:
    """An exception handler is a handler."""

    async def fail(request: Request) -> Response:
        raise LookupError

    async def sorry(request: Request, error: Exception) -> Response:
        request.session["errors"] = request.session.get("errors", 0) + 1
        return JSONResponse(request.session, status_code=404)

    app = Starlette(
        routes=[Route("/", fail)],
        middleware=[Middleware(SessionMiddleware, secret=SECRET)],
        exception_handlers={LookupError: sorry},
    )
    site = TestClient(app)
    assert [site.get("/").json() for _ in range(2)] == [{"errors": 1}, {"errors": 2}]


def test_a_file_and_what_was_changed_before_it(tmp_path: Any) -> None:
    """With its cookie; a part of it, and a request for its head, as well."""
    (tmp_path / "page.txt").write_text("abcdef")

    async def handler(request: Request) -> Response:
        request.session["n"] = request.session.get("n", 0) + 1
        return FileResponse(tmp_path / "page.txt")

    site = client(Route("/", handler), Route("/show", show))
    assert site.get("/").text == "abcdef"
    assert site.get("/", headers={"Range": "bytes=1-2"}).text == "bc"
    assert site.head("/").headers["content-length"] == "6"
    assert site.get("/show").json() == {"n": 3}


def test_requests_in_threads_do_not_get_in_each_others_way() -> None:
    """Ten synchronous handlers at once, on one session, each with a key of its own."""
    everybody_here = threading.Barrier(10, timeout=30)

    def handler(request: Request) -> Response:
        everybody_here.wait()
        request.session[request.query_params["key"]] = True
        return PlainTextResponse("ok")

    site = client(Route("/start", count), Route("/", handler), Route("/show", show))
    with site:
        site.get("/start")
        with ThreadPoolExecutor(10) as pool:
            assert {r.status_code for r in pool.map(lambda key: site.get("/", params={"key": key}), "abcdefghij")} == {
                200
            }
        assert set(site.get("/show").json()) == {"n", *"abcdefghij"}
