"""Quart."""

from __future__ import annotations

import asyncio
from typing import Any

import quart
from quart import Quart, Response, jsonify, request, websocket

import sessile.quart
from sessile import Sessions
from sessile.quart import aload, session
from tests.integrations.common import CHUNK, FILE, VERBS, Gate, asgi_app, converse, folder


def verb(name: str) -> Any:
    async def handle() -> Any:
        return jsonify(VERBS[name](await aload(), request.args.to_dict()))

    return handle


def untouched() -> str:
    return "ok"


async def redirect() -> Any:
    session["from"] = "redirect"
    return quart.redirect("all")


async def status() -> Any:
    session["code"] = request.args["code"]
    return "page", int(request.args["code"])


async def fail() -> Any:
    session["lost"] = True
    raise RuntimeError("as asked for")


async def save_and_fail() -> Any:
    session["saved"] = True
    await session.asave()
    raise RuntimeError("as asked for")


async def stream() -> Any:
    session["stream"] = "begun"

    @quart.stream_with_context
    async def chunks() -> Any:
        yield "a"
        if request.path == "/break":
            session["stream"] = "broken"
            raise RuntimeError("as asked for")
        yield "b"
        session["stream"] = "over"
        yield "c"

    return chunks()


async def endless() -> Any:
    @quart.stream_with_context
    async def chunks() -> Any:
        yield CHUNK
        session["endless"] = "going"
        while True:
            await asyncio.sleep(0)  # A server may swallow what is sent when the client has gone.
            yield CHUNK

    return Response(chunks())


async def file() -> Any:
    session["file"] = True
    return await quart.send_file(FILE)


async def headers() -> Any:
    session.get(request.args["key"])
    if "value" in request.args:
        session[request.args["key"]] = request.args["value"]
    return "ok", {"Vary": ["Accept", "Accept-Language"], "Cache-Control": "public, max-age=60"}


async def gate() -> Any:
    session.get("key")
    await Gate(request.args["name"], folder()).wait_async()
    if "key" in request.args:
        session[request.args["key"]] = request.args["value"]
    else:
        session.destroy()
    return "ok"


def thread() -> Any:
    session[request.args["key"]] = request.args["value"]
    return "ok"


async def talk() -> None:
    session = await aload()
    if "begin" in websocket.args:
        session["begun"] = True
    await websocket.accept()
    while (message := await websocket.receive()) != "bye":
        await websocket.send(await converse(session, message))


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
}


def make(sessions: Sessions, lazy: bool | None) -> Quart:
    """Return the application with these sessions."""
    app = Quart(__name__)
    sessile.quart.init_app(app, sessions, lazy=bool(lazy))
    for path, handle in ROUTES.items():
        app.add_url_rule(f"/{path}", path, handle)
    app.add_websocket("/socket", "socket", talk)
    return app


app = asgi_app(make)
