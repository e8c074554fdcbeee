"""aiohttp, under its own server: python -m tests.integrations.sites.aiohttp PORT."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from typing import Any

from aiohttp import web
from aiohttp.web_urldispatcher import AbstractRuleMatching, MatchedSubAppResource

import sessile.aiohttp
from sessile import Sessions
from sessile.aiohttp import KEY, aload, session
from tests.integrations.common import CHUNK, FILE, VERBS, Gate, converse, each, folder


def verb(name: str) -> Any:
    async def handle(request: web.Request) -> web.Response:
        return web.json_response(VERBS[name](await aload(request), dict(request.query)))

    return handle


async def untouched(request: web.Request) -> web.Response:
    return web.Response(text="ok")


async def redirect(request: web.Request) -> web.Response:
    session(request)["from"] = "redirect"
    raise web.HTTPFound("all")


async def status(request: web.Request) -> web.Response:
    session(request)["code"] = request.query["code"]
    return web.Response(text="page", status=int(request.query["code"]))


async def fail(request: web.Request) -> web.Response:
    session(request)["lost"] = True
    raise RuntimeError("as asked for")


async def save_and_fail(request: web.Request) -> web.Response:
    session(request)["saved"] = True
    await session(request).asave()
    raise RuntimeError("as asked for")


async def stream(request: web.Request) -> web.StreamResponse:
    session(request)["stream"] = "begun"
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"a")
    if request.path.endswith("break"):
        session(request)["stream"] = "broken"
        raise RuntimeError("as asked for")
    await response.write(b"b")
    session(request)["stream"] = "over"
    await response.write(b"c")
    return response


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(CHUNK)
    session(request)["endless"] = "going"
    while True:
        await response.write(CHUNK)


async def file(request: web.Request) -> web.FileResponse:
    session(request)["file"] = True
    return web.FileResponse(FILE)


async def headers(request: web.Request) -> web.Response:
    session(request).get(request.query["key"])
    if "value" in request.query:
        session(request)[request.query["key"]] = request.query["value"]
    response = web.Response(text="ok", headers={"Vary": "Accept", "Cache-Control": "public, max-age=60"})
    response.headers.add("Vary", "Accept-Language")
    return response


async def gate(request: web.Request) -> web.Response:
    session(request).get("key")
    await Gate(request.query["name"], folder()).wait_async()
    if "key" in request.query:
        session(request)[request.query["key"]] = request.query["value"]
    else:
        session(request).destroy()
    return web.Response(text="ok")


async def thread(request: web.Request) -> web.Response:
    await asyncio.to_thread(session(request).__setitem__, request.query["key"], request.query["value"])
    return web.Response(text="ok")


async def clear_slot(request: web.Request) -> web.Response:
    request[KEY] = None
    return web.Response(text="ok")


async def talk(request: web.Request) -> web.WebSocketResponse:
    found, socket = await aload(request), web.WebSocketResponse()
    if "begin" in request.query:
        found["begun"] = True
    await socket.prepare(request)
    async for message in socket:
        if message.data == "bye":
            break
        await socket.send_str(await converse(found, message.data))
    return socket


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
    "socket": talk,
}


def make(sessions: Sessions, lazy: bool | None) -> web.Application:
    """Return the application with these sessions."""
    app = web.Application()
    sessile.aiohttp.init_app(app, sessions, lazy=bool(lazy))
    app.add_routes([web.get(f"/{path}", handle) for path, handle in ROUTES.items()])
    return app


class AtTheRoot(AbstractRuleMatching):
    """Leads to what is at no prefix. An application above the others would share its session with them."""

    canonical = "/"

    async def match(self, request: web.Request) -> bool:
        return not request.path.startswith("/~")

    def get_info(self) -> Any:
        return {}


def site() -> web.Application:
    """Return the application of all variants."""
    app, apps = web.Application(), each(make)
    for variant, sub in apps.items():
        if variant != "default":
            app.add_subapp(f"/~{variant}", sub)
    app._add_subapp(partial(MatchedSubAppResource, AtTheRoot(), apps["default"]), apps["default"])
    return app


if __name__ == "__main__":
    web.run_app(site(), host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
