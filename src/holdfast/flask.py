# Flask asks its SessionInterface twice: for the session, before anything else, and to save it, when the response is
# made and its head not sent. Between the two nothing is loaded until somebody looks.
"""Sessions for Flask: ``flask.session``, kept on the server."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast

import flask
from flask import Flask, Request, Response, current_app, got_request_exception
from flask.sessions import SessionInterface, SessionMixin

from holdfast import session as core
from holdfast.errors import StoreUnavailable
from holdfast.http import UNAVAILABLE, UNAVAILABLE_HEADERS, Body, Exchange, given
from holdfast.manager import Sessions
from holdfast.wsgi import facts_of, key_of, path_of

__all__ = ["Session", "init_app", "session"]


class Session(core.Session, SessionMixin):
    """A session, and what Flask and its extensions expect: ``permanent``, ``new``, ``modified``, ``accessed``."""

    exchange: Exchange

    @property
    def lifetime(self) -> timedelta:
        """How long the cookie of a permanent session lives: a setting of the application."""
        return current_app.permanent_session_lifetime

    @property
    def permanent(self) -> bool:
        """Whether the cookie outlives the browser. Set to True, it lives for ``app.permanent_session_lifetime``."""
        return self.cookie.original_max_age is not None

    @permanent.setter
    def permanent(self, value: bool) -> None:
        life = self.lifetime.total_seconds() if value else None
        if self.cookie.original_max_age != life:  # Many applications set it at each request.
            self.cookie.max_age = life

    @property
    def new(self) -> bool:  # type: ignore[override]
        """Whether the store has no record of this session."""
        return self.is_new

    @property
    def modified(self) -> bool:
        """Whether something in it was changed, at any depth. Setting it is not needed, and does nothing."""
        return self.is_modified

    @modified.setter
    def modified(self, value: bool) -> None:
        pass

    @property
    def accessed(self) -> bool:
        """Whether the response depends on the session. Setting it does nothing: to name the session is not to look."""
        return self._accessed

    @accessed.setter
    def accessed(self, value: bool) -> None:
        pass


#: ``flask.session``, for type checkers: the same object.
session = cast("Session", flask.session)


def init_app(app: Flask, sessions: Sessions, *, lazy: bool = True) -> None:
    """Keep the sessions of ``app`` in ``sessions``. No SECRET_KEY is needed for them.

    The first look loads the session, and a request that never looks makes no call to the store: so it does not extend
    the session's life either. With ``lazy=False`` each request loads, and counts as a visit, as under ASGI.

    A request that ends in an exception which no handler of yours takes changes nothing.
    """
    given(sessions, {})
    warn_of_settings(app.config, app.default_config)
    app.session_interface = _Interface(sessions, lazy)
    app.extensions["holdfast"] = sessions
    got_request_exception.connect(_failed, app)
    if sessions.options.on_store_error == "unavailable":
        app.register_error_handler(StoreUnavailable, lambda error: _refused(current_app.response_class()))


def warn_of_settings(config: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Warn of settings for the cookie that somebody has changed, for they are not read."""
    changed = sorted(
        name for name in defaults if name.startswith("SESSION_COOKIE_") and config.get(name) != defaults[name]
    )
    if changed:
        warnings.warn(
            f"the settings {', '.join(changed)} are not read. Take them out, and say the same with "
            "Sessions(name=..., cookie=CookieOptions(...))",
            stacklevel=3,
        )


class _Interface(SessionInterface):
    def __init__(self, sessions: Sessions, lazy: bool) -> None:
        self._sessions = sessions
        self._lazy = lazy
        self._header = key_of(sessions.reads)

    def open_session(self, app: Flask, request: Request) -> Session | None:
        environ = request.environ
        if not self._sessions.covers(path_of(environ)):
            return None
        header = environ.get(self._header, "").encode("latin-1")
        exchange = Exchange(self._sessions, header, lambda: facts_of(environ), Session)
        opened = cast("Session", exchange.load_lazily())
        opened.exchange = exchange
        if not self._lazy:
            exchange.load()
        return opened

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if not isinstance(session, Session):
            return
        exchange = session.exchange
        try:
            exchange.commit(response.headers)
        except StoreUnavailable:
            if not exchange.refuses:
                raise
            _refused(response)
        if response.is_streamed and not response.direct_passthrough:
            response.response = Body(exchange, cast("Any", response.response))
        else:
            exchange.abandon()


def _failed(app: Flask, **_: Any) -> None:
    """Drop what a request changed that ends in an exception."""
    opened = cast("Any", flask.session)._get_current_object()
    if isinstance(opened, Session):
        opened.exchange.stored = False


def _refused(response: Response) -> Response:
    """Let ``response`` say that the store is down."""
    response.status_code = 503
    response.direct_passthrough = False
    close = getattr(response.response, "close", None)
    if close is not None:
        close()
    response.headers.clear()
    response.headers.extend(UNAVAILABLE_HEADERS)
    response.set_data(UNAVAILABLE)
    return response
