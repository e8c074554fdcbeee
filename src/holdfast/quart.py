# Quart is ASGI, so the middleware does the work, for streams and WebSockets as for pages; what is here shows its
# session where Quart looks for one. Only Quart's test client, which prepares sessions outside of a request, finds none.
"""Sessions for Quart: ``quart.session``, kept on the server."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import quart
from flask.sessions import SessionMixin
from quart import Quart, Response, current_app, got_request_exception, got_websocket_exception
from quart.sessions import SessionInterface

from holdfast import asgi, flask
from holdfast.asgi import facts_of, path_of
from holdfast.cookies import header_of
from holdfast.errors import StoreUnavailable
from holdfast.http import UNAVAILABLE, UNAVAILABLE_HEADERS, Exchange, given
from holdfast.manager import Sessions

__all__ = ["Session", "init_app", "load", "session"]


class Session(flask.Session):
    """A session, and what Quart and its extensions expect: ``permanent``, ``new``, ``modified``, ``accessed``."""

    @property
    def lifetime(self) -> timedelta:
        """How long the cookie of a permanent session lives: a setting of the application."""
        return current_app.permanent_session_lifetime


#: ``quart.session``, for type checkers: the same object.
session = cast("Session", quart.session)


def init_app(app: Quart, sessions: Sessions, *, lazy: bool = False) -> None:
    """Keep the sessions of ``app`` in ``sessions``, those of its WebSockets too. No SECRET_KEY is needed for them.

    Each request loads its session, and counts as a visit. With ``lazy=True`` a handler that wants the session awaits
    ``holdfast.quart.load()`` first, and a route that does not makes no call to the store.

    A request that ends in an exception which no handler of yours takes changes nothing. The store is closed with the
    application.
    """
    given(sessions, {})
    flask.warn_of_settings(app.config, app.default_config)
    open_app: Any = app
    open_app.asgi_app = _Middleware(open_app.asgi_app, sessions, lazy=lazy)
    open_app.session_interface = _Interface(sessions)
    app.extensions["holdfast"] = sessions
    got_request_exception.connect(_failed, app)
    got_websocket_exception.connect(_failed, app)
    if sessions.options.on_store_error != "raise":
        app.register_error_handler(StoreUnavailable, _unavailable)


async def load() -> Session:
    """Return the session of the request at hand, loading it first if the application is lazy."""
    found = cast("Any", quart.session)._get_current_object()
    scope = cast("Any", quart.request if quart.has_request_context() else quart.websocket).scope
    return cast("Session", await asgi.loaded(scope, found, "call holdfast.quart.init_app(app, sessions) first"))


class _Middleware(asgi.SessionMiddleware):
    kind = Session


class _Interface(SessionInterface):
    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def open_session(self, app: Quart, request: Any) -> Session | None:
        scope = request.scope
        if "session" in scope or not self._sessions.covers(path_of(scope)):
            return cast("Session | None", scope.get("session"))
        exchange = Exchange(self._sessions, header_of(scope, self._sessions.reads), lambda: facts_of(scope), Session)
        opened = cast("Session", await exchange.load_async())
        opened.exchange = exchange
        return opened

    async def save_session(self, app: Quart, session: SessionMixin, response: Any) -> None:
        exchange = getattr(session, "exchange", None)
        if exchange is not None and response is not None:
            await exchange.commit_async(response.headers)


async def _failed(app: Quart, **_: Any) -> None:
    """Drop what a request changed that ends in an exception."""
    opened = cast("Any", quart.session)._get_current_object()
    if isinstance(opened, Session):
        opened.lose()


async def _unavailable(error: Exception) -> Response:
    return Response(UNAVAILABLE, 503, dict(UNAVAILABLE_HEADERS))
