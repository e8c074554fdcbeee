"""Django under ASGI, with asynchronous views."""

from __future__ import annotations

import asyncio
from typing import Any

from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse

from sessile.django import aload
from tests.integrations.common import CHUNK, VERBS, Gate, folder
from tests.integrations.sites.django_project import answer, configure, query_of


def verb(name: str) -> Any:
    async def handle(request: HttpRequest) -> HttpResponse:
        return answer(VERBS[name](await aload(request), query_of(request)))

    return handle


async def untouched(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


async def redirect(request: HttpRequest) -> HttpResponse:
    await request.session.aset("from", "redirect")
    return HttpResponseRedirect("all")


async def status(request: HttpRequest) -> HttpResponse:
    await request.session.aset("code", request.GET["code"])
    return HttpResponse("page", status=int(request.GET["code"]))


async def fail(request: HttpRequest) -> HttpResponse:
    await request.session.aset("lost", True)
    raise RuntimeError("as asked for")


async def save_and_fail(request: HttpRequest) -> HttpResponse:
    await request.session.aset("saved", True)
    await request.session.asave()
    raise RuntimeError("as asked for")


async def stream(request: HttpRequest) -> StreamingHttpResponse:
    await request.session.aset("stream", "begun")

    async def chunks() -> Any:
        yield "a"
        if request.path == "/break":
            await request.session.aset("stream", "broken")
            raise RuntimeError("as asked for")
        yield "b"
        await request.session.aset("stream", "over")
        yield "c"

    return StreamingHttpResponse(chunks())


async def endless(request: HttpRequest) -> StreamingHttpResponse:
    await request.session.aget("n")

    async def chunks() -> Any:
        yield CHUNK
        await request.session.aset("endless", "going")
        while True:
            yield CHUNK
            await asyncio.sleep(0)  # Django learns that the client has left when the loop gets a turn.

    return StreamingHttpResponse(chunks())


async def headers(request: HttpRequest) -> HttpResponse:
    key = request.GET["key"]
    await request.session.aget(key)
    if "value" in request.GET:
        await request.session.aset(key, request.GET["value"])
    return HttpResponse("ok", headers={"Vary": "Accept, Accept-Language", "Cache-Control": "public, max-age=60"})


async def gate(request: HttpRequest) -> HttpResponse:
    await request.session.aget("key")
    await Gate(request.GET["name"], folder()).wait_async()
    if "key" in request.GET:
        await request.session.aset(request.GET["key"], request.GET["value"])
    else:
        await request.session.aflush()
    return HttpResponse("ok")


async def clear_slot(request: HttpRequest) -> HttpResponse:
    await request.session.aget("n")
    request.session = None
    return HttpResponse("ok")


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
    "headers": headers,
    "headers-set": headers,
    "gate": gate,
    "clear-slot": clear_slot,
}

configure(ROUTES)
app = get_asgi_application()
