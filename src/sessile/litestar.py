# Litestar builds a stack of middleware for each route, and makes the page of an exception inside it. So the plugin puts
# our middleware outermost, hears from a hook of an exception that nobody expected, and closes the store at the end.
"""Sessions for Litestar: ``request.session``, and a dependency ``session``, kept on the server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from sessile.errors import MissingExtra

try:
    from litestar import Response
    from litestar.config.app import AppConfig
    from litestar.connection import ASGIConnection
    from litestar.di import NamedDependency, Provide
    from litestar.exceptions import HTTPException
    from litestar.middleware import DefineMiddleware
    from litestar.plugins import InitPlugin
    from litestar.types import Empty, Scope
    from litestar.utils.scope.state import ScopeState
except ModuleNotFoundError as error:
    raise MissingExtra("sessile.litestar", "litestar") from error

from sessile import asgi
from sessile._engine.arguments import SessionsArguments
from sessile._engine.manager import Sessions
from sessile._session import data
from sessile._session.session import Session
from sessile._session.watched import state_of
from sessile.errors import StoreUnavailable
from sessile.http import UNAVAILABLE, UNAVAILABLE_HEADERS, close_async, found, given

__all__ = ["CurrentSession", "SessionPlugin", "aload", "session"]

#: Where the scope has the session, whatever a handler puts into the place where Litestar looks for it.
KEY = "sessile.session"

#: The session, for a parameter that must be called ``session``: ``async def handler(session: CurrentSession)``.
CurrentSession = NamedDependency[Session]

_REMEDY = (
    "this request has no session. Add the plugin: Litestar(..., plugins=[sessile.litestar.SessionPlugin(sessions)])"
)


class SessionPlugin(InitPlugin):
    """Gives each request and WebSocket its session: ``Litestar(..., plugins=[SessionPlugin(sessions)])``.

    ``sessions`` is the manager; or give its options here, as keyword arguments. The session is ``request.session``, and
    what a handler gets that asks for ``session: CurrentSession``.
    ``clear_session()`` destroys it; ``set_session(data)`` replaces what is in it and gives it a new id,
    for it may be a log-in. The store is closed with the application.

    ``lazy=True`` loads nothing ahead: the dependency does, or ``await sessile.litestar.aload(request)``, and a route
    that has neither never asks the store. A route with ``skip_session=True`` has no session. An exception which no
    exception handler of yours takes changes nothing.

    >>> from litestar import Litestar
    >>> app = Litestar(plugins=[SessionPlugin(secret="a long random text that nobody else knows")])
    """

    def __init__(
        self, sessions: Sessions | None = None, *, lazy: bool = False, **options: Unpack[SessionsArguments]
    ) -> None:
        self._sessions = given(sessions, options)
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
    return found(request.scope.get(KEY), _REMEDY, request.scope)


async def aload(request: ASGIConnection[Any, Any, Any, Any]) -> Session:
    """Return the session of a request, loading it first if the plugin is lazy. Asks the store at most once."""
    return await _provide(request.scope)


async def _provide(scope: Scope) -> Session:
    ours = await asgi.loaded(scope, scope.get(KEY), _REMEDY)
    _note_id(scope)
    return ours


def _with_session(app: Any, sessions: Sessions, lazy: bool) -> Any:
    """Return ``app`` with sessions, for whoever sets them in Litestar's way too."""

    async def inner(scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        async def send_on(message: asgi.Message) -> None:
            if scope.get("session") is not scope.get(KEY):
                await _take_back(scope)
            await send(message)

        scope[KEY] = scope.get("session")
        _note_id(scope)
        await app(scope, receive, send_on)

    serving = asgi.SessionMiddleware(inner, sessions, lazy=lazy)

    async def serve(scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        handler = scope.get("route_handler")
        skips = handler is not None and handler.opt.get("skip_session")
        await (app if skips else serving)(scope, receive, send)

    return serve


def _note_id(scope: Any) -> None:
    """Let ``request.get_session_id()`` return the id, where the session is loaded."""
    ours = scope.get(KEY)
    if isinstance(ours, Session) and state_of(ours).loader is None:
        ScopeState.from_scope(scope).session_id = data.sid_of(state_of(ours))


async def _take_back(scope: asgi.Scope) -> None:
    """Do to the session what ``clear_session`` and ``set_session`` mean."""
    slot, ours = scope.get("session"), scope[KEY]
    if slot is Empty or isinstance(slot, Mapping):
        scope["session"] = await asgi.loaded(scope, ours, _REMEDY)
    if slot is Empty:
        ours.destroy()
    elif isinstance(slot, Mapping) and slot != ours.copy():
        # Litestar's own way to log somebody in, so the session gets a new id; but not while its body is sent.
        if not state_of(ours).headless:
            ours.regenerate(keep=True)
        data.put(ours, dict(slot))
        state_of(ours).written = True


async def _failed(error: Exception, scope: Scope) -> None:
    """Drop what a request changed that ends in an exception."""
    ours = scope.get(KEY)
    if not isinstance(ours, Session) or isinstance(error, HTTPException):
        return
    expected = scope["route_handler"].resolve_exception_handlers()
    if not any(kind in expected for kind in type(error).__mro__):
        scope["session"] = ours
        state_of(ours).lose()


def _unavailable(request: object, error: Exception) -> Response[bytes]:
    return Response(UNAVAILABLE, status_code=503, headers=dict(UNAVAILABLE_HEADERS))
