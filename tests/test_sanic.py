"""Sanic, under its own server: pages, streams, WebSockets."""

from __future__ import annotations

import socket
from asyncio import CancelledError, Event, create_task, sleep
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count as numbers
from typing import Any

import httpx
import pytest
import sanic
import uvicorn
from sanic import Request, Sanic
from sanic.exceptions import Forbidden, WebsocketClosed
from websockets import Close, ConnectionClosed
from websockets.asyncio.client import connect

import sessile.sanic
from sessile import Sessions
from sessile.errors import MissingMiddleware, SessionGone
from sessile.sanic import aload, session
from tests.conftest import SECRET

_names = (f"site{number}" for number in numbers())


async def count(request: Request) -> Any:
    request.ctx.session["n"] = request.ctx.session.get("n", 0) + 1
    return sanic.text(str(session(request)["n"]))


async def show(request: Request) -> Any:
    return sanic.json(dict(session(request)))


def site(sessions: Sessions | None = None, **settings: Any) -> Sanic[Any, Any]:
    app = Sanic(next(_names), configure_logging=False)
    app.config.update(ACCESS_LOG=False, MOTD=False, TOUCHUP=False)  # One process may have one application touched up.
    if sessions is not None:
        sessile.sanic.init_app(app, sessions, **settings)
    app.add_route(count, "/")
    app.add_route(show, "/all")
    return app


@asynccontextmanager
async def visiting(app: Sanic[Any, Any]) -> AsyncIterator[httpx.AsyncClient]:
    """Serve ``app`` with Sanic's server, and visit it."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = await app.create_server(sock=listening, return_asyncio_server=True)
    assert server is not None
    await server.startup()
    await server.before_start()
    await server.after_start()
    port = listening.getsockname()[1]
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as browser:
            yield browser
    finally:
        await server.before_stop()
        await server.close()
        for connection in server.connections:
            connection.close_if_idle()
        await server.after_stop()


async def test_request_ctx_session_is_the_session(sessions: Sessions) -> None:
    """And it is kept."""
    async with visiting(site(sessions)) as browser:
        assert [(await browser.get("/")).text for _ in range(2)] == ["1", "2"]


async def test_an_exception_of_sanic_is_an_answer(sessions: Sessions) -> None:
    """What a handler wrote before it raised one is stored, and what a handler of the application takes too."""
    app = site(sessions)

    @app.get("/raise/<what:str>")
    async def raises(request: Request, what: str) -> Any:
        session(request)["from"] = what
        raise {"refuse": Forbidden("no"), "expected": LookupError(), "fail": ValueError()}[what]

    @app.exception(LookupError)
    async def sorry(request: Request, error: Exception) -> Any:
        return sanic.text("sorry", 409)

    async with visiting(app) as browser:
        for what, status, stored in (
            ("refuse", 403, "refuse"),
            ("expected", 409, "expected"),
            ("fail", 500, "expected"),
        ):
            assert (await browser.get(f"/raise/{what}")).status_code == status
            assert (await browser.get("/all")).json() == {"from": stored}


async def test_a_websocket_has_the_session(sessions: Sessions) -> None:
    """It knows who talks; what it changes is stored when the visitor leaves, or the handler is done."""
    app = site(sessions)

    @app.get("/login")
    async def login(request: Request) -> Any:
        session(request).login("zoe")
        return sanic.text("ok")

    @app.websocket("/talk")
    async def talk(request: Request, talking: Any) -> None:
        await talking.send(str(session(request).user_id))
        session(request)["said"] = await talking.recv()

    async with visiting(app) as browser:
        await browser.get("/login")
        cookie = "; ".join(f"{each.name}={each.value}" for each in browser.cookies.jar)
        address = str(browser.base_url).replace("http", "ws") + "/talk"
        async with connect(address, additional_headers={"Cookie": cookie}) as talking:
            assert await talking.recv() == "zoe"
            await talking.send("hello")
            await talking.wait_closed()
        assert (await browser.get("/all")).json() == {"said": "hello"}


@pytest.mark.parametrize("by", ["recv", "recv_burst", "recv_streaming", "async for", "send"])
async def test_a_websocket_of_a_revoked_session_is_closed(sessions: Sessions, by: str) -> None:
    """When a message comes, or when the handler sends one; neither gets through."""
    app = site(sessions, revocation_check=0)
    proceed, ended, heard, raised = Event(), Event(), [], []

    @app.websocket("/talk")
    async def talk(request: Request, talking: Any) -> None:
        await talking.send("ready")
        await proceed.wait()
        try:
            if by == "send":
                await talking.send("more")
            elif by.startswith("recv") and by != "recv_streaming":
                heard.append(await getattr(talking, by)())
            else:
                async for message in talking if by == "async for" else talking.recv_streaming():
                    heard.append(message)
        except BaseException as error:
            raised.append(type(error))
            raise
        finally:
            ended.set()

    async with visiting(app) as browser:
        await browser.get("/")
        cookie = "; ".join(f"{each.name}={each.value}" for each in browser.cookies.jar)
        address = str(browser.base_url).replace("http", "ws") + "/talk"
        async with connect(address, additional_headers={"Cookie": cookie}) as talking:
            assert await talking.recv() == "ready"
            await sessions.aclear()
            await talking.send("more")
            proceed.set()
            with pytest.raises(ConnectionClosed) as closed:
                await talking.recv()
            await ended.wait()
    assert closed.value.rcvd == Close(1008, "the session was ended")
    assert (heard, raised) == ([], [WebsocketClosed if by == "send" else CancelledError])


async def test_a_websocket_is_closed_under_asgi_too(sessions: Sessions) -> None:
    """There a handler that receives gets None, as when the visitor has gone."""
    app = site(sessions, revocation_check=0)
    heard: list[Any] = []

    @app.websocket("/talk")
    async def talk(request: Request, talking: Any) -> None:
        await sessions.aclear()
        heard.append(await talking.recv())
        with pytest.raises(WebsocketClosed):
            await talking.send("more")
        heard.append("raised")

    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    serving = create_task(server.serve())
    while not server.started:
        await sleep(0.01)
    address = "{}:{}".format(*server.servers[0].sockets[0].getsockname())
    async with httpx.AsyncClient(base_url=f"http://{address}", trust_env=False) as browser:
        cookie = (await browser.get("/")).headers["set-cookie"].partition(";")[0]
    async with connect(f"ws://{address}/talk", additional_headers={"Cookie": cookie}) as talking:
        await talking.send("hello")
        with pytest.raises(ConnectionClosed) as closed:
            await talking.recv()
    assert closed.value.rcvd == Close(1008, "the session was ended")
    server.should_exit = True
    await serving
    assert heard == [None, "raised"]


async def test_a_stream_may_end_with_its_session(sessions: Sessions) -> None:
    """The handler asks before each chunk: `await session.areload()` raises SessionGone, and the body ends."""
    app = site(sessions)

    @app.get("/stream")
    async def stream(request: Request) -> None:
        response = await request.respond(content_type="text/plain")
        with suppress(SessionGone):
            while True:
                await session(request).areload()
                await response.send("a")
                await sleep(0)

    async with visiting(app) as browser:
        await browser.get("/")
        async with browser.stream("GET", "/stream") as response:
            chunks = response.aiter_bytes()
            assert (await anext(chunks)).startswith(b"a")
            await sessions.aclear()
            assert {byte async for chunk in chunks for byte in chunk} <= set(b"a")


async def test_a_lazy_session_is_loaded_on_demand(sessions: Sessions) -> None:
    """With load(request)."""
    app = site(sessions, lazy=True)

    @app.get("/lazy")
    async def lazy(request: Request) -> Any:
        loaded = await aload(request)
        loaded["n"] = int(str(loaded.get("n", 0))) + 1
        return sanic.json(loaded["n"])

    async with visiting(app) as browser:
        assert [(await browser.get("/lazy")).json() for _ in range(2)] == [1, 2]


async def test_the_store_is_closed_with_the_server(tmp_path: Any) -> None:
    """After it has stopped."""
    async with visiting(site(Sessions(secret=SECRET, store=f"sqlite:///{tmp_path}/sessions.db"))) as browser:
        await browser.get("/")
    assert not (tmp_path / "sessions.db-wal").exists()


async def test_a_missing_middleware_says_what_to_add() -> None:
    """In both verbs."""
    app = site()

    @app.get("/told")
    async def handler(request: Request) -> Any:
        with pytest.raises(MissingMiddleware, match="init_app"):
            session(request)
        with pytest.raises(MissingMiddleware, match="init_app"):
            await aload(request)
        return sanic.text("told")

    async with visiting(app) as browser:
        assert (await browser.get("/told")).text == "told"
