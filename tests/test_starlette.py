"""In Starlette: ``request.session`` as before, kept on the server."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket

import holdfast
from holdfast import Session, SessionConflict, Sessions, UnserialisableValue
from holdfast.asgi import SessionMiddleware
from holdfast.errors import MissingMiddleware, SessionEnded
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
        holdfast.starlette.session(request).login("zoe")
        return RedirectResponse("/")

    async def who(request: Request) -> Response:
        return PlainTextResponse(str(holdfast.starlette.session(request).user_id))

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
        session = holdfast.starlette.session(request)
        other = await sessions.open(session.id)
        other["n"], session["n"] = 10, 20
        await other.save()
        await session.save()
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
            await holdfast.starlette.session(request).save()
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
        session = await holdfast.starlette.load(request)
        session["n"] = session.get("n", 0) + 1
        return JSONResponse(session)

    site = client(Route("/plain", plain), Route("/", lazy), lazy=True)
    assert [site.get("/").json() for _ in range(2)] == [{"n": 1}, {"n": 2}]
    assert "vary" not in site.get("/plain").headers


def test_a_missing_middleware_says_what_to_add() -> None:
    """In our functions; Starlette's own property has its own message."""

    async def handler(request: Request) -> Response:
        with pytest.raises(MissingMiddleware, match="app.add_middleware"):
            holdfast.starlette.session(request)
        with pytest.raises(MissingMiddleware, match="app.add_middleware"):
            await holdfast.starlette.load(request)
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
