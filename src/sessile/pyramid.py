# Pyramid asks a factory for the session when somebody names request.session, and calls the response back before its
# head is sent: not if an exception found no view. Between the two nothing is loaded until somebody looks.
"""Sessions for Pyramid: ``request.session``, a session factory."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from typing import Any, Unpack

from sessile.errors import MissingExtra

try:
    from pyramid.config import Configurator
    from pyramid.events import NewRequest
    from pyramid.httpexceptions import HTTPForbidden
    from pyramid.interfaces import ISession
    from pyramid.request import Request
    from pyramid.response import Response
    from pyramid.settings import asbool
    from zope.interface import implementer
except ModuleNotFoundError as error:
    raise MissingExtra("sessile.pyramid", "pyramid") from error

from sessile._engine.arguments import SessionsArguments
from sessile._engine.manager import Sessions
from sessile._session import flash
from sessile._session import session as core
from sessile._session.watched import state_of
from sessile.errors import MissingMiddleware, StoreUnavailable
from sessile.http import FORBIDDEN, UNAVAILABLE, UNAVAILABLE_HEADERS, Body, Exchange, given
from sessile.wsgi import Lines, facts_of, is_complete, key_of, path_of

__all__ = ["Session", "includeme", "session", "session_factory"]

#: Where Pyramid's own policy for CSRF tokens, ``SessionCSRFStoragePolicy``, keeps the token too.
_CSRF = "_csrft_"

#: Where Pyramid's ``SessionAuthenticationHelper`` keeps its user, with its usual prefix.
USERID = "auth.userid"

_REMEDY = 'this request has no session. Call config.include("sessile.pyramid")'

_OTHER = (
    "this request has a session of another factory: {0.__module__}.{0.__qualname__}. "
    'Leave that factory out, and call config.include("sessile.pyramid")'
)

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
        kept = self.get(flash.FLASH)
        messages = kept.get(queue) if isinstance(kept, dict) else None
        return list(messages) if isinstance(messages, list) else []

    def login(
        self, user_id: str | int, keep: Iterable[str] | bool = True, *, remember: bool = False, **claims: Any
    ) -> None:
        """Record who the visitor is, under a new id and with another CSRF token: see ``sessile.Session.login``."""
        super().login(user_id, keep, remember=remember, **claims)
        dict.pop(self, _CSRF, None)  # Somebody may have planted the old one, with the id.

    def __setitem__(self, key: str, value: Any) -> None:
        if key == USERID and dict.get(self, key) != value:
            self._change_user()
        super().__setitem__(key, value)

    def __delitem__(self, key: str) -> None:
        if key == USERID and key in self:
            self._change_user()
        super().__delitem__(key)

    def _change_user(self) -> None:
        """Get a new id, because Pyramid's own ``remember`` or ``forget`` is at work."""
        if not state_of(self).headless:
            self.regenerate(keep=True)
            dict.pop(self, _CSRF, None)

    def new_csrf_token(self) -> str:
        """Make a new CSRF token, keep it and return it. ``login()`` and ``remember`` see to it that one is made."""
        token = secrets.token_hex(20)
        self[_CSRF] = token
        return token

    def get_csrf_token(self) -> str:
        """Return the CSRF token, made now if there is none yet."""
        token = self.get(_CSRF)
        return token if isinstance(token, str) else self.new_csrf_token()


def session_factory(
    sessions: Sessions | None = None, *, lazy: bool = True, **options: Unpack[SessionsArguments]
) -> Callable[[Request], Session]:
    """Return a session factory for ``config.set_session_factory``, which ``config.include`` calls for you.

    ``sessions`` is the manager; or give its options here, as keyword arguments. The first look loads the session. With
    ``lazy=False``, naming ``request.session`` does.
    """
    manager = given(sessions, options)
    engine = manager.engine
    header = key_of(engine.reads)

    def factory(request: Request) -> Session:
        environ = request.environ
        if not engine.path_matches(path_of(environ)):
            return _outside(manager)
        exchange = Exchange(manager, environ.get(header, "").encode("latin-1"), lambda: facts_of(environ), Session)
        begun = exchange.load_lazily()
        if not lazy:
            exchange.load()
        request.add_response_callback(lambda request, response: _commit(exchange, request, response))
        return begun

    return factory


def includeme(config: Configurator) -> None:
    """Give each request its session: ``config.include("sessile.pyramid")``.

    The setting ``sessile.sessions`` is the manager; or give its options as settings that begin with ``sessile.``:
    ``sessile.secret``, ``sessile.store``. With ``sessile.lazy = false`` every request loads its session, and counts
    as a visit. While the store is down visitors get 503, by an exception view for StoreUnavailable.

    A request that ends in an exception for which there is no view changes nothing.
    """
    prefix = "sessile."
    settings = {
        name.removeprefix(prefix): value for name, value in config.get_settings().items() if name.startswith(prefix)
    }
    lazy = asbool(settings.pop("lazy", True))
    sessions = given(settings.pop("sessions", None), settings)
    config.set_session_factory(session_factory(sessions, lazy=lazy))
    if not lazy:
        config.add_subscriber(lambda event: event.request.session, NewRequest)
    config.add_subscriber(lambda event: _refuse_other_origins(sessions, event.request), NewRequest)
    if sessions.options.on_store_error == "unavailable":
        config.add_exception_view(lambda error, request: _refuse(request.response), context=StoreUnavailable)


def session(request: Request) -> Session:
    """Return the session of a request, typed. The same object as ``request.session``.

    Raises MissingMiddleware if there is none of ours: ``config.include("sessile.pyramid")`` is missing, or another
    session factory was set after it.
    """
    found = getattr(request, "session", None)
    if not isinstance(found, Session):
        raise MissingMiddleware(_REMEDY if found is None else _OTHER.format(type(found)))
    return found


def _refuse_other_origins(sessions: Sessions, request: Request) -> None:
    environ = request.environ
    covered = sessions.engine.path_matches(path_of(environ))
    if covered and sessions.engine.refuses(request.method, lambda: facts_of(environ)):
        raise HTTPForbidden(FORBIDDEN.decode())


def _commit(exchange: Exchange[Session], request: Request, response: Response) -> None:
    exchange.streams = not is_complete(response.app_iter, request.environ)
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
    outside = sessions.engine.blank(session_class=Session)
    state_of(outside).end(_OUTSIDE)
    return outside
