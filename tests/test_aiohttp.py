"""aiohttp: responses that are returned, raised, and prepared; sub-applications; WebSockets."""

from __future__ import annotations

from asyncio import Event, sleep
from contextlib import suppress
from typing import Any

import pytest
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestClient, TestServer

import sessile.aiohttp
from sessile import Session, Sessions, StoreUnavailable
from sessile.aiohttp import aload, session
from sessile.errors import MissingMiddleware, SessionGone
from sessile.stores.memory import MemoryStore
from tests.conftest import SECRET


async def count(request: web.Request) -> web.Response:
    session(request)["n"] = int(str(session(request).get("n", 0))) + 1
    return web.Response(text=str(session(request)["n"]))


async def show(request: web.Request) -> web.Response:
    return web.json_response(dict(session(request)))


def client(sessions: Sessions, *routes: Any, below: web.Application | None = None, **settings: Any) -> Any:
    app = web.Application()
    sessile.aiohttp.init_app(app, sessions, **settings)
    app.add_routes([web.get("/", count), web.get("/all", show), *routes])
    if below is not None:
        app.add_subapp("/below", below)
    return TestClient(TestServer(app))


async def test_the_session_is_kept(sessions: Sessions) -> None:
    """By aiohttp's test client too."""
    async with client(sessions) as browser:
        assert [await (await browser.get("/")).text() for _ in range(2)] == ["1", "2"]


async def test_what_is_raised_may_be_a_response(sessions: Sessions) -> None:
    """What a handler wrote before it raised a redirect or an HTTP error is stored; another exception changes nothing."""

    async def raises(request: web.Request) -> web.Response:
        session(request)["from"] = request.match_info["what"]
        raise {"redirect": web.HTTPFound("/all"), "refuse": web.HTTPForbidden(), "fail": LookupError()}[
            request.match_info["what"]
        ]

    async with client(sessions, web.get("/raise/{what}", raises)) as browser:
        assert await (await browser.get("/raise/redirect")).json() == {"from": "redirect"}
        assert (await browser.get("/raise/refuse")).status == 403
        assert (await browser.get("/raise/fail")).status == 500
        assert await (await browser.get("/all")).json() == {"from": "refuse"}


async def test_a_sub_application_has_the_same_session(sessions: Sessions) -> None:
    """Even if it was given sessions of its own."""
    below = web.Application()
    sessile.aiohttp.init_app(below, Sessions(secret=SECRET))
    below.add_routes([web.get("/", count)])
    async with client(sessions, below=below) as browser:
        await browser.get("/")
        assert await (await browser.get("/below/")).text() == "2"


async def test_a_websocket_has_the_session(sessions: Sessions) -> None:
    """The handshake sets the cookie; what changes in the conversation is stored at its end."""

    async def talk(request: web.Request) -> web.WebSocketResponse:
        session(request).login("zoe")
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            session(request)["said"] = message.data
            await socket.send_str(str(session(request).user_id))
        return socket

    async with client(sessions, web.get("/talk", talk)) as browser:
        async with browser.ws_connect("/talk") as socket:
            await socket.send_str("hello")
            assert (await socket.receive()).data == "zoe"
        assert await (await browser.get("/all")).json() == {"said": "hello"}


@pytest.mark.parametrize("by", ["receive", "send_str", "send_bytes", "send_json", "send_frame"])
async def test_a_websocket_of_a_revoked_session_is_closed(sessions: Sessions, by: str) -> None:
    """When a message comes, or when the handler sends one; neither gets through."""
    proceed, heard = Event(), []

    async def talk(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str("ready")
        await proceed.wait()
        if by == "receive":
            heard.append((await socket.receive()).type)
            return socket
        with pytest.raises(ConnectionError):
            await {
                "send_str": lambda: socket.send_str("more"),
                "send_bytes": lambda: socket.send_bytes(b"more"),
                "send_json": lambda: socket.send_json({}),
                "send_frame": lambda: socket.send_frame(b"more", WSMsgType.TEXT),
            }[by]()
        heard.append("raised")
        return socket

    async with client(sessions, web.get("/talk", talk), revocation_check=0) as browser:
        await browser.get("/")
        async with browser.ws_connect("/talk") as socket:
            assert await socket.receive_str() == "ready"
            await sessions.aclear()
            await socket.send_str("more")
            proceed.set()
            message = await socket.receive()
        assert (message.type, message.data, message.extra) == (WSMsgType.CLOSE, 1008, "the session was ended")
    assert heard == [WSMsgType.CLOSED if by == "receive" else "raised"]


async def test_a_stream_may_end_with_its_session(sessions: Sessions) -> None:
    """The handler asks before each chunk: `await session.areload()` raises SessionGone, and the body ends."""

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with suppress(SessionGone):
            while True:
                await session(request).areload()
                await response.write(b"a")
                await sleep(0)
        return response

    async with client(sessions, web.get("/stream", stream)) as browser:
        await browser.get("/")
        async with browser.get("/stream") as response:
            assert await response.content.readexactly(3) == b"aaa"
            await sessions.aclear()
            assert set(await response.read()) <= set(b"a")


async def test_a_lazy_session_is_loaded_on_demand(sessions: Sessions) -> None:
    """With load(request)."""

    async def lazy(request: web.Request) -> web.Response:
        (await aload(request))["n"] = 1
        return web.Response(text="ok")

    async with client(sessions, web.get("/lazy", lazy), lazy=True) as browser:
        response = await browser.get("/lazy")
        assert "connect.sid" in response.headers["Set-Cookie"]


@pytest.mark.parametrize("size", [None, 3])
async def test_a_stream_that_cannot_begin_is_503(size: int | None) -> None:
    """Whole, however the stream that it replaces would have been framed."""

    class Down(MemoryStore):
        def create(self, *_: Any) -> Any:
            raise StoreUnavailable("down")

    async def stream(request: web.Request) -> web.StreamResponse:
        session(request)["n"] = 1
        response = web.StreamResponse()
        response.content_length = size
        await response.prepare(request)
        raise AssertionError("never")

    async with client(Sessions(secret=SECRET, store=Down()), web.get("/stream", stream)) as browser:
        response = await browser.get("/stream")
        assert (response.status, (await response.text())[:17]) == (503, "The session store")


async def test_the_store_is_closed_with_the_application(tmp_path: Any) -> None:
    """When aiohttp cleans up."""
    async with client(Sessions(secret=SECRET, store=f"sqlite:///{tmp_path}/sessions.db")) as browser:
        await browser.get("/")
    assert not (tmp_path / "sessions.db-wal").exists()


async def test_a_missing_middleware_says_what_to_add() -> None:
    """In both verbs."""

    async def handler(request: web.Request) -> web.Response:
        with pytest.raises(MissingMiddleware, match="init_app"):
            session(request)
        with pytest.raises(MissingMiddleware, match="init_app"):
            await aload(request)
        return web.Response(text="told")

    app = web.Application()
    app.add_routes([web.get("/", handler)])
    async with TestClient(TestServer(app)) as browser:
        assert await (await browser.get("/")).text() == "told"


def test_the_key_gives_a_session() -> None:
    """request[KEY] is what session(request) returns."""
    assert "session" in str(sessile.aiohttp.KEY)
    assert Session is sessile.Session
