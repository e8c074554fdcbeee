"""FastAPI: the session by its dependency; what the starlette site does on the loop is done in threads here."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, RedirectResponse, StreamingResponse

import sessile.fastapi
from sessile import Sessions
from tests.integrations.common import CHUNK, FILE, VERBS, Gate, asgi_app, converse, folder

CurrentSession = sessile.fastapi.CurrentSession


def verb(name: str) -> Any:
    def handle(request: Request, session: CurrentSession) -> Any:
        return JSONResponse(VERBS[name](session, dict(request.query_params)))

    return handle


async def untouched() -> PlainTextResponse:
    return PlainTextResponse("ok")


def redirect(session: CurrentSession) -> RedirectResponse:
    session["from"] = "redirect"
    return RedirectResponse("all", 302)


def status(session: CurrentSession, code: int) -> PlainTextResponse:
    session["code"] = str(code)
    return PlainTextResponse("page", code)


def fail(session: CurrentSession) -> None:
    session["lost"] = True
    raise RuntimeError("as asked for")


def save_and_fail(session: CurrentSession) -> None:
    session["saved"] = True
    session.save()
    raise RuntimeError("as asked for")


def stream(request: Request, session: CurrentSession) -> StreamingResponse:
    session["stream"] = "begun"

    def chunks() -> Any:
        yield b"a"
        if request.url.path.endswith("break"):
            session["stream"] = "broken"
            raise RuntimeError("as asked for")
        yield b"b"
        session["stream"] = "over"
        yield b"c"

    return StreamingResponse(chunks())


async def endless(session: CurrentSession) -> StreamingResponse:
    async def chunks() -> Any:
        yield CHUNK
        session["endless"] = "going"
        while True:
            await asyncio.sleep(0)
            yield CHUNK

    return StreamingResponse(chunks())


def file(session: CurrentSession) -> FileResponse:
    session["file"] = True
    return FileResponse(FILE)


def headers(session: CurrentSession, key: str, value: str | None = None) -> PlainTextResponse:
    session.get(key)
    if value is not None:
        session[key] = value
    response = PlainTextResponse("ok", headers={"Vary": "Accept", "Cache-Control": "public, max-age=60"})
    response.headers.append("Vary", "Accept-Language")
    return response


def gate(session: CurrentSession, name: str, key: str | None = None, value: str = "") -> PlainTextResponse:
    session.get("key")
    Gate(name, folder()).wait()
    if key is not None:
        session[key] = value
    else:
        session.destroy()
    return PlainTextResponse("ok")


def thread(session: CurrentSession, key: str, value: str) -> PlainTextResponse:
    session[key] = value
    return PlainTextResponse("ok")


def clear_slot(request: Request, session: CurrentSession) -> PlainTextResponse:
    request.scope["session"] = None
    return PlainTextResponse("ok")


async def talk(socket: WebSocket, session: CurrentSession) -> None:
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


def make(sessions: Sessions, lazy: bool | None) -> FastAPI:
    """Return the application with these sessions."""
    app = FastAPI()
    app.add_middleware(sessile.fastapi.SessionMiddleware, sessions=sessions, lazy=bool(lazy))
    app.websocket("/socket")(talk)
    for path, handle in ROUTES.items():
        app.api_route(f"/{path}", methods=["GET", "HEAD", "POST"], response_model=None)(handle)
    return app


app = asgi_app(make)
