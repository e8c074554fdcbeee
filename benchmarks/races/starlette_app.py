"""Starlette's own SessionMiddleware, which keeps the data in the cookie. It has a secret, and no other option."""

from __future__ import annotations

from gate import wait_async
from server import serve_starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse


async def login(request: Request) -> PlainTextResponse:
    request.session.clear()
    request.session["user"] = "zoe"
    return PlainTextResponse("")


async def logout(request: Request) -> PlainTextResponse:
    request.session.clear()
    return PlainTextResponse("")


async def me(request: Request) -> JSONResponse:
    return JSONResponse({"user": request.session.get("user"), **request.session})


async def write(request: Request) -> PlainTextResponse:
    request.session["b"] = 1
    return PlainTextResponse("")


async def slow_read(request: Request) -> PlainTextResponse:
    user = request.session.get("user")
    await wait_async()
    return PlainTextResponse(str(user))


async def slow_write(request: Request) -> PlainTextResponse:
    user = request.session.get("user")
    await wait_async()
    request.session["a"] = 1
    return PlainTextResponse(str(user))


serve_starlette(
    Middleware(SessionMiddleware, secret_key="a secret that is long enough for tests!"),
    login,
    logout,
    me,
    write,
    slow_read,
    slow_write,
)
