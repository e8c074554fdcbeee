"""Sanic, under its own server: python -m tests.integrations.sites.sanic PORT."""

from __future__ import annotations

import asyncio
import sys
from typing import Any
from urllib.parse import parse_qsl

import sanic
from sanic import HTTPResponse, Request, Sanic, Websocket

import sessile.sanic
from sessile import CookieOptions, Sessions
from sessile.sanic import aload, session
from tests.integrations.common import CHUNK, FILE, VARIANTS, VERBS, Gate, converse, folder, sessions_of, the_variant


def query_of(request: Request) -> dict[str, str]:
    return dict(parse_qsl(request.query_string, keep_blank_values=True))


def verb(name: str) -> Any:
    async def handle(request: Request) -> HTTPResponse:
        return sanic.json(VERBS[name](await aload(request), query_of(request)))

    return handle


async def untouched(request: Request) -> HTTPResponse:
    return sanic.text("ok")


async def redirect(request: Request) -> HTTPResponse:
    session(request)["from"] = "redirect"
    return sanic.redirect("all")


async def status(request: Request) -> HTTPResponse:
    session(request)["code"] = query_of(request)["code"]
    return sanic.text("page", status=int(query_of(request)["code"]))


async def fail(request: Request) -> HTTPResponse:
    session(request)["lost"] = True
    raise RuntimeError("as asked for")


async def save_and_fail(request: Request) -> HTTPResponse:
    session(request)["saved"] = True
    await session(request).asave()
    raise RuntimeError("as asked for")


async def stream(request: Request) -> None:
    session(request)["stream"] = "begun"
    response = await request.respond(content_type="text/plain")
    await response.send(b"a")
    if request.path.endswith("break"):
        session(request)["stream"] = "broken"
        raise RuntimeError("as asked for")
    await response.send(b"b")
    session(request)["stream"] = "over"
    await response.send(b"c")


async def endless(request: Request) -> None:
    response = await request.respond(content_type="text/plain")
    await response.send(CHUNK)
    session(request)["endless"] = "going"
    while True:
        await response.send(CHUNK)


async def file(request: Request) -> HTTPResponse:
    session(request)["file"] = True
    return await sanic.file(FILE)


async def headers(request: Request) -> HTTPResponse:
    session(request).get(query_of(request)["key"])
    if "value" in query_of(request):
        session(request)[query_of(request)["key"]] = query_of(request)["value"]
    response = sanic.text("ok", headers={"Vary": "Accept", "Cache-Control": "public, max-age=60"})
    response.headers.add("Vary", "Accept-Language")
    return response


async def gate(request: Request) -> HTTPResponse:
    session(request).get("key")
    await Gate(query_of(request)["name"], folder()).wait_async()
    if "key" in query_of(request):
        session(request)[query_of(request)["key"]] = query_of(request)["value"]
    else:
        session(request).destroy()
    return sanic.text("ok")


async def thread(request: Request) -> HTTPResponse:
    await asyncio.to_thread(session(request).__setitem__, query_of(request)["key"], query_of(request)["value"])
    return sanic.text("ok")


async def clear_slot(request: Request) -> HTTPResponse:
    request.ctx.session = None
    return sanic.text("ok")


async def talk(request: Request, socket: Websocket) -> None:
    found = await aload(request)
    async for message in socket:
        if message == "bye":
            break
        await socket.send(await converse(found, message))


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


def make(sessions: Sessions, lazy: bool | None) -> Sanic[Any, Any]:
    """Return the application with these sessions."""
    app = Sanic("site")
    app.config.update(ACCESS_LOG=False, MOTD=False)
    sessile.sanic.init_app(app, sessions, lazy=bool(lazy))
    for path, handle in ROUTES.items():
        app.add_route(handle, f"/{path}", ["GET", "HEAD"], name=path)
    app.add_websocket_route(talk, "/socket")
    return app


if __name__ == "__main__":
    variant = the_variant()
    VARIANTS["part"] = {"cookie": CookieOptions(path="/all")}  # Each variant is at the root, in a process of its own.
    site = make(sessions_of(folder(), variant), VARIANTS[variant].get("lazy"))
    site.run("127.0.0.1", int(sys.argv[1]), single_process=True)
