"""sessile, with the store whose URL is given, or "redis". No option is set."""

from __future__ import annotations

import os
import sys

from gate import wait_async
from server import serve_starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse

from sessile import Sessions
from sessile.asgi import SessionMiddleware
from sessile.starlette import session

URL = f"unix://{os.environ['REDIS']}" if sys.argv[1] == "redis" else sys.argv[1]
sessions = Sessions(secret="a secret that is long enough for tests!", store=URL)


async def login(request: Request) -> PlainTextResponse:
    session(request).login("zoe")
    return PlainTextResponse("")


async def logout(request: Request) -> PlainTextResponse:
    session(request).logout()
    return PlainTextResponse("")


async def me(request: Request) -> JSONResponse:
    return JSONResponse({"user": session(request).user_id, **request.session})


async def write(request: Request) -> PlainTextResponse:
    request.session["b"] = 1
    return PlainTextResponse("")


async def slow_read(request: Request) -> PlainTextResponse:
    user = session(request).user_id
    await wait_async()
    return PlainTextResponse(str(user))


async def slow_write(request: Request) -> PlainTextResponse:
    user = session(request).user_id
    await wait_async()
    request.session["a"] = 1
    return PlainTextResponse(str(user))


serve_starlette(Middleware(SessionMiddleware, sessions=sessions), login, logout, me, write, slow_read, slow_write)
