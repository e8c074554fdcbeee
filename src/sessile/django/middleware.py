# Two middlewares, both of them Django's by inheritance, because its checks ask for that. One leaves the cookie to
# Django, and gives two other answers; the other writes express-session's cookie, and then all rules are the core's.
"""Middlewares that stand in the place of Django's own."""

from __future__ import annotations

from collections.abc import Awaitable
from http.cookies import Morsel
from typing import Any

from django.conf import settings
from django.contrib.sessions import middleware
from django.contrib.sessions.exceptions import SessionInterrupted
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse, parse_cookie
from django.utils.cache import patch_vary_headers

from sessile._engine.manager import Sessions
from sessile._session import session as core
from sessile._session.data import become
from sessile._session.state import Intent
from sessile._session.watched import state_of
from sessile._wire.warn import warn_outside
from sessile.django import configuration
from sessile.django.request import aanswer, answer, facts_of, header_of
from sessile.django.store import EXPIRY, SessionStore, other_engine
from sessile.django.user import OfUser, with_user
from sessile.errors import MissingMiddleware, StoreUnavailable
from sessile.http import (
    FORBIDDEN,
    FORBIDDEN_HEADERS,
    SENT,
    UNAVAILABLE,
    UNAVAILABLE_HEADERS,
    Body,
    Exchange,
    async_body,
)

__all__ = ["PlainSessionMiddleware", "SessionMiddleware", "aload", "session"]


class _OnOurEngine(middleware.SessionMiddleware):  # type: ignore[misc]
    """Refuses to stand on another engine: tests, ``clearsessions`` and packages would look for sessions there."""

    def __init__(self, get_response: Any) -> None:
        found = other_engine()
        if found is not None:
            raise ImproperlyConfigured(found)
        super().__init__(get_response)


class PlainSessionMiddleware(_OnOurEngine):
    """Django's own, which writes Django's own cookie, with two other answers.

    While the store is down: 503 with Retry-After, unless ``on_store_error`` says otherwise, instead of an error page.
    And to a request whose session was ended while it ran: its page, without a cookie, instead of status 400. What it
    wrote is dropped, as everywhere in this library.
    """

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        """Begin the session, or refuse what a page of another origin has sent."""
        if configuration.sessions().options.device is not None:
            raise ImproperlyConfigured("device= needs sessile.django.SessionMiddleware, not PlainSessionMiddleware")
        super().process_request(request)
        return _forbidden(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer what a view raises because the store is down."""
        return unavailable() if isinstance(exception, StoreUnavailable) and _refuses() else None

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Store the session, and set or delete the cookie."""
        try:
            answer: HttpResponse = super().process_response(request, response)
            if settings.SESSION_COOKIE_NAME in answer.cookies:
                # Django leaves `public` where it is, and Set-Cookie alone keeps a response out of no cache.
                if "no-store" not in answer.headers.get("Cache-Control", "").lower():
                    answer.headers["Cache-Control"] = "no-store"
            elif _is_made_later(answer) and settings.SESSION_COOKIE_NAME in request.COOKIES:
                patch_vary_headers(answer, ("Cookie",))
            return answer
        except SessionInterrupted:
            patch_vary_headers(response, ("Cookie",))
            return response
        except StoreUnavailable:
            if configuration.sessions().options.on_store_error == "anonymous":
                return response
            if not _refuses():
                raise
            return unavailable(response)


class SessionMiddleware(_OnOurEngine):
    """Gives each request its session by express-session's signed cookie, which Node reads and writes too.

    The cookie has the name and the attributes of Django's settings; ``SESSILE["cookie"]``, a CookieOptions, says more.
    The first look loads the session, and a request that never looks makes no call to the store; with
    SESSION_SAVE_EVERY_REQUEST each request loads, counts as a visit and renews the cookie.

    ``cycle_key`` and ``flush`` are carried out when the response begins, in one step with what the request wrote. A
    response of status 500 or above changes nothing, as with Django's own.
    """

    #: What tells the store whether `session_key` is a token (configuration.py).
    signs_the_cookie = True

    def __call__(self, request: HttpRequest) -> HttpResponse | Awaitable[HttpResponse]:
        if self.async_mode:
            return self.__acall__(request)
        answered = answer(request) or _forbidden(request)
        if answered is not None:
            return answered
        exchange, response = _begin(request), None
        try:
            if configuration.eager():
                exchange.load()
            response = self.get_response(request)
            exchange.commit(*_outcome(exchange, request, response))
        except StoreUnavailable as error:
            response = _refused(exchange, response, error)
        return _with_end(exchange, response)

    async def __acall__(self, request: HttpRequest) -> HttpResponse:
        answered = await aanswer(request) or _forbidden(request)
        if answered is not None:
            return answered
        exchange, response = _begin(request), None
        try:
            if configuration.eager():
                await exchange.load_async()
            response = await self.get_response(request)
            await exchange.commit_async(*_outcome(exchange, request, response))
        except StoreUnavailable as error:
            response = _refused(exchange, response, error)
        return _with_end(exchange, response)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer what a view raises because the store is down."""
        return unavailable() if isinstance(exception, StoreUnavailable) and _refuses() else None


def session(request: HttpRequest) -> core.Session:
    """Return the session behind ``request.session``, typed: a dict, and all that a session of ours can do.

    Loads it, if nobody has. With Django's own cookie it has no ``destroy`` and ``logout``: there
    ``request.session.flush()`` ends a session. Raises MissingMiddleware if the request has none of ours.
    """
    return _store_of(request).loaded()


async def aload(request: HttpRequest) -> core.Session:
    """The async version of ``session``."""
    return await _store_of(request).aloaded()


def _store_of(request: HttpRequest) -> SessionStore:
    found = getattr(request, "session", None)
    if not isinstance(found, SessionStore):
        raise MissingMiddleware(
            'this request has no session of sessile. Set SESSION_ENGINE = "sessile.django", and put a middleware for '
            "sessions into MIDDLEWARE"
        )
    return found


# One request ----------------------------------------------------------------------------------------------------------


def _forbidden(request: HttpRequest) -> HttpResponse | None:
    """Return the answer to a page of another origin, or None to one of our own."""
    if configuration.sessions().engine.refuses(request.method or "GET", lambda: facts_of(request)):
        return HttpResponse(FORBIDDEN, status=403, headers=dict(FORBIDDEN_HEADERS))
    return None


def _begin(request: HttpRequest) -> Exchange[Data]:
    sessions = configuration.sessions()
    header = header_of(request)
    exchange = Exchange(sessions, _as_changed(request, header, sessions), lambda: facts_of(request), Data)
    with_user(exchange.session)
    request.session = _OfRequest(exchange)
    return exchange


def _as_changed(request: HttpRequest, header: bytes, sessions: Sessions) -> bytes:
    """Return the header of cookies with what a middleware around ours has made of ``request.COOKIES``.

    Where nothing of ours was changed, that is the header itself: it may have two cookies of one name.
    """
    given = vars(request).get("COOKIES")
    if given is None or sessions.engine.reads != b"cookie":  # Nobody has looked at them.
        return header
    sent = parse_cookie(header.decode("latin-1"))
    name = sessions.options.name
    if all(sent.get(key) == given.get(key) for key in {*sent, *given} if key.startswith(name)):
        return header
    return "; ".join(f"{key}={value}" for key, value in given.items()).encode("latin-1", "replace")


def _outcome(exchange: Exchange[Data], request: HttpRequest, response: HttpResponse) -> tuple[_Headers, object]:
    """Return the headers of ``response``, and what stands where the session was."""
    exchange.stored = exchange.stored and response.status_code < 500
    store = request.session
    if isinstance(store, SessionStore) and not isinstance(store, _OfRequest):
        store = request.session = _in_its_place(exchange, store)
    if isinstance(store, _OfRequest):
        store.align()
    exchange.streams = _is_made_later(response)
    return _Headers(response), None if store is None else ...


def _in_its_place(exchange: Exchange[Data], store: SessionStore) -> _OfRequest:
    """Let the session of the request be ``store``, which a view has put into its place: django-allauth does."""
    theirs, ours, state = store.__dict__.get("_session_cache"), exchange.session, state_of(exchange.session)
    if theirs is not None:
        state.loader = state.ended = None
        become(ours, theirs)
        ours.touch()  # The browser may have another key, or none.
    return _OfRequest(exchange, ours)


def _with_end(exchange: Exchange[Data], response: HttpResponse) -> HttpResponse:
    """Let what ``response`` changes while it is sent be stored."""
    if not _is_made_later(response):
        exchange.abandon()
    elif response.is_async:
        response.streaming_content = async_body(exchange, response.streaming_content)
    else:
        response.streaming_content = Body(exchange, response.streaming_content)
    return response


def _is_made_later(response: HttpResponse) -> bool:
    """Tell whether a view still makes the body while it is sent."""
    return response.streaming and getattr(response, "file_to_stream", None) is None


def _refuses() -> bool:
    return configuration.sessions().options.on_store_error == "unavailable"


def _refused(exchange: Exchange[Data], response: HttpResponse | None, error: StoreUnavailable) -> HttpResponse:
    """Return what is sent in the place of ``response``, or let the exception through."""
    if not exchange.refuses:
        exchange.abandon()
        raise error
    return unavailable(response)


def unavailable(response: HttpResponse | None = None) -> HttpResponse:
    """Return a response that says that the store is down, and closes what ``response`` would have."""
    refused = HttpResponse(UNAVAILABLE, status=503, headers=dict(UNAVAILABLE_HEADERS))
    if response is not None:
        # Django has no other way to close what a response that is not sent has opened.
        refused._resource_closers += response._resource_closers  # noqa: SLF001
    return refused


class Data(OfUser):
    """What the session of a request works on. What is written after its end belongs to a new one."""

    __slots__ = ()

    def _about_to_write(self) -> None:
        if self._state.ended is SENT:
            # A test looks at `response.wsgi_request.session`. What it changes there is a copy.
            warn_outside(SENT, UserWarning)
            return
        if self._state.ended is not None and self._state.intent is Intent.DESTROY:
            self.regenerate()
        super()._about_to_write()


class _OfRequest(SessionStore):
    """The session of a request: what Django's methods ask for is carried out with the response.

    With a key, as ``request.session.__class__(key)``, it is a plain ``SessionStore``, which has no request.
    """

    def __new__(cls, exchange: Exchange[Data] | str | None = None, *rest: Any, session_key: str | None = None) -> Any:
        if isinstance(exchange, Exchange):
            return super().__new__(cls)
        return SessionStore(session_key if exchange is None else exchange)

    def __init__(self, exchange: Exchange[Data], begun: Data | None = None) -> None:
        super().__init__()
        self._exchange = exchange
        self._session_cache = exchange.load_lazily() if begun is None else begun

    def _get_key(self) -> str | None:
        self._exchange.load()
        return super()._get_key()

    def _forget_key(self, key: str | None) -> None:
        super()._set_key(key)

    session_key = property(_get_key)
    _session_key = property(_get_key, _forget_key)

    @property
    def accessed(self) -> bool:
        """Whether the response depends on the session. Setting it does nothing: to name the session is not to look."""
        return state_of(self._exchange.session).accessed

    @accessed.setter
    def accessed(self, value: bool) -> None:
        pass

    def _get_session(self, no_load: bool = False) -> core.Session:
        return self._exchange.load()

    async def _aget_session(self, no_load: bool = False) -> core.Session:
        return await self._exchange.load_async()

    _session = property(_get_session)

    def save(self, must_create: bool = False) -> None:
        """Store the session now."""
        if not self._is_over():
            self._exchange.load()
            super().save(must_create)

    async def asave(self, must_create: bool = False) -> None:
        """Store the session now."""
        if not self._is_over():
            await self._exchange.load_async()
            await super().asave(must_create)

    def _is_over(self) -> bool:
        """Return True, and warn, if the response has been sent: then nothing is stored."""
        over = state_of(self._exchange.session).ended is SENT
        if over:
            warn_outside(SENT, UserWarning)
        return over

    def cycle_key(self) -> None:
        """Give the session a new key, with the response."""
        self._exchange.load().regenerate(keep=True)

    async def acycle_key(self) -> None:
        """Give the session a new key, with the response."""
        (await self._exchange.load_async()).regenerate(keep=True)

    create, acreate = cycle_key, acycle_key

    def flush(self) -> None:
        """End the session, with the response. What is written from here on belongs to a new one."""
        self._exchange.load().destroy()

    async def aflush(self) -> None:
        """End the session, with the response. What is written from here on belongs to a new one."""
        (await self._exchange.load_async()).destroy()

    def set_expiry(self, value: Any) -> None:
        """Set how long the session lives: seconds, timedelta, datetime; 0: until the browser closes; None: as ever."""
        super().set_expiry(value)
        super()._align(self._session)

    async def aset_expiry(self, value: Any) -> None:
        """The async version of ``set_expiry``."""
        await super().aset_expiry(value)
        super()._align(await self._aget_session())

    def align(self) -> None:
        """Let a session that was told when to end keep to it."""
        if state_of(self._exchange.session).loader is None:
            self._align(self._exchange.session)

    def _align(self, data: core.Session) -> None:
        if dict.__contains__(data, EXPIRY):
            super()._align(data)


# Its response ---------------------------------------------------------------------------------------------------------


class _Headers:
    """The headers of a response as Django has them (``sessile.http.Headers``): cookies have a place of their own."""

    __slots__ = ("response",)

    def __init__(self, response: HttpResponse) -> None:
        self.response = response

    def get(self, name: str, /) -> str | None:
        """Return the value of the header ``name``."""
        value: str | None = self.response.headers.get(name)
        return value

    def __setitem__(self, name: str, value: str, /) -> None:
        self.response.headers[name] = value

    def add(self, name: str, value: str, /) -> None:
        """Add a header, or a cookie to those that the response sets."""
        if name == "Set-Cookie":
            line = Line(value)
            self.response.cookies[line.key] = line
        else:
            self.response.headers[name] = value


class Line(Morsel[str]):
    """A cookie that a response sets, written as it was given: Django's own writes fewer attributes."""

    def __init__(self, line: str) -> None:
        super().__init__()
        self.line = line
        (name, _, value), *attributes = (part.partition("=") for part in line.split("; "))
        self.set(name, value, value)
        for key, _, text in attributes:
            if self.isReservedKey(key):
                self[key] = int(text) if key.lower() == "max-age" else text or True
        self._given = dict(self)

    def OutputString(self, attrs: Any = None) -> str:
        """Return the line, with what a middleware around this one has changed."""
        changed = {key: value for key, value in self.items() if value != self._given[key]}
        if not changed and self.line.partition("; ")[0] == f"{self.key}={self.coded_value}":
            return self.line
        attributes = self.line.split("; ")[1:]
        kept = [attribute for attribute in attributes if attribute.partition("=")[0].lower() not in changed]
        new = [key if value is True else f"{key}={value}" for key, value in changed.items() if value not in ("", False)]
        return "; ".join([f"{self.key}={self.coded_value}", *kept, *new])

    def __reduce__(self) -> tuple[type[Line], tuple[str]]:
        return type(self), (self.line,)
