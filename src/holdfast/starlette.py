"""Sessions for Starlette: ``request.session``, as with Starlette's own middleware, kept on the server."""

from __future__ import annotations

from typing import TypeVar

from starlette.requests import HTTPConnection

from holdfast import schema as schemas
from holdfast.asgi import SessionMiddleware, loaded
from holdfast.http import found
from holdfast.schema import Unfit
from holdfast.session import Session

__all__ = ["SessionMiddleware", "load", "session", "typed"]

T = TypeVar("T")

_REMEDY = (
    "this request has no session. Add the middleware: "
    "app.add_middleware(holdfast.asgi.SessionMiddleware, sessions=sessions)"
)


def session(request: HTTPConnection) -> Session:
    """Return the session of a request or a WebSocket, typed. The same object as ``request.session``.

    Raises MissingMiddleware if there is none: the middleware is missing, or the cookie's path does not cover the URL.
    """
    return found(request.scope.get("session"), _REMEDY)


async def load(request: HTTPConnection) -> Session:
    """Return the session of a request, loading it first if the middleware is lazy. Asks the store at most once."""
    return await loaded(request.scope, request.scope.get("session"), _REMEDY)


async def typed(request: HTTPConnection, schema: type[T], *, unfit: Unfit = "default") -> T:
    """Return the session of a request as an object of ``schema``: see ``holdfast.schema.typed``. Loads a lazy one."""
    return schemas.typed(await load(request), schema, unfit=unfit)
