"""Sessions for Starlette: ``request.session``, as with Starlette's own middleware, kept on the server."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, TypeVar

from sessile.errors import MissingExtra

try:
    from starlette.requests import HTTPConnection
except ModuleNotFoundError as error:
    raise MissingExtra("sessile.starlette", "starlette") from error

from sessile import schema as schemas
from sessile._session.session import Session
from sessile.asgi import SessionMiddleware as SessionMiddleware
from sessile.asgi import loaded
from sessile.http import found
from sessile.schema import Unfit

__all__ = ["aload", "session", "typed"]

T = TypeVar("T")

_REMEDY = (
    "this request has no session. Add the middleware: "
    "app.add_middleware(sessile.asgi.SessionMiddleware, sessions=sessions)"
)
_TOO_EARLY = (
    "this request has no session yet: the session middleware runs after the middleware that asks for the session. "
    "Add sessile's SessionMiddleware last: what is added last runs first"
)
_LET_GO = "this request has no session any more: its session was set to None. Ask for it before that"


def _remedy(scope: MutableMapping[str, Any], slot: object) -> str:
    """Return what to do where ``slot`` is None. An application of Starlette lists its middleware."""
    if slot is not None:
        return _REMEDY
    if "session" in scope:
        return _LET_GO
    listed = (each.cls for each in getattr(scope.get("app"), "user_middleware", ()))
    ours = any(isinstance(each, type) and issubclass(each, SessionMiddleware) for each in listed)
    return _TOO_EARLY if ours else _REMEDY


def session(request: HTTPConnection) -> Session:
    """Return the session of a request or a WebSocket, typed. The same object as ``request.session``.

    Raises MissingMiddleware if there is none: the middleware is missing, or the cookie's path does not cover the URL.
    """
    slot = request.scope.get("session")
    return found(slot, _remedy(request.scope, slot), request.scope)


async def aload(request: HTTPConnection) -> Session:
    """Return the session of a request, loading it first if the middleware is lazy. Asks the store at most once."""
    scope = request.scope
    slot = scope.get("session")
    return await loaded(scope, slot, _remedy(scope, slot))


async def typed(request: HTTPConnection, schema: type[T], *, unfit: Unfit = "default") -> T:
    """Return the session of a request as an object of ``schema``: see ``sessile.schema.typed``. Loads a lazy one."""
    return schemas.typed(await aload(request), schema, unfit=unfit)
