# Pyramid asks a factory for the session when somebody names request.session, and calls the response back before its
# head is sent: not if an exception found no view. Between the two nothing is loaded until somebody looks.
"""Sessions for Pyramid: ``request.session``, a session factory."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from pyramid.config import Configurator
from pyramid.events import NewRequest
from pyramid.interfaces import ISession
from pyramid.request import Request
from pyramid.response import Response
from pyramid.settings import asbool
from zope.interface import implementer

from holdfast import session as core
from holdfast.errors import MissingMiddleware, StoreUnavailable
from holdfast.http import UNAVAILABLE, UNAVAILABLE_HEADERS, Body, Exchange, given
from holdfast.manager import Sessions
from holdfast.wsgi import Lines, facts_of, is_complete, key_of, path_of

__all__ = ["Session", "includeme", "session", "session_factory"]

#: Where Pyramid's own policy for CSRF tokens, ``SessionCSRFStoragePolicy``, keeps the token too.
_CSRF = "_csrft_"

_OUTSIDE = "the path of the session's cookie does not cover this URL, so nothing would store this change"


@implementer(ISession)
class Session(core.Session):
    """A session, and what Pyramid expects of one (``pyramid.interfaces.ISession``)."""

    @property
    def created(self) -> int:
        """When the session began, in epoch seconds; 0 where the record does not say, as in ``created_at``."""
        return int(self.created_at or 0)

    @property
    def new(self) -> bool:
        """Whether the store has no record of this session."""
        return self.is_new

    def changed(self) -> None:
        """Do nothing: a change is noticed at any depth."""

    def invalidate(self) -> None:
        """End the session, and begin an empty one with another id: ``regenerate()``. To log out, ``logout()``."""
        self.regenerate()

    def flash(self, msg: Any, queue: str = "", allow_duplicate: bool = True) -> None:
        """Keep ``msg`` in ``queue`` for the next page that asks with ``pop_flash``."""
        if allow_duplicate or msg not in self.peek_flash(queue):
            super().flash(msg, queue)

    def pop_flash(self, queue: str = "") -> list[Any]:
        """Take the messages out of ``queue``."""
        return self.flashes(queue).get(queue, [])

    def peek_flash(self, queue: str = "") -> list[Any]:
        """Return the messages in ``queue``, and leave them there."""
        kept = self.get(core.FLASH)
        messages = kept.get(queue) if isinstance(kept, dict) else None
        return list(messages) if isinstance(messages, list) else []

    def new_csrf_token(self) -> str:
        """Make a new CSRF token, keep it and return it. Do so when somebody logs in."""
        token = secrets.token_hex(20)
        self[_CSRF] = token
        return token

    def get_csrf_token(self) -> str:
        """Return the CSRF token, made now if there is none yet."""
        token = self.get(_CSRF)
        return token if isinstance(token, str) else self.new_csrf_token()


def session_factory(sessions: Sessions, *, lazy: bool = True) -> Callable[[Request], Session]:
    """Return a session factory for ``config.set_session_factory``, which ``config.include`` calls for you.

    The first look loads the session. With ``lazy=False``, naming ``request.session`` does.
    """
    header = key_of(sessions.reads)

    def factory(request: Request) -> Session:
        environ = request.environ
        if not sessions.covers(path_of(environ)):
            return _outside(sessions)
        exchange = Exchange(sessions, environ.get(header, "").encode("latin-1"), lambda: facts_of(environ), Session)
        begun = exchange.load_lazily()
        if not lazy:
            exchange.load()
        request.add_response_callback(lambda request, response: _commit(exchange, request, response))
        assert isinstance(begun, Session)
        return begun

    return factory


def includeme(config: Configurator) -> None:
    """Give each request its session: ``config.include("holdfast.pyramid")``.

    The setting ``holdfast.sessions`` is the manager; or give its options as settings that begin with ``holdfast.``:
    ``holdfast.secret``, ``holdfast.store``. With ``holdfast.lazy = false`` every request loads its session, and counts
    as a visit. While the store is down visitors get 503, by an exception view for StoreUnavailable.

    A request that ends in an exception for which there is no view changes nothing.
    """
    prefix = "holdfast."
    settings = {
        name.removeprefix(prefix): value for name, value in config.get_settings().items() if name.startswith(prefix)
    }
    lazy = asbool(settings.pop("lazy", True))
    sessions = given(settings.pop("sessions", None), settings)
    config.set_session_factory(session_factory(sessions, lazy=lazy))
    if not lazy:
        config.add_subscriber(lambda event: event.request.session, NewRequest)
    if sessions.options.on_store_error == "unavailable":
        config.add_exception_view(lambda error, request: _refuse(request.response), context=StoreUnavailable)


def session(request: Request) -> Session:
    """Return the session of a request, typed. The same object as ``request.session``.

    Raises MissingMiddleware if there is none of ours: ``config.include("holdfast.pyramid")`` is missing, or another
    session factory was set after it.
    """
    found = getattr(request, "session", None)
    if not isinstance(found, Session):
        raise MissingMiddleware('this request has no session. Call config.include("holdfast.pyramid")')
    return found


def _commit(exchange: Exchange, request: Request, response: Response) -> None:
    try:
        exchange.commit(Lines(response.headerlist), vars(request).get("session", ...))
    except StoreUnavailable:
        if not exchange.refuses:
            raise
        _refuse(response)
    if is_complete(response.app_iter, request.environ):
        exchange.abandon()
    else:
        response.app_iter = Body(exchange, response.app_iter)


def _refuse(response: Response) -> Response:
    """Let ``response`` say that the store is down."""
    close = getattr(response.app_iter, "close", None)
    if close is not None:
        close()
    response.status = 503
    response.headerlist = list(UNAVAILABLE_HEADERS)
    response.app_iter = [UNAVAILABLE]
    return response


def _outside(sessions: Sessions) -> Session:
    """Return what stands for a session where there is none: it is empty, and refuses writes."""
    outside = Session({}, sessions)
    outside.end(_OUTSIDE)
    return outside
