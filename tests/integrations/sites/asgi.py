"""ASGI, without a framework."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import parse_qsl

import sessile.asgi
from sessile import Session, Sessions
from tests.integrations.common import CHUNK, FILE, VERBS, Gate, asgi_app, converse, folder


class Exchange:
    """What a handler gets: a framework would have more."""

    def __init__(self, scope: Any, send: Any) -> None:
        self.scope, self.send = scope, send
        self.query = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))

    async def session(self) -> Session:
        return await sessile.asgi.aload(self.scope)

    async def head(self, status: int = 200, *headers: tuple[bytes, bytes]) -> None:
        lines = [(b"content-type", b"text/plain; charset=utf-8"), *headers]
        await self.send({"type": "http.response.start", "status": status, "headers": lines})

    async def chunk(self, body: bytes, more: bool = True) -> None:
        await self.send({"type": "http.response.body", "body": body, "more_body": more})

    async def page(self, body: bytes = b"ok", status: int = 200, *headers: tuple[bytes, bytes]) -> None:
        await self.head(status, (b"content-length", str(len(body)).encode()), *headers)
        await self.chunk(b"" if self.scope["method"] == "HEAD" else body, False)


def verb(name: str) -> Any:
    async def handle(page: Exchange) -> None:
        await page.page(json.dumps(VERBS[name](await page.session(), page.query)).encode())

    return handle


async def untouched(page: Exchange) -> None:
    await page.page()


async def redirect(page: Exchange) -> None:
    (await page.session())["from"] = "redirect"
    await page.page(b"", 302, (b"location", b"all"))


async def status(page: Exchange) -> None:
    (await page.session())["code"] = page.query["code"]
    await page.page(b"page", int(page.query["code"]))


async def fail(page: Exchange) -> None:
    (await page.session())["lost"] = True
    raise RuntimeError("as asked for")


async def save_and_fail(page: Exchange) -> None:
    session = await page.session()
    session["saved"] = True
    await session.asave()
    raise RuntimeError("as asked for")


async def stream(page: Exchange) -> None:
    session = await page.session()
    session["stream"] = "begun"
    await page.head()
    await page.chunk(b"a")
    if page.scope["path"].endswith("break"):
        session["stream"] = "broken"
        raise RuntimeError("as asked for")
    await page.chunk(b"b")
    session["stream"] = "over"
    await page.chunk(b"c", False)


async def endless(page: Exchange) -> None:
    session = await page.session()
    await page.head()
    await page.chunk(CHUNK)
    session["endless"] = "going"
    for _ in range(2000):  # A server may say nothing when the client has gone, and swallow what is sent.
        await page.chunk(CHUNK)
        await asyncio.sleep(0)
    await page.chunk(b"", False)


async def file(page: Exchange) -> None:
    (await page.session())["file"] = True
    await page.page(FILE.read_bytes())


async def headers(page: Exchange) -> None:
    session = await page.session()
    session.get(page.query["key"])
    if "value" in page.query:
        session[page.query["key"]] = page.query["value"]
    vary = (b"vary", b"Accept"), (b"vary", b"Accept-Language")
    await page.page(b"ok", 200, *vary, (b"cache-control", b"public, max-age=60"))


async def gate(page: Exchange) -> None:
    session = await page.session()
    session.get("key")
    await Gate(page.query["name"], folder()).wait_async()
    if "key" in page.query:
        session[page.query["key"]] = page.query["value"]
    else:
        session.destroy()
    await page.page()


async def thread(page: Exchange) -> None:
    session = await page.session()
    await asyncio.to_thread(session.__setitem__, page.query["key"], page.query["value"])
    await page.page()


async def clear_slot(page: Exchange) -> None:
    await page.session()
    page.scope["session"] = None
    await page.page()


async def talk(scope: Any, receive: Any, send: Any) -> None:
    session = await sessile.asgi.aload(scope)
    if b"begin" in scope["query_string"]:
        session["begun"] = True
    while (message := await receive())["type"] != "websocket.disconnect":
        if message["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})
        elif message["text"] == "bye":
            await send({"type": "websocket.close"})
        else:
            await send({"type": "websocket.send", "text": await converse(session, message["text"])})


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


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answer a request."""
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": message["type"] + ".complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["type"] == "websocket":
        await talk(scope, receive, send)
        return
    handle = ROUTES.get(scope["path"].rpartition("/")[2])
    page = Exchange(scope, send)
    await (page.page(b"no such page", 404) if handle is None else handle(page))


def make(sessions: Sessions, lazy: bool | None) -> Any:
    """Return the application with these sessions."""
    return sessile.asgi.SessionMiddleware(application, sessions, lazy=bool(lazy))


app = asgi_app(make)
