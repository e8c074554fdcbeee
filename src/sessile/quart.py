# Quart is ASGI, so the middleware does the work, for streams and WebSockets as for pages; what is here shows its
# session where Quart looks for one. Only Quart's test client, which prepares sessions outside of a request, finds none.
"""Sessions for Quart: ``quart.session``, kept on the server."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Unpack, cast

from sessile.errors import MissingExtra

try:
    import quart
    from flask.sessions import SessionMixin
    from quart import Quart, Response, current_app, got_request_exception, got_websocket_exception
    from quart.sessions import SessionInterface
except ModuleNotFoundError as error:
    raise MissingExtra("sessile.quart", "quart") from error

from sessile import asgi, flask
from sessile._engine.arguments import SessionsArguments
from sessile._engine.manager import Sessions
from sessile._session.watched import state_of
from sessile.asgi import facts_of, path_of
from sessile.cookies import header_of
from sessile.errors import StoreUnavailable
from sessile.http import UNAVAILABLE, UNAVAILABLE_HEADERS, Exchange, given

__all__ = ["Session", "aload", "init_app", "session"]


class Session(flask.Session):
    """A session, and what Quart and its extensions expect: ``permanent``, ``new``, ``modified``, ``accessed``."""

    @property
    def lifetime(self) -> timedelta:
        """How long the cookie of a permanent session lives: a setting of the application."""
        return current_app.permanent_session_lifetime


#: ``quart.session``, for type checkers: the same object. ``session()`` is the same again.
session = cast("Session", quart.session)


def init_app(
    app: Quart, sessions: Sessions | None = None, *, lazy: bool = False, **options: Unpack[SessionsArguments]
) -> None:
    """Keep the sessions of ``app`` in ``sessions``, those of its WebSockets too. No SECRET_KEY is needed for them.

    ``sessions`` is the manager; or give its options here, as keyword arguments.

    Each request loads its session, and counts as a visit. With ``lazy=True`` a handler that wants the session awaits
    ``sessile.quart.aload()`` first, and a route that does not makes no call to the store.

    A request that ends in an exception which no handler of yours takes changes nothing. The store is closed with the
    application.
    """
    sessions = given(sessions, options)
    flask.warn_of_settings(app.config, app.default_config)
    open_app: Any = app
    open_app.asgi_app = _Middleware(open_app.asgi_app, sessions, lazy=lazy)
    open_app.session_interface = _Interface(sessions)
    app.extensions["sessile"] = sessions
    got_request_exception.connect(_failed, app)
    got_websocket_exception.connect(_failed, app)
    if sessions.options.on_store_error != "raise":
        app.register_error_handler(StoreUnavailable, _unavailable)


async def aload() -> Session:
    """Return the session of the request at hand, loading it first if the application is lazy."""
    found = cast("Any", quart.session)._get_current_object()
    scope = cast("Any", quart.request if quart.has_request_context() else quart.websocket).scope
    return cast("Session", await asgi.loaded(scope, found, "call sessile.quart.init_app(app, sessions) first"))


class _Middleware(asgi.SessionMiddleware):
    session_class = Session
    ends_empty = True


class _Interface(SessionInterface):
    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def make_null_session(self, app: Quart) -> Any:
        return flask.NoSession(self._sessions.engine.setup.path)

    def is_null_session(self, obj: object) -> bool:
        return isinstance(obj, flask.NoSession)

    async def open_session(self, app: Quart, request: Any) -> Session | None:
        scope = request.scope
        if "session" in scope or not self._sessions.engine.path_matches(path_of(scope)):
            return cast("Session | None", scope.get("session"))
        exchange = Exchange(
            self._sessions, header_of(scope, self._sessions.engine.reads), lambda: facts_of(scope), Session
        )
        opened = await exchange.load_async()
        state_of(opened).ends_empty = True
        opened.exchange = cast("Any", exchange)
        return opened

    async def save_session(self, app: Quart, session: SessionMixin, response: Any) -> None:
        exchange = getattr(session, "exchange", None)
        if exchange is not None and response is not None:
            await exchange.commit_async(response.headers)


async def _failed(app: Quart, **_: Any) -> None:
    """Drop what a request changed that ends in an exception."""
    opened = cast("Any", quart.session)._get_current_object()
    if isinstance(opened, Session):
        state_of(opened).lose()


async def _unavailable(error: Exception) -> Response:
    return Response(UNAVAILABLE, 503, dict(UNAVAILABLE_HEADERS))
