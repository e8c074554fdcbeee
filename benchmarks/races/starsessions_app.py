"""starsessions, with the store given: "memory" or "redis".

As in its README: a lifetime, ``load_session`` in the handlers, ``regenerate_session_id`` at the login, and ``clear`` at
the logout: "the middleware will remove session data and cookies if the session has no data".
"""

from __future__ import annotations

import os
import sys

from gate import wait_async
from server import serve_starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starsessions import InMemoryStore, SessionMiddleware, load_session
from starsessions.session import regenerate_session_id


async def login(request: Request) -> PlainTextResponse:
    await load_session(request)
    request.session["user"] = "zoe"
    regenerate_session_id(request)
    return PlainTextResponse("")


async def logout(request: Request) -> PlainTextResponse:
    await load_session(request)
    request.session.clear()
    return PlainTextResponse("")


async def me(request: Request) -> JSONResponse:
    await load_session(request)
    return JSONResponse({"user": request.session.get("user"), **request.session})


async def write(request: Request) -> PlainTextResponse:
    await load_session(request)
    request.session["b"] = 1
    return PlainTextResponse("")


async def slow_read(request: Request) -> PlainTextResponse:
    await load_session(request)
    user = request.session.get("user")
    await wait_async()
    return PlainTextResponse(str(user))


async def slow_write(request: Request) -> PlainTextResponse:
    await load_session(request)
    user = request.session.get("user")
    await wait_async()
    request.session["a"] = 1
    return PlainTextResponse(str(user))


if sys.argv[1] == "redis":
    from redis.asyncio import Redis
    from starsessions.stores.redis import RedisStore

    store = RedisStore(connection=Redis(unix_socket_path=os.environ["REDIS"]))
else:
    store = InMemoryStore()

# Secure cookies are off, for there is no https here.
serve_starlette(
    Middleware(SessionMiddleware, store=store, lifetime=3600 * 24 * 14, cookie_https_only=False),
    login,
    logout,
    me,
    write,
    slow_read,
    slow_write,
)
