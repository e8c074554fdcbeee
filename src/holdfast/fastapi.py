"""Sessions for FastAPI: a typed dependency, beside ``request.session``."""

from __future__ import annotations

from fastapi.requests import HTTPConnection

from holdfast.asgi import SessionMiddleware
from holdfast.session import Session
from holdfast.starlette import load

__all__ = ["SessionMiddleware", "session"]


async def session(request: HTTPConnection) -> Session:
    """Return the session of the request: ``session: Annotated[Session, Depends(holdfast.fastapi.session)]``.

    Loads it first if the middleware is lazy, so a route without this dependency never asks the store. Works for
    WebSocket routes too. Raises MissingMiddleware if the application has no session middleware.
    """
    return await load(request)
