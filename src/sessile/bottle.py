# Bottle keeps the head of a response in a place of each thread, and merges into it what a handler returns or raises; a
# generator runs after both. The one moment that comes after all of them is start_response, so the plugin wraps the
# application as WSGI, and leaves the rest to wsgi.py.
"""Sessions for Bottle: ``request.session``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import TYPE_CHECKING, Any, Unpack, cast

from sessile.errors import MissingExtra

try:
    import bottle
except ModuleNotFoundError as error:
    raise MissingExtra("sessile.bottle", "bottle") from error

from sessile._engine.arguments import SessionsArguments
from sessile._engine.manager import Sessions
from sessile._session.session import Session
from sessile.http import given, missing
from sessile.wsgi import KEY, SessionMiddleware

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

__all__ = ["SessionPlugin", "session"]

_REMEDY = "this request has no session. Install the plugin: app.install(sessile.bottle.SessionPlugin(sessions))"

#: Where Bottle finds ``request.session``.
_ATTRIBUTE = "bottle.request.ext.session"


class SessionPlugin:
    """Gives each request its session, as ``request.session``: ``app.install(SessionPlugin(sessions))``.

    ``sessions`` is the manager; or give its options here, as keyword arguments. The first look loads the session;
    ``lazy=False`` loads each, and makes every request a visit. Applications that are mounted share the session.

    A request that ends in an exception changes nothing.

    >>> app = bottle.Bottle()
    >>> _ = app.install(SessionPlugin(secret="a long random text that nobody else knows"))
    """

    name = "sessile"
    api = 2

    def __init__(
        self, sessions: Sessions | None = None, *, lazy: bool = True, **options: Unpack[SessionsArguments]
    ) -> None:
        self.sessions = given(sessions, options)
        self._lazy = lazy

    def setup(self, app: bottle.Bottle) -> None:
        """Wrap ``app``, when it installs the plugin."""
        inner = app.wsgi

        def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            if KEY in environ:
                environ[_ATTRIBUTE] = environ[KEY]
            return cast("Iterable[bytes]", inner(environ, start_response))

        app.wsgi = SessionMiddleware(application, self.sessions, lazy=self._lazy)

    def apply(self, callback: Callable[..., Any], route: bottle.Route) -> Callable[..., Any]:
        """Have Bottle write a copy of a session that a handler returns: by ujson, where there is one, unseen."""

        @wraps(callback)
        def handler(*args: Any, **kwargs: Any) -> Any:
            answer = callback(*args, **kwargs)
            return answer.copy() if isinstance(answer, Session) else answer

        return handler


def session() -> Session:
    """Return the session of the request that this thread answers, typed. The same object as ``request.session``.

    Raises MissingMiddleware if there is none: the plugin is missing, or the cookie's path does not cover the URL.
    """
    found = bottle.request.environ.get(_ATTRIBUTE)
    if not isinstance(found, Session):
        raise missing(found, _REMEDY, bottle.request.environ)
    return found
