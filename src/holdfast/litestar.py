# Litestar builds a stack of middleware for each route, and makes the page of an exception inside it. So the plugin puts
# our middleware outermost, hears from a hook of an exception that nobody expected, and closes the store at the end.
"""Sessions for Litestar: ``request.session``, and a dependency ``session``, kept on the server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import Response
from litestar.config.app import AppConfig
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency, Provide
from litestar.exceptions import HTTPException
from litestar.middleware import DefineMiddleware
from litestar.plugins import InitPlugin
from litestar.types import Empty, Scope

from holdfast import asgi
from holdfast.errors import StoreUnavailable
from holdfast.http import UNAVAILABLE, UNAVAILABLE_HEADERS, close_async, found, given
from holdfast.manager import Sessions
from holdfast.session import Session

__all__ = ["CurrentSession", "SessionPlugin", "load", "session"]

#: Where the scope has the session, whatever a handler puts into the place where Litestar looks for it.
KEY = "holdfast.session"

#: The session, for a parameter that must be called ``session``: ``async def handler(session: CurrentSession)``.
CurrentSession = NamedDependency[Session]

_REMEDY = (
    "this request has no session. Add the plugin: Litestar(..., plugins=[holdfast.litestar.SessionPlugin(sessions)])"
)


class SessionPlugin(InitPlugin):
    """Gives each request and WebSocket its session: ``Litestar(..., plugins=[SessionPlugin(sessions)])``.

    The session is ``request.session``, and what a handler gets that asks for ``session: CurrentSession``.
    ``clear_session()`` destroys it; ``set_session(data)`` replaces what is in it. The store is closed with the
    application.

    ``lazy=True`` loads nothing ahead: the dependency does, or ``await holdfast.litestar.load(request)``, and a route
    that has neither never asks the store. An exception which no exception handler of yours takes changes nothing.
    """

    def __init__(self, sessions: Sessions, *, lazy: bool = False) -> None:
        self._sessions = given(sessions, {})
        self._lazy = lazy

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Add to the application what it needs. Litestar calls this."""
        app_config.middleware.insert(0, DefineMiddleware(_with_session, sessions=self._sessions, lazy=self._lazy))
        app_config.dependencies = {"session": Provide(_provide), **app_config.dependencies}
        app_config.after_exception.append(_failed)
        app_config.on_shutdown.append(self._close)
        if self._sessions.options.on_store_error != "raise":
            app_config.exception_handlers = {StoreUnavailable: _unavailable, **app_config.exception_handlers}
        return app_config

    async def _close(self) -> None:
        await close_async(self._sessions)


def session(request: ASGIConnection[Any, Any, Any, Any]) -> Session:
    """Return the session of a request or a WebSocket, typed. The same object as ``request.session``.

    Raises MissingMiddleware if there is none: the plugin is missing, or the cookie's path does not cover the URL.
    """
    return found(request.scope.get(KEY), _REMEDY)


async def load(request: ASGIConnection[Any, Any, Any, Any]) -> Session:
    """Return the session of a request, loading it first if the plugin is lazy. Asks the store at most once."""
    return await asgi.loaded(request.scope, request.scope.get(KEY), _REMEDY)


async def _provide(scope: Scope) -> Session:
    return await asgi.loaded(scope, scope.get(KEY), _REMEDY)


def _with_session(app: Any, sessions: Sessions, lazy: bool) -> Any:
    """Return ``app`` with sessions, for whoever sets them in Litestar's way too."""

    async def inner(scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        async def send_on(message: asgi.Message) -> None:
            if scope.get("session") is not scope.get(KEY):
                await _take_back(scope)
            await send(message)

        scope[KEY] = scope.get("session")
        await app(scope, receive, send_on)

    return asgi.SessionMiddleware(inner, sessions, lazy=lazy)


async def _take_back(scope: asgi.Scope) -> None:
    """Do to the session what ``clear_session`` and ``set_session`` mean."""
    slot, ours = scope.get("session"), scope[KEY]
    if slot is Empty or isinstance(slot, Mapping):
        scope["session"] = await asgi.loaded(scope, ours, _REMEDY)
    if slot is Empty:
        ours.destroy()
    elif isinstance(slot, Mapping):
        ours.clear()
        ours.update(slot)


async def _failed(error: Exception, scope: Scope) -> None:
    """Drop what a request changed that ends in an exception."""
    ours = scope.get(KEY)
    if not isinstance(ours, Session) or isinstance(error, HTTPException):
        return
    expected = scope["route_handler"].resolve_exception_handlers()
    if not any(kind in expected for kind in type(error).__mro__):
        scope["session"] = ours
        ours.lose()


def _unavailable(request: object, error: Exception) -> Response[bytes]:
    return Response(UNAVAILABLE, status_code=503, headers=dict(UNAVAILABLE_HEADERS))
