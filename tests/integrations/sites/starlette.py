"""Starlette."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, RedirectResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

import sessile.starlette
from sessile import Session, Sessions
from tests.integrations.common import CHUNK, FILE, VERBS, Gate, asgi_app, converse, folder

aload = sessile.starlette.aload


def verb(name: str) -> Any:
    async def handle(request: Request) -> JSONResponse:
        return JSONResponse(VERBS[name](await aload(request), dict(request.query_params)))

    return handle


async def untouched(request: Request) -> PlainTextResponse:
    return PlainTextResponse("ok")


async def redirect(request: Request) -> RedirectResponse:
    (await aload(request))["from"] = "redirect"
    return RedirectResponse("all", 302)


async def status(request: Request) -> PlainTextResponse:
    (await aload(request))["code"] = request.query_params["code"]
    return PlainTextResponse("page", int(request.query_params["code"]))


async def fail(request: Request) -> PlainTextResponse:
    (await aload(request))["lost"] = True
    raise RuntimeError("as asked for")


async def save_and_fail(request: Request) -> PlainTextResponse:
    session = await aload(request)
    session["saved"] = True
    await session.asave()
    raise RuntimeError("as asked for")


async def stream(request: Request) -> StreamingResponse:
    session = await aload(request)
    session["stream"] = "begun"

    async def chunks(session: Session, path: str) -> Any:
        yield b"a"
        if path.endswith("break"):
            session["stream"] = "broken"
            raise RuntimeError("as asked for")
        yield b"b"
        session["stream"] = "over"
        yield b"c"

    return StreamingResponse(chunks(session, request.url.path))


async def endless(request: Request) -> StreamingResponse:
    session = await aload(request)

    async def chunks() -> Any:
        yield CHUNK
        session["endless"] = "going"
        while True:
            await asyncio.sleep(0)  # uvicorn takes what is sent to nobody at once, and says so only to who listens.
            yield CHUNK
            await asyncio.sleep(0)  # uvicorn swallows what is sent to nobody, without a pause.

    return StreamingResponse(chunks())


async def file(request: Request) -> FileResponse:
    (await aload(request))["file"] = True
    return FileResponse(FILE)


async def headers(request: Request) -> PlainTextResponse:
    session, query = await aload(request), request.query_params
    session.get(query["key"])
    if "value" in query:
        session[query["key"]] = query["value"]
    response = PlainTextResponse("ok", headers={"Vary": "Accept", "Cache-Control": "public, max-age=60"})
    response.headers.append("Vary", "Accept-Language")
    return response


async def gate(request: Request) -> PlainTextResponse:
    session, query = await aload(request), request.query_params
    session.get("key")
    await Gate(query["name"], folder()).wait_async()
    if "key" in query:
        session[query["key"]] = query["value"]
    else:
        session.destroy()
    return PlainTextResponse("ok")


def thread(request: Request) -> PlainTextResponse:
    request.session[request.query_params["key"]] = request.query_params["value"]
    return PlainTextResponse("ok")


async def clear_slot(request: Request) -> PlainTextResponse:
    await aload(request)
    request.scope["session"] = None
    return PlainTextResponse("ok")


async def talk(socket: WebSocket) -> None:
    session = await aload(socket)
    if "begin" in socket.query_params:
        session["begun"] = True
    await socket.accept()
    async for message in socket.iter_text():
        if message == "bye":
            await socket.close()
            break
        await socket.send_text(await converse(session, message))


ROUTES = {
    **{name: verb(name) for name in VERBS},
    "untouched": untouched,
    "redirect": redirect,
    "status": status,
    "raise": fail,
    "save-and-raise": save_and_fail,
    "stream": stream,
    "break": stream,
    "endless": endless,
    "file": file,
    "headers": headers,
    "headers-set": headers,
    "gate": gate,
    "thread": thread,
    "clear-slot": clear_slot,
}


def make(sessions: Sessions, lazy: bool | None) -> Starlette:
    """Return the application with these sessions."""
    middleware = Middleware(sessile.starlette.SessionMiddleware, sessions=sessions, lazy=bool(lazy))
    routes = [WebSocketRoute("/socket", talk), *(Route(f"/{path}", handle) for path, handle in ROUTES.items())]
    return Starlette(routes=routes, middleware=[middleware])


app = asgi_app(make)
