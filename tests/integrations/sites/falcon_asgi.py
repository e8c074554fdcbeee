"""Falcon, as ASGI."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import falcon.asgi

import sessile.falcon
from sessile import Sessions
from sessile.falcon import aload
from tests.integrations.common import CHUNK, FILE, VERBS, Gate, asgi_app, converse, folder


def verb(name: str) -> Any:
    async def handle(req: Any, resp: Any) -> None:
        resp.text = json.dumps(VERBS[name](await aload(req), req.params))

    return handle


async def untouched(req: Any, resp: Any) -> None:
    resp.text = "ok"


async def redirect(req: Any, resp: Any) -> None:
    (await aload(req))["from"] = "redirect"
    raise falcon.HTTPFound("all")


async def status(req: Any, resp: Any) -> None:
    (await aload(req))["code"] = req.params["code"]
    raise falcon.HTTPError(int(req.params["code"]))


async def fail(req: Any, resp: Any) -> None:
    (await aload(req))["lost"] = True
    raise RuntimeError("as asked for")


async def save_and_fail(req: Any, resp: Any) -> None:
    session = await aload(req)
    session["saved"] = True
    await session.asave()
    raise RuntimeError("as asked for")


async def stream(req: Any, resp: Any) -> None:
    session = await aload(req)
    session["stream"] = "begun"

    async def chunks() -> Any:
        yield b"a"
        if req.path.endswith("break"):
            session["stream"] = "broken"
            raise RuntimeError("as asked for")
        yield b"b"
        session["stream"] = "over"
        yield b"c"

    resp.stream = chunks()


async def endless(req: Any, resp: Any) -> None:
    session = await aload(req)

    async def chunks() -> Any:
        yield CHUNK
        session["endless"] = "going"
        for _ in range(2000):  # A server may say nothing when the client has gone, and swallow what is sent.
            yield CHUNK
            await asyncio.sleep(0)

    resp.stream = chunks()


async def file(req: Any, resp: Any) -> None:
    (await aload(req))["file"] = True
    resp.data = FILE.read_bytes()


async def headers(req: Any, resp: Any) -> None:
    session = await aload(req)
    session.get(req.params["key"])
    if "value" in req.params:
        session[req.params["key"]] = req.params["value"]
    resp.set_headers({"Vary": "Accept", "Cache-Control": "public, max-age=60"})
    resp.append_header("Vary", "Accept-Language")
    resp.text = "ok"


async def gate(req: Any, resp: Any) -> None:
    session = await aload(req)
    session.get("key")
    await Gate(req.params["name"], folder()).wait_async()
    if "key" in req.params:
        session[req.params["key"]] = req.params["value"]
    else:
        session.destroy()


async def thread(req: Any, resp: Any) -> None:
    session = await aload(req)
    await asyncio.to_thread(session.__setitem__, req.params["key"], req.params["value"])


async def clear_slot(req: Any, resp: Any) -> None:
    await aload(req)
    req.context.session = None


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


class Resource:
    """A page of ``ROUTES``, for GET and HEAD."""

    def __init__(self, handle: Any) -> None:
        async def respond(req: Any, resp: Any, variant: str = "") -> None:
            await handle(req, resp)

        self.on_get = self.on_head = respond


class Socket:
    """The WebSocket."""

    async def on_websocket(self, req: Any, ws: falcon.asgi.WebSocket, variant: str = "") -> None:
        await ws.accept()
        while (message := await ws.receive_text()) != "bye":
            await ws.send_text(await converse(await aload(req), message))


def make(sessions: Sessions, lazy: bool | None) -> Any:
    """Return the application with these sessions."""
    app = falcon.asgi.App(middleware=[sessile.falcon.SessionMiddleware(sessions, lazy=lazy)])
    app.req_options.auto_parse_qs_csv = False
    app.req_options.keep_blank_qs_values = True
    app.add_route("/socket", Socket())
    for path, handle in ROUTES.items():
        app.add_route(f"/{path}", Resource(handle))
        app.add_route(f"/{{variant}}/{path}", Resource(handle))  # Falcon does not take root_path off the path.
    return app


app = asgi_app(make)
