# Falcon asks a component of its middleware for each request, and for each response before its head is sent. Of a
# WebSocket it tells when it begins, and not when the handshake is answered or when it ends.
"""Sessions for Falcon, WSGI and ASGI: ``req.context.session``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Unpack

from sessile.errors import MissingExtra

try:
    import falcon
    import falcon.asgi
except ModuleNotFoundError as error:
    raise MissingExtra("sessile.falcon", "falcon") from error

from sessile import asgi, wsgi
from sessile._engine.arguments import SessionsArguments
from sessile._engine.manager import Sessions
from sessile._session.session import Session
from sessile.cookies import header_of
from sessile.errors import StoreUnavailable
from sessile.facts import Facts
from sessile.http import (
    ENDED,
    FORBIDDEN,
    OUTSIDE,
    UNAVAILABLE,
    UNAVAILABLE_HEADERS,
    Body,
    Exchange,
    Watch,
    async_body,
    close_async,
    given,
    given_patience,
    missing,
)

__all__ = ["SessionMiddleware", "aload", "session"]

_REMEDY = (
    "this request has no session. Add the middleware: "
    "falcon.App(middleware=[sessile.falcon.SessionMiddleware(sessions)])"
)


class SessionMiddleware:
    """Gives each request its session, as ``req.context.session``: ``App(middleware=[SessionMiddleware(sessions)])``.

    ``sessions`` is the manager; or give its options here, as keyword arguments. The same for ``falcon.App`` and
    ``falcon.asgi.App``. Under WSGI the first look loads the session; ``lazy=False`` loads each, and makes every request
    a visit. Under ASGI each is loaded, unless ``lazy=True``: then a responder awaits ``sessile.falcon.aload(req)``.

    A request that ends in an exception, and is answered with 500, changes nothing. In a WebSocket the session is there
    to read.

    ``revocation_check``: after how many seconds an open WebSocket asks again whether its session is still there
    (``sessile.asgi.SessionMiddleware``).

    >>> app = falcon.App(middleware=[
    ...     SessionMiddleware(secret="a long random text that nobody else knows"),
    ... ])
    """

    def __init__(
        self,
        sessions: Sessions | None = None,
        *,
        lazy: bool | None = None,
        revocation_check: float | None = 60,
        **options: Unpack[SessionsArguments],
    ) -> None:
        self.sessions = given(sessions, options)
        self._patience = given_patience(revocation_check)
        self._lazy = lazy
        self._header = wsgi.key_of(self.sessions.engine.reads)

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Begin, under WSGI."""
        environ = req.env
        if self._covers(environ, wsgi.path_of(environ)):
            self._refuse_other_origins(req.method, lambda: wsgi.facts_of(environ))
            header = environ.get(self._header, "").encode("latin-1")
            exchange = self._begin(req, Exchange(self.sessions, header, lambda: wsgi.facts_of(environ)))
            exchange.load_lazily()
            if self._lazy is False:
                exchange.load()

    async def process_request_async(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Begin, under ASGI."""
        scope = _scope_of(req)
        if self._covers(scope, asgi.path_of(scope)):
            self._refuse_other_origins(req.method, lambda: asgi.facts_of(scope))
            header = header_of(scope, self.sessions.engine.reads)
            exchange = self._begin(req, Exchange(self.sessions, header, lambda: asgi.facts_of(scope)))
            if not self._lazy:
                await exchange.load_async()

    async def process_request_ws(self, req: falcon.asgi.Request, ws: falcon.asgi.WebSocket) -> None:
        """Load the session of a WebSocket."""
        scope = _scope_of(req)
        if self._covers(scope, asgi.path_of(scope)):
            self._refuse_other_origins("GET", lambda: asgi.facts_of(scope), websocket=True)
            header = header_of(scope, self.sessions.engine.reads)
            exchange = self._begin(req, Exchange(self.sessions, header, lambda: asgi.facts_of(scope)))
            try:
                await exchange.load_async()
            except StoreUnavailable as error:
                raise _answer(exchange, error) from error
            exchange.observe()
            _watch(exchange, ws, self._patience)

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, resource: object, req_succeeded: bool
    ) -> None:
        """Commit, under WSGI."""
        exchange = self._take(req, resp, req_succeeded)
        if exchange is None:
            return
        exchange.streams = resp.stream is not None and not hasattr(resp.stream, "read")
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
        exchange.streams = resp.sse is not None or (resp.stream is not None and not hasattr(resp.stream, "read"))
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

    def _refuse_other_origins(self, method: str, facts: Facts, *, websocket: bool = False) -> None:
        if self.sessions.engine.refuses(method, facts, websocket=websocket):
            raise falcon.HTTPForbidden(description=FORBIDDEN.decode().strip())

    def _covers(self, request: dict[str, Any], path: str) -> bool:
        """Tell whether the cookie's path covers ``path``, and note in ``request`` if it does not."""
        covered = self.sessions.engine.path_matches(path)
        if not covered:
            request[OUTSIDE] = self.sessions.engine.setup.path
        return covered

    def _begin(self, req: falcon.Request, exchange: Exchange[Session]) -> Exchange[Session]:
        req.context.sessile = exchange
        req.context.session = exchange.session
        return exchange

    def _take(self, req: falcon.Request, resp: falcon.Response, succeeded: bool) -> Exchange[Session] | None:
        """Return what this component began for a request; None if that was nothing."""
        exchange: Exchange[Session] | None = getattr(req.context, "sessile", None)
        if exchange is None or exchange.sessions is not self.sessions:
            return None
        if not succeeded and resp.status_code == 500:
            exchange.stored = False
        return exchange


def _watch(exchange: Exchange[Session], socket: Any, patience: float) -> None:
    """Close a WebSocket whose session was ended, when the next message comes or goes."""
    code, reason = ENDED
    receive_on, send_on = socket._asgi_receive, socket._asgi_send  # noqa: SLF001

    async def gone() -> dict[str, Any]:
        return {"type": "websocket.disconnect", "code": code}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "websocket.send" and await watch.is_over():
            raise ConnectionAbortedError(reason)  # Falcon makes a WebSocketDisconnected of it, without the code.
        await send_on(message)

    watch = Watch(exchange.sessions, exchange.session, patience, lambda: socket.close(code, reason))
    socket._asgi_receive, socket._asgi_send = watch.receiving(receive_on, gone), send  # noqa: SLF001


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
    """The headers of a response as Falcon has them (``sessile.http.Headers``)."""

    __slots__ = ("add", "get", "set")

    def __init__(self, response: falcon.Response) -> None:
        self.get = response.get_header
        self.set = response.set_header
        self.add = response.append_header

    def __setitem__(self, name: str, value: str, /) -> None:
        self.set(name, value)


def _answer(exchange: Exchange[Session], error: StoreUnavailable) -> Exception:
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


async def aload(req: falcon.asgi.Request) -> Session:
    """Return the session of a request, loading it first if the middleware is lazy. Asks the store at most once."""
    found = await _exchange(req).load_async()
    found.mark_accessed()
    return found


def _exchange(req: falcon.Request) -> Exchange[Session]:
    exchange: Exchange[Session] | None = getattr(req.context, "sessile", None)
    if exchange is None:
        raise missing(None, _REMEDY, _scope_of(req) if isinstance(req, falcon.asgi.Request) else req.env)
    return exchange
