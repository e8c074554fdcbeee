# The dependency is a coroutine function, for FastAPI runs plain ones in a thread. So it is offered as a type, and
# ``session(request)`` is the plain function of every other module.
"""Sessions for FastAPI: typed dependencies, beside ``request.session``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

from sessile.errors import MissingExtra

try:
    from fastapi import Depends, HTTPException, WebSocketException
    from fastapi.openapi.models import APIKey, HTTPBearer
    from fastapi.openapi.models import SecurityBase as Scheme
    from fastapi.requests import HTTPConnection
    from fastapi.security.base import SecurityBase
except ModuleNotFoundError as error:
    raise MissingExtra("sessile.fastapi", "fastapi") from error

from sessile import schema as schemas
from sessile._engine.manager import Sessions
from sessile._session.session import Session
from sessile.asgi import SessionMiddleware as SessionMiddleware
from sessile.schema import Unfit
from sessile.starlette import aload, session

__all__ = ["CurrentSession", "LoggedIn", "aload", "session", "typed"]

T = TypeVar("T")


async def _current(request: HTTPConnection) -> Session:
    return await aload(request)


#: The session of the request, for a parameter: ``async def home(session: sessile.fastapi.CurrentSession)``. Loads it
#: first if the middleware is lazy, so a route without this parameter never asks the store. For WebSocket routes too.
#: Raises MissingMiddleware if the application has no session middleware.
CurrentSession = Annotated[Session, Depends(_current)]


def typed(schema: type[T], *, unfit: Unfit = "default") -> Callable[[HTTPConnection], Awaitable[T]]:
    """Return a dependency that is the session as an object of ``schema``: ``Annotated[Cart, Depends(typed(Cart))]``.

    ``schema`` is a msgspec Struct, a dataclass or a pydantic model, with a default for each field. What is changed in
    the object is stored. ``unfit`` says what becomes of stored values that do not fit; they never end the request. Both
    are those of ``sessile.schema.typed``. Loads the session if the middleware is lazy. Raises InvalidOption, at once,
    for a schema that cannot be used.
    """
    schemas.check(schema, unfit)

    async def dependency(request: HTTPConnection) -> T:
        return schemas.typed(await aload(request), schema, unfit=unfit)

    return dependency


class LoggedIn(SecurityBase):
    """A dependency that lets a logged-in user in (``session.login``), and is the user's id.

    ``UserId = Annotated[str, Depends(sessile.fastapi.LoggedIn(sessions))]`` for a route, or ``dependencies=[...]`` of
    a router. Anybody else gets status 401; a WebSocket is refused, with code 1008. In OpenAPI it is the security scheme
    "session": a cookie, or what ``sessions`` have for ``transport``.
    """

    model: Scheme

    def __init__(self, sessions: Sessions) -> None:
        options = sessions.options
        self.scheme_name = "session"
        #: What a refusal says one should come with (RFC 9110 11.6.1).
        self._challenge = "Bearer" if options.transport == "bearer" else "APIKey"
        if options.transport == "bearer":
            self.model = HTTPBearer()
        elif options.transport == "header":
            self.model = APIKey.model_validate({"in": "header", "name": options.header})
        else:
            self.model = APIKey.model_validate({"in": "cookie", "name": options.name})

    async def __call__(self, request: HTTPConnection) -> str | int:
        user_id = (await aload(request)).user_id
        if user_id is not None:
            return user_id
        if request.scope["type"] == "websocket":
            raise WebSocketException(1008, "not logged in")
        raise HTTPException(401, "not logged in", {"WWW-Authenticate": self._challenge})
