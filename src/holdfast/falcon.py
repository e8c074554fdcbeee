# Falcon asks a component of its middleware for each request, and for each response before its head is sent. Of a
# WebSocket it tells when it begins, and not when the handshake is answered or when it ends.
"""Sessions for Falcon, WSGI and ASGI: ``req.context.session``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Unpack

import falcon
import falcon.asgi

from holdfast import asgi, wsgi
from holdfast.cookies import header_of
from holdfast.errors import MissingMiddleware, StoreUnavailable
from holdfast.http import UNAVAILABLE, UNAVAILABLE_HEADERS, Body, Exchange, async_body, close_async, given
from holdfast.manager import Sessions, SessionsArguments
from holdfast.session import Session

__all__ = ["SessionMiddleware", "load", "session"]


class SessionMiddleware:
    """Gives each request its session, as ``req.context.session``: ``App(middleware=[SessionMiddleware(sessions)])``.

    ``sessions`` is the manager; or give its options here, as keyword arguments. The same for ``falcon.App`` and
    ``falcon.asgi.App``. Under WSGI the first look loads the session; ``lazy=False`` loads each, and makes every request
    a visit. Under ASGI each is loaded, unless ``lazy=True``: then a responder awaits ``holdfast.falcon.load(req)``.

    A request that ends in an exception, and is answered with 500, changes nothing. In a WebSocket the session is there
    to read.
    """

    def __init__(
        self, sessions: Sessions | None = None, *, lazy: bool | None = None, **options: Unpack[SessionsArguments]
    ) -> None:
        self.sessions = given(sessions, options)
        self._lazy = lazy
        self._header = wsgi.key_of(self.sessions.reads)

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Begin, under WSGI."""
        environ = req.env
        if self.sessions.covers(wsgi.path_of(environ)):
            header = environ.get(self._header, "").encode("latin-1")
            exchange = self._begin(req, Exchange(self.sessions, header, lambda: wsgi.facts_of(environ)))
            exchange.load_lazily()
            if self._lazy is False:
                exchange.load()

    async def process_request_async(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Begin, under ASGI."""
        scope = _scope_of(req)
        if self.sessions.covers(asgi.path_of(scope)):
            header = header_of(scope, self.sessions.reads)
            exchange = self._begin(req, Exchange(self.sessions, header, lambda: asgi.facts_of(scope)))
            if not self._lazy:
                await exchange.load_async()

    async def process_request_ws(self, req: falcon.asgi.Request, ws: falcon.asgi.WebSocket) -> None:
        """Load the session of a WebSocket."""
        scope = _scope_of(req)
        if self.sessions.covers(asgi.path_of(scope)):
            header = header_of(scope, self.sessions.reads)
            exchange = self._begin(req, Exchange(self.sessions, header, lambda: asgi.facts_of(scope)))
            try:
                await exchange.load_async()
            except StoreUnavailable as error:
                raise _answer(exchange, error) from error
            exchange.observe()

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, resource: object, req_succeeded: bool
    ) -> None:
        """Commit, under WSGI."""
        exchange = self._take(req, resp, req_succeeded)
        if exchange is None:
            return
        try:
            _look_at_media(resp)
            exchange.commit(_Headers(resp), req.context.session)
        except StoreUnavailable as error:
            raise _answer(exchange, error) from error
        if resp.stream is None or hasattr(resp.stream, "read"):
            exchange.abandon()
        else:
            resp.stream = Body(exchange, resp.stream)

    async def process_response_async(
        self, req: falcon.asgi.Request, resp: falcon.asgi.Response, resource: object, req_succeeded: bool
    ) -> None:
        """Commit, under ASGI."""
        exchange = self._take(req, resp, req_succeeded)
        if exchange is None:
            return
        try:
            _look_at_media(resp)
            await exchange.commit_async(_Headers(resp), req.context.session)
        except StoreUnavailable as error:
            raise _answer(exchange, error) from error
        if resp.sse is not None:
            resp.sse = async_body(exchange, resp.sse)
        elif resp.stream is None or hasattr(resp.stream, "read"):
            exchange.abandon()
        else:
            resp.stream = async_body(exchange, resp.stream)

    async def process_shutdown(self, scope: dict[str, Any], event: dict[str, Any]) -> None:
        """Close the store, under ASGI."""
        await close_async(self.sessions)

    def _begin(self, req: falcon.Request, exchange: Exchange) -> Exchange:
        req.context.holdfast = exchange
        req.context.session = exchange.session
        return exchange

    def _take(self, req: falcon.Request, resp: falcon.Response, succeeded: bool) -> Exchange | None:
        """Return what this component began for a request; None if that was nothing."""
        exchange: Exchange | None = getattr(req.context, "holdfast", None)
        if exchange is None or exchange.sessions is not self.sessions:
            return None
        if not succeeded and resp.status_code == 500:
            exchange.stored = False
        return exchange


def _look_at_media(resp: falcon.Response) -> None:
    # Falcon writes it after the commit, when it is too late to load a session, or to note that it was looked at.
    if isinstance(resp.media, Session):
        resp.media = resp.media.copy()


def _scope_of(req: falcon.asgi.Request) -> dict[str, Any]:
    scope = req.scope
    if isinstance(scope["headers"], Iterator):  # Falcon's test client gives them to be read once, and they have been.
        scope["headers"] = [(name.lower().encode(), value.encode("latin-1")) for name, value in req.headers.items()]
    return scope


class _Headers:
    """The headers of a response as Falcon has them (``holdfast.http.Headers``)."""

    __slots__ = ("add", "get", "set")

    def __init__(self, response: falcon.Response) -> None:
        self.get = response.get_header
        self.set = response.set_header
        self.add = response.append_header

    def __setitem__(self, name: str, value: str, /) -> None:
        self.set(name, value)


def _answer(exchange: Exchange, error: StoreUnavailable) -> Exception:
    """Return what Falcon is told while the store is down."""
    if not exchange.refuses:
        return error
    headers = {name: value for name, value in UNAVAILABLE_HEADERS if not name.startswith("Content-")}
    return falcon.HTTPServiceUnavailable(description=str(UNAVAILABLE, "ascii").strip(), headers=headers)


def session(req: falcon.Request) -> Session:
    """Return the session of a request, typed. The same object as ``req.context.session``.

    Raises MissingMiddleware if there is none: the middleware is missing, or the cookie's path does not cover the URL.
    """
    return _exchange(req).session


async def load(req: falcon.asgi.Request) -> Session:
    """Return the session of a request, loading it first if the middleware is lazy. Asks the store at most once."""
    found = await _exchange(req).load_async()
    found.mark_accessed()
    return found


def _exchange(req: falcon.Request) -> Exchange:
    exchange: Exchange | None = getattr(req.context, "holdfast", None)
    if exchange is None:
        raise MissingMiddleware(
            "this request has no session. Add the middleware: "
            "falcon.App(middleware=[holdfast.falcon.SessionMiddleware(sessions)])"
        )
    return exchange
