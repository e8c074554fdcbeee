# Flask asks its SessionInterface twice: for the session, before anything else, and to save it, when the response is
# made and its head not sent. Between the two nothing is loaded until somebody looks.
"""Sessions for Flask: ``flask.session``, kept on the server."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, NoReturn, Self, Unpack, cast

from sessile.errors import MissingExtra

try:
    import flask
    from flask import Flask, Request, Response, current_app, got_request_exception
    from flask.sessions import NullSession, SessionInterface, SessionMixin
except ModuleNotFoundError as error:
    raise MissingExtra("sessile.flask", "flask") from error

from sessile._engine.arguments import SessionsArguments
from sessile._engine.manager import Sessions
from sessile._records.record import JSON
from sessile._session import data, flash
from sessile._session import session as core
from sessile._session.watched import state_of
from sessile._wire.warn import warn_outside
from sessile.errors import StoreUnavailable
from sessile.events import EventKind
from sessile.http import (
    FORBIDDEN,
    FORBIDDEN_HEADERS,
    SENT,
    UNAVAILABLE,
    UNAVAILABLE_HEADERS,
    Body,
    Exchange,
    given,
    outside,
)
from sessile.options import CookieOptions
from sessile.wsgi import facts_of, key_of, path_of

__all__ = ["Session", "init_app", "session"]


#: Settings of Flask-Session that name its store.
_FLASK_SESSION = ("SESSION_TYPE", "SESSION_REDIS", "SESSION_MEMCACHED", "SESSION_MONGODB", "SESSION_SQLALCHEMY")

#: Where Flask's flash() keeps its messages.
_FLASHES = "_flashes"


class Session(core.Session, SessionMixin):
    """A session, and what Flask and its extensions expect: ``permanent``, ``new``, ``modified``, ``accessed``."""

    exchange: Exchange[Session]

    def __call__(self) -> Self:
        """Return the session itself: ``session()`` is what the other frameworks' modules have."""
        return self

    # Flask's flash() keeps [category, message] pairs under this key, and get_flashed_messages() takes them out.

    def __setitem__(self, key: str, value: JSON) -> None:
        if key == _FLASHES and isinstance(value, list):
            value = [[pair[0], flash.stored(pair[1])] if len(pair) == 2 else pair for pair in value]
        super().__setitem__(key, value)

    def pop(self, key: str, *default: JSON) -> JSON:
        value = super().pop(key, *default)
        if key == _FLASHES and isinstance(value, list):
            return [(pair[0], flash.taken(pair[1])) if len(pair) == 2 else pair for pair in value]
        return value

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

    def _about_to_write(self) -> None:
        if self._state.ended is SENT:
            # A test that keeps the context of its request looks at what a page has flashed, which takes it out.
            warn_outside(SENT, UserWarning)
            return
        super()._about_to_write()

    @property
    def accessed(self) -> bool:
        """Whether the response depends on the session. Setting it does nothing: to name the session is not to look."""
        return state_of(self).accessed

    @accessed.setter
    def accessed(self, value: bool) -> None:
        pass


class NoSession(NullSession):
    """Stands in for the session where the cookie's path does not cover the URL. It is empty, and stays so."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise outside(self._path)

    __call__ = __setitem__ = __delitem__ = clear = pop = popitem = update = setdefault = _refuse


#: ``flask.session``, for type checkers: the same object. ``session()`` is the same again.
session = cast("Session", flask.session)


def init_app(
    app: Flask, sessions: Sessions | None = None, *, lazy: bool = True, **options: Unpack[SessionsArguments]
) -> None:
    """Keep the sessions of ``app`` in ``sessions``. No SECRET_KEY is needed for them.

    ``sessions`` is the manager; or give its options here, as keyword arguments.

    The first look loads the session, and a request that never looks makes no call to the store: so it does not extend
    the session's life either. With ``lazy=False`` each request loads, and counts as a visit, as under ASGI.

    A request that ends in an exception which no handler of yours takes changes nothing. A session that a request leaves
    with neither data nor a log-in ends, record and cookie, as Flask's own does: ``session.clear()`` is a log-out.

    Where Flask-Login is installed, its log-ins are log-ins of the session, under a new id, and so are those of what is
    built on it (Flask-Security); ``logout_user()`` ends the log-in.

    Where the options are given here, and none is the cookie's path, the path is ``APPLICATION_ROOT``, as Flask has it.
    """
    at_root = False
    if options and (root := app.config["APPLICATION_ROOT"]) != "/":
        cookie = options.get("cookie", CookieOptions())
        at_root = isinstance(cookie, CookieOptions) and cookie.path == "/"
        if at_root:
            options["cookie"] = replace(cast("CookieOptions", cookie), path=root)
    sessions = given(sessions, options)
    warn_of_settings(app.config, app.default_config)
    # All of the application is below its root, also where a proxy takes the root off the URL.
    everywhere = at_root or sessions.engine.setup.path == "/"
    app.session_interface = _Interface(sessions, lazy, everywhere)
    app.extensions["sessile"] = sessions
    got_request_exception.connect(_failed, app)
    _follow_flask_login(app)

    def refuse_other_origins() -> Response | None:
        environ = flask.request.environ
        covered = everywhere or sessions.engine.path_matches(path_of(environ))
        if covered and sessions.engine.refuses(flask.request.method, lambda: facts_of(environ)):
            return current_app.response_class(FORBIDDEN, 403, dict(FORBIDDEN_HEADERS))
        return None

    app.before_request_funcs.setdefault(None, []).insert(0, refuse_other_origins)
    if sessions.options.on_store_error == "unavailable":
        app.register_error_handler(StoreUnavailable, lambda error: _refused(current_app.response_class()))


def warn_of_settings(config: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Warn of settings for the cookie that somebody has changed, and of Flask-Session's: they are not read."""
    theirs = sorted(name for name in _FLASK_SESSION if name in config)
    if theirs:
        warnings.warn(
            f"the settings {', '.join(theirs)} are Flask-Session's and are not read. Take them out, and say the same "
            'with Sessions(store="redis://...")',
            stacklevel=3,
        )
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
    def __init__(self, sessions: Sessions, lazy: bool, everywhere: bool) -> None:
        self._sessions = sessions
        self._lazy = lazy
        self._everywhere = everywhere
        self._header = key_of(sessions.engine.reads)

    def make_null_session(self, app: Flask) -> NoSession:
        return NoSession(self._sessions.engine.setup.path)

    def open_session(self, app: Flask, request: Request) -> Session | None:
        environ = request.environ
        if not (self._everywhere or self._sessions.engine.path_matches(path_of(environ))):
            return None
        header = environ.get(self._header, "").encode("latin-1")
        exchange = Exchange(self._sessions, header, lambda: facts_of(environ), Session)
        opened = exchange.load_lazily()
        opened.exchange = exchange
        state_of(opened).ends_empty = True
        if not self._lazy:
            exchange.load()
        return opened

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if not isinstance(session, Session):
            return
        exchange = session.exchange
        exchange.streams = response.is_streamed and not response.direct_passthrough
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


#: Where Flask-Login keeps what it knows of the user, in the data of the session.
_OF_FLASK_LOGIN = ("_user_id", "_fresh", "_id", "_remember", "_remember_seconds")


def _follow_flask_login(app: Flask) -> None:
    """Let the log-ins and log-outs of Flask-Login be those of the session. Its functions leave the id as it is."""
    try:
        import flask_login
    except ImportError:
        return
    flask_login.user_logged_in.connect(_logged_in, app)
    flask_login.user_loaded_from_cookie.connect(_logged_in, app)
    flask_login.user_login_confirmed.connect(_confirmed, app)
    flask_login.user_logged_out.connect(_logged_out, app)


def _ours() -> Session | None:
    """Return the session of the request at hand, if it is ours and can be changed."""
    opened = _current()
    return opened if opened is not None and state_of(opened).ended is None else None


def _current() -> Session | None:
    opened = cast("Any", flask.session)._get_current_object()
    return opened if isinstance(opened, Session) else None


def _logged_in(app: Flask, user: Any, **_: Any) -> None:
    opened, user_id = _ours(), user.get_id()
    if opened is None:
        return
    state = state_of(opened)
    if state.proof is EventKind.LOGGED_IN and str(opened.user_id) == str(user_id):
        return  # The application has called login() as well.
    if isinstance(user_id, bool) or not isinstance(user_id, (str, int)) or user_id == "":
        opened.regenerate(keep=True)
        return
    kept, life = {key: opened[key] for key in _OF_FLASK_LOGIN if key in opened}, opened.cookie.original_max_age
    opened.login(user_id)
    if life is not None:
        opened.cookie.max_age = life  # `session.permanent = True` stands before `login_user()` in many applications.
    opened.update(kept)  # If it was somebody else's session, nothing else of theirs lives on.


def _confirmed(app: Flask, **_: Any) -> None:
    opened = _ours()
    if opened is not None and opened.user_id is not None:
        opened.reauthenticated()


def _logged_out(app: Flask, **_: Any) -> None:
    opened = _ours()
    if opened is not None and opened.user_id is not None:
        data.end_login(opened)


def _failed(app: Flask, **_: Any) -> None:
    """Drop what a request changed that ends in an exception."""
    opened = _current()
    if opened is not None:
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
