"""Litestar."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from litestar import Litestar, Request, Response, WebSocket, get, route, websocket
from litestar.response import File, Redirect, Stream

from sessile import Sessions
from sessile.litestar import CurrentSession, SessionPlugin, aload
from tests.integrations.common import CHUNK, FILE, VERBS, Gate, asgi_app, converse, folder


def verb(name: str) -> Any:
    @route(f"/{name}", http_method=["GET", "HEAD"])
    async def handle(session: CurrentSession, request: Request[Any, Any, Any]) -> Response[bytes]:
        answer = VERBS[name](session, dict(request.query_params))
        return Response(json.dumps(answer).encode(), media_type="application/json")

    return handle


@get("/untouched", media_type="text/plain")
async def untouched() -> str:
    return "ok"


@get("/redirect")
async def redirect(session: CurrentSession) -> Redirect:
    session["from"] = "redirect"
    return Redirect("all", status_code=302)


@get("/status")
async def status(session: CurrentSession, code: str) -> Response[str]:
    session["code"] = code
    return Response("page", status_code=int(code), media_type="text/plain")


@get("/raise")
async def fail(session: CurrentSession) -> None:
    session["lost"] = True
    raise RuntimeError("as asked for")


@get("/save-and-raise")
async def save_and_fail(session: CurrentSession) -> None:
    session["saved"] = True
    await session.asave()
    raise RuntimeError("as asked for")


@get(["/stream", "/break"])
async def stream(session: CurrentSession, request: Request[Any, Any, Any]) -> Stream:
    session["stream"] = "begun"

    async def chunks() -> Any:
        yield b"a"
        if request.url.path.endswith("break"):
            session["stream"] = "broken"
            raise RuntimeError("as asked for")
        yield b"b"
        session["stream"] = "over"
        yield b"c"

    return Stream(chunks())


@get("/endless")
async def endless(session: CurrentSession) -> Stream:
    async def chunks() -> Any:
        yield CHUNK
        session["endless"] = "going"
        while True:
            await asyncio.sleep(0)  # A server may swallow what is sent when the client has gone.
            yield CHUNK

    return Stream(chunks())


@get("/file")
async def file(session: CurrentSession) -> File:
    session["file"] = True
    return File(FILE)


@get(["/headers", "/headers-set"])
async def headers(session: CurrentSession, key: str, value: str | None = None) -> Response[str]:
    session.get(key)
    if value is not None:
        session[key] = value
    return Response("ok", headers={"Vary": "Accept, Accept-Language", "Cache-Control": "public, max-age=60"})


@get("/gate")
async def gate(session: CurrentSession, name: str, key: str | None = None, value: str | None = None) -> str:
    session.get("key")
    await Gate(name, folder()).wait_async()
    if key is not None:
        session[key] = value
    else:
        session.destroy()
    return "ok"


@get("/thread", sync_to_thread=True)
def thread(request: Request[Any, Any, Any]) -> str:
    request.session[request.query_params["key"]] = request.query_params["value"]
    return "ok"


@get("/clear-slot")
async def clear_slot(request: Request[Any, Any, Any]) -> str:
    await aload(request)
    request.set_session(None)  # type: ignore[arg-type]
    return "ok"


@websocket("/socket")
async def talk(socket: WebSocket[Any, Any, Any], session: CurrentSession) -> None:
    if "begin" in socket.query_params:
        session["begun"] = True
    await socket.accept()
    async for message in socket.iter_data():
        if message == "bye":
            await socket.close()
            break
        await socket.send_text(await converse(session, message))


HANDLERS = [
    untouched,
    redirect,
    status,
    fail,
    save_and_fail,
    stream,
    endless,
    file,
    headers,
    gate,
    thread,
    clear_slot,
    talk,
]


def make(sessions: Sessions, lazy: bool | None) -> Litestar:
    """Return the application with these sessions."""
    handlers = [*(verb(name) for name in VERBS), *HANDLERS]
    return Litestar(handlers, plugins=[SessionPlugin(sessions, lazy=bool(lazy))], openapi_config=None)


app = asgi_app(make)
