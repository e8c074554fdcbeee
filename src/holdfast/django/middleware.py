# Two middlewares, both of them Django's by inheritance, because its checks ask for that. One leaves the cookie to
# Django, and gives two other answers; the other writes express-session's cookie, and then all rules are the core's.
"""Middlewares that stand in the place of Django's own."""

from __future__ import annotations

from http.cookies import Morsel
from typing import Any

import msgspec
from django.contrib.sessions import middleware
from django.contrib.sessions.exceptions import SessionInterrupted
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

from holdfast import asgi, wsgi
from holdfast import session as core
from holdfast.cookies import header_of
from holdfast.django import configuration
from holdfast.django.store import EXPIRY, SessionStore
from holdfast.django.user import OfUser
from holdfast.errors import MissingMiddleware, StoreUnavailable
from holdfast.facts import RequestFacts
from holdfast.http import UNAVAILABLE, UNAVAILABLE_HEADERS, Body, Exchange, async_body
from holdfast.session import Intent

__all__ = ["PlainSessionMiddleware", "SessionMiddleware", "asession", "session"]


class PlainSessionMiddleware(middleware.SessionMiddleware):  # type: ignore[misc]
    """Django's own, which writes Django's own cookie, with two other answers.

    While the store is down: 503 with Retry-After, unless ``on_store_error`` says otherwise, instead of an error page.
    And to a request whose session was ended while it ran: its page, without a cookie, instead of status 400. What it
    wrote is dropped, as everywhere in this library.
    """

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer what a view raises because the store is down."""
        return unavailable() if isinstance(exception, StoreUnavailable) and _refuses() else None

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Store the session, and set or delete the cookie."""
        try:
            return super().process_response(request, response)
        except SessionInterrupted:
            patch_vary_headers(response, ("Cookie",))
            return response
        except StoreUnavailable:
            if configuration.sessions().options.on_store_error == "anonymous":
                return response
            if not _refuses():
                raise
            return unavailable(response)


class SessionMiddleware(middleware.SessionMiddleware):  # type: ignore[misc]
    """Gives each request its session by express-session's signed cookie, which Node reads and writes too.

    The cookie has the name and the attributes of Django's settings; ``HOLDFAST["cookie"]``, a CookieOptions, says more.
    The first look loads the session, and a request that never looks makes no call to the store; with
    SESSION_SAVE_EVERY_REQUEST each request loads, counts as a visit and renews the cookie.

    ``cycle_key`` and ``flush`` are carried out when the response begins, in one step with what the request wrote. A
    response of status 500 or above changes nothing, as with Django's own.
    """

    def __call__(self, request: HttpRequest) -> Any:
        if self.async_mode:
            return self.__acall__(request)
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
    return _store_of(request)._get_session()


async def asession(request: HttpRequest) -> core.Session:
    """Do as ``session``, under asyncio."""
    return await _store_of(request)._aget_session()


def _store_of(request: HttpRequest) -> SessionStore:
    found = getattr(request, "session", None)
    if not isinstance(found, SessionStore):
        raise MissingMiddleware(
            'this request has no session of holdfast. Set SESSION_ENGINE = "holdfast.django", and put a middleware for '
            "sessions into MIDDLEWARE"
        )
    return found


# One request ----------------------------------------------------------------------------------------------------------


def _begin(request: HttpRequest) -> Exchange:
    sessions = configuration.sessions()
    scope = getattr(request, "scope", None)
    if scope is not None:
        header = header_of(scope, sessions.reads)
    else:
        header = request.META.get(wsgi.key_of(sessions.reads), "").encode("latin-1")
    exchange = Exchange(sessions, header, lambda: _facts_of(request), Data)
    request.session = _OfRequest(exchange)
    return exchange


def _facts_of(request: HttpRequest) -> RequestFacts:
    scope = getattr(request, "scope", None)
    facts = wsgi.facts_of(request.META) if scope is None else asgi.facts_of(scope)
    # Django has a setting that says whom to believe, SECURE_PROXY_SSL_HEADER.
    return msgspec.structs.replace(facts, scheme="https") if request.is_secure() else facts


def _outcome(exchange: Exchange, request: HttpRequest, response: HttpResponse) -> tuple[_Headers, object]:
    """Return the headers of ``response``, and what stands where the session was."""
    exchange.stored = exchange.stored and response.status_code < 500
    store = request.session
    if isinstance(store, _OfRequest):
        store.align()
    return _Headers(response), None if store is None else ...


def _with_end(exchange: Exchange, response: HttpResponse) -> HttpResponse:
    """Let what ``response`` changes while it is sent be stored."""
    if not response.streaming or getattr(response, "file_to_stream", None) is not None:
        exchange.abandon()
    elif response.is_async:
        response.streaming_content = async_body(exchange, response.streaming_content)
    else:
        response.streaming_content = Body(exchange, response.streaming_content)
    return response


def _refuses() -> bool:
    return configuration.sessions().options.on_store_error == "unavailable"


def _refused(exchange: Exchange, response: HttpResponse | None, error: StoreUnavailable) -> HttpResponse:
    """Return what is sent in the place of ``response``, or let the exception through."""
    if not exchange.refuses:
        exchange.abandon()
        raise error
    return unavailable(response)


def unavailable(response: HttpResponse | None = None) -> HttpResponse:
    """Return a response that says that the store is down, and closes what ``response`` would have."""
    refused = HttpResponse(UNAVAILABLE, status=503, headers=dict(UNAVAILABLE_HEADERS))
    if response is not None:
        refused._resource_closers += response._resource_closers
    return refused


class Data(OfUser):
    """What the session of a request works on. What is written after its end belongs to a new one."""

    __slots__ = ()

    def writable(self) -> None:
        if self._ended is not None and self._intent is Intent.DESTROY:
            self.regenerate()
        super().writable()


class _OfRequest(SessionStore):
    """The session of a request: what Django's methods ask for is carried out with the response."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__()
        self._exchange = exchange
        self._session_cache = exchange.load_lazily()

    def _get_key(self) -> str | None:
        self._exchange.load()
        return super()._get_key()

    session_key = property(_get_key)
    _session_key = property(_get_key, SessionStore._set_key)

    @property
    def accessed(self) -> bool:
        """Whether the response depends on the session. Setting it does nothing: to name the session is not to look."""
        return self._exchange.session._accessed

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
        self._exchange.load()
        super().save(must_create)

    async def asave(self, must_create: bool = False) -> None:
        """Store the session now."""
        await self._exchange.load_async()
        await super().asave(must_create)

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
        """Do as ``set_expiry``, under asyncio."""
        await super().aset_expiry(value)
        super()._align(await self._aget_session())

    def align(self) -> None:
        """Let a session that was told when to end keep to it."""
        if self._exchange.session._loader is None:
            self._align(self._exchange.session)

    def _align(self, data: core.Session) -> None:
        if dict.__contains__(data, EXPIRY):
            super()._align(data)


# Its response ---------------------------------------------------------------------------------------------------------


class _Headers:
    """The headers of a response as Django has them (``holdfast.http.Headers``): cookies have a place of their own."""

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
                self[key] = text or True

    def OutputString(self, attrs: Any = None) -> str:
        """Return the line."""
        return self.line

    def __reduce__(self) -> Any:
        return type(self), (self.line,)
